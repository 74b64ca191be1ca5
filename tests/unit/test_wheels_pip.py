import pytest

from build.locking.requirements import parse_lock
from build.process import Completed
from build.wheels.pip import blamed, is_unreachable, masked, met_other_files, refusal_of_wheel


def failed(printed):
    return Completed(argv=("pip", "--cert", "ssl/DO NOT MATCH THE HASHES"), code=1, stdout="", stderr=printed)


MISMATCH = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated …\n    "
SEEN = f"(from -r /pins.txt (line 1)):\n        Expected sha256 {'0' * 64}\n             Got        {'1' * 64}\n"


@pytest.mark.parametrize(
    ("name", "printed", "unreachable", "other_files"),
    [
        ("pyopenssl", "ERROR: No matching distribution found for pyopenssl==1.0", False, False),
        ("xxhash", "ERROR: No matching distribution found for xxhash==1.0", False, False),
        ("connection", "ERROR: No matching distribution found for connection==1.0", False, False),
        ("", "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(…)'", True, False),
        ("", "error: ssl-verification-failed", True, False),
        ("", "WARNING: after connection broken by" + "\nfine in the end" * 30, False, False),
        ("six", f"{MISMATCH}six==1.0 from https://example.invalid/six-1.0.whl#sha256=0 {SEEN}", False, True),
        (
            "direct",
            f"{MISMATCH}direct @ https://example.invalid/a.whl from https://example.invalid/a.whl {SEEN}",
            False,
            True,
        ),
        ("", "  ERROR: No matching distribution found for six==1.0\n  [end of output]", False, False),
    ],
)
def test_pips_own_phrases_tell_why_and_no_name_does(name, printed, unreachable, other_files):
    names = ("pyopenssl", "xxhash", "connection", "six", "direct")
    pins = parse_lock("".join(f"{each}==1.0 --hash=sha256:{'0' * 64}\n" for each in names)).pins
    assert is_unreachable(failed(printed)) is unreachable
    assert met_other_files(failed(printed)) is other_files
    assert [pin.name for pin in blamed(failed(printed), pins)] == ([name] if name else [])


@pytest.mark.parametrize(
    ("printed", "against"),
    [
        ("fast-1.0-cp313-cp313-win_amd64.whl is not a supported wheel on this platform.", "is not a supported wheel"),
        ("Wheel 'fast' located at /x/fast-1.0-py3-none-any.whl is invalid.", "is invalid"),
        ("fast has an invalid wheel, .dist-info directory 'slow-1.0.dist-info' does not start with 'fast'", "'fast'"),
        ("Invalid wheel filename (wrong number of parts): 'fast'", "(wrong number of parts): 'fast'"),
    ],
)
def test_what_pip_says_against_a_wheel_is_told_and_whose_it_is(printed, against):
    completed = failed(f"Processing x.whl\nERROR: {printed}\n")
    assert refusal_of_wheel(completed).endswith(against)
    (pin,) = parse_lock(f"fast==1.0 --hash=sha256:{'0' * 64}\n").pins
    assert blamed(completed, [pin]) == (pin,)


def test_a_wheel_that_is_not_there_is_no_wheel_that_pip_refuses():
    assert refusal_of_wheel(failed("ERROR: No matching distribution found for invalid-wheel==1.0\n")) == ""


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("at https://me:p%40ss@example.invalid/simple", "at https://****@example.invalid/simple"),
        ("at https://to@ken@example.invalid/", "at https://****@example.invalid/"),
        ("at https://example.invalid/a.whl?sig=abc&v=1#x", "at https://example.invalid/a.whl?sig=****&v=****#x"),
        ("mail me@example.invalid, a // b@c", "mail me@example.invalid, a // b@c"),
    ],
)
def test_credentials_of_addresses_are_not_shown(printed, shown):
    assert masked(printed) == shown

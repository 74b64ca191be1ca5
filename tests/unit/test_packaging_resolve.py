from pathlib import Path

import pytest

from build.errors import InputError, ToolError
from build.locking.locks import read_locks
from build.locking.requirements import parse_lock
from build.packaging import fetch
from build.packaging.resolve import Request, _walk, resolve
from build.store.objects import Store
from tests.builders import ARM, X86, function_spec, lock_line, make_wheel, make_workspace, write_files


def resolved(tmp_path: Path, locks: dict[str, dict[str, str]], target=X86, say=lambda _: None):
    specs = tuple(function_spec(write_files(tmp_path / "functions" / n, f), target=target) for n, f in locks.items())
    read = read_locks(make_workspace(tmp_path, functions=specs))
    return resolve([Request(lock, target) for lock in read.values()], Store(tmp_path / "store"), on_progress=say)


def test_wheels_come_from_the_index_once_and_from_the_store_afterwards(tmp_path, package_index):
    six = make_wheel(package_index, "six", "1.16.0")
    said: list[str] = []
    locks = {"one": {"requirements.txt": lock_line(six)}}
    (wheel,) = resolved(tmp_path, locks, say=said.append)["functions/one", X86]
    assert wheel.digest == six.digest
    assert wheel.path.read_bytes() == six.path.read_bytes()
    six.path.unlink()
    assert resolved(tmp_path, locks, say=said.append)["functions/one", X86] == (wheel,)
    assert len(said) == 1


def test_the_wheel_of_the_targets_architecture_is_chosen(tmp_path, package_index):
    x86 = make_wheel(package_index, "fast", tag="cp313-cp313-manylinux_2_28_x86_64")
    arm = make_wheel(package_index, "fast", tag="cp313-cp313-manylinux_2_17_aarch64")
    make_wheel(package_index, "fast", tag="cp313-cp313-macosx_11_0_arm64")
    locks = {"one": {"requirements.txt": lock_line(x86, arm)}}
    assert resolved(tmp_path, locks, ARM)["functions/one", ARM][0].path.name == arm.path.name
    assert resolved(tmp_path, locks, X86)["functions/one", X86][0].path.name == x86.path.name


def test_every_distribution_without_a_wheel_for_the_target_is_named_at_once(tmp_path, package_index):
    old = make_wheel(package_index, "old", tag="cp312-cp312-manylinux2014_aarch64")
    mac = make_wheel(package_index, "mac", tag="cp313-cp313-macosx_11_0_arm64")
    with pytest.raises(InputError, match="without a wheel") as caught:
        resolved(tmp_path, {"one": {"requirements.txt": lock_line(old) + lock_line(mac)}}, ARM)
    assert caught.value.facts == (
        "functions/one: mac 1.0 on python3.13 on arm64: no wheel for it",
        "functions/one: old 1.0 on python3.13 on arm64: no wheel for it",
    )


def test_a_file_whose_digest_the_lock_does_not_name_is_refused(tmp_path, package_index):
    locked = make_wheel(tmp_path / "elsewhere", "six", "1.16.0", files={"six.py": "good"})
    make_wheel(package_index, "six", "1.16.0", files={"six.py": "evil"})
    with pytest.raises(InputError) as caught:
        resolved(tmp_path, {"one": {"requirements.txt": lock_line(locked)}})
    assert "no wheel for it that the lock allows" in caught.value.facts[0]
    assert not list((tmp_path / "store").glob("wheels/*/*"))


def test_two_versions_of_one_distribution_go_to_pip_one_after_the_other():
    """In one call pip would find no version that is both."""
    old, new, other = parse_lock("".join(f"{pin} --hash=sha256:{'0' * 64}\n" for pin in ("a==1", "a==2", "b==1"))).pins
    batches = fetch._batches([(old, X86), (new, X86), (other, X86), (old, ARM)])
    assert list(batches) == [(X86, [old, other]), (X86, [new]), (ARM, [old])]


def brought_by_another_target(tmp_path, wheel):
    place = Store(tmp_path / "store").wheel(wheel.digest, wheel.path.name)
    place.parent.mkdir(parents=True)
    return wheel.path.replace(place)


def test_a_wheel_that_is_the_locks_only_file_is_not_fetched_again_for_another_target(tmp_path, package_index):
    pure = make_wheel(package_index, "pure")
    stored = brought_by_another_target(tmp_path, pure)
    said: list[str] = []
    (wheel,) = resolved(tmp_path, {"one": {"requirements.txt": lock_line(pure)}}, say=said.append)["functions/one", X86]
    assert (wheel.path, said) == (stored, [])


def test_among_several_files_the_store_does_not_decide(tmp_path, package_index):
    """Else what was built before would decide what is built now: a compiled wheel is better than a pure one."""
    pure = make_wheel(package_index, "fast")
    arm = make_wheel(package_index, "fast", tag="cp313-cp313-manylinux2014_aarch64", files={"fast.so": "x"})
    brought_by_another_target(tmp_path, pure)
    locks = {"one": {"requirements.txt": lock_line(pure, arm)}}
    assert resolved(tmp_path, locks, ARM)["functions/one", ARM][0].path.name == arm.path.name


@pytest.mark.parametrize(
    ("name", "printed", "unreachable", "other_files"),
    [
        ("pyopenssl", "ERROR: No matching distribution found for pyopenssl==1.0", False, False),
        ("xxhash", "ERROR: No matching distribution found for xxhash==1.0", False, False),
        ("connection", "ERROR: No matching distribution found for connection-timed-out==1.0", False, False),
        ("six", "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(…)'", True, False),
        ("six", "error: ssl-verification-failed", True, False),
        ("six", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", False, True),
    ],
)
def test_pips_own_phrases_tell_why_and_no_name_does(name, printed, unreachable, other_files):
    ran = f"ran: pip download --cert ssl/timed out/DO NOT MATCH THE HASHES/{name} after connection broken by"
    reason = ToolError("failed", facts=[ran, printed], hint="run `invoke build`")
    assert fetch._is_unreachable(reason) is unreachable
    pin = parse_lock(f"{name}==1.0 --hash=sha256:{'0' * 64}\n").pins[0]
    told = fetch._failure([((pin, X86), reason)], {(pin, X86): "functions/one"})
    assert (told is reason) is unreachable
    assert any(fact.endswith("that the lock allows") for fact in told.facts) is other_files


class TestTheWalkOverMetadata:
    """Of wheels at hand; `resolve` raises what the walk finds, which the last test shows."""

    def walked(self, tmp_path, wheels, *, wanted=None, target=X86):
        files = {"requirements.txt": "".join(map(lock_line, wheels))}
        folder = write_files(tmp_path / "functions/one", {**files, **({"requirements.in": wanted} if wanted else {})})
        (lock,) = read_locks(make_workspace(tmp_path, functions=(function_spec(folder, target=target),))).values()
        return _walk(Request(lock, target), tuple(wheels))

    def test_what_a_wheel_needs_and_the_lock_misses_is_told(self, tmp_path):
        app = make_wheel(tmp_path, "app", requires=["needed>=1", 'win ; sys_platform == "win32"'])
        assert self.walked(tmp_path, [app], wanted="app\n") == [
            "functions/one/requirements.txt, python3.13 on x86_64: needed>=1 is missing, wanted by app"
        ]

    def test_extras_and_markers_of_the_target_are_followed(self, tmp_path):
        markers = ['quick ; extra == "fast"', 'arm ; platform_machine == "aarch64"', 'old ; python_version < "3.12"']
        app = make_wheel(tmp_path, "app", requires=markers)
        quick, arm = make_wheel(tmp_path, "quick"), make_wheel(tmp_path, "arm")
        assert self.walked(tmp_path, [app, arm, quick], wanted="app[fast]\n", target=ARM) == []
        assert self.walked(tmp_path, [app, quick], wanted="app[fast]\n") == []
        (missing,) = self.walked(tmp_path, [app, quick], wanted="app[fast]\n", target=ARM)
        assert 'arm; platform_machine == "aarch64" is missing, wanted by app' in missing

    def test_a_version_that_does_not_fit_another_distribution_is_told(self, tmp_path):
        app, dep = make_wheel(tmp_path, "app", requires=["dep>=2"]), make_wheel(tmp_path, "dep")
        (told,) = self.walked(tmp_path, [app, dep])
        assert "expected dep>=2 for app, got 1.0" in told

    def test_circles_end(self, tmp_path):
        a, b = make_wheel(tmp_path, "a", requires=["b"]), make_wheel(tmp_path, "b", requires=["a"])
        assert self.walked(tmp_path, [a, b], wanted="a\n") == []

    def test_a_wheel_that_says_it_is_another_is_told(self, tmp_path):
        (told,) = self.walked(tmp_path, [make_wheel(tmp_path, "liar", metadata_name="honest")])
        assert "its METADATA says honest 1.0" in told

    def test_what_is_locked_and_nothing_wants_any_more_is_told(self, tmp_path, package_index):
        app, left_over = make_wheel(package_index, "app"), make_wheel(package_index, "left-over")
        files = {"requirements.in": "app\n", "requirements.txt": lock_line(app) + lock_line(left_over)}
        with pytest.raises(InputError, match="METADATA disagree") as caught:
            resolved(tmp_path, {"one": files})
        assert "left-over 1.0 is locked, but nothing wants it" in caught.value.facts[0]

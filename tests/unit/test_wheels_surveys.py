import base64
import shutil
import time
import zipfile
import zlib
from dataclasses import replace

import pytest

from build.digest import Digest
from build.errors import InputError
from build.packaging.ingredients import entries_of
from build.store.objects import Store
from build.wheels.surveys import surveyed
from build.zips.trees import merge
from tests.builders import make_wheel
from tests.crafted import Piece, craft_zip


@pytest.fixture
def survey(tmp_path):
    store = Store(tmp_path / "store")
    return lambda wheel: surveyed(replace(wheel, digest=Digest.of_file(wheel.path)), store)


@pytest.fixture
def refused(survey):
    def look(wheel):
        with pytest.raises(InputError, match="is not a wheel that can ship") as caught:
            survey(wheel)
        return list(caught.value.facts)

    return look


def modules(survey):
    return [member.name for member in survey.members if ".dist-info/" not in member.name]


def rewritten(wheel, changes):
    """Return ``wheel`` with members put in, replaced, or (None) taken out, and nothing else changed."""
    with zipfile.ZipFile(wheel.path) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()} | changes
    with zipfile.ZipFile(wheel.path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            if content is not None:
                archive.writestr(name, content)
    return wheel


def with_record(wheel, change):
    with zipfile.ZipFile(wheel.path) as archive:
        record = archive.read("demo-1.0.dist-info/RECORD").decode()
    return rewritten(wheel, {"demo-1.0.dist-info/RECORD": change(record)})


def test_a_survey_says_what_a_wheel_is_needs_and_brings(tmp_path, survey):
    files: dict[str, str | bytes] = {"demo/__init__.py": "x = 1\n", "demo/data.bin": bytes(999)}
    wheel = make_wheel(tmp_path, "demo", files=files, requires=["six", 'toml; extra == "x"'])
    said = survey(wheel)
    assert (said.name, said.version, said.requires_python) == ("demo", "1.0", "")
    assert said.requires == ("six", 'toml; extra == "x"')
    with zipfile.ZipFile(wheel.path) as archive:
        infos = {info.filename: (info.CRC, info.compress_size, info.file_size) for info in archive.infolist()}
    assert {m.name: (m.crc32, m.compressed_bytes, m.size_bytes) for m in said.members} == infos
    assert [member.name for member in said.members] == sorted(infos)


def test_requires_python_and_the_normal_name_are_told(tmp_path, survey):
    wheel = make_wheel(tmp_path, "demo", metadata_name="DeMo")
    metadata = "Metadata-Version: 2.1\nName: DeMo\nVersion: 1.0.0\nRequires-Python: >=3.9\n"
    changes = {"demo-1.0.dist-info/METADATA": metadata}
    said = survey(with_record(rewritten(wheel, changes), lambda text: "".join(line_without_digest(text))))
    assert (said.name, said.version, said.requires_python) == ("demo", "1.0.0", ">=3.9")


def line_without_digest(record):
    return [line.split(",")[0] + ",,\n" for line in record.splitlines()]


def test_a_wheel_is_opened_once_and_then_remembered(tmp_path):
    store, wheel = Store(tmp_path / "store"), make_wheel(tmp_path, "demo", requires=["six"])
    first = surveyed(wheel, store)
    wheel.path.unlink()
    assert surveyed(wheel, store) == first


def test_the_same_bytes_by_another_name_are_looked_at_again(tmp_path, refused):
    wheel = make_wheel(tmp_path, "demo")
    other = wheel.path.with_name("other-1.0-py3-none-any.whl")
    shutil.copy(wheel.path, other)
    assert refused(replace(wheel, path=other))[0] == "demo-1.0.dist-info is of demo 1.0, the file name of other 1.0"


def test_a_file_of_the_store_that_was_written_to_is_not_remembered(tmp_path):
    store, wheel = Store(tmp_path / "store"), make_wheel(tmp_path, "demo")
    other = make_wheel(tmp_path / "other", "demo", files={"demo/evil.py": ""})
    shutil.copy(other.path, wheel.path)
    with pytest.raises(Exception, match="is not the file that was put there"):
        surveyed(wheel, store)
    assert not list(store.root.rglob("notes/survey/*"))


def test_purelib_and_platlib_unfold_and_scripts_headers_and_data_stay_out(tmp_path, survey):
    schemes = ("purelib", "platlib", "scripts", "headers", "data")
    files = {f"demo-1.0.data/{scheme}/demo_{scheme}.txt": "x" * 7 for scheme in schemes}
    said = survey(make_wheel(tmp_path, "demo", files=files))
    assert modules(said) == ["demo_platlib.txt", "demo_purelib.txt"]
    assert said.left_out_bytes == 21


@pytest.mark.parametrize("path", ["demo-1.0.data/secret/x", "demo-1.0.data/x", "demo-1.0.data/purelib"])
def test_a_data_folder_for_nothing_known_is_refused(tmp_path, refused, path):
    assert refused(make_wheel(tmp_path, "demo", files={path: "x"})) == [
        f"{path!r} is in none of the folders that a .data folder may have"
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["demo/a.py", "demo-1.0.data/purelib/demo/a.py"], "'demo/a.py' is there 2 times"),
        (["demo/a.py", "demo-1.0.data/platlib/Demo/a.py"], "'demo/a.py' and 'Demo/a.py' differ only in case or"),
        (["demo", "demo-1.0.data/platlib/demo/a.py"], "'demo' is a file, and a folder of other members"),
        (
            ["demo-1.0.data/purelib/x-1.dist-info/METADATA"],
            "it would install 'x-1.dist-info', which is another distribution's",
        ),
    ],
)
def test_members_that_meet_when_they_are_installed_are_refused(tmp_path, refused, files, said):
    (fact,) = refused(make_wheel(tmp_path, "demo", files=dict.fromkeys(files, "x")))
    assert fact.removesuffix(" normal form") == said


def test_a_path_that_leads_out_of_the_data_folder_is_refused(tmp_path, refused):
    path = "demo-1.0.data/purelib/../../evil.py"
    assert refused(make_wheel(tmp_path, "demo", files={path: "x"})) == [f"{path!r} points outside the wheel"]


def test_bytecode_that_a_wheel_brings_stays_out_unless_it_is_a_module_of_its_own(tmp_path, survey):
    files = {"demo/a.py": "", "demo/__pycache__/a.cpython-313.pyc": "stale", "__pycache__/b.pyc": "", "demo/c.pyc": "c"}
    assert modules(survey(make_wheel(tmp_path, "demo", files=files))) == ["demo/a.py", "demo/c.pyc"]


def tree_of(wheel, survey):
    return entries_of(survey(wheel).members, wheel.path, wheel.name)


def test_two_distributions_share_a_namespace_package(tmp_path, survey):
    wheels = [make_wheel(tmp_path, f"google-{part}", files={f"google/{part}/__init__.py": ""}) for part in "ab"]
    paths = [entry.path for entry in merge(*(tree_of(wheel, survey) for wheel in wheels))]
    assert [path for path in paths if path.startswith("google/")] == ["google/a/__init__.py", "google/b/__init__.py"]


def test_two_distributions_may_share_a_file_only_if_it_is_the_same(tmp_path, survey):
    same = [make_wheel(tmp_path, f"google-{part}", files={"google/__init__.py": "x"}) for part in "ab"]
    assert merge(*(tree_of(wheel, survey) for wheel in same))
    other = make_wheel(tmp_path, "google-c", files={"google/__init__.py": "y"})
    with pytest.raises(InputError, match="two owners bring the same file") as caught:
        merge(*(tree_of(wheel, survey) for wheel in (*same, other)))
    assert caught.value.facts == ("google/__init__.py: in google-a and, with other bytes, in google-c",)


DECLARES = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)  # type: ignore\n"


@pytest.mark.parametrize(
    "other",
    [
        '"""Says\nwhat."""\n# and why\nfrom pkgutil import extend_path\n\n__path__ = extend_path(__path__, __name__)\n',
        "import pkgutil\n__path__ = pkgutil.extend_path(__path__, __name__)",
        '__import__("pkg_resources").declare_namespace(__name__)\n',
        f"try:\n  __import__('pkg_resources').declare_namespace(__name__)\nexcept ImportError:\n  {DECLARES}",
    ],
)
def test_a_namespace_may_be_declared_in_other_words_by_each_of_its_distributions(tmp_path, survey, other):
    wheels = [
        make_wheel(tmp_path, name, files={"ns/__init__.py": text}) for name, text in [("a", DECLARES), ("b", other)]
    ]
    (kept,) = [each for each in merge(*(tree_of(wheel, survey) for wheel in wheels)) if each.path == "ns/__init__.py"]
    assert kept.owner == "a"


@pytest.mark.parametrize(
    "other", ["", f"{DECLARES}VERSION = 1\n", f"{DECLARES}#{'x' * 5000}\n", "def", "x\0", "x = 1\n"]
)
def test_a_module_that_does_more_than_declaring_a_namespace_is_no_matter_of_words(tmp_path, survey, other):
    wheels = [
        make_wheel(tmp_path, name, files={"ns/__init__.py": text}) for name, text in [("a", DECLARES), ("b", other)]
    ]
    with pytest.raises(InputError, match="two owners bring the same file"):
        merge(*(tree_of(wheel, survey) for wheel in wheels))


def test_a_file_that_only_looks_the_same_by_its_crc_is_noticed(tmp_path, survey):
    content = b"TOKEN = 'harmless'  # and so on\n"
    # What CRC-32 divides by changes no remainder, wherever it is put.
    forged = bytes(a ^ b for a, b in zip(content, b"\x41\x06\x71\xdb\x01".ljust(len(content), b"\0"), strict=True))
    assert (zlib.crc32(content), len(content)) == (zlib.crc32(forged), len(forged))
    one, other = (
        make_wheel(tmp_path, name, files={"shared.txt": data}) for name, data in [("a", content), ("b", forged)]
    )
    with pytest.raises(InputError, match="two owners bring the same file"):
        merge(tree_of(one, survey), tree_of(other, survey))


@pytest.mark.parametrize(
    "importing",
    [
        "from demo.tests import support\n",
        "    from demo.tests.support import x\n",
        "import os, demo.tests.support\n",
        "from . import tests\n",
        "from .tests import support\n",
        "from .sub import (\n    other,  # why\n    tests,\n)\n",
        "from demo.sub.tests.deep import x\n",
    ],
)
def test_a_module_that_needs_the_tests_at_run_time_is_noticed(tmp_path, survey, importing):
    files = {"demo/a.py": importing, "demo/tests/support.py": "", "demo/sub/tests/deep/x.py": ""}
    assert "tests" in survey(make_wheel(tmp_path, "demo", files=files)).read_at_run_time


@pytest.mark.parametrize(
    "files",
    [
        {"demo/tests/a.py": "from demo.tests import support\n"},
        {"tests/a.py": "from demo.tests import support\n"},
        {"demo/a.py": "from other.tests import support\nfrom .sub.tests import x\n"},
        {"demo/a.py": "import demo.testing\nfrom demo import tests_of\nfrom demo import x  # not the tests\n"},
        {"demo/a.txt": "from demo.tests import support\n"},
        {"demo/a.py": "x = 'demo.tests'\n"},
    ],
)
def test_tests_that_only_tests_need_are_not_needed(tmp_path, survey, files):
    wheel = make_wheel(tmp_path, "demo", files={"demo/tests/support.py": "", **files})
    assert "tests" not in survey(wheel).read_at_run_time


@pytest.mark.parametrize(
    "source", ["lazy.attach_stub(__name__, __file__)", "read(path + '.pyi')", 'glob("*.pyi")', "x = 1"]
)
def test_a_module_that_reads_stubs_is_noticed(tmp_path, survey, source):
    said = survey(make_wheel(tmp_path, "demo", files={"demo/a.py": source}))
    assert ("stubs" in said.read_at_run_time) == (source != "x = 1")


def test_shared_objects_are_looked_into_where_they_ship(tmp_path, survey):
    content = b"\x7fELF" + bytes(60)
    files = {"demo/a.so": content, "demo/data": content, "demo-1.0.data/scripts/a": content, "demo/b.so": b"text"}
    found = survey(make_wheel(tmp_path, "demo", files=files)).shared_objects
    assert [(each.path, bool(each.unreadable)) for each in found] == [("demo/a.so", True), ("demo/data", True)]


def test_content_that_is_not_what_the_directory_says_is_refused_all_of_it_at_once(tmp_path, refused):
    wheel = make_wheel(tmp_path, "demo", files={"demo/a.py": "a" * 99, "demo/b.py": "b" * 99})
    data = bytearray(wheel.path.read_bytes())
    for name in (b"demo/a.py", b"demo/b.py"):
        data[data.index(name) + len(name) + 1] ^= 0xFF
    wheel.path.write_bytes(data)
    facts = refused(wheel)
    assert [fact.partition("' ")[0].partition("':")[0] for fact in facts] == ["'demo/a.py", "'demo/b.py"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda text: text.replace("demo/__init__.py,sha256=", "demo/__init__.py,sha256=x"),
            "'demo/__init__.py': RECORD says sha256 x",
        ),
        (lambda text: text.replace(",16\n", ",17\n"), "'demo/__init__.py': RECORD says 17 bytes, got 16"),
        (lambda text: text + "demo/gone.py,,\n", "RECORD lists 'demo/gone.py', which is not there"),
        (lambda text: text.partition("\n")[2], "RECORD does not list 'demo/__init__.py'"),
        (lambda text: text + "demo/__init__.py,,\n", "RECORD lists 'demo/__init__.py' twice, with different digests"),
        (lambda _: b"\xff\n", "RECORD cannot be read: 'utf-8' codec can't decode byte 0xff"),
        (lambda text: text + '"' + "x" * 200_000, "RECORD cannot be read: field larger than field limit (131072)"),
    ],
)
def test_a_record_that_is_wrong_is_refused(tmp_path, refused, change, said):
    assert any(fact.startswith(said) for fact in refused(with_record(make_wheel(tmp_path, "demo"), change)))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "".join(line_without_digest(text)),
        lambda text: "".join(line.split(",")[0] + "\n" for line in text.splitlines()),
        lambda text: text.replace("sha256=", "md5="),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + text,
        lambda text: text.replace(",16\n", "=,16\n"),
        lambda text: "".join(in_hex(line) for line in text.splitlines(keepends=True)),
        lambda text: text.replace("/", "\\"),
        lambda text: text + "demo/,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n",
        lambda text: text + "demo/native.c,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n",
    ],
    ids=[
        *("no digests", "no columns", "old digests", "other line ends", "all of it twice", "padding"),
        *("digests in hex", "paths of Windows", "folders", "sources taken out"),
    ],
)
def test_a_record_that_is_only_careless_is_let_be(tmp_path, survey, change):
    """All of it was seen in wheels that every installer takes, cmake's and ddtrace's among them."""
    wheel = make_wheel(tmp_path, "demo", files={"demo/__init__.py": "VERSION = '1.0'\n"})
    assert survey(with_record(wheel, change)).name == "demo"


def in_hex(line):
    path, said, size = line.split(",")
    digest = base64.urlsafe_b64decode(said.removeprefix("sha256=") + "=").hex()
    return ",".join([path, f"sha256={digest}" if digest else "", size])


def test_a_digest_in_hex_is_checked_as_well(tmp_path, refused):
    wheel = with_record(make_wheel(tmp_path, "demo"), lambda text: text.replace("sha256=", f"sha256={'0' * 64}", 1))
    assert refused(wheel)[0].startswith("'demo/__init__.py': RECORD says sha256 000")


@pytest.mark.parametrize("name", ["METADATA", "WHEEL"])
def test_papers_that_are_not_utf8_are_refused(tmp_path, refused, name):
    wheel = rewritten(make_wheel(tmp_path, "demo"), {f"demo-1.0.dist-info/{name}": b"Summary: caf\xe9\n"})
    assert f"{name} cannot be read: 'utf-8' codec can't decode byte 0xe9" in refused(wheel)[0]


def test_other_digests_than_sha256_are_checked_too(tmp_path, refused):
    wheel = with_record(make_wheel(tmp_path, "demo"), lambda text: text.replace("sha256=", "sha512="))
    assert refused(wheel)[0].startswith("'demo/__init__.py': RECORD says sha512 ")


def test_signatures_of_a_record_need_not_be_listed(tmp_path, survey, refused):
    folder = "demo-1.0.dist-info"
    signed = rewritten(make_wheel(tmp_path, "demo"), {f"{folder}/RECORD.jws": "{}", f"{folder}/RECORD.p7s": "x"})
    assert survey(signed).name == "demo"
    assert refused(rewritten(signed, {f"{folder}/RECORD.txt": "x"})) == [f"RECORD does not list '{folder}/RECORD.txt'"]


@pytest.mark.parametrize("name", ["METADATA", "WHEEL", "RECORD"])
def test_a_wheel_without_its_papers_is_refused(tmp_path, refused, name):
    path = f"demo-1.0.dist-info/{name}"
    assert refused(rewritten(make_wheel(tmp_path, "demo"), {path: None})) == [f"it has no {path}"]


@pytest.mark.parametrize("name", ["METADATA", "WHEEL", "RECORD"])
def test_papers_beyond_all_measure_are_not_read(tmp_path, refused, name):
    path = f"demo-1.0.dist-info/{name}"
    assert refused(rewritten(make_wheel(tmp_path, "demo"), {path: bytes(17 << 20)})) == [
        f"{path} has {17 << 20} bytes, expected at most {16 << 20}"
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"other-1.0.dist-info/METADATA": ""}, "demo-1.0.dist-info, other-1.0.dist-info"),
        ({f"demo-1.0.dist-info/{name}": None for name in ("METADATA", "WHEEL", "RECORD")}, "none"),
    ],
)
def test_more_or_less_than_one_dist_info_is_refused(tmp_path, refused, changes, said):
    assert refused(rewritten(make_wheel(tmp_path, "demo"), changes)) == [f"expected one .dist-info folder, got {said}"]


def test_a_dist_info_that_is_vendored_is_a_folder_like_any_other(tmp_path, survey):
    path = "demo/_vendor/other-1.0.dist-info/METADATA"
    assert path in [m.name for m in survey(make_wheel(tmp_path, "demo", files={path: ""})).members]


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ("Name: evil\nVersion: 1.0\n", "METADATA is of evil 1.0, the file name of demo 1.0"),
        ("Name: demo\nVersion: 2.0\n", "METADATA is of demo 2.0, the file name of demo 1.0"),
        ("Name: demo\nVersion: one\n", "METADATA is of demo one, the file name of demo 1.0"),
        ("", "METADATA is of no name , the file name of demo 1.0"),
    ],
)
def test_metadata_of_another_distribution_is_refused(tmp_path, refused, metadata, said):
    assert said in refused(rewritten(make_wheel(tmp_path, "demo"), {"demo-1.0.dist-info/METADATA": metadata}))


def test_what_a_wheel_says_of_itself_reaches_the_terminal_harmless_and_short(tmp_path, refused):
    changes = {"demo-1.0.dist-info/METADATA": "Name: \x1b[2Jdemo\nVersion: " + "1" * 10_000}
    (said, *_) = [fact for fact in refused(rewritten(make_wheel(tmp_path, "demo"), changes)) if "METADATA is" in fact]
    assert said.startswith("METADATA is of \\x1b[2Jdemo 111")
    assert len(said) < 410


@pytest.mark.parametrize("tags", ["", "Tag: nonsense\n", "Tag: {many}-{many}-{many}\n"], ids=["none", "broken", "many"])
def test_tags_that_say_nothing_are_let_be(tmp_path, survey, tags):
    tags = tags.format(many=".".join(f"a{number}" for number in range(500)))
    changes = {"demo-1.0.dist-info/WHEEL": f"Wheel-Version: 1.0\n{tags}"}
    wheel = with_record(
        rewritten(make_wheel(tmp_path, "demo"), changes), lambda text: "".join(line_without_digest(text))
    )
    assert survey(wheel).name == "demo"


def test_a_version_may_be_spelled_in_another_way(tmp_path, survey):
    wheel = make_wheel(tmp_path, "Demo.Pkg", "1.0.0", metadata_name="demo-pkg")
    path = wheel.path.rename(wheel.path.with_name("demo_pkg-1.0-py3-none-any.whl"))
    assert survey(replace(wheel, path=path)).name == "demo-pkg"


def test_a_file_name_that_is_none_of_a_wheel_is_refused(tmp_path, refused):
    wheel = make_wheel(tmp_path, "demo")
    path = wheel.path.rename(wheel.path.with_name("demo.whl"))
    assert "Invalid wheel filename" in refused(replace(wheel, path=path))[0]


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64", "cp313-cp313-linux_x86_64"),
        ("py3-none-manylinux2014_x86_64", "cp39-cp39-manylinux2014_x86_64"),
        ("py3-none-any", "cp39-cp39-linux_x86_64"),
        ("cp313-cp313-manylinux2014_aarch64", "win_amd64"),
    ],
)
def test_a_wheel_is_for_what_its_file_name_says(tmp_path, survey, named, said):
    """So installers see it, and shared objects are held against the target in any case."""
    wheel = make_wheel(tmp_path, "demo", tag=said)
    path = wheel.path.rename(wheel.path.with_name(f"demo-1.0-{named}.whl"))
    assert survey(replace(wheel, path=path)).name == "demo"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Wheel-Version: 2.0\nTag: py3-none-any\n", "WHEEL: expected Wheel-Version 1, got 2.0"),
        ("Wheel-Version: 1.b\n", "WHEEL: expected Wheel-Version 1, got 1.b"),
        ("Tag: py3-none-any\n", "WHEEL: expected Wheel-Version 1, got None"),
    ],
)
def test_a_wheel_of_another_format_is_refused(tmp_path, refused, text, said):
    facts = refused(rewritten(make_wheel(tmp_path, "demo"), {"demo-1.0.dist-info/WHEEL": text}))
    assert said in facts


def test_what_unpacks_from_next_to_nothing_to_more_than_the_index_takes_is_a_bomb(tmp_path, refused):
    said = {"size": (64 << 20) + 1}
    path = craft_zip(tmp_path / "demo-1.0-py3-none-any.whl", Piece(central=said, local=said))
    wheel = make_wheel(tmp_path / "x", "demo")
    assert refused(replace(wheel, path=path))[0] == (
        f"it is a bomb: {path.stat().st_size} bytes that unpack to 67108865"
    )


def test_a_member_that_inflates_beyond_what_it_says_is_refused(tmp_path, refused):
    wheel = make_wheel(tmp_path, "demo", files={"demo/a.txt": "a" * 100_000})
    data = wheel.path.read_bytes()
    wheel.path.write_bytes(data.replace((100_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    assert refused(wheel) == ["'demo/a.txt' holds more than the 1000 bytes it says"]


@pytest.mark.parametrize(
    "line",
    [
        "from " + "." * 50_000,
        "from" + " " * 50_000,
        "from a import (" * 20_000,
        "import " + "tests." * 100_000,
        "from " + "tests." * 50_000 + "x import " + "tests, " * 50_000,
    ],
)
def test_source_that_is_made_to_be_slow_to_search_is_not(tmp_path, survey, line):
    start = time.monotonic()
    survey(make_wheel(tmp_path, "demo", files={"demo/a.py": f"{line}\ntests\n", "demo/tests/a.py": ""}))
    assert time.monotonic() - start < 5


def test_a_file_that_is_no_zip_is_refused(tmp_path, refused):
    wheel = make_wheel(tmp_path, "demo")
    wheel.path.write_bytes(b"not a zip")
    assert refused(wheel) == ["it has no end record of a zip: it is something else, or cut off"]

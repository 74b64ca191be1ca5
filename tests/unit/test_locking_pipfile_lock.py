import json

import pytest

from build.errors import InputError
from build.locking.locks import read_locks
from tests.builders import ARM, X86, function_spec, make_workspace, write_files

SHA = "sha256:" + "0" * 64
SOURCES = [
    {"name": "pypi", "url": "https://public.example.invalid/simple", "verify_ssl": True},
    {"name": "mine", "url": "https://mine.example.invalid/simple", "verify_ssl": True},
]


def lock(**default):
    develop = {"tests": {"hashes": [SHA], "version": "==1.0"}}
    return json.dumps({"_meta": {"sources": SOURCES}, "default": default, "develop": develop, "docs": develop})


def pinned(version="==1.0", **more):
    return {"hashes": [SHA], "version": version, **more}


def read(tmp_path, text, pipfile: str | None = "[packages]\n", target=X86):
    files = {"Pipfile.lock": text, **({} if pipfile is None else {"Pipfile": pipfile})}
    folder = write_files(tmp_path / "functions/orders", files)
    (read,) = read_locks(make_workspace(tmp_path, functions=(function_spec(folder, target=target),))).values()
    return read


def pins(lock, target=X86):
    return {pin.name: pin.version for pin in lock.selected(target)}


def refused(tmp_path, *arguments):
    with pytest.raises(InputError) as caught:
        read(tmp_path, *arguments)
    return caught.value.facts


def test_only_the_default_packages_ship_on_the_targets_where_their_markers_hold(tmp_path):
    text = lock(
        a=pinned(),
        w=pinned(markers="sys_platform == 'win32'"),
        m=pinned(markers="platform_machine == 'aarch64'"),
    )
    assert pins(read(tmp_path, text)) == {"a": "1.0"}
    assert pins(read(tmp_path, text, target=ARM), ARM) == {"a": "1.0", "m": "1.0"}


def test_a_marker_of_the_pipfile_counts_though_the_lock_lacks_it(tmp_path):
    """pipenv writes such a package as `{"version": "*"}`, without digests, when its own machine does not need it."""
    pipfile = "[packages]\npywin32 = {version = '*', sys_platform = \"== 'win32'\"}\n"
    assert pins(read(tmp_path, lock(pywin32={"version": "*"}), pipfile)) == {}


def test_a_lock_without_its_pipfile_is_enough(tmp_path):
    got = read(tmp_path, lock(a=pinned()), None)
    assert (pins(got), got.wanted) == ({"a": "1.0"}, None)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ('a = ">=2"', "expected a>=2, got a==1.0"),
        ('b = "*"', "expected b, got no pin for python3.13 on x86_64"),
        ('a = {version = "~=1.1", extras = ["x"]}', "expected a[x]~=1.1, got a==1.0"),
    ],
)
def test_a_wish_that_the_lock_does_not_meet_makes_it_stale(tmp_path, wish, said):
    assert refused(tmp_path, lock(a=pinned()), f"[packages]\n{wish}\n") == (f"functions/orders/Pipfile.lock: {said}",)


def test_wishes_for_development_are_not_asked_for(tmp_path):
    assert pins(read(tmp_path, lock(), '[dev-packages]\nmissing = "*"\n')) == {}


def test_places_and_indexes_are_understood(tmp_path):
    write_files(tmp_path / "libs/shared", {"setup.py": 'from setuptools import setup\nsetup(name="shared")\n'})
    text = lock(
        shared={"editable": True, "path": "../../libs/shared"},
        far={"file": "https://example.invalid/far-1.0.tar.gz", "hashes": [SHA]},
        mine=pinned(index="mine"),
    )
    by_name = {pin.name: pin for pin in read(tmp_path, text).pins}
    assert by_name["shared"].folder == tmp_path / "libs/shared"
    assert (by_name["far"].url, by_name["far"].version) == ("https://example.invalid/far-1.0.tar.gz", "1.0")
    assert by_name["mine"].options == ("--extra-index-url https://mine.example.invalid/simple",)


def test_what_cannot_be_shipped_is_told(tmp_path):
    git = {"git": "https://me:secret@example.invalid/g.git", "ref": "abc"}
    said = refused(tmp_path, lock(g=git, n={"version": "==1.0"}, s=pinned("*")))
    assert [fact.removeprefix("functions/orders/Pipfile.lock: ").split(",")[0] for fact in said] == [
        "g: expected files with a sha256",
        "n 1.0: expected the sha256 of its files",
        "s: expected one exact version",
    ]
    assert "secret" not in str(said)


@pytest.mark.parametrize("text", ["{", "[]", ""])
def test_a_torn_lock_is_told(tmp_path, text):
    assert "Pipfile.lock" in refused(tmp_path, text, '[packages]\na = "*"\n')[0]

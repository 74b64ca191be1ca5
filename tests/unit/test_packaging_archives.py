import os
import sys
import zipfile
from pathlib import Path

import pytest

from build.digest import Digest
from build.errors import InputError
from build.packaging.archives import write_archive
from build.packaging.trees import SourceFile, below, entry_of, merge, pack, read_source

TREE = merge(
    pack(
        [
            SourceFile("app.py", False, b"def handler(event, context):\n    return event\n" * 20),
            SourceFile("bin/run", True, b"#!/bin/sh\n"),
            SourceFile("data/ünïcode.txt", False, "grün".encode()),
            SourceFile("empty", False, b""),
        ],
        owner="functions/golden",
    )
)
GOLDEN = "sha256:86569bbd28d4357e23ca0d2aaf6100d53ea54bc3f58c829bd97ba7504b8ba1c2"


def test_python_reads_the_archive_back(tmp_path):
    digest, size = write_archive(TREE, tmp_path / "a.zip")
    assert (digest, size) == (Digest.of_file(tmp_path / "a.zip"), (tmp_path / "a.zip").stat().st_size)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["app.py", "bin/run", "data/ünïcode.txt", "empty"]
        assert archive.read("data/ünïcode.txt").decode() == "grün"
        modes = {info.filename: oct(info.external_attr >> 16) for info in archive.infolist()}
        assert modes["bin/run"] == "0o100755"
        assert modes["app.py"] == "0o100644"
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_bytes_of_one_fixed_tree_never_change(tmp_path):
    """If this fails on purpose, every artifact of every user is deployed anew: raise store.FORMAT, say why."""
    digest, _ = write_archive(TREE, tmp_path / "a.zip")
    assert str(digest) == GOLDEN


def make_source(root: Path, *, order: int) -> Path:
    names = ["b.py", "a.py", "sub/c.py"]
    for name in names[::order]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    return root


def test_folder_umask_times_and_order_leave_the_bytes_alone(tmp_path):
    one = make_source(tmp_path / "one", order=1)
    before = os.umask(0o077)
    try:
        two = make_source(tmp_path / "deep" / "er" / "two", order=-1)
    finally:
        os.umask(before)
    os.utime(two / "a.py", (10**9, 10**9))
    digests = {
        write_archive(pack(read_source(f, tmp_path), owner="x"), tmp_path / f"{i}.zip")[0]
        for i, f in enumerate((one, two))
    }
    assert len(digests) == 1


def test_what_never_ships_is_left_out(tmp_path):
    for name in ("app.py", "__pycache__/app.cpython-313.pyc", ".DS_Store", "old.pyc", "pkg/.git/config", "x.swp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".#app.py").symlink_to("someone@host.1:2")  # as Emacs marks a file that is being edited
    assert [file.path for file in read_source(tmp_path, tmp_path)] == ["app.py"]


def test_a_link_to_a_file_of_the_repository_is_that_file(tmp_path):
    src = make_source(tmp_path / "src", order=1)
    (tmp_path / "shared.py").write_text("# shared\n")
    (src / "linked.py").symlink_to("../shared.py")
    assert {file.path: file.data for file in read_source(src, tmp_path)}["linked.py"] == b"# shared\n"


def test_every_file_that_would_be_left_out_silently_is_named(tmp_path):
    root = tmp_path / "repository"
    src = make_source(root / "src", order=1)
    (tmp_path / "outside.py").write_text("")
    (src / "folder").symlink_to("sub")
    (src / "gone.py").symlink_to("nowhere.py")
    (src / "outside.py").symlink_to(tmp_path / "outside.py")
    (src / "sub/loop.py").symlink_to("loop.py")
    os.mkfifo(src / "pipe")
    try:
        Path(os.fsdecode(bytes(src / "na\udcefve.py"))).write_text("")
    except OSError:  # macOS has UTF-8 names only
        Path(src / "naïve.py").write_text("")
    with pytest.raises(InputError) as caught:
        read_source(src, root)
    told = [fact for fact in caught.value.facts if "UTF-8" not in fact]
    assert told == [
        "src/folder: a link to a folder, which a zip cannot hold",
        "src/gone.py: a link that leads nowhere",
        "src/outside.py: a link that leads out of the repository",
        "src/pipe: neither a file nor a folder",
        "src/sub/loop.py: a link that leads nowhere",
    ]
    if sys.platform == "linux":
        assert "src/na\\xefve.py: expected a name in UTF-8" in caught.value.facts


def test_a_missing_source_folder_is_empty(tmp_path):
    assert read_source(tmp_path / "none", tmp_path) == ()


def test_two_owners_of_one_path_with_other_bytes_are_refused_and_all_are_named():
    one = pack(
        [SourceFile("a.py", False, b"1"), SourceFile("b.py", False, b"1"), SourceFile("same.py", False, b"s")],
        owner="one",
    )
    two = pack(
        [SourceFile("a.py", False, b"2"), SourceFile("b.py", False, b"2"), SourceFile("same.py", False, b"s")],
        owner="two",
    )
    with pytest.raises(InputError) as caught:
        merge(one, two)
    assert [fact.split(":")[0] for fact in caught.value.facts] == ["a.py", "b.py"]
    assert "in one and, with other bytes, in two" in caught.value.facts[0]


def test_a_tree_moves_below_a_folder():
    moved = below("python", [entry_of("a/b.py", b"", executable=False, owner="x")])
    assert [entry.path for entry in moved] == ["python/a/b.py"]


def test_a_source_that_shrank_since_it_was_read_is_not_written_silently(tmp_path):
    """A wheel cut off behind our back must not give a short archive."""
    (tmp_path / "w").write_bytes(b"12345")
    (entry,) = pack([SourceFile("a", False, b"12345")], owner="x")
    from dataclasses import replace

    with pytest.raises(InputError, match="w is shorter"):
        write_archive((replace(entry, source=tmp_path / "w", offset=3),), tmp_path / "a.zip")

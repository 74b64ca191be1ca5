import hashlib
import os
import resource
import sys
import zipfile
from pathlib import Path

import pytest

from build.digest import Digest
from build.errors import InputError, ToolError
from build.packaging.sources import pack, read_source
from build.zips import archives
from build.zips.archives import names_in, read_back, write_archive
from build.zips.directory import read_directory
from build.zips.spill import Spill
from build.zips.trees import Ground, below, merge
from tests.builders import write_files

GOLDEN = "sha256:86569bbd28d4357e23ca0d2aaf6100d53ea54bc3f58c829bd97ba7504b8ba1c2"


def tree_of(folder: Path, files: dict[str, bytes], *, owner="functions/golden"):
    """Entries of real files, compressed into a spill beside ``folder``."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
        if name.startswith("bin/"):
            (folder / name).chmod(0o755)
    with Spill(folder.with_name(f"{folder.name}.spill")) as spill:
        return pack(read_source(folder, folder), spill, owner=owner)


def golden_tree(tmp_path):
    files = {
        "app.py": b"def handler(event, context):\n    return event\n" * 20,
        "bin/run": b"#!/bin/sh\n",
        "data/ünïcode.txt": "grün".encode(),
        "empty": b"",
    }
    return tree_of(tmp_path / "golden", files)


def test_python_reads_the_archive_back(tmp_path):
    written = write_archive(golden_tree(tmp_path), (), tmp_path / "a.zip")
    assert (written.digest, written.size_bytes) == (
        Digest.of_file(tmp_path / "a.zip"),
        (tmp_path / "a.zip").stat().st_size,
    )
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["app.py", "bin/run", "data/ünïcode.txt", "empty"]
        assert archive.read("data/ünïcode.txt").decode() == "grün"
        modes = {info.filename: oct(info.external_attr >> 16) for info in archive.infolist()}
        assert modes["bin/run"] == "0o100755"
        assert modes["app.py"] == "0o100644"
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_bytes_of_one_fixed_tree_never_change(tmp_path):
    """If this fails on purpose, every artifact of every user is deployed anew: raise bytecode.FORMAT, say why."""
    assert str(write_archive(golden_tree(tmp_path), (), tmp_path / "a.zip").digest) == GOLDEN


@pytest.mark.parametrize("kernel", [True, False])
def test_what_two_archives_begin_with_is_copied_and_the_bytes_are_the_same(tmp_path, kernel, monkeypatch):
    """With the kernel's copy and, as on systems without it, by hand."""
    if kernel and not hasattr(os, "copy_file_range"):
        pytest.skip("this system has no copy_file_range")
    if not kernel:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    first = tree_of(tmp_path / "deps", {f"lib/{i}.bin": os.urandom(300_000) for i in range(9)}, owner="lib")
    one, two = (tree_of(tmp_path / name, {"app.py": name.encode()}) for name in ("one", "two"))
    beginning = write_archive(first, one, tmp_path / "one.zip").beginning
    copied = write_archive(beginning, two, tmp_path / "copied.zip")
    write_archive(first, two, tmp_path / "two.zip")
    assert (tmp_path / "copied.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert copied.digest.hex == hashlib.sha256((tmp_path / "copied.zip").read_bytes()).hexdigest()
    with zipfile.ZipFile(tmp_path / "copied.zip") as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [*(f"lib/{i}.bin" for i in range(9)), "app.py"]


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
    digests = set()
    for number, folder in enumerate((one, two)):
        with Spill(tmp_path / "spill") as spill:
            tree = pack(read_source(folder, tmp_path), spill, owner="x")
        digests.add(write_archive(tree, (), tmp_path / f"{number}.zip").digest)
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
    by_path = {file.path: file.place for file in read_source(src, tmp_path)}
    assert by_path["linked.py"].read_bytes() == b"# shared\n"


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


def test_two_owners_of_one_path_with_other_bytes_are_refused_and_all_are_named(tmp_path):
    one = tree_of(tmp_path / "one", {"a.py": b"1", "b.py": b"1", "same.py": b"s"}, owner="one")
    two = tree_of(tmp_path / "two", {"a.py": b"2", "b.py": b"2", "same.py": b"s"}, owner="two")
    for join in (merge, lambda there, tree: Ground(there).behind(tree)):
        with pytest.raises(InputError) as caught:
            join(one, two)
        assert [fact.split(":")[0] for fact in caught.value.facts] == ["a.py", "b.py"]
        assert "in one and, with other bytes, in two" in caught.value.facts[0]


def test_a_file_where_another_owner_has_a_folder_is_refused(tmp_path):
    one = tree_of(tmp_path / "one", {"yaml": b"", "ok.py": b""}, owner="src")
    two = tree_of(tmp_path / "two", {"yaml/deep/x.py": b""}, owner="PyYAML")
    for join in (merge, lambda there, tree: Ground(there).behind(tree)):
        with pytest.raises(InputError) as caught:
            join(two, one)
        assert caught.value.facts == ("yaml: a file in src and a folder in PyYAML",)


def test_names_that_no_zip_reader_agrees_on_are_refused(tmp_path):
    for name in ("new\nline.py", "back\\slash.py"):
        (tmp_path / name).write_text("")
    with pytest.raises(InputError) as caught:
        read_source(tmp_path, tmp_path)
    assert len(caught.value.facts) == 2


def test_what_is_there_already_is_not_added_behind(tmp_path):
    one = tree_of(tmp_path / "one", {"same.py": b"s"})
    two = tree_of(tmp_path / "two", {"new.py": b"n", "same.py": b"s"})
    ground = Ground(one)
    assert [[entry.path for entry in ground.behind(tree)] for tree in (two, two)] == [["new.py"], ["new.py"]]


@pytest.mark.parametrize(
    ("there", "added"), [("same.py", "same.py"), ("some/a.py", "some"), ("some", "some/deep/a.py")]
)
def test_what_is_put_behind_must_not_claim_the_same_path(tmp_path, there, added):
    ground = Ground(tree_of(tmp_path / "one", {there: b"one", "other.py": b"o"}))
    with pytest.raises(InputError, match="two owners") as caught:
        ground.behind(tree_of(tmp_path / "two", {added: b"two", "new.py": b"n"}))
    assert len(caught.value.facts) == 1


def test_a_tree_moves_below_a_folder(tmp_path):
    moved = below("python", tree_of(tmp_path / "x", {"a/b.py": b""}))
    assert [entry.path for entry in moved] == ["python/a/b.py"]


def test_a_source_that_shrank_since_it_was_read_is_not_written_silently(tmp_path):
    """A wheel cut off behind our back must not give a short archive."""
    (tmp_path / "w").write_bytes(b"12345")
    (entry,) = tree_of(tmp_path / "x", {"a": b"12345"})
    with pytest.raises(InputError, match="w is shorter"):
        write_archive((entry._replace(source=tmp_path / "w", offset=3),), (), tmp_path / "a.zip")


@pytest.mark.parametrize("whole_bytes", [1000, 3])
def test_a_source_file_that_is_saved_while_it_is_packed_is_an_error(tmp_path, whole_bytes, monkeypatch):
    """Though its size and time are as they were."""
    monkeypatch.setattr("build.packaging.sources._WHOLE_BYTES", whole_bytes)
    app = write_files(tmp_path / "src", {"app.py": "x = 1\n"}) / "app.py"
    files, before = read_source(tmp_path / "src", tmp_path), app.stat()
    app.write_text("x = 2\n")
    os.utime(app, ns=(before.st_atime_ns, before.st_mtime_ns))
    with Spill(tmp_path / "spill") as spill, pytest.raises(ToolError, match="changed while it was being built"):
        pack(files, spill, owner="x")


def test_a_file_too_large_for_memory_is_stored_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr("build.packaging.sources._WHOLE_BYTES", 1000)
    data = b"model" * 1000
    tree = tree_of(tmp_path / "src", {"model.bin": data, "small.txt": b"s" * 900})
    write_archive(tree, (), tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert archive.read("model.bin") == data
        stored = {info.filename: info.compress_type == zipfile.ZIP_STORED for info in archive.infolist()}
    assert stored == {"model.bin": True, "small.txt": False}


def test_more_files_than_a_zip_can_count_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_ENTRIES", 1)
    one, two = (tree_of(tmp_path / name, {name: b""}) for name in ("one", "two"))
    with pytest.raises(InputError, match="too much for a zip"):
        write_archive(one, two, tmp_path / "a.zip")


def test_what_was_written_is_read_back_as_the_strict_reader_reads_it(tmp_path):
    tree = tree_of(tmp_path / "x", {"a.py": b"x = 1\n" * 50, "bin/run": b"#!", "grün/ü.txt": b"", "z": os.urandom(99)})
    write_archive(tree, tree_of(tmp_path / "own", {"app.py": b"pass\n"}), tmp_path / "a.zip")
    assert read_back(tmp_path / "a.zip") == read_directory(tmp_path / "a.zip")
    assert names_in(tmp_path / "a.zip") == [member.name for member in read_back(tmp_path / "a.zip")]
    write_archive((), (), tmp_path / "empty.zip")
    assert read_back(tmp_path / "empty.zip") == ()
    assert names_in(tmp_path / "empty.zip") == []


def test_names_are_read_also_where_a_number_looks_like_the_mark_between_them(tmp_path):
    (entry,) = tree_of(tmp_path / "x", {"a.bin": os.urandom(0x314)})
    crc32 = int.from_bytes(b"PK\x01\x02", "little")
    stored = entry._replace(method=0, crc32=crc32, compressed_bytes=0x314, offset=0)
    write_archive((stored, stored._replace(path="b.bin")), (), tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes().count(b"PK\x01\x02\x14\x03") > 2
    assert names_in(tmp_path / "a.zip") == ["a.bin", "b.bin"]


@pytest.mark.parametrize("harm", ["shorter", "another tool's", "no zip", "gone"])
def test_what_is_not_ours_is_not_read_back(tmp_path, harm):
    place = tmp_path / "a.zip"
    write_archive(tree_of(tmp_path / "x", {"a.py": b"x = 1\n", "b.py": b"y\n"}), (), place)
    match harm:
        case "shorter":
            place.write_bytes(place.read_bytes()[:-30])
        case "another tool's":
            with zipfile.ZipFile(place, "a", zipfile.ZIP_DEFLATED) as archive:
                archive.comment = b"hello"
        case "no zip":
            place.write_bytes(b"x" * 500)
        case _:
            place.unlink()
    with pytest.raises(InputError, match="no archive of Slipway's"):
        read_back(place)
    with pytest.raises(InputError, match="no archive of Slipway's"):
        names_in(place)


def test_more_bytes_than_a_zip_can_count_are_refused_before_any_is_written(tmp_path):
    (entry,) = tree_of(tmp_path / "x", {"model.bin": b"x"})
    for huge in (entry._replace(compressed_bytes=2**32), entry._replace(size_bytes=2**32)):
        with pytest.raises(InputError, match="too much for a zip"):
            write_archive((huge,), (), tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_few_files_are_open_at_once_however_many_distributions_there_are(tmp_path, monkeypatch):
    trees = [tree_of(tmp_path / f"d{i}", {f"p{j}/m{i}.py": b"x" * i for j in range(3)}) for i in range(60)]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 45, limit[1]))
    try:
        write_archive(merge(*trees), (), tmp_path / "a.zip")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 180


def test_a_beginning_that_got_shorter_is_told(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "copy_file_range", raising=False)
    first = tree_of(tmp_path / "deps", {"a.bin": os.urandom(9000)})
    beginning = write_archive(first, (), tmp_path / "one.zip").beginning
    (tmp_path / "one.zip").write_bytes(b"short")
    with pytest.raises(InputError, match=r"one.zip is shorter"):
        write_archive(beginning, (), tmp_path / "two.zip")

import gzip
import os
import stat
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from build.errors import FindingsError
from build.local import unpack
from build.local.roots import root_of
from tests.crafted_images import Crafted, hardlink, symlink, tar


@pytest.fixture
def unpacked(tmp_path):
    """Give a function that unpacks an image of these layers."""

    def make(*layers):
        crafted = Crafted(tmp_path / "blobs", *layers)
        return root_of(tmp_path / "generated", crafted.image, crafted.fetch)

    return make


def tree(root):
    """Return all files below ``root`` that the layers of a test put there, with what is in them."""
    added = {"etc/hosts", "etc/resolv.conf"}
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file() or path.is_symlink()}
    return {
        name: str(path.readlink()) if path.is_symlink() else path.read_text()
        for name, path in found.items()
        if name not in added
    }


def test_files_links_and_folders_are_unpacked(unpacked):
    root = unpacked(
        tar(
            ("./", None),
            ("bin/", None),
            ("bin/tool", "#!", {"mode": 0o755}),
            hardlink("bin/same", "bin/tool"),
            hardlink("bin/again", "/bin/tool"),
            symlink("sh", "bin/tool"),
            symlink("outside", "/etc/passwd"),
            ("no/parents/here", "x"),
        )
    )
    assert tree(root) == {
        "bin/tool": "#!",
        "bin/same": "#!",
        "bin/again": "#!",
        "sh": "bin/tool",
        "outside": "/etc/passwd",
        "no/parents/here": "x",
    }
    assert (root / "bin/tool").samefile(root / "bin/same")


def test_what_a_sandbox_needs_is_there(unpacked):
    root = unpacked(tar(("a", "x"), ("etc/", None), symlink("etc/resolv.conf", "../run/resolv.conf")))
    assert all((root / name).is_dir() for name in ("dev", "etc", "proc", "tmp"))
    assert not (root / "etc/resolv.conf").is_symlink()
    assert (root / "etc/hosts").read_text() == "127.0.0.1 localhost\n"


def test_its_own_hosts_stay(unpacked):
    assert (unpacked(tar(("etc/hosts", "10.0.0.1 db\n"))) / "etc/hosts").read_text() == "10.0.0.1 db\n"


def test_a_file_is_ours_to_read_and_run_if_it_is_everybodys(unpacked):
    root = unpacked(
        tar(
            ("all", "x", {"mode": 0o644}),
            ("run", "x", {"mode": 0o4755}),
            ("own", "x", {"mode": 0o640}),
        )
    )
    assert [stat.S_IMODE((root / name).stat().st_mode) for name in ("all", "run", "own")] == [0o444, 0o555, 0]


def test_dates_are_kept_for_bytecode_asks_for_them(unpacked):
    root = unpacked(
        tar(("a.py", "x", {"mtime": 1_700_000_000}), ("old", "x", {"mtime": -5}), ("b", "", {"mtime": 2**40}))
    )
    assert (root / "a.py").stat().st_mtime == 1_700_000_000
    assert (root / "old").stat().st_mtime == 0


def test_the_later_layer_wins(unpacked):
    low = tar(("a", "low"), ("b", "low"), ("was-folder/x", "low"), ("was-file", "low"), symlink("was-link", "/etc"))
    high = tar(("a", "high"), ("was-folder", "high"), ("was-file/x", "high"), ("was-link/x", "high"))
    assert tree(unpacked(low, high)) == {
        "a": "high",
        "b": "low",
        "was-folder": "high",
        "was-file/x": "high",
        "was-link/x": "high",
    }


def test_what_a_layer_takes_away_is_gone_and_may_come_again(unpacked):
    low = tar(("keep", "x"), ("gone", "x"), ("folder/one", "x"), ("folder/two", "x"), symlink("link", "/etc"))
    high = tar(("folder/.wh.one", ""), (".wh.gone", ""), (".wh.link", ""), (".wh.never-there", ""))
    assert tree(unpacked(low, high)) == {"keep": "x", "folder/two": "x"}
    assert tree(unpacked(low, high, tar(("gone", "again")))) == {"keep": "x", "folder/two": "x", "gone": "again"}


def test_an_opaque_folder_keeps_nothing_of_the_layers_below_and_all_of_its_own(unpacked):
    low = tar(("folder/low", "x"), ("folder/deep/low", "x"), ("beside", "x"))
    high = tar(("folder/high", "x"), ("folder/.wh..wh..opq", ""))
    assert tree(unpacked(low, high)) == {"folder/high": "x", "beside": "x"}


def test_a_layer_is_unpacked_once_whatever_images_hold_it(tmp_path):
    low, high, other = tar(("data", "x" * 1000)), tar(("app.py", "1")), tar(("app.py", "2"))
    first, second = (Crafted(tmp_path / "blobs", low, each) for each in (high, other))
    one = root_of(tmp_path, first.image, first.fetch)
    two = root_of(tmp_path, second.image, second.fetch)
    assert [len(first.asked), len(second.asked)] == [2, 1]
    assert (one / "data").samefile(two / "data")
    assert ((one / "app.py").read_text(), (two / "app.py").read_text()) == ("1", "2")
    first.asked.clear()
    assert root_of(tmp_path, first.image, first.fetch) == one
    assert first.asked == []


def test_many_at_once_end_well(tmp_path):
    crafted = Crafted(tmp_path / "blobs", tar(*((f"folder/{n}", str(n)) for n in range(100))))
    with ThreadPoolExecutor(4) as pool:
        roots = set(pool.map(lambda _: root_of(tmp_path, crafted.image, crafted.fetch), range(4)))
    assert len(roots) == 1
    assert len(tree(roots.pop())) == 100
    assert list((tmp_path / "local").glob("*/*.part*")) == []


def test_several_gzip_members_and_no_compression_are_read(tmp_path):
    whole = tar(("a", "x" * 5000), ("b", "y"))
    for name, data in (("several", gzip.compress(whole[:700]) + gzip.compress(whole[700:])), ("plain", whole)):
        crafted = Crafted(tmp_path / name, whole)
        (blob,) = crafted.image.layers
        (tmp_path / name / blob.digest.hex).write_bytes(data)
        assert set(tree(root_of(tmp_path / f"{name}-root", crafted.image, crafted.fetch))) == {"a", "b"}


@pytest.mark.parametrize(
    "members",
    [
        [("../escaped", "x")],
        [("a/../../escaped", "x")],
        [("..", None)],
        [symlink("out", ".."), ("out/escaped", "x")],
        [symlink("out", "/"), ("out/", None)],
        [("out/", None), symlink("out", ".."), ("out/escaped", "x")],
        [("a/", None), ("a/b", "x"), symlink("a", "..")],
        [("file", "x"), ("file/escaped", "x")],
        [hardlink("own", "../../victim")],
        [hardlink("own", "/nowhere")],
        [symlink("out", "../.."), hardlink("own", "out/victim")],
        [("folder/", None), hardlink("own", "folder")],
        [("folder/.wh...", "")],
        [("folder/.wh..", "")],
        [("folder/.wh.", "")],
        [(".wh.../a", "")],
        [("/".join("d" * 300), "x")],
    ],
    ids=lambda members: " ".join(member[0][:20] for member in members),
)
def test_nothing_lands_elsewhere(tmp_path, members):
    (tmp_path / "victim").write_text("untouched")
    crafted = Crafted(tmp_path / "blobs", tar(("good", "x"), *members))
    with pytest.raises(FindingsError) as caught:
        root_of(tmp_path / "generated", crafted.image, crafted.fetch)
    assert set(caught.value.facts) <= {repr(member[0].rstrip("/")) for member in members}
    assert (tmp_path / "victim").read_text() == "untouched"
    assert (tmp_path / "victim").stat().st_nlink == 1
    assert list(tmp_path.rglob("escaped")) == []
    assert [path for path in (tmp_path / "generated/local").rglob("*") if path.is_file()] == []


def test_all_that_lead_out_are_named_at_once(tmp_path):
    crafted = Crafted(tmp_path / "blobs", tar(("../one", "x"), ("fine", "x"), ("../two", "x")))
    with pytest.raises(FindingsError) as caught:
        root_of(tmp_path / "generated", crafted.image, crafted.fetch)
    assert caught.value.facts == ("'../one'", "'../two'")


def test_an_absolute_path_begins_at_the_root_of_the_image(unpacked):
    assert tree(unpacked(tar(("/etc/slipway-test", "x")))) == {"etc/slipway-test": "x"}


def test_devices_are_left_out(unpacked):
    root = unpacked(tar(("dev/null", "", {"type": tarfile.CHRTYPE}), ("pipe", "", {"type": tarfile.FIFOTYPE})))
    assert tree(root) == {}
    assert not (root / "pipe").exists()


@pytest.mark.parametrize(
    "data",
    [b"\x28\xb5\x2f\xfd zstd", b"no tar at all", gzip.compress(tar(("a", "x")))[:-20]],
    ids=["zstd", "text", "cut off"],
)
def test_what_is_no_tar_is_told(tmp_path, data):
    crafted = Crafted(tmp_path / "blobs", tar(("a", "x")))
    (blob,) = crafted.image.layers
    (tmp_path / "blobs" / blob.digest.hex).write_bytes(data)
    with pytest.raises(FindingsError, match="no tar"):
        root_of(tmp_path / "generated", crafted.image, crafted.fetch)


def test_what_was_not_used_for_a_week_goes(tmp_path):
    crafted = Crafted(tmp_path / "blobs", tar(("a", "x")))
    root = root_of(tmp_path, crafted.image, crafted.fetch)
    unpack.prune(tmp_path)
    assert root.is_dir()
    for kind in ("roots", "image-layers"):
        for folder in (tmp_path / "local" / kind).iterdir():
            os.utime(folder, (0, time.time() - unpack.KEPT_S - 60))
    unpack.prune(tmp_path)
    assert [path.name for path in (tmp_path / "local").glob("*/*")] == []

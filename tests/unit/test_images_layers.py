"""Layers as one gzip member, spliced from the deflate streams that there are already."""

import gzip
import hashlib
import io
import random
import subprocess
import tarfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.errors import InputError
from build.images.layers import _coded, write_layer
from build.images.seams import Inflater
from build.images.tar import MTIME_S
from build.zips.spill import Spill
from build.zips.trees import DEFLATED, STORED, Entry
from tests.builders import make_wheel

GOLDEN = "sha256:f5429ddf8e175b240949d86c82428a52ae9f64e2017bb5e238cdd96d4773ba1b"
LONG = "package/" + "/".join(["deep" * 9] * 8) + "/module.py"
"""More than a ustar header has room for."""


def packed(data: bytes, *, level: int = 6, strategy: int = 0, memory: int = 8) -> bytes:
    deflater = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, memory, strategy)
    return deflater.compress(data) + deflater.flush()


def entries(folder: Path, streams: dict[str, tuple[int, bytes, bytes]]) -> tuple[Entry, ...]:
    """Entries of (method, compressed bytes, content) by path, in a file of their own."""
    source, made = folder / "source", []
    with source.open("wb") as stream:
        for path, (method, compressed, data) in sorted(streams.items()):
            place = path, path.startswith("bin/"), method, zlib.crc32(data), len(compressed), len(data)
            made.append(Entry(*place, source, stream.tell(), "tests"))
            stream.write(compressed)
    return tuple(made)


def spilled(folder: Path, files: dict[str, bytes]) -> tuple[Entry, ...]:
    with Spill(folder / "spill") as spill:
        return tuple(
            spill.add(path, data, executable=path.startswith("bin/"), owner="tests")
            for path, data in sorted(files.items())
        )


def content(path: Path) -> dict[str, bytes | None]:
    """What is in a layer by path; None for a folder. It is one gzip member, and nothing is behind it."""
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    tar = inflater.decompress(path.read_bytes())
    assert inflater.eof
    assert not inflater.unused_data
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        return {each.name: file.read() if (file := archive.extractfile(each)) else None for each in archive}


FILES = {
    "app.py": b"def handler(event, context):\n    return event\n" * 20,
    "bin/run": b"#!/bin/sh\n",
    "data/\u00fcn\u00efcode.txt": "gr\u00fcn".encode(),
    "empty": b"",
    LONG: b"x = 1\n",
    "random.bin": random.Random(1).randbytes(70_000),
}


def test_a_layer_holds_the_tree_with_every_folder_before_what_is_in_it(tmp_path):
    layer = write_layer(spilled(tmp_path, FILES), "var/task", tmp_path / "layer")
    found = content(tmp_path / "layer")
    assert {path.removeprefix("var/task/"): data for path, data in found.items() if data is not None} == FILES
    seen: set[str] = {""}
    for path, data in found.items():
        assert path.rpartition("/")[0] in seen
        if data is None:
            seen.add(path)
    assert {"var", "var/task", "var/task/bin"} <= seen
    data = (tmp_path / "layer").read_bytes()
    tar = gzip.decompress(data)
    assert layer.digest.hex == hashlib.sha256(data).hexdigest()
    assert layer.diff_id.hex == hashlib.sha256(tar).hexdigest()
    assert (layer.size_bytes, layer.unpacked_bytes) == (len(data), len(tar))


def test_files_are_readable_by_all_and_belong_to_root(tmp_path):
    write_layer(spilled(tmp_path, FILES), "var/task", tmp_path / "layer")
    with tarfile.open(tmp_path / "layer") as archive:
        for each in archive:
            assert (each.uid, each.gid, each.uname, each.gname, each.mtime) == (0, 0, "", "", MTIME_S)
            assert each.mode == (0o755 if each.isdir() or "/bin/" in each.name else 0o644)


def test_other_programs_read_it_as_well(tmp_path):
    write_layer(spilled(tmp_path, FILES), "var/task", tmp_path / "layer")
    subprocess.run(["gzip", "-t"], input=(tmp_path / "layer").read_bytes(), check=True)
    (tmp_path / "root").mkdir()
    subprocess.run(["tar", "-xzf", tmp_path / "layer", "-C", tmp_path / "root", "--no-same-owner"], check=True)
    for path, data in FILES.items():
        assert (tmp_path / "root/var/task" / path).read_bytes() == data


def test_the_bytes_of_one_fixed_tree_never_change(tmp_path):
    assert str(write_layer(spilled(tmp_path, FILES), "var/task", tmp_path / "layer").digest) == GOLDEN


def test_a_layer_of_nothing_is_a_tar_of_nothing(tmp_path):
    write_layer((), "var/task", tmp_path / "layer")
    assert content(tmp_path / "layer") == {}


LETTERS = st.integers(0, 1 << 16).map(lambda seed: random.Random(seed).choices(b"abcdefgh\0\xff", k=seed * 3))
STREAM = st.builds(
    lambda data, level, strategy, memory: (DEFLATED, packed(data, level=level, strategy=strategy, memory=memory), data),
    st.binary(max_size=600) | LETTERS.map(bytes),
    st.integers(0, 9),
    st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]),
    st.integers(1, 9),
)


@given(st.lists(STREAM | st.binary(max_size=300).map(lambda data: (STORED, data, data)), max_size=6))
def test_any_deflate_stream_can_be_spliced(tmp_path_factory, streams):
    folder = tmp_path_factory.mktemp("layer")
    named = {f"{number}.bin": stream for number, stream in enumerate(streams)}
    write_layer(entries(folder, named), "opt", folder / "layer")
    found = content(folder / "layer")
    assert {path: data for path, data in found.items() if data is not None} == {
        f"opt/{path}": data for path, (_, _, data) in named.items()
    }


def test_a_stream_of_another_compressor_with_many_blocks_is_spliced(tmp_path):
    """Sync flushes leave blocks that are empty and stored, full ones forget what was before."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    lines = [f"line {number}\n".encode() for number in range(3000)]
    flushes = (zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH)
    parts = [deflater.compress(line) + deflater.flush(flushes[at % 3]) for at, line in enumerate(lines)]
    stream = b"".join([*parts, deflater.flush()])
    whole = b"".join(lines)
    write_layer(
        entries(tmp_path, {"a": (DEFLATED, stream, whole), "b": (STORED, b"b", b"b")}), "opt", tmp_path / "layer"
    )
    assert content(tmp_path / "layer") == {"opt": None, "opt/a": whole, "opt/b": b"b"}


def test_headers_are_coded_so_that_any_inflater_reads_them():
    for length in (1, 3, 4, 5, 11, 100, 257, 258, 259, 260, 261, 262, 511, 512, 513, 516, 517, 1024):
        data = bytes(range(1, 256)) + bytes(length) + b"end"
        bits = _coded(data)
        stream = int(bits[::-1] or "0", 2).to_bytes((len(bits) + 7) // 8, "little")
        assert zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream) == data, length


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (packed(b"content")[:-1], "no whole deflate stream"),
        (packed(b"content") + b"more", "4 bytes behind the end"),
        (b"\x07nonsense", "no whole deflate stream"),
        (b"", "no whole deflate stream"),
    ],
)
def test_what_is_no_deflate_stream_is_refused(stream, said):
    with pytest.raises(ValueError, match=said):
        Inflater().inflate(stream, lambda _: None)


def test_a_wheel_with_other_content_than_its_directory_says_makes_no_layer(tmp_path):
    (entry,) = entries(tmp_path, {"a.py": (DEFLATED, packed(b"b = 1\n"), b"a = 1\n")})
    with pytest.raises(InputError) as raised:
        write_layer((entry,), "opt", tmp_path / "layer")
    assert raised.value.facts[0].startswith("opt/a.py: expected 6 bytes of CRC")


def test_the_streams_of_a_wheel_enter_as_they_are(tmp_path):
    data = random.Random(2).randbytes(200_000).hex().encode()
    wheel = make_wheel(tmp_path, "heavy", files={"heavy.py": data})
    archive = wheel.path.read_bytes()
    at = archive.index(b"heavy.py") + len(b"heavy.py")
    middle = archive[at + 50_000 : at + 51_000]
    from build.packaging.ingredients import entries_of
    from build.zips.directory import read_directory

    write_layer(entries_of(read_directory(wheel.path), wheel.path, "heavy"), "var/task", tmp_path / "layer")
    assert middle in (tmp_path / "layer").read_bytes()

"""Feed mutated wheels to the reader, and hold what it accepts against two other readers.

    python tests/fuzz/fuzz_zips.py [SEED [SECONDS]]

A wheel is either refused with InputError or read exactly as `zipfile` reads it and as a tool would that goes
through the file from its first byte. Anything else, or a wheel that takes long, is kept in a file and ends the run.
"""

import io
import random
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from build.errors import InputError
from build.wheels.surveying import survey
from build.wheels.surveys import Survey, installed_path
from build.zips.directory import read_directory
from tests.builders import make_wheel
from tests.crafted import Piece, craft_zip

SLOWEST_S = 10.0
"""For wheels of some kilobytes, on a machine that is busy with other things."""
NAME = "demo-1.0-py3-none-any.whl"
MARKS = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"PK\7\10")
NUMBERS = (0, 1, 2, 7, 8, 9, 0x0800, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
NAMES = (b"../evil.py", b"/etc/passwd", b"demo\\a.py", b"DEMO/a.py", b"demo/a.py", b"demo/", b"\xff\xfe", b"")

Members = dict[str, tuple[int, int]]
"""Name to CRC and size."""


def seeds(folder: Path) -> list[bytes]:
    """Return wheels as tools make them, and archives with all that a tool might."""
    files = {"demo/a.py": "x = 1\n" * 50, "demo/empty.py": "", "demo-1.0.data/purelib/b.py": "", "größe/c.py": "c"}
    wheel = make_wheel(folder, "demo", files=files).path
    stored, piped = folder / "stored.zip", folder / "piped.zip"
    with zipfile.ZipFile(wheel) as archive, zipfile.ZipFile(stored, "w") as other:
        for info in archive.infolist():
            other.writestr(info.filename, archive.read(info))
    with (
        zipfile.ZipFile(wheel) as archive,
        piped.open("wb") as stream,
        zipfile.ZipFile(_Pipe(stream), "w", zipfile.ZIP_DEFLATED) as other,
    ):
        for number, info in enumerate(archive.infolist()):
            with other.open(info.filename, "w", force_zip64=bool(number % 2)) as member:
                member.write(archive.read(info))
    wide = craft_zip(folder / "wide.zip", Piece(), Piece(name="demo/b.py", method=0), comment=b"a comment", end64={})
    return [path.read_bytes() for path in (wheel, stored, piped, wide)]


def mutated(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """Return ``data`` with one to three changes."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        data = chance.choice(_MUTATIONS)(data, others, chance)
    return data


def check(path: Path, scratch: Path) -> bool:
    """Tell whether the wheel at ``path`` is accepted; raise AssertionError if others read it differently."""
    try:
        directory: Members | None = {m.name: (m.crc32, m.size_bytes) for m in read_directory(path)}
    except InputError:
        directory = None
    said: Survey | None = None
    with suppress(InputError):
        said = survey(path, scratch)
    if directory is None:
        assert said is None, "the survey took what the directory's reader refused"
        return False
    assert directory == _as_zipfile_lists(path), "zipfile lists something else"
    if said is None:
        return False
    read = _as_zipfile_reads(path)
    assert directory == read, "zipfile reads something else"
    assert directory == dict(_from_the_front(path.read_bytes())), "from the front one reads something else"
    places = {installed_path(name) or "": facts for name, facts in read.items()}
    assert all(places[m.name] == (m.crc32, m.size_bytes) for m in said.members), "the survey says something else"
    return True


def run(seed: int, seconds: float, most: int = sys.maxsize) -> dict[bool, int]:
    """Check mutated wheels for ``seconds``, or ``most`` of them; return how many were accepted and refused."""
    chance, counts, end = random.Random(seed), {True: 0, False: 0}, time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corpus = seeds(folder)
        path = folder / NAME
        while time.monotonic() < end and sum(counts.values()) < most:
            path.write_bytes(mutated(chance.choice(corpus), corpus, chance))
            start = time.monotonic()
            try:
                accepted = check(path, folder)
                assert time.monotonic() - start < SLOWEST_S, "it takes too long"
            except Exception:
                kept = Path(tempfile.gettempdir(), f"fuzz-zips-{seed}-{sum(counts.values())}.whl")
                kept.write_bytes(path.read_bytes())
                sys.stderr.write(f"seed {seed}: see {kept}\n")
                raise
            counts[accepted] += 1
    return counts


class _Pipe(io.RawIOBase):
    """A file that cannot be sought: zipfile then writes data descriptors."""

    def __init__(self, stream: io.BufferedWriter) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        return self._stream.write(data)


def _flip(data: bytes, _: list[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(data) or 1)
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def _cut(data: bytes, _: list[bytes], chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.choice((1, 4, 30, 46, len(data))) :]


def _insert(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    at, other = chance.randrange(len(data) + 1), chance.choice(others)
    start = chance.randrange(len(other))
    piece = chance.choice((b"\0", b"!" * 20, other, other[start : start + chance.randrange(200)]))
    return data[:at] + piece + data[at:]


def _join(data: bytes, others: list[bytes], chance: random.Random) -> bytes:
    other = chance.choice(others)
    return chance.choice((data + other, other + data))


def _at_a_record(data: bytes, chance: random.Random) -> int:
    mark = chance.choice(MARKS)
    places = [at for at in range(len(data)) if data.startswith(mark, at)]
    return chance.choice(places or [0])


def _field(data: bytes, _: list[bytes], chance: random.Random) -> bytes:
    """Put a number that means something into a record."""
    at = _at_a_record(data, chance) + chance.randrange(4, 56)
    form = chance.choice("<H <L <Q".split())
    number = chance.choice((*NUMBERS, len(data), chance.randrange(1 << 16)))
    value = struct.pack(form, number & ((1 << 8 * struct.calcsize(form)) - 1))
    return data[:at] + value + data[at + len(value) :]


def _both(data: bytes, _: list[bytes], chance: random.Random) -> bytes:
    """Tell the same lie in a member's own header and in the directory."""
    lines = [at for at in range(len(data) - 46) if data.startswith(b"PK\1\2", at)]
    if not lines:
        return data
    line = chance.choice(lines)
    (own,) = struct.unpack_from("<L", data, line + 42)
    start, length = chance.choice(((4, 2), (6, 2), (10, 4), (14, 4), (18, 4), (26, 2)))
    value = chance.choice(NUMBERS).to_bytes(8, "little")[:length]
    for at in (line + 6 + start, own + 4 + start):
        data = data[:at] + value + data[at + length :]
    return data


def _rename(data: bytes, _: list[bytes], chance: random.Random) -> bytes:
    """Give a member another name of the same length, in one place or in both."""
    at = data.find(b"demo/a.py", chance.randrange(len(data) + 1))
    name = chance.choice(NAMES)[:9].ljust(9, b"_")
    return data.replace(b"demo/a.py", name) if at < 0 else data[:at] + name + data[at + 9 :]


def _repeat(data: bytes, _: list[bytes], chance: random.Random) -> bytes:
    start = _at_a_record(data, chance)
    end = start + chance.randrange(1, 200)
    return data[:end] + data[start:end] + data[end:]


def _reframe(data: bytes, _: list[bytes], __: random.Random) -> bytes:
    """Mend the end record, so that what was changed before it is reached."""
    start, at = data.find(b"PK\1\2"), data.rfind(b"PK\5\6")
    if min(start, at) < 0:
        return data
    count = data.count(b"PK\1\2", start, at) & 0xFFFF
    return data[:at] + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, max(0, at - start), start, 0)


_MUTATIONS: tuple[Callable[[bytes, list[bytes], random.Random], bytes], ...] = (
    *(_flip, _flip, _cut, _insert, _join),
    *(_field, _field, _field, _both, _both, _rename, _repeat, _reframe),
)


def _as_zipfile_lists(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {info.filename: (info.CRC, info.file_size) for info in archive.infolist() if not info.is_dir()}


def _as_zipfile_reads(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        content = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    return {name: (zlib.crc32(data), len(data)) for name, data in content.items()}


def _from_the_front(data: bytes) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield what a tool finds that goes from header to header, as one does that unpacks while it downloads."""
    at = 0
    while data.startswith(b"PK\3\4", at):
        flags, method, crc32, packed, size, name_bytes, extra_bytes = struct.unpack_from("<6x2H4x3L2H", data, at)
        name = data[at + 30 : at + 30 + name_bytes]
        extra = data[at + 30 + name_bytes : at + 30 + name_bytes + extra_bytes]
        at += 30 + name_bytes + extra_bytes
        wide = 0xFFFFFFFF in (packed, size)
        if wide:
            size, packed = struct.unpack_from("<2Q", extra, extra.index(b"\1\0\x10\0") + 4)
        if flags & 8 and method == 8:
            inflater = zlib.decompressobj(-15)
            content = inflater.decompress(data[at:])
            at = len(data) - len(inflater.unused_data)
            at += 4 * data.startswith(b"PK\7\10", at) + (20 if wide else 12)
        else:
            content = data[at : at + packed] if method == 0 else zlib.decompress(data[at : at + packed], -15)
            at += packed + (12 if flags & 8 else 0)
            assert (zlib.crc32(content), len(content)) == (crc32, size) or flags & 8
        if not name.endswith(b"/"):
            yield name.decode(), (zlib.crc32(content), len(content))
    assert data.startswith((b"PK\1\2", b"PK\5\6", b"PK\6\6"), at), f"nothing known at {at}"


if __name__ == "__main__":
    arguments = [*sys.argv[1:], *("0", "30")[len(sys.argv) - 1 :]]
    outcome = run(int(arguments[0]), float(arguments[1]))
    sys.stdout.write(f"{outcome[True]} accepted, {outcome[False]} refused\n")

"""Deterministic zips: the same trees give the same bytes on every machine.

Compressed bytes are copied as they are, from wheels as from bytecode, under headers of our own:
sorted, dated 1980-01-01 (zip has no earlier day, and no clock may enter the digest), mode 0644 or
0755, no extra fields, no data descriptors. Format: PKWARE APPNOTE 6.3, sections 4.3.7 to 4.3.16.

What several archives begin with is read and hashed once: the next one copies it inside the kernel,
and goes on from the digest as it was there.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from struct import Struct, error
from typing import Any, BinaryIO, Self

from build.digest import Digest
from build.errors import InputError
from build.zips.directory import Member
from build.zips.trees import Tree

_SHARED = Struct("<5H3L2H")
"""What a member's own header and its line of the central directory both say."""
_PLACE = Struct("<3H2L")
_END, _END_MARK = Struct("<4s4H2LH"), b"PK\x05\x06"
_MIDNIGHT, _FIRST_OF_1980 = 0, 0x21
_VERSION = 20
_HEADER = b"PK\x03\x04"
_LINE = b"PK\x01\x02" + bytes((_VERSION, 3))
"""Made by Unix: so that the modes count."""
_LINE_BYTES = len(_LINE) + _SHARED.size + _PLACE.size
_LENGTH_AT = len(_LINE) + _SHARED.size - 4
"""In a line: how long its name is."""
_NAME_AT = _SHARED.size + _PLACE.size
"""In a line without its mark."""
_FILE, _EXECUTABLE = 0o100644 << 16, 0o100755 << 16
_UTF8_NAME = 0x800
_MOST_ENTRIES, _MOST_BYTES = 0xFFFE, 0xFFFFFFFE
"""More would need zip64, and nothing near either fits Lambda's 250 MB."""
_ABOUT_BYTES = 2_200
"""More than the two headers of a member have, with a name as long as the reader takes."""
_MOST_OPEN = 32
"""Sources of one archive that are open at once: macOS gives a process 256 files."""
_BUFFER_BYTES = 1 << 20
"""More than the longest header, which has 65,581 bytes."""
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What an archive begins with, for others that begin alike."""

    path: Path
    size_bytes: int
    sha256: Any
    """hashlib's state behind these bytes."""
    central: bytes
    """Their lines of the central directory."""
    members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """An archive on disk."""

    digest: Digest
    size_bytes: int
    beginning: Beginning


def write_archive(first: Tree | Beginning, rest: Tree, path: Path) -> Written:
    """Write a zip of ``first`` and then ``rest`` to ``path``; the `Beginning` of another archive is copied.

    Needs a few MB of memory, however large the trees: bytes pass in pieces, and while one is hashed
    the next is read and written. Raises InputError for what is too much for a zip, in files or in bytes.
    """
    _refuse_too_much(first, rest, path)
    with path.open("wb", buffering=0) as stream, ThreadPoolExecutor(1) as hasher, _Writer(stream, hasher) as writer:
        if isinstance(first, Beginning):
            writer.copy(first)
        else:
            writer.add(first)
        beginning = writer.mark(path)
        writer.add(rest)
        return Written(digest=writer.end(), size_bytes=writer.position, beginning=beginning)


def read_back(path: Path, wanted: Callable[[str], object] = bool) -> tuple[Member, ...]:
    """Return the members of an archive that `write_archive` wrote, in its order, believing its directory.

    Only those whose name is ``wanted``. `directory.read_directory`, which is for what others wrote, compares every
    header with it; this one raises InputError only where the directory is not ours at all.
    """
    try:
        return tuple(_member(line, name) for line in _lines(path) if wanted(name := line[_NAME_AT:].decode()))
    except (error, ValueError):
        raise _not_ours(path) from None


def names_in(path: Path) -> list[str]:
    """Return the names of the members as `read_back` does, in a fifth of its time."""
    try:
        return [line[_NAME_AT:].decode() for line in _lines(path)]
    except UnicodeDecodeError:
        raise _not_ours(path) from None


def _member(line: bytes, name: str) -> Member:
    _, _, method, _, _, crc32, compressed_bytes, unzipped, length, extra = _SHARED.unpack_from(line)
    _, _, _, mode, header = _PLACE.unpack_from(line, _SHARED.size)
    if extra or length != len(line) - _NAME_AT:
        raise ValueError(name)
    offset = header + len(_HEADER) + _SHARED.size + length
    return Member(name, mode == _EXECUTABLE, method, crc32, compressed_bytes, unzipped, offset)


def _lines(path: Path) -> list[bytes]:
    """Return the lines of the central directory, each without its mark."""
    try:
        with path.open("rb") as stream:
            stream.seek(-_END.size, os.SEEK_END)
            mark, _, _, _, count, size_bytes, start, _ = _END.unpack(stream.read(_END.size))
            stream.seek(start)
            directory = stream.read(size_bytes)
    except (OSError, error):
        raise _not_ours(path) from None
    lines = directory.split(_LINE)[1:]
    if len(lines) != count:  # a number in one looks like the mark: cut by the lengths of names
        lines, at = [], 0
        for _ in range(count):
            end = at + _LINE_BYTES + int.from_bytes(directory[at + _LENGTH_AT : at + _LENGTH_AT + 2], "little")
            lines.append(directory[at + len(_LINE) : end])
            at = end
    if mark != _END_MARK or sum(map(len, lines)) + count * len(_LINE) != size_bytes:
        raise _not_ours(path)
    return lines


def _not_ours(path: Path) -> InputError:
    return InputError(f"{path} is no archive of Slipway's", hint="run `invoke store.verify`")


def _refuse_too_much(first: Tree | Beginning, rest: Tree, path: Path) -> None:
    trees = (rest,) if isinstance(first, Beginning) else (first, rest)
    count = (first.members if isinstance(first, Beginning) else 0) + sum(map(len, trees))
    size_bytes = (first.size_bytes if isinstance(first, Beginning) else 0) + sum(
        entry.compressed_bytes + _ABOUT_BYTES for tree in trees for entry in tree
    )
    largest = max((entry.size_bytes for tree in trees for entry in tree), default=0)
    if count > _MOST_ENTRIES or max(size_bytes, largest) > _MOST_BYTES:
        raise InputError(
            f"{path.name}: too much for a zip",
            facts=[
                f"expected at most {_MOST_ENTRIES:,} files, got {count:,}",
                f"expected at most {_MOST_BYTES:,} bytes, got about {max(size_bytes, largest):,}",
            ],
            hint="take out large distributions or files, then run `invoke build`",
        )


class _Writer:
    """Gathers members in two buffers by turns: while one is hashed, the other is read into and written."""

    def __init__(self, stream: BinaryIO, hasher: ThreadPoolExecutor) -> None:
        self._stream = stream
        self._hasher = hasher
        self._descriptors: dict[Path, int] = {}
        self._sha256 = hashlib.sha256()
        self._hashing: Future[None] | None = None
        self._buffer, self._other = (memoryview(bytearray(_BUFFER_BYTES)) for _ in range(2))
        self._filled = 0
        self._flushed = 0
        self._central = bytearray()
        self._members = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)

    @property
    def position(self) -> int:
        """Bytes written, or waiting to be."""
        return self._flushed + self._filled

    def copy(self, beginning: Beginning) -> None:
        """Begin as another archive does."""
        with beginning.path.open("rb") as source:
            _copy(source, self._stream, beginning.size_bytes)
        self._sha256 = beginning.sha256.copy()
        self._central, self._members = bytearray(beginning.central), beginning.members
        self._flushed = beginning.size_bytes

    def add(self, tree: Tree) -> None:
        """Write every member of ``tree`` behind its header."""
        central = self._central
        self._members += len(tree)
        for path, executable, method, crc32, compressed_bytes, size_bytes, source, offset, _ in tree:
            name = path.encode()
            flags = 0 if len(name) == len(path) else _UTF8_NAME
            told = _SHARED.pack(
                _VERSION, flags, method, _MIDNIGHT, _FIRST_OF_1980, crc32, compressed_bytes, size_bytes, len(name), 0
            )
            place = _PLACE.pack(0, 0, 0, _EXECUTABLE if executable else _FILE, self._flushed + self._filled)
            central += _LINE + told + place + name
            self._put(_HEADER + told + name)
            # Nearly all that an archive holds is small: one read, straight into the buffer.
            end = self._filled + compressed_bytes
            descriptor = self._descriptors.get(source)
            got = 0
            if descriptor is not None and end < _BUFFER_BYTES:
                got = _read_into(descriptor, (self._buffer[self._filled : end],), offset)
                self._filled += got
            if got < compressed_bytes:
                self._take(source, offset + got, compressed_bytes - got)

    def mark(self, path: Path) -> Beginning:
        """Return what was written so far, to begin other archives with."""
        self._flush()
        sha256 = self._settled().copy()
        return Beginning(
            path=path, size_bytes=self._flushed, sha256=sha256, central=bytes(self._central), members=self._members
        )

    def end(self) -> Digest:
        """Write the central directory and its end; return the digest of everything."""
        start, central = self.position, memoryview(self._central)
        for at in range(0, len(central), _BUFFER_BYTES):
            self._put(central[at : at + _BUFFER_BYTES])
        self._put(_END.pack(_END_MARK, 0, 0, self._members, self._members, len(central), start, 0))
        self._flush()
        return Digest(self._settled().hexdigest())

    def _put(self, piece: bytes | memoryview) -> None:
        end = self._filled + len(piece)
        if end > _BUFFER_BYTES:
            self._flush()
            end = len(piece)
        self._buffer[self._filled : end] = piece
        self._filled = end

    def _take(self, source: Path, offset: int, missing: int) -> None:
        """Read straight into the buffer."""
        descriptor = self._descriptors.get(source)
        if descriptor is None:
            if len(self._descriptors) >= _MOST_OPEN:
                os.close(self._descriptors.pop(next(iter(self._descriptors))))
            descriptor = self._descriptors[source] = os.open(source, _READ)
        while missing:
            end = min(_BUFFER_BYTES, self._filled + missing)
            got = _read_into(descriptor, (self._buffer[self._filled : end],), offset)
            if not got and end > self._filled:
                raise _too_short(source, offset, missing)
            self._filled += got
            offset += got
            missing -= got
            if self._filled == _BUFFER_BYTES:
                self._flush()

    def _flush(self) -> None:
        chunk = self._buffer[: self._filled]
        sha256 = self._settled()
        self._hashing = self._hasher.submit(sha256.update, chunk)
        self._flushed += self._filled
        self._buffer, self._other, self._filled = self._other, self._buffer, 0
        while chunk:
            chunk = chunk[self._stream.write(chunk) :]

    def _settled(self) -> Any:
        """Return the digest once it has taken in what was flushed; the other buffer is free then."""
        if self._hashing:
            self._hashing.result()
        return self._sha256


def _copy(source: BinaryIO, target: BinaryIO, count: int) -> None:
    """Copy the first ``count`` bytes: by the kernel, which may share the blocks, where it can."""
    done = 0
    if hasattr(os, "copy_file_range"):
        try:
            while done < count:
                copied = os.copy_file_range(source.fileno(), target.fileno(), count - done, done, done)
                if not copied:
                    break
                done += copied
        except OSError:  # not on this file system
            pass
    source.seek(done)
    target.seek(done)
    while done < count:
        chunk = memoryview(source.read(min(_BUFFER_BYTES, count - done)))
        if not chunk:
            raise _too_short(Path(source.name), done, count - done)
        done += len(chunk)
        while chunk:
            chunk = chunk[target.write(chunk) :]


def _read_by_hand(descriptor: int, buffers: Sequence[memoryview], offset: int) -> int:
    os.lseek(descriptor, offset, os.SEEK_SET)
    data = os.read(descriptor, len(buffers[0]))
    buffers[0][: len(data)] = data
    return len(data)


_read_into: Callable[[int, Sequence[memoryview], int], int] = getattr(os, "preadv", _read_by_hand)
"""Windows has no preadv."""


def _too_short(source: Path, offset: int, missing: int) -> InputError:
    return InputError(
        f"{source.name} is shorter than its own directory says",
        facts=[f"expected {missing} more bytes at {offset}, got none"],
        hint="run the same command again: the wheel is fetched anew",
    )

"""Deterministic zips: the same tree gives the same bytes on every machine.

Compressed bytes are copied as they are, from wheels as from bytecode, under headers of our own:
sorted, dated 1980-01-01 (zip has no earlier day, and no clock may enter the digest), mode 0644 or
0755, no extra fields, no data descriptors. Format: PKWARE APPNOTE 6.3, sections 4.3.7 to 4.3.16.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from build.digest import Digest
from build.errors import InputError
from build.packaging.trees import Entry, Tree

_LOCAL = Struct("<4s5H3L2H")
_CENTRAL = Struct("<4s2B5H3L5H2L")
_END = Struct("<4s4H2LH")
_MIDNIGHT, _FIRST_OF_1980 = 0, 0x21
_VERSION, _UNIX = 20, 3
_REGULAR_FILE = 0o100000
_UTF8_NAME = 0x800
_MOST_ENTRIES = 0xFFFF
"""More would need zip64, and 65,535 files cannot fit Lambda's 250 MB sensibly."""


def write_archive(tree: Tree, path: Path) -> tuple[Digest, int]:
    """Write ``tree`` as a zip to ``path``; return its digest and its size in bytes."""
    if len(tree) > _MOST_ENTRIES:
        raise InputError(
            f"{path.name}: expected at most {_MOST_ENTRIES} files, got {len(tree)}",
            hint="run `invoke size` to see which distribution brings them",
        )
    with path.open("wb", buffering=1 << 20) as stream:
        return _Writer(stream).write(tree)


class _Writer:
    """Writes once, hashing what passes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()
        self._position = 0

    def write(self, tree: Tree) -> tuple[Digest, int]:
        sources: dict[Path, int] = {}
        try:
            central = [self._member(entry, sources) for entry in tree]
        finally:
            for descriptor in sources.values():
                os.close(descriptor)
        self._end(central)
        return Digest(self._sha256.hexdigest()), self._position

    def _put(self, data: bytes) -> None:
        self._stream.write(data)
        self._sha256.update(data)
        self._position += len(data)

    def _member(self, entry: Entry, sources: dict[Path, int]) -> bytes:
        """Write the header and bytes of ``entry``; return its line of the central directory."""
        start = self._position
        name = entry.path.encode()
        shared = (
            0 if entry.path.isascii() else _UTF8_NAME,
            entry.method,
            _MIDNIGHT,
            _FIRST_OF_1980,
            entry.crc32,
            entry.compressed_bytes,
            entry.size_bytes,
            len(name),
            0,
        )
        self._put(_LOCAL.pack(b"PK\x03\x04", _VERSION, *shared) + name)
        self._put(_bytes_of(entry, sources))
        mode = _REGULAR_FILE | (0o755 if entry.executable else 0o644)
        return _CENTRAL.pack(b"PK\x01\x02", _VERSION, _UNIX, _VERSION, *shared, 0, 0, 0, mode << 16, start) + name

    def _end(self, central: Iterable[bytes]) -> None:
        start, lines = self._position, list(central)
        self._put(b"".join(lines))
        size = self._position - start
        self._put(_END.pack(b"PK\x05\x06", 0, 0, len(lines), len(lines), size, start, 0))


def _bytes_of(entry: Entry, sources: dict[Path, int]) -> bytes:
    if isinstance(entry.source, bytes):
        return entry.source
    descriptor = sources.get(entry.source)
    if descriptor is None:
        descriptor = sources[entry.source] = os.open(entry.source, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    os.lseek(descriptor, entry.offset, os.SEEK_SET)
    pieces, missing = [], entry.compressed_bytes
    while missing and (piece := os.read(descriptor, missing)):
        pieces.append(piece)
        missing -= len(piece)
    if missing:
        raise InputError(
            f"{entry.source.name} is shorter than its own directory says",
            facts=[f"expected {entry.compressed_bytes} bytes of {entry.path} at {entry.offset}, {missing} are missing"],
            hint="run the same command again: the wheel is fetched anew",
        )
    return b"".join(pieces)

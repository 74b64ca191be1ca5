"""Image layers: a tree as one gzip member that any tool reads, made of the wheels' own deflate streams.

Nothing is compressed again: between the streams stand the headers of the tar, as deflate blocks with the codes that
RFC 1951 (3.2.6) fixes, written here. So no version of a compressor enters the digest, and what would take zlib ten
seconds takes one. Each stream's own last block is told not to be the last, and all begin at a byte.
"""

import hashlib
import re
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import deflate

from build.digest import Digest
from build.errors import InputError
from build.image import Layer
from build.images.seams import Inflater, joined
from build.images.tar import BLOCK, file_header, folder_header, padding
from build.zips.trees import STORED, Entry, Tree, below

FORMAT = 1
"""Of the bytes below; to be raised whenever the same tree gives others."""

_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""Of the gzip member: deflate, no time, no name, no system (RFC 1952)."""
_LEVEL = 6
_MOST_STORED = 0xFFFF
_PIECE_BYTES = 1 << 20
_ZEROS = re.compile(rb"(\0{4,})")
_FIXED, _STORED_BLOCK, _LAST_STORED = 0b010, 0b000, 0b001
"""The three bits that a block begins with, the lowest first: whether it is the last, and its kind."""
_LONGEST_RUN = 258


def write_layer(tree: Tree, folder: str, path: Path) -> Layer:
    """Write ``tree``, moved to ``folder`` of the image (``var/task``; empty: its root), as a layer to ``path``.

    Every folder has an entry before what is in it, as Lambda demands. Raises InputError where a wheel does not hold
    what its directory says.
    """
    with path.open("wb") as stream:
        writer = _Writer(stream)
        told: set[str] = set()
        for entry in below(folder, tree):
            for parent in _missing(entry.path, told):
                writer.header(folder_header(parent))
            writer.header(file_header(entry.path, entry.size_bytes, executable=entry.executable))
            writer.content(entry)
        return writer.end()


def write_tar(pieces: Iterable[bytes], path: Path) -> Layer:
    """Write a tar, given in ``pieces`` of any size and without what ends it, as a layer to ``path``.

    Here everything is compressed, by libdeflate, so that the same tar gives the same layer everywhere.
    """
    with path.open("wb") as stream:
        writer, held = _Writer(stream), bytearray()
        for piece in pieces:
            held += piece
            while len(held) >= _PIECE_BYTES:
                writer.packed(bytes(held[:_PIECE_BYTES]))
                del held[:_PIECE_BYTES]
        if held:
            writer.packed(bytes(held))
        return writer.end()


def _missing(name: str, told: set[str]) -> Iterator[str]:
    """Yield the folders of ``name`` that are not yet ``told``, the outermost first."""
    missing = []
    while (name := name.rpartition("/")[0]) and name not in told:
        missing.append(name)
    told.update(missing)
    yield from reversed(missing)


class _Writer:
    """A gzip member under way. Bits that do not fill a byte yet wait for those that follow."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest, self._diff_id = hashlib.sha256(), hashlib.sha256()
        self._crc32 = self._size_bytes = self._unpacked_bytes = 0
        self._bits, self._count = 0, 0
        self._due = b""
        self._inflater = Inflater()
        self._sources = _Sources()
        self._put(_HEAD)

    def header(self, header: bytes) -> None:
        """Add what describes a file or a folder; it waits for the content, or for the next one."""
        self._due += header

    def content(self, entry: Entry) -> None:
        """Add the content of ``entry``, as it is, behind what is due."""
        self._settle()
        packed = self._sources.read(entry)
        crc32, size_bytes = 0, 0

        def take(piece: bytes | memoryview) -> None:
            nonlocal crc32, size_bytes
            self._diff_id.update(piece)
            crc32, size_bytes = zlib.crc32(piece, crc32), size_bytes + len(piece)

        try:
            if entry.method == STORED:
                take(packed)
                self._stored(packed)
            else:
                self._spliced(packed, *self._inflater.inflate(packed, take))
        except ValueError as reason:
            raise _damaged(entry, str(reason)) from None
        if (crc32, size_bytes) != (entry.crc32, entry.size_bytes):
            raise _damaged(
                entry, f"expected {entry.size_bytes} bytes of CRC {entry.crc32:08x}, got {size_bytes} of {crc32:08x}"
            )
        self._crc32 = joined(self._crc32, crc32, size_bytes)
        self._unpacked_bytes += size_bytes
        self._due = bytes(padding(size_bytes))

    def packed(self, data: bytes) -> None:
        """Add ``data``, a piece of a tar, compressed."""
        self._settle()
        self._diff_id.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self._unpacked_bytes += len(data)
        packed = bytes(deflate.deflate_compress(data, _LEVEL))
        self._spliced(packed, *self._inflater.inflate(packed, lambda _: None))

    def end(self) -> Layer:
        """Write the end of the tar and of the gzip member."""
        self._due += bytes(2 * BLOCK)
        self._settle()
        self._empty(_LAST_STORED)
        self._put(self._crc32.to_bytes(4, "little") + (self._unpacked_bytes & 0xFFFFFFFF).to_bytes(4, "little"))
        self._sources.close()
        return Layer(
            digest=Digest(self._digest.hexdigest()),
            size_bytes=self._size_bytes,
            diff_id=Digest(self._diff_id.hexdigest()),
            unpacked_bytes=self._unpacked_bytes,
        )

    def _settle(self) -> None:
        """Write what is due as a block of fixed codes, and come to the border of a byte."""
        due, self._due = self._due, b""
        if due:
            self._diff_id.update(due)
            self._crc32 = zlib.crc32(due, self._crc32)
            self._unpacked_bytes += len(due)
            bits = _coded(due)
            self._bits |= int(bits[::-1], 2) << self._count
            self._count += len(bits)
        if self._count % 8:
            self._empty(_STORED_BLOCK)
        else:
            self._flush()

    def _empty(self, kind: int) -> None:
        """Write an empty stored block: it ends at a byte."""
        self._bits |= kind << self._count
        self._count += 3
        self._flush()
        self._put(b"\0\0\xff\xff")

    def _flush(self) -> None:
        """Write the bits that wait, and zeros to the end of their byte."""
        self._put(self._bits.to_bytes((self._count + 7) // 8, "little"))
        self._bits = self._count = 0

    def _spliced(self, packed: bytes, last_block: int, unused: int) -> None:
        """Write a deflate stream without its being the last; what its last byte has besides waits."""
        at, bit = divmod(last_block, 8)
        whole = len(packed) - 1
        last = packed[whole] & 0xFF >> unused
        cleared = 0xFF ^ 1 << bit
        if at == whole:
            last &= cleared
            self._put(memoryview(packed)[:whole])
        else:
            self._put(memoryview(packed)[:at])
            self._put(bytes((packed[at] & cleared,)))
            self._put(memoryview(packed)[at + 1 : whole])
        self._bits, self._count = last, 8 - unused

    def _stored(self, data: bytes) -> None:
        """Write ``data`` as it is. Before it, and behind it, is the border of a byte."""
        for start in range(0, len(data), _MOST_STORED):
            piece = memoryview(data)[start : start + _MOST_STORED]
            length = len(piece)
            self._put(b"\0" + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little"))
            self._put(piece)

    def _put(self, piece: bytes | memoryview) -> None:
        self._digest.update(piece)
        self._size_bytes += len(piece)
        self._stream.write(piece)


class _Sources:
    """The files that entries are read from; the one used last stays open."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._stream: Any = None

    def read(self, entry: Entry) -> bytes:
        if entry.source != self._path:
            self.close()
            self._path, self._stream = entry.source, entry.source.open("rb")
        self._stream.seek(entry.offset)
        data: bytes = self._stream.read(entry.compressed_bytes)
        return data

    def close(self) -> None:
        if self._stream:
            self._stream.close()


def _coded(data: bytes) -> str:
    """Return ``data`` as one block of fixed codes, a character for each bit."""
    literals, pieces = _literals(), [format(_FIXED, "03b")[::-1]]
    for number, piece in enumerate(_ZEROS.split(data)):
        pieces += [_run(len(piece))] if number % 2 else [literals[byte] for byte in piece]
    return "".join(pieces) + "0000000"


@cache
def _literals() -> tuple[str, ...]:
    """Return the code of every byte: eight bits for the lower 144, nine for the others, the highest bit first."""
    return (
        *(format(0x30 + byte, "08b") for byte in range(144)),
        *(format(0x100 + byte, "09b") for byte in range(144, 256)),
    )


@cache
def _run(length: int) -> str:
    """Return the code of ``length`` zeros: one, and copies of what is one byte back."""
    zero, one_back = _literals()[0], "00000"
    longest = f"{0xC5:08b}{one_back}"
    times, rest = divmod(length - 1, _LONGEST_RUN)
    return zero + longest * times + (_copy_of(rest) + one_back if rest >= 3 else zero * rest)


def _copy_of(length: int) -> str:
    """Return the code of a copy's length, 3 to 257, as the table of RFC 1951 (3.2.5) has it."""
    extra = max(0, (length - 3).bit_length() - 3)
    step, surplus = divmod(length - 3, 1 << extra)
    symbol = 257 + 4 * extra + step
    code = f"{symbol - 256:07b}" if symbol < 280 else f"{0xC0 + symbol - 280:08b}"
    return code + (f"{surplus:0{extra}b}"[::-1] if extra else "")


def _damaged(entry: Entry, reason: str) -> InputError:
    return InputError(
        f"{entry.source.name} does not hold what its directory says",
        facts=[f"{entry.path}: {reason}"],
        hint="run `invoke store.verify`, then the same command again",
    )

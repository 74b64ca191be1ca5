"""The content of a zip's members, checked as it passes."""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from build.zips.directory import Member
from build.zips.trees import STORED

_PIECE_BYTES = 1 << 20


def inflated(stream: BinaryIO, member: Member) -> Iterator[bytes]:
    """Yield the content of ``member`` in pieces of at most 1 MiB.

    Raises ValueError as soon as there is more than the member says, and at its end if there is less, if bytes are
    left over behind it, or if its CRC is another.
    """
    crc32, missing = 0, member.size_bytes
    for piece in (_stored if member.method == STORED else _deflated)(stream, member):
        missing -= len(piece)
        if missing < 0:
            raise ValueError(f"{member.name!r} holds more than the {member.size_bytes} bytes it says")
        crc32 = zlib.crc32(piece, crc32)
        yield piece
    if missing:
        raise ValueError(f"{member.name!r}: expected {member.size_bytes} bytes, got {member.size_bytes - missing}")
    if crc32 != member.crc32:
        raise ValueError(f"{member.name!r}: expected CRC {member.crc32:08x}, got {crc32:08x}")


def _stored(stream: BinaryIO, member: Member) -> Iterator[bytes]:
    stream.seek(member.offset)
    missing = member.compressed_bytes
    while missing and (piece := stream.read(min(missing, _PIECE_BYTES))):
        missing -= len(piece)
        yield piece


def _deflated(stream: BinaryIO, member: Member) -> Iterator[bytes]:
    inflater, missing = zlib.decompressobj(-zlib.MAX_WBITS), member.size_bytes
    try:
        for packed in _stored(stream, member):
            waiting, is_full = packed, True
            while is_full and missing >= 0:
                # One byte more than is missing: a bomb shows itself by it, and the stream gets to see its end.
                most = min(missing + 1, _PIECE_BYTES)
                piece = inflater.decompress(waiting, most)
                waiting, is_full = inflater.unconsumed_tail, len(piece) == most
                missing -= len(piece)
                yield piece
    except zlib.error as reason:
        raise ValueError(f"{member.name!r} is no deflate stream: {reason}") from None
    if not inflater.eof:
        raise ValueError(f"{member.name!r}: its deflate stream has no end")
    if inflater.unused_data:
        raise ValueError(f"{member.name!r} has bytes behind the end of its deflate stream")

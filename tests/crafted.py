"""Zips that no tool would write, byte by byte: to see what a reader makes of them."""

import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A member of `craft_zip`, with what its headers say instead of the truth."""

    name: str | bytes = "demo/a.py"
    data: bytes = b"x = 1\n" * 9
    packed: bytes | None = None
    """What stands in the place of the compressed data."""
    method: int = zipfile.ZIP_DEFLATED
    flags: int = 0
    mode: int = 0o100644
    central: Mapping[str, int] = field(default_factory=dict)
    """Fields of the directory: version, flags, method, crc32, packed, size, disk, attributes, start."""
    local: Mapping[str, int] = field(default_factory=dict)
    """The same of its own header; only the first six."""
    own_name: str | bytes | None = None
    central_extra: bytes = b""
    local_extra: bytes = b""
    comment: bytes = b""
    behind: bytes = b""
    """Between its data and the next member: a descriptor, or what should not be there."""


def craft_zip(
    path: Path,
    *pieces: Piece,
    before: bytes = b"",
    behind: bytes = b"",
    comment: bytes = b"",
    end: Mapping[str, int] | None = None,
    end64: Mapping[str, int] | None = None,
) -> Path:
    """Write ``pieces`` as a zip; everything that is not said otherwise is as it should be.

    ``end`` and ``end64`` replace fields of the end records: here, members, length, start, and at, where the
    locator says that the second one is. There is a zip64 record if ``end64`` is given.
    """
    body, lines = bytearray(before), b""
    for piece in pieces:
        name = _encoded(piece.name)
        deflater = zlib.compressobj(wbits=-15)
        deflated = (
            piece.data if piece.method == zipfile.ZIP_STORED else deflater.compress(piece.data) + deflater.flush()
        )
        packed = deflated if piece.packed is None else piece.packed
        true = {"version": 20, "flags": piece.flags, "method": piece.method, "crc32": zlib.crc32(piece.data)}
        true |= {"packed": len(packed), "size": len(piece.data)}
        said = {**true, "disk": 0, "attributes": piece.mode << 16, "start": len(body), **piece.central}
        lines += struct.pack("<4sH", b"PK\1\2", 3 << 8 | 20) + _header(said, name, piece.central_extra)
        lines += struct.pack("<3H2L", len(piece.comment), said["disk"], 0, said["attributes"], said["start"])
        lines += name + piece.central_extra + piece.comment
        own_name = name if piece.own_name is None else _encoded(piece.own_name)
        body += b"PK\3\4" + _header({**true, **piece.local}, own_name, piece.local_extra)
        body += own_name + piece.local_extra + packed + piece.behind
    here = {"here": len(pieces), "members": len(pieces), "length": len(lines), "start": len(body)}
    wide = b""
    if end64 is not None:
        at = len(body) + len(lines)
        said = {"at": at, "disks": 1, **here, **end64}
        numbers = (said["here"], said["members"], said["length"], said["start"])
        wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, *numbers)
        wide += struct.pack("<4sLQL", b"PK\6\7", 0, said["at"], said["disks"])
    said = {"disk": 0, **here, **(end or {})}
    numbers = (said["here"], said["members"], said["length"], said["start"])
    frame = struct.pack("<4s4H2LH", b"PK\5\6", said["disk"], said["disk"], *numbers, len(comment))
    path.write_bytes(bytes(body) + lines + wide + frame + comment + behind)
    return path


def _encoded(name: str | bytes) -> bytes:
    return name.encode() if isinstance(name, str) else name


def _header(said: Mapping[str, int], name: bytes, extra: bytes) -> bytes:
    """Return what both headers of a member have in common."""
    numbers = (said["version"], said["flags"], said["method"], 0, 0x21, said["crc32"], said["packed"], said["size"])
    return struct.pack("<5H3L2H", *numbers, len(name), len(extra))

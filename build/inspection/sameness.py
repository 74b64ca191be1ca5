"""Where two zips part: the first member and the field of it that differ."""

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_FIELDS = (
    *("signature", "version needed", "flags", "method", "time", "date"),
    *("CRC", "compressed size", "size", "length of the name", "length of the extra field"),
)
_CHUNK_BYTES = 1 << 20


def _octal(mode: int) -> str:
    return f"0{mode:o}"


_FIELDS: tuple[tuple[str, Callable[[ZipInfo], object]], ...] = (
    ("mode", lambda info: _octal(info.external_attr >> 16)),
    ("DOS attributes", lambda info: info.external_attr & 0xFFFF),
    ("date", lambda info: "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*info.date_time)),
    ("method", lambda info: info.compress_type),
    ("size", lambda info: info.file_size),
    ("CRC", lambda info: f"{info.CRC:08x}"),
    ("compressed size", lambda info: info.compress_size),
    ("flags", lambda info: info.flag_bits),
    ("extra field", lambda info: info.extra.hex()),
    ("comment", lambda info: info.comment),
    ("system", lambda info: info.create_system),
    ("version made by", lambda info: info.create_version),
    ("version needed", lambda info: info.extract_version),
    ("internal attributes", lambda info: info.internal_attr),
)
"""Of a line of the central directory: what a person understands first, what follows from it last."""
_MADE_FROM_OTHERS = re.compile(r"\.dist-info/RECORD$|\.pyc$")
"""Members that differ because another one does."""


def first_difference(a: Path, b: Path) -> str | None:
    """Return where the zips ``a`` and ``b`` part, such as ``app.py: mode: 0100644 and 0100755``; None for equal bytes.

    A member that only one has comes first, then another order, then the first member that differs: bytecode and
    RECORD, which follow from others, after all others.
    """
    parted = _first_other_byte(a, b)
    if parted is None:
        return None
    try:
        with ZipFile(a) as first, ZipFile(b) as second, a.open("rb") as one, b.open("rb") as other:
            found = next(_differences(first, second, one, other), None)
    except (BadZipFile, struct.error) as reason:
        return f"one of them is no whole zip: {reason}"
    return found or f"bytes outside of every member: from byte {parted}"


def _differences(first: ZipFile, second: ZipFile, one: BinaryIO, other: BinaryIO) -> Iterator[str]:
    ours, theirs = first.infolist(), second.infolist()
    yield from _of_names([info.orig_filename for info in ours], [info.orig_filename for info in theirs])
    pairs = [*zip(ours, theirs, strict=True)]
    for mine, its in sorted(pairs, key=lambda pair: bool(_MADE_FROM_OTHERS.search(pair[0].filename))):
        for field, value in _FIELDS:
            if value(mine) != value(its):
                yield f"{mine.filename}: {field}: {value(mine)} and {value(its)}"
        yield from _of_bytes(mine, its, one, other)
    for mine, its in pairs:
        if mine.header_offset != its.header_offset:
            yield f"{mine.filename}: offset: {mine.header_offset} and {its.header_offset}"
    if first.comment != second.comment:
        yield f"comment of the zip: {first.comment!r} and {second.comment!r}"


def _of_names(ours: list[str], theirs: list[str]) -> Iterator[str]:
    for name in sorted({*ours} ^ {*theirs}):
        yield f"{name}: only in the {'first' if name in ours else 'second'}"
    for number, (mine, its) in enumerate(zip(ours, theirs, strict=False), start=1):
        if mine != its:
            yield f"{mine}: order: member {number} is {mine} and {its}"
    if len(ours) != len(theirs):
        yield f"count of members: {len(ours)} and {len(theirs)}"


def _of_bytes(mine: ZipInfo, its: ZipInfo, one: BinaryIO, other: BinaryIO) -> Iterator[str]:
    """Yield what differs in the member's own header and its compressed bytes."""
    one.seek(mine.header_offset)
    other.seek(its.header_offset)
    here, there = (_LOCAL.unpack(stream.read(_LOCAL.size)) for stream in (one, other))
    for field, value, expected in zip(_LOCAL_FIELDS, here, there, strict=True):
        if value != expected:
            yield f"{mine.filename}: {field} in its own header: {value} and {expected}"
    for field, count in (("name", here[9]), ("extra field", here[10])):
        value, expected = one.read(count), other.read(count)
        if value != expected:
            yield f"{mine.filename}: {field} in its own header: {value!r} and {expected!r}"
    if one.read(mine.compress_size) != other.read(mine.compress_size):
        yield f"{mine.filename}: compressed bytes: same content, packed differently"


def _first_other_byte(a: Path, b: Path) -> int | None:
    place = 0
    with a.open("rb") as one, b.open("rb") as other:
        while (here := one.read(_CHUNK_BYTES)) == (there := other.read(_CHUNK_BYTES)):
            if not here:
                return None
            place += len(here)
    pairs = enumerate(zip(here, there, strict=False))
    return place + next((at for at, (x, y) in pairs if x != y), min(len(here), len(there)))

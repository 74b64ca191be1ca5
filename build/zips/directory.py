"""A strict reader of zips: what cannot be read in two ways, or it is refused.

A zip says everything twice, in a directory at its end and in a header before each member, and tools differ in
which they believe: one file then holds one thing for the tool that inspects it and another for the one that
installs it (CVE-2025-54368). So both have to agree, and the members have to fill the file from its first byte to the
directory without a gap. Format: PKWARE APPNOTE 6.3, sections 4.3 to 4.5.
"""

import mmap
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from build.errors import InputError
from build.zips.names import clashes, unsafe
from build.zips.trees import DEFLATED, STORED

_LOCAL, _LOCAL_MARK = Struct("<6x2H4x3L2H"), b"PK\x03\x04"
_CENTRAL, _CENTRAL_MARK = Struct("<4s2xB1x2H4x3L4H2x2L"), b"PK\x01\x02"
_NOTHING = (b"", *(0,) * 12)
_END, _END_MARK = Struct("<4s4H2LH"), b"PK\x05\x06"
_LOCATOR, _LOCATOR_MARK = Struct("<4sLQL"), b"PK\x06\x07"
_END64, _END64_MARK = Struct("<4sQ2H2L4Q"), b"PK\x06\x06"
_DESCRIPTOR, _DESCRIPTOR64, _DESCRIPTOR_MARK = Struct("<3L"), Struct("<L2Q"), b"PK\x07\x08"
_FIELD, _WIDE = Struct("<2H"), Struct("<Q")
_MOST_COMMENT = 0xFFFF
_ENDS = re.compile(re.escape(_END_MARK) + rb"(?=.{%d})" % (_END.size - 4), re.DOTALL)
_NO_TEXT = re.compile(rb"[\x01-\x08]")
"""The mark of every record has one of these."""
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
"""Say that the number is elsewhere, in a zip64 record."""

_ENCRYPTED = 0x2041
"""Flags of the old and the strong encryption, and of a directory that is hidden by it."""
_DESCRIBED_LATER, _UTF8 = 0x8, 0x800
_SPEED = 0x6
"""Flags that say how hard the writer tried; nobody reads them."""
_ODD = ~(_SPEED | _UTF8)
_ZIP64, _OTHER_NAME = 0x1, 0x7075
"""Extra fields. The second one brings another name, which some tools prefer."""

_FILE_TYPE, _REGULAR, _FOLDER, _LINK = 0o170000, 0o100000, 0o040000, 0o120000
_DOS_FOLDER = 0x10
_USUAL, _EXECUTABLE = _FILE_TYPE << 16 | _DOS_FOLDER, 0o111 << 16
_NEWEST = 63
"""Version of the format, times ten, that is the last there is."""
_MOST_MEMBERS, _MOST_BYTES = 100_000, 32 << 20
"""Of a directory, which is held in memory. The longest seen has 20,000 members and 3 MB; 65,534 is what can ship."""
_MOST_SHOWN, _MOST_SAID = 20, 400


class Member(NamedTuple):
    """One file of a zip. A tuple and no dataclass: a wheel may have several thousand."""

    name: str
    """With ``/``; relative, and without ``.`` and ``..``."""
    executable: bool
    method: int
    """`STORED` or `DEFLATED`."""
    crc32: int
    compressed_bytes: int
    size_bytes: int
    offset: int
    """Where its compressed bytes begin in the file."""


class _Header(NamedTuple):
    """A line of the directory."""

    start: int
    """Where the member's own header has to be."""
    name: str
    raw: bytes
    plain: bytes
    """How its own header would be, were there nothing more to it than this line; empty if there is."""
    flags: int
    method: int
    crc32: int
    compressed_bytes: int
    size_bytes: int
    attributes: int


_Line = tuple[int, str, bytes, bytes, int, int, int, int, int, int]
"""A `_Header` before it is one: most of them need no names for their fields, and those cost time."""


class _Directory(NamedTuple):
    start: int
    end: int
    members: int


class _UnreadableError(Exception):
    """Nothing behind this can be made sense of."""


def read_directory(path: Path) -> tuple[Member, ...]:
    """Return the files of the zip at ``path`` in the order of their bytes; nothing is inflated.

    Raises InputError with everything that is wrong: names that lead elsewhere or clash, links, encryption,
    compression other than deflate, headers that disagree with the directory, bytes that belong to nothing.
    zip64 and data descriptors are read. Members of folders are checked and left out.
    """
    problems: list[str] = []
    members: list[Member] = []
    if path.stat().st_size == 0:  # which cannot be mapped
        raise refusal(path, ["it is empty"])
    try:
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            directory = _directory(data)
            lines = sorted(_lines(data, directory, problems))
            members = list(_members(data, lines, directory, problems))
    except _UnreadableError as reason:
        problems.append(str(reason))
    if problems:
        raise refusal(path, problems)
    return tuple(members)


def refusal(path: Path, problems: Sequence[str]) -> InputError:
    """Return the error that says why the zip at ``path`` cannot be used.

    A hostile one may have a million reasons, and may put into them what a terminal would obey.
    """
    shown = [_harmless(problem) for problem in problems[:_MOST_SHOWN]]
    if len(problems) > _MOST_SHOWN:
        shown.append(f"and {len(problems) - _MOST_SHOWN} more")
    return InputError(
        f"{path.name} is not a wheel that can ship",
        facts=shown,
        hint="ask for another version, then run `invoke lock`",
    )


def _harmless(problem: str) -> str:
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in problem[:_MOST_SAID])
    return text if len(problem) <= _MOST_SAID else f"{text}…"


def _directory(data: mmap.mmap) -> _Directory:
    """Find the directory by the one end record there may be."""
    tail = data[max(0, len(data) - _END.size - _MOST_COMMENT) :]
    ends = [found.start() for found in _ENDS.finditer(tail)]
    if not ends:
        raise _UnreadableError("it has no end record of a zip: it is something else, or cut off")
    behind = [len(tail) - at - _END.size - _END.unpack_from(tail, at)[-1] for at in ends]
    surplus, at = next((each for each in zip(behind, ends, strict=True) if not each[0]), (behind[-1], ends[-1]))
    if surplus:
        raise _UnreadableError(
            f"{surplus} bytes follow its end record" if surplus > 0 else f"{-surplus} bytes of its comment are missing"
        )
    if _NO_TEXT.search(tail, at + _END.size):
        raise _UnreadableError("its comment holds what may be another zip")
    _, disk, directory_disk, here, count, length, start, _ = _END.unpack_from(tail, at)
    at += len(data) - len(tail)
    said, end = (here, count, length, start), at
    if at >= _LOCATOR.size and data[at - _LOCATOR.size :].startswith(_LOCATOR_MARK):
        end, said = _directory64(data, at - _LOCATOR.size, said)
    elif _FULL16 in (here, count) or _FULL32 in (length, start):
        raise _UnreadableError("its end record leads to a zip64 record that is not there")
    here, count, length, start = said
    if disk or directory_disk or here != count:
        raise _UnreadableError("it is one of several volumes")
    if count > _MOST_MEMBERS or length > _MOST_BYTES:
        raise _UnreadableError(f"it has {count} members and {length} bytes of directory, more than any wheel")
    if start + length != end:
        raise _UnreadableError(f"its directory ends at {start + length}, its end record begins at {end}")
    return _Directory(start, end, count)


def _directory64(data: mmap.mmap, at: int, said: tuple[int, ...]) -> tuple[int, tuple[int, int, int, int]]:
    """Return where the zip64 end record is, and what it says; it must stand right before its locator at ``at``."""
    _, disk, start, disks = _LOCATOR.unpack_from(data, at)
    if start != at - _END64.size or data[start : start + 4] != _END64_MARK:
        raise _UnreadableError(f"its zip64 end record is not where it has to be, at {at - _END64.size}")
    _, size, _, _, number, directory_disk, here, count, length, offset = _END64.unpack_from(data, start)
    if size != _END64.size - 12:
        raise _UnreadableError("its zip64 end record has a length that no tool writes")
    if disk or disks != 1 or number or directory_disk:
        raise _UnreadableError("it is one of several volumes")
    wide = (here, count, length, offset)
    for narrow, full, value in zip(said, (_FULL16, _FULL16, _FULL32, _FULL32), wide, strict=True):
        if narrow not in (full, value):
            raise _UnreadableError(f"its end records disagree: {narrow} and, in zip64, {value}")
    return start, wide


def _lines(data: mmap.mmap, directory: _Directory, problems: list[str]) -> Iterator[_Line]:
    """Yield the lines of the directory, and append what is wrong with each."""
    lines, end, at = data[directory.start : directory.end], directory.end - directory.start, 0
    names: list[str] = []
    while at < end:
        fixed = at + _CENTRAL.size
        fields = _CENTRAL.unpack_from(lines, at) if fixed <= end else _NOTHING
        mark, version, flags, method, crc32, packed, size, name_bytes, extra_bytes, comment, disk, mode, start = fields
        named = fixed + name_bytes
        following = named + extra_bytes + comment
        if mark != _CENTRAL_MARK or following > end:
            raise _UnreadableError(f"its directory breaks off in line {len(names) + 1}")
        if len(names) == directory.members:
            raise _UnreadableError(f"its end record counts {len(names)} members, its directory has more")
        raw = lines[fixed:named]
        name = raw.decode() if raw.isascii() else _decoded(raw, flags, problems)
        plain = _LOCAL_MARK + lines[at + 6 : at + 32] + raw  # from the version to the lengths both headers are alike
        if extra_bytes or flags & _DESCRIBED_LATER or _FULL32 in (size, packed, start):
            extra, plain = lines[named : named + extra_bytes], b""
            size, packed, start = _widened(name, extra, (size, packed, start), problems)
        line = (start, name, raw, plain, flags, method, crc32, packed, size, mode)
        is_usual = mode & _USUAL == _REGULAR << 16 and method == DEFLATED and version <= _NEWEST
        if not is_usual or flags & _ODD or disk or comment or name[-1:] == "/":
            problems += _unusual(_Header._make(line), disk, version, comment)
        names.append(name)
        yield line
        at = following
    if len(names) != directory.members:
        problems.append(f"its end record counts {directory.members} members, its directory has {len(names)}")
    problems += unsafe(names)
    problems += clashes(names)


def _decoded(raw: bytes, flags: int, problems: list[str]) -> str:
    try:
        return raw.decode("utf-8" if flags & _UTF8 else "ascii")
    except UnicodeDecodeError:
        said = "is not UTF-8, as it says" if flags & _UTF8 else "is not ASCII, and does not say that it is UTF-8"
        problems.append(f"a name {said}: {raw!r}")
        return raw.decode("ascii", "replace")  # any name will do from here on


def _unusual(header: _Header, disk: int, version: int, comment: int) -> Iterator[str]:
    """Say what no member of a wheel may be."""
    name, kind = header.name, header.attributes >> 16 & _FILE_TYPE
    is_folder, unknown = name.endswith("/"), header.flags & _ODD & ~_DESCRIBED_LATER
    is_encrypted = header.flags & _ENCRYPTED
    is_resized = header.method == STORED and header.compressed_bytes != header.size_bytes
    for is_so, problem in (
        (disk, "is on another volume"),
        (comment, "has a comment, which no wheel needs"),
        (version > _NEWEST, f"needs version {version / 10} of the zip format, the last is {_NEWEST / 10}"),
        (is_encrypted, "is encrypted"),
        (unknown and not is_encrypted, f"has flags {unknown:#x} that no wheel needs"),
        (header.method not in (STORED, DEFLATED), f"is compressed by method {header.method}, expected 0 or 8"),
        (is_resized, f"is stored, yet {header.size_bytes} bytes take {header.compressed_bytes}"),
        (kind == _LINK, "is a symbolic link"),
        (kind not in (0, _REGULAR, _FOLDER, _LINK), f"is neither a file nor a folder: its type is {kind:o}"),
        (not is_folder and (kind == _FOLDER or header.attributes & _DOS_FOLDER), "says that it is a folder"),
        (is_folder and header.size_bytes, f"is a folder, yet it holds {header.size_bytes} bytes"),
    ):
        if is_so:
            yield f"{name!r} {problem}"


def _widened(name: str, extra: bytes, values: Sequence[int], problems: list[str]) -> Sequence[int]:
    """Return ``values`` with those that are too large for 32 bits from the zip64 field of ``extra``."""
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(extra):
        kind, length = _FIELD.unpack_from(extra, at) if len(extra) - at >= _FIELD.size else (0, len(extra))
        at += _FIELD.size + length
        if at > len(extra):
            problems.append(f"{name!r} has broken extra fields")
        elif kind == _OTHER_NAME or (kind == _ZIP64 and kind in fields):
            problems.append(f"{name!r} has {'a second name' if kind == _OTHER_NAME else 'two zip64 fields'}")
        fields[kind] = extra[at - length : at]
    wide = fields.get(_ZIP64, b"")
    full = [value == _FULL32 for value in values]
    if not any(full) and wide in (b"", b"".join(map(_WIDE.pack, values))):  # Bazel repeats what needs no repeating
        return values
    if len(wide) != sum(full) * _WIDE.size:
        problems.append(f"{name!r}: its zip64 field is not what its other numbers call for")
        return values
    numbers = _WIDE.iter_unpack(wide)
    return [next(numbers)[0] if is_full else value for value, is_full in zip(values, full, strict=True)]


def _members(data: mmap.mmap, lines: Sequence[_Line], directory: _Directory, problems: list[str]) -> Iterator[Member]:
    """Yield the members of sorted ``lines``; each has to reach exactly to the next, the last to the directory."""
    limits = [*(line[0] for line in lines), directory.start]
    if limits[0]:
        problems.append(f"{limits[0]} bytes come before its first member")
    for line, limit in zip(lines, limits[1:], strict=True):
        start, name, raw, plain, _, method, crc32, packed, size, attributes = line
        begin = start + _LOCAL.size + len(raw)
        # One look instead of ten, for what nearly every member is.
        if data[start:begin] != plain or begin + packed != limit:
            begin = _compared(data, _Header._make(line), limit, problems)
        if name[-1:] != "/":
            yield Member(name, attributes & _EXECUTABLE != 0, method, crc32, packed, size, begin)


def _compared(data: mmap.mmap, header: _Header, limit: int, problems: list[str]) -> int:
    """Return where the bytes of a member begin; append where its own header is not what the directory says."""
    name = header.name
    if data[header.start : header.start + 4] != _LOCAL_MARK or header.start + _LOCAL.size > len(data):
        problems.append(f"{name!r} has no header at {header.start}")
        return 0
    flags, method, crc32, packed, size, *lengths = _LOCAL.unpack_from(data, header.start)
    raw_end = header.start + _LOCAL.size + lengths[0]
    raw, extra = data[raw_end - lengths[0] : raw_end], data[raw_end : raw_end + lengths[1]]
    if raw != header.raw:
        problems.append(f"{name!r} is {raw.decode('utf-8', 'backslashreplace')!r} in its own header")
    is_wide = _FULL32 in (size, packed)
    size, packed = _widened(name, extra, (size, packed), problems)
    is_later = bool(header.flags & flags & _DESCRIBED_LATER)
    for what, own, said in (
        ("flags", flags & ~_SPEED, header.flags & ~_SPEED),
        ("compression method", method, header.method),
        ("CRC", crc32, header.crc32),
        ("compressed size", packed, header.compressed_bytes),
        ("size", size, header.size_bytes),
    ):
        if own != said and not (is_later and own == 0 and what not in {"flags", "compression method"}):
            problems.append(f"{name!r}: its own header says {what} {own}, the directory {said}")
    if is_later and method == STORED and packed != header.compressed_bytes:
        problems.append(f"{name!r} is stored, and says only behind its data how long it is")
    problems += _end_problem(data, header, raw_end + lengths[1], limit, is_later=is_later, is_wide=is_wide)
    return int(raw_end + lengths[1])


def _end_problem(
    data: mmap.mmap, header: _Header, begin: int, limit: int, *, is_later: bool, is_wide: bool
) -> Iterator[str]:
    """Say what is wrong between the bytes of a member and ``limit``, where the next one begins."""
    end = begin + header.compressed_bytes
    if end > limit:
        yield f"{header.name!r} reaches {end - limit} bytes into what follows it"
    elif is_later:
        numbers = (header.crc32, header.compressed_bytes, header.size_bytes)
        expected = (_DESCRIPTOR64 if is_wide or max(numbers) > _FULL32 else _DESCRIPTOR).pack(*numbers)
        if data[end : min(limit, end + 32)] not in (expected, _DESCRIPTOR_MARK + expected):
            yield f"{header.name!r}: the descriptor behind its data is not what the directory says"
    elif end < limit:
        yield f"{limit - end} bytes behind {header.name!r} belong to no member"

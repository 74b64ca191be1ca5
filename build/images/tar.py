"""Headers of a tar, byte by byte the same everywhere: Python's own tarfile changed what it writes more than once.

Format: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".
"""

from build.errors import InputError

BLOCK = 512
MTIME_S = 315_532_800
"""1980-01-01, as in our zips: code that zips its own files fails with any earlier day."""
_NAME, _PREFIX = 100, 155
"""Bytes that a ustar header has for a path, which is split at a slash."""
_MOST_BYTES = 8**11 - 1
_FILE, _FOLDER, _EXTENDED = b"0", b"5", b"x"


def file_header(path: str, size_bytes: int, *, executable: bool) -> bytes:
    """Return what precedes the content of the file ``path``, in whole blocks.

    Raises InputError for a file of 8 GiB and more, which no image for Lambda can hold.
    """
    if size_bytes > _MOST_BYTES:
        raise InputError(
            f"{path} is too large for an image",
            facts=[f"expected at most {_MOST_BYTES:,} bytes, got {size_bytes:,}"],
            hint="take it out of the distribution or of src/, then run `invoke build`",
        )
    return _header(path, 0o755 if executable else 0o644, size_bytes, _FILE)


def folder_header(path: str) -> bytes:
    """Return what stands for the folder ``path``, in whole blocks."""
    return _header(f"{path}/", 0o755, 0, _FOLDER)


def padding(size_bytes: int) -> int:
    """Return how many zeros follow a content of ``size_bytes``."""
    return -size_bytes % BLOCK


def _header(path: str, mode: int, size_bytes: int, kind: bytes) -> bytes:
    name = path.encode()
    if path.isascii() and (fitting := _split(name)):
        return _block(*fitting, mode, size_bytes, kind)
    record = _record(name)
    extended = _block(b"pax", b"", 0o644, len(record), _EXTENDED) + record + bytes(padding(len(record)))
    return extended + _block(name[-_NAME:], b"", mode, size_bytes, kind)


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Return name and prefix, as far as they fit."""
    if len(name) <= _NAME:
        return name, b""
    at = name.rfind(b"/", 0, min(_PREFIX + 1, len(name) - 1))
    if at <= 0 or len(name) - at - 1 > _NAME:
        return None
    return name[at + 1 :], name[:at]


def _record(name: bytes) -> bytes:
    """Return the record that gives a path in full; its own length counts in it."""
    bare = len(b" path=\n") + len(name)
    length = bare + len(str(bare))
    length = bare + len(str(length))
    return b"%d path=%s\n" % (length, name)


def _block(name: bytes, prefix: bytes, mode: int, size_bytes: int, kind: bytes) -> bytes:
    before = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (name.ljust(_NAME, b"\0"), mode, 0, 0, size_bytes, MTIME_S)
    after = b"%s%sustar\x0000%s%s%s" % (kind, bytes(100), bytes(64), bytes(16), prefix.ljust(_PREFIX + 12, b"\0"))
    checksum = sum(before) + 8 * 0x20 + sum(after)
    return b"%s%06o\0 %s" % (before, checksum, after)

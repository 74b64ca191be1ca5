"""Wheels: what one says of itself, and what of it lands in an archive.

A wheel is a zip of deflated members, so a tree is made of references into it; nothing is inflated.
"""

import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from struct import Struct

from build.errors import InputError
from build.model import Wheel
from build.packaging.trees import DEFLATED, STORED, Entry, Tree, merge

_LOCAL_HEADER = Struct("<4s22x2H")
_SHIPPED_SCHEMES = frozenset({"purelib", "platlib"})
"""Of a wheel's ``.data`` folder. Scripts, headers and data have no place in /var/task or /opt/python."""
_CACHED = re.compile(r"(^|/)__pycache__/[^/]*\.pyc$")
_ENCRYPTED = 0x1
_SYMLINK = 0o120000
_FILE_TYPE = 0o170000


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a wheel's METADATA says; enough to walk its dependencies."""

    name: str
    version: str
    requires: tuple[str, ...]
    """Requires-Dist lines."""


def read_metadata(path: Path) -> Metadata:
    """Return the METADATA of the wheel at ``path``; raise InputError if it is no wheel."""
    with _opened(path) as archive:
        names = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1]
        if len(names) != 1:
            raise _not_a_wheel(path, f"expected one *.dist-info/METADATA, got {len(names)}")
        headers = HeaderParser().parsestr(archive.read(names[0]).decode("utf-8", "replace"))
    return Metadata(
        name=str(headers["Name"]),
        version=str(headers["Version"]),
        requires=tuple(headers.get_all("Requires-Dist", ())),
    )


def read_tree(wheel: Wheel) -> Tree:
    """Return what ``wheel`` brings; raise InputError for members no archive may hold.

    Bytecode in its ``__pycache__`` stays out: it would meet ours, and its times are stale in any case.
    A ``.pyc`` beside the sources is a module of its own where there is no source, and ships.
    """
    return merge(entry for entry in read_members(wheel.path, owner=wheel.name) if not _CACHED.search(entry.path))


def read_members(path: Path, *, owner: str) -> Iterator[Entry]:
    """Yield the files of the wheel or overlay at ``path``, at the place where they install."""
    with _opened(path) as archive, path.open("rb") as stream:
        for info in archive.infolist():
            installed = installed_path(info.filename)
            if info.is_dir() or installed is None:
                continue
            _refuse_unsafe(path, info, installed)
            yield Entry(
                path=installed,
                executable=bool(info.external_attr >> 16 & 0o111),
                method=info.compress_type,
                crc32=info.CRC,
                compressed_bytes=info.compress_size,
                size_bytes=info.file_size,
                source=path,
                offset=_data_offset(path, stream.fileno(), info),
                owner=owner,
            )


def installed_path(member: str) -> str | None:
    """Return where ``member`` lands below site-packages, or None if it does not."""
    top, _, rest = member.partition("/")
    if not top.endswith(".data"):
        return member
    scheme, _, inner = rest.partition("/")
    return inner if scheme in _SHIPPED_SCHEMES and inner else None


def _refuse_unsafe(path: Path, info: zipfile.ZipInfo, installed: str) -> None:
    parts = PurePosixPath(installed).parts
    if installed.startswith("/") or ".." in parts or "\\" in installed or "\0" in installed:
        raise _not_a_wheel(path, f"{info.filename!r} points outside the wheel")
    if info.flag_bits & _ENCRYPTED:
        raise _not_a_wheel(path, f"{info.filename!r} is encrypted")
    if info.compress_type not in {STORED, DEFLATED}:
        raise _not_a_wheel(path, f"{info.filename!r} is compressed by method {info.compress_type}, expected 0 or 8")
    if info.external_attr >> 16 & _FILE_TYPE == _SYMLINK:
        raise _not_a_wheel(path, f"{info.filename!r} is a symbolic link")


def _data_offset(path: Path, descriptor: int, info: zipfile.ZipInfo) -> int:
    """Return where the member's compressed bytes begin: behind its own header, whose lengths may differ."""
    os.lseek(descriptor, info.header_offset, os.SEEK_SET)
    header = os.read(descriptor, _LOCAL_HEADER.size)
    if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise _not_a_wheel(path, f"{info.filename!r} has no header at {info.header_offset}")
    _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
    return int(info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as reason:
        raise _not_a_wheel(path, str(reason)) from None


def _not_a_wheel(path: Path, fact: str) -> InputError:
    return InputError(
        f"{path.name} is not a wheel that can ship",
        facts=[fact],
        hint="pin another version in requirements.in, then run `invoke lock`",
    )

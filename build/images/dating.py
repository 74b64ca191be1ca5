"""Layers that other tools made, with one date for everything: a layer then follows from its content alone.

Tools that can do so do it each in their own way, and then Python takes bytecode for outdated, compiles at every cold
start and, on Lambda's read-only root, keeps nothing: a .pyc says of which second its source is. Here it is told the
new one. A tar is changed where it has to be, header by header, and else goes through as it is: what tarfile would write
is not the same in every Python.
"""

import re
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO

from build.images.tar import BLOCK, MTIME_S, padding

_FOLLOWED = b"xgLK"
"""Kinds of headers with content of their own, which another header follows: pax, and GNU's long names."""
_PAX = b"x"
_DATED = (b"mtime=", b"atime=", b"ctime=", b"uname=", b"gname=", b"LIBARCHIVE.creationtime=")
"""What of pax records differs from one build, or one host, to the next."""
_SIZE, _MTIME, _CHECKSUM, _KIND = slice(124, 136), slice(136, 148), slice(148, 156), slice(156, 157)
_OWNERS = slice(265, 329)
"""Names of user and group, as the host has them; the numbers before them count."""
_CLOCKED = b"\0\0\0\0"
"""Flags of a .pyc that goes by the time of its source: https://peps.python.org/pep-0552/"""
_BYTECODE = re.compile(r"(?P<folder>(?:.*/)?)__pycache__/(?P<module>[^/]+)\.cpython-\d+(?:\.opt-[12])?\.pyc")
_PIECE_BYTES = 1 << 20

Seconds = dict[str, int]
"""Path of a module in the image to the second it was written in, before it was dated."""


def modules_in(tar: IO[bytes]) -> Seconds:
    """Return the modules in ``tar``, which can be read at any place. Raises tarfile.TarError for what is no tar."""
    members, _ = _members(tar)
    return {_path(each): int(each.mtime) for each in members if each.isreg() and each.name.endswith(".py")}


def dated(tar: IO[bytes], modules: Seconds) -> Iterator[bytes]:
    """Yield ``tar``, which can be read at any place, without what ends it, and with everything dated as ours is.

    ``modules`` are its own, and those of the layers below. Raises tarfile.TarError for what is no tar.
    """
    members, end_of_all = _members(tar)
    begins = [*(member.offset for member in members), end_of_all]
    for member, end in zip(members, begins[1:], strict=True):
        tar.seek(member.offset)
        yield _header(tar.read(member.offset_data - member.offset))
        left = end - member.offset_data
        if member.isreg() and left:
            start = tar.read(min(left, BLOCK))
            left -= len(start)
            yield _bytecode(start, _path(member), modules)
        while left > 0 and (piece := tar.read(min(left, _PIECE_BYTES))):
            left -= len(piece)
            yield piece


def _members(tar: IO[bytes]) -> tuple[list[tarfile.TarInfo], int]:
    """Return the members, and where the last one ends."""
    tar.seek(0)
    with tarfile.open(fileobj=tar, mode="r:") as archive:
        return archive.getmembers(), archive.offset


def _path(member: tarfile.TarInfo) -> str:
    return str(PurePosixPath(member.name.lstrip("/")))


def _header(blocks: bytes) -> bytes:
    """Return all that stands before a member's content, without times."""
    done, at = [], 0
    while at < len(blocks):
        block, at = blocks[at : at + BLOCK], at + BLOCK
        size_bytes = int(block[_SIZE].rstrip(b"\0 ") or b"0", 8) if block[_KIND] in _FOLLOWED else 0
        content, at = blocks[at : at + size_bytes], at + size_bytes + padding(size_bytes)
        if block[_KIND] == _PAX:
            content = b"".join(each for each in _records(content) if not each.partition(b" ")[2].startswith(_DATED))
            if not content:
                continue
            block = _with(block, _SIZE, b"%011o\0" % len(content))
        block = _with(_with(block, _MTIME, b"%011o\0" % MTIME_S), _OWNERS, bytes(64))
        checksum = sum(_with(block, _CHECKSUM, b" " * 8))
        done += [_with(block, _CHECKSUM, b"%06o\0 " % checksum), content, bytes(padding(len(content)))]
    return b"".join(done)


def _records(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        length = int(content[at : content.index(b" ", at)])
        yield content[at : at + length]
        at += length


def _with(block: bytes, place: slice, value: bytes) -> bytes:
    return block[: place.start] + value + block[place.stop :]


def _bytecode(start: bytes, path: str, modules: Seconds) -> bytes:
    """Return the ``start`` of a file; bytecode that is up to date stays so."""
    match = _BYTECODE.fullmatch(path)
    if not match or start[4:8] != _CLOCKED:
        return start
    second = modules.get(f"{match['folder']}{match['module']}.py")
    if second is None or start[8:12] != (second & 0xFFFFFFFF).to_bytes(4, "little"):
        return start
    return start[:8] + MTIME_S.to_bytes(4, "little") + start[12:]

"""Trees: what an archive will hold, as sorted entries that know where their compressed bytes are."""

import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from build.errors import InputError

STORED, DEFLATED = 0, 8
"""Zip compression methods; Lambda accepts both."""


class Entry(NamedTuple):
    """One file of an archive. A tuple and no dataclass: a function may have twenty thousand."""

    path: str
    """With ``/``, relative to the archive's root."""
    executable: bool
    method: int
    crc32: int
    compressed_bytes: int
    size_bytes: int
    source: Path
    """A file that holds the compressed bytes at ``offset``."""
    offset: int
    owner: str
    """Who brings it, for messages and sizes: a distribution, or the folder itself."""


Tree = tuple[Entry, ...]
"""Entries sorted by path, each path once."""


def below(prefix: str, tree: Iterable[Entry]) -> Tree:
    """Return ``tree`` moved into the folder ``prefix``, which may be empty."""
    if not prefix:
        return tuple(tree)
    return tuple(Entry._make((f"{prefix}/{entry.path}", *entry[1:])) for entry in tree)


def merge(*parts: Iterable[Entry]) -> Tree:
    """Return all entries as one tree.

    Two owners may bring the same file if its bytes are the same, for which both are read; else InputError names
    every path that is claimed twice.
    """
    return tuple(sorted(_added({}, *parts).values()))


class Ground:
    """A tree that others are put behind, each by itself; what is to be known of it is worked out once."""

    def __init__(self, tree: Tree) -> None:
        """Take ``tree``, which is not looked at before something is put behind it."""
        self.tree = tree

    def behind(self, tree: Tree) -> Tree:
        """Return what ``tree`` adds; raise as `merge` does."""
        paths = {entry.path for entry in tree}
        if self._by_path.keys() & (paths | _folders(paths)) or self._folders & paths:
            _added(dict(self._by_path), tree)
        return tuple(entry for entry in tree if entry.path not in self._by_path)

    @cached_property
    def _by_path(self) -> Mapping[str, Entry]:
        return {entry.path: entry for entry in self.tree}

    @cached_property
    def _folders(self) -> set[str]:
        return _folders(self._by_path)


def _folders(paths: Iterable[str]) -> set[str]:
    folders = {path.rpartition("/")[0] for path in paths}
    pending = folders
    while pending := {folder.rpartition("/")[0] for folder in pending} - folders:
        folders |= pending
    return folders


def _is_same(one: Entry, other: Entry) -> bool:
    if (one.crc32, one.size_bytes) != (other.crc32, other.size_bytes):
        return False
    return (one.source, one.offset) == (other.source, other.offset) or _sha256(one) == _sha256(other)


def _sha256(entry: Entry) -> bytes:
    """Return the digest of its content: to make another one of the same CRC is easy."""
    from build.zips.directory import Member  # here: they import this module
    from build.zips.inflating import inflated

    sha256 = hashlib.sha256()
    with entry.source.open("rb") as stream:
        for piece in inflated(stream, Member(*entry[:6], entry.offset)):
            sha256.update(piece)
    return sha256.digest()


def _added(by_path: dict[str, Entry], *parts: Iterable[Entry]) -> dict[str, Entry]:
    clashes: list[str] = []
    for part in parts:
        for entry in part:
            there = by_path.setdefault(entry.path, entry)
            if there is not entry and not _is_same(there, entry):
                clashes.append(f"{entry.path}: in {there.owner} and, with other bytes, in {entry.owner}")
    for path in sorted(_folders(by_path).intersection(by_path)):
        below = next(entry for other, entry in by_path.items() if other.startswith(f"{path}/"))
        clashes.append(f"{path}: a file in {by_path[path].owner} and a folder in {below.owner}")
    if clashes:
        raise InputError(
            "two owners bring the same file",
            facts=clashes,
            hint="rename the file in src/, or drop one of the distributions and run `invoke lock`",
        )
    return by_path

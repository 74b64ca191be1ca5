"""Trees: what an archive will hold, as sorted entries that know where their compressed bytes are."""

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

    Two owners may bring the same file if its bytes are the same, or if all it does is declare a namespace package;
    then the first one's counts. Else InputError names every path that is claimed twice.
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


def _is_settled(there: Entry, entry: Entry, settled: set[str]) -> bool:
    """Say whether ``there`` does for both; ``settled`` gathers modules whose bytecode then does, too."""
    from build.zips.alike import are_equal, only_declare  # here: it imports this module, and is seldom needed

    module = f"{there.path.rpartition('/__pycache__/')[0]}/__init__.py"
    if module in settled or are_equal(there, entry):
        return True
    if not only_declare(there, entry):
        return False
    settled.add(there.path)
    return True


def _added(by_path: dict[str, Entry], *parts: Iterable[Entry]) -> dict[str, Entry]:
    clashes: list[str] = []
    settled: set[str] = set()
    for part in parts:
        for entry in part:
            there = by_path.setdefault(entry.path, entry)
            if there is not entry and not _is_settled(there, entry, settled):
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

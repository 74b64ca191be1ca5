"""Trees: what an archive will hold, as sorted entries that know where their compressed bytes are."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import deflate

from build.errors import InputError

STORED, DEFLATED = 0, 8
"""Zip compression methods; Lambda accepts both."""

_LEVEL = 6
_IGNORED_NAMES = frozenset({"__pycache__", ".DS_Store", ".git", ".gitkeep"})
_IGNORED_SUFFIXES = frozenset({".pyc", ".pyo", ".swp"})
_EMACS_LOCK = ".#"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive."""

    path: str
    """With ``/``, relative to the archive's root."""
    executable: bool
    method: int
    crc32: int
    compressed_bytes: int
    size_bytes: int
    source: Path | bytes
    """A file that holds the compressed bytes at ``offset``, or the bytes themselves."""
    offset: int
    owner: str
    """Who brings it, for messages and sizes: a distribution, or the folder itself."""


Tree = tuple[Entry, ...]
"""Entries sorted by path, each path once."""


def entry_of(path: str, data: bytes, *, executable: bool, owner: str) -> Entry:
    """Return an entry that holds ``data``, compressed where that saves anything.

    libdeflate and not zlib: its bytes do not depend on what zlib Python was built with.
    """
    packed = bytes(deflate.deflate_compress(data, _LEVEL))
    smaller = len(packed) < len(data)
    return Entry(
        path=path,
        executable=executable,
        method=DEFLATED if smaller else STORED,
        crc32=deflate.crc32(data),
        compressed_bytes=len(packed) if smaller else len(data),
        size_bytes=len(data),
        source=packed if smaller else data,
        offset=0,
        owner=owner,
    )


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of a src/ folder, read."""

    path: str
    executable: bool
    data: bytes


def read_source(folder: Path, root: Path) -> tuple[SourceFile, ...]:
    """Return the files below ``folder``, sorted by path; a folder that is not there is empty.

    Left out are bytecode, git's own and editors' files. The owner's execute bit decides the mode. A link to
    a file below ``root``, the repository, is that file. Raises InputError with all that cannot ship.
    """
    files, problems = [], []
    for path in _walk(folder):
        problem = _problem(path, root)
        if problem:
            shown = os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace")
            problems.append(f"{shown}: {problem}")
        elif path.is_file():
            executable = bool(path.stat().st_mode & stat.S_IXUSR)
            files.append(SourceFile(path.relative_to(folder).as_posix(), executable, path.read_bytes()))
    if problems:
        raise InputError(
            "files that cannot ship",
            facts=sorted(problems),
            hint="rename them, or put what they lead to in their place, then run `invoke build`",
        )
    return tuple(sorted(files, key=lambda file: file.path))


def pack(files: Iterable[SourceFile], *, owner: str) -> Tree:
    """Return ``files`` as compressed entries."""
    return tuple(entry_of(file.path, file.data, executable=file.executable, owner=owner) for file in files)


def below(prefix: str, tree: Iterable[Entry]) -> Tree:
    """Return ``tree`` moved into the folder ``prefix``, which may be empty."""
    if not prefix:
        return tuple(tree)
    return tuple(replace(entry, path=str(PurePosixPath(prefix, entry.path))) for entry in tree)


def merge(*parts: Iterable[Entry]) -> Tree:
    """Return all entries as one tree.

    Two owners may bring the same file if its bytes are the same; else InputError names every
    path that is claimed twice.
    """
    by_path: dict[str, Entry] = {}
    clashes: list[str] = []
    for part in parts:
        for entry in part:
            there = by_path.setdefault(entry.path, entry)
            if (there.crc32, there.size_bytes) != (entry.crc32, entry.size_bytes):
                clashes.append(f"{entry.path}: in {there.owner} and, with other bytes, in {entry.owner}")
    if clashes:
        raise InputError(
            "two owners bring the same file",
            facts=clashes,
            hint="rename the file in src/, or drop one of the distributions and run `invoke lock`",
        )
    return tuple(by_path[path] for path in sorted(by_path))


def _walk(folder: Path) -> Iterator[Path]:
    """Yield everything below ``folder`` but what is ignored; links to folders are yielded and not followed."""
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not _is_ignored(name)]
        yield from (Path(parent, name) for name in (*folders, *files) if not _is_ignored(name))


def _problem(path: Path, root: Path) -> str | None:
    """Say why ``path`` cannot ship; None if it can."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        return "expected a name in UTF-8"
    if path.is_symlink():
        if path.is_dir():
            return "a link to a folder, which a zip cannot hold"
        if not path.exists():
            return "a link that leads nowhere"
        if not path.resolve().is_relative_to(root.resolve()):
            return "a link that leads out of the repository"
    return None if path.is_file() or path.is_dir() else "neither a file nor a folder"


def _is_ignored(name: str) -> bool:
    return name in _IGNORED_NAMES or Path(name).suffix in _IGNORED_SUFFIXES or name.startswith(_EMACS_LOCK)

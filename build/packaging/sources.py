"""The src/ folder of a function or layer: which of its files ship, and their entries."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from build.digest import Digest
from build.errors import InputError, ToolError
from build.zips.spill import Spill
from build.zips.trees import Tree

_IGNORED_NAMES = frozenset(
    """
    __pycache__ .mypy_cache .pytest_cache .ruff_cache .hypothesis .ipynb_checkpoints .coverage .coveragerc .tox
    .git .gitkeep .gitignore .gitattributes .hg .svn .venv .idea .vscode .DS_Store Thumbs.db .terraform node_modules
    """.split()
)
_IGNORED_SUFFIXES = tuple(".pyc .pyo .swp .swo .orig .rej .bak .tfstate .tfstate.backup .tfvars ~".split())
_EMACS_LOCK = ".#"
_WHOLE_BYTES = 32 << 20
"""Larger files are stored as they are: libdeflate wants a whole file in memory, and what is so large is data that
is packed already, more often than not."""
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of a src/ folder, read once; its bytes stay on disk."""

    path: str
    """Below src/, with ``/``."""
    executable: bool
    place: Path
    digest: Digest
    size_bytes: int


def read_source(folder: Path, root: Path) -> tuple[SourceFile, ...]:
    """Return the files below ``folder``, sorted by path; a folder that is not there is empty.

    Left out are bytecode, .env files, and what git, editors, Terraform and caches leave behind. The owner's
    execute bit decides the mode. A link to a file below ``root``, the repository, is that file. Raises InputError
    with all that cannot ship.
    """
    files, problems = [], []
    for path in _walk(folder):
        problem = _problem(path, root)
        if problem:
            shown = os.fsencode(path.relative_to(root)).decode("utf-8", "backslashreplace")
            problems.append(f"{shown}: {problem}")
        elif path.is_file():
            files.append(_read(path, path.relative_to(folder).as_posix()))
    if problems:
        raise InputError(
            "files that cannot ship",
            facts=sorted(problems),
            hint="rename them, or put what they lead to in their place, then run `invoke build`",
        )
    return tuple(sorted(files, key=lambda file: file.path))


def env_files(folder: Path) -> tuple[str, ...]:
    """Return the .env files below ``folder``, which `read_source` leaves out although code may want them."""
    found: list[str] = []
    for parent, folders, names in os.walk(folder):
        found += (Path(parent, name).relative_to(folder).as_posix() for name in names if _is_env(name))
        folders[:] = [name for name in folders if not _is_ignored(name)]
    return tuple(sorted(found))


def pack(files: Iterable[SourceFile], spill: Spill, *, owner: str) -> Tree:
    """Return ``files`` as entries, compressed into ``spill``; raise ToolError if one changed since it was read."""
    entries = []
    for file in files:
        sha256 = hashlib.sha256()
        if file.size_bytes <= _WHOLE_BYTES:
            data = file.place.read_bytes()
            sha256.update(data)
            entries.append(spill.add(file.path, data, executable=file.executable, owner=owner))
        else:
            entries.append(spill.store(file.path, _chunks(file, sha256), executable=file.executable, owner=owner))
        if sha256.hexdigest() != file.digest.hex:  # a key that says one thing must never lead to another
            raise ToolError(f"{file.place} changed while it was being built", hint="run the same command again")
    return tuple(entries)


def _read(place: Path, path: str) -> SourceFile:
    with place.open("rb") as stream:
        status = os.fstat(stream.fileno())
        digest = Digest.of_stream(stream)
    executable = bool(status.st_mode & stat.S_IXUSR)
    return SourceFile(path=path, executable=executable, place=place, digest=digest, size_bytes=status.st_size)


def _chunks(file: SourceFile, sha256: "hashlib._Hash") -> Iterator[bytes]:
    with file.place.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            sha256.update(chunk)
            yield chunk


def _walk(folder: Path) -> Iterator[Path]:
    """Yield everything below ``folder`` but what is ignored; links to folders are yielded and not followed."""
    for parent, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not _is_ignored(name)]
        yield from (Path(parent, name) for name in (*folders, *files) if not _is_ignored(name))


def _problem(path: Path, root: Path) -> str | None:
    """Say why ``path`` cannot ship; None if it can."""
    try:
        path.name.encode()
    except UnicodeEncodeError:
        return "expected a name in UTF-8"
    if "\\" in path.name or not path.name.isprintable():
        return "expected a name without backslashes and control characters"
    if path.is_symlink():
        if path.is_dir():
            return "a link to a folder, which a zip cannot hold"
        if not path.exists():
            return "a link that leads nowhere"
        if not path.resolve().is_relative_to(root.resolve()):
            return "a link that leads out of the repository"
    return None if path.is_file() or path.is_dir() else "neither a file nor a folder"


def _raise(reason: OSError) -> None:
    if not isinstance(reason, FileNotFoundError):  # a layer may have no src/
        raise reason


def _is_ignored(name: str) -> bool:
    is_left_behind = name in _IGNORED_NAMES or name.endswith(_IGNORED_SUFFIXES) or name.startswith(_EMACS_LOCK)
    return is_left_behind or _is_env(name)


def _is_env(name: str) -> bool:
    return name == ".envrc" or name.startswith(".env.") or name.endswith(".env")

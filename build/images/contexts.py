"""The folder that a Dockerfile copies from: the digest of all that a tool is given of it.

What ``.dockerignore`` leaves out does not count, by the rules of
https://docs.docker.com/build/concepts/context/#dockerignore-files. Where a tool may read another file instead,
everything counts: that costs at most a build in which the tool itself finds that nothing changed.
"""

import json
import os
import posixpath
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from build.digest import Digest

IGNORE = ".dockerignore"
_OTHERS = (".containerignore", "Dockerfile.dockerignore")
_WORDS = re.compile(r"\*\*/?|\*|\?|\\.|.", re.DOTALL)


def digest_of(folder: Path) -> Digest:
    """Return the digest of the paths, modes, links and bytes below ``folder`` that a tool is given."""
    patterns: list[str] = []
    if (folder / IGNORE).is_file() and not any((folder / name).exists() for name in _OTHERS):
        patterns = (folder / IGNORE).read_text("utf-8").splitlines()
    try:
        ignored = _Ignored(patterns)
    except re.error:  # the tool will say so
        ignored = _Ignored([])
    rows = [_row(path, name) for path, name in _walk(folder) if not ignored(name)]
    return Digest.of_bytes(json.dumps(sorted(rows)).encode())


def _walk(folder: Path) -> Iterator[tuple[Path, str]]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            yield path, path.relative_to(folder).as_posix()


def _row(path: Path, name: str) -> tuple[str, int, str]:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        said = f"to {path.readlink()}"
    else:
        said = Digest.of_file(path).hex if stat.S_ISREG(status.st_mode) else ""
    return name, status.st_mode, said


class _Ignored:
    """The patterns of an ignore file: the last one that matches a path, or a folder around it, decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._patterns = []
        for line in lines:
            word = "" if line.startswith("#") else line.strip()
            back = word.startswith("!")
            cleaned = posixpath.normpath(word.removeprefix("!").strip()).lstrip("/") if word.removeprefix("!") else "."
            if cleaned != ".":
                self._patterns.append((re.compile(_expression(cleaned)), not back))

    def __call__(self, name: str) -> bool:
        parts = name.split("/")
        around = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        is_ignored = False
        for pattern, ignores in self._patterns:
            if ignores != is_ignored and any(map(pattern.fullmatch, around)):
                is_ignored = ignores
        return is_ignored


def _expression(pattern: str) -> str:
    """Return ``pattern`` as a regular expression; ``[…]`` is one already."""
    pieces = []
    for match in _WORDS.finditer(pattern):
        word = match[0]
        if word.startswith("**"):
            pieces.append(".*" if match.end() == len(pattern) else "(.*/)?")
        elif word in {"*", "?"}:
            pieces.append("[^/]*" if word == "*" else "[^/]")
        else:
            pieces.append(word if word in "[]-^" else re.escape(word[-1]))
    return "".join(pieces)

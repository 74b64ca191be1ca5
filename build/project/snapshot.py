"""Whether anything a build reads has changed, told from file system metadata alone, as git's index does."""

import hashlib
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from build.project.search import searched

_READ = ("functions", "layers", "build", "slipway.toml", "base-images.toml", "requirements.txt")
_RACY_NS = 50_000_000
"""File systems tick: what was written in the same tick as it was looked at may change again under the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of everything a build reads."""

    digest: str
    """Hex; equal for two snapshots between which nothing was written."""
    taken_ns: int
    """When it was begun."""
    newest_ns: int
    """When the youngest file changed last."""

    def was_settled_at(self, moment_ns: int) -> bool:
        """Tell whether no file changed since ``moment_ns``, or so shortly before that a change might not show."""
        return self.newest_ns < moment_ns - _RACY_NS


def snapshot(root: Path, beside: Iterable[str] = ()) -> Snapshot:
    """Look at the repository at ``root``, at its projects ``beside`` functions and layers, and for interpreters.

    Bytecode is passed over, and so is what git and Terraform keep in folders with a dot.
    """
    sha256 = hashlib.sha256(f"{root}\0{sys.version}\0{os.environ.get('PATH')}\n".encode("utf-8", "surrogateescape"))
    taken, newest = time.time_ns(), 0
    for path, status in _files(str(root / name) for name in (*_READ, *beside)):
        newest = max(newest, status.st_ctime_ns, status.st_mtime_ns)
        seen = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)
        sha256.update(f"{path}\0{seen}\n".encode("utf-8", "surrogateescape"))
    for place in searched():
        try:
            sha256.update(f"{place}\0{place.stat().st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
        except OSError:
            continue
    return Snapshot(digest=sha256.hexdigest(), taken_ns=taken, newest_ns=newest)


def _files(
    paths: Iterable[str], linked: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[tuple[str, os.stat_result]]:
    """Yield every file with its status; links are followed, those to folders once on every way down."""
    for path in paths:
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except NotADirectoryError:
            yield path, Path(path).stat()
            continue
        except FileNotFoundError:
            continue
        folders = []
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    folders.append(entry.path)
                continue
            try:
                status = entry.stat()
            except OSError:
                status = entry.stat(follow_symlinks=False)
            yield entry.path, status
            place = (status.st_dev, status.st_ino)
            if stat.S_ISDIR(status.st_mode) and place not in linked:
                yield from _files([entry.path], linked | {place})
        yield from _files(folders, linked)

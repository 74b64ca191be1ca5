"""The store: wheels, bytecode and artifacts by digest, and what was worked out about them.

Everything is written under a temporary name and renamed, so a reader never sees half a file, two
builds may run at once, and a build that is killed loses only its own work.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from build.digest import Digest
from build.errors import FindingsError

FORMAT = 2
"""Of bytecode and artifacts, part of their keys. Raise it when the same inputs shall give other bytes."""

_ABANDONED_AFTER_S = 24 * 3600
_KEPT_AT_S = 315_532_800
"""1980-01-01. A file of the store with another time was written to since it was kept."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Store:
    """A content-addressed folder."""

    root: Path

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield an empty folder on the store's file system; it is gone afterwards."""
        parent = self.root / "tmp"
        parent.mkdir(parents=True, exist_ok=True)
        _sweep(parent)
        folder = Path(tempfile.mkdtemp(dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def wheel(self, digest: Digest, filename: str) -> Path:
        """Return where the wheel with ``digest`` is, or would be."""
        return self.root / "wheels" / digest.hex / filename

    def artifact(self, digest: Digest) -> Path:
        """Return where the artifact with ``digest`` is, or would be."""
        return self.root / "artifacts" / f"{digest.hex}.zip"

    def bytecode(self, key: Digest) -> Path:
        """Return where the bytecode made from ``key`` is, or would be."""
        return self.root / "bytecode" / f"{key.hex}.zip"

    def keep(self, temporary: Path, final: Path) -> Path:
        """Move a finished file from a scratch folder to its ``final`` place, dated so that `trusted` knows it."""
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary.chmod(0o644)
        os.utime(temporary, (_KEPT_AT_S, _KEPT_AT_S))
        return temporary.replace(final)

    def recall(self, subject: str, key: Digest, read: Callable[[Any], _T]) -> _T | None:
        """Return what ``read`` makes of what was remembered about ``key``.

        None if nothing was, or if ``read`` raises LookupError, TypeError or ValueError: a torn note,
        or one that another Slipway wrote in another shape, counts as forgotten.
        """
        try:
            return read(json.loads(self._note(subject, key).read_bytes()))
        except (FileNotFoundError, LookupError, TypeError, ValueError):
            return None

    def remember(self, subject: str, key: Digest, value: object) -> None:
        """Keep ``value`` (JSON) about ``key``; it must follow from ``key`` alone."""
        with self.scratch() as folder:
            note = folder / "note"
            note.write_text(json.dumps(value, sort_keys=True), encoding="utf-8")
            self.keep(note, self._note(subject, key))

    def _note(self, subject: str, key: Digest) -> Path:
        return self.root / "notes" / subject / f"{key.hex}.json"


@cache
def _sweep(parent: Path) -> None:
    """Remove what killed builds left behind; once in a process is enough."""
    oldest = time.time() - _ABANDONED_AFTER_S
    for leftover in parent.iterdir():
        with suppress(FileNotFoundError):  # others come and go
            if leftover.stat().st_mtime < oldest:
                shutil.rmtree(leftover, ignore_errors=True)


def untouched(path: Path) -> bool:
    """Tell whether the store has ``path``, and nothing wrote to it since it was kept."""
    try:
        return path.stat().st_mtime == _KEPT_AT_S
    except FileNotFoundError:
        return False


def trusted(path: Path, digest: Digest) -> Path:
    """Return ``path`` of the store; one that was written to since it was kept must be `verified` first."""
    if not untouched(path):
        verified(path, digest)
        os.utime(path, (_KEPT_AT_S, _KEPT_AT_S))
    return path


def verified(path: Path, digest: Digest) -> Path:
    """Return ``path``, a wheel or artifact, if its bytes have ``digest``; else remove it and raise FindingsError."""
    got = Digest.of_file(path)
    if got == digest:
        return path
    path.unlink(missing_ok=True)
    raise FindingsError(
        f"{path.name} in the store is not the file that was put there",
        facts=[f"expected {digest}", f"got {got}", f"removed {path}"],
        hint="run the same command again: it is fetched or made anew",
    )

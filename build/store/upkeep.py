"""Look after a store: what it holds, whether that is what it was, and what may go."""

import json
import os
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from build.digest import Digest
from build.errors import FindingsError
from build.store.objects import ABANDONED_AFTER_S, Store, in_use, trust, untouched, verified

KINDS = ("wheels", "bytecode", "artifacts", "blobs", "notes", "tools", "tmp")
"""Folders of a store. In ``tools`` and ``tmp`` (what is being made, or was when a build died) a folder is one thing."""
_DEPTH = {"wheels": 2, "notes": 2}
_HEX = re.compile(rb"[0-9a-f]{64}")
_TOLD_EVERY_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One object of a store."""

    kind: str
    path: Path
    size_bytes: int
    age_s: float
    """Since it came here. A hard link made to it counts, too: what is exposed is young."""


def contents(store: Store) -> Iterator[Stored]:
    """Yield everything in ``store``, kind by kind. What vanishes meanwhile is passed over."""
    now = time.time()
    for kind in KINDS:
        for path in sorted((store.root / kind).glob("/".join("*" * _DEPTH.get(kind, 1)))):
            with suppress(FileNotFoundError):
                inside = [each.stat() for each in path.rglob("*") if each.is_file()] if path.is_dir() else []
                status = path.stat()
                size_bytes = sum(each.st_size for each in inside) if path.is_dir() else status.st_size
                yield Stored(kind=kind, path=path, size_bytes=size_bytes, age_s=max(now - status.st_ctime, 0))


def verify(store: Store, *, on_progress: Callable[[str], None]) -> list[str]:
    """Look at every byte of ``store``; remove what is damaged and return a line for each such object.

    Wheels, artifacts and layers have their digest in their name. Bytecode must be a sound zip that nothing wrote to
    since, notes must be JSON. What has the right bytes is trusted again, whoever touched it.
    """
    objects = [each for each in contents(store) if each.kind in {"wheels", "bytecode", "artifacts", "blobs", "notes"}]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        problems = pool.map(_problem, objects)
        found = list(_told(zip(objects, problems, strict=True), objects, on_progress))
    lines = []
    for each, problem in found:
        each.path.unlink(missing_ok=True)
        lines.append(f"{each.path.relative_to(store.root)}: {problem}; removed")
    return lines


def _told(
    looked_at: Iterable[tuple[Stored, str | None]], objects: Collection[Stored], on_progress: Callable[[str], None]
) -> Iterator[tuple[Stored, str]]:
    """Yield what has a problem, and tell how far it is."""
    total, done, told_at = sum(each.size_bytes for each in objects), 0, time.monotonic()
    for number, (each, problem) in enumerate(looked_at, start=1):
        done += each.size_bytes
        if time.monotonic() - told_at > _TOLD_EVERY_S:
            told_at = time.monotonic()
            on_progress(f"{number} of {len(objects)} objects, {done / 1e6:.0f} of {total / 1e6:.0f} MB")
        if problem:
            yield each, problem


def _problem(each: Stored) -> str | None:
    """Say what is wrong with an object; None if nothing is, or if it is gone meanwhile."""
    path = each.path
    try:
        match each.kind:
            case "wheels":
                trust(verified(path, Digest.parse(path.parent.name)))
            case "artifacts" | "blobs":
                trust(verified(path, Digest.parse(path.stem)))
            case "notes":
                json.loads(path.read_bytes())
            case _:
                return _problem_of_bytecode(path)
    except FileNotFoundError:
        return None
    except FindingsError as wrong:
        return ", ".join(wrong.facts[:2])
    except (OSError, ValueError) as reason:
        return str(reason)
    return None


def _problem_of_bytecode(path: Path) -> str | None:
    if not untouched(path):
        return "something wrote to it"
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except zipfile.BadZipFile as reason:
        return str(reason)
    return f"{bad} is damaged" if bad else None


def prune(
    store: Store,
    needed: Collection[Path],
    *,
    keep_s: float,
    dry_run: bool,
    on_wait: Callable[[], None],
    on_found: Callable[[list[Stored]], None],
) -> int:
    """Remove what is older than ``keep_s`` seconds, not ``needed``, and spoken of by no note that stays.

    Returns how many bytes that are; ``on_found`` is told before anything goes, and ``dry_run`` leaves it at that.
    Waits for builds that run, and lets those that begin meanwhile wait.
    """
    with in_use(store.root, alone=True, on_wait=on_wait):
        going = superfluous(list(contents(store)), needed, keep_s)
        on_found(going)
        if not dry_run:
            for each in going:
                _remove(each.path)
    return sum(each.size_bytes for each in going)


def superfluous(objects: Collection[Stored], needed: Collection[Path], keep_s: float) -> list[Stored]:
    """Return what of ``objects`` is old, and neither needed nor spoken of by a note that is kept."""
    kept, needed = set(), frozenset(needed)
    for each in objects:
        youngest_s = max(keep_s, ABANDONED_AFTER_S) if each.kind == "tmp" else keep_s
        if each.age_s < youngest_s or each.path in needed:
            kept.add(each.path)
    notes = (each.path for each in objects if each.kind == "notes" and each.path in kept)
    spoken_of = {name for note in notes for name in _names_in(note)}
    return [
        each
        for each in objects
        if each.path not in kept and spoken_of.isdisjoint({each.path.stem, each.path.parent.name})
    ]


def _names_in(note: Path) -> Iterator[str]:
    """Yield every digest a note holds."""
    with suppress(FileNotFoundError):
        yield from (name.decode() for name in _HEX.findall(note.read_bytes()))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    path.unlink(missing_ok=True)
    with suppress(OSError):  # others are in it
        path.parent.rmdir()

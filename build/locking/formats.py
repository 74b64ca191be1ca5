"""Which files of a folder say what it wants and what it pins, and who reads them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from build.locking import pipfile_lock, poetry_lock, pylock_toml, requirements_txt, uv_lock
from build.locking.pyproject import Table, is_poetrys, wanted_by, wants_anything
from build.locking.reading import Reading, text_of, toml
from build.model import Target

PYPROJECT = "pyproject.toml"

PAIRS = {
    requirements_txt.LOCK: (requirements_txt.WANTED, PYPROJECT, None),
    uv_lock.LOCK: (PYPROJECT,),
    poetry_lock.LOCK: (PYPROJECT,),
    pipfile_lock.LOCK: (pipfile_lock.WANTED, None),
    pylock_toml.LOCK: (requirements_txt.WANTED, PYPROJECT, None),
}
"""Every lock, with the files whose lock it may be; None where it may stand alone."""


_EXPORTED = re.compile(r"^#\s+uv export\b", re.MULTILINE)
_HEAD_CHARS = 500
"""Where uv writes the command that a file was made by. What it exported from `uv.lock` is no source of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The pair of files that a folder's distributions come from."""

    wanted: str | None
    """The name of the file that says what is wanted."""
    lock: str | None
    """The name of the lock; `PAIRS` has its kind."""
    kind: str | None
    pyproject: Table
    problems: tuple[str, ...] = ()
    """What keeps the two from being a pair."""


def source_of(folder: Path, root: Path) -> Source:
    """Find the pair in ``folder`` of the repository at ``root``; both are None where nothing is wanted."""
    problems: list[str] = []
    pyproject: Table = {}
    try:
        pyproject = toml(text_of(folder / PYPROJECT) or "")
    except ValueError as reason:
        problems.append(f"{PYPROJECT}: {reason}")
    locks = [name for name in PAIRS if (folder / name).is_file()]
    pylock = pylock_toml.lock_of(folder)
    if pylock and pylock_toml.LOCK not in locks:
        locks.append(pylock)
    if uv_lock.LOCK in locks:
        locks = [name for name in locks if not _EXPORTED.search((text_of(folder / name) or "")[:_HEAD_CHARS])]
    wanted = [name for name in (requirements_txt.WANTED, pipfile_lock.WANTED) if (folder / name).is_file()]
    if wants_anything(pyproject) or (pyproject and {uv_lock.LOCK, poetry_lock.LOCK} & set(locks)):
        wanted.append(PYPROJECT)
        if not locks and uv_lock.lock_of(folder, root):
            locks.append(uv_lock.LOCK)  # that of the workspace around it
    lock, wish = next(iter(locks), None), next(iter(wanted), None)
    kind = lock if lock in PAIRS or lock is None else pylock_toml.LOCK
    problems += [
        f"expected one of {' and '.join(several)}, got both; keep the one that is meant"
        for several in (locks, wanted)
        if len(several) > 1
    ]
    text = (text_of(folder / lock) if lock else None) or ""
    if (wish, kind) == (PYPROJECT, requirements_txt.LOCK) and "sha256" not in text:
        problems.append(f"expected one of {wish} and {lock} to say what is wanted, got both")
    elif not problems and kind and wish not in PAIRS[kind]:
        pair = next(name for name in PAIRS[kind] if name)
        problems.append(f"{lock}: expected {pair} beside it, got {wish or 'none'}")
    return Source(wanted=wish, lock=lock, kind=kind, pyproject=pyproject, problems=tuple(problems))


def read(folder: Path, root: Path, targets: Iterable[Target]) -> Reading:
    """Read what ``folder`` wants and pins for ``targets``, whoever wrote it; what is wrong is in the answer."""
    source = source_of(folder, root)
    if source.problems:
        return Reading(lock=source.lock or "", problems=source.problems)
    if source.lock is None:
        return _without_lock(folder, root, source)
    readers: dict[str | None, Callable[[], Reading]] = {
        requirements_txt.LOCK: lambda: _requirements(folder, root, source),
        uv_lock.LOCK: lambda: uv_lock.read(folder, root, targets, source.pyproject),
        poetry_lock.LOCK: lambda: poetry_lock.read(folder, root, targets, source.pyproject),
        pipfile_lock.LOCK: lambda: pipfile_lock.read(folder, root, targets),
        pylock_toml.LOCK: lambda: _pylock(folder, root, targets, source),
    }
    return readers[source.kind]()


def lock_path(folder: Path, root: Path, source: Source) -> Path | None:
    """Return where the lock of ``source`` is: for a workspace of uv, in a folder around this one."""
    if source.kind == uv_lock.LOCK:
        return uv_lock.lock_of(folder, root)
    return folder / source.lock if source.lock else None


def _wishes(folder: Path, root: Path, source: Source) -> Reading:
    """Return what is wanted, without a lock."""
    if source.wanted == requirements_txt.WANTED:
        wanted = requirements_txt.wanted_in(folder, requirements_txt.WANTED, root)
        return Reading(
            lock=requirements_txt.LOCK,
            wanted=wanted.requirements,
            problems=wanted.problems,
            basis=wanted.basis,
            beside=wanted.beside,
        )
    if source.wanted == PYPROJECT:
        requirements, problems = wanted_by(source.pyproject)
        return Reading(
            lock=poetry_lock.LOCK if is_poetrys(source.pyproject) else uv_lock.LOCK,
            wanted=requirements,
            problems=tuple(f"{PYPROJECT}: {problem}" for problem in problems),
            basis=str(list(map(str, requirements))),
        )
    return Reading(lock="")


def _requirements(folder: Path, root: Path, source: Source) -> Reading:
    if source.wanted is None:
        return requirements_txt.read_alone(folder, root)
    wishes = _wishes(folder, root, source)
    found = requirements_txt.read(folder, root, wishes.wanted, wishes.basis)
    return replace(found, problems=(*wishes.problems, *found.problems), beside=(*wishes.beside, *found.beside))


def _pylock(folder: Path, root: Path, targets: Iterable[Target], source: Source) -> Reading:
    wishes = _wishes(folder, root, source)
    found = pylock_toml.read(folder, root, targets, source.lock or "", wishes.wanted)
    return replace(found, problems=(*wishes.problems, *found.problems), beside=wishes.beside)


def _without_lock(folder: Path, root: Path, source: Source) -> Reading:
    if source.wanted == pipfile_lock.WANTED:
        found = pipfile_lock.read(folder, root, ())
    else:
        found = _wishes(folder, root, source)
    if not found.wanted or found.problems:
        return found
    return replace(found, problems=(f"{found.lock}: expected a lock of {source.wanted}, got no file",))

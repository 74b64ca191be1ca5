"""Which files of a folder say what it wants and what it pins, and who reads them."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from build.locking import pipfile_lock, poetry_lock, pylock_toml, requirements_txt, uv_lock
from build.locking.pyproject import Table, are_dynamic, is_poetrys, wanted_by, wants_anything
from build.locking.reading import MALFORMED, Reading, by_hand, text_of, toml, unreadable
from build.locking.requirements import SO
from build.model import Target

PYPROJECT = "pyproject.toml"

PAIRS = {
    requirements_txt.LOCK: (requirements_txt.WANTED, PYPROJECT, None),
    uv_lock.LOCK: (PYPROJECT,),
    poetry_lock.LOCK: (PYPROJECT,),
    pipfile_lock.LOCK: (pipfile_lock.WANTED, None),
    pylock_toml.LOCK: (requirements_txt.WANTED, PYPROJECT, pipfile_lock.WANTED, None),
}
"""Every lock, with the files whose lock it may be; None where it may stand alone."""

_EXPORTED = {
    uv_lock.LOCK: re.compile(r"^#\s+uv export\b", re.MULTILINE),
    poetry_lock.LOCK: re.compile(r'^created-by = "poetry', re.MULTILINE),
    pipfile_lock.LOCK: re.compile(r'^created-by = "pipenv"', re.MULTILINE),
}
"""What the head of a file says that was made from this lock, and so is no source of its own."""
_HEAD_CHARS = 500


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
    wants = is_dynamic = False
    try:
        pyproject = toml(text_of(folder / PYPROJECT) or "")
        wants, is_dynamic = wants_anything(pyproject), are_dynamic(pyproject)
    except MALFORMED as reason:
        problems.append(unreadable(PYPROJECT, reason, "mend it"))
    locks = _locks_in(folder)
    wanted = [name for name in (requirements_txt.WANTED, pipfile_lock.WANTED) if (folder / name).is_file()]
    is_in_workspace = not locks and uv_lock.lock_of(folder, root) is not None
    is_any_locked = bool(pyproject and {uv_lock.LOCK, poetry_lock.LOCK} & set(locks))
    if wants or is_any_locked or (is_in_workspace and is_dynamic):
        wanted.append(PYPROJECT)
        locks += [uv_lock.LOCK] if is_in_workspace else []
    lock, wish = next(iter(locks), None), next(iter(wanted), None)
    kind = lock if lock in PAIRS or lock is None else pylock_toml.LOCK
    plain = requirements_txt.LOCK
    if (wish, kind) == (PYPROJECT, plain) and "sha256" not in (text_of(folder / plain) or ""):
        wanted.append(plain)
    for several, what in ((locks, "lock"), (wanted, "file that says what is wanted")):
        if len(several) > 1:
            first, *others = several
            problems.append(
                f"{first}: expected one {what}, got {' and '.join(others)} too{SO}keep the one that is meant"
            )
    if not problems and kind and wish not in PAIRS[kind]:
        pair = next(name for name in PAIRS[kind] if name)
        problems.append(f"{lock}: expected {pair} beside it, got {wish or 'none'}{SO}keep files that belong together")
    return Source(wanted=wish, lock=lock, kind=kind, pyproject=pyproject, problems=tuple(problems))


def wanted_file(folder: Path) -> str:
    """Return the name of the file in ``folder`` that says what it wants, or that is the one to say it in."""
    source = source_of(folder, folder)
    if source.wanted or source.lock == requirements_txt.LOCK:
        return source.wanted or requirements_txt.LOCK
    return PYPROJECT if "project" in source.pyproject else requirements_txt.WANTED


def _locks_in(folder: Path) -> list[str]:
    """Return the names of the locks in ``folder``, but for those that were made from another one there."""
    pylock = pylock_toml.lock_of(folder)
    locks = [name for name in dict.fromkeys([*PAIRS, pylock or ""]) if name and (folder / name).is_file()]
    if len(locks) < 2:
        return locks
    exported = [head for name, head in _EXPORTED.items() if name in locks]
    heads = {name: (text_of(folder / name) or "")[:_HEAD_CHARS] for name in locks}
    return [name for name in locks if not any(head.search(heads[name]) for head in exported)]


def read(folder: Path, root: Path, targets: Iterable[Target]) -> Reading:
    """Read what ``folder`` wants and pins for ``targets``, whoever wrote it; what is wrong is in the answer."""
    source = source_of(folder, root)
    if source.problems:
        return Reading(lock=source.lock or "", problems=source.problems)
    try:
        found = _read(folder, root, targets, source)
    except MALFORMED as reason:
        return Reading(lock=source.lock or "", problems=(unreadable(source.lock or PYPROJECT, reason),))
    if found.wanted is not None or found.unpinned or source.kind is None:
        return found
    where = PAIRS[source.kind][0]
    alone = (by_hand(problem, f"write what is wanted into {where} beside it") for problem in found.problems)
    return replace(found, problems=tuple(alone))


def _read(folder: Path, root: Path, targets: Iterable[Target], source: Source) -> Reading:
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
    if source.wanted == pipfile_lock.WANTED:
        return pipfile_lock.read(folder, root, ())
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
    found = _wishes(folder, root, source)
    if not found.wanted or found.problems:
        return found
    return replace(found, problems=(f"{found.lock}: expected a lock of {source.wanted}, got no file",))

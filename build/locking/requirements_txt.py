"""`requirements.in` with `requirements.txt`, and a `requirements.txt` alone, as people have it."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement

from build.locking.places import Base, masked, pin_at, search_option, source_paths, spot_of, wished_url
from build.locking.reading import Reading, by_hand, text_of
from build.locking.requirements import Pin, Pins, Reference, parse_lock, parse_wanted

WANTED, LOCK = "requirements.in", "requirements.txt"
_NAMES_OTHERS = re.compile(r"^\s*(-r|--requirement)", re.MULTILINE)
_ANY_SHA256 = frozenset({"0" * 64})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file of wishes with all that it names by ``-r``."""

    requirements: tuple[Requirement, ...]
    problems: tuple[str, ...]
    basis: str
    """The texts of all of them, and of the constraints they name."""
    beside: tuple[Path, ...]
    """Those that stand outside the folder."""
    has_places: bool
    """True when a line has a path, which pip and uv look up from where they run."""


def read(folder: Path, root: Path, wanted: tuple[Requirement, ...] | None, basis: str) -> Reading:
    """Read the lock of ``folder``; ``wanted`` is what another file of it says, whose text is in ``basis``."""
    texts, problems = _files(folder / LOCK, root)
    pins, found = _pins(texts, Base(folder, root))
    return Reading(
        lock=LOCK,
        wanted=wanted,
        pins=pins,
        problems=(*problems, *found),
        basis=f"{basis}\0" + "\0".join(text for _, text in texts),
        beside=_beside((path for path, _ in texts), Base(folder, root)),
    )


def read_alone(folder: Path, root: Path) -> Reading:
    """Read a `requirements.txt` that has no `requirements.in`: it is a lock, or says what is wanted."""
    texts, _ = _files(folder / LOCK, root)
    parsed = [parse_lock(text) for _, text in texts]
    if any(each.hashed for each in parsed) or not any(each.problems or each.references for each in parsed):
        return read(folder, root, None, "")
    wanted = wanted_in(folder, LOCK, root)
    return Reading(
        lock=LOCK,
        wanted=wanted.requirements,
        problems=wanted.problems,
        basis=wanted.basis,
        beside=wanted.beside,
        unpinned=True,
    )


def read_provisional(reading: Reading, lock: Path, folder: Path, root: Path) -> Reading:
    """Return ``reading`` with the pins of ``lock``, a file elsewhere that was made for it."""
    text = text_of(lock) or ""
    pins, problems = _pins([(folder / LOCK, text)], Base(folder, root))
    return replace(reading, pins=pins, problems=tuple(problems), basis=f"{reading.basis}\0{text}")


def wanted_in(folder: Path, name: str, root: Path) -> Wanted:
    """Read what the file called ``name`` in ``folder`` wants, with all that it includes."""
    texts, problems = _files(folder / name, root)
    base = Base(folder, root)
    requirements: list[Requirement] = []
    has_places = False
    for path, text in texts:
        parsed = parse_wanted(text)
        problems += [f"{_shown(path, base)}:{problem}" for problem in parsed.problems]
        requirements += parsed.requirements
        has_places = has_places or bool(parsed.references)
        for reference in parsed.references:
            wish = _wish(reference, base)
            if isinstance(wish, str):
                problems.append(f"{_shown(path, base)}:{reference.number}: {wish}")
            else:
                requirements.append(wish)
    constraints = _constraints(texts, root)
    return Wanted(
        requirements=tuple(requirements),
        problems=tuple(by_hand(problem, "mend the line") for problem in problems),
        basis="\0".join([*(text for _, text in texts), *constraints.values()]),
        beside=_beside((*(path for path, _ in texts), *constraints), base),
        has_places=has_places,
    )


def _constraints(texts: Iterable[tuple[Path, str]], root: Path) -> dict[Path, str]:
    """Return the files that ``texts`` name by ``-c``, and all that those name, with their texts."""
    found: dict[Path, str] = {}
    pending = [(path, other) for path, text in texts for other in parse_wanted(text).constraints]
    while pending:
        by, said = pending.pop(0)
        place = Base(by.parent, root).path(said) or (by.parent / said).resolve()
        if place not in found and (text := text_of(place)) is not None:
            found[place] = text
            inner = parse_wanted(text)
            pending += [(place, other) for other in (*inner.constraints, *inner.others)]
    return found


def _beside(paths: Iterable[Path], base: Base) -> tuple[Path, ...]:
    """Return the files among ``paths`` that stand elsewhere in the repository."""
    others = (path for path in paths if path.is_relative_to(base.root) and not path.is_relative_to(base.folder))
    return tuple(path for path in others if path.is_file())


def _wish(reference: Reference, base: Base) -> Requirement | str:
    url = wished_url(reference.place, reference.sha256s)
    sha256s = reference.sha256s or (_ANY_SHA256 if url else frozenset())
    found = pin_at(reference.place, base, name=reference.name, sha256s=sha256s)
    if isinstance(found, str):
        return found
    extras = f"[{','.join(sorted(reference.extras))}]" if reference.extras else ""
    wish = Requirement(f"{found.name}{extras}")
    wish.marker = reference.marker
    wish.url = url or spot_of(found, base)
    return wish


def _pins(texts: list[tuple[Path, str]], base: Base) -> tuple[tuple[Pin, ...], list[str]]:
    pins: list[Pin] = []
    problems: list[str] = []
    for path, text in texts:
        parsed = parse_lock(text)
        shown = _shown(path, base)
        problems += [f"{shown}:{problem}" for problem in parsed.problems]
        options = tuple(_options(parsed, base))
        pins += [replace(pin, options=options) for pin in parsed.pins] if options else parsed.pins
        for each in parsed.references:
            found = pin_at(each.place, base, name=each.name, marker=each.marker, sha256s=each.sha256s)
            if isinstance(found, str):
                problems.append(f"{shown}:{each.number}: {found}")
            else:
                pins.append(found)
    return tuple(dict.fromkeys(pins)), problems  # files that name each other may say the same


def _options(parsed: Pins, base: Base) -> Iterator[str]:
    for kind, value in parsed.options:
        option = search_option(kind, value, base)
        if option:
            yield option


def _files(path: Path, root: Path) -> tuple[list[tuple[Path, str]], list[str]]:
    """Return ``path`` and every file that it includes, each once, with their texts; and a line for each missing one."""
    found: dict[Path, str] = {}
    problems: list[str] = []
    pending: list[tuple[Path | None, str]] = [(path, path.name)]
    while pending:
        place, said = pending.pop(0)
        if place in found:
            continue
        text = text_of(place) if place else None
        if place is None or text is None:
            problems.append(f"{path.name}: -r {masked(said)}: expected a file of this repository, got none")
            continue
        found[place] = text
        if _NAMES_OTHERS.search(text):
            pending += [(Base(place.parent, root).path(other), other) for other in parse_wanted(text).others]
    return list(found.items()), problems


def _shown(path: Path, base: Base) -> str:
    return path.name if path.parent == base.folder else base.named(path)


def mend_places(folder: Path, wanted: str, lock: Path, root: Path) -> None:
    """Rewrite the paths in ``lock`` that uv took over from the local projects in ``wanted`` as they stand there.

    uv writes the paths of wishes relative to where it runs, but those of a project's own ``[tool.uv.sources]``
    relative to that project, so they lead nowhere, or elsewhere.
    """
    base = Base(folder, root)
    before = text = text_of(lock) or ""
    said = {
        reference.place
        for path, wish in _files(folder / wanted, root)[0]
        for reference in parse_wanted(wish).references
    }
    places = dict(_places_of(said, base))
    for reference in parse_lock(text).references:
        if reference.place not in said and (path := places.get(reference.place)):
            right = Path(os.path.relpath(path, folder)).as_posix()
            text = re.sub(
                rf"^((?:-e )?){re.escape(reference.place)}(?=\s|$)", rf"\g<1>{right}", text, flags=re.MULTILINE
            )
    if text != before:
        draft = lock.with_name(f".{lock.name}")
        draft.write_text(text, encoding="utf-8")
        draft.replace(lock)


def _places_of(said: Iterable[str], base: Base) -> Iterator[tuple[str, Path]]:
    """Yield the paths that the projects at ``said``, and those they lead to, have as their sources."""
    pending = [path for place in said if "://" not in place and (path := base.path(place)) and path.is_dir()]
    seen: set[Path] = set()
    while pending:
        project = pending.pop()
        if project in seen:
            continue
        seen.add(project)
        for place in source_paths(project):
            path = Base(project, base.root).path(place)
            if path:
                yield place, path
                pending.append(path)

"""`uv.lock`: a graph, walked for each target from the project of the folder.

https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile. Its graph holds every extra and group; the walk
begins at the project's own dependencies and follows what they ask for, so nothing else is reached.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build.digest import Digest
from build.locking.places import Base, index_options, pin_at
from build.locking.pyproject import Table, are_dynamic, wanted_by
from build.locking.reading import (
    WIDEN,
    Chosen,
    Reading,
    environment_of,
    for_targets,
    holds,
    python_problem,
    sha256s_of,
    text_of,
    toml,
)
from build.locking.requirements import SO, Pin
from build.model import Target

LOCK = "uv.lock"
_LOCAL = ("editable", "virtual", "directory")


def lock_of(folder: Path, root: Path) -> Path | None:
    """Return the lock of the project in ``folder``: its own, or that of the workspace around it."""
    places = (folder, *(parent for parent in folder.parents if parent.is_relative_to(root)))
    return next((place / LOCK for place in places if (place / LOCK).is_file()), None)


def read(folder: Path, root: Path, targets: Iterable[Target], pyproject: Table) -> Reading:
    """Read what the project in ``folder`` needs on ``targets``; ``pyproject`` is its pyproject.toml."""
    wanted, problems = wanted_by(pyproject)
    path = lock_of(folder, root)
    text = (text_of(path) if path else None) or ""
    base = Base(path.parent if path else folder, root)
    where = Path(os.path.relpath(folder, base.folder)).as_posix()
    found = [f"pyproject.toml: {problem}" for problem in problems]
    pins: tuple[Pin, ...] = ()
    lock = toml(text)
    start = _project(lock, where)
    if start is None:
        found.append(f"{LOCK}: expected the project of this folder in it, got none")
    else:
        if are_dynamic(pyproject):
            wanted = tuple(_as_requirement(edge) for edge in _edges(start, [""]))
        graph = _Graph(lock, start)
        pins, wrong = for_targets(targets, lambda target: graph.chosen(target, base))
        found += [f"{LOCK}: {each}" for each in wrong]
        wanted = graph.really_wanted(wanted)
    return Reading(
        lock=LOCK,
        wanted=wanted,
        pins=pins,
        problems=tuple(found),
        overrides=_overrides(lock),
        basis=f"{wanted}\0{where}\0{text}",
        beside=() if path is None or path.parent == folder else (path,),
    )


def _overrides(lock: Table) -> frozenset[str]:
    """Return what `override-dependencies` and `exclude-dependencies` of the project's settings name."""
    manifest = lock.get("manifest", {})
    said = [*manifest.get("overrides", ()), *manifest.get("excludes", ())]
    return frozenset(canonicalize_name(each["name"] if isinstance(each, dict) else each) for each in said)


def _project(lock: Table, where: str) -> Table | None:
    if lock.get("version") != 1:
        msg = f"expected version 1, got {lock.get('version')}"
        raise ValueError(msg)
    for package in lock.get("package", ()):
        if any(package["source"].get(kind) == where for kind in _LOCAL):
            return dict(package)
    return None


class _Graph:
    """The packages of a lock, and the walk over them."""

    def __init__(self, lock: Table, start: Table) -> None:
        self._lock = lock
        self._start = start
        self._by_name: dict[str, list[Table]] = {}
        for package in lock.get("package", ()):
            self._by_name.setdefault(package["name"], []).append(package)

    def chosen(self, target: Target, base: Base) -> Chosen:
        """Yield what ``target`` needs."""
        environment = environment_of(target)
        if problem := python_problem(self._lock.get("requires-python"), target):
            yield problem + WIDEN
            return
        supported = self._lock.get("supported-markers", ())
        if supported and not any(holds(marker, environment) for marker in supported):
            yield (
                f"expected a lock that supports {target}, got one for {' or '.join(supported)}{SO}"
                "widen `environments` of [tool.uv] in pyproject.toml"
            )
            return
        for package in self._reached(environment):
            if "virtual" not in package["source"]:  # uv installs what it depends on, and not itself
                yield _pin(package, base)

    def really_wanted(self, wanted: Iterable[Requirement]) -> tuple[Requirement, ...]:
        """Return ``wanted`` with what virtual packages depend on in their place."""
        wishes: list[Requirement] = []
        pending, seen = list(wanted), set()
        while pending:
            wish = pending.pop(0)
            name = canonicalize_name(wish.name)
            packages = self._by_name.get(name, ())
            if len(packages) != 1 or "virtual" not in packages[0]["source"]:
                wishes.append(wish)
            elif name not in seen:
                seen.add(name)
                pending += [_as_requirement(edge) for edge in _edges(packages[0], ("", *wish.extras))]
        return tuple(wishes)

    def _reached(self, environment: Mapping[str, str]) -> Iterator[Table]:
        """Yield every package that the start needs, once."""
        pending = [(self._start, "")]
        seen = {(id(self._start), "")}
        told = {id(self._start)}
        while pending:
            package, extra = pending.pop()
            for edge in _edges(package, [extra]):
                if not holds(edge.get("marker"), environment):
                    continue
                needed = self._at(edge, environment)
                if id(needed) not in told:
                    told.add(id(needed))
                    yield needed
                for asked in ("", *edge.get("extra", ())):
                    if (id(needed), asked) not in seen:
                        seen.add((id(needed), asked))
                        pending.append((needed, asked))

    def _at(self, edge: Table, environment: Mapping[str, str]) -> Table:
        """Return the package that ``edge`` leads to: an edge says as much as is needed to tell it."""
        said = [
            package
            for package in self._by_name.get(edge["name"], ())
            if all(key not in edge or edge[key] == package.get(key) for key in ("version", "source"))
        ]
        fitting = [
            package
            for package in said
            if not (markers := package.get("resolution-markers"))
            or any(holds(marker, environment) for marker in markers)
        ]
        return (fitting or said or [{"name": edge["name"], "source": {}}])[0]


def _edges(package: Table, extras: Iterable[str]) -> Iterator[Any]:
    for extra in extras:
        optional = package.get("optional-dependencies", {})
        yield from optional.get(extra, ()) if extra else package.get("dependencies", ())


def _as_requirement(edge: Table) -> Requirement:
    extras = f"[{','.join(edge['extra'])}]" if edge.get("extra") else ""
    marker = f" ; {edge['marker']}" if edge.get("marker") else ""
    return Requirement(f"{edge['name']}{extras}{marker}")


def _pin(package: Table, base: Base) -> Pin | str:
    name, version, source = package["name"], str(package.get("version", "")), package["source"]
    files = [*([package["sdist"]] if "sdist" in package else []), *package.get("wheels", ())]
    sha256s = sha256s_of(file.get("hash") for file in files)
    if "registry" in source:
        sha256s = sha256s or _own_sha256s(files, source["registry"], base)
        if not sha256s:
            return f"{name} {version}: expected the sha256 of its files, got none"
        options = index_options(source["registry"], base)
        return Pin(name=canonicalize_name(name), version=version, marker=None, sha256s=sha256s, options=options)
    if "git" in source:
        return pin_at(f"git+{source['git']}", base, name=f"{name} {version}")
    place = next((source[kind] for kind in ("url", "path", *_LOCAL) if kind in source), None)
    if place is None:
        return f"{name}: expected where it comes from, got nothing"
    if source.get("subdirectory"):
        place = f"{place}#subdirectory={source['subdirectory']}"
    return pin_at(place, base, name=name, version=version, sha256s=sha256s)


def _own_sha256s(files: Iterable[Table], folder: str, base: Base) -> frozenset[str]:
    """Return the digests of files in a folder of the repository, for which uv writes none; git keeps those."""
    paths = [base.path(f"{folder}/{file['path']}") for file in files if "path" in file]
    return frozenset(Digest.of_file(path).hex for path in paths if path and path.is_file())

"""`poetry.lock`: of poetry 2.1 and later, whose packages say when they are needed, and of those before.

https://python-poetry.org/docs/basic-usage/#installing-with-poetrylock. The older ones are walked for each target from
what pyproject.toml wants, as poetry itself does when it installs from them.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from build.locking.places import Base, index_options, pin_at
from build.locking.pyproject import Table, alternatives, poetry_marker, poetry_ranges, wanted_by
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
from build.locking.requirements import Pin
from build.model import Target

LOCK = "poetry.lock"
_MAIN = "main"


def read(folder: Path, root: Path, targets: Iterable[Target], pyproject: Table) -> Reading:
    """Read what the project in ``folder`` needs on ``targets``; ``pyproject`` is its pyproject.toml."""
    wanted, problems = wanted_by(pyproject)
    found = [f"pyproject.toml: {problem}" for problem in problems]
    text = text_of(folder / LOCK) or ""
    base = Base(folder, root)
    pins: tuple[Pin, ...] = ()
    lock = toml(text)
    _refuse_unknown(str(lock.get("metadata", {}).get("lock-version", "1.0")))
    packages = [_Package(table, lock) for table in lock.get("package", ())]

    def choose(target: Target) -> Chosen:
        if problem := _python_problem(lock, target):
            yield problem + WIDEN
            return
        environment = environment_of(target)
        flat = all("groups" in package.table for package in packages)
        chosen = _flat(packages, environment) if flat else _Walk(packages, environment).chosen(wanted)
        for package in chosen:
            yield package if isinstance(package, str) else package.pin(base)

    pins, wrong = for_targets(targets, choose)
    found += [f"{LOCK}: {each}" for each in wrong]
    return Reading(
        lock=LOCK, wanted=wanted, pins=pins, problems=tuple(found), basis=f"{list(map(str, wanted))}\0{text}"
    )


def _refuse_unknown(version: str) -> None:
    if version.partition(".")[0] not in {"1", "2"}:
        msg = f"expected version 1 or 2, got {version}"
        raise ValueError(msg)


def _python_problem(lock: Table, target: Target) -> str | None:
    said = str(lock.get("metadata", {}).get("python-versions", "*"))
    problems = [python_problem(str(each), target) for each in poetry_ranges(said)]
    return problems[0] if all(problems) else None


class _Package:
    """One package of the lock."""

    def __init__(self, table: Table, lock: Table) -> None:
        self.table = table
        self.name = canonicalize_name(table["name"])
        self.version = str(table["version"])
        self.files = _files_of(table, lock)
        self.order = _order(self.version)
        self.constraints = [str(each) for each in poetry_ranges(str(table.get("python-versions", "*")))]

    def is_for(self, environment: Mapping[str, str]) -> bool:
        """Say whether the package is for the Python of ``environment``."""
        version = environment["python_full_version"]
        return any(each.contains(version, prereleases=True) for each in poetry_ranges(" || ".join(self.constraints)))

    def fits(self, wish: Requirement) -> bool:
        """Say whether the package is what ``wish`` asks for."""
        return canonicalize_name(wish.name) == self.name and wish.specifier.contains(self.version, prereleases=True)

    def wishes(self, extras: Iterable[str]) -> Iterator[tuple[Requirement, Mapping[str, str]]]:
        """Yield what it depends on, without extras and for ``extras``, and what ``extra`` is then."""
        by_extra = {
            canonicalize_name(extra): {canonicalize_name(Requirement(line).name) for line in lines}
            for extra, lines in self.table.get("extras", {}).items()
        }
        for name, said in self.table.get("dependencies", {}).items():
            for table in alternatives(said):
                wish = _wish(name, table)
                if not table.get("optional"):
                    yield wish, {}
                for extra in map(canonicalize_name, extras):
                    if table.get("optional") and canonicalize_name(name) in by_extra.get(extra, ()):
                        yield wish, {"extra": extra}

    def pin(self, base: Base) -> Pin | str:
        """Return the pin, or what is wrong with it."""
        source = self.table.get("source", {})
        kind, place = source.get("type", ""), source.get("url", "")
        sha256s = sha256s_of(file.get("hash") for file in self.files)
        if kind == "git":
            return pin_at(f"git+{place}", base, name=f"{self.name} {self.version}")
        if kind in {"url", "file", "directory"}:
            return pin_at(place, base, name=self.name, version=self.version, sha256s=sha256s)
        if not sha256s:
            return f"{self.name} {self.version}: expected the sha256 of its files, got none"
        options = index_options(place, base) if kind == "legacy" else ()
        return Pin(name=self.name, version=self.version, marker=None, sha256s=sha256s, options=options)


def _files_of(table: Table, lock: Table) -> list[Any]:
    """Return the files of a package: in its table since poetry 1.3, before that at the end, for all its versions."""
    metadata = lock.get("metadata", {})
    if "files" in table:
        return list(table["files"])
    if "hashes" in metadata:  # poetry 1.0
        return [{"hash": f"sha256:{each}"} for each in metadata["hashes"].get(table["name"], ())]
    by_name = metadata.get("files", {})
    return list(by_name.get(table["name"]) or by_name.get(canonicalize_name(table["name"])) or ())


def _order(version: str) -> Version:
    try:
        return Version(version)
    except InvalidVersion:
        return Version("0")


def _wish(name: str, table: Table) -> Requirement:
    extras = f"[{','.join(table['extras'])}]" if table.get("extras") else ""
    marker = poetry_marker(table)
    wish = Requirement(f"{name}{extras}{f' ; {marker}' if marker else ''}")
    try:
        ranges = poetry_ranges(str(table.get("version", "*")))
    except InvalidRequirement:
        return wish  # Old uploads have bounds that no tool can read; the lock was made all the same.
    if len(ranges) == 1:
        wish.specifier = ranges[0]
    return wish


def _flat(packages: Iterable[_Package], environment: Mapping[str, str]) -> Iterator[_Package]:
    for package in packages:
        markers = package.table.get("markers", "")
        marker = markers.get(_MAIN, "") if isinstance(markers, Mapping) else markers
        if _MAIN in package.table["groups"] and not package.table.get("optional") and holds(marker, environment):
            yield package


class _Walk:
    """From what is wanted to all that is needed, among the packages of the lock."""

    def __init__(self, packages: Iterable[_Package], environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._packages = sorted(
            (package for package in packages if package.is_for(environment)), key=lambda each: each.order, reverse=True
        )

    def chosen(self, wanted: Iterable[Requirement]) -> Iterator[_Package | str]:
        """Yield each needed package, in the version that suits all who need it, and a line for each missing one."""
        banned: set[int] = set()
        while True:
            chosen: dict[str, _Package] = {}
            missing: dict[str, None] = {}
            misfit = self._once(wanted, banned, chosen, missing)
            if misfit is None:
                yield from chosen.values()
                yield from missing
                return
            banned.add(misfit)

    def _once(
        self, wanted: Iterable[Requirement], banned: set[int], chosen: dict[str, _Package], missing: dict[str, None]
    ) -> int | None:
        """Fill ``chosen`` and ``missing``; return the package that somebody later cannot use, if another might do."""
        pending = [(wish, {"extra": ""}) for wish in wanted]
        seen: set[tuple[str, frozenset[str]]] = set()
        while pending:
            wish, extra = pending.pop(0)
            if wish.marker is not None and not wish.marker.evaluate({**self._environment, **extra}):
                continue
            name = canonicalize_name(wish.name)
            fitting = [each for each in self._packages if id(each) not in banned and each.fits(wish)]
            package = chosen.get(name) or next(iter(fitting), None)
            if package is None:
                missing[f"expected {wish}, got no package for it"] = None
                continue
            if not package.fits(wish) and fitting:
                return id(package)
            chosen[name] = package
            if (name, frozenset(wish.extras)) not in seen:
                seen.add((name, frozenset(wish.extras)))
                pending += [(needed, {"extra": "", **extra}) for needed, extra in package.wishes(wish.extras)]
        return None

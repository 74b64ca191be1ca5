"""`Pipfile` and `Pipfile.lock`: a list of pins with markers, for the packages that are not for development.

https://pipenv.pypa.io/en/latest/pipfile.html
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from build.locking.places import Base, index_options, pin_at, wished_url
from build.locking.pyproject import alternatives
from build.locking.reading import (
    Reading,
    environment_of,
    for_targets,
    holds,
    json_object,
    sha256s_of,
    text_of,
    toml,
)
from build.locking.requirements import SO, Pin, marker_of
from build.model import Target

WANTED, LOCK = "Pipfile", "Pipfile.lock"
_VARIABLES = (
    *("os_name", "sys_platform", "platform_machine", "platform_python_implementation", "platform_release"),
    *("platform_system", "platform_version", "python_version", "python_full_version", "implementation_name"),
    "implementation_version",
)
"""Marker variables that a Pipfile may have as keys: ``sys_platform = "== 'win32'"``."""


def read(folder: Path, root: Path, targets: Iterable[Target]) -> Reading:
    """Read what ``folder`` wants, if it has a Pipfile, and what its lock says for ``targets``."""
    wished, text = text_of(folder / WANTED), text_of(folder / LOCK)
    found: list[str] = []
    wanted: list[Requirement] = []
    try:
        tables = toml(wished or "").get("packages", {})
        wanted = [_wish(name, table) for name, said in tables.items() for table in alternatives(said)]
    except (ValueError, InvalidRequirement, InvalidSpecifier, InvalidMarker) as reason:
        found.append(f"{WANTED}: {str(reason).splitlines()[0]}{SO}mend it")
    lock = json_object(text or "{}")
    packages = dict(lock.get("default", {}))
    indexes = {each["name"]: each["url"] for each in lock.get("_meta", {}).get("sources", ())}
    wishes: dict[str, Requirement] = {canonicalize_name(wish.name): wish for wish in wanted}
    base = Base(folder, root)
    pins, wrong = for_targets(targets, lambda target: _chosen(packages, wishes, indexes, target, base))
    found += [f"{LOCK}: {each}" for each in wrong]
    return Reading(
        lock=LOCK,
        wanted=None if wished is None else tuple(wanted),
        pins=pins,
        problems=tuple(found),
        basis=f"{list(map(str, wanted))}\0{text}",
    )


def _chosen(
    packages: Mapping[str, Any],
    wishes: Mapping[str, Requirement],
    indexes: Mapping[str, str],
    target: Target,
    base: Base,
) -> Iterator[Pin | str]:
    environment = environment_of(target)
    for name, table in packages.items():
        wish = wishes.get(canonicalize_name(name))
        # pipenv does not take every marker of the Pipfile over into the lock.
        if wish and wish.marker is not None and not wish.marker.evaluate(environment):
            continue
        if holds(_marker(table), environment):
            yield _pin(name, table, indexes, base)


def _pin(name: str, table: Mapping[str, Any], indexes: Mapping[str, str], base: Base) -> Pin | str:
    sha256s = sha256s_of(table.get("hashes", ()))
    for system in ("git", "hg", "svn", "bzr"):
        if system in table:
            return pin_at(f"{system}+{table[system]}", base, name=name)
    place = table.get("file") or table.get("path") or table.get("uri")
    if place:
        return pin_at(place, base, name=name, version=table.get("version", "").lstrip("="), sha256s=sha256s)
    specifiers = list(SpecifierSet(table.get("version", "").replace("*", "", 1)))
    if len(specifiers) != 1 or specifiers[0].operator not in {"==", "==="}:
        return f"{name}: expected one exact version, got {table.get('version') or 'none'}"
    version = specifiers[0].version
    if not sha256s:
        return f"{name} {version}: expected the sha256 of its files, got none"
    options = index_options(indexes.get(table.get("index", "")), base)
    return Pin(name=canonicalize_name(name), version=version, marker=None, sha256s=sha256s, options=options)


def _wish(name: str, table: Mapping[str, Any]) -> Requirement:
    extras = f"[{','.join(table['extras'])}]" if table.get("extras") else ""
    wish = Requirement(f"{name}{extras}")
    version = str(table.get("version", "*"))
    wish.specifier = SpecifierSet("" if version == "*" else version)
    wish.url = wished_url(str(table.get("file", "")))
    marker = _marker(table)
    wish.marker = marker_of(marker) if marker else None
    return wish


def _marker(table: Mapping[str, Any]) -> str:
    parts = [f"({table['markers']})"] if table.get("markers") else []
    parts += [f"{variable} {table[variable]}" for variable in _VARIABLES if table.get(variable)]
    return " and ".join(parts)

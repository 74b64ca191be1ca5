"""What a `pyproject.toml` wants: PEP 621's dependencies, or poetry's own tables."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from packaging.markers import InvalidMarker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from build.locking.places import wished_url
from build.locking.requirements import SO, marker_of

Table = Mapping[str, Any]


def wants_anything(pyproject: Table) -> bool:
    """Say whether the file is about dependencies at all; many only hold settings of tools."""
    project = pyproject.get("project", {})
    return bool(project.get("dependencies")) or bool(poetry_tables(pyproject))


def are_dynamic(pyproject: Table) -> bool:
    """Say whether only a build of the project tells its dependencies; its lock knows them too."""
    return "dependencies" in pyproject.get("project", {}).get("dynamic", ())


def is_poetrys(pyproject: Table) -> bool:
    """Say whether poetry is who locks it."""
    return "poetry" in pyproject.get("tool", {})


def poetry_tables(pyproject: Table) -> Table:
    """Return ``[tool.poetry.dependencies]`` without Python itself; empty where PEP 621 says what is wanted."""
    if "dependencies" in pyproject.get("project", {}):
        return {}
    tables = pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {})
    return {name: table for name, table in tables.items() if name != "python"}


def wanted_by(pyproject: Table) -> tuple[tuple[Requirement, ...], tuple[str, ...]]:
    """Return what ``pyproject`` wants, extras and groups left out, and a line for each problem."""
    wanted: list[Requirement] = []
    problems: list[str] = []
    for line in pyproject.get("project", {}).get("dependencies", ()):
        try:
            wish = Requirement(line)
            wish.url = wished_url(wish.url or "")
            wanted.append(wish)
        except InvalidRequirement as reason:
            problems.append(f"{line}: {str(reason).splitlines()[0]}{SO}mend it")
    for name, said in poetry_tables(pyproject).items():
        for table in alternatives(said):
            if table.get("optional"):
                continue
            try:
                wanted.append(_poetry_wish(name, table))
            except (InvalidRequirement, InvalidMarker) as reason:
                problems.append(f"{name}: {str(reason).splitlines()[0]}{SO}mend it")
    return tuple(wanted), tuple(problems)


def alternatives(said: object) -> Iterator[Table]:
    """Yield a dependency of poetry's as tables; it may be a version, a table, or a list of tables."""
    for each in said if isinstance(said, list) else [said]:
        yield each if isinstance(each, Mapping) else {"version": str(each)}


def poetry_marker(table: Table) -> str:
    """Return the marker that ``markers``, ``python`` and ``platform`` of one dependency of poetry's make up."""
    parts = [f"({table['markers']})"] if table.get("markers") else []
    if table.get("platform"):
        parts.append(f"sys_platform == '{table['platform']}'")
    if table.get("python"):
        ranges = [
            " and ".join(f"python_full_version {spec.operator} '{spec.version}'" for spec in sorted(each, key=str))
            for each in poetry_ranges(str(table["python"]))
        ]
        if all(ranges):
            parts.append("(" + " or ".join(ranges) + ")")
    return " and ".join(parts)


def _poetry_wish(name: str, table: Table) -> Requirement:
    extras = f"[{','.join(table['extras'])}]" if table.get("extras") else ""
    ranges = poetry_ranges(str(table.get("version", "*")))
    wish = Requirement(f"{name}{extras}")
    # One of several ranges cannot be said in a requirement; then what the lock holds is believed.
    wish.specifier = ranges[0] if len(ranges) == 1 else SpecifierSet()
    wish.url = wished_url(str(table.get("url", "")))
    marker = poetry_marker(table)
    wish.marker = marker_of(marker) if marker else None
    return wish


def poetry_ranges(text: str) -> list[SpecifierSet]:
    """Return the ranges of versions that poetry's constraint ``text`` allows, any of which will do.

    Raises InvalidRequirement. https://python-poetry.org/docs/dependency-specification/
    """
    try:
        return [
            SpecifierSet(",".join(_pep440(part) for part in re.split(r"\s*,\s*|\s+(?=[<>=!^~])", each.strip()) if part))
            for each in re.split(r"\s*\|\|?\s*", _without_spaces(text))
        ]
    except (InvalidSpecifier, InvalidVersion) as reason:
        raise InvalidRequirement(str(reason)) from None


def _without_spaces(text: str) -> str:
    """Return ``>=1.0`` for ``>= 1.0``."""
    return re.sub(r"([<>=!^~])\s+", r"\1", text.strip())


def _pep440(part: str) -> str:
    if part == "*":
        return ""
    if part.startswith("^"):
        return _between(part[1:], _caret)
    if part.startswith("~") and not part.startswith("~="):
        return _between(part[1:], _tilde)
    if part[0].isdigit():
        return f"=={part}"
    if part.startswith("=") and not part.startswith("=="):
        return f"={part}"
    # Poetry allows a wildcard behind any operator; PEP 440 only behind equality.
    return part.removesuffix(".*") if part[0] in "<>" else part


def _between(text: str, end: Any) -> str:
    lowest = Version(text)
    return f">={text},<{'.'.join(map(str, end(lowest.release)))}"


def _caret(release: tuple[int, ...]) -> Iterable[int]:
    """Raise the first digit that is not zero; of zeros alone, the last."""
    place = next((index for index, number in enumerate(release) if number), len(release) - 1)
    return [*release[:place], release[place] + 1, *[0] * (len(release) - place - 1)]


def _tilde(release: tuple[int, ...]) -> Iterable[int]:
    """Raise the second digit, or the only one."""
    return [release[0] + 1] if len(release) == 1 else [release[0], release[1] + 1]

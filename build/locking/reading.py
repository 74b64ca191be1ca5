"""What every reader of a lock gives, and how a lock that is a graph becomes a list of pins."""

import codecs
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from build.locking.requirements import SO, Pin, marker_of
from build.model import Target
from build.project.profiles import profile_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one folder wants and pins."""

    lock: str
    """The lock's file name, for messages."""
    wanted: tuple[Requirement, ...] | None = None
    """None when the folder has only a lock: then everything pinned is wanted."""
    pins: tuple[Pin, ...] = ()
    problems: tuple[str, ...] = ()
    """Each begins with the file's name."""
    basis: str = ""
    """Everything that the above follows from, but for the content of local projects."""
    beside: tuple[Path, ...] = ()
    """Files outside the folder that it was read from."""
    overrides: frozenset[str] = frozenset()
    """Names that the lock's owner decided on, whatever other distributions say they need of them."""
    unpinned: bool = False
    """True for a plain `requirements.txt` that says what is wanted, with no lock of it."""


_SHA256 = re.compile(r"sha256:([0-9a-fA-F]{64})")
WIDEN = SO + "widen the Python versions in pyproject.toml, or choose another runtime"

MALFORMED = (ValueError, LookupError, TypeError, AttributeError)
"""What a document of another shape than it should have leads to."""

Chosen = Iterable[Pin | str]
"""Pins for one target, or what is wrong with one that the target needs."""


def by_hand(problem: str, way: str) -> str:
    """Return ``problem`` with ``way`` as what a person has to do, unless it says that already."""
    return problem if SO in problem else f"{problem}{SO}{way}"


def unreadable(name: str, reason: Exception, way: str = "restore it, or delete it") -> str:
    """Return the problem of a file called ``name``, over which the tool that writes locks stumbles as well."""
    said = reason if isinstance(reason, ValueError) else f"{type(reason).__name__}: {reason}"
    return f"{name}: cannot be read: {str(said).splitlines()[0]}{SO}{way}"


def environment_of(target: Target) -> dict[str, str]:
    """Return the marker variables of ``target``; no extra is asked for."""
    return {**profile_of(target).markers, "extra": ""}


def holds(marker: str | None, environment: Mapping[str, str]) -> bool:
    """Say whether ``marker`` holds; None and an empty one do. Raises InvalidMarker."""
    return not marker or marker_of(marker).evaluate(environment)


def for_targets(targets: Iterable[Target], choose: Callable[[Target], Chosen]) -> tuple[tuple[Pin, ...], list[str]]:
    """Return what ``choose`` picks for each target as pins with markers, and all that is wrong.

    A lock may be a graph whose markers stand on its edges. Targets are few, so the graph is walked for each of
    them, and a pin that only some need gets a marker that holds on just those.
    """
    targets = tuple(targets)
    chosen: dict[Pin, list[Target]] = {}
    problems: dict[str, None] = {}
    for target in targets:
        try:
            for found in choose(target):
                if isinstance(found, str):
                    problems[found] = None
                else:
                    chosen.setdefault(found, []).append(target)
        except (InvalidMarker, InvalidSpecifier) as reason:
            problems[str(reason).splitlines()[0]] = None
    pins = [replace(pin, marker=_only_on(on, targets)) for pin, on in chosen.items()]
    return tuple(sorted(pins, key=lambda pin: (pin.name, pin.version))), list(problems)


def _only_on(some: Iterable[Target], every: Iterable[Target]) -> Marker | None:
    if set(some) == set(every):
        return None
    return marker_of(
        " or ".join(
            f"python_version == '{target.runtime.version}' and platform_machine == '{profile_of(target).machine}'"
            for target in sorted(set(some))
        )
    )


def python_problem(requires_python: str | None, target: Target) -> str | None:
    """Say why a lock made for ``requires_python`` is none for ``target``; None if it is one.

    Which patch release AWS runs is not known, so a bound within the minor version is not held against it.
    """
    if not requires_python:
        return None
    allowed = SpecifierSet(requires_python)
    candidates = (profile_of(target).markers["python_full_version"], f"{target.runtime.version}.999")
    if any(allowed.contains(version, prereleases=True) for version in candidates):
        return None
    return f"expected a lock for {target.runtime}, got one for Python {requires_python}"


def text_of(path: Path) -> str | None:
    """Return the file's text, in UTF-8 or as PowerShell redirects it; None if there is none."""
    if not path.is_file():
        return None
    data = path.read_bytes()
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    return data.decode(encoding, errors="replace").replace("\r\n", "\n")


@lru_cache(maxsize=16)
def toml(text: str) -> dict[str, Any]:
    """Return the document; raise ValueError. Cached, as a workspace's lock is read for each of its functions."""
    return tomllib.loads(text)


def json_object(text: str) -> dict[str, Any]:
    """Return the object; raise ValueError."""
    document = json.loads(text)
    if not isinstance(document, dict):
        msg = "expected an object"
        raise ValueError(msg)
    return document


def sha256s_of(files: Iterable[str | None]) -> frozenset[str]:
    """Return the hex digits of those of ``files``, given as ``sha256:…``, that are sha256."""
    found = (_SHA256.fullmatch(each) for each in files if each)
    return frozenset(match[1].lower() for match in found if match)

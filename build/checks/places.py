"""Where a function finds modules on Lambda: its own zip, its layers, the runtime, the standard library.

Follows `importlib.machinery.PathFinder`: the first place with a package or a module of the name wins, and then alone
has what is below it; folders without ``__init__`` count together, and only where nothing else has the name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from build.checks.distributions import BUNDLED
from build.checks.stdlib import stdlib_of
from build.model import Artifact, Runtime
from build.zips.archives import read_back
from build.zips.directory import Member
from build.zips.inflating import inflated

_SUFFIXES = (".py", ".so", ".pyc")
_DYNAMIC = (b"sys.modules", b"__path__", b"meta_path", b"_LazyModule", b"lazy_loader", b"__import__('pkg_resources')")
"""In the source of a package that may have modules which no file shows, as six.moves and tensorflow.keras."""


_KEPT = 12
"""Zips remembered at once: a function, its layers, and some for the next; memory must not grow with their number."""


class Kind(IntEnum):
    """What has a name, the strongest last."""

    FOLDER = 0
    MODULE = 1
    PACKAGE = 2


class Found(NamedTuple):
    """What has a dotted name in one place."""

    kind: Kind
    zip: Path
    member: Member | None
    """The module, or the package's ``__init__``; None for a folder."""


Place = Mapping[str, Found]
"""A folder on sys.path: what it has by dotted name."""


@dataclass(frozen=True, slots=True)
class Space:
    """Everything that one function, or one layer, can import."""

    places: tuple[Place, ...]
    outside: frozenset[str]
    """Top-level modules that the runtime and its standard library bring, whole."""

    @property
    def names(self) -> set[str]:
        """Every top-level module."""
        return {name for place in self.places for name in place if "." not in name} | self.outside

    def missing(self, name: str) -> str | None:
        """Return the first part of the dotted ``name`` that cannot be imported; None if all can."""
        places: Sequence[Place] = self.places
        parts = name.split(".")
        above: list[Found] = []
        for count in range(1, len(parts) + 1):
            part = ".".join(parts[:count])
            holders = [place for place in places if part in place]
            solid = next((place for place in holders if place[part].kind > Kind.FOLDER), None)
            if solid:
                above.append(solid[part])
                places = (solid,) if solid[part].kind is Kind.PACKAGE else ()
            elif count == 1 and part in self.outside:
                return None
            elif holders:
                places = holders
            else:
                return None if any(map(_is_dynamic, above)) else part
        return None

    def found(self, name: str) -> Found | None:
        """Return what has the dotted ``name`` among the places."""
        if self.missing(name):
            return None
        holders = [place[name] for place in self.places if name in place]
        return max(holders, key=lambda found: found.kind > Kind.FOLDER, default=None)


def space_of(function: Artifact | None, layers: Iterable[Artifact], runtime: Runtime) -> Space:
    """Return what code in ``function`` with ``layers`` can import; without a function, code in the layers."""
    zips = tuple(layer.path for layer in layers)
    # The order of Lambda's bootstrap, which build/local/runtime/bootstrap.py follows.
    folders = [f"python/lib/{runtime}/site-packages/", "python/"]
    places = [*([_place((function.path,), "")] if function else []), *(_place(zips, folder) for folder in folders)]
    outside = BUNDLED | stdlib_of(runtime.minor)
    if any("_distutils_hack" in place for place in places):  # setuptools: a .pth of it brings distutils back
        outside |= {"distutils"}
    return Space(tuple(place for place in places if place), outside)


@lru_cache(_KEPT)
def members_of(path: Path) -> tuple[Member, ...]:
    """Return the files of an artifact; none if it is not there."""
    return read_back(path) if path.is_file() else ()


def forget() -> None:
    """Read every artifact anew."""
    members_of.cache_clear()
    _place.cache_clear()


@lru_cache(_KEPT)
def _place(zips: tuple[Path, ...], folder: str) -> Place:
    """Return what ``zips`` hold below ``folder``, unpacked over each other, the last one winning."""
    place: dict[str, Found] = {}
    for path in zips:
        packages: dict[str, str | None] = {}
        for member in members_of(path):
            if member.name.startswith(folder):
                _add(member, member.name[len(folder) :], path, packages, place)
    return place


def _add(member: Member, inner: str, path: Path, packages: dict[str, str | None], place: dict[str, Found]) -> None:
    head, _, file = inner.rpartition("/")
    if head not in packages:
        packages[head] = _package(head, path, place)
    package = packages[head]
    stem = file.partition(".")[0]
    if package is None or not file.endswith(_SUFFIXES) or not stem.isidentifier():
        return
    if stem == "__init__":
        found = Found(Kind.PACKAGE, path, member)
        name = package
    else:
        found = Found(Kind.MODULE, path, member)
        name = f"{package}.{stem}" if package else stem
    there = place.get(name)
    # Sources before bytecode of the same module, which says nothing.
    if there is None or there.kind < found.kind or (there.kind == found.kind and not file.endswith(".pyc")):
        place[name] = found


def _package(head: str, path: Path, place: dict[str, Found]) -> str | None:
    """Return the dotted name of a folder and note it with all above it; None where Python cannot look."""
    parts = head.split("/") if head else []
    if "__pycache__" in parts or not all(map(str.isidentifier, parts)):
        return None
    for count in range(1, len(parts) + 1):
        place.setdefault(".".join(parts[:count]), Found(Kind.FOLDER, path, None))
    return ".".join(parts)


def _is_dynamic(found: Found) -> bool:
    """Tell whether a module may have modules below it that no file shows; of compiled ones nothing is known."""
    if not found.member or not found.member.name.endswith(".py"):
        return True
    with found.zip.open("rb") as stream:
        source = b"".join(inflated(stream, found.member))
    return any(mark in source for mark in _DYNAMIC)

"""Where a function finds modules on Lambda: its own zip, its layers, the runtime, the standard library.

Follows `importlib.machinery.PathFinder`: the first place with a package or a module of the name wins, and then alone
has what is below it; folders without ``__init__`` count together, and only where nothing else has the name.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from build.checks.distributions import BUNDLED
from build.checks.stdlib import stdlib_of
from build.model import Artifact, Runtime
from build.zips.archives import names_in, read_back
from build.zips.inflating import inflated

_SUFFIXES = (".so", ".py", ".pyc")
"""In the order in which importlib looks for them."""
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
    path: str
    """Of the module, or of the package's ``__init__``; empty for a folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder on sys.path, filled by zips that are unpacked over each other, the last one winning.

    Few of its names are ever asked for, so they are looked up in the sorted paths of each zip, and nothing is built.
    """

    zips: tuple[Path, ...]
    folder: str
    """In the zips, with a ``/`` behind it; may be empty."""

    def get(self, name: str) -> Found | None:
        """Return what has the dotted ``name``."""
        found = (self._in(path, name) for path in self.zips)
        return max((each for each in reversed(list(found)) if each), key=lambda each: each.kind, default=None)

    @property
    def names(self) -> Iterator[str]:
        """Yield every top-level module, maybe more than once."""
        for path in self.zips:
            for at in paths_in(path):
                if at.startswith(self.folder):
                    first, slash, _ = at.removeprefix(self.folder).partition("/")
                    name = first if slash else _module(first)
                    if name.isidentifier():
                        yield name

    def _in(self, path: Path, name: str) -> Found | None:
        paths, stem = paths_in(path), self.folder + name.replace(".", "/")
        package = _first_module(paths, f"{stem}/__init__.")
        module = package or _first_module(paths, f"{stem}.")
        if module:
            return Found(Kind.PACKAGE if package else Kind.MODULE, path, module)
        return Found(Kind.FOLDER, path, "") if next(_starting(paths, f"{stem}/"), None) else None


@dataclass(frozen=True, slots=True)
class Space:
    """Everything that one function, or one layer, can import."""

    places: tuple[Place, ...]
    outside: frozenset[str]
    """Top-level modules that the runtime and its standard library bring, whole."""

    @property
    def names(self) -> set[str]:
        """Every top-level module."""
        return {name for place in self.places for name in place.names} | self.outside

    def missing(self, name: str) -> str | None:
        """Return the first part of the dotted ``name`` that cannot be imported; None if all can."""
        places: Sequence[Place] = self.places
        parts = name.split(".")
        above: list[Found] = []
        for count in range(1, len(parts) + 1):
            part = ".".join(parts[:count])
            holders = [(place, found) for place in places if (found := place.get(part))]
            solid = next((held for held in holders if held[1].kind > Kind.FOLDER), None)
            if solid:
                above.append(solid[1])
                places = solid[:1] if solid[1].kind is Kind.PACKAGE else ()
            elif count == 1 and part in self.outside:
                return None
            elif holders:
                places = [place for place, _ in holders]
            else:
                return None if any(map(_is_dynamic, above)) else part
        return None

    def found(self, name: str) -> Found | None:
        """Return what has the dotted ``name`` among the places."""
        if self.missing(name):
            return None
        holders = [found for place in self.places if (found := place.get(name))]
        return max(holders, key=lambda found: found.kind > Kind.FOLDER, default=None)


def space_of(
    function: Artifact | None, layers: Iterable[Artifact], runtime: Runtime, brought: Collection[str] = BUNDLED
) -> Space:
    """Return what code in ``function`` with ``layers`` can import; without a function, code in the layers.

    ``brought`` are the top-level modules that it finds besides them and the standard library.
    """
    zips = tuple(layer.path for layer in layers)
    # The order of Lambda's bootstrap, which build/local/runtime/bootstrap.py follows.
    above = [Place(zips, folder) for folder in (f"python/lib/{runtime}/site-packages/", "python/")] if zips else []
    places = (*([Place((function.path,), "")] if function else []), *above)
    outside = stdlib_of(runtime.minor).union(brought)
    if any(place.get("_distutils_hack") for place in places):  # setuptools: a .pth of it brings distutils back
        outside |= {"distutils"}
    return Space(places, outside)


@lru_cache(_KEPT)
def paths_in(path: Path) -> tuple[str, ...]:
    """Return the paths of the files of an artifact, sorted; none if it is not there."""
    return tuple(sorted(names_in(path))) if path.is_file() else ()


def content_of(path: Path, member: str) -> bytes:
    """Return the bytes of a file in the artifact at ``path``."""
    with path.open("rb") as stream:
        return b"".join(inflated(stream, read_back(path, member.__eq__)[0]))


def _starting(paths: Sequence[str], start: str) -> Iterator[str]:
    for at in range(bisect_left(paths, start), len(paths)):
        if not paths[at].startswith(start):
            return
        yield paths[at]


def _first_module(paths: Sequence[str], start: str) -> str:
    """Return the file that a module is loaded from; compiled code goes before source, and that before bytecode."""
    files = [path for path in _starting(paths, start) if "/" not in path[len(start) :] and path.endswith(_SUFFIXES)]
    return min(files, key=lambda path: _SUFFIXES.index("." + path.rpartition(".")[2]), default="")


def _module(file: str) -> str:
    return file.partition(".")[0] if file.endswith(_SUFFIXES) else ""


def _is_dynamic(found: Found) -> bool:
    """Tell whether a module may have modules below it that no file shows; of compiled ones nothing is known."""
    if not found.path.endswith(".py"):
        return True
    source = content_of(found.zip, found.path)
    return any(mark in source for mark in _DYNAMIC)

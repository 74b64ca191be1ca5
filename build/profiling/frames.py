"""What a worker noted, as trees: which module imports which, and which function calls which. Values only."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_IMPORTED = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \| ( *)(\S+)")
_SMALLEST = 2000
"""Of the whole: the part below which an import counts as that of what imports it."""


class Origin(StrEnum):
    """Whose code it is."""

    OWN = "your code"
    DEPENDENCY = "dependencies"
    RUNTIME = "Lambda's runtime"
    PYTHON = "Python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A module that was imported, or a function that was called, in one place of a tree."""

    name: str
    place: str = ""
    """File and line, as on Lambda; empty for a module, and for a function in C."""
    origin: Origin = Origin.PYTHON
    own_us: float = 0.0
    """Without what is inside."""
    calls: int = 1
    inside: tuple["Frame", ...] = ()

    @property
    def total_us(self) -> float:
        """With all that is inside."""
        return self.own_us + sum(frame.total_us for frame in self.inside)

    @property
    def depth(self) -> int:
        """How many frames are above one another, itself included."""
        return 1 + max((frame.depth for frame in self.inside), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What tells whose a module or a file is."""

    own: frozenset[str]
    """Files of src/ folders: ``/var/task/app.py``."""
    brought: frozenset[str]
    """Top-level modules in /var/task and /opt."""
    runtime: frozenset[str]
    """Top-level modules in /var/runtime."""
    folders: Mapping[str, str]
    """Where this machine has what lies elsewhere on Lambda: ``…/functions/<digest>`` to ``/var/task``."""

    def of_module(self, name: str) -> Origin:
        """Return whose module ``name`` is."""
        top = name.partition(".")[0]
        if any(place.removesuffix(".py").endswith(f"/{top}") or f"/{top}/" in place for place in self.own):
            return Origin.OWN
        if top in self.brought:
            return Origin.DEPENDENCY
        return Origin.RUNTIME if top in self.runtime else Origin.PYTHON

    def of_file(self, place: str) -> Origin:
        """Return whose a file on Lambda is."""
        if place in self.own:
            return Origin.OWN
        if place.startswith("/var/runtime/"):
            return Origin.RUNTIME
        return Origin.DEPENDENCY if place.startswith(("/var/task/", "/opt/")) else Origin.PYTHON

    def on_lambda(self, file: str) -> str:
        """Return where ``file`` would be on Lambda."""
        here = next((folder for folder in self.folders if file.startswith(f"{folder}/")), None)
        return self.folders[here] + file.removeprefix(here) if here else file


def imports(lines: Iterable[str], ground: Ground) -> tuple[Frame, ...]:
    """Return the modules that ``lines`` of ``-X importtime`` tell of, in the order they were imported.

    The lines come as imports end, the innermost first, two spaces deeper for each level.
    """
    waiting: dict[int, list[Frame]] = defaultdict(list)
    for match in filter(None, map(_IMPORTED.match, lines)):
        depth = len(match[3]) // 2
        inside = tuple(waiting.pop(depth + 1, ()))
        frame = Frame(name=match[4], origin=ground.of_module(match[4]), own_us=float(match[1]), inside=inside)
        waiting[depth].append(frame)
    return tuple(waiting[0])


def is_import(line: str) -> bool:
    """Tell whether ``line`` is one of ``-X importtime``."""
    return line.startswith("import time:")


def start(before: Iterable[str], handler: Iterable[str], took_us: float, module: str, ground: Ground) -> Frame:
    """Return a cold start: what lines of ``-X importtime`` tell ``before`` the handler's module, and from it.

    Of that ``module`` itself there is no line, so that ``took_us`` has to tell. Imports that nobody would see in a
    drawing count as those of what imports them.
    """
    inside = imports(handler, ground)
    own_us = max(took_us - sum(frame.total_us for frame in inside), 0.0)
    parts = (
        Frame(name="Python and Lambda's runtime", origin=Origin.RUNTIME, inside=imports(before, ground)),
        Frame(name=module, origin=ground.of_module(module), own_us=own_us, inside=inside),
    )
    whole = Frame(name="cold start", inside=parts)
    return _pruned(whole, whole.total_us / _SMALLEST)


def calls(told: Mapping[str, Any], ground: Ground) -> Frame:
    """Return a call of the handler as profiled.py told of it: the first frame is the handler itself."""
    frames = tuple(_called(each, ground) for each in told["inside"])
    return frames[0] if len(frames) == 1 else Frame(name="handler", origin=Origin.OWN, inside=frames)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """All places of one module or function taken together."""

    name: str
    place: str
    origin: Origin
    own_us: float
    calls: int


def longest(frame: Frame, most: int) -> list[Sum]:
    """Return what takes the most time by itself in ``frame``, the most first."""
    sums: dict[tuple[str, str], Sum] = {}
    for each in _all(frame):
        key = (each.name, each.place)
        before = sums.get(key)
        own_us, count = (before.own_us, before.calls) if before else (0.0, 0)
        sums[key] = Sum(
            name=each.name,
            place=each.place,
            origin=each.origin,
            own_us=own_us + each.own_us,
            calls=count + each.calls,
        )
    return sorted(sums.values(), key=lambda each: -each.own_us)[:most]


def _all(frame: Frame) -> Iterator[Frame]:
    yield frame
    for each in frame.inside:
        yield from _all(each)


def _called(told: Mapping[str, Any], ground: Ground) -> Frame:
    name, file, line = told["name"], told["file"], told["line"]
    place = ground.on_lambda(file)
    is_c = line == 0
    return Frame(
        name=_module_name(place) if name == "<module>" else name,
        place="" if is_c else f"{place}:{line}",
        origin=ground.of_module(file) if is_c else ground.of_file(place),
        own_us=told["ns"] / 1000,
        calls=told["calls"],
        inside=tuple(_called(each, ground) for each in told["inside"]),
    )


def _module_name(place: str) -> str:
    """Say that the module in the file ``place`` is imported."""
    return f"import of {'/'.join(place.removesuffix('/__init__.py').removesuffix('.py').split('/')[-2:])}"


def _pruned(frame: Frame, smallest_us: float) -> Frame:
    seen = tuple(_pruned(each, smallest_us) for each in frame.inside if each.total_us >= smallest_us)
    rest = sum(each.total_us for each in frame.inside if each.total_us < smallest_us)
    return Frame(
        name=frame.name,
        place=frame.place,
        origin=frame.origin,
        own_us=frame.own_us + rest,
        calls=frame.calls,
        inside=seen,
    )

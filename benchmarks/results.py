"""What was measured: frozen values, their medians, and JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from statistics import median
from typing import Any

from benchmarks.machine import Machine

FORMAT = 1
"""Of the JSON; raised when a key changes its meaning."""
OURS = "slipway"


class State(StrEnum):
    """What is there before a run."""

    COLD = "cold"
    WARM = "warm"
    SAME = "nothing changed"
    EDITED = "one line changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run of a whole process tree."""

    wall_s: float
    cpu_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median, how many runs it is of, and between which values they lay."""

    n: int
    middle: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Return the spread of ``values``, of which there must be one at least."""
        ordered = sorted(values)
        return cls(n=len(ordered), middle=median(ordered), low=ordered[0], high=ordered[-1])

    @property
    def percent(self) -> float:
        """Half the distance between the extremes, in percent of the median."""
        return 50 * (self.high - self.low) / self.middle if self.middle else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """The runs of one entrant on one workload in one state; ``refused`` says why there are none."""

    workload: str
    state: State
    entrant: str
    samples: tuple[Sample, ...] = ()
    refused: str = ""

    @property
    def wall(self) -> Spread:
        """Seconds from start to end."""
        return Spread.of(sample.wall_s for sample in self.samples)

    @property
    def cpu(self) -> Spread:
        """Seconds of all cores together."""
        return Spread.of(sample.cpu_s for sample in self.samples)

    @property
    def peak(self) -> Spread:
        """Bytes of the largest process."""
        return Spread.of(sample.peak_bytes for sample in self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What an entrant made of a workload."""

    workload: str
    entrant: str
    zip_bytes: int
    """All zips together, or all layers that an image has on its base."""
    identical: bool | None
    """Whether builds in two folders, at two times, gave the same bytes; None if there was only one."""
    bytecode: str
    """What kind of ``.pyc`` it ships: none, dated, checked or unchecked (PEP 552); empty where nobody looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Reading a workload's wheels, writing and hashing its zips; and what Slipway's stages took, in turns."""

    workload: str
    floor_s: tuple[float, ...]
    assemble_s: tuple[float, ...]
    check_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """Seconds to import a workload's packages in a fresh interpreter, with one kind of bytecode."""

    workload: str
    variant: str
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """The layers of Slipway's image, and how large zlib would make the same tars at level 6."""

    workload: str
    layer_bytes: int
    zlib_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A repository of ``functions`` functions in which nothing changed."""

    functions: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """All of one benchmark."""

    machine: Machine
    depth: str
    entrants: dict[str, str]
    """Key → name and version."""
    refused: dict[str, str]
    """Entrants and workloads that took no part at all, and why."""
    workloads: dict[str, str]
    """Name → what it is."""
    races: tuple[Race, ...] = ()
    products: tuple[Product, ...] = ()
    floors: tuple[Floor, ...] = ()
    imports: tuple[Import, ...] = ()
    scales: tuple[Scale, ...] = ()
    packed: tuple[Packed, ...] = ()

    def entrants_of(self, workload: str) -> dict[str, str]:
        """Return who took part in ``workload``, or should have: key → name and version."""
        there = {race.entrant for race in self.races if race.workload == workload}
        return {key: name for key, name in self.entrants.items() if key in there}

    def race(self, workload: str, state: State, entrant: str = OURS) -> Race | None:
        """Return the race with runs, if there was one."""
        for race in self.races:
            if (race.workload, race.state, race.entrant) == (workload, state, entrant) and race.samples:
                return race
        return None

    def ratio(self, workload: str, state: State, entrant: str) -> float | None:
        """Return how many times longer ``entrant`` takes than Slipway; None unless both ran."""
        ours, theirs = self.race(workload, state), self.race(workload, state, entrant)
        return theirs.wall.middle / ours.wall.middle if ours and theirs else None

    def pairs(self) -> list[tuple[Race, Race]]:
        """Return every race of a peer that has runs, with ours, where that has some, too."""
        paired = []
        for race in self.races:
            ours = self.race(race.workload, race.state)
            if race.samples and ours and race.entrant != OURS:
                paired.append((race, ours))
        return paired

    @property
    def peak_bytes(self) -> int:
        """The largest process of Slipway in any run; 0 without runs."""
        samples = [sample for race in self.races if race.entrant == OURS for sample in race.samples]
        return max((s.peak_bytes for s in [*samples, *(s for scale in self.scales for s in scale.samples)]), default=0)

    def to_json(self) -> str:
        """Return everything, every single run included."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Results":
        """Read what `to_json` wrote; raise ValueError for another format."""
        data = json.loads(text)
        if data.pop("format", None) != FORMAT:
            msg = f"expected results of format {FORMAT}"
            raise ValueError(msg)
        return cls(
            **{
                **data,
                "machine": Machine(**data["machine"]),
                "races": tuple(
                    Race(**{**row, "state": State(row["state"]), "samples": _samples(row)}) for row in data["races"]
                ),
                "products": tuple(Product(**row) for row in data["products"]),
                "floors": tuple(
                    Floor(
                        workload=row["workload"],
                        floor_s=tuple(row["floor_s"]),
                        assemble_s=tuple(row["assemble_s"]),
                        check_s=tuple(row["check_s"]),
                    )
                    for row in data["floors"]
                ),
                "imports": tuple(Import(**{**row, "seconds": tuple(row["seconds"])}) for row in data["imports"]),
                "scales": tuple(Scale(**{**row, "samples": _samples(row)}) for row in data["scales"]),
                "packed": tuple(Packed(**row) for row in data.get("packed", ())),
            }
        )


def _samples(row: dict[str, Any]) -> Sequence[Sample]:
    return tuple(Sample(**sample) for sample in row["samples"])

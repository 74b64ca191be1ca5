"""When who comes to a new version: levels of functions that begin together, and moments within a level. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import groupby

from build.options import Shifting
from build.results import DeployedFunction, DeploymentGroup

ALIAS = "live"
EVERYBODY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A share of the callers."""

    at_s: float
    """When it gets the new version, after the function began."""
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """What a new version is asked, and has to answer."""

    event: bytes
    """JSON."""
    answer: bytes | None
    """JSON, all of which has to be in the answer; None where it is enough not to fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One function's way from a version to another."""

    function: DeployedFunction
    before: str
    after: str
    revision: str
    """The alias's own, so that nobody else's move is undone by accident."""
    shifting: Shifting
    alarms: tuple[str, ...]
    smoke: Smoke | None = None
    group: DeploymentGroup | None = None
    """Whose deployments move the callers; None where we do."""

    @property
    def name(self) -> str:
        """The function's."""
        return self.function.name

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.name}:{ALIAS}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Shares of callers that come at the same time."""

    at_s: float
    """After the level began."""
    shares: tuple[tuple[Move, int], ...]
    """With the percentage; in the order of names."""

    @property
    def complete(self) -> tuple[Move, ...]:
        """Those that everybody comes to."""
        return tuple(move for move, percent in self.shares if percent == EVERYBODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Functions that begin together, once the level before is over."""

    moves: tuple[Move, ...]
    """In the order of names."""
    moments: tuple[Moment, ...]
    """Of those that we move, in the order of time, the first at 0 s."""
    end_s: float
    """When nobody watches any more, after the level began; of those that we move."""

    @property
    def handed(self) -> tuple[Move, ...]:
        """Those that CodeDeploy makes, in its own time."""
        return tuple(move for move in self.moves if move.group)


def steps_of(shifting: Shifting) -> tuple[Step, ...]:
    """Return every step, the first at 0 s; the last is everybody."""
    percent = shifting.percent
    match shifting.strategy:
        case "canary":
            hold_s = 60.0 * (shifting.step_minutes)
            return (Step(at_s=0, percent=percent), Step(at_s=hold_s, percent=EVERYBODY))
        case "linear":
            shares = [*range(percent, EVERYBODY, percent), EVERYBODY]
            every_s = 60.0 * (shifting.step_minutes)
            return tuple(Step(at_s=number * every_s, percent=share) for number, share in enumerate(shares))
        case _:
            return (Step(at_s=0, percent=EVERYBODY),)


def end_of(shifting: Shifting) -> float:
    """Return the seconds after which nobody watches any more."""
    return steps_of(shifting)[-1].at_s + 60.0 * shifting.watch_minutes


def levels_of(moves: Iterable[Move]) -> tuple[Level, ...]:
    """Return ``moves`` in levels: each as early as those it is to come after allow.

    What does not move counts as done. Discovery has refused circles.
    """
    by_name = {move.name: move for move in moves}
    order = TopologicalSorter({name: by_name.keys() & move.shifting.after for name, move in by_name.items()})
    order.prepare()
    levels = []
    while names := order.get_ready():
        levels.append(_level([by_name[name] for name in sorted(names)]))
        order.done(*names)
    return tuple(levels)


def _level(moves: Sequence[Move]) -> Level:
    ours = [move for move in moves if not move.group]
    steps = sorted(
        ((step, move) for move in ours for step in steps_of(move.shifting)),
        key=lambda each: (each[0].at_s, each[1].name),
    )
    moments = (
        Moment(at_s=at_s, shares=tuple((move, step.percent) for step, move in together))
        for at_s, together in groupby(steps, key=lambda each: each[0].at_s)
    )
    end_s = max((end_of(move.shifting) for move in ours), default=0.0)
    return Level(moves=tuple(moves), moments=tuple(moments), end_s=end_s)

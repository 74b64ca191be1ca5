"""Shift callers to new versions step by step; if an alarm goes off meanwhile, give them all the old ones back.

What the aliases say is all there is to a shift: a process that dies leaves them as they are, and the next deploy of the
same code begins again.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from build.errors import AwsError, SlipwayError
from build.options import Shifting
from build.release.aws import asking
from build.results import DeployedFunction

ALIAS = "live"
EVERYBODY = 100
_CANARY_MIN, _LINEAR_MIN = 5, 1
_LOOK_S = 10.0
"""Between looks at the alarms, which themselves look at minutes."""
_NAMES_AT_ONCE = 100
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html"""


class Clock(Protocol):
    """What of the module ``time`` is used."""

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Return later."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A share of the callers."""

    at_s: float
    """When it gets the new version, after the shift began."""
    percent: int


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

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.function.name}:{ALIAS}"


def steps_of(shifting: Shifting) -> tuple[Step, ...]:
    """Return every step, the first at 0 s; the last is everybody."""
    percent = shifting.percent
    match shifting.strategy:
        case "canary":
            hold_s = 60.0 * (shifting.minutes or _CANARY_MIN)
            return (Step(at_s=0, percent=percent), Step(at_s=hold_s, percent=EVERYBODY))
        case "linear":
            shares = [*range(percent, EVERYBODY, percent), EVERYBODY]
            every_s = 60.0 * (shifting.minutes or _LINEAR_MIN)
            return tuple(Step(at_s=number * every_s, percent=share) for number, share in enumerate(shares))
        case _:
            return (Step(at_s=0, percent=EVERYBODY),)


def end_of(shifting: Shifting) -> float:
    """Return the seconds after which nobody looks at the alarms any more."""
    return steps_of(shifting)[-1].at_s + 60.0 * shifting.watch_minutes


class Alarmed(Exception):  # noqa: N818 - no error: it ends a shift
    """Alarms went off."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """The way to move aliases."""

    env: str
    functions: Any
    """Client of Lambda."""
    alarms: Callable[[], Any]
    """Gives a client of CloudWatch, where one is needed."""
    on_progress: Callable[[str], None]
    clock: Clock = time

    def run(self, moves: Sequence[Move]) -> None:
        """Bring everybody to the new versions; raise Alarmed if that was undone.

        Alarms of all moved functions are watched until the last step and the last watch are over, but for those that
        were off before. Whatever else ends it (Ctrl-C, AWS) undoes it, too.
        """
        end_s = max((end_of(move.shifting) for move in moves), default=0.0)
        names = sorted({name for move in moves for name in move.alarms}) if end_s else []
        off = self._off(names)
        for name in sorted(off):
            self.on_progress(f"{name} was off before: it says nothing of this roll-out")
        watched = [name for name in names if name not in off]
        steps = sorted(
            ((step, move) for move in moves for step in steps_of(move.shifting)),
            key=lambda each: (each[0].at_s, each[1].function.name),
        )
        revisions = {move.function.name: move.revision for move in moves}
        begun: dict[str, Move] = {}
        began = self.clock.monotonic()
        try:
            for step, move in steps:
                self._watch(watched, began + step.at_s)
                begun[move.function.name] = move  # before it is asked for: the answer may be lost, or cut off by Ctrl-C
                revisions[move.function.name] = self._move(move, step.percent, revisions[move.function.name])
            self._watch(watched, began + end_s)
        except BaseException:
            self._undo(begun.values())
            raise

    def _watch(self, names: Sequence[str], until: float) -> None:
        """Wait for ``until``; raise Alarmed as soon as one of ``names`` is off."""
        said = ""
        while (left := until - self.clock.monotonic()) > 0:
            minutes = f"watching {len(names)} alarms for {math.ceil(left / 60)} min more"
            if minutes != said:
                self.on_progress(said := minutes)
            self.clock.sleep(min(left, _LOOK_S))
            if off := self._off(names):
                raise Alarmed(sorted(off))

    def _off(self, names: Sequence[str]) -> set[str]:
        off: set[str] = set()
        for start in range(0, len(names), _NAMES_AT_ONCE):
            with asking("looking at alarms", hint="run the same deploy again: it begins the roll-out again"):
                some = names[start : start + _NAMES_AT_ONCE]
                found = self.alarms().describe_alarms(AlarmNames=some, MaxRecords=_NAMES_AT_ONCE)["MetricAlarms"]
            off.update(each["AlarmName"] for each in found if each["StateValue"] == "ALARM")
        return off

    def _move(self, move: Move, percent: int, revision: str) -> str:
        whom = "everybody" if percent == EVERYBODY else f"{percent} % of callers"
        self.on_progress(f"{move.title}: {whom} from version {move.before} to {move.after}")
        with asking(f"moving {move.title}", hint="run the same deploy again: it goes on from here"):
            return self._point(move, *_at(move, percent), revision)

    def _point(self, move: Move, version: str, weights: dict[str, float], revision: str) -> str:
        answer = self.functions.update_alias(
            FunctionName=move.function.function_name,
            Name=ALIAS,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": weights},
            RevisionId=revision,
        )
        return str(answer["RevisionId"])

    def _undo(self, begun: Iterable[Move]) -> None:
        """Give everybody the old versions, where an alias is as we left it; raise AwsError with all that are not."""
        stuck: list[str] = []
        for move in begun:
            self.on_progress(f"{move.title}: everybody back to version {move.before}")
            try:
                with asking(f"moving {move.title} back", hint="run it again"):
                    alias = self.functions.get_alias(FunctionName=move.function.function_name, Name=ALIAS)
                    now = alias["FunctionVersion"], weights_of(alias)
                    if now in [_at(move, step.percent) for step in steps_of(move.shifting)]:
                        self._point(move, move.before, {}, alias["RevisionId"])
                    elif now != (move.before, {}):
                        stuck.append(f"{move.title}: somebody else moved it to version {now[0]}")
            except SlipwayError as reason:
                stuck += [f"{move.title}: expected version {move.before}", *(f"  {fact}" for fact in reason.facts)]
        if stuck:
            raise AwsError(
                "the roll-out was undone but for what AWS refused",
                facts=stuck,
                hint=f"see where they are with `invoke status --env {self.env}`, "
                f"then go back with `invoke rollback --env {self.env}`",
            )


def weights_of(alias: Mapping[str, Any]) -> dict[str, float]:
    """Return the shares of other versions than the one that an alias names, by version; of Lambda's answer."""
    return dict((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def _at(move: Move, percent: int) -> tuple[str, dict[str, float]]:
    """Return the version that an alias names, and the weights of others, where ``percent`` have the new version."""
    if percent == EVERYBODY:
        return move.after, {}
    return move.before, {move.after: percent / EVERYBODY}

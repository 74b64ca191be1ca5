"""What tells that a roll-out goes wrong while callers come: alarms, and where there are none, the share of errors.

Both are CloudWatch's, which counts by the minute, and a little late.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from build.release.aws import asking
from build.release.schedule import ALIAS, Move, end_of

_HINT = "run the same deploy again: it begins the roll-out again"
_NAMES_AT_ONCE = 100
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html"""
_QUERIES_AT_ONCE = 500
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""
_TOLERATED = 0.01
"""Share of its invokes that a new version may fail, whatever the old one does."""


class WentWrong(Exception):  # noqa: N818 - no error: it ends a roll-out
    """A new version is not as it should be; everybody gets the old ones again."""

    def __init__(self, why: str, facts: Iterable[str], *, function: str) -> None:
        """Name a ``function`` whose log may tell more."""
        super().__init__(why)
        self.why = why
        self.facts = tuple(facts)
        self.function = function
        self.moved: tuple[Move, ...] = ()
        """Those that callers had begun to come to."""


class Clock(Protocol):
    """What of the module ``time`` is used."""

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        ...

    def time(self) -> float:
        """Return seconds since 1970."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Return later."""
        ...


class Watch(Protocol):
    """Something to look at while callers come."""

    @property
    def title(self) -> str:
        """For people."""
        ...

    def look(self) -> None:
        """Raise WentWrong, or AwsError."""
        ...


def watches_of(
    moves: Sequence[Move], cloudwatch: Callable[[], Any], *, clock: Clock, say: Callable[[str], None]
) -> tuple[Watch, ...]:
    """Return what to look at while ``moves`` are made; nothing if all are over at once.

    ``cloudwatch`` gives its client. An alarm that is off already says nothing of this roll-out, and is left out.
    """
    if not any(end_of(move.shifting) for move in moves):
        return ()
    found: list[Watch] = []
    owners = {alarm: move.name for move in moves for alarm in move.alarms}
    if owners:
        alarms = Alarms(owners=owners, client=cloudwatch())
        off = alarms.off()
        for name in off:
            say(f"{name} was off before: it says nothing of this roll-out")
        rest = {name: owner for name, owner in owners.items() if name not in off}
        found += [replace(alarms, owners=rest)] if rest else []
    unguarded = tuple(move for move in moves if not move.alarms and end_of(move.shifting))
    if unguarded:
        found.append(Errors(moves=unguarded, client=cloudwatch(), clock=clock, since=clock.time()))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """Those that Terraform made for the functions."""

    owners: Mapping[str, str]
    """Alarm to function."""
    client: Any

    @property
    def title(self) -> str:
        """For people."""
        return f"{len(self.owners)} alarms"

    def look(self) -> None:
        """Raise WentWrong if one is off."""
        if off := self.off():
            raise WentWrong("alarms went off while callers came to the new versions", off, function=self.owners[off[0]])

    def off(self) -> list[str]:
        """Return the names of those that are off, sorted."""
        off, names = [], sorted(self.owners)
        for start in range(0, len(names), _NAMES_AT_ONCE):
            with asking("looking at alarms", hint=_HINT):
                some = names[start : start + _NAMES_AT_ONCE]
                found = self.client.describe_alarms(AlarmNames=some, MaxRecords=_NAMES_AT_ONCE)["MetricAlarms"]
            off += [each["AlarmName"] for each in found if each["StateValue"] == "ALARM"]
        return sorted(off)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How one version of a function did."""

    invokes: int
    errors: int

    @property
    def share(self) -> float:
        """Of invokes that failed; 0 where nobody called."""
        return self.errors / self.invokes if self.invokes else 0.0

    def __str__(self) -> str:
        return f"failed on {self.errors} of {self.invokes} invokes ({100 * self.share:.1f} %)"


def is_worse(new: Count, old: Count) -> bool:
    """Tell whether the new version failed on more than 1 % of its invokes, and on a larger share than the old one."""
    return new.share > max(_TOLERATED, old.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Share of errors of the new versions and of the old ones, each among the callers that come by the alias.

    ``ExecutedVersion`` is there to compare the two versions of a weighted alias, and stands beside the alias as
    ``Resource``: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics.html
    """

    moves: tuple[Move, ...]
    client: Any
    clock: Clock
    since: float
    """When the roll-out began, by the clock's `time`."""

    @property
    def title(self) -> str:
        """For people."""
        return f"the errors of {len(self.moves)} functions without alarms"

    def look(self) -> None:
        """Raise WentWrong if a new version fails too often."""
        counts = self._counts()
        worse = [move for move in self.moves if is_worse(counts[move.name, move.after], counts[move.name, move.before])]
        if worse:
            facts = [
                f"{move.title}: version {move.after} {counts[move.name, move.after]}, "
                f"version {move.before} {counts[move.name, move.before]}"
                for move in worse
            ]
            raise WentWrong("new versions failed more often than the old ones", facts, function=worse[0].name)

    def _counts(self) -> dict[tuple[str, str], Count]:
        """Return the count of each version by function and version."""
        keys = [(move, version) for move in self.moves for version in (move.before, move.after)]
        asked = {f"{metric}{at}": (metric, *key) for at, key in enumerate(keys) for metric in ("invocations", "errors")}
        sums = self._sums([_query(each, *what) for each, what in asked.items()])
        return {
            (move.name, version): Count(invokes=sums[f"invocations{at}"], errors=sums[f"errors{at}"])
            for at, (move, version) in enumerate(keys)
        }

    def _sums(self, queries: Sequence[Mapping[str, Any]]) -> Counter[str]:
        sums: Counter[str] = Counter()
        # CloudWatch has whole minutes: the one in which the roll-out began is looked at from its first second.
        began = datetime.fromtimestamp(self.since, UTC).replace(second=0, microsecond=0)
        window = {"StartTime": began, "EndTime": datetime.fromtimestamp(self.clock.time(), UTC)}
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            some = queries[start : start + _QUERIES_AT_ONCE]
            with asking("looking at errors", hint=_HINT):
                pages = self.client.get_paginator("get_metric_data").paginate(MetricDataQueries=some, **window)
                for each in (result for page in pages for result in page["MetricDataResults"]):
                    sums[each["Id"]] += round(sum(each["Values"]))
        return sums


def _query(identity: str, metric: str, move: Move, version: str) -> dict[str, Any]:
    function = move.function.function_name
    dimensions = {"FunctionName": function, "Resource": f"{function}:{ALIAS}", "ExecutedVersion": version}
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    what = {"Namespace": "AWS/Lambda", "MetricName": metric.capitalize(), "Dimensions": named}
    return {"Id": identity, "MetricStat": {"Metric": what, "Period": 60, "Stat": "Sum"}}

"""How releasing goes, in figures: from the rows of the ledger alone, each with what it was made of."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from build.release.lookup import artifacts_of
from build.release.rows import DEPLOY, FAILED, FINISHED, RESTORE, RETURNED, ROLLBACK, UNFINISHED, WATCH, Release
from build.release.verifications import Verification

WEEKS = 12
ENOUGH = 10
"""Below so many, a share is not said in percent."""
STAGES = ("cloud", "lock", "build", "check", "publish", "plan", "review", "apply", "roll out", "record")
"""In their order; others follow."""
DEFINITIONS: Mapping[str, str] = {
    "restore": (
        "An incident is a deploy that failed, whose roll-out went back, or that a later rollback or restore took back. "
        "It lasts from its begin, so this is the longest that callers can have met it, to the end of the release that "
        "restored the env: the one that took it back; after a failure the next that finished; a roll-out that went "
        "back restored it by itself. A fix that was deployed as a new commit is no incident: nothing marks it as one."
    ),
    "failures": "Incidents among the deploys that ended.",
    "deploys": f"Deploys that finished, by the week they began in (UTC, from Monday); the last {WEEKS} weeks.",
    "rollbacks": "Rollbacks and restores that took a deploy back, among all releases that ended.",
    "pins": (
        "Deploys in which a lock, or the version of a distribution, is not as in the deploy before; of those that have "
        "such a deploy before them. A function or layer that came or went is none. A version that changes in several "
        "artifacts of a release counts once."
    ),
    "stages": "Median of what each stage of the deploys that finished took.",
    "verified": "Of the runs of `verify --record`, those that found no difference between here and elsewhere.",
    "rebuilt": (
        "Of the deploys from a commit without changes that `verify --record` built again, those of which it got every "
        "artifact with the digest that was released."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Some of many."""

    count: int
    of: int

    def __str__(self) -> str:
        """``3 of 3``; with percent where there are enough."""
        if not self.of:
            return "none yet"
        return f"{self.count} of {self.of}" + (f" ({self.count / self.of:.0%})" if self.of >= ENOUGH else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A deploy that went wrong."""

    release: str
    at: str
    """ISO 8601, UTC: when it began."""
    why: str
    """``failed``, ``went back by itself``, ``taken back``; with what the row says of it."""
    restored_by: str = ""
    """Id of the release that ended it; empty as long as none has."""
    seconds: float | None = None
    """Until then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """What began in one week."""

    begins: str
    """Its Monday, ``2026-01-26``."""
    finished: int
    """Deploys that finished."""
    failed: int
    """Deploys that failed or went back."""
    pins: int
    """Distributions whose version changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one stage took, in every deploy that finished and had it; in the order of time."""

    name: str
    seconds: tuple[float, ...]
    before: float | None
    """Median before the release that is looked at, of all if none is; None if no deploy tells."""
    after: float | None
    """Median of that release and all since."""
    counts: tuple[int, int]
    """Deploys before it, and since."""

    @property
    def median(self) -> float:
        """Of all."""
        return median(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything, for one env."""

    at: str
    """ISO 8601, UTC."""
    releases: int
    first: str
    """When the oldest of them began; empty if there is none."""
    incidents: tuple[Incident, ...]
    """The oldest first."""
    failures: Share
    weeks: tuple[Week, ...]
    """The oldest first; the last one is not over."""
    rollbacks: Share
    pins: Share
    distributions: int
    """Versions of distributions that changed in those deploys."""
    stages: tuple[Stage, ...]
    deploys: tuple[tuple[str, float], ...]
    """Id and seconds of each deploy that finished and tells what its stages took; the oldest first."""
    since: str
    """Id of the release that durations are compared before and after; empty if none is."""
    split: int
    """How many of `deploys` are before it; all, if none is."""
    verified: Share
    rebuilt: Share

    @property
    def restored(self) -> tuple[float, ...]:
        """Seconds of every incident that is over."""
        return tuple(each.seconds for each in self.incidents if each.seconds is not None)

    @property
    def to_restore(self) -> float | None:
        """Median seconds; None if no incident is over."""
        return median(self.restored) if self.restored else None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, with what each figure means."""
        stages = [{**asdict(each), "median": each.median} for each in self.stages]
        return {**asdict(self), "stages": stages, "to_restore": self.to_restore, "definitions": dict(DEFINITIONS)}


def figures_of(
    rows: Sequence[Release], verifications: Sequence[Verification], *, now: datetime, since: Release | None = None
) -> Figures:
    """Return the figures of ``rows``, which are in the order of time; durations before and after ``since``."""
    rows = [row for row in rows if row.kind != WATCH]
    ended = [row for row in rows if row.outcome != UNFINISHED]
    deploys = [row for row in ended if row.kind == DEPLOY]
    backward = list(_backward(rows))
    taken_back = {deploy: row for row, taken in reversed(backward) for deploy in taken}  # the first that did
    incidents = tuple(_incidents(rows, taken_back))
    steps = [(new, _pins(old, new)) for old, new in pairwise([row for row in deploys if row.artifacts])]
    timed = [row for row in deploys if row.outcome == FINISHED and row.durations]
    split = _split(timed, rows, since) if since else len(timed)
    return Figures(
        at=now.isoformat(timespec="seconds"),
        releases=len(rows),
        first=rows[0].at if rows else "",
        incidents=incidents,
        failures=Share(count=len(incidents), of=len(deploys)),
        weeks=tuple(_weeks(deploys, {row.id: len(pins or ()) for row, pins in steps}, now)),
        rollbacks=Share(count=len(backward), of=len(ended)),
        pins=Share(count=sum(pins is not None for _, pins in steps), of=len(steps)),
        distributions=sum(len(pins or ()) for _, pins in steps),
        stages=tuple(_stages(timed, split)),
        deploys=tuple((row.id, sum(row.durations.values())) for row in timed),
        since=since.id if since else "",
        split=split,
        verified=Share(count=sum(not each.differences for each in verifications), of=len(verifications)),
        rebuilt=_rebuilt(deploys, verifications),
    )


def spoken(seconds: float) -> str:
    """Return ``0.4 s``, ``48 s``, ``12 min``, ``3.5 h`` or ``2.1 days``."""
    for size_s, unit, until in ((1, "s", 59.5), (60, "min", 99.5), (3600, "h", 48)):
        value = seconds / size_s
        if value < until:
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    return f"{seconds / 86_400:.1f} days"


def in_order(stages: Iterable[str]) -> list[str]:
    """Return names of stages as they follow each other; the ledger has them by the alphabet."""
    return sorted(stages, key=lambda name: (STAGES.index(name) if name in STAGES else len(STAGES), name))


def _backward(rows: Sequence[Release]) -> Iterator[tuple[Release, list[str]]]:
    """Yield each rollback and restore that took deploys back, with the ids of those."""
    places = {row.id: place for place, row in enumerate(rows)}
    for place, row in enumerate(rows):
        target = _target(row, rows, places)
        if target is not None and row.is_settled:
            taken = [rows[each].id for each in range(target + 1, place) if _is_taken_back(rows, each, by=row)]
            if taken:
                yield row, taken


def _target(row: Release, rows: Sequence[Release], places: Mapping[str, int]) -> int | None:
    """Return the place of the release that ``row`` went back to; one that was resumed leads to that of the first."""
    seen: set[str] = set()
    while row.kind in {ROLLBACK, RESTORE} and row.of in places and row.of not in seen:
        seen.add(row.of)
        if rows[places[row.of]].is_settled:
            return places[row.of]
        row = rows[places[row.of]]
    return None


def _is_taken_back(rows: Sequence[Release], place: int, *, by: Release) -> bool:
    """Tell whether the deploy at ``place`` brought a version of a function that ``by`` moved callers away from."""
    deploy = rows[place]
    if deploy.kind != DEPLOY or deploy.outcome != FINISHED:
        return False
    moved = {name for name, was in by.before.items() if by.live.get(name, was.version) != was.version}
    if by.kind == RESTORE or not by.before:
        return True
    former: Mapping[str, str] = next((row.versions for row in reversed(rows[:place]) if row.is_settled), {})
    return any(deploy.versions.get(name) != former.get(name) for name in moved)


def _incidents(rows: Sequence[Release], taken_back: Mapping[str, Release]) -> Iterator[Incident]:
    for place, row in enumerate(rows):
        ending: Release | None = None
        if row.id in taken_back:
            ending = taken_back[row.id]
            why = f"taken back by {ending.kind}"
        elif row.kind == DEPLOY and row.outcome == RETURNED:
            ending, why = row, "went back by itself"
        elif row.kind == DEPLOY and row.outcome == FAILED:
            ending = next((each for each in rows[place + 1 :] if each.outcome == FINISHED), None)
            why = "failed"
        else:
            continue
        yield Incident(
            release=row.id,
            at=row.at,
            why=f"{why}: {row.error}" if row.error else why,
            restored_by=ending.id if ending else "",
            seconds=_seconds(row.at, ending.ended_at or ending.at) if ending else None,
        )


def _seconds(begin: str, end: str) -> float:
    """Return how long it took; the clocks of two machines may differ, which makes nothing negative."""
    return max((_moment(end) - _moment(begin)).total_seconds(), 0.0)


def _moment(at: str) -> datetime:
    moment = datetime.fromisoformat(at)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _weeks(deploys: Sequence[Release], pins: Mapping[str, int], now: datetime) -> Iterator[Week]:
    today = now.astimezone(UTC).date()
    monday = today - timedelta(days=today.weekday())
    for back in reversed(range(WEEKS)):
        begins = monday - timedelta(weeks=back)
        mine = [
            row for row in deploys if begins <= _moment(row.at).astimezone(UTC).date() < begins + timedelta(weeks=1)
        ]
        finished = sum(row.outcome == FINISHED for row in mine)
        yield Week(
            begins=begins.isoformat(),
            finished=finished,
            failed=len(mine) - finished,
            pins=sum(pins.get(row.id, 0) for row in mine),
        )


def _pins(old: Release, new: Release) -> set[tuple[str, str | None, str | None]] | None:
    """Return the distributions whose version changed, with both versions; None if neither they nor a lock did."""
    changed = {
        (name, before.get(name), after.get(name))
        for place in old.artifacts.keys() & new.artifacts.keys()
        for before, after in [(old.artifacts[place].distributions, new.artifacts[place].distributions)]
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }
    locks = any(old.locks[place] != new.locks[place] for place in old.locks.keys() & new.locks.keys())
    return changed if changed or locks else None


def _split(timed: Sequence[Release], rows: Sequence[Release], since: Release) -> int:
    """Return how many of ``timed`` began before ``since``."""
    older = {row.id for row in rows[: rows.index(since)]}
    return sum(row.id in older for row in timed)


def _stages(timed: Sequence[Release], split: int) -> Iterator[Stage]:
    for name in in_order({name for row in timed for name in row.durations}):
        before, after = (
            [row.durations[name] for row in part if name in row.durations] for part in (timed[:split], timed[split:])
        )
        yield Stage(
            name=name,
            seconds=(*before, *after),
            before=median(before) if before else None,
            after=median(after) if after else None,
            counts=(len(before), len(after)),
        )


def _rebuilt(deploys: Iterable[Release], verifications: Iterable[Verification]) -> Share:
    again: dict[str, list[Mapping[str, str]]] = {}
    for each in verifications:
        if each.commit and not each.dirty:
            again.setdefault(each.commit, []).append(each.artifacts)
    found = [
        all(artifacts.get(place) == each.digest for artifacts in again[row.commit] for place, each in made.items())
        for row in deploys
        if row.commit in again and not row.dirty and (made := artifacts_of(row))
    ]
    return Share(count=sum(found), of=len(found))

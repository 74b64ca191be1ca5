"""What an env has piled up, what of it nothing needs any more, and why the rest stays. Pure.

A thing stays for a reason of its own, or because a release that is kept refers to it; and of whatever stays, a release
that is kept tells. So no row tells of what is gone, and nothing is there that no row tells of any more.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise

from build.release.deployed import LATEST, Deployed
from build.release.lookup import artifacts_of
from build.release.rows import DEPLOY, UNFINISHED, Release

VERSION, LAYER, IMAGE, ARTIFACT, RELEASE = KINDS = ("version", "layer", "image", "artifact", "release")
"""In the order in which they go: rows last of all."""
_DEPLOYS = 20
"""From so many of the newest the growth is told."""
_REFUSED = "AWS did not let it go"


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """Something that may go."""

    kind: str
    of: str
    """Function or layer as AWS calls it, repository of an image; empty for artifacts and releases."""
    name: str
    """Number of a version, digest of an image, key of an artifact, id of a release."""

    def __str__(self) -> str:
        return f"{self.of}:{self.name}" if self.of else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a thing that is no release."""

    size_bytes: int
    at: datetime
    """When it came."""
    called: str = ""
    """How a function names it: a layer version by its ARN, an image by its digest in hex; empty for the others."""


@dataclass(frozen=True, kw_only=True)
class Holdings:
    """All there is, as it was when somebody looked."""

    rows: Sequence[Release]
    """The whole ledger, in the order of time."""
    names: Mapping[str, str]
    """What each function is called on AWS."""
    functions: Mapping[str, Deployed]
    things: Mapping[Thing, Facts]
    """All but the releases."""
    used: Mapping[Thing, str] = field(default_factory=dict)
    """What uses a version, beside aliases."""
    stated: Collection[str] | None = ()
    """ARNs of layer versions that Terraform's states name; None if one of the states is not known."""
    now: datetime
    young: Mapping[str, timedelta]
    """What is younger stays, by kind."""

    @cached_property
    def refers(self) -> Mapping[str, frozenset[Thing]]:
        """Return what of `things` each release refers to, by its id."""
        return {row.id: frozenset(_references(row, self.names)) & self.things.keys() for row in self.rows}

    @cached_property
    def tells(self) -> Mapping[Thing, tuple[str, ...]]:
        """Return the ids of the releases that tell of each thing, the oldest first; of a version: which code it has."""
        found: dict[Thing, list[str]] = {}
        for row in self.rows:
            published = {Thing(VERSION, self.names[name], str(number)) for name, number in row.versions.items()}
            for thing in self.refers[row.id]:
                if thing.kind != VERSION or thing in published:
                    found.setdefault(thing, []).append(row.id)
        return {thing: tuple(ids) for thing, ids in found.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleanup:
    """What stays, with the reasons, and what goes."""

    kept: Mapping[Thing, tuple[str, ...]]
    going: tuple[Thing, ...]
    """In the order in which they go."""


def cleanup(held: Holdings, keep: int, refused: Collection[Thing] = ()) -> Cleanup:
    """Return what may go when the last ``keep`` settled releases stay; ``refused`` is what AWS did not let go."""
    releases = {row.id: Thing(RELEASE, "", row.id) for row in held.rows}
    rows = _kept_rows(held, keep)
    rows |= {id_: _REFUSED for id_, thing in releases.items() if thing in refused and id_ not in rows}
    own = dict(_own_reasons(held, refused))
    while True:
        kept = _kept_things(held, rows, own)
        untold = {
            tellers[-1]: f"tells of {thing}, which stays: {kept[thing][0]}"
            for thing in sorted(kept)
            if (tellers := held.tells.get(thing)) and rows.keys().isdisjoint(tellers)
        }
        if not untold:
            break
        rows |= untold
    told = {thing: tuple(reasons) for thing, reasons in kept.items()}
    told |= {releases[id_]: (reason,) for id_, reason in rows.items()}
    every = [*held.things, *releases.values()]
    going = sorted((each for each in every if each not in told), key=lambda each: (KINDS.index(each.kind), each))
    return Cleanup(kept=told, going=tuple(going))


def _kept_rows(held: Holdings, keep: int) -> dict[str, str]:
    """Return why releases stay whatever else there is, by id; the newest always does: the next is numbered after it."""
    rows = held.rows
    settled = [index for index, row in enumerate(rows) if row.is_settled][-keep:]
    first = settled[0] if settled else 0
    last = rows[first:]
    kept = {
        row.id: f"one of the last {keep} that ended well" if row.is_settled else f"{row.outcome}, and among the last"
        for row in last
    }
    for row in last:
        kept.setdefault(row.of, f"release {row.id} is a {row.kind} of it")
    for row in rows[:first]:
        if row.outcome == UNFINISHED:
            kept.setdefault(row.id, "not finished")
        elif _is_young(held, RELEASE, datetime.fromisoformat(row.at)):
            kept.setdefault(row.id, "too young")
    return {row.id: kept[row.id] for row in rows if row.id in kept}


def _own_reasons(held: Holdings, refused: Collection[Thing]) -> Iterator[tuple[Thing, list[str]]]:
    newest = _newest(held.things)
    pointed = _pointed(held)
    for thing, facts in held.things.items():
        reasons = [*pointed.get(thing, ())]
        if thing in held.used:
            reasons.append(f"used by {held.used[thing]}")
        if thing.kind == LAYER and held.stated is None:
            reasons.append("a state that may name it is not known")
        elif thing.kind == LAYER and facts.called in (held.stated or ()):
            reasons.append("Terraform's state names it")
        if thing in newest:
            reasons.append("newest published version")
        if _is_young(held, thing.kind, facts.at):
            reasons.append("too young")
        if thing in refused:
            reasons.append(_REFUSED)
        if reasons:
            yield thing, reasons


def _kept_things(held: Holdings, rows: Collection[str], own: Mapping[Thing, Sequence[str]]) -> dict[Thing, list[str]]:
    """Return the reasons of everything that stays when the releases ``rows`` do."""
    kept = {thing: [*reasons] for thing, reasons in own.items()}
    holders: dict[Thing, list[str]] = {}
    for row in reversed(held.rows):
        for thing in held.refers[row.id] if row.id in rows else ():
            holders.setdefault(thing, []).append(row.id)
    for thing, (newest, *older) in holders.items():
        kept.setdefault(thing, []).append(f"release {newest}{f' and {len(older)} older' if older else ''}")
    called = {facts.called: thing for thing, facts in held.things.items() if facts.called}
    users: dict[Thing, list[str]] = {}
    for name, function in held.functions.items():
        for number, version in function.versions.items():
            user = Thing(VERSION, held.names[name], number)
            if number == LATEST or user in kept:
                for used in (*version.layers, version.code):
                    if used in called:
                        users.setdefault(called[used], []).append(str(user))
    for thing, (first, *others) in users.items():
        kept.setdefault(thing, []).append(f"used by {first}{f' and {len(others)} more' if others else ''}")
    return kept


def _pointed(held: Holdings) -> dict[Thing, list[str]]:
    """Return which aliases lead to versions."""
    found: dict[Thing, list[str]] = {}
    for name, function in held.functions.items():
        for alias, where in function.aliases.items():
            of = held.names[name]
            found.setdefault(Thing(VERSION, of, where.version), []).append(f"alias {alias}")
            for number, share in where.weights.items():
                found.setdefault(Thing(VERSION, of, number), []).append(f"alias {alias}, for {share:.0%} of callers")
    return found


def _newest(things: Iterable[Thing]) -> set[Thing]:
    """Return the newest version of each function and of each layer: what is published next is compared with it."""
    newest: dict[tuple[str, str], Thing] = {}
    for thing in sorted((each for each in things if each.kind in {VERSION, LAYER}), key=lambda each: int(each.name)):
        newest[thing.kind, thing.of] = thing
    return {*newest.values()}


def _references(row: Release, names: Mapping[str, str]) -> Iterator[Thing]:
    """Yield all that ``row`` names."""
    before = {} if row.is_settled else row.before
    for name, number in (*row.versions.items(), *row.live.items()):
        yield Thing(VERSION, names[name], str(number))
    for name, pointed in before.items():  # where it may have to go back to
        for number in (pointed.version, *pointed.weights):
            yield Thing(VERSION, names[name], number)
    for artifact in artifacts_of(row).values():
        yield Thing(ARTIFACT, "", artifact.key)
    for function in row.handoff.get("functions", {}).values():
        if uri := function.get("image_uri"):
            repository, _, digest = str(uri).partition("@")
            yield Thing(IMAGE, repository.partition("/")[2], digest)


def _is_young(held: Holdings, kind: str, at: datetime) -> bool:
    return held.now - at < held.young[kind]


# ── how long Lambda has room ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """How full Lambda's storage of code is."""

    used_bytes: int
    limit_bytes: int
    is_whole: bool
    """False where only this env's own is known, not what else the account has in the region."""
    growth_bytes: float
    """With every deploy, on the average of the last ones; 0 if there were none to tell by."""

    @property
    def deploys(self) -> int | None:
        """After so many it is full; None if it does not grow."""
        return int((self.limit_bytes - self.used_bytes) / self.growth_bytes) if self.growth_bytes > 0 else None


def growth_of(rows: Sequence[Release]) -> float:
    """Return the bytes that a deploy has added to Lambda's storage, on the average of the last ones."""
    settled = [row for row in rows if row.is_settled]
    pairs = [(before, row) for before, row in pairwise(settled) if row.kind == DEPLOY]
    added = [_added(before, row) for before, row in pairs[-_DEPLOYS:]]
    return sum(added) / len(added) if added else 0.0


def _added(before: Release, row: Release) -> int:
    """Return the size of every version that was published between two releases, of functions and of layers."""
    then, now = artifacts_of(before), artifacts_of(row)
    published = {f"functions/{name}" for name, number in row.versions.items() if before.versions.get(name) != number}
    published |= {
        place
        for place, each in now.items()
        if place.startswith("layers/") and (place not in then or then[place].digest != each.digest)
    }
    # An image is in its repository alone: the key of one is its URI.
    return sum(now[place].size_bytes for place in published if place in now and "@" not in now[place].key)

"""What differs between two releases, by their rows alone: dependencies, code, configuration, versions, tools."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from build.release.lookup import OWN_VARIABLE, artifacts_of
from build.release.rows import Release

ADDED, CHANGED, REMOVED = "added", "changed", "removed"
HTTP_API = "http_api"
"""The place of what all functions with routes share."""
_KINDS = ("functions", "layers")
_ELSEWHERE = ("artifact", "environment", "image_uri", "layers", "managed_policies", "permissions", "triggers")
"""Keys of a function's hand-off that have a part of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something with another value."""

    name: str
    before: str | None
    """None if it was not there."""
    after: str | None
    """None if it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What differs in one function or layer."""

    change: str
    """``added``, ``changed`` or ``removed``, as all changes below."""
    before: str | None
    """Digest of its artifact; None if it was not there."""
    after: str | None
    distributions: tuple[Step, ...] = ()
    """Versions, by name. Nothing is known of them where a row is of the first schema."""
    settings: tuple[Step, ...] = ()
    """As the hand-off has them, with dots: ``memory_mb``, ``queue orders batch_size``."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Changes by name; nobody but the function sees a value."""
    triggers: Mapping[str, str] = field(default_factory=dict)
    """Changes by kind and name: ``http POST /orders``. What differs in one that stays is in `settings`."""
    permissions: Mapping[str, str] = field(default_factory=dict)
    """Changes by what is granted: ``s3:GetObject on arn:…``, or a managed policy."""
    layers: Mapping[str, str] = field(default_factory=dict)
    """Changes by key in the hand-off, or by ARN. A layer that stays has a part of its own."""

    @property
    def has_other_code(self) -> bool:
        """True when it has other bytes."""
        return self.before != self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What differs from one release to another."""

    old: str
    """Its id."""
    new: str
    parts: Mapping[str, Part]
    """Of what differs, by place: ``functions/orders``, ``layers/data``, `HTTP_API`."""
    live: tuple[Step, ...]
    """Versions that live aliases name, by function."""
    stacks: tuple[Step, ...]
    """By function; the env's own stack has no name."""
    locks: tuple[Step, ...]
    """Digests by place."""
    tools: tuple[Step, ...]
    """Versions by name."""

    @property
    def is_empty(self) -> bool:
        """True when nothing that rows tell differs."""
        return not (self.parts or self.live or self.stacks or self.locks or self.tools)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def compare(old: Release, new: Release) -> Comparison:
    """Return what differs from ``old`` to ``new``. What only one of two schemas tells is not compared."""
    artifacts = [artifacts_of(each) for each in (old, new)]
    http = [each.handoff.get(HTTP_API) for each in (old, new)]
    places = sorted({*artifacts[0], *artifacts[1], *_places(old), *_places(new)})
    parts = {place: part for place in places if (part := _part(place, old, new))}
    settings = _steps(*(dict(_flat(each or {})) for each in http))
    if settings and all(each is not None for each in http):
        parts[HTTP_API] = Part(change=CHANGED, before=None, after=None, settings=settings)
    return Comparison(
        old=old.id,
        new=new.id,
        parts=parts,
        live=_steps(old.live, new.live),
        stacks=_steps(old.stacks, new.stacks),
        locks=_steps(old.locks, new.locks) if old.locks and new.locks else (),
        tools=_steps(old.tools, new.tools) if old.tools and new.tools else (),
    )


def _places(release: Release) -> Iterator[str]:
    for kind in _KINDS:
        yield from (f"{kind}/{name}" for name in release.handoff.get(kind, {}))


def _part(place: str, old: Release, new: Release) -> Part | None:
    """Return what differs at ``place``; None if nothing does."""
    kind, _, name = place.partition("/")
    sides = [each.handoff.get(kind, {}).get(name) for each in (old, new)]
    artifacts = [artifacts_of(each).get(place) for each in (old, new)]
    before, after = (each.digest if each else None for each in artifacts)
    was, now = (each is not None or side is not None for each, side in zip(artifacts, sides, strict=True))
    change = CHANGED if was and now else ADDED if now else REMOVED
    said = [each.distributions if each else {} for each in artifacts]
    are_known = old.artifacts and new.artifacts
    if change is not CHANGED:
        return Part(change=change, before=before, after=after, distributions=_steps(*said) if are_known else ())
    part = Part(
        change=change,
        before=before,
        after=after,
        distributions=_steps(*said) if are_known else (),
        **_configuration(*(side or {} for side in sides)),
    )
    return None if part == Part(change=change, before=after, after=after) else part


def _configuration(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    triggers = [dict(_triggers(each.get("triggers") or {})) for each in (old, new)]
    settings = [dict(_flat({key: each[key] for key in each if key not in _ELSEWHERE})) for each in (old, new)]
    both = triggers[0].keys() & triggers[1].keys()
    for side, found in zip(settings, triggers, strict=True):
        side.update((f"{each} {key}", value) for each in both for key, value in _flat(found[each]))
    return {
        "settings": _steps(*settings),
        "environment": _changes(*(_variables(each) for each in (old, new))),
        "triggers": _changes(*(dict.fromkeys(each, "") for each in triggers)),
        "permissions": _changes(*(dict.fromkeys(_rights(each), "") for each in (old, new))),
        "layers": _changes(*(dict.fromkeys(each.get("layers") or (), "") for each in (old, new))),
    }


def _steps(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Step, ...]:
    return tuple(
        Step(name=name, before=_text(old.get(name)), after=_text(new.get(name)))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    return {
        name: CHANGED if name in old and name in new else ADDED if name in new else REMOVED
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    }


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _flat(settings: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what is set, in tables with dots; not where a secret is, for that is a variable's value."""
    for key, value in settings.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}.")
        elif value is not None and not (name.startswith("secrets.") and key == "arn"):
            yield name, value


def _variables(function: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in (function.get("environment") or {}).items() if key != OWN_VARIABLE}


def _triggers(kinds: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each trigger by kind and name; the URL, of which a function has one, by its kind."""
    for kind, found in kinds.items():
        if kind == "url":
            yield from [(kind, found)] if found else []
        else:
            yield from ((f"{kind} {name}", each) for name, each in found.items())


def _rights(function: Mapping[str, Any]) -> Iterator[str]:
    for each in function.get("permissions") or ():
        yield from (f"{action} on {resource}" for action in each["actions"] for resource in each["resources"])
    yield from function.get("managed_policies") or ()

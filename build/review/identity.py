"""Tells whether two plans are the same change."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from build.review.plans import COMPUTED, PlanJson

_VOLATILE = COMPUTED | frozenset("creation_date create_time created_time timestamp unique_id uuid".split())
"""Attributes that are times and ids."""


def change_digest(plans: Mapping[str, PlanJson]) -> str:
    """Return 64 hex digits that are equal for the same change of the same things, at whatever time it was planned.

    All real values go in, secret ones, too, as one whole: nothing can be guessed from it piece by piece. It holds what
    is made of what, and why; not the drift, nor times and ids that AWS chooses, nor the order in which they are listed.
    """
    changes = {stack: [*sorted(map(_canonical, _changes(plan)))] for stack, plan in plans.items()}
    return hashlib.sha256(_canonical({stack: each for stack, each in changes.items() if each}).encode()).hexdigest()


def _changes(plan: PlanJson) -> list[Any]:
    resources = [
        {
            "address": each["address"],
            "from": each.get("previous_address"),
            "deposed": "deposed" in each,
            "actions": each["change"]["actions"],
            "importing": bool(each["change"].get("importing")),
            "replaces": sorted(map(_canonical, each["change"].get("replace_paths") or ())),
            **_differing(each["change"]),
        }
        for each in plan.get("resource_changes", ())
        if each["change"]["actions"] not in (["no-op"], ["read"])
        or each.get("previous_address")
        or each["change"].get("importing")
    ]
    outputs = [
        {"output": name, "actions": change["actions"], "after": _without_versions(change.get("after"))}
        for name, change in (plan.get("output_changes") or {}).items()
        if change["actions"] != ["no-op"]
    ]
    return [*resources, *outputs]


def _differing(change: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of what differs, without times and ids; all of what comes or goes."""
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown")
    unknown = unknown if isinstance(unknown, Mapping) else {}
    names = {
        name
        for name in {*before, *after, *unknown} - _VOLATILE
        if not (before and after) or before.get(name) != after.get(name) or name in unknown
    }
    sides = {"before": before, "after": after, "unknown": unknown}
    return {side: {name: values[name] for name in names if name in values} for side, values in sides.items()}


def _without_versions(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_versions(v) for k, v in value.items() if k not in _VOLATILE}
    return value


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

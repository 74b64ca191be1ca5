"""Reads `terraform show -json`. Secrets end here: a `Row` holds no value that nobody may see.

The format: https://developer.hashicorp.com/terraform/internals/json-format
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from build.review.changes import SENSITIVE, UNKNOWN, Change

PlanJson = Mapping[str, Any]
"""What ``terraform show -json FILE`` prints."""

COMPUTED = frozenset(
    """arn code_sha256 created_date id invoke_arn last_modified last_updated_date layer_arn qualified_arn
    qualified_invoke_arn signing_job_arn signing_profile_version_arn source_code_size tags_all version""".split()
)
"""Attributes that AWS chooses: that they change says nothing beside what made them change."""

_CHANGES = {
    ("create",): Change.ADDED,
    ("update",): Change.CHANGED,
    ("delete",): Change.REMOVED,
    ("delete", "create"): Change.REPLACED,
    ("create", "delete"): Change.REPLACED,
    ("forget",): Change.FORGOTTEN,
    ("create", "forget"): Change.ADDED,
}
_ENVIRONMENT = re.compile(r"environment\[\d+\]\.variables\.")
_INDEX = re.compile(r'\["((?:[^"\\]|\\.)*)"\]')


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One resource of a plan, or of its drift, also one that stays as it is."""

    stack: str
    address: str
    type: str
    module: str
    """Address of the module it is in, empty for the root's own."""
    change: Change | None
    """None: it stays as it is."""
    before: Mapping[str, Any]
    """Empty if it was not there. `SENSITIVE` stands for what nobody may see."""
    after: Mapping[str, Any]
    """Empty if it will not be there. `UNKNOWN` stands for what only AWS will tell."""
    changed: tuple[str, ...]
    """Paths of attributes that differ, ``ephemeral_storage[0].size``; sorted. Empty unless it was there and will be."""
    why: tuple[str, ...]
    """Why it is destroyed."""
    moved_from: str | None

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of for_each in its address, the outermost first."""
        return tuple(match.replace('\\"', '"') for match in _INDEX.findall(self.address))

    @property
    def label(self) -> str:
        """Its address, after its stack's name if it has one."""
        return f"{self.stack}: {self.address}" if self.stack else self.address

    @property
    def now(self) -> Mapping[str, Any]:
        """What it will be; what it was, if it goes."""
        return self.after or self.before

    @property
    def is_gone(self) -> bool:
        """True when what was there is destroyed."""
        return self.change in (Change.REMOVED, Change.REPLACED)

    @property
    def is_new(self) -> bool:
        """True when something is made."""
        return self.change in (Change.ADDED, Change.REPLACED)

    def differs(self, *names: str) -> bool:
        """Tell whether one of these top-level attributes differs."""
        return any(re.split(r"[.\[]", path, maxsplit=1)[0] in names for path in self.changed)


def rows_of(stack: str, plan: PlanJson) -> tuple[Row, ...]:
    """Return every managed resource of ``plan`` by address, those that stay as they are included."""
    rows = (_row(stack, each) for each in plan.get("resource_changes", ()) if each.get("mode") != "data")
    return tuple(sorted(rows, key=lambda row: row.address))


def drift_of(stack: str, plan: PlanJson) -> tuple[Row, ...]:
    """Return what the refresh found otherwise than the last apply left it."""
    rows = (
        _row(stack, {**each, "change": _without_defaults(each["change"])})
        for each in plan.get("resource_drift", ())
        if each.get("mode") != "data"
    )
    return tuple(sorted(rows, key=lambda row: row.address))


def failed_checks(plan: PlanJson) -> tuple[str, ...]:
    """Return the addresses of what did not hold in ``plan``: conditions, checks."""
    return tuple(
        sorted(
            instance["address"]["to_display"]
            for check in plan.get("checks") or ()
            for instance in check.get("instances") or [check]
            if instance["status"] in {"fail", "error"}
        )
    )


def changed_outputs(plan: PlanJson) -> Iterator[tuple[str, Change]]:
    """Yield the name of every output that changes."""
    for name, change in sorted((plan.get("output_changes") or {}).items()):
        kind = _CHANGES.get(tuple(change["actions"]))
        if kind:
            yield name, kind


def document(value: object) -> Any:
    """Return the JSON that a policy or a redrive policy is; None if it is none, or nobody may see it."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(value)
    except ValueError:
        return None


def first(value: object) -> Mapping[str, Any]:
    """Return the block that Terraform wraps into a list; empty if there is none, or nobody may see it."""
    match value:
        case [dict() as block, *_]:
            return block
        case _:
            return {}


def listed(value: object) -> list[Any]:
    """Return the list that ``value`` is; empty if it is none, or nobody may see it."""
    return value if isinstance(value, list) else []


def is_known(value: object) -> bool:
    """Tell whether the value stands in the plan for everybody to see."""
    return value not in (SENSITIVE, UNKNOWN)


def _row(stack: str, entry: Mapping[str, Any]) -> Row:
    change = entry["change"]
    before, after = change.get("before") or {}, change.get("after") or {}
    unknown = change.get("after_unknown") or {}
    kind = _CHANGES.get(tuple(change["actions"]))
    if kind is None and change.get("importing"):
        kind = Change.IMPORTED
    if kind is None and entry.get("previous_address"):
        kind = Change.MOVED
    changed: set[str] = set()
    if before and after and (before != after or _any_true(unknown)):
        # What is made anew is compared where its configuration speaks: the rest AWS chooses once more.
        will_be = _configured(before, after) if kind is Change.REPLACED else after
        changed = set(_differing(before, will_be, None if kind is Change.REPLACED else unknown, ""))
    return Row(
        stack=stack,
        address=entry["address"] + (" (deposed)" if entry.get("deposed") else ""),
        type=entry["type"],
        module=entry.get("module_address") or "",
        change=kind,
        before=_shown(before, _flags(change.get("before_sensitive"), before), False, ""),
        after=_shown(after, _flags(change.get("after_sensitive"), after), _flags(unknown, after), ""),
        changed=tuple(sorted(changed)),
        why=_why(entry.get("action_reason"), change.get("replace_paths") or ()),
        moved_from=entry.get("previous_address"),
    )


def _configured(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return ``after`` with what its configuration leaves to AWS as it was."""
    return {**before, **{name: value for name, value in after.items() if value is not None or before.get(name)}}


def _flags(tree: Any, values: Mapping[str, Any]) -> Any:
    """Return the flags of each attribute, also where one flag is for the whole resource."""
    return dict.fromkeys(values, True) if tree is True else tree


def _without_defaults(change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a change without what is false or nothing: a refresh writes out what nobody had set."""
    return {**change, **{side: _set_only(change.get(side)) for side in ("before", "after")}}


def _set_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _set_only(each) for name, each in value.items() if each or (each == 0 and each is not False)}
    return [_set_only(each) for each in value] if isinstance(value, list) else value


def _shown(value: Any, sensitive: Any, unknown: Any, path: str) -> Any:
    """Return ``value`` with what nobody may see, and what nobody knows yet, replaced."""
    if sensitive is True or (_ENVIRONMENT.match(path) and value is not None):
        return SENSITIVE
    if unknown is True:
        return UNKNOWN
    if path and not path.startswith("environment") and not _any_true(sensitive) and not _any_true(unknown):
        return value
    if isinstance(value, dict) or (value is None and isinstance(unknown, dict)):
        items = value or {}
        names = {*items, *(unknown if isinstance(unknown, dict) else ())}
        return {
            name: _shown(items.get(name), _at(sensitive, name), _at(unknown, name), f"{path}.{name}".lstrip("."))
            for name in sorted(names)
        }
    if isinstance(value, list):
        return [_shown(v, _at(sensitive, n), _at(unknown, n), f"{path}[{n}]") for n, v in enumerate(value)]
    return value


def _at(tree: Any, key: str | int) -> Any:
    """Return the branch of a tree of flags; one that is true counts for all below it."""
    if isinstance(tree, dict):
        return tree.get(str(key))
    if isinstance(tree, list) and isinstance(key, int):
        return tree[key] if key < len(tree) else None
    return tree is True


def _any_true(tree: Any) -> bool:
    if isinstance(tree, dict):
        return any(map(_any_true, tree.values()))
    return any(map(_any_true, tree)) if isinstance(tree, list) else tree is True


def _differing(before: Any, after: Any, unknown: Any, path: str) -> Iterator[str]:
    if unknown is True:
        yield path
    elif isinstance(before, dict) and isinstance(after, dict):
        for name in {*before, *after, *(unknown if isinstance(unknown, dict) else ())}:
            here = f"{path}.{name}".lstrip(".")
            yield from _differing(before.get(name), after.get(name), _at(unknown, name), here)
    elif isinstance(before, list) and isinstance(after, list) and _holds_blocks(before, after):
        for number in range(max(len(before), len(after))):
            old, new = (each[number] if number < len(each) else None for each in (before, after))
            yield from _differing(old, new, _at(unknown, number), f"{path}[{number}]")
    elif not _same(before, after):
        yield path


def _holds_blocks(before: list[Any], after: list[Any]) -> bool:
    """Tell whether items are blocks at the same places; else a list is one value, whose order may say nothing."""
    items = [*before, *after]
    return bool(items) and all(isinstance(each, dict) for each in items)


def _same(before: Any, after: Any) -> bool:
    if before == after or (not before and not after and before not in (0, False) and after not in (0, False)):
        return True  # the provider writes None, [] and "" for one and the same nothing
    read = document(before), document(after)
    return read[0] is not None and read[0] == read[1]


def _why(reason: str | None, replace_paths: Any) -> tuple[str, ...]:
    if not reason:
        return ()
    if reason == "replace_because_cannot_update":
        return tuple(f"{_path(each)} cannot be changed in place" for each in replace_paths)
    if reason.startswith("delete_because"):
        return ("no longer in the configuration",)
    words = {
        "replace_because_tainted": "an earlier apply left it unfinished",
        "replace_by_request": "asked for with -replace",
        "replace_by_triggers": "something it depends on changes (replace_triggered_by)",
    }
    return (words.get(reason, reason.replace("_", " ")),)


def _path(parts: Any) -> str:
    """Return ``a[0].b`` for Terraform's ``["a", 0, "b"]``."""
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in parts)
    return text.lstrip(".")

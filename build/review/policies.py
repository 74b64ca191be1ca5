"""Compares IAM policies by what they allow. How statements are ordered, split or spelled says nothing.

The language: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

ANYONE = "*"
EVERYTHING_BUT = "!"
"""Begins what NotAction, NotResource and NotPrincipal say."""

_WILD = re.compile(r"[*?]")
_BINDING = re.compile(
    r"(aws:(source(arn|account|owner|orgid|orgpaths|vpce|vpc)|principal(arn|account|orgid|orgpaths))"
    r"|lambda:eventsourcetoken|sns:endpoint|kms:calleraccount|[a-z0-9.-]+:(sub|aud))$",
    re.IGNORECASE,
)
"""Condition keys that tell callers apart: a principal * under one of them is not anyone."""


_LOOSE = re.compile("Not|Null|IfExists|ForAllValues")
"""Parts of operators that let through who is not named, or where the key is missing."""


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Right:
    """One action on one resource for one principal."""

    effect: str
    principal: str
    """Empty in the policy of a role; ``*`` for anyone."""
    action: str
    resource: str
    condition: str = ""
    """Canonical JSON."""

    def covers(self, other: "Right") -> bool:
        """Tell whether whoever has this has ``other``, too."""
        return (
            self.effect == other.effect
            and self.principal in (ANYONE, other.principal)
            and self.condition in ("", other.condition)
            and _covers(self.action.lower(), other.action.lower())
            and _covers(self.resource, other.resource)
        )

    @property
    def is_anyones(self) -> bool:
        """True for an Allow that no condition keeps to somebody."""
        return (
            self.effect == "Allow"
            and self.principal.startswith((ANYONE, EVERYTHING_BUT))
            and not _binds(self.condition)
        )


def rights_of(policy: Any) -> frozenset[Right]:
    """Return what a policy document, parsed, says."""
    statements = policy.get("Statement", ()) if isinstance(policy, Mapping) else ()
    return frozenset(
        Right(effect=each["Effect"], principal=principal, action=action, resource=resource, condition=condition)
        for each in _listed(statements)
        if isinstance(each, Mapping) and each.get("Effect") in ("Allow", "Deny")
        for condition in [canonical(each.get("Condition"))]
        for principal in _principals(each)
        for action in _either(each, "Action")
        for resource in _either(each, "Resource")
    )


def gained(before: Iterable[Right], after: Iterable[Right]) -> tuple[Right, ...]:
    """Return what of ``after`` nothing of ``before`` covered; with the arguments exchanged, what is lost."""
    had = frozenset(before)
    return tuple(sorted(right for right in frozenset(after) - had if not any(each.covers(right) for each in had)))


def canonical(condition: Any) -> str:
    """Return a Condition as JSON that is equal for equal conditions; empty for none."""
    if not isinstance(condition, Mapping) or not condition:
        return ""
    plain = {
        operator: {key.lower(): sorted(map(str, _listed(values))) for key, values in keys.items()}
        for operator, keys in condition.items()
        if isinstance(keys, Mapping)
    }
    return json.dumps(plain, sort_keys=True, ensure_ascii=False)


def has_wildcard(text: str) -> bool:
    """Tell whether there is a * or a ? in ``text``."""
    return _WILD.search(text) is not None


def is_wide_action(action: str) -> bool:
    """Tell whether ``action`` is all of IAM, or all of a service, or all but some."""
    return action.startswith(EVERYTHING_BUT) or bool(re.match(r"[^:]*[*?]|[^:]+:\*+$", action))


def is_wide_resource(resource: str) -> bool:
    """Tell whether ``resource`` has no name of anything: ``*``, ``arn:aws:s3:::*``, ``…:table/*``."""
    if resource.startswith(EVERYTHING_BUT) or not resource.startswith("arn:"):
        return resource.startswith((EVERYTHING_BUT, "*", "?"))
    parts = resource.split(":", 5)
    name = parts[5] if len(parts) == 6 else ANYONE
    if parts[2] in {"s3", "sqs", "sns"}:
        return bool(_WILD.match(name))
    return bool(_WILD.match(name)) or bool(re.match(r"[a-z-]+[:/][*?]", name))


def _principals(statement: Mapping[str, Any]) -> Iterator[str]:
    key = next((each for each in ("Principal", "NotPrincipal") if each in statement), None)
    if key is None:
        yield ""
        return
    said = statement[key]
    kinds = said if isinstance(said, Mapping) else {"AWS": said}
    named = [_principal(kind, str(each)) for kind, values in kinds.items() for each in _listed(values)]
    yield from named if key == "Principal" else [EVERYTHING_BUT + ", ".join(sorted(named))]


def _principal(kind: str, value: str) -> str:
    account = re.fullmatch(r"(?:arn:[^:]+:iam::)?(\d{12})(?::root)?", value)
    return f"account {account[1]}" if kind == "AWS" and account else value


def _either(statement: Mapping[str, Any], key: str) -> Iterator[str]:
    """Yield the items of Action or Resource; those of NotAction or NotResource as one."""
    if f"Not{key}" in statement:
        yield EVERYTHING_BUT + ", ".join(sorted(map(str, _listed(statement[f"Not{key}"]))))
    else:
        yield from map(str, _listed(statement.get(key, "")))  # a trust policy has no Resource


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _binds(condition: str) -> bool:
    """Tell whether a condition keeps ``*`` to callers it names."""
    return any(
        _BINDING.match(key) and not _LOOSE.search(operator) and ANYONE not in values
        for operator, keys in json.loads(condition or "{}").items()
        for key, values in keys.items()
    )


def _covers(pattern: str, text: str) -> bool:
    if pattern in (text, ANYONE):
        return True
    if EVERYTHING_BUT in (pattern[:1], text[:1]):
        return False
    return _expression(pattern).fullmatch(text) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Return what matches every text that IAM takes ``pattern`` for, and every narrower pattern."""
    return re.compile("".join({"*": ".*", "?": "[^*]"}.get(each) or re.escape(each) for each in pattern), re.DOTALL)

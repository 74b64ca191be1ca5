"""Which records a function wants: the filter criteria of event source mappings. Values only.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html. The patterns are those of EventBridge:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html. Moto's own take 1 for true
and find nothing in lists of objects.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Pattern = Mapping[str, Any]


def patterns_of(criteria: Mapping[str, Any] | None) -> tuple[Pattern, ...]:
    """Return the patterns of FilterCriteria, of which one has to fit. Raises ValueError for what Lambda refuses."""
    patterns = tuple(json.loads(each.get("Pattern") or "{}") for each in (criteria or {}).get("Filters") or ())
    for pattern in patterns:
        _check("a pattern", pattern if isinstance(pattern, dict) else None)
    return patterns


def passes(patterns: Sequence[Pattern], record: Mapping[str, Any], key: str) -> bool:
    """Tell whether one of ``patterns`` fits ``record``, whose data are at ``key``: as text, or read already.

    Data that are JSON fit no pattern of plain text, and plain text fits none of JSON.
    """
    data = _read(record.get(key))
    seen = {**record, key: data}
    is_text = not isinstance(data, dict | list)
    return not patterns or any(
        fits(pattern, seen) for pattern in patterns if key not in pattern or isinstance(pattern[key], list) == is_text
    )


def fits(pattern: Pattern, value: Any) -> bool:
    """Tell whether ``pattern`` fits ``value``, JSON that was read; of a list, one item has to fit."""
    if isinstance(value, list) and value:
        return any(fits(pattern, each) for each in value)
    fields = value if isinstance(value, dict) else {}
    return all(_rule_fits(name, rule, fields) for name, rule in pattern.items())


def _rule_fits(name: str, rule: Any, fields: Mapping[str, Any]) -> bool:
    if _is_or(name, rule):
        return any(fits(each, fields) for each in rule)
    if isinstance(rule, dict):
        return fits(rule, fields.get(name))
    leaves = list(_leaves(fields[name])) if name in fields else []
    return any(_any_leaf_fits(each, leaves) for each in rule)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif not isinstance(value, dict):
        yield value


def _any_leaf_fits(rule: Any, leaves: list[Any]) -> bool:
    if not isinstance(rule, dict):
        return any(_same(rule, leaf) for leaf in leaves)
    ((operator, wanted),) = rule.items()
    if operator == "exists":
        return bool(leaves) is wanted
    _, holds = _OPERATORS[operator]
    return any(holds(wanted, leaf) for leaf in leaves)


def _read(data: Any) -> Any:
    try:
        found = json.loads(data) if isinstance(data, str) else data
    except ValueError:
        return data
    return found if isinstance(found, dict | list) else data


def _check(name: str, rule: Any) -> None:
    if _is_or(name, rule):
        for each in rule:
            _check(name, each)
    elif isinstance(rule, dict):
        for inner, each in rule.items():
            _check(inner, each)
    elif not isinstance(rule, list) or not rule:
        msg = f"{name} must be an object or a list that is not empty"
        raise ValueError(msg)
    else:
        for each in rule:
            if not (_is_operation(each) if isinstance(each, dict) else _is_leaf(each)):
                msg = f"{name} has a rule that is none: {json.dumps(each)}"
                raise ValueError(msg)


def _is_or(name: str, rule: Any) -> bool:
    return name == "$or" and isinstance(rule, list) and bool(rule) and all(isinstance(each, dict) for each in rule)


def _is_operation(rule: dict[str, Any]) -> bool:
    return len(rule) == 1 and all(name in _OPERATORS and _OPERATORS[name][0](wanted) for name, wanted in rule.items())


def _is_leaf(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float)


def _same(wanted: Any, leaf: Any) -> bool:
    """Compare as Lambda does: 300 is not 300.0, and true is not 1."""
    return type(wanted) is type(leaf) and bool(wanted == leaf)


def _is_text(wanted: Any) -> bool:
    return isinstance(wanted, str)


def _is_edge(wanted: Any) -> bool:
    return _is_text(wanted) or (isinstance(wanted, dict) and [*wanted] == [_FOLDED] and _is_text(wanted[_FOLDED]))


def _has_edge(at: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def holds(wanted: Any, leaf: Any) -> bool:
        if not isinstance(leaf, str):
            return False
        return at(leaf.lower(), wanted[_FOLDED].lower()) if isinstance(wanted, dict) else at(leaf, wanted)

    return holds


def _is_same_folded(wanted: str, leaf: Any) -> bool:
    return isinstance(leaf, str) and leaf.lower() == wanted.lower()


def _is_like(wanted: str, leaf: Any) -> bool:
    expression = ".*".join(map(re.escape, wanted.split("*")))
    return isinstance(leaf, str) and re.fullmatch(expression, leaf, re.DOTALL) is not None


def _is_network(wanted: Any) -> bool:
    try:
        return bool(ipaddress.ip_network(wanted, strict=False))
    except ValueError:
        return False


def _is_within(wanted: str, leaf: Any) -> bool:
    try:
        return isinstance(leaf, str) and ipaddress.ip_address(leaf) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_range(wanted: Any) -> bool:
    return (
        isinstance(wanted, list)
        and len(wanted) in {2, 4}
        and all(isinstance(each, str) and each in _COMPARISONS for each in wanted[::2])
        and all(_is_number(each) for each in wanted[1::2])
    )


def _is_in_range(wanted: list[Any], leaf: Any) -> bool:
    bounds = zip(wanted[::2], wanted[1::2], strict=True)
    return _is_number(leaf) and all(_COMPARISONS[comparison](leaf, bound) for comparison, bound in bounds)


def _listed(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


def _is_unwanted(wanted: Any) -> bool:
    if isinstance(wanted, dict):
        ((name, inner),) = wanted.items() if len(wanted) == 1 else (("", None),)
        return name in {"prefix", "suffix", "wildcard", _FOLDED} and all(map(_is_text, _listed(inner)))
    return bool(_listed(wanted)) and all(map(_is_leaf, _listed(wanted)))


def _is_anything_but(wanted: Any, leaf: Any) -> bool:
    if isinstance(wanted, dict):
        ((name, inner),) = wanted.items()
        return not any(_OPERATORS[name][1](each, leaf) for each in _listed(inner))
    return not any(_same(each, leaf) for each in _listed(wanted))


_FOLDED = "equals-ignore-case"
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda leaf, bound: leaf < bound,
    "<=": lambda leaf, bound: leaf <= bound,
    "=": lambda leaf, bound: leaf == bound,
    ">=": lambda leaf, bound: leaf >= bound,
    ">": lambda leaf, bound: leaf > bound,
}
_OPERATORS: Mapping[str, tuple[Callable[[Any], bool], Callable[[Any, Any], bool]]] = {
    "exists": (lambda wanted: isinstance(wanted, bool), lambda wanted, _leaf: wanted is True),
    "prefix": (_is_edge, _has_edge(str.startswith)),
    "suffix": (_is_edge, _has_edge(str.endswith)),
    _FOLDED: (_is_text, _is_same_folded),
    "wildcard": (_is_text, _is_like),
    "cidr": (_is_network, _is_within),
    "numeric": (_is_range, _is_in_range),
    "anything-but": (_is_unwanted, _is_anything_but),
}
"""What each takes, and when it holds."""

"""GitHub's expressions, as far as our workflows use them. What is not known here is refused, not guessed.

https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>\d+)|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>==|!=|&&|\|\||[!().\[\],]))"
)
_WHOLE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_LITERALS = {"true": True, "false": False, "null": None}
STATUS = ("always", "cancelled", "failure", "success")


def text_of(value: Any) -> str:
    """Return what GitHub makes of ``value`` in a text."""
    if isinstance(value, dict | list):
        raise ValueError(f"no text: {value}")
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def filled(value: Any, context: Mapping[str, Any], status: str = "success") -> Any:
    """Return ``value`` of a workflow with its ``${{ }}`` evaluated; one that is nothing else keeps its type."""
    if isinstance(value, dict):
        return {name: filled(each, context, status) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, context, status) for each in value]
    if not isinstance(value, str):
        return value
    if (whole := _WHOLE.fullmatch(value.strip())) and value.count("${{") == 1:
        return evaluated(whole[1], context, status)
    return _WHOLE.sub(lambda match: text_of(evaluated(match[1], context, status)), value)


def holds(condition: str | None, context: Mapping[str, Any], status: str) -> bool:
    """Tell whether an ``if`` lets a job or step run, after what came before it ended in ``status``."""
    expression = (condition or "success()").strip()
    if whole := _WHOLE.fullmatch(expression):
        expression = whole[1]
    if not re.search(rf"\b({'|'.join(STATUS)})\(", expression):
        expression = f"success() && ({expression})"
    return _true(evaluated(expression, context, status))


def evaluated(expression: str, context: Mapping[str, Any], status: str = "success") -> Any:
    """Return the value of ``expression``; raise ValueError for what this does not know."""
    tokens, place = [], 0
    while expression[place:].strip():
        match = _TOKEN.match(expression, place)
        if not match:
            raise ValueError(f"not known: {expression[place:]!r} in {expression!r}")
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    reader = _Reader(tokens, context, status)
    value = reader.either()
    if reader.tokens:
        raise ValueError(f"not known: {reader.tokens} in {expression!r}")
    return value


def _true(value: Any) -> bool:
    return value not in (None, False, 0, "")


def _number(value: Any) -> float:
    if isinstance(value, dict | list):
        return math.nan
    try:
        return float(value or 0)
    except ValueError:
        return math.nan


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.casefold() == other.casefold()
    if type(one) is type(other) and not isinstance(one, dict | list):
        return bool(one == other)
    return _number(one) == _number(other)


@dataclass(slots=True)
class _Reader:
    tokens: list[tuple[str, str]]
    context: Mapping[str, Any]
    status: str
    functions: dict[str, Callable[..., Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.functions = {
            "always": lambda: True,
            "cancelled": lambda: self.status == "cancelled",
            "failure": lambda: self.status == "failure",
            "success": lambda: self.status == "success",
            "fromJSON": json.loads,
            "toJSON": lambda value: json.dumps(value, indent=2),
            "hashFiles": lambda *patterns: "digest-of-" + "-".join(patterns),
        }

    def took(self, *signs: str) -> bool:
        if self.tokens and self.tokens[0][0] == "sign" and self.tokens[0][1] in signs:
            self.tokens.pop(0)
            return True
        return False

    def must(self, sign: str) -> None:
        if not self.took(sign):
            raise ValueError(f"expected {sign}, got {self.tokens[:1]}")

    def either(self) -> Any:
        value = self.both()
        while self.took("||"):
            other = self.both()
            value = value if _true(value) else other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.took("&&"):
            other = self.compared()
            value = other if _true(value) else value
        return value

    def compared(self) -> Any:
        value = self.negated()
        if self.took("=="):
            return _equal(value, self.negated())
        if self.took("!="):
            return not _equal(value, self.negated())
        return value

    def negated(self) -> Any:
        if self.took("!"):
            return not _true(self.negated())
        return self.reached()

    def reached(self) -> Any:
        value = self.started()
        while self.tokens and self.tokens[0] in {("sign", "."), ("sign", "[")}:
            if self.took("."):
                kind, name = self.tokens.pop(0)
                if kind != "name":
                    raise ValueError(f"not known: .{name}")
                key: Any = name
            else:
                self.must("[")
                key = self.either()
                self.must("]")
            if isinstance(value, list) and isinstance(key, int):
                value = value[key] if key < len(value) else None
            else:
                value = value.get(key) if isinstance(value, dict) else None
        return value

    def started(self) -> Any:
        if self.took("("):
            value = self.either()
            self.must(")")
            return value
        kind, text = self.tokens.pop(0) if self.tokens else ("end", "")
        if kind == "string":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        if kind == "name" and text in _LITERALS:
            return _LITERALS[text]
        if kind == "name" and self.took("("):
            arguments = []
            while not self.took(")"):
                arguments.append(self.either())
                self.took(",")
            if text not in self.functions:
                raise ValueError(f"not a known function: {text}")
            return self.functions[text](*arguments)
        if kind == "name" and text in self.context:
            return self.context[text]
        raise ValueError(f"not known here: {text or 'the end'}")

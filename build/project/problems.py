"""What is wrong with a settings file, in lines a person can act on.

A line reads ``functions/orders/function.toml: triggers.queue[0].batch_size: expected 1 … 10000, got 0``.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from build.rules.words import did_you_mean, shown

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "dict_type": "a table",
    "dataclass_type": "a table",
    "bool_type": "true or false",
}


def lines(file: str, error: "ValidationError", schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield one line per problem in ``error``; ``schema`` is the JSON Schema of the whole file."""
    for detail in error.errors(include_url=False, include_context=False):
        location = tuple(part for part in detail["loc"] if part != "[key]")
        message = _message(detail, location, schema)
        yield f"{file}: {dotted(location)}: {message}" if location else f"{file}: {message}"


def dotted(location: Sequence[int | str]) -> str:
    """Spell a place in a file: ``triggers.queue[0].batch_size``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _message(detail: "ErrorDetails", location: Sequence[int | str], schema: Mapping[str, Any]) -> str:
    kind = detail["type"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return _unknown_key(location, schema)
    if kind == "missing":
        return "missing"
    if kind not in _EXPECTED:
        return detail["msg"].removeprefix("Value error, ")
    advice = _advice(kind, location, detail["input"], schema)
    return f"expected {_EXPECTED[kind]}, got {shown(detail['input'])}{advice}"


def _unknown_key(location: Sequence[int | str], schema: Mapping[str, Any]) -> str:
    key = str(location[-1])
    known = _keys(schema, location[:-1])
    near = did_you_mean(key, known)
    if not near and key in _keys(schema, ()):
        return f"unknown key here; `{key}` is a key of the file itself: move it above the first [table]"
    listed = ", ".join(known)
    return f"unknown key{near or f'; known here: {listed}'}"


def _advice(kind: str, location: Sequence[int | str], value: object, schema: Mapping[str, Any]) -> str:
    key = location[-1]
    if kind == "string_type" and location[:-1] == ("environment",) and key in _keys(schema, ()):
        return f"; `{key}` stands below [environment] and so belongs to it: move it above that line"
    advice = ""
    match kind, value:
        case "string_type", bool() | int() | float():
            advice = f'; quote it: "{shown(value)}"'
        case "int_type", str() if value.isdecimal():
            advice = f"; write {value} without quotes"
        case "tuple_type", str():
            advice = f"; write [{shown(value)}]"
        case "tuple_type", dict():
            advice = f"; write [[{dotted(location)}]], in double brackets"
        case "dict_type" | "dataclass_type", list():
            advice = f"; write [{dotted(location)}] once, in single brackets"
        case _:
            pass
    return advice


def _keys(schema: Mapping[str, Any], location: Sequence[int | str]) -> list[str]:
    """Return the keys that the table at ``location`` may have."""
    here = _resolved(schema, schema)
    for part in location:
        below = here.get("items") if isinstance(part, int) else here.get("properties", {}).get(part)
        # Tables with free names, such as [env.prod], are told apart by a pattern of the name alone.
        free = next(iter(here.get("patternProperties", {}).values()), None)
        here = _resolved(below or free or {}, schema)
    return list(here.get("properties", ()))


def _resolved(here: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = here.get("$ref")
    if not reference:
        return here
    definition: Mapping[str, Any] = schema["$defs"][reference.rpartition("/")[2]]
    return definition

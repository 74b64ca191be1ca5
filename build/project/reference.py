"""The tables of docs/reference/settings.md, from the JSON Schemas; its prose is written by hand.

``<!-- keys: function triggers.queue -->`` begins a table of the keys below ``triggers.queue``, as far as no other table
has them; ``<!-- end -->`` ends it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from build.project.settings import REQUIRED

_TABLE = re.compile(r"<!-- keys: (?P<file>\S+) ?(?P<below>\S*) -->\n.*?<!-- end -->", re.DOTALL)
_HEADING = "| key | type | default | range | what it is for |\n|---|---|---|---|---|\n"
_TOLD_ELSEWHERE = ("slipway defaults", "slipway env.<env>.http_api", "slipway env.<env>.rollout", "function env.<env>")
"""Tables whose keys are those of another table of the page."""
_FREE = {"env": "<env>", "secrets": "<VARIABLE>"}
"""What stands for the name of a table that is anybody's choice, where that is no ``<name>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    path: str
    """``triggers.queue[].name``."""
    schema: Mapping[str, Any]
    is_required: bool


def filled(page: str, schemas: Mapping[str, Mapping[str, Any]]) -> str:
    """Return ``page`` with its tables written anew; ``schemas`` are those of `schema.render`, by the file's name."""
    markers = [(match["file"], match["below"]) for match in _TABLE.finditer(page)]
    may_be_defaults = schemas["slipway"]["$defs"]["FunctionSettings"]["properties"]

    def table(match: re.Match[str]) -> str:
        file, below = match["file"], match["below"]
        others = [other for name, other in markers if name == file and len(other) > len(below)]
        keys = [key for key in _keys(schemas[file], file) if _is_below(key.path, below)]
        kept = [key for key in keys if not any(_is_below(key.path, other) for other in others)]
        kept.sort(key=lambda key: not key.is_required or "." in key.path)
        marked = {key.path for key in kept if file == "function" and _top_level(key.path) in may_be_defaults}
        rows = [_row(key, below, may_be_default=key.path in marked) for key in kept]
        return "".join([match[0].splitlines(keepends=True)[0], _HEADING, *rows, "<!-- end -->"])

    return _TABLE.sub(table, page)


def _is_below(path: str, table: str) -> bool:
    return not table or path.startswith((f"{table}.", f"{table}[]."))


def _top_level(path: str) -> str | None:
    """Return ``secrets`` for ``secrets.<VARIABLE>``; None for what is deeper in the file."""
    match = re.fullmatch(r"(\w+)(\.<\w+>)?", path)
    return match and match[1]


def _keys(whole: Mapping[str, Any], file: str) -> Iterator[_Key]:
    """Yield every key that the file may have."""
    waiting = [("", whole)]
    while waiting:
        prefix, node = waiting.pop(0)
        below = []
        for key, schema in node.get("properties", {}).items():
            path, found = f"{prefix}{key}", {**_resolved(schema, whole), **schema}
            free = _free(found)
            if free and "$ref" in free:
                path, found = f"{path}.{_FREE.get(path, '<name>')}", {**_resolved(free, whole), **schema}
            yield _Key(path=path, schema=found, is_required=key in node.get("required", ()))
            if "items" in found:
                below.append((f"{path}[].", _resolved(found["items"], whole)))
            elif f"{file} {path}" not in _TOLD_ELSEWHERE:
                below.append((f"{path}.", found))
        waiting = [*below, *waiting]


def _resolved(node: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = node.get("$ref")
    return {**whole["$defs"][reference.rpartition("/")[2]]} if reference else node


def _free(schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what is below names of anybody's choice."""
    any_name = schema.get("additionalProperties")
    found = next(iter(schema.get("patternProperties", {}).values()), any_name)
    return found if isinstance(found, Mapping) else None


def _row(key: _Key, below: str, *, may_be_default: bool) -> str:
    name = key.path.removeprefix(below).removeprefix("[]").removeprefix(".")
    what = key.schema.get("description", "")
    default = "required" if key.is_required else "none"
    if "default" in key.schema:
        default = f"`{json.dumps(key.schema['default'], ensure_ascii=False)}`"
    elif may_be_default and name in REQUIRED:
        default = "required, here or in `[defaults]`"
    mark = " ¹" if may_be_default else ""
    cells = (f"`{name}`{mark}", _type(key.schema), default, _range(key.schema), what)
    return f"| {' | '.join(cells)} |\n"


def _type(schema: Mapping[str, Any]) -> str:
    if "items" in schema:
        return f"list of {_plural(schema['items'])}"
    free = _free(schema) if "properties" not in schema else None
    return f"table of {_plural(free)}" if free else _plural(schema).removesuffix("s")


def _plural(schema: Mapping[str, Any]) -> str:
    return {"string": "strings", "integer": "integers", "boolean": "booleans"}.get(schema.get("type", ""), "tables")


def _range(schema: Mapping[str, Any]) -> str:
    words = [_words(schema), _words(schema.get("items") or _free(schema) or {})]
    if "maxItems" in schema:
        words.append(f"at most {schema['maxItems']}")
    return "; ".join(dict.fromkeys(filter(None, words)))


def _words(schema: Mapping[str, Any]) -> str:
    words = str(schema.get("$comment", ""))
    if "enum" in schema:
        words = ", ".join(f"`{choice}`" if isinstance(choice, str) else str(choice) for choice in schema["enum"])
    elif "minimum" in schema:
        most = schema.get("maximum")
        words = f"{schema['minimum']} or more" if most is None else f"{schema['minimum']} … {most}"
    elif "maxLength" in schema:
        words = f"{schema['minLength']} … {schema['maxLength']} characters"
    return words

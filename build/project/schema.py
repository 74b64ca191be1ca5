"""JSON Schemas of the settings files, from which editors complete and check them.

Importing this module imports pydantic: do so inside functions.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from build.project import settings

FOLDER = Path("docs/reference")
"""Where the schemas are committed, below the repository's root."""


def render() -> dict[Path, str]:
    """Return the text of each schema by its path below the repository's root."""
    function = _schema(settings.FUNCTION)
    function["required"] = ["description"]  # runtime and architecture may come from [defaults]
    _add_defaults(function["properties"])
    slipway = _schema(settings.SLIPWAY)
    _add_defaults(slipway["$defs"]["FunctionSettings"]["properties"])
    schemas = {"function": function, "layer": _schema(settings.LAYER), "slipway": slipway}
    return {
        FOLDER / f"{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }


def write(root: Path) -> tuple[Path, ...]:
    """Write the schemas below ``root`` where they differ; return the paths written."""
    written = []
    for path, text in render().items():
        target = root / path
        if not target.is_file() or target.read_text("utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8", newline="\n")
            written.append(target)
    return tuple(written)


def _schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **adapter.json_schema(ref_template="#/$defs/{model}"),
    }
    cleaned = _cleaned(schema)
    assert isinstance(cleaned, dict)
    return cleaned


def _cleaned(node: object) -> object:
    """Return ``node`` without generated titles and without null, which TOML does not have."""
    if isinstance(node, list):
        return [_cleaned(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    variants = [variant for variant in node.get("anyOf", ()) if variant != {"type": "null"}]
    if len(variants) == 1:
        node = {**variants[0], **{key: value for key, value in node.items() if key != "anyOf"}}
    if "patternProperties" in node:
        node = {**node, "additionalProperties": False}
    return {
        key: _cleaned(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }


def _add_defaults(properties: dict[str, Any]) -> None:
    for key, value in settings.BUILT_IN.items():
        properties[key] = {**properties[key], "default": list(value) if isinstance(value, tuple) else value}

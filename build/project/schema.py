"""JSON Schemas of the settings files, from which editors complete and check them, and the reference's tables.

Importing this module imports pydantic: do so inside functions.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from build.options import Options
from build.project import reference, settings

FOLDER = Path("docs/reference")
"""Where the schemas are committed, below the repository's root."""
PAGE = FOLDER / "settings.md"


def render() -> dict[Path, str]:
    """Return the text of each schema by its path below the repository's root."""
    function = _schema(settings.FUNCTION)
    function["required"] = ["description"]  # runtime and architecture may come from [defaults]
    _add_defaults(function["properties"])
    slipway = _schema(settings.SLIPWAY)
    _add_defaults(slipway["$defs"]["FunctionSettings"]["properties"])
    layer = _schema(settings.LAYER)
    layer["properties"]["keep"]["default"] = []
    schemas = {"function": function, "layer": layer, "slipway": slipway}
    return {
        FOLDER / f"{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }


def render_page(root: Path) -> dict[Path, str]:
    """Return the reference below ``root`` with its tables as they should be, by its path; nothing if there is none."""
    page = root / PAGE
    schemas = {path.name.partition(".")[0]: json.loads(text) for path, text in render().items()}
    return {PAGE: reference.filled(page.read_text("utf-8"), schemas)} if page.is_file() else {}


def write(root: Path) -> tuple[Path, ...]:
    """Write the schemas and the reference's tables below ``root`` where they differ; return the paths written."""
    written = []
    for path, text in {**render(), **render_page(root)}.items():
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
    if node.get("type") == "object" and isinstance(node.get("default"), str):
        node = {**node, "default": json.loads(node["default"])}  # a `JsonObject`
    return {
        key: _cleaned(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and not (key == "default" and value is None)
    }


def _add_defaults(properties: dict[str, Any]) -> None:
    options = Options()
    plain = {each.name: getattr(options, each.name) for each in fields(options) if each.name in properties}
    for key, value in {**plain, **settings.BUILT_IN}.items():
        if value is not None and not is_dataclass(value):
            properties[key] = {**properties[key], "default": list(value) if isinstance(value, tuple) else value}

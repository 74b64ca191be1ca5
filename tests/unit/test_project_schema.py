import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from build.project import schema, settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/settings.md").read_text("utf-8")
SCHEMAS = {path.name.partition(".")[0]: json.loads(text) for path, text in schema.render().items()}


def rows() -> Iterator[tuple[str, list[str]]]:
    """Yield (section, cells) of each table row of the page."""
    section = ""
    for line in PAGE.splitlines():
        if line.startswith("## "):
            section = line[3:].removesuffix(".toml")
        elif line.startswith("| `"):
            yield section, [cell.strip() for cell in line.strip("|").split("|")]


def keys(node: dict[str, Any], whole: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name of each key that a file may have, as the page spells it, and its schema."""
    for key, below in node.get("properties", {}).items():
        found = {**resolved(below, whole), **below}
        name = f"{prefix}{key}"
        free = next(iter(found.get("patternProperties", {}).values()), None)
        if key == "env" and free:
            yield f"{name}.<env>", found
            # Overrides repeat the keys of a function, and [defaults] too: the page says so in words.
            if whole is SCHEMAS["slipway"]:
                yield from keys(resolved(free, whole), whole, f"{name}.<env>.")
            continue
        yield name, found
        if "items" in found:
            yield from keys(resolved(found["items"], whole), whole, f"{name}[].")
        elif key != "defaults":
            yield from keys(found, whole, f"{name}.")


def resolved(node: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    return whole["$defs"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


ALL_KEYS = [(file, name, found) for file, whole in SCHEMAS.items() for name, found in keys(whole, whole)]
ROWS = {(file, cells[0].strip("`¹ ")): cells for file, cells in rows()}


@pytest.mark.parametrize("path", schema.render(), ids=str)
def test_the_committed_schemas_are_current(path):
    committed = ROOT / path
    current = committed.is_file() and committed.read_text("utf-8") == schema.render()[path]
    assert current, f"{path} is not what build/project/settings.py says: run `invoke dev.schema`"


def test_writing_schemas_touches_only_those_that_differ(tmp_path):
    assert len(schema.write(tmp_path)) == 3
    (tmp_path / "docs/reference/layer.schema.json").write_text("{}")
    assert [path.name for path in schema.write(tmp_path)] == ["layer.schema.json"]
    assert schema.write(tmp_path) == ()


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_are_valid_json_schema(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def test_editors_accept_the_repositorys_own_files():
    files = {"slipway": [ROOT / "slipway.toml"], "function": ROOT.glob("functions/*/function.toml")}
    for name, paths in {**files, "layer": ROOT.glob("layers/*/layer.toml")}.items():
        for path in paths:
            jsonschema.validate(tomllib.loads(path.read_text("utf-8")), SCHEMAS[name])


@pytest.mark.parametrize(
    "text",
    [
        "memory_mb = 1",
        'memory_mb = "512"',
        'runtime = "python2.7"',
        "memry_mb = 512",
        "[environment]\nDEBUG = 1",
        '[environment]\nX = "one letter"',
        "[[triggers.queue]]\nbatch_size = 10",
        "[env.prod]\nmemory_mb = 1",
        "[env.Prod]\nmemory_mb = 512",
    ],
)
def test_editors_refuse_what_discovery_refuses(text):
    table = tomllib.loads(f'description = "x"\n{text}')
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(table, SCHEMAS["function"])
    with pytest.raises(ValueError, match="validation error"):
        settings.FUNCTION.validate_python(table)


def test_every_key_has_a_row_in_the_reference_and_every_row_a_key():
    assert {(file, name) for file, name, _ in ALL_KEYS} == set(ROWS)


@pytest.mark.parametrize(("file", "name", "found"), ALL_KEYS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_row_of_the_reference_states_the_default_and_the_range(file, name, found):
    _, _, default, values, _ = ROWS[file, name]
    if "default" in found:
        assert default == f"`{json.dumps(found['default'])}`"
    for bound in (found.get("minimum"), found.get("maximum")):
        assert bound is None or re.search(rf"\b{bound}\b", values)
    for choice in found.get("enum", ()):
        assert re.search(rf"\b{re.escape(str(choice))}\b", values)


def test_rows_marked_as_defaults_are_those_that_defaults_may_give():
    marked = {cells[0].strip("`¹ ") for file, cells in rows() if "¹" in cells[0]}
    assert marked == set(SCHEMAS["slipway"]["$defs"]["FunctionSettings"]["properties"])

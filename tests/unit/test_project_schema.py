import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from build.project import schema, settings
from tests.builders import write_files

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/reference/settings.md").read_text("utf-8")
RENDERED = schema.render()
SCHEMAS = {path.name.partition(".")[0]: json.loads(text) for path, text in RENDERED.items()}
EDITORS = {name: jsonschema.Draft202012Validator(schema) for name, schema in SCHEMAS.items()}


def rows() -> Iterator[tuple[str, list[str]]]:
    """Yield (heading, cells) of each table row of the page."""
    heading = ""
    for line in PAGE.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("| `"):
            yield heading, [cell.strip() for cell in line.strip("|").split("|")]


ROWS = list(rows())


@pytest.mark.parametrize(("path", "text"), RENDERED.items(), ids=map(str, RENDERED))
def test_the_committed_schemas_are_current(path, text):
    committed = ROOT / path
    current = committed.is_file() and committed.read_text("utf-8") == text
    assert current, f"{path} is not what build/project/settings.py says: run `invoke dev.schema`"


def test_the_tables_of_the_reference_are_current():
    (text,) = schema.render_page(ROOT).values()
    assert text == PAGE, "docs/reference/settings.md is not what the settings' types say: run `invoke dev.schema`"


def test_writing_touches_only_files_that_differ(tmp_path):
    assert len(schema.write(tmp_path)) == 3
    write_files(tmp_path, {"docs/reference/layer.schema.json": "{}", "docs/reference/settings.md": PAGE})
    assert [path.name for path in schema.write(tmp_path)] == ["layer.schema.json"]
    assert schema.write(tmp_path) == ()


def test_only_the_tables_of_the_reference_are_written(tmp_path):
    page = "Before.\n<!-- keys: layer -->\n| `old` |\n<!-- end -->\nAfter.\n"
    schema.write(write_files(tmp_path, {"docs/reference/settings.md": page}))
    first, *table, last = (tmp_path / "docs/reference/settings.md").read_text("utf-8").splitlines()
    assert (first, last) == ("Before.", "After.")
    assert [line.partition(" | ")[0] for line in table[3:-1]] == [
        "| `description`",
        "| `runtimes`",
        "| `architectures`",
        "| `keep`",
    ]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_are_valid_json_schema(name):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[name])


def test_editors_accept_the_repositorys_own_files():
    files = {"slipway": [ROOT / "slipway.toml"], "function": ROOT.glob("functions/*/function.toml")}
    for name, paths in {**files, "layer": ROOT.glob("layers/*/layer.toml")}.items():
        for path in paths:
            EDITORS[name].validate(tomllib.loads(path.read_text("utf-8")))


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
        EDITORS["function"].validate(table)
    with pytest.raises(ValueError, match="validation error"):
        settings.FUNCTION.validate_python(table)


@pytest.mark.parametrize(
    ("heading", "row"),
    [
        ("slipway.toml", ["`name`", "string", "required", "kebab-case, up to 20 characters"]),
        ("slipway.toml", ["`layer_sizes`", "table of integers", "none", "1 … 262144000"]),
        ("slipway.toml", ["`env.<env>.account_id`", "string", "none", "12 digits"]),
        ("[http_api]", ["`authorizers.<name>.ttl_s`", "integer", "`0`", "0 … 3600"]),
        ("function.toml", ["`architecture` ¹", "string", "required, here or in `[defaults]`", "`x86_64`, `arm64`"]),
        ("function.toml", ["`memory_mb` ¹", "integer", "`256`", "128 … 10240"]),
        ("function.toml", ["`environment` ¹", "table of strings", "`{}`", ""]),
        ("function.toml", ["`permissions` ¹", "list of tables", "`[]`", ""]),
        ("[secrets]", ["`arn`", "string", "required", "ARN of `ssm`, `secretsmanager`"]),
        ("[provisioned]", ["`schedules[].min`", "integer", "required", "0 or more"]),
        ("[[triggers.http]]", ["`throttle.burst`", "integer", "required", "1 or more"]),
        ("[[triggers.queue]]", ["`filters`", "list of tables", "`[]`", "at most 5"]),
        ("[[triggers.schedule]]", ["`input`", "table", "`{}`", ""]),
        ("layer.toml", ["`keep`", "list of strings", "`[]`", "`tests`, `stubs`, `native-sources`"]),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_row_of_the_reference_states_type_default_and_range(heading, row):
    assert (heading, row) in [(where, cells[:4]) for where, cells in ROWS]


def test_the_examples_of_the_reference_are_in_order():
    examples = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) > 10
    for example in examples:
        if "http_api" in example:
            settings.SLIPWAY.validate_python(tomllib.loads(f'name = "x"\n{example}'))
        else:
            settings.FUNCTION.validate_python(tomllib.loads(f'description = "x"\n{example}'))


def test_every_key_has_a_row_and_every_row_says_what_it_is_for():
    named = {part.removesuffix("[]") for _, cells in ROWS for part in cells[0].strip("`¹ ").split(".")}
    assert set(keys_anywhere(list(SCHEMAS.values()))) - named == set()
    assert len({(heading, cells[0]) for heading, cells in ROWS}) == len(ROWS)
    assert [cells for _, cells in ROWS if not cells[4]] == []


def keys_anywhere(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node.get("properties", {})
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from keys_anywhere(below)


def test_rows_marked_as_defaults_are_those_that_defaults_may_give():
    marked = {cells[0].strip("`¹ ").removesuffix(".<VARIABLE>") for _, cells in ROWS if "¹" in cells[0]}
    assert marked == set(SCHEMAS["slipway"]["$defs"]["FunctionSettings"]["properties"])

"""The keys of the hand-off, declared in HCL and written by Python, are the same.

Terraform drops object attributes it does not know without a word, so that a misspelt key would vanish. The example in
tests/golden stands between the two sides: this compares it with terraform/variables.tf, and a unit test with what
Python writes.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE: dict[str, Any] = json.loads((ROOT / "tests" / "golden" / "handoff.json").read_text("utf-8"))

Shape = dict[str, Any] | str
"""``{key: shape}`` of an object, ``{"*": shape}`` of a map or list, the name of a plain type."""


def declared() -> dict[str, Shape]:
    """Return the shape of every variable in terraform/variables.tf."""
    import hcl2

    with (ROOT / "terraform" / "variables.tf").open(encoding="utf-8") as stream:
        blocks = hcl2.load(stream)["variable"]
    return {name.strip('"'): shape_of(body["type"]) for block in blocks for name, body in block.items()}


def shape_of(declaration: str) -> Shape:
    """Read a type expression such as ``map(object({key = string}))``."""
    tokens = re.findall(
        r"\w+|[(){}=,]", declaration.removeprefix("${").removesuffix("}") if "${" in declaration else declaration
    )
    shape, rest = _read(tokens)
    assert rest == []
    return shape


def _read(tokens: list[str]) -> tuple[Shape, list[str]]:
    kind, *rest = tokens
    if kind in ("map", "list", "set"):
        item, rest = _read(rest[1:])
        return {"*": item}, rest[1:]
    if kind != "object":
        return kind, rest
    fields: dict[str, Any] = {}
    rest = rest[2:]
    while rest[0] != "}":
        if rest[0] == ",":
            rest = rest[1:]
            continue
        key = rest[0]
        fields[key], rest = _read(rest[2:])
    return fields, rest[2:]


def differences(shape: Shape, value: Any, at: str = "") -> Iterator[str]:
    """Say which keys only one side has."""
    if value is None or isinstance(shape, str):
        if isinstance(value, dict | list):
            yield f"{at} is declared {shape}, but holds more"
    elif "*" in shape:
        for item in value.values() if isinstance(value, dict) else value:
            yield from differences(shape["*"], item, f"{at}.*")
    else:
        yield from (f"{at}.{key} is only in variables.tf" for key in sorted(shape.keys() - value.keys()))
        yield from (f"{at}.{key} is only in the hand-off" for key in sorted(value.keys() - shape.keys()))
        for key in shape.keys() & value.keys():
            yield from differences(shape[key], value[key], f"{at}.{key}")


def objects(shape: Shape, at: str = "") -> Iterator[str]:
    """Return the path of every object in ``shape``."""
    if isinstance(shape, dict):
        if "*" not in shape:
            yield at
        for key, item in shape.items():
            yield from objects(item, f"{at}.{key}")


def filled(shape: Shape, value: Any, at: str = "") -> Iterator[str]:
    """Return the path of every object that ``value`` has an instance of."""
    if isinstance(shape, str) or value is None:
        return
    if "*" in shape:
        for item in value.values() if isinstance(value, dict) else value:
            yield from filled(shape["*"], item, f"{at}.*")
        return
    yield at
    for key, item in shape.items():
        yield from filled(item, value.get(key), f"{at}.{key}")


@pytest.fixture(scope="module")
def shape() -> dict[str, Shape]:
    return declared()


@pytest.mark.slow
def test_both_sides_have_the_same_keys(shape):
    assert list(differences(shape, EXAMPLE)) == []


@pytest.mark.slow
def test_the_example_has_an_instance_of_every_object(shape):
    assert set(objects(shape)) - set(filled(shape, EXAMPLE)) == set()


def test_a_key_of_one_side_only_is_found_on_either_side():
    shape = {"functions": shape_of("${map(object({memory_mb = number, queues = map(object({size = number}))}))}")}
    value = {"functions": {"orders": {"memory_mb": 1, "queues": {"in": {"sise": 1}}}}, "extra": 1}
    assert sorted(differences(shape, value)) == [
        ".extra is only in the hand-off",
        ".functions.*.queues.*.sise is only in the hand-off",
        ".functions.*.queues.*.size is only in variables.tf",
    ]

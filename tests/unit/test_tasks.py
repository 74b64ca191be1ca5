"""The verbs as people see them."""

import re
from pathlib import Path

import pytest
from invoke.loader import FilesystemLoader

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference/verbs.md").read_text("utf-8")


def verbs():
    module, _ = FilesystemLoader(start=str(ROOT)).load("tasks")
    collection = module.namespace
    # `releases.list` is what `releases` alone does, and goes by that name.
    return [(min([name, *others], key=len), collection[name]) for name, others in sorted(collection.task_names.items())]


@pytest.mark.parametrize(("name", "task"), verbs(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_verb_and_option_is_documented(name, task):
    rows = [line for line in REFERENCE.splitlines() if re.match(rf"\| `{re.escape(name)}[` ]", line)]
    assert len(rows) == 1, f"docs/reference/verbs.md has {len(rows)} rows for {name}"
    for argument in task.get_arguments():
        if argument.name not in task.positional:
            option = f"`--{argument.name.strip('_').replace('_', '-')}`"
            assert option in rows[0], f"{name} {option} is not in its row"


def test_every_verb_of_the_reference_exists():
    documented = set(re.findall(r"^\| `([a-z.-]+)[` ]", REFERENCE, re.MULTILINE))
    assert documented == {name for name, _ in verbs()}


def test_every_verb_explains_itself_in_one_line():
    first = {name: (task.__doc__ or "").partition("\n")[0] for name, task in verbs()}
    assert [name for name, line in first.items() if not 0 < len(line) <= 100] == []


def test_readme_names_every_verb_family():
    readme = (ROOT / "README.md").read_text("utf-8")
    for name, _ in verbs():
        family = next((f"{group}.*" for group in ("dev", "github") if name.startswith(f"{group}.")), name)
        assert f"`{family}" in readme, name


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 125

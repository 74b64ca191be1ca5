"""The verbs as people see them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.loader import FilesystemLoader

from build.errors import InputError

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs/reference/verbs.md").read_text("utf-8")


def verbs():
    module, _ = FilesystemLoader(start=str(ROOT)).load("tasks")
    collection = module.namespace
    return [(name, collection[name]) for name in sorted(collection.task_names)]


@pytest.mark.parametrize(("name", "task"), verbs(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_verb_and_option_is_documented(name, task):
    rows = [line for line in REFERENCE.splitlines() if re.match(rf"\| `{re.escape(name)}[` ]", line)]
    assert len(rows) == 1, f"docs/reference/verbs.md has {len(rows)} rows for {name}"
    for argument in task.get_arguments():
        if argument.name not in task.positional:
            option = f"`--{argument.name.strip('_').replace('_', '-')}`"
            assert option in rows[0], f"{name} {option} is not in its row"


def test_every_verb_of_the_reference_exists():
    documented = set(re.findall(r"^\| `([a-z.]+)[` ]", REFERENCE, re.MULTILINE))
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


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "invoke", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.slow
def test_a_designed_error_ends_in_its_own_words_and_exit_code():
    done = run("build", "--env", "nowhere")
    assert done.returncode == InputError.exit_code
    assert done.stderr.startswith("error: ")
    assert done.stderr.splitlines()[-1].startswith("hint: ")
    assert done.stdout == ""


@pytest.mark.slow
def test_local_status_is_json_for_programs():
    assert set(json.loads(run("local.status", "--json").stdout)) == {"endpoint", "pid", "log"}

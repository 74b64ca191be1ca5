import os
import sys
from pathlib import Path

import pytest

from build import process
from build.errors import InputError
from build.project.discovery import discover
from build.project.scaffold import new_function

SLIPWAY = 'name = "acme"\n[defaults]\nruntime = "python3.12"\narchitecture = "arm64"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "slipway.toml").write_text(SLIPWAY)
    return tmp_path


def below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_a_new_function_has_settings_source_event_test_and_readme(root):
    written = new_function(root, "hello")
    assert [path.relative_to(root / "functions/hello").as_posix() for path in written] == [
        "README.md",
        "events/default.json",
        "function.toml",
        "src/app.py",
        "tests/test_app.py",
    ]
    assert below(root) == sorted(["slipway.toml", *(path.relative_to(root).as_posix() for path in written)])


def test_a_new_function_follows_the_repositorys_defaults(root):
    new_function(root, "hello")
    (function,) = discover(root, "local").functions
    assert (function.name, str(function.target.runtime), function.handler) == ("hello", "python3.12", "app.handler")


def test_a_new_function_is_in_order_without_any_defaults(root):
    (root / "slipway.toml").write_text('name = "acme"\n')
    new_function(root, "hello")
    (function,) = discover(root, "local").functions
    assert str(function.target.runtime) == "python3.13"


def test_a_new_function_answers_an_event(root):
    new_function(root, "hello")
    namespace: dict[str, object] = {}
    exec((root / "functions/hello/src/app.py").read_text(), namespace)
    handler = namespace["handler"]
    assert callable(handler)
    assert handler({"name": "Ada"}, None) == {"message": "Hello, Ada!"}


def test_a_new_function_passes_ruff(root):
    new_function(root, "hello")
    config = Path(__file__).resolve().parents[2] / "pyproject.toml"
    (root / "pyproject.toml").write_text(config.read_text())  # its per-file rules are relative to its own folder
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        ran = process.run([sys.executable, "-m", "ruff", *command, "functions"], cwd=root)
        assert ran.code == 0, ran.stdout + ran.stderr


def test_the_schema_line_leads_to_the_schema():
    root = Path(__file__).resolve().parents[2]
    reference = "../../docs/reference/function.schema.json"
    assert (root / "functions" / "hello" / reference).resolve() == (root / "docs/reference/function.schema.json")


def test_an_existing_folder_is_left_as_it_is(root):
    folder = root / "functions/hello"
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="functions/hello exists already"):
        new_function(root, "hello")
    assert below(root) == ["functions/hello/mine.txt", "slipway.toml"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("newOrders", "did you mean `new-orders`?"),
        ("../evil", "expected kebab-case"),
        ("", "expected kebab-case"),
        ("-x", "did you mean `x`?"),
        ("f" * 54, "expected at most 64 characters, got 65"),
    ],
)
def test_a_name_that_will_not_do_writes_nothing(root, name, expected):
    with pytest.raises(InputError, match="nothing was written") as caught:
        new_function(root, name)
    assert expected in caught.value.facts[0]
    assert below(root) == ["slipway.toml"]


def test_outside_a_repository_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match="cannot be read; nothing was written"):
        new_function(tmp_path, "hello")
    assert below(tmp_path) == []


def test_a_failure_half_way_leaves_nothing_behind(root, monkeypatch):
    def full_disk(self: Path, _target: Path) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(OSError, match="No space left"):
        new_function(root, "hello")
    assert below(root) == ["slipway.toml"]

"""What holds for invokew without running it; how it runs is in tests/integration/test_invokew.py."""

import ast
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "invokew").read_text("utf-8")


@pytest.fixture
def invokew(tmp_path: Path) -> ModuleType:
    """The program as a module, in a folder of its own."""
    (tmp_path / "invokew").write_text(SOURCE, "utf-8")
    loader = SourceFileLoader("invokew", str(tmp_path / "invokew"))
    spec = spec_from_loader("invokew", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_it_parses_on_old_pythons_so_that_they_can_be_told():
    ast.parse(SOURCE, feature_version=(3, 6))


def test_it_needs_the_standard_library_only():
    names = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(SOURCE))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert names - set(sys.stdlib_module_names) == {"invoke"}


def test_version_is_checked_before_anything_new_is_imported():
    body = ast.parse(SOURCE).body
    check = next(number for number, node in enumerate(body) if isinstance(node, ast.If))
    imported = [alias.name for node in body[:check] if isinstance(node, ast.Import) for alias in node.names]
    assert imported == ["os", "sys"]


def test_windows_has_its_own_starter_with_windows_line_ends():
    starter = (ROOT / "invokew.cmd").read_bytes()
    assert starter.count(b"\r\n") == starter.count(b"\n") > 0


def test_stamp_follows_every_lock_and_the_folder(invokew, tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("one\n")
    first = invokew.stamp_lines()
    assert first[2] == f"folder {tmp_path.resolve() / '.venv'}"
    (tmp_path / "requirements-more.txt").write_text("two\n")
    second = invokew.stamp_lines()
    lock.write_text("two\n")
    third = invokew.stamp_lines()
    assert len({first[1], second[1], third[1]}) == 3


def test_stamp_that_is_not_whole_counts_as_none(invokew, tmp_path):
    assert invokew.read_stamp() == ["", "", ""]
    (tmp_path / ".venv").mkdir()
    invokew.STAMP.write_text("python cpython-313 li")
    assert invokew.read_stamp() == ["", "", ""]
    invokew.write_stamp(["python", "lock", "folder with\nnew line"])
    assert invokew.read_stamp() == ["python", "lock", "folder with\nnew line"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [((2, "other"), "its folder was moved"), ((1, "other"), "the lock changed"), ((0, "other"), "Python changed")],
)
def test_reason_for_a_new_venv_is_said(invokew, changed, reason):
    wanted = ["python", "lock", "folder"]
    before = list(wanted)
    before[changed[0]] = changed[1]
    assert reason in invokew.reason(before, wanted)


@pytest.mark.parametrize(
    ("printed", "summary", "hint"),
    [
        ("  × Hash mismatch for `invoke==3.0.3`", "refused a file whose digest", "git checkout requirements.txt"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES", "refused a file whose digest", "git checkout"),
        ("OSError: [Errno 28] No space left on device", "could not make .venv", "free some room"),
        ("  cause: dns error", "no connection to a package index", "PIP_INDEX_URL"),
        ("Failed to establish a new connection: [Errno 111]", "no connection to a package index", "UV_DEFAULT_INDEX"),
        ("error: Microsoft Visual C++ 14.0 is required", "pip could not make .venv", "mend what the last lines name"),
    ],
)
def test_failure_of_an_installer_ends_in_a_hint(invokew, tmp_path, printed, summary, hint):
    invokew.OUTPUT.mkdir()
    invokew.LOG.write_text(f"first line\n{printed}\n", "utf-8")
    lines = invokew.Installer(1, 1).failure("pip").text.splitlines()
    assert lines[0].startswith("error: ")
    assert summary in lines[0]
    assert f"  {printed.strip()}" in [f"  {line.strip()}" for line in lines]
    assert lines[-1].startswith("hint: ")
    assert hint in lines[-1]

import os

import pytest

from build.project import snapshot as snapshots
from build.project.snapshot import snapshot
from build.store.objects import Store
from build.store.outcomes import remember_outcome, unchanged_outcome
from tests.builders import write_files

OUTCOME = {"functions": [{"name": "orders"}]}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "_RACY_NS", 0)
    return write_files(
        tmp_path / "repository",
        {
            "slipway.toml": 'name = "shop"\n',
            "requirements.txt": "",
            "build/model.py": "",
            "functions/orders/function.toml": "",
            "functions/orders/src/app.py": "x = 1\n",
            "layers/data/requirements.txt": "",
            "libs/shared/pyproject.toml": "",
        },
    )


def keep(root, *, beside=()):
    store = Store(root / ".artifacts/store")
    with store.scratch() as folder:
        (folder / "a").write_bytes(b"zip")
        artifact = store.keep(folder / "a", root / ".artifacts/store/artifacts/a.zip")
    before = snapshot(root)
    remember_outcome(root, "local", OUTCOME, before=before, beside=beside, files=[artifact])
    return artifact


def test_while_nothing_changes_the_outcome_is_told_again(repository):
    assert unchanged_outcome(repository, "local") is None
    keep(repository)
    assert unchanged_outcome(repository, "local") == OUTCOME
    assert unchanged_outcome(repository, "prod") is None


@pytest.mark.parametrize(
    "path",
    [
        "slipway.toml",
        "requirements.txt",
        "build/model.py",
        "functions/orders/src/app.py",
        "functions/orders/src/new.py",
        "layers/data/requirements.txt",
        "libs/shared/pyproject.toml",
    ],
)
def test_any_file_that_a_build_reads_ends_it(repository, path):
    keep(repository, beside=["libs/shared"])
    assert unchanged_outcome(repository, "local") == OUTCOME
    write_files(repository, {path: "y = 2\n"})
    assert unchanged_outcome(repository, "local") is None


def test_a_file_that_keeps_its_size_and_time_is_still_seen_to_change(repository):
    """As `cp -p` and some editors write: the time a file system keeps for itself cannot be set."""
    app = repository / "functions/orders/src/app.py"
    before = app.stat()
    keep(repository)
    app.write_text("x = 2\n")
    os.utime(app, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert unchanged_outcome(repository, "local") is None


def test_a_removed_file_and_a_changed_mode_end_it(repository):
    keep(repository)
    (repository / "functions/orders/src/app.py").chmod(0o755)
    assert unchanged_outcome(repository, "local") is None
    keep(repository)
    (repository / "layers/data/requirements.txt").unlink()
    assert unchanged_outcome(repository, "local") is None


def test_an_artifact_that_is_gone_or_was_written_to_ends_it(repository):
    artifact = keep(repository)
    artifact.write_bytes(b"abc")
    assert unchanged_outcome(repository, "local") is None
    keep(repository).unlink()
    assert unchanged_outcome(repository, "local") is None


def test_another_file_of_the_same_size_in_its_place_ends_it(repository):
    """As a build of another env puts there."""
    artifact = keep(repository)
    store = Store(repository / ".artifacts/store")
    with store.scratch() as folder:
        (folder / "b").write_bytes(b"ZIP")
        store.keep(folder / "b", artifact)
    assert unchanged_outcome(repository, "local") is None


def test_another_interpreter_on_the_way_ends_it(repository, tmp_path, monkeypatch):
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools), prepend=os.pathsep)
    keep(repository)
    assert unchanged_outcome(repository, "local") == OUTCOME
    (tools / "python3.13").write_text("")
    assert unchanged_outcome(repository, "local") is None


def test_what_is_behind_a_link_to_a_folder_counts(repository, tmp_path):
    shared = write_files(tmp_path / "shared", {"app.py": "x = 1\n"})
    (repository / "functions/linked").mkdir()
    (repository / "functions/linked/src").symlink_to(shared)
    (shared / "round").symlink_to(shared)
    keep(repository)
    assert unchanged_outcome(repository, "local") == OUTCOME
    write_files(shared, {"app.py": "x = 2\n"})
    assert unchanged_outcome(repository, "local") is None


def test_bytecode_beside_the_sources_changes_nothing(repository):
    keep(repository)
    write_files(repository, {"functions/orders/src/__pycache__/app.cpython-313.pyc": "x"})
    assert unchanged_outcome(repository, "local") == OUTCOME


def test_what_was_saved_while_it_was_built_is_not_kept(repository):
    before = snapshot(repository)
    write_files(repository, {"functions/orders/src/app.py": "x = 3\n"})
    remember_outcome(repository, "local", OUTCOME, before=before, beside=[], files=[])
    assert unchanged_outcome(repository, "local") is None


def test_what_changed_in_the_tick_before_is_not_kept(repository, monkeypatch):
    monkeypatch.setattr(snapshots, "_RACY_NS", 3_600_000_000_000)
    keep(repository)
    assert unchanged_outcome(repository, "local") is None


@pytest.mark.parametrize("torn", ["", "{", "[]", '{"shape": 1}', '{"shape": 0, "snapshot": "", "files": []}'])
def test_a_torn_outcome_counts_as_none(repository, torn):
    keep(repository)
    (repository / ".artifacts/local/built.json").write_text(torn)
    assert unchanged_outcome(repository, "local") is None

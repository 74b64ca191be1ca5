import shutil

import pytest

from build.locking.locks import read_locks
from build.packaging.assemble import build_workspace
from build.packaging.needs import needs
from build.store.objects import Store
from build.store.upkeep import contents
from tests.builders import function_spec, layer_spec, lock_line, make_wheel, make_workspace, stock, write_files


@pytest.fixture
def workspace(tmp_path, package_index):
    one, two = make_wheel(package_index, "one"), make_wheel(package_index, "two")
    write_files(tmp_path / "functions" / "orders", {"src/app.py": "", "requirements.txt": lock_line(one)})
    write_files(tmp_path / "functions" / "stock", {"src/app.py": "X = 1", "requirements.txt": ""})
    write_files(tmp_path / "layers" / "data", {"requirements.txt": lock_line(two)})
    functions = tuple(function_spec(tmp_path / "functions" / name, layers=("data",)) for name in ("orders", "stock"))
    return make_workspace(tmp_path, functions=functions, layers=(layer_spec(tmp_path / "layers" / "data"),))


@pytest.fixture
def locks(workspace):
    return read_locks(workspace)


@pytest.fixture
def store(workspace, locks, tmp_path, package_index):
    """One that has made everything."""
    store = Store(tmp_path / "store")
    stock(store, package_index, workspace, locks)
    build_workspace(workspace, locks, store, on_progress=nobody)
    return store


def nobody(_):
    pass


def test_a_workspace_needs_everything_that_its_build_made_and_nothing_else(workspace, locks, store):
    made = {each.path for each in contents(store) if each.kind != "notes"}
    other = store.root / "artifacts" / f"{'0' * 64}.zip"
    other.write_bytes(b"of another branch")
    before = {each.path for each in contents(store)}
    needed = needs(workspace, locks, store, on_progress=nobody)
    assert made <= needed
    assert other not in needed
    assert {each.path for each in contents(store)} == before, "nothing is made to find that out"
    subjects = {path.parent.name for path in needed & before if path.suffix == ".json"}
    assert subjects >= {"archive", "resolved", "survey"}


def test_where_one_function_was_never_built_the_others_needs_are_known(workspace, locks, store):
    write_files(workspace.functions[1].folder, {"src/app.py": "X = 2"})
    needed = needs(workspace, locks, store, on_progress=nobody)
    artifacts = [each.path for each in contents(store) if each.kind == "artifacts"]
    assert len([path for path in artifacts if path in needed]) == len(artifacts) - 1


def test_an_empty_store_gives_nothing_and_stays_empty(workspace, locks, tmp_path):
    store = Store(tmp_path / "store")
    needs(workspace, locks, store, on_progress=nobody)
    assert list(contents(store)) == []
    shutil.rmtree(store.root, ignore_errors=True)

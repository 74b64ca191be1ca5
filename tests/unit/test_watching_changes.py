"""What saved files mean to the dev loop."""

import threading
from dataclasses import replace

import pytest

from build.watching import changes
from build.watching.changes import Places, counting, places, saved_at, saves, touched, undeployed
from tests.builders import function_spec, layer_spec, make_workspace, write_files


@pytest.fixture
def repository(tmp_path):
    """Give a workspace: orders and stock use the layer data, greeting does not."""
    names = ("greeting", "orders", "stock")
    write_files(
        tmp_path,
        {
            **{f"functions/{name}/src/app.py": "" for name in names},
            "layers/data/src/data.py": "",
            "libs/money/money.py": "",
            "slipway.toml": "",
            "terraform/envs/local.tfvars": "",
        },
    )
    functions = tuple(
        function_spec(tmp_path / "functions" / name, layers=() if name == "greeting" else ("data",)) for name in names
    )
    layers = (layer_spec(tmp_path / "layers" / "data"),)
    return make_workspace(tmp_path, functions=functions, layers=layers, env="local")


def paths(workspace, *names):
    return frozenset((workspace.root / name).resolve() for name in names)


@pytest.mark.parametrize(
    ("name", "functions"),
    [
        ("functions/orders/src/app.py", ("orders",)),
        ("functions/orders/requirements.txt", ("orders",)),
        ("layers/data/src/data.py", ("orders", "stock")),
        ("slipway.toml", ("greeting", "orders", "stock")),
        ("terraform/envs/local.tfvars", ()),
        ("README.md", ()),
    ],
)
def test_a_file_touches_the_functions_that_are_made_of_it(repository, name, functions):
    assert sorted(touched(repository, places(repository), paths(repository, name))) == sorted(functions)


def test_what_a_folder_links_to_elsewhere_touches_it_and_is_watched(repository):
    root = repository.root
    (root / "functions/greeting/src/money.py").symlink_to(root / "libs/money/money.py")
    assert touched(repository, places(repository), paths(repository, "libs/money/money.py")) == ("greeting",)
    assert root / "libs/money/money.py" in places(repository).files


def test_a_project_that_a_lock_names_is_watched_with_all_that_is_in_it(repository):
    root = repository.root
    lock = (
        'version = 1\n[[package]]\nname = "greeting"\nversion = "0"\nsource = { virtual = "." }\n'
        'dependencies = [{ name = "money" }]\n'
        '[[package]]\nname = "money"\nsource = { directory = "../../libs/money" }\n'
    )
    project = '[project]\nname = "greeting"\nversion = "0"\ndependencies = ["money"]\n'
    write_files(root / "functions/greeting", {"pyproject.toml": project, "uv.lock": lock})
    write_files(root / "libs/money", {"pyproject.toml": '[project]\nname = "money"\nversion = "1"\n'})
    assert root / "libs/money" in places(repository).folders
    assert touched(repository, places(repository), paths(repository, "libs/money/money.py")) == ("greeting",)


@pytest.mark.parametrize("name", ["app.py~", ".app.py.swp", "4913", "__pycache__/app.cpython-313.pyc", ".git/HEAD"])
def test_what_editors_and_caches_leave_behind_does_not_count(tmp_path, name):
    assert counting([str(tmp_path / name), str(tmp_path / "app.py")]) == {(tmp_path / "app.py").resolve()}


def test_settings_that_mean_something_else_want_a_deploy_and_comments_do_not(repository):
    own = paths(repository, "functions/orders/function.toml")
    assert list(undeployed(repository, repository, own)) == []
    greeting, orders, stock = repository.functions
    larger = replace(repository, functions=(greeting, replace(orders, memory_mb=512), stock))
    assert list(undeployed(repository, larger, own)) == ["functions/orders/function.toml changed"]
    assert list(undeployed(repository, larger, paths(repository, "slipway.toml"))) == [
        "the settings of functions/orders changed"
    ]


def test_new_and_deleted_folders_want_a_deploy(repository):
    fewer = replace(repository, functions=repository.functions[1:])
    assert list(undeployed(repository, fewer, frozenset())) == ["functions/greeting is gone"]
    assert list(undeployed(fewer, repository, frozenset())) == ["functions/greeting is new"]


def test_settings_of_all_want_a_deploy(repository):
    renamed = replace(repository, name="other")
    assert list(undeployed(repository, renamed, frozenset())) == ["slipway.toml changed"]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("main.tf", True),
        ("custom/outputs.tf", True),
        ("envs/local.tfvars", True),
        ("envs/local.s3.tfbackend", True),
        ("envs/dev.tfvars", False),
        ("tests/root.tftest.hcl", False),
        ("bootstrap/main.tf", False),
        ("custom/README.md", False),
    ],
)
def test_terraform_that_the_env_is_planned_with_wants_a_deploy(repository, name, counts):
    found = list(undeployed(repository, repository, paths(repository, f"terraform/{name}")))
    assert found == ([f"terraform/{name} changed"] if counts else [])


def test_when_something_was_saved_is_the_date_of_the_youngest_file(tmp_path):
    young, gone = tmp_path / "young.py", tmp_path / "gone.py"
    young.touch()
    assert saved_at({young, gone}) == pytest.approx(young.stat().st_mtime)
    assert saved_at({gone}) == 0


class Watching:
    """A thread of saves, as the loop sees them."""

    def __init__(self, now):
        self.stop = threading.Event()
        self.rounds = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, args=(now,), daemon=True)
        self._thread.start()

    def _run(self, now):
        for changed in saves(now, self.stop):
            with self._news:
                self.rounds.append(changed)
                self._news.notify_all()

    def wait(self, condition):
        with self._news:
            assert self._news.wait_for(lambda: condition(self.rounds), timeout=10), self.rounds

    def end(self):
        self.stop.set()
        self._thread.join(5)
        assert not self._thread.is_alive()


@pytest.fixture
def watching():
    """Give what starts a `Watching`, and ends it afterwards."""
    begun = []

    def begin(now):
        begun.append(Watching(now))
        begun[-1].wait(lambda rounds: rounds == [frozenset()])
        return begun[-1]

    yield begin
    for each in begun:
        each.end()


def test_everything_is_looked_at_once_watching_has_begun_and_then_what_is_saved(tmp_path, watching):
    folder = tmp_path / "functions"
    folder.mkdir()
    seen = watching(lambda: Places((folder,), ()))
    (folder / "app.py").write_text("1")
    seen.wait(lambda rounds: {(folder / "app.py").resolve()} in rounds)


def test_files_that_are_saved_together_are_told_together(tmp_path, watching, monkeypatch):
    monkeypatch.setattr(changes, "_QUIET_MS", 200)
    folder = tmp_path / "functions"
    folder.mkdir()
    seen = watching(lambda: Places((folder,), ()))
    for number in range(20):
        (folder / f"m{number}.py").write_text("1")
    seen.wait(lambda rounds: len(rounds) > 1)
    assert len(seen.rounds[1]) == 20


def test_a_file_whose_folder_is_not_watched_is_noticed_however_it_was_replaced(tmp_path, watching):
    settings = tmp_path / "slipway.toml"
    settings.write_text("1")
    (tmp_path / "functions").mkdir()
    seen = watching(lambda: Places((tmp_path / "functions",), (settings,)))
    for number in (2, 3):
        draft = tmp_path / "draft"
        draft.write_text(str(number) * number)
        draft.replace(settings)
        seen.wait(lambda rounds, number=number: rounds.count({settings.resolve()}) == number - 1)


def test_a_place_that_is_new_is_watched_from_then_on_and_looked_at(tmp_path, watching):
    folder, other = tmp_path / "functions", tmp_path / "layers"
    folder.mkdir()
    seen = watching(lambda: Places((folder, other) if other.is_dir() else (folder,), ()))
    other.mkdir()
    (folder / "app.py").write_text("1")
    seen.wait(lambda rounds: rounds.count(frozenset()) == 2)
    (other / "data.py").write_text("1")
    seen.wait(lambda rounds: {(other / "data.py").resolve()} in rounds)

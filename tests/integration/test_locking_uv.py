"""Locks that uv itself writes, from a folder of wheels."""

from dataclasses import replace

import pytest

from build.errors import ToolError
from build.locking.locks import read_locks, unpinned
from build.locking.writing import write_locks
from build.model import Runtime
from tests.builders import PY313, X86, function_spec, layer_spec, lock_line, make_wheel, make_workspace, write_files
from tests.unit.test_locking_formats import PAIRS, PINNED, PROJECT, PYLOCK
from tests.unit.test_locking_requirements_txt import read, refused, workspace_of

pytestmark = pytest.mark.slow

PY312 = Runtime(12)
FOLDER = '[[tool.uv.index]]\nname = "ours"\nurl = "../../index"\nformat = "flat"\n'


@pytest.fixture
def index(package_index, monkeypatch):
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(package_index))
    for version in ("1.16.0", "1.17.0"):
        make_wheel(package_index, "six", version)
    return package_index


def shared(tmp_path):
    return write_files(tmp_path / "libs/shared", {"pyproject.toml": '[project]\nname = "shared"\nversion = "0.3"\n'})


class TestWriting:
    """Of what `requirements.in` wants."""

    @pytest.fixture(autouse=True)
    def _index(self, index):
        """A folder of wheels is all there is."""

    def test_what_is_written_is_current_and_names_no_place(self, tmp_path):
        workspace = workspace_of(tmp_path, {"requirements.in": "six\n"})
        assert write_locks([workspace]) == {"functions/orders": True}
        text = (tmp_path / "functions/orders/requirements.txt").read_text()
        assert "six==1.17.0" in text
        assert str(tmp_path) not in text
        assert "://" not in text
        read_locks(workspace)

    def test_a_second_time_nothing_changes(self, tmp_path):
        workspace = workspace_of(tmp_path, {"requirements.in": "six\n"})
        write_locks([workspace])
        assert write_locks([workspace]) == {"functions/orders": False}

    def test_pins_stay_until_an_upgrade_is_asked_for(self, tmp_path):
        workspace = workspace_of(tmp_path, {"requirements.in": "six<1.17\n"})
        write_locks([workspace])
        write_files(tmp_path / "functions/orders", {"requirements.in": "six\n"})
        assert write_locks([workspace]) == {"functions/orders": False}
        assert write_locks([workspace], upgrade=True) == {"functions/orders": True}

    def test_a_function_is_held_to_the_versions_of_its_layers(self, tmp_path):
        layer = layer_spec(write_files(tmp_path / "layers/data", {"requirements.in": "six==1.16.0\n"}))
        folder = write_files(tmp_path / "functions/orders", {"requirements.in": "six\n"})
        workspace = make_workspace(tmp_path, functions=(function_spec(folder, layers=("data",)),), layers=(layer,))
        write_locks([workspace])
        assert "six==1.16.0" in (folder / "requirements.txt").read_text()
        assert read_locks(workspace)["functions/orders"].pins[0].version == "1.16.0"

    def test_a_layer_of_several_runtimes_is_locked_from_the_lowest(self, tmp_path):
        folder = write_files(tmp_path / "layers/data", {"requirements.in": "six ; python_version < '3.13'\n"})
        layer = layer_spec(folder, runtimes=(PY313, PY312))
        write_locks([make_workspace(tmp_path, layers=(layer,))])
        assert "six==" in (folder / "requirements.txt").read_text()

    def test_a_lock_fits_the_runtimes_and_layers_of_every_env(self, tmp_path):
        six = lock_line(make_wheel(tmp_path / "index", "six", "1.16.0"))
        layer = layer_spec(write_files(tmp_path / "layers/data", {"requirements.txt": six}))
        wanted = "six\nold ; python_version < '3.13'\n"
        folder = write_files(tmp_path / "functions/orders", {"requirements.in": wanted})
        make_wheel(tmp_path / "index", "old")
        local = make_workspace(tmp_path, functions=(function_spec(folder),), layers=(layer,), env="local")
        older = function_spec(folder, target=replace(X86, runtime=PY312), layers=("data",))
        prod = make_workspace(tmp_path, functions=(older,), layers=(layer,), env="prod")
        assert write_locks([local, prod]) == {"functions/orders": True}
        lock = (folder / "requirements.txt").read_text()
        assert "six==1.16.0" in lock
        assert "old==1.0" in lock

    def test_what_cannot_be_met_is_told_for_every_folder_in_uvs_words_and_the_old_locks_stay(self, tmp_path):
        names = ("a", "b", "c")
        folders = [write_files(tmp_path / "functions" / name, {"requirements.in": "six>=9\n"}) for name in names]
        write_files(folders[0], {"requirements.txt": "six==1.16.0\n"})
        write_files(folders[2], {"requirements.in": "six\n"})
        with pytest.raises(ToolError, match="locking functions/a, functions/b failed") as caught:
            write_locks([make_workspace(tmp_path, functions=tuple(map(function_spec, folders)))])
        assert sum("six>=9" in fact for fact in caught.value.facts) >= 2
        assert (folders[0] / "requirements.txt").read_text() == "six==1.16.0\n"
        assert (folders[2] / "requirements.txt").exists()


class TestKinds:
    """Of lock, each of which a folder may have."""

    @pytest.fixture(autouse=True)
    def _index(self, tmp_path, index, monkeypatch):
        monkeypatch.delenv("UV_NO_INDEX")  # one of them names the folder itself
        monkeypatch.setenv("UV_OFFLINE", "1")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))

    @pytest.mark.parametrize(
        ("files", "lock"),
        [
            ({"pyproject.toml": PROJECT + FOLDER}, "uv.lock"),
            ({"pyproject.toml": PROJECT, "requirements.txt": PINNED.replace("1.16.0", "1.17.0")}, "requirements.txt"),
            ({"pyproject.toml": PROJECT, "pylock.toml": PYLOCK.replace("1.16.0", "1.17.0")}, "pylock.toml"),
            ({"requirements.in": "six\n", "pylock.toml": PYLOCK.replace("1.16.0", "1.17.0")}, "pylock.toml"),
        ],
    )
    def test_it_writes_the_kind_that_is_there(self, tmp_path, files, lock):
        workspace = workspace_of(tmp_path, files)
        assert write_locks([workspace], upgrade=True) == {"functions/orders": True}
        (read,) = read_locks(workspace).values()
        assert read.file == lock
        assert [(pin.name, pin.version, len(pin.sha256s)) for pin in read.selected(X86)] == [("six", "1.17.0", 1)]
        assert write_locks([workspace]) == {"functions/orders": False}

    def test_a_function_is_held_to_a_layer_with_a_lock_of_another_kind(self, tmp_path):
        layer = layer_spec(write_files(tmp_path / "layers/data", PAIRS["poetry"]))
        folder = write_files(tmp_path / "functions/orders", {"requirements.in": "six\n"})
        workspace = make_workspace(tmp_path, functions=(function_spec(folder, layers=("data",)),), layers=(layer,))
        write_locks([workspace], ["functions/orders"])
        assert "six==1.16.0" in (folder / "requirements.txt").read_text()


class TestAlone:
    """A `requirements.txt` as people have it, with no `requirements.in`."""

    @pytest.mark.parametrize(
        "text", ["six\n", "six>=1.16\n", "six==1.16.0\n", "-r more.txt\n", "six[x] ; os_name == 'posix'"]
    )
    def test_otherwise_it_says_what_is_wanted_and_only_local_builds_without_a_lock(self, tmp_path, index, text):
        files = {"requirements.txt": text, "more.txt": "six\n"}
        (said,) = refused(tmp_path, files)
        assert said.startswith("functions/orders/requirements.txt: expected name==version with --hash, got six")
        lock = read(tmp_path, files, env="local")
        assert [pin.name for pin in lock.selected(X86)] == ["six"]
        assert [wish.name for wish in lock.wanted or ()] == ["six"]
        (finding,) = unpinned({"functions/orders": lock})
        assert (finding.subject, finding.severity) == ("functions/orders", "warning")
        assert "invoke lock" in finding.hint

    def test_a_local_build_locks_once_for_each_text(self, tmp_path, index, monkeypatch):
        files = {"requirements.txt": "-r more.txt\n-c held.txt\n", "more.txt": "six\n", "held.txt": "six<1.17\n"}
        first = read(tmp_path, files, env="local")
        assert first.pins[0].version == "1.16.0"
        made = sorted((tmp_path / ".artifacts/locks/functions/orders").iterdir())
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr("sys.executable", str(tmp_path / "none"))  # no uv is to be found now
        assert read(tmp_path, files, env="local") == first
        monkeypatch.undo()
        monkeypatch.setenv("UV_NO_INDEX", "1")
        monkeypatch.setenv("UV_FIND_LINKS", str(index))
        assert read(tmp_path, {**files, "held.txt": ""}, env="local").pins[0].version == "1.17.0"
        assert len(sorted((tmp_path / ".artifacts/locks/functions/orders").iterdir())) == len(made) + 1

    def test_a_local_lock_is_held_to_the_layers(self, tmp_path, index):
        six = make_wheel(index, "six", "1.16.0")
        lock = read(tmp_path, {"requirements.txt": "six\n"}, env="local", data={"requirements.txt": lock_line(six)})
        assert lock.pins[0].version == "1.16.0"

    def test_to_lock_it_makes_it_the_wish_list_of_its_lock(self, tmp_path, index):
        workspace = workspace_of(tmp_path, {"requirements.txt": "six  # why\n"})
        said: list[str] = []
        assert write_locks([workspace], on_progress=said.append) == {"functions/orders": True}
        folder = tmp_path / "functions/orders"
        assert (folder / "requirements.in").read_text() == "six  # why\n"
        assert "six==1.17.0" in (folder / "requirements.txt").read_text()
        assert "requirements.in" in said[0]
        assert read_locks(workspace)["functions/orders"].pins[0].version == "1.17.0"
        assert write_locks([workspace]) == {"functions/orders": False}

    def test_when_that_fails_all_is_as_before(self, tmp_path, index):
        workspace = workspace_of(tmp_path, {"requirements.txt": "six>=9\n"})
        with pytest.raises(Exception, match="locking functions/orders failed"):
            write_locks([workspace])
        assert [path.name for path in (tmp_path / "functions/orders").iterdir()] == ["requirements.txt"]


class TestPlaces:
    """Wishes and pins that say where something is."""

    def test_a_project_of_the_repository_is_wanted_locked_and_read_back_without_a_path_of_this_machine(
        self, tmp_path, index
    ):
        place = shared(tmp_path)
        workspace = workspace_of(tmp_path, {"requirements.in": "-e ../../libs/shared\nsix\n"})
        write_locks([workspace])
        text = (tmp_path / "functions/orders/requirements.txt").read_text()
        assert "../../libs/shared" in text
        assert str(tmp_path) not in text
        lock = read_locks(workspace)["functions/orders"]
        by_name = {str(pin.name): pin for pin in lock.selected(X86)}
        assert (by_name["shared"].folder, by_name["shared"].version) == (place, "0.3")
        assert lock.beside == (place,)
        assert [str(wish) for wish in lock.wanted or ()] == ["six", "shared @ libs/shared"]

    def test_the_projects_that_a_project_leans_on_are_found_where_they_are(self, tmp_path, index):
        head = '[project]\nname = "{}"\nversion = "1"\ndependencies = {}\n[tool.uv.sources]\n{}'
        for name, needs, sources in (("one", ["two"], 'two = { path = "../two" }'), ("two", ["six"], "")):
            write_files(tmp_path / "libs" / name, {"pyproject.toml": head.format(name, needs, sources)})
        write_files(tmp_path / "functions/two", {"pyproject.toml": head.format("another", [], "")})
        workspace = workspace_of(tmp_path, {"requirements.txt": "../../libs/one\n"}, env="local")
        on_the_spot = read_locks(workspace)["functions/orders"].pins
        write_locks([workspace])
        assert read_locks(workspace)["functions/orders"].pins == on_the_spot
        folders = {pin.name: pin.folder for pin in read_locks(workspace)["functions/orders"].pins}
        assert folders == {"one": tmp_path / "libs/one", "two": tmp_path / "libs/two", "six": None}
        assert write_locks([workspace]) == {"functions/orders": False}

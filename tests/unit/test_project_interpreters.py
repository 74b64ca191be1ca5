import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from build.errors import ToolError
from build.model import Runtime
from build.project import interpreters
from build.project.interpreters import interpreter_of, release_of

HERE = Runtime(sys.version_info.minor)


@pytest.fixture(autouse=True)
def _forget():
    interpreters._find.cache_clear()
    yield
    interpreters._find.cache_clear()


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    """No pyenv, no uv, nothing on PATH but this folder."""
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(interpreters, "_uv", lambda *_: None)
    (tmp_path / "bin").mkdir()
    return tmp_path


def test_the_running_python_is_taken_for_its_own_version_but_never_a_venvs():
    found = interpreter_of(HERE)
    assert not (found.parent.parent / "pyvenv.cfg").exists()


def script(path, version, level="final"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho cpython {version} {level}\n")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(os.name == "nt", reason="makes shell scripts")
class TestOnABareMachine:
    def test_pyenvs_newest_patch_is_found(self, bare_machine):
        script(bare_machine / "pyenv/versions/3.99.9/bin/python3.99", "3 99 9")
        newest = script(bare_machine / "pyenv/versions/3.99.10/bin/python3.99", "3 99 10")
        assert interpreter_of(Runtime(99)) == newest
        assert release_of(Runtime(99)) == "3.99.10"

    def test_the_newest_patch_is_taken_wherever_it_is(self, bare_machine):
        script(bare_machine / "pyenv/versions/3.99.9/bin/python3.99", "3 99 9")
        newest = script(bare_machine / "bin/python3.99", "3 99 12")
        assert interpreter_of(Runtime(99)) == newest

    @pytest.mark.parametrize("level", ["alpha", "beta", "candidate", "final t", "final d"])
    def test_what_is_not_final_or_of_another_build_is_passed_over(self, bare_machine, level):
        script(bare_machine / "bin/python3.99", "3 99 1", level)
        final = script(bare_machine / "pyenv/versions/3.99.0/bin/python3.99", "3 99 0")
        assert interpreter_of(Runtime(99)) == final

    def test_pyenvs_slow_shim_on_path_is_not_asked(self, bare_machine, monkeypatch):
        monkeypatch.setenv("PATH", f"{bare_machine / 'pyenv/shims'}{os.pathsep}{bare_machine / 'bin'}")
        script(bare_machine / "pyenv/shims/python3.99", "3 99 5")
        behind = script(bare_machine / "bin/python3.99", "3 99 4")
        assert interpreter_of(Runtime(99)) == behind

    def test_threads_that_ask_at_once_look_once(self, bare_machine):
        log = bare_machine / "asked"
        python = script(bare_machine / "bin/python3.99", "3 99 1")
        python.write_text(python.read_text() + f"echo asked >> {log}\n")
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(release_of, [Runtime(99)] * 8)) == {"3.99.1"}
        assert log.read_text() == "asked\n"

    def test_pyenv_is_found_beside_its_shims_where_no_variable_names_it(self, bare_machine, monkeypatch):
        monkeypatch.delenv("PYENV_ROOT")
        monkeypatch.setenv("HOME", str(bare_machine))
        monkeypatch.setenv("PATH", str(bare_machine / "tools/shims"))
        there = script(bare_machine / "tools/versions/3.99.1/bin/python3.99", "3 99 1")
        assert interpreter_of(Runtime(99)) == there

    def test_path_is_searched(self, bare_machine):
        on_path = script(bare_machine / "bin/python3.99", "3 99 0")
        assert interpreter_of(Runtime(99)) == on_path

    def test_one_that_lies_about_its_version_is_passed_over(self, bare_machine):
        script(bare_machine / "bin/python3.99", "3 98 0")
        with pytest.raises(ToolError) as caught:
            interpreter_of(Runtime(99))
        assert any("another version" in fact for fact in caught.value.facts)

    def test_a_missing_one_says_how_to_get_it(self, bare_machine):
        with pytest.raises(ToolError, match=r"no Python 3\.99") as caught:
            interpreter_of(Runtime(99))
        assert "uv python install 3.99" in caught.value.hint

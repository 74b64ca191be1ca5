"""Wheels that a lock names, brought by pip itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from build.digest import Digest
from build.errors import FindingsError, InputError
from build.store.objects import Store
from build.wheels.resolve import require, resolve
from tests.builders import X86, lock_line, make_wheel, make_workspace, write_files
from tests.unit.test_packaging_assemble import built, function, names
from tests.unit.test_wheels_resolve import requests_of, with_a_lost_file

pytestmark = pytest.mark.slow


def resolved(tmp_path: Path, locks: dict[str, dict[str, str]], target=X86, say=lambda _: None):
    return resolve(requests_of(tmp_path, locks, target), Store(tmp_path / "store"), on_progress=say)


def test_wheels_come_from_the_index_once_and_are_known_afterwards(tmp_path, package_index):
    six = make_wheel(package_index, "six", "1.16.0")
    said: list[str] = []
    locks = {"one": {"requirements.txt": lock_line(six)}, "two": {"requirements.txt": lock_line(six)}}
    first = resolved(tmp_path, locks, say=said.append)
    (wheel,) = first["functions/one", X86]
    assert first["functions/two", X86] == (wheel,)
    assert wheel.digest == six.digest
    assert wheel.path.read_bytes() == six.path.read_bytes()
    assert said[0] == f"fetching 1 wheel for {X86}: six"
    assert said[1].startswith("fetched 1 wheel in ")
    assert said[1].endswith(f": 1 from folders for {X86}")
    six.path.unlink()
    assert resolved(tmp_path, locks, say=said.append) == first
    assert len(said) == 2


class TestAWheelWhoseFileIsGone:
    @pytest.fixture
    def gone(self, tmp_path, package_index):
        return with_a_lost_file(tmp_path, package_index)

    def test_is_fetched_again_where_it_is_required_and_nothing_else_is(self, gone):
        requests, store, wheels = gone
        said: list[str] = []
        require(wheels, requests, store, on_progress=said.append)
        assert wheels[1].path.is_file()
        assert said[0] == f"fetching 1 wheel for {X86}: lost"
        said.clear()
        require(wheels, requests, store, on_progress=said.append)
        assert said == []

    def test_that_comes_back_as_another_file_is_told(self, gone):
        requests, store, wheels = gone
        other = replace(wheels[1], path=store.wheel(Digest.of_bytes(b""), "lost-1.0-py3-none-any.whl"))
        with pytest.raises(FindingsError, match="other wheels than it did") as caught:
            require([other], requests, store, on_progress=lambda _: None)
        assert caught.value.facts[0].startswith("lost 1.0: expected lost-1.0-py3-none-any.whl")


def test_what_is_locked_and_nothing_wants_any_more_is_told(tmp_path, package_index):
    app, left_over = make_wheel(package_index, "app"), make_wheel(package_index, "left-over")
    files = {"requirements.in": "app\n", "requirements.txt": lock_line(app) + lock_line(left_over)}
    with pytest.raises(InputError, match="METADATA disagree") as caught:
        resolved(tmp_path, {"one": files})
    assert "left-over 1.0 is locked, but nothing wants it" in caught.value.facts[0]


def test_a_corrupt_wheel_in_the_store_is_fetched_anew(tmp_path, package_index):
    six = make_wheel(package_index, "six", "1.16.0")
    spec = function(tmp_path, files={"requirements.txt": lock_line(six)})
    workspace = make_workspace(tmp_path, functions=(spec,))
    store = Store(tmp_path / "store")
    built(workspace, store)
    (stored,) = (tmp_path / "store" / "wheels").glob("*/*.whl")
    right = stored.read_bytes()
    stored.write_bytes(right[:-1] + b"x")
    write_files(spec.folder, {"src/app.py": "def handler(event, context): return 2\n"})
    assert names(built(workspace, store).functions["orders"]) == {"app.py", "six/__init__.py"}
    assert stored.read_bytes() == right

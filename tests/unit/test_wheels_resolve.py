import shutil
import sys
from dataclasses import replace
from pathlib import Path

import packaging.markers
import pytest

from build.errors import InputError
from build.locking.locks import read_locks
from build.model import Runtime, Target
from build.store.objects import Store
from build.wheels import fetch
from build.wheels.fetch import _take_in
from build.wheels.resolve import Request, _walk, resolve, walk_known
from build.wheels.surveys import surveyed
from tests.builders import ARM, X86, function_spec, lock_line, make_wheel, make_workspace, write_files


def requests_of(tmp_path: Path, locks: dict[str, dict[str, str]], target=X86):
    specs = tuple(function_spec(write_files(tmp_path / "functions" / n, f), target=target) for n, f in locks.items())
    return [Request(lock, target) for lock in read_locks(make_workspace(tmp_path, functions=specs)).values()]


def with_a_lost_file(tmp_path: Path, index: Path):
    """A store that knows the wheels of one function, and has lost the file of one of them."""
    made = [make_wheel(index, name) for name in ("kept", "lost")]
    requests = requests_of(tmp_path, {"one": {"requirements.txt": "".join(map(lock_line, made))}})
    store = Store(tmp_path / "store")
    with store.scratch() as folder:  # as pip would leave them
        for pin, wheel in zip(requests[0].lock.pins, made, strict=True):
            _take_in(Path(shutil.copy(wheel.path, folder)), pin, X86, "lock", store)
    wheels = resolve(requests, store, on_progress=lambda _: None)["functions/one", X86]
    wheels[1].path.unlink()
    return requests, store, wheels


class TestAWheelWhoseFileIsGone:
    @pytest.fixture
    def gone(self, tmp_path, package_index):
        return with_a_lost_file(tmp_path, package_index)

    def test_is_still_known(self, gone):
        requests, store, wheels = gone
        said: list[str] = []
        assert resolve(requests, store, on_progress=said.append)["functions/one", X86] == wheels
        assert said == []


class TestWalkingWhatIsKnown:
    """What `lock --check` tells without an index."""

    @pytest.fixture
    def walked(self, tmp_path):
        app = make_wheel(tmp_path, "app", requires=["base", 'tracer ; extra == "tracer"'])
        wheels = {wheel.name: wheel for wheel in (app, *(make_wheel(tmp_path, name) for name in ("base", "tracer")))}
        store = Store(tmp_path / "store")

        def walk(wanted, *pins, held=("app", "base", "tracer")):
            for name in held:
                with store.scratch() as folder:
                    draft = Path(shutil.copy(wheels[name].path, folder / "draft"))
                    store.keep(draft, store.wheel(wheels[name].digest, wheels[name].path.name))
            files = {"requirements.in": f"{wanted}\n", "requirements.txt": "".join(lock_line(wheels[p]) for p in pins)}
            return walk_known(requests_of(tmp_path, {"one": files}), store)

        return walk

    def test_a_lock_that_a_build_would_take_is_fine(self, walked):
        assert walked("app[tracer]", "app", "base", "tracer") == frozenset()
        assert walked("", held=()) == frozenset()

    def test_an_extra_without_its_pins_is_told(self, walked):
        with pytest.raises(InputError) as caught:
            walked("app[tracer]", "app", "base")
        where = f"functions/one/requirements.txt, {X86}"
        assert caught.value.facts == (f'{where}: tracer; extra == "tracer" is missing, wanted by app',)

    def test_a_pin_too_many_is_told(self, walked):
        with pytest.raises(InputError) as caught:
            walked("app", "app", "base", "tracer")
        where = f"functions/one/requirements.txt, {X86}"
        assert caught.value.facts == (f"{where}: tracer 1.0 is locked, but nothing wants it",)

    def test_where_a_wheel_is_not_here_nothing_is_claimed_and_nothing_fetched(self, walked, monkeypatch):
        monkeypatch.setattr(fetch, "run_pip", None)
        assert walked("app[tracer]", "app", "base", held=["app"]) == {"functions/one"}


MAC = {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"}
WINDOWS = {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64", "os_name": "nt"}


@pytest.mark.parametrize(("platform", "environment"), [("darwin", MAC), ("win32", WINDOWS)])
def test_a_mac_and_a_windows_machine_resolve_to_the_same_wheels(tmp_path, monkeypatch, platform, environment):
    """Markers in the lock, in METADATA, and of extras; no pip here, it only ever gets explicit pins."""
    lines = [
        f'only-{name} ; {name} == "{value}"'
        for name, value in (
            ("sys_platform", "linux"),
            ("platform_machine", "aarch64"),
            ("python_version", "3.13"),
            ("implementation_name", "cpython"),
        )
    ]
    hosts = [
        f'never ; sys_platform == "{platform}"',
        f'never ; platform_machine == "{environment["platform_machine"]}"',
    ]
    app = make_wheel(tmp_path, "app", requires=[*lines, *hosts, 'deep ; extra == "fast" and os_name == "posix"'])
    names = ["deep", *(line.split()[0].replace("_", "-") for line in lines)]
    wheels = [app, *(make_wheel(tmp_path, name) for name in names)]
    locked = [lock_line(app), lock_line(wheels[1], marker='os_name == "posix"')]
    locked += [lock_line(w, marker=line.partition(";")[2].strip()) for w, line in zip(wheels[2:], lines, strict=True)]
    locked.append(f'never==1 ; sys_platform == "{platform}" --hash=sha256:{"0" * 64}\n')
    files = {"requirements.in": "app[fast]\n", "requirements.txt": "".join(locked)}

    def told():
        (request,) = requests_of(tmp_path, {"one": files}, ARM)
        store = Store(tmp_path / "store")
        selected = [pin.name for pin in request.lock.selected(ARM)]
        assert sorted(selected) == sorted(wheel.name.replace("_", "-") for wheel in wheels)
        return request.key, _walk(request, {wheel.name: surveyed(wheel, store) for wheel in wheels})

    here = told()
    assert here[1] == []
    host = {**packaging.markers.default_environment(), **environment, "python_version": "3.12"}
    monkeypatch.setattr(packaging.markers, "default_environment", lambda: host)
    monkeypatch.setattr(sys, "platform", platform)
    assert told() == here


class TestTheWalkOverMetadata:
    """Of wheels at hand; an integration test shows that `resolve` raises what the walk finds."""

    def walked(self, tmp_path, wheels, *, wanted=None, target=X86):
        files = {"requirements.txt": "".join(map(lock_line, wheels))}
        folder = write_files(tmp_path / "functions/one", {**files, **({"requirements.in": wanted} if wanted else {})})
        (lock,) = read_locks(make_workspace(tmp_path, functions=(function_spec(folder, target=target),))).values()
        store = Store(tmp_path / "store")
        return _walk(Request(lock, target), {wheel.name: surveyed(wheel, store) for wheel in wheels})

    def test_what_a_wheel_needs_and_the_lock_misses_is_told(self, tmp_path):
        app = make_wheel(tmp_path, "app", requires=["needed>=1", 'win ; sys_platform == "win32"'])
        assert self.walked(tmp_path, [app], wanted="app\n") == [
            "functions/one/requirements.txt, python3.13 on x86_64: needed>=1 is missing, wanted by app"
        ]

    def test_extras_and_markers_of_the_target_are_followed(self, tmp_path):
        markers = ['quick ; extra == "fast"', 'arm ; platform_machine == "aarch64"', 'old ; python_version < "3.12"']
        app = make_wheel(tmp_path, "app", requires=markers)
        quick, arm = make_wheel(tmp_path, "quick"), make_wheel(tmp_path, "arm")
        assert self.walked(tmp_path, [app, arm, quick], wanted="app[fast]\n", target=ARM) == []
        assert self.walked(tmp_path, [app, quick], wanted="app[fast]\n") == []
        (missing,) = self.walked(tmp_path, [app, quick], wanted="app[fast]\n", target=ARM)
        assert 'arm; platform_machine == "aarch64" is missing, wanted by app' in missing

    def test_a_version_that_does_not_fit_another_distribution_is_told(self, tmp_path):
        app, dep = make_wheel(tmp_path, "app", requires=["dep>=2"]), make_wheel(tmp_path, "dep")
        (told,) = self.walked(tmp_path, [app, dep])
        assert "expected dep>=2 for app, got 1.0" in told

    def test_what_the_locks_owner_overrides_is_as_it_is(self, tmp_path):
        app, dep = make_wheel(tmp_path, "app", requires=["dep>=2", "gone"]), make_wheel(tmp_path, "dep")
        (request,) = requests_of(tmp_path, {"one": {"requirements.txt": lock_line(app) + lock_line(dep)}}, X86)
        decided = replace(request, lock=replace(request.lock, overrides=frozenset({"dep", "gone"})))
        surveys = {wheel.name: surveyed(wheel, Store(tmp_path / "store")) for wheel in (app, dep)}
        assert len(_walk(request, surveys)) == 2
        assert _walk(decided, surveys) == []

    def test_circles_end(self, tmp_path):
        a, b = make_wheel(tmp_path, "a", requires=["b"]), make_wheel(tmp_path, "b", requires=["a"])
        assert self.walked(tmp_path, [a, b], wanted="a\n") == []

    def test_a_full_version_is_that_of_the_runtime(self, tmp_path):
        lines = ['early ; python_full_version < "3.13.1"', 'late ; python_full_version >= "3.13.1"']
        app, late = make_wheel(tmp_path, "app", requires=lines), make_wheel(tmp_path, "late")
        assert self.walked(tmp_path, [app, late], wanted="app\n") == []

    @pytest.mark.parametrize(
        ("says", "minor", "fits"),
        [
            (">=3.9", 13, True),
            (">=3.13.1", 13, True),
            (">=3.14", 13, False),
            ("<3.13,>=3.9", 13, False),
            ("odd", 13, True),
        ],
    )
    def test_a_wheel_for_other_pythons_is_told(self, tmp_path, says, minor, fits):
        wheel = make_wheel(tmp_path, "picky")
        survey = replace(surveyed(wheel, Store(tmp_path / "store")), requires_python=says)
        target = Target(Runtime(minor), X86.architecture)
        (request,) = requests_of(tmp_path, {"one": {"requirements.txt": lock_line(wheel)}}, target)
        told = _walk(request, {"picky": survey})
        assert told == [] if fits else f"picky 1.0 needs Python {says}, got 3.{minor}." in told[0]

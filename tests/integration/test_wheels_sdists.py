"""Wheels that are built here: the same bytes each time, right for their target, or not at all."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from build.errors import InputError, ToolError
from build.locking.requirements import Pin, parse_lock
from build.locking.tools import REACH
from build.model import Architecture, Runtime, Target
from build.project.interpreters import interpreter_of
from build.project.profiles import RUNTIMES, host_architecture, profile_of
from build.store.objects import Store
from build.wheels.fetch import fetch_wheels
from build.wheels.surveys import surveyed
from build.wheels.toolchain import BACKENDS
from build.wheels.workshop import compiler
from tests.builders import make_wheel, write_files
from tests.checkout import make_checkout
from tests.sources import BACKEND, PYPROJECT, make_sdist, write_project

pytestmark = pytest.mark.slow

HERE = Runtime(sys.version_info.minor)
X86, ARM = Target(HERE, Architecture.X86_64), Target(HERE, Architecture.ARM64)
HOST = Target(HERE, host_architecture())
OTHER = ARM if HOST == X86 else X86

EXTENSION = """
#include <Python.h>
#include <features.h>
#include <stdlib.h>
static PyObject *told(PyObject *self, PyObject *none) {
    return Py_BuildValue("(iisz)", __GLIBC__, __GLIBC_MINOR__, __FILE__, getenv("SURELY_NOT_SET"));
}
static PyMethodDef methods[] = {{"told", told, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "native", 0, -1, methods};
PyMODINIT_FUNC PyInit_native(void) { return PyModule_Create(&module); }
"""


NOSY = """
import getpass, locale, stat
umask = os.umask(0)
os.umask(umask)
seen = [oct(umask), getpass.getuser(), time.tzname[0], locale.setlocale(locale.LC_ALL, ""), hash("a")]
Path("src/made").mkdir(exist_ok=True)
seen += [(str(path), oct(path.stat().st_mode)) for path in sorted(Path("src").rglob("*"))]
Path("src/seen.txt").write_text(" ".join(map(str, seen)))
"""


def store_of(tmp_path, name="store"):
    return Store(tmp_path / name)


def pin_of(name, digest, version="1.0"):
    return parse_lock(f"{name}=={version} --hash=sha256:{digest.hex}\n").pins[0]


def project_pin(folder, name, version="1.0"):
    return Pin(name=canonicalize_name(name), version=version, marker=None, sha256s=frozenset(), folder=folder)


def url_pin(path, name, sha256):
    return Pin(name=canonicalize_name(name), version="1.0", marker=None, sha256s=frozenset({sha256}), url=path.as_uri())


def fetched(pin, store, *targets, say=lambda _: None):
    wants = dict.fromkeys([(pin, target) for target in targets or (HOST,)], "functions/one")
    return list(fetch_wheels(wants, store, on_progress=say).values())


def refused(pin, store, *targets):
    with pytest.raises(InputError, match="without a wheel") as caught:
        fetched(pin, store, *targets)
    assert not list(store.root.glob("wheels/*/*.whl")), "a refused wheel is in the store"
    return caught.value


class TestAPureSdist:
    @pytest.fixture
    def pin(self, tmp_path, package_index):
        files = {"src/pure.py": "x = 1\n", "src/data/words.txt": "a,b\n"}
        project = write_project(tmp_path / "project", "pure", files=files, metadata="Requires-Dist: six\n")
        return pin_of("pure", make_sdist(package_index, project, "pure")[1])

    def test_is_built_once_for_both_architectures_and_known_afterwards(self, tmp_path, pin, package_index):
        said: list[str] = []
        store = store_of(tmp_path)
        first, second = fetched(pin, store, X86, ARM, say=said.append)
        assert first == second
        assert first.path.name == "pure-1.0-py3-none-any.whl"
        assert [line for line in said if "building" in line] == [f"building pure 1.0 for {X86} from its sdist"]
        assert surveyed(first, store).requires == ("six",)
        next(package_index.glob("pure*")).unlink()
        said.clear()
        assert fetched(pin, store, X86, ARM, say=said.append) == [first, second]
        assert said == []

    @pytest.fixture
    def nosy(self, tmp_path, package_index):
        """An sdist that packs whatever it can find out about who builds it."""
        project = write_project(
            tmp_path / "nosy", "nosy", files={"src/nosy.py": "x = 1\n", "src/run.sh": "#!/bin/sh\n"}
        )
        (project / "src/run.sh").chmod(0o755)
        with (project / "backend.py").open("a") as backend:
            backend.write(NOSY)
        return pin_of("nosy", make_sdist(package_index, project, "nosy")[1])

    @pytest.mark.parametrize("umask", [0o077, 0o000])
    def test_gives_the_same_bytes_at_another_time_and_place_by_another_user_under_another_umask(
        self, tmp_path, nosy, monkeypatch, umask
    ):
        one = fetched(nosy, store_of(tmp_path, "one"))
        before = os.umask(umask)
        changed = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "LANG": "C", "PYTHONHASHSEED": "7", "CFLAGS": "-O0"}
        for name, value in {**changed, "USER": "somebody", "LOGNAME": "somebody"}.items():
            monkeypatch.setenv(name, value)
        try:
            two = fetched(nosy, store_of(tmp_path, "deep/er/two"))
        finally:
            os.umask(before)
        assert one[0].digest == two[0].digest
        with zipfile.ZipFile(one[0].path) as archive:
            assert archive.testzip() is None
            assert archive.namelist() == sorted(archive.namelist())
            assert not [name for name in archive.namelist() if name.endswith(".pyc")]
            assert archive.read("seen.txt").decode().startswith("0o22 builder UTC ")

    def test_a_build_sees_nothing_of_the_clouds_credentials(self, tmp_path, package_index, monkeypatch):
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x" * 8)
        monkeypatch.setenv("PIP_TIMEOUT", "9")
        project = write_project(tmp_path / "project", "curious")
        with (project / "backend.py").open("a") as backend:
            backend.write("Path('src/seen.txt').write_text(' '.join(sorted(os.environ)))\n")
        pin = pin_of("curious", make_sdist(package_index, project, "curious")[1])
        with zipfile.ZipFile(fetched(pin, store_of(tmp_path))[0].path) as archive:
            seen = archive.read("seen.txt").decode().split()
        assert "PIP_TIMEOUT" in seen
        assert not [name for name in seen if name.startswith("AWS_")]

    def test_other_bytes_than_the_locks_are_refused(self, tmp_path, package_index, pin):
        sdist = next(package_index.glob("pure*"))
        sdist.write_bytes(sdist.read_bytes() + b"\0")
        error = refused(pin, store_of(tmp_path))
        assert "no wheel for it" in error.facts[0]

    def test_what_does_not_build_tells_why_and_names_the_ways_out(self, tmp_path, package_index):
        project = write_project(tmp_path / "project", "broken")
        (project / "backend.py").write_text("raise SystemExit('the moon is in the wrong phase')\n")
        pin = pin_of("broken", make_sdist(package_index, project, "broken")[1])
        error = refused(pin, store_of(tmp_path))
        assert error.facts[0] == f"functions/one: broken 1.0 on {HOST}: no wheel for it, and its sdist does not build"
        assert "the moon is in the wrong phase" in "\n".join(error.facts)
        for way_out in ("a version that has a wheel", "layer"):
            assert way_out in error.hint

    def test_a_wheel_is_preferred_where_there_is_one(self, tmp_path, package_index, pin):
        wheel = make_wheel(package_index, "pure", files={"pure.py": "x = 2\n"})
        both = parse_lock(f"pure==1.0 --hash=sha256:{wheel.digest.hex} --hash=sha256:{next(iter(pin.sha256s))}\n").pins[
            0
        ]
        assert fetched(both, store_of(tmp_path))[0].digest == wheel.digest


class TestBuildBackends:
    """Wheels in a folder serve the isolated build, as an index would."""

    def project(self, tmp_path, package_index, wants, version):
        backend = BACKEND.format(name="built", version="1.0", metadata=f"Keywords: {version}\n", compile=())
        make_wheel(package_index, "setuptools", version, files={"setuptools/build_meta.py": backend})
        pyproject = PYPROJECT.format(
            requires=[wants], backend="setuptools.build_meta", path="", name="built", version="1.0"
        )
        return write_files(tmp_path / "project", {"pyproject.toml": pyproject, "src/built.py": ""})

    def built_by(self, project, tmp_path):
        (wheel,) = fetched(project_pin(project, "built"), store_of(tmp_path))
        with zipfile.ZipFile(wheel.path) as archive:
            return archive.read("built-1.0.dist-info/METADATA").decode().partition("Keywords: ")[2].strip()

    def test_have_one_version_whatever_is_newest_today(self, tmp_path, package_index):
        ours = BACKENDS.read_text("utf-8").partition("\nsetuptools==")[2].split()[0]
        project = self.project(tmp_path, package_index, "setuptools>=40", "999.0")
        self.project(tmp_path, package_index, "setuptools>=40", ours)
        assert self.built_by(project, tmp_path) == ours

    def test_have_the_version_that_the_source_asks_for_where_ours_does_not_do(self, tmp_path, package_index):
        project = self.project(tmp_path, package_index, "setuptools<60", "59.0")
        assert self.built_by(project, tmp_path) == "59.0"


class TestAProjectOfTheRepository:
    def test_is_built_in_a_copy_and_again_only_when_it_changes(self, tmp_path, package_index):
        project = write_project(tmp_path / "libs/shared", "shared")
        write_files(project, {"build/lib/stale.py": "", "shared.egg-info/PKG-INFO": "", "src/__pycache__/x.pyc": ""})
        before = sorted(project.rglob("*"))
        store = store_of(tmp_path)
        said: list[str] = []
        (wheel,) = fetched(project_pin(project, "shared"), store, say=said.append)
        assert fetched(project_pin(project, "shared"), store, say=said.append) == [wheel]
        assert said == [f"building shared 1.0 for {HOST} from its project"]
        assert sorted(project.rglob("*")) == before
        (project / "src/shared.py").write_text("VERSION = 'changed'\n")
        (changed,) = fetched(project_pin(project, "shared"), store)
        assert changed.digest != wheel.digest

    def test_gives_the_same_bytes_in_a_checkout_of_another_day_and_umask(self, tmp_path, package_index):
        digests = set()
        look = "[(path.stat().st_mode, int(path.stat().st_mtime)) for path in sorted(Path('src').rglob('*.py'))]"
        for number, place in enumerate(("one", "deep/er/two"), start=1):
            project = write_project(tmp_path / place / "shared", "shared")
            with (project / "backend.py").open("a") as backend:
                backend.write(f"Path('src/seen.txt').write_text(str({look}))\n")
            (project / "src/shared.py").chmod(0o600 + 0o044 * (number - 1))
            os.utime(project / "src/shared.py", (number * 10**9, number * 10**9))
            digests.add(fetched(project_pin(project, "shared"), store_of(tmp_path, f"{place}/store"))[0].digest)
        assert len(digests) == 1

    def test_its_version_may_be_told_by_the_build_alone(self, tmp_path, package_index):
        project = write_project(tmp_path / "shared", "shared", version="3.4")
        assert fetched(project_pin(project, "shared", version=""), store_of(tmp_path))[0].version == "3.4"

    def test_whose_build_requirements_are_out_of_reach_is_a_matter_of_the_network(self, tmp_path, monkeypatch):
        for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
            monkeypatch.delenv(name)
        for name, value in {
            "CONFIG_FILE": os.devnull,
            "INDEX_URL": "http://127.0.0.1:9/simple",
            "RETRIES": "1",
        }.items():
            monkeypatch.setenv(f"PIP_{name}", value)
        wants = ["setuptools>=40", "wheel", "cython"]
        pyproject = PYPROJECT.format(
            requires=wants, backend="setuptools.build_meta", path="", name="shared", version="1.0"
        )
        project = write_files(tmp_path / "shared", {"pyproject.toml": pyproject, "shared.py": ""})
        with pytest.raises(ToolError, match="building shared failed") as caught:
            fetched(project_pin(project, "shared"), store_of(tmp_path))
        assert caught.value.hint == REACH

    def test_that_builds_a_wheel_which_cannot_ship_is_refused_with_the_reasons(self, tmp_path, package_index):
        project = write_project(tmp_path / "shared", "shared", files={"src/Case.py": "", "src/case.py": ""})
        error = refused(project_pin(project, "shared"), store_of(tmp_path))
        assert error.facts[0].endswith("its project builds a wheel that cannot ship")
        assert "case.py" in error.facts[1].lower()
        assert "requirements.in" not in error.hint

    def test_of_another_version_than_the_lock_says_is_refused(self, tmp_path, package_index):
        project = write_project(tmp_path / "shared", "shared", version="2.0")
        error = refused(project_pin(project, "shared"), store_of(tmp_path))
        assert error.facts == (f"functions/one: shared 1.0 on {HOST}: its project builds 2.0 and not 1.0",)


class TestAUrl:
    def test_of_a_wheel_is_fetched_and_of_an_sdist_is_built(self, tmp_path, package_index):
        wheel = make_wheel(tmp_path / "files", "direct")
        project = write_project(tmp_path / "project", "built")
        sdist, digest = make_sdist(tmp_path / "files", project, "built")
        by_wheel = url_pin(wheel.path, "direct", wheel.digest.hex)
        by_sdist = url_pin(sdist, "built", digest.hex)
        store = store_of(tmp_path)
        assert fetched(by_wheel, store)[0].digest == wheel.digest
        assert fetched(by_sdist, store)[0].path.name == "built-1.0-py3-none-any.whl"

    def test_with_other_bytes_is_refused(self, tmp_path, package_index):
        wheel = make_wheel(tmp_path / "files", "direct")
        pin = url_pin(wheel.path, "direct", "0" * 64)
        assert "no wheel for it that the lock allows" in refused(pin, store_of(tmp_path)).facts[0]


class TestCompiledCode:
    """No network here: what asks for a compiler and cannot have one."""

    def sdist(self, tmp_path, package_index, source="native.c"):
        project = write_project(tmp_path / "project", "native", files={source: EXTENSION}, compiles=(source,))
        return pin_of("native", make_sdist(package_index, project, "native")[1])

    def test_for_another_machine_is_refused(self, tmp_path, package_index):
        error = refused(self.sdist(tmp_path, package_index), store_of(tmp_path), OTHER)
        assert "no wheel for it, and its sdist has compiled code, and only Linux on" in error.facts[0]
        assert "a version that has a wheel" in error.hint

    def test_in_rust_is_refused(self, tmp_path, package_index):
        error = refused(self.sdist(tmp_path, package_index, "native.rs"), store_of(tmp_path))
        assert "needs Rust, and what that fetches or links no lock pins" in error.facts[0]

    def test_that_a_project_does_without_where_there_is_no_compiler_is_no_pure_wheel(self, tmp_path, package_index):
        """Else a machine with a compiler would build other bytes from the same lock."""
        project = write_project(tmp_path / "project", "optional")
        with (project / "backend.py").open("a") as backend:
            backend.write("subprocess.run([os.environ['CC'], '--version'])\n")
        pin = pin_of("optional", make_sdist(package_index, project, "optional")[1])
        assert "has compiled code" in refused(pin, store_of(tmp_path), OTHER).facts[0]

    def test_that_was_made_before_is_held_against_the_target(self, tmp_path, package_index):
        project = write_project(tmp_path / "project", "foreign", files={"src/foreign/__init__.py": ""})
        (project / "src/foreign/lib.so").write_bytes(Path(sys.executable).resolve().read_bytes())
        pin = pin_of("foreign", make_sdist(package_index, project, "foreign")[1])
        error = refused(pin, store_of(tmp_path), OTHER)
        assert f"builds compiled code that {OTHER} cannot load" in error.facts[0]
        assert "foreign/lib.so: expected code for" in error.facts[1]


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    """The compiler is 100 MB: fetched once for all."""
    return tmp_path_factory.mktemp("tools")


@pytest.mark.network
@pytest.mark.skipif(sys.platform != "linux", reason="compiles for Linux")
class TestWithACompiler:
    @pytest.fixture
    def store(self, tmp_path, tools):
        store = store_of(tmp_path)
        store.root.mkdir()
        (store.root / "tools").symlink_to(tools)
        return store

    @pytest.fixture
    def index(self, tmp_path, monkeypatch):
        folder = tmp_path / "index"
        folder.mkdir()
        monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
        return folder

    @pytest.mark.parametrize("runtime", [RUNTIMES[0], HERE], ids=str)
    def test_an_extension_is_built_for_the_runtimes_glibc_and_loads(self, tmp_path, store, index, runtime):
        target = Target(runtime, HOST.architecture)
        project = write_project(tmp_path / "project", "native", files={"native.c": EXTENSION}, compiles=("native.c",))
        pin = pin_of("native", make_sdist(index, project, "native")[1])
        (wheel,) = fetched(pin, store, target)
        (shared,) = surveyed(wheel, store).shared_objects
        assert shared.needed == ("libc.so.6",)
        assert shared.search == ()
        with zipfile.ZipFile(wheel.path) as archive:
            archive.extractall(tmp_path / "site")
        program = "import json, native; print(json.dumps(native.told()))"
        argv = [str(interpreter_of(runtime)), "-c", program]
        answer = subprocess.run(argv, env={"PYTHONPATH": str(tmp_path / "site")}, capture_output=True, check=True)
        *glibc, file, _ = json.loads(answer.stdout)
        assert tuple(glibc) == profile_of(target).glibc
        assert file.startswith("/build/")
        assert file.endswith("native.c")

    def test_the_bytes_do_not_tell_where_and_when_it_was_built(self, tmp_path, store, index):
        project = write_project(tmp_path / "project", "native", files={"native.c": EXTENSION}, compiles=("native.c",))
        pin = pin_of("native", make_sdist(index, project, "native")[1])
        other = store_of(tmp_path, "some/where/else")
        other.root.mkdir(parents=True)
        (other.root / "tools").symlink_to(store.root / "tools")
        assert fetched(pin, store)[0].digest == fetched(pin, other)[0].digest

    def test_where_other_versions_have_wheels_every_build_tells_and_verify_builds_it_again(
        self, tmp_path, store, index, monkeypatch
    ):
        compiler(HOST, store, on_progress=print)
        for name, value in {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}.items():
            monkeypatch.setenv(name, value)
        project = write_project(tmp_path / "project", "native", files={"native.c": EXTENSION}, compiles=("native.c",))
        sdist, digest = make_sdist(index, project, "native")
        wheel = make_wheel(index, "native", "1.1", tag=f"py3-none-manylinux2014_{profile_of(HOST).machine}")
        checkout = make_checkout(tmp_path / "check out")
        (checkout.root / ".artifacts/store").mkdir(parents=True)
        (checkout.root / ".artifacts/store/tools").symlink_to(store.root / "tools")
        target = f'runtime = "{HOST.runtime}"\narchitecture = "{HOST.architecture}"\n'
        checkout.write("functions/old/function.toml", f'description = "Old"\n{target}')
        checkout.write("functions/old/requirements.txt", f"native==1.0 --hash=sha256:{digest.hex}\n")
        source = "import native\n\ndef handler(event, context): ...\n"
        checkout.write("functions/old/src/app.py", source)
        said = checkout.run("build").stderr
        assert f"compiling native 1.0 for {HOST} from its sdist" in said
        warning = [line for line in said.splitlines() if "(compiled-here)" in line]
        assert warning[0].startswith(
            "warning: functions/old: native 1.0 has no wheel that fits, so it was compiled here"
        )
        assert "other versions have one, such as 1.1" in warning[0]
        assert "hint: ask for native 1.1 in functions/old/requirements.txt, then run `invoke lock`" in said
        assert "have the same bytes when they are built elsewhere" in checkout.run("verify").stderr
        wheel.path.unlink()
        sdist.unlink()
        assert checkout.run("build").stderr.splitlines()[0] == warning[0], "of an unchanged repository"
        checkout.write("functions/old/src/app.py", f"{source}\n")
        said = checkout.run("build").stderr
        assert "native 1.0 for" not in said
        assert warning[0] in said

    def test_setuptools_builds_an_extension(self, tmp_path, store, index):
        setup = "from setuptools import Extension, setup\nsetup(ext_modules=[Extension('native', ['native.c'])])\n"
        pyproject = PYPROJECT.format(
            requires='["setuptools"]', backend="setuptools.build_meta", path="", name="native", version="1.0"
        )
        files = {"setup.py": setup, "pyproject.toml": pyproject, "native.c": EXTENSION}
        project = write_files(tmp_path / "project", files)
        pin = pin_of("native", make_sdist(index, project, "native")[1])
        (wheel,) = fetched(pin, store)
        assert [each.path.startswith("native.cpython-") for each in surveyed(wheel, store).shared_objects] == [True]

    def test_what_does_not_compile_shows_the_compilers_words(self, tmp_path, store, index):
        source = '#error "no flux capacitor"\n'
        project = write_project(tmp_path / "project", "native", files={"native.c": source}, compiles=("native.c",))
        pin = pin_of("native", make_sdist(index, project, "native")[1])
        error = refused(pin, store)
        assert "no flux capacitor" in "\n".join(error.facts)

    def test_a_real_pure_sdist_gives_the_same_wheel_twice(self, tmp_path):
        # docopt never published a wheel.
        line = "docopt==0.6.2 --hash=sha256:49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491\n"
        pin = parse_lock(line).pins[0]
        digests = {fetched(pin, store_of(tmp_path, name), HOST)[0].digest for name in ("one", "two")}
        assert len(digests) == 1

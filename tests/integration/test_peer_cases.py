"""What other packagers test of themselves: a function holds what pip installs, for every runtime and architecture."""

import importlib.util
import subprocess
import sys
import zipfile

import pytest

from build.locking.requirements import parse_lock
from build.model import Architecture, Target
from build.project.profiles import RUNTIMES, profile_of
from build.store.objects import Store
from build.wheels.fetch import fetch_wheels
from tests.builders import lock_line, make_wheel
from tests.checkout import make_checkout

pytestmark = pytest.mark.slow

DECLARES = "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
HANDLER = "def handler(event, context):\n    return event\n"
CASES: dict[str, dict[str, object]] = {
    "schemes": {"files": {"schemes-1.0.data/purelib/a.py": "a", "schemes-1.0.data/platlib/b.py": "b", "c.py": "c"}},
    "Dotted.Name_x": {"files": {"dotted/name.py": ""}},
    "one-module": {"files": {"one_module.py": ""}},
    "epoch": {"version": "1!2.0.post1", "files": {"epoch.py": ""}},
    "local": {"version": "2.1.0+cu118.post2", "files": {"local.py": ""}},
    "early": {"version": "0.33b0.dev4", "files": {"early.py": ""}},
    "stable-abi": {"tag": "cp38-abi3-manylinux2014_x86_64", "files": {"stable_abi.py": ""}},
    "any-python": {"tag": "py2.py3-none-manylinux1_x86_64.manylinux2014_x86_64", "files": {"any_python.py": ""}},
    "older-python": {"tag": "py38-none-any", "files": {"older_python.py": ""}},
    "unicode": {"files": {"unicode_x/größe-日本.txt": "x", "unicode_x/a b.txt": "y"}},
    "space.one": {"files": {"space/__init__.py": DECLARES, "space/one.py": ""}},
    "space.two": {"files": {"space/__init__.py": f"# in other words\n{DECLARES}", "space/two.py": ""}},
    "implicit-one": {"files": {"implicit/one/__init__.py": ""}},
    "implicit-two": {"files": {"implicit/two/__init__.py": "", "implicit_two-1.0-nspkg.pth": "import sys\n"}},
    "nothing-in-it": {"files": {}},
    "other-python": {"files": {"other_python/print.py": "print 'x'\n", "other_python/template.py": "{{ name }}\n"}},
    "deep": {"files": {f"{'/'.join(['d' * 60] * 4)}/m.py": ""}},
}


@pytest.fixture
def checkout(tmp_path, package_index):
    return make_checkout(tmp_path / "clone")


def write_function(checkout, name, lock, runtime):
    settings = f'description = "x"\nruntime = "{runtime}"\narchitecture = "x86_64"\n'
    checkout.write(f"functions/{name}/function.toml", settings)
    checkout.write(f"functions/{name}/src/app.py", HANDLER)
    checkout.write(f"functions/{name}/requirements.txt", lock)


def built(checkout, name):
    with zipfile.ZipFile(checkout.root / f".artifacts/build/functions/{name}.zip") as archive:
        return {member: archive.read(member) for member in archive.namelist()}


def installed_by_pip(lock, folder):
    pins = folder.with_suffix(".txt")
    pins.write_text(lock, encoding="utf-8")
    options = ["--no-deps", "--no-compile", "--require-hashes", "--only-binary=:all:", "--target", str(folder)]
    options += ["--platform=manylinux2014_x86_64", "--platform=manylinux1_x86_64", "--python-version=3.13"]
    argv = [sys.executable, "-m", "pip", "install", "--quiet", *options, "--requirement", str(pins)]
    subprocess.run(argv, check=True, capture_output=True)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_notes(files):
    """Leave out what an installer writes itself, and bytecode."""
    notes = ("/RECORD", "/INSTALLER", "/REQUESTED")
    return {path: data for path, data in files.items() if not path.endswith(notes) and "__pycache__" not in path}


def test_a_function_holds_what_pip_installs(checkout, tmp_path, package_index):
    lock = "".join(lock_line(make_wheel(package_index, name, **case)) for name, case in CASES.items())  # type: ignore[arg-type]
    write_function(checkout, "all", lock, "python3.13")
    checkout.run("build", "--env", "dev")
    holds = without_notes(built(checkout, "all"))
    expected = without_notes(installed_by_pip(lock, tmp_path / "target"))
    assert holds.pop("app.py").decode() == HANDLER
    # Either wording does, and nobody says which one pip writes last.
    assert DECLARES.encode() in holds.pop("space/__init__.py")
    assert expected.pop("space/__init__.py")
    assert holds == expected


def test_the_bytecode_of_a_shared_namespace_belongs_to_the_module_that_ships(checkout, package_index):
    names = ("space.one", "space.two")
    lock = "".join(lock_line(make_wheel(package_index, name, **CASES[name])) for name in names)  # type: ignore[arg-type]
    here = f"python3.{sys.version_info.minor}"
    write_function(checkout, "names", lock, here)
    checkout.run("build", "--env", "dev")
    files = built(checkout, "names")
    bytecode = files[f"space/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"]
    assert bytecode[8:16] == importlib.util.source_hash(files["space/__init__.py"])


def test_every_target_gets_the_newest_platform_that_it_can_load(tmp_path, package_index):
    platforms = "manylinux1 manylinux2010 manylinux2014 manylinux_2_24 manylinux_2_26 manylinux_2_28 manylinux_2_34"
    platforms += " manylinux_2_35 musllinux_1_2 linux"
    targets = [Target(runtime, architecture) for runtime in RUNTIMES for architecture in Architecture]
    wanted = {}
    for target in targets:
        python, machine = f"cp3{target.runtime.minor}", profile_of(target).machine
        tags = [f"{python}-{python}-{platform}_{machine}" for platform in platforms.split()]
        wheels = [make_wheel(package_index, "native", tag=tag, files={"native.py": tag}) for tag in tags]
        wanted[parse_lock(lock_line(*wheels)).pins[0], target] = "functions/one"
    found = fetch_wheels(wanted, Store(tmp_path / "store"), on_progress=lambda _: None)
    newest = {target: wheel.path.name.partition("-manylinux_")[2][:4] for (_, target), wheel in found.items()}
    assert newest == {target: "2_26" if target.runtime.minor < 12 else "2_34" for target in targets}

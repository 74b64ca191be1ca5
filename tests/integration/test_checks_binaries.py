"""What we read of shared objects, against the loader that will read them."""

import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from build.checks import binaries, modules
from build.model import Architecture, Artifact, Build, Runtime, Target
from build.project.profiles import RUNTIMES
from build.store.objects import Store
from build.wheels.elf import foreign, missing, read_shared_object
from tests.artifacts import make_artifact
from tests.builders import function_spec, make_wheel, make_workspace

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs the loader of Linux"),
]
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")

HERE = Target(
    Runtime(sys.version_info.minor),
    Architecture.ARM64 if platform.machine() == "aarch64" else Architecture.X86_64,
)


def compiled(folder: Path, name: str, code: str, *options: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.c"
    source.write_text(code)
    library = folder / name
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, *options], check=True)
    source.unlink()
    return library


def artifact_of(root: Path, store: Store, site: Path) -> Artifact:
    files = {path.relative_to(site).as_posix(): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    made = make_wheel(root, "fast", files=files, tag=f"cp311-abi3-linux_{platform.machine()}")
    place = store.wheel(made.digest, made.path.name)
    place.parent.mkdir(parents=True)
    made.path.rename(place)
    return make_artifact(root / "f.zip", "functions/f", wheels=[replace(made, path=place)])


def errors(root: Path, site: Path) -> list[str]:
    """Return what is said of a wheel that has the files of ``site``."""
    modules.forget()
    store = Store(root / "store")
    spec = function_spec(root / "functions/f", target=replace(HERE, runtime=Runtime(13)))
    build = Build(functions={"f": artifact_of(root, store, site)}, layers={})
    workspace = make_workspace(root, functions=(spec,))
    return [problem.message for problem in binaries.unfit(workspace, build, store)]


def loaded(library: Path) -> str:
    """Return what a fresh process says when it loads ``library``; one that has it knows where its libraries are."""
    program = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    return subprocess.run([sys.executable, "-c", program, library], capture_output=True, text=True, check=False).stderr


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder like site-packages: a library that needs another one, which lies elsewhere."""
    folder = tmp_path / "site"
    libone = compiled(folder / "fast.libs", "libone.so.1", "int one(void){return 1;}", "-Wl,-soname,libone.so.1")
    code = "int one(void); int two(void){return one() + 1;}"
    compiled(folder / "fast", "two.so", code, str(libone), "-Wl,-rpath,$ORIGIN/../fast.libs", "-Wl,-z,origin")
    return folder


@needs_compiler
def test_a_library_that_the_loader_finds_is_found(tmp_path, site):
    assert loaded(site / "fast/two.so") == ""
    assert errors(tmp_path, site) == []


@needs_compiler
def test_a_library_that_the_loader_misses_is_told(tmp_path, site):
    (site / "fast.libs/libone.so.1").unlink()
    assert "libone.so.1: cannot open shared object file" in loaded(site / "fast/two.so")
    (message,) = errors(tmp_path, site)
    assert "fast/two.so" in message
    assert "libone.so.1" in message


@needs_compiler
def test_the_symbol_that_needs_the_newest_glibc_is_the_one_that_the_source_calls(tmp_path):
    code = """
        #include <stdlib.h>
        extern void *newest(size_t);
        __asm__(".symver newest, reallocarray@GLIBC_2.26");
        void *call(void *at) { free(at); return newest(1); }
    """
    library = compiled(tmp_path, "newest.so", code)
    found = read_shared_object("newest.so", library.read_bytes())
    assert found
    (need,) = [need for need in found.requires if need.library == "libc.so.6"]
    assert (need.family, need.version, need.symbol) == ("GLIBC", "2.26", "reallocarray")


@pytest.mark.skipif(HERE.runtime not in RUNTIMES, reason="no runtime has this Python")
def test_of_installed_wheels_that_load_here_none_is_said_to_be_for_another_machine_or_to_lack_a_library():
    """Compiled distributions that we depend on are installed for this very machine and Python."""
    site = Path(sys.prefix) / f"lib/python3.{sys.version_info.minor}/site-packages"
    read = {
        path: read_shared_object(path.relative_to(site).as_posix(), path.read_bytes()) for path in site.rglob("*.so")
    }
    brought = {path.name for path in site.rglob("*.so*")}
    assert len(read) > 10
    wrong = {
        found.path: (foreign(found, HERE), missing(found, HERE, brought))
        for found in read.values()
        if found and (foreign(found, HERE) or missing(found, HERE, brought))
    }
    assert wrong == {}

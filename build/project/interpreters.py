"""Find a Python of a runtime's minor version: this one, under pyenv, on PATH, by uv."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock, Thread

from build import process
from build.errors import ToolError
from build.model import Runtime
from build.project.search import pyenv_roots

_PROBE = "import sys; print(sys.implementation.name, *sys.version_info[:4], *getattr(sys, 'abiflags', ''))"
"""Prints ``cpython 3 13 0 final``, and more for a free-threaded or debug build."""
_probing = Lock()


@dataclass(frozen=True, slots=True)
class _Interpreter:
    release: tuple[int, ...]
    path: Path


def look_ahead(runtimes: Iterable[Runtime]) -> None:
    """Begin to look for what `interpreter_of` will be asked for: the Pythons it finds answer while others work."""
    for runtime in set(runtimes):
        Thread(target=_look, args=(runtime,), daemon=True).start()


def _look(runtime: Runtime) -> None:
    with suppress(ToolError):  # told where it is needed
        _found(runtime)


def interpreter_of(runtime: Runtime) -> Path:
    """Return the path of a CPython of ``runtime``'s minor version: final, not free-threaded, no debug build.

    Looks at the running interpreter, pyenv's versions folder and ``pythonX.Y`` on PATH, and takes the
    newest patch release of them; where there is none, asks uv, which may install one if it is allowed
    to download. Looks once; threads may call it. Raises ToolError if there is none.
    """
    return _found(runtime).path


def release_of(runtime: Runtime) -> str:
    """Return the full version of `interpreter_of`, such as ``3.13.0``: what bytecode depends on."""
    return ".".join(map(str, _found(runtime).release))


def _found(runtime: Runtime) -> _Interpreter:
    with _probing:  # a cache alone would let two threads look at once
        return _find(runtime)


@cache
def _find(runtime: Runtime) -> _Interpreter:
    tried = list(_candidates(runtime))
    fitting = [found for candidate in tried if (found := _probed(candidate, runtime))]
    if not fitting:
        by_uv = _uv(runtime, "find") or _uv(runtime, "install", "find")
        fitting = [found for candidate in [by_uv] if candidate and (found := _probed(candidate, runtime))]
    if fitting:
        return max(fitting, key=lambda found: found.release)
    raise ToolError(
        f"no Python {runtime.version} on this machine, which {runtime} needs for bytecode and local invokes",
        facts=[
            f"looked at: this Python, pyenv's versions, python{runtime.version} on PATH, uv",
            *(f"does not run, or is another version or no final release: {path}" for path in tried),
        ],
        hint=f"run `uv python install {runtime.version}` or `pyenv install {runtime.version}`",
    )


def _candidates(runtime: Runtime) -> Iterator[Path]:
    if sys.version_info[:2] == (3, runtime.minor):
        # The interpreter below a venv: its site-packages must not reach a function.
        yield Path(getattr(sys, "_base_executable", sys.executable))
    name = "python.exe" if os.name == "nt" else f"bin/python{runtime.version}"
    versions = [folder for root in pyenv_roots() for folder in (root / "versions").glob(f"{runtime.version}.*")]
    yield from (path / name for path in sorted(versions) if (path / name).exists())
    # Not pyenv's shims: they are slow, and run only versions made global.
    shims = {root / "shims" for root in pyenv_roots()}
    entries = [entry for entry in os.environ.get("PATH", "").split(os.pathsep) if entry and Path(entry) not in shims]
    on_path = shutil.which(f"python{runtime.version}", path=os.pathsep.join(entries))
    if on_path:
        yield Path(on_path)


def _probed(python: Path, runtime: Runtime) -> _Interpreter | None:
    try:
        probe = process.run([str(python), "-I", "-S", "-c", _PROBE])
    except ToolError:
        return None
    match probe.stdout.split() if probe.code == 0 else []:
        case ["cpython", "3", minor, patch, "final"] if int(minor) == runtime.minor:
            return _Interpreter((3, int(minor), int(patch)), python)
    return None


def _uv(runtime: Runtime, *verbs: str) -> Path | None:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if not uv:
        return None
    found = ""
    for verb in verbs:
        option = ["--no-project", "--system"] if verb == "find" else []
        completed = process.run([uv, "python", verb, *option, runtime.version])
        if completed.code != 0:
            return None
        found = completed.stdout.strip()
    return Path(found)

"""Find a Python of a runtime's minor version: this one, on PATH, under pyenv, by uv."""

import os
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from build import process
from build.errors import ToolError
from build.model import Runtime

_PROBE = "import sys; print('%s %d.%d' % (sys.implementation.name, *sys.version_info[:2]))"


@cache
def interpreter_of(runtime: Runtime) -> Path:
    """Return the path of a CPython of ``runtime``'s minor version.

    Looks at the running interpreter, ``pythonX.Y`` on PATH, pyenv's versions folder and uv, which
    may install one where it is allowed to download. Raises ToolError if there is none.
    """
    tried = []
    for candidate in _candidates(runtime):
        if _is(candidate, runtime):
            return candidate
        tried.append(str(candidate))
    installed = _uv(runtime, "find") or _uv(runtime, "install", "find")
    if installed:
        return installed
    raise ToolError(
        f"no Python {runtime.version} on this machine, which {runtime} needs for bytecode and local invokes",
        facts=[
            f"looked at: this Python, pyenv's versions, python{runtime.version} on PATH, uv",
            *(f"does not run or is another version: {path}" for path in tried),
        ],
        hint=f"run `uv python install {runtime.version}` or `pyenv install {runtime.version}`",
    )


def _candidates(runtime: Runtime) -> Iterator[Path]:
    if sys.version_info[:2] == (3, runtime.minor):
        # The interpreter below a venv: its site-packages must not reach a function.
        yield Path(getattr(sys, "_base_executable", sys.executable))
    name = "python.exe" if os.name == "nt" else f"bin/python{runtime.version}"
    versions = [folder for root in _pyenv_roots() for folder in (root / "versions").glob(f"{runtime.version}.*")]
    newest_first = sorted(versions, key=lambda path: _patch(path.name), reverse=True)
    yield from (path / name for path in newest_first if (path / name).exists())
    # After pyenv's own folder: on PATH there may be a pyenv shim, which runs only versions made global.
    on_path = shutil.which(f"python{runtime.version}")
    if on_path:
        yield Path(on_path)


def _pyenv_roots() -> tuple[Path, ...]:
    """Return where pyenv may be: where it says, in the home folder, beside its shims on PATH."""
    said = os.environ.get("PYENV_ROOT")
    on_path = (Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry)
    shims = [entry.parent for entry in on_path if entry.name == "shims"]
    return tuple(dict.fromkeys([*([Path(said)] if said else []), Path.home() / ".pyenv", *shims]))


def _patch(version: str) -> int:
    last = version.rpartition(".")[2]
    return int(last) if last.isdigit() else -1


def _is(python: Path, runtime: Runtime) -> bool:
    try:
        probe = process.run([str(python), "-I", "-c", _PROBE])
    except ToolError:
        return False
    return probe.code == 0 and probe.stdout.split() == ["cpython", runtime.version]


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

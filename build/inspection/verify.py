"""Build everything once more, elsewhere, and compare: whether the bytes follow from the checkout alone.

Elsewhere is another folder, another process, another umask, time zone, locale and seed of hashes, files with other
dates that are listed in another order, a store that holds fetched wheels and nothing else and, if asked for, another
Python. What was built here, from sdists and projects of the repository, is built there again.
"""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from build import process
from build.errors import InputError, ToolError
from build.inspection.sameness import first_difference
from build.model import Artifact, Build, Runtime, Workspace
from build.project.interpreters import interpreter_of
from build.wheels.workshop import telling

_PROGRAM = Path(__file__).with_name("elsewhere.py")
_FETCHED = ("wheels", "notes/wheel")
"""What of the store a build starts from: wheels by digest, and which of them was fetched for which pin.

Wheels that were built here are among them, but no note says so: they are built again before one is believed.
"""
_ANOTHER_DAY_S = 1_000_000_000
"""2001-09-09."""
_OLDEST_MINOR = 11


def differences_elsewhere(
    workspace: Workspace, build: Build, *, python: Path, on_progress: Callable[[str], None]
) -> dict[str, str]:
    """Return, by artifact, the first difference between ``build`` and one made elsewhere by ``python``.

    Empty when all bytes are the same. Raises ToolError if the other build fails.
    """
    with _copied(workspace) as elsewhere:
        with telling(f"building in {elsewhere}", on_progress):
            made = _built(elsewhere, workspace.env.name, python)
        return {
            artifact.place: difference
            for artifact in build.artifacts
            if (difference := _difference(artifact, made.get(artifact.place)))
        }


def python_for(minor: str, root: Path, *, on_progress: Callable[[str], None]) -> Path:
    """Return a Python ``3.N`` that can run this library, with everything `requirements.txt` locks; made once and kept.

    Raises InputError for what is no version from 3.11 on, ToolError if it cannot be made.
    """
    try:
        runtime = Runtime.parse(f"python{minor}")
    except ValueError:
        runtime = Runtime(0)
    if runtime.minor < _OLDEST_MINOR:
        raise InputError(
            f"no Python that can build: {minor!r}",
            facts=[f"expected 3.{_OLDEST_MINOR} or newer"],
            hint="run `invoke verify --python 3.12`",
        )
    home = root / ".artifacts" / "verify" / str(runtime)
    home.mkdir(parents=True, exist_ok=True)
    for name in ("invokew", "requirements.txt"):  # invokew knows how to make a .venv behind any proxy
        shutil.copyfile(root / name, home / name)
    on_progress(f"making sure of {home / '.venv'}")
    process.checked(
        process.run([str(interpreter_of(runtime)), str(home / "invokew"), "--version"], cwd=home),
        doing=f"making a Python {minor} that can build",
        hint="run `invoke doctor` to see which interpreters are found",
    )
    return home / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


@contextmanager
def _copied(workspace: Workspace) -> Iterator[Path]:
    """Yield a copy of the checkout with the wheels of its store; it is gone afterwards."""
    root, store = workspace.root, workspace.generated / "store"
    with tempfile.TemporaryDirectory(prefix="slipway verify ", ignore_cleanup_errors=True) as folder:
        elsewhere = Path(folder).resolve() / "another place"
        shutil.copytree(root, elsewhere, symlinks=True, copy_function=_copy, ignore=partial(_left_behind, root))
        shared = elsewhere / store.relative_to(root)
        for name in _FETCHED:
            if (store / name).is_dir():
                shutil.copytree(store / name, shared / name, copy_function=_link)
        if (store / "tools").is_dir():  # compilers: pinned, large, and no part of any result
            (shared / "tools").symlink_to(store / "tools", target_is_directory=True)
        yield elsewhere


def _left_behind(root: Path, folder: str, names: list[str]) -> set[str]:
    """Leave out what no build reads: what begins with a dot at the root, and caches."""
    at_root = Path(folder) == root
    return {name for name in names if name in {"__pycache__", ".terraform"} or (at_root and name.startswith("."))}


def _copy(source: str, target: str) -> None:
    """Copy bytes, and of the mode what counts: whether the owner may execute it. Another day, and for nobody else."""
    shutil.copyfile(source, target)
    Path(target).chmod(0o700 if Path(source).stat().st_mode & stat.S_IXUSR else 0o600)
    os.utime(target, (_ANOTHER_DAY_S, _ANOTHER_DAY_S))


def _link(source: str, target: str) -> None:
    with suppress(OSError):  # another file system
        Path(target).hardlink_to(source)
        return
    shutil.copy2(source, target)


def _built(elsewhere: Path, env: str, python: Path) -> dict[str, Path]:
    """Build in ``elsewhere`` and return each artifact's zip, by ``functions/NAME`` or ``layers/KEY``."""
    changed = {
        "TZ": "Pacific/Chatham",
        "LC_ALL": "C.UTF-8" if os.environ.get("LC_ALL") == "C" else "C",
        "USER": "somebody",
        "LOGNAME": "somebody",
        "PYTHONHASHSEED": "4242",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    program = elsewhere / _PROGRAM.relative_to(Path(__file__).parents[2])
    done = process.checked(
        process.run([str(python), str(program), env], cwd=elsewhere, env={**os.environ, **changed}),
        doing="the build elsewhere",
        hint=f"run `invoke build --env {env}`; if that succeeds, something here is in no file of the checkout",
    )
    try:
        return {str(name): Path(path) for name, path in json.loads(done.stdout).items()}
    except (ValueError, AttributeError, TypeError):
        raise ToolError(
            "the build elsewhere did not say what it made",
            facts=[f"expected JSON, got {done.stdout[:200]!r}"],
            hint=f"run `invoke build --env {env}`",
        ) from None


def _difference(ours: Artifact, theirs: Path | None) -> str | None:
    return first_difference(ours.path, theirs) if theirs else "was not made elsewhere"

"""The programs that write locks: uv, and poetry and pipenv for theirs."""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from build import process
from build.errors import ToolError
from build.locking.places import masked
from build.model import Runtime
from build.process import Completed

_PYTHON = ("--python", sys.executable, "--no-python-downloads")
"""Named, or uv asks every Python it finds who it is, which takes 7 s behind pyenv's shims."""
REACH = "run the same command again when the package index can be reached"
_UNREACHABLE = ("error sending request", "dns error", "network was disabled")
"""What uv prints when it cannot reach an index, also for what a local project wants to be built by."""


def compile_with_uv(
    wanted: Path,
    lock: Path,
    *,
    lowest: Runtime,
    constraints: Iterable[Path] = (),
    upgrade: bool = False,
    cwd: Path,
    hint: str,
) -> None:
    """Lock what the file ``wanted`` says into ``lock``, for all platforms from ``lowest`` on and with digests.

    Pins of ``lock`` that still fit stay, unless ``upgrade``. uv takes paths in requirements from ``cwd``, and writes
    them back as they were. Raises ToolError with uv's reasons; ``lock`` is then as it was.
    """

    def said(path: Path) -> str:
        return Path(os.path.relpath(path, cwd)).as_posix()

    is_pylock = lock.suffix == ".toml"
    argv = [
        *(_uv(), "pip", "compile", said(wanted), "--output-file", said(lock)),
        *("--universal", "--generate-hashes", "--python-version", lowest.version, "--quiet"),
        *(["--format", "pylock.toml"] if is_pylock else []),
        *("--custom-compile-command", "invoke lock"),
        *_PYTHON,
        *(word for path in constraints for word in ("--constraints", said(path))),
        *(["--upgrade"] if upgrade else []),
    ]
    _run(argv, cwd, hint)


def lock_with_uv(folder: Path, *, upgrade: bool, hint: str) -> None:
    """Write the `uv.lock` of the project in ``folder``, or of the workspace around it; raise ToolError."""
    argv = [_uv(), "lock", "--quiet", *(["--upgrade"] if upgrade else [])]
    done = _tried([*argv, *_PYTHON], folder)
    if done.code and "incompatible with the project" in done.stderr:
        done = _tried(argv, folder)  # it wants another Python than ours, so uv has to look for one
    process.checked(done, doing=f"locking {folder.name}", hint=hint)


def lock_with_poetry(folder: Path, *, upgrade: bool, hint: str) -> None:
    """Write the `poetry.lock` of the project in ``folder``; raise ToolError."""
    poetry = _found("poetry", "poetry.lock", folder)
    version = process.run([poetry, "--version"]).stdout
    old = " 1." in version.replace("(version ", "").replace("version ", "")
    keep, renew = (["--no-update"], []) if old else ([], ["--regenerate"])
    _run([poetry, "lock", "--no-interaction", *(renew if upgrade else keep)], folder, hint)


def lock_with_pipenv(folder: Path, *, hint: str) -> None:
    """Write the `Pipfile.lock` of ``folder``, always with the newest versions that fit; raise ToolError."""
    _run([_found("pipenv", "Pipfile.lock", folder), "lock"], folder, hint)


def _run(argv: Sequence[str], cwd: Path, hint: str) -> None:
    done = _tried(argv, cwd)
    is_cut_off = any(phrase in done.stderr for phrase in _UNREACHABLE)
    process.checked(done, doing=f"locking {cwd.name}", hint=REACH if is_cut_off else hint)


def _tried(argv: Sequence[str], cwd: Path) -> Completed:
    # uv brings certificates of its own; behind a proxy that a company trusts only the system's are right.
    ours = {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true", "PIPENV_IGNORE_VIRTUALENVS": "1"}
    done = process.run(argv, cwd=cwd, env={**ours, **os.environ})
    return replace(done, stdout=masked(done.stdout), stderr=masked(done.stderr))


def _uv() -> str:
    # Ours first: it is pinned, and another version may write the file differently.
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if not found:
        raise ToolError("uv is not installed", hint="run `pip install -r requirements.txt`")
    return found


def _found(tool: str, lock: str, folder: Path) -> str:
    found = shutil.which(tool)
    if not found:
        raise ToolError(
            f"{tool} is not installed, and nothing else writes {lock}",
            facts=[f"{folder.parent.name}/{folder.name}: expected {tool} on PATH, got none"],
            hint=f"run `{tool} lock` in {folder.parent.name}/{folder.name} where {tool} is installed",
        )
    return found

"""What Lambda's Python runtimes hold in /var/runtime: awslambdaric and boto3, once for each minor version.

Kept in ``.artifacts/local/runtime/pythonX.Y-<digest of the lock>/``. Wheels come from the package index the first time.
So does a debugger, which is kept beside it.
"""

import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from build import process
from build.digest import Digest
from build.errors import ToolError
from build.locking.locks import selected
from build.locking.requirements import parse_lock
from build.model import Runtime, Target
from build.project.interpreters import interpreter_of
from build.project.profiles import host_architecture
from build.wheels.pip import pip_for

LOCK = Path(__file__).parent / "runtime" / "requirements.txt"
_DEBUGGER = LOCK.with_name("debugger.txt")

_HINT = "run `invoke doctor` to see whether the package index is reached, then try again"


def ensure(root: Path, runtime: Runtime, *, on_progress: Callable[[str], None] | None = None) -> Path:
    """Return the folder to use as ``runtime``'s /var/runtime, made first if it is not there.

    Two processes at once are safe, and one that is killed leaves nothing behind under the final name.
    ``on_progress`` is told when wheels are fetched. Raises ToolError if pip fails or there is no such Python.
    """
    what = f"what Lambda's {runtime} runtime holds: awslambdaric and boto3"
    return _with_bootstrap(_installed(_folder(root, "runtime", LOCK, runtime), LOCK, runtime, what, on_progress))


def debugger(root: Path, runtime: Runtime, *, on_progress: Callable[[str], None]) -> Path:
    """Return a folder with debugpy for ``runtime``, made first if it is not there; otherwise as `ensure`."""
    folder = _folder(root, "debugger", _DEBUGGER, runtime)
    return _installed(folder, _DEBUGGER, runtime, f"debugpy for {runtime}", on_progress)


def _installed(
    folder: Path, lock: Path, runtime: Runtime, what: str, on_progress: Callable[[str], None] | None
) -> Path:
    if folder.is_dir():
        return folder
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f"{folder.name}.lock"):
        if not folder.is_dir():
            if on_progress:
                on_progress(f"fetching {what}")
            _install(lock, runtime, folder, what)
    return folder


@cache
def _with_bootstrap(folder: Path) -> Path:
    """Keep what awslambdaric is started by as it is in the repository, without a download whenever it changes."""
    for name in ("bootstrap.py", "runtime_client.py"):
        current = (LOCK.parent / name).read_bytes()
        if not (folder / name).is_file() or (folder / name).read_bytes() != current:
            temporary = Path(tempfile.mkdtemp(dir=folder.parent)) / name
            temporary.write_bytes(current)
            temporary.chmod(0o644)
            temporary.replace(folder / name)
            temporary.parent.rmdir()
    return folder


@cache
def _folder(root: Path, name: str, lock: Path, runtime: Runtime) -> Path:
    return root / ".artifacts" / "local" / name / f"{runtime}-{Digest.of_file(lock).short}"


def _install(lock: Path, runtime: Runtime, folder: Path, what: str) -> None:
    target = Target(runtime, host_architecture())
    python = interpreter_of(runtime)  # before the download: without it there is nothing to run
    temporary = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    pins = temporary / "pins.txt"
    pins.write_text("".join(pin.line for pin in selected(parse_lock(lock.read_text("utf-8")).pins, target)), "utf-8")
    install = ["--quiet", "--no-compile", "--requirement", str(pins), "--target", str(temporary)]
    compile_all = [str(python), "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(temporary)]
    try:
        completed = process.run([*pip_for("install", target), *install])
        process.checked(completed, doing=f"installing {what}", hint=_HINT)
        pins.unlink()
        process.checked(process.run(compile_all), doing=f"compiling for {runtime}", hint=_HINT)
        temporary.rename(folder)
    except ToolError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise

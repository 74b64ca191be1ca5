"""What Lambda's Python runtimes hold in /var/runtime: awslambdaric and boto3, once for each minor version.

Kept in ``.artifacts/local/runtime/pythonX.Y-<digest of the lock>/``. Wheels come from the package index the first time.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from build import process
from build.digest import Digest
from build.errors import ToolError
from build.model import Runtime, Target
from build.project.interpreters import interpreter_of
from build.project.profiles import Profile, host_architecture, profile_of

LOCK = Path(__file__).parent / "runtime" / "requirements.txt"

_HINT = "run `invoke doctor` to see whether the package index is reached, then try again"


def ensure(root: Path, runtime: Runtime, *, on_progress: Callable[[str], None] | None = None) -> Path:
    """Return the folder to use as ``runtime``'s /var/runtime, made first if it is not there.

    Two processes at once are safe, and one that is killed leaves nothing behind under the final name.
    ``on_progress`` is told when wheels are fetched. Raises ToolError if pip fails or there is no such Python.
    """
    folder = _folder(root, runtime)
    if folder.is_dir():
        return folder
    from filelock import FileLock

    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f"{folder.name}.lock"):
        if not folder.is_dir():
            if on_progress:
                on_progress(f"fetching what Lambda's {runtime} runtime holds: awslambdaric and boto3")
            _install(runtime, folder)
    return folder


@cache
def _folder(root: Path, runtime: Runtime) -> Path:
    return root / ".artifacts" / "local" / "runtime" / f"{runtime}-{Digest.of_file(LOCK).short}"


def _install(runtime: Runtime, folder: Path) -> None:
    profile = profile_of(Target(runtime, host_architecture()))
    python = interpreter_of(runtime)  # before the download: without it there is nothing to run
    temporary = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    requirements = temporary / "requirements.txt"
    requirements.write_text("".join(applying(LOCK.read_text("utf-8"), profile)), "utf-8")
    platforms = [word for platform in profile.platforms for word in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    wanted = [
        "--no-deps",
        "--require-hashes",
        "--only-binary=:all:",
        "--no-compile",
        "--requirement",
        str(requirements),
    ]
    version = ["--python-version", runtime.version, "--implementation", "cp", *platforms]
    try:
        completed = process.run([*pip, *wanted, *version, "--target", str(temporary)])
        process.checked(completed, doing=f"installing what Lambda's {runtime} runtime holds", hint=_HINT)
        requirements.unlink()
        compile_ = [
            str(python),
            "-I",
            "-m",
            "compileall",
            "-q",
            "--invalidation-mode",
            "unchecked-hash",
            str(temporary),
        ]
        process.checked(process.run(compile_), doing=f"compiling for {runtime}", hint=_HINT)
        os.rename(temporary, folder)  # noqa: PTH104 - the rename is what makes it appear whole
    except ToolError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def applying(lock: str, profile: Profile) -> Iterator[str]:
    """Yield the requirements of ``lock`` that apply to ``profile``'s target, without markers.

    pip would evaluate markers for the Python it runs on.
    """
    from packaging.requirements import Requirement

    joined = lock.replace("\\\n", " ")
    for line in joined.splitlines():
        requirement, *hashes = line.partition(" #")[0].split(" --hash=")
        if not requirement.strip() or requirement.lstrip().startswith("#"):
            continue
        parsed = Requirement(requirement)
        if parsed.marker is None or parsed.marker.evaluate(dict(profile.markers)):
            pinned = f"{parsed.name}{parsed.specifier}"
            yield " ".join([pinned, *(f"--hash={value.strip()}" for value in hashes)]) + "\n"

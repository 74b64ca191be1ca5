"""checkov over Terraform, in an environment of its own: it pins boto3 and others in versions that are not ours."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from build.digest import Digest
from build.errors import FindingsError
from build.locking.tools import REACH
from build.model import Runtime
from build.process import checked, run
from build.project.interpreters import interpreter_of
from build.wheels.pip import PIP, QUIETLY, run_pip

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "terraform" / "checkov.txt"
SETTINGS = ROOT / "terraform" / ".checkov.yaml"
TOOLS = ROOT / ".artifacts" / "tools"
NEWEST_MINOR = 13
"""Of the Pythons it was tried on. A newer one gives way to this, though its wheels are in the lock, too."""
_MISLEADING = ("BC_", "CHECKOV_", "CKV_", "PRISMA_", "PYTHON")


def judge(folder: Path) -> None:
    """Raise FindingsError with all that checkov has against the Terraform in ``folder``, and with what it cannot read.

    Takes some 20 s of CPU for terraform/; installed first if need be (6 s, 190 MB). Settings of whoever runs it do not
    count, and nothing is asked of a network.
    """
    runtime = Runtime(min(sys.version_info.minor, NEWEST_MINOR))
    python = Path(sys.executable) if runtime.minor == sys.version_info.minor else interpreter_of(runtime)
    home = installed(python, runtime)
    ours = {name: value for name, value in os.environ.items() if not name.startswith(_MISLEADING)}
    own = {"CKV_SKIP_PACKAGE_UPDATE_CHECK": "true", "HOME": str(home), "PYTHONPATH": str(home)}
    # -S: without the packages of our own environment. One folder alone: of several it reads the first, each time.
    start = [str(python), "-S", "-P", "-m", "checkov.main", "--config-file", str(SETTINGS)]
    done = run([*start, "--output", "json", "--directory", str(folder)], cwd=ROOT, env={**ours, **own})
    if done.code not in (0, 1):
        checked(done, doing="checkov", hint=f"delete {home}, then run `invoke dev.tf`")
    found = sorted(set(lines_of(json.loads(done.stdout), folder)))
    if found:
        skip = "say why not, inside the resource, by `# checkov:skip=CKV_…: reason`"
        hint = f"mend what is listed, or {skip}; then run `invoke dev.tf`"
        raise FindingsError(f"checkov found {len(found)} in {folder.name}/", facts=found, hint=hint)


def installed(python: Path, runtime: Runtime, *, lock: Path = LOCK, tools: Path = TOOLS) -> Path:
    """Return the folder of what ``lock`` pins, as wheels for ``python``, a ``runtime``; it is made first if need be.

    It is there whole or not at all, whoever makes it at the same time; those of earlier locks go.
    """
    which = f"{lock.stem}-{runtime}"
    final = tools / f"{which}-{Digest.of_bytes(lock.read_bytes()).hex[:16]}"
    if final.is_dir():
        return final
    tools.mkdir(parents=True, exist_ok=True)
    draft = tools / f".{which}"
    with FileLock(tools / f"{which}.lock"):
        if final.is_dir():
            return final
        shutil.rmtree(draft, ignore_errors=True)  # of one that was killed
        try:
            _install(lock, python, draft / "new")
            for older in tools.glob(f"{which}-*"):
                older.rename(draft / older.name)
            (draft / "new").rename(final)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return final


def _install(lock: Path, python: Path, target: Path) -> None:
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--target", str(target), "-r", str(lock)]
    uv = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--python", str(python)]
    if run_pip([*uv, *options], env={"UV_SYSTEM_CERTS": "true", **os.environ}).code:
        # It may know no index where pip knows one, which takes ten times as long.
        pip = [*PIP, "--python", str(python), "install", "--no-compile", "--progress-bar", "off", *QUIETLY]
        checked(run_pip([*pip, *options]), doing=f"installing {lock.stem}", hint=REACH)


def lines_of(report: dict[str, Any], folder: Path) -> Iterator[str]:
    """Yield a line for each finding of a report, for each file that was not understood, and if nothing was judged."""

    def place(path: str) -> str:
        return Path(path).relative_to(folder.parent).as_posix()

    if "results" not in report:
        yield f"{folder.name}: expected resources to judge, got none"
        return
    for path in report["results"]["parsing_errors"]:
        yield f"{place(path)}: expected Terraform, got what checkov cannot read"
    for each in report["results"]["failed_checks"]:
        first, last = each["file_line_range"]
        where = f"{place(each['file_abs_path'])}:{first}-{last}"
        yield f"{where}: {each['resource']}: {each['check_name']} ({each['check_id']})"

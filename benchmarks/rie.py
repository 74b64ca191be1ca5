"""AWS's Runtime Interface Emulator: the real program, out of a wheel that has it, beside a function."""

import os
import platform
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from build.local import runtime_bundle
from build.model import Runtime
from build.project.interpreters import interpreter_of

PATH = "/2015-03-31/functions/function/invocations"
_START_S = 20.0


def program(tools: Path) -> Path | None:
    """Return the program below ``tools``, fetched if it is not there; None where it cannot be had, or cannot run."""
    if sys.platform != "linux":
        return None
    name = f"aws-lambda-rie-{'arm64' if platform.machine() in {'arm64', 'aarch64'} else 'x86_64'}"
    place = tools / name
    tools.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{place}.lock"):
        if not place.is_file():
            draft = place.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            options = ["--quiet", "--no-deps", "--dest", str(draft)]
            fetch = [sys.executable, "-m", "pip", "download", *options, "aws-sam-cli"]
            if subprocess.run(fetch, capture_output=True, check=False).returncode:
                return None
            (wheel,) = draft.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                (draft / name).write_bytes(archive.read(f"samcli/local/rapid/{name}"))
            (draft / name).chmod(0o755)
            (draft / name).rename(place)
            shutil.rmtree(draft)
    return place


@contextmanager
def serving(
    emulator: Path, root: Path, runtime: Runtime, task_root: Path, *, handler: str = "app.handler", timeout_s: int = 1
) -> Iterator[int]:
    """Serve ``handler`` of the code in ``task_root``; give the port on 127.0.0.1. ``root`` is the repository's."""
    port, api = _free_port(), _free_port()
    addresses = [
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{port}",
        "--runtime-api-address",
        f"127.0.0.1:{api}",
    ]
    process = subprocess.Popen(
        [emulator, *addresses, interpreter_of(runtime), "-m", "awslambdaric", handler],
        cwd=task_root,
        env={
            "PATH": os.defpath,
            "LAMBDA_TASK_ROOT": str(task_root),
            "PYTHONPATH": f"{task_root}:{runtime_bundle.ensure(root, runtime)}",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return

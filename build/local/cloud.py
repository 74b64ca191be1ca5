"""Start, find and end the embedded cloud, and what programs need to talk to it.

One cloud for each repository, in a process of its own. What it holds is lost when it ends, unless `build.local.keeping`
was told to keep it.
"""

import http.client
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from build import process
from build.errors import ToolError
from build.local.variables import ACCESS_KEY_ID, NOWHERE, SECRET_ACCESS_KEY
from build.model import Env

START_LIMIT_S = 60.0
STOP_LIMIT_S = 5.0
"""For the cloud to end its workers after SIGTERM; then it is killed, and its workers with it."""
KEEP_LIMIT_S = 60.0
"""The same where it writes what it holds first."""
_ANSWER_LIMIT_S = 10.0
_LOOK_S = 0.05
_SOURCE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Cloud:
    """An embedded cloud that answers."""

    endpoint: str
    """``http://127.0.0.1:<port>``; for AWS_ENDPOINT_URL."""
    pid: int
    log: Path
    registry: str = ""
    """HOST:PORT of its registry for images; empty without one (see `build.local.images`)."""
    note: str = ""
    """Why it does not hold what an earlier one kept; empty if it does, or if nothing was kept."""


@dataclass(frozen=True, slots=True)
class _Announced:
    cloud: Cloud
    nonce: str


def running(root: Path) -> Cloud | None:
    """Return the embedded cloud of the repository at ``root`` if it lives and answers.

    A process or a server that only got its pid or port is not taken for it. Raises ToolError if it lives but hangs.
    """
    announced = _announced(root)
    return announced.cloud if announced and _answers(announced) else None


def ensure(root: Path, *, on_progress: Callable[[str], None] | None = None) -> tuple[Cloud, bool]:
    """Return the embedded cloud of ``root``, and whether it had to be started. Two callers at once get the same one.

    Raises ToolError, with what it said last, if it does not start.
    """
    from filelock import FileLock

    local = _local(root)
    local.mkdir(parents=True, exist_ok=True)
    with FileLock(local / "cloud.lock"):
        found = running(root)
        if found:
            return found, False
        (local / "cloud.json").unlink(missing_ok=True)
        if on_progress:
            on_progress("starting the embedded cloud")
        return _start(root), True


def stop(root: Path) -> Cloud | None:
    """End the embedded cloud of ``root`` and return what it was; None if there was none."""
    from build.local import keeping
    from build.local.images import depot_of, end_left_over

    end_left_over(depot_of(root, "").folder)
    announced = _announced(root)
    if announced is None:
        return None
    try:
        ours = _answers(announced)
    except ToolError:
        ours = _has_nonce(announced)
    if ours:
        _end(announced.cloud.pid, KEEP_LIMIT_S if keeping.is_kept(root) else STOP_LIMIT_S)
    (_local(root) / "cloud.json").unlink(missing_ok=True)
    return announced.cloud if ours else None


def environ(cloud: Cloud, env: Env) -> dict[str, str]:
    """Return the variables that lead Terraform, boto3 and the AWS CLI to ``cloud``. Remove `foreign` ones, too."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": env.region,
        "AWS_DEFAULT_REGION": env.region,
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": NOWHERE,
        "AWS_SHARED_CREDENTIALS_FILE": NOWHERE,
    }


def foreign(variables: Mapping[str, str]) -> frozenset[str]:
    """Return the names in ``variables`` that could lead a program past the embedded cloud: everything of AWS's."""
    return frozenset(name for name in variables if name.upper().startswith("AWS_"))


def isolated(variables: Mapping[str, str], cloud: Cloud, env: Env) -> dict[str, str]:
    """Return ``variables`` (say, `os.environ`) without `foreign` ones, and with those of `environ`."""
    kept = {name: value for name, value in variables.items() if name not in foreign(variables)}
    host = urlsplit(cloud.endpoint).hostname or ""
    no_proxy = ",".join(filter(None, [kept.get("NO_PROXY") or kept.get("no_proxy"), host]))
    return {**kept, "NO_PROXY": no_proxy, "no_proxy": no_proxy, **environ(cloud, env)}


def _start(root: Path) -> Cloud:
    local = _local(root)
    log = local / "cloud.log"
    log.unlink(missing_ok=True)
    nonce = secrets.token_hex(16)
    # The cloud is nobody's session: nothing of the caller's AWS settings may decide what it does.
    variables = {name: value for name, value in os.environ.items() if name not in foreign(os.environ)}
    child = process.start(
        [sys.executable, "-m", "build.local.server", str(root), nonce],
        cwd=root,
        env={**variables, "PYTHONPATH": str(_SOURCE), "PYTHONUNBUFFERED": "1"},
        log=log,
        detached=True,
    )
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and child.poll() is None:
        announced = _announced(root)
        if announced and announced.nonce == nonce and _answers(announced):
            # It outlives us on purpose; without a code Popen would warn that it still runs.
            child.returncode = 0
            return announced.cloud
        time.sleep(_LOOK_S)
    code = child.poll()
    if code is None:
        child.kill()
        child.wait()
    said = log.read_text("utf-8", "replace").splitlines()[-process.SHOWN_LINES :] if log.exists() else []
    what = f"exit code {code}" if code is not None else f"not ready after {START_LIMIT_S:.0f} s"
    raise ToolError(
        f"the embedded cloud did not start: {what}",
        facts=[*said, f"log: {log}"],
        hint="run `invoke doctor`, then `invoke local.start` to try again",
    )


def _local(root: Path) -> Path:
    return root / ".artifacts" / "local"


def _announced(root: Path) -> _Announced | None:
    """Read what the last cloud of ``root`` said of itself, be it alive or not."""
    local = _local(root)
    try:
        told = json.loads((local / "cloud.json").read_text("utf-8"))
        cloud = Cloud(
            endpoint=str(told["endpoint"]),
            pid=int(told["pid"]),
            log=local / "cloud.log",
            registry=str(told.get("registry", "")),
            note=str(told.get("note", "")),
        )
        return _Announced(cloud, str(told["nonce"]))
    except (AttributeError, OSError, ValueError, KeyError, TypeError):
        return None


def _answers(announced: _Announced) -> bool:
    """Tell whether the endpoint is the cloud that was announced; raise ToolError if it takes longer than it can."""
    if not process.is_alive(announced.cloud.pid):
        return False
    address = urlsplit(announced.cloud.endpoint)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=_ANSWER_LIMIT_S)
    try:
        connection.request("GET", "/_slipway/cloud")
        told = json.loads(connection.getresponse().read())
        return isinstance(told, dict) and told.get("nonce") == announced.nonce
    except TimeoutError:
        if not _has_nonce(announced):
            return False
        raise ToolError(
            f"the embedded cloud (process {announced.cloud.pid}) does not answer",
            facts=[f"waited {_ANSWER_LIMIT_S:.0f} s for {announced.cloud.endpoint}", f"log: {announced.cloud.log}"],
            hint="run `invoke local.stop`, then the same command again",
        ) from None
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _has_nonce(announced: _Announced) -> bool:
    """Tell whether the process was started with the nonce: then it is ours, though it hangs."""
    try:
        shown = process.run(["ps", "-ww", "-o", "args=", "-p", str(announced.cloud.pid)])
    except ToolError:
        return False
    return announced.nonce in shown.stdout


def _end(pid: int, gently_s: float) -> None:
    for sign, limit_s in ((signal.SIGTERM, gently_s), (getattr(signal, "SIGKILL", signal.SIGTERM), STOP_LIMIT_S)):
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if not process.is_alive(pid):
                return
            time.sleep(_LOOK_S)

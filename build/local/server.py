"""The embedded cloud's process: moto, mended, with a Lambda that runs code. Started by `build.local.cloud`.

``python -m build.local.server ROOT NONCE``; it tells that it is ready by writing ``.artifacts/local/cloud.json``.
"""

import json
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Never

if TYPE_CHECKING:
    from build.local.images import Depot

HOST = "127.0.0.1"
WATCH_S = 30.0
"""How often the cloud makes sure that its repository still is there and knows it."""
PRELOADED = ("iam", "logs", "s3", "sqs", "sts", "apigatewayv2", "cloudwatch")
"""Services of moto that every deploy needs; each takes a while to import at its first request."""


def main(root: Path, nonce: str) -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    _settings()
    local = root / ".artifacts" / "local"
    scratch = local / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    with ExitStack() as stack:
        server, depot = _server(root, nonce, scratch, stack)
        endpoint = f"http://{HOST}:{server.server_address[1]}"
        threading.Thread(target=_preload, name="preload", daemon=True).start()
        announcement = local / "cloud.json"
        told = {"endpoint": endpoint, "pid": os.getpid(), "nonce": nonce, "registry": depot.registry}
        _announce(announcement, told)
        threading.Thread(target=_leave_when_forgotten, args=(announcement, nonce), name="watch", daemon=True).start()
        with suppress(SystemExit):
            server.serve_forever()
    os._exit(0)  # threads that wait for something must not hold the process up


def _settings() -> None:
    # AWSLambdaBasicExecutionRole and its like exist only if moto is told so before its IAM is imported.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)


def _server(root: Path, nonce: str, scratch: Path, stack: ExitStack) -> tuple[Any, "Depot"]:
    from build.local import images

    ready = stack.enter_context(images.opened(images.depot_of(root, "")))  # it starts while moto is imported
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    from build.local import mends, metrics, unpack
    from build.local.cloud_logs import write
    from build.local.connections import RequestHandler
    from build.local.front import Front
    from build.local.invoker import Invoker
    from build.local.sources.invoking import invoking
    from build.local.sources.queues import QueuePoller
    from build.local.web.doors import Doors

    unpack.prune(root / ".artifacts")
    listener = stack.enter_context(socket.create_server((HOST, 0), backlog=128))
    port = listener.getsockname()[1]
    counted = metrics.Metrics()
    depot = ready()
    invoker = Invoker(root, endpoint=f"http://{HOST}:{port}", sink=write, scratch=scratch, metrics=counted, depot=depot)
    stack.callback(invoker.close)
    poller = QueuePoller(invoker)
    stack.callback(poller.stop)
    stack.enter_context(mends.installed())
    stack.enter_context(metrics.shown(counted))
    stack.enter_context(invoking(invoker, poller.wake))
    doors = Doors(root, invoker)
    moto = DomainDispatcherApplication(create_backend_app)
    front = Front(moto, invoker, nonce=nonce, entries=doors.entries)
    poller.start()
    server = make_server(HOST, port, front, threaded=True, request_handler=RequestHandler, fd=listener.fileno())
    return server, depot


def _preload() -> None:
    from moto.backends import get_backend

    from build.local.front import ACCOUNT_ID

    for service in PRELOADED:
        # iam and its like are not regional, and reading the managed policies takes a second
        account = get_backend(service)[ACCOUNT_ID]
        account["us-east-1" if "us-east-1" in account else "aws"]


def wait_until_forgotten(announcement: Path, nonce: str, *, every_s: float = WATCH_S) -> None:
    """Return when ``announcement`` is gone or is another cloud's: nobody will find this one again, nor end it."""
    while True:
        time.sleep(every_s)
        try:
            if nonce not in announcement.read_text("utf-8"):
                return
        except FileNotFoundError:
            return
        except OSError:
            continue  # a full or busy disk is no reason to end


def _leave_when_forgotten(announcement: Path, nonce: str) -> None:
    wait_until_forgotten(announcement, nonce)
    os.kill(os.getpid(), signal.SIGTERM)


def _announce(path: Path, cloud: dict[str, object]) -> None:
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(cloud), "utf-8")
    temporary.replace(path)


def _stop(_signal: int, _frame: FrameType | None) -> Never:
    sys.exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

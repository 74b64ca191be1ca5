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
from typing import Any, Never

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
        server, told = _server(root, nonce, scratch, stack)
        threading.Thread(target=_preload, name="preload", daemon=True).start()
        announcement = local / "cloud.json"
        _announce(announcement, {"pid": os.getpid(), "nonce": nonce, **told})
        threading.Thread(target=_leave_when_forgotten, args=(announcement, nonce), name="watch", daemon=True).start()
        with suppress(SystemExit):
            server.serve_forever()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is kept is written to its end
    os._exit(0)  # threads that wait for something must not hold the process up


def _settings() -> None:
    # AWSLambdaBasicExecutionRole and its like exist only if moto is told so before its IAM is imported.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "testing")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)


def _server(root: Path, nonce: str, scratch: Path, stack: ExitStack) -> tuple[Any, dict[str, str]]:
    """Return the server, and what to announce of it."""
    from build.local import images, keeping

    kept = keeping.is_kept(root)
    ready = stack.enter_context(images.opened(images.depot_of(root, ""), kept=kept))  # it starts while moto is imported
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    from build.local import mends, metrics, unpack
    from build.local.cloud_logs import write
    from build.local.connections import RequestHandler
    from build.local.destinations import Sender
    from build.local.front import Front
    from build.local.invoker import Invoker
    from build.local.sources import schedules
    from build.local.sources.deliveries import Deliverer
    from build.local.sources.invoking import invoking
    from build.local.sources.queues import QueueReader
    from build.local.sources.streams import StreamReader
    from build.local.sources.targets import Caller
    from build.local.sources.timetable import Timetable
    from build.local.web.doors import Doors

    unpack.prune(root / ".artifacts")
    keeper = keeping.Keeper(root, nonce)
    listener = stack.enter_context(_listener(keeper.port))
    port = listener.getsockname()[1]
    counted = metrics.Metrics()
    depot = ready()
    endpoint, sink = f"http://{HOST}:{port}", keeper.noted(write)
    invoker = Invoker(root, endpoint=endpoint, sink=sink, scratch=scratch, metrics=counted, depot=depot)
    stack.callback(invoker.close)
    queues, streams = QueueReader(invoker).poller, StreamReader(invoker, Sender(endpoint)).poller
    stack.enter_context(mends.installed())
    stack.enter_context(metrics.shown(counted))
    stack.enter_context(invoking(invoker, queues.wake, streams.wake))
    timetable = Timetable(Deliverer(Caller(endpoint).make), schedules.planned)
    stack.enter_context(schedules.firing(timetable))
    doors = Doors(root, invoker)
    moto = DomainDispatcherApplication(create_backend_app)
    keeper.include("clock", lambda: timetable.offset, timetable.resume)
    note = keeper.restore()
    stack.callback(keeper.close)
    stack.callback(queues.stop)
    stack.callback(streams.stop)
    stack.callback(timetable.stop)
    front = keeper.watched(Front(moto, invoker, nonce=nonce, entries=doors.entries, clock=timetable.answer))
    server = make_server(HOST, port, front, threaded=True, request_handler=RequestHandler, fd=listener.fileno())
    doors.entries()
    queues.start()
    streams.start()
    timetable.start()
    keeper.start(port)
    return server, {"endpoint": endpoint, "registry": depot.registry, "note": note}


def _listener(preferred: int) -> socket.socket:
    with suppress(OSError):
        return socket.create_server((HOST, preferred), backlog=128)
    return socket.create_server((HOST, 0), backlog=128)


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

"""The endpoint of AWS's Runtime Interface Emulator, for one function that is not deployed.

https://github.com/aws/aws-lambda-runtime-interface-emulator. Status and body are its own, but where it is less than
Lambda: it dies of two requests at once, takes what is no JSON, and knows neither the function's name nor its limits.
"""

import json
import logging
import re
import socket
from collections.abc import Callable, Collection, Iterable
from typing import Any

from build.errors import InputError, SlipwayError
from build.local.deployment import Ending, Outcome
from build.local.execution import Pool
from build.local.front import client_context
from build.local.refusals import RefusalError

HOST = "127.0.0.1"
NAME = "function"
"""What the emulator calls every function."""
_PATH = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
_JSON, _TEXT = "application/json", "text/plain; charset=utf-8"

Answer = tuple[int, dict[str, str], bytes]


def path_of(name: str) -> str:
    """Return where the function ``name`` is invoked."""
    return f"/2015-03-31/functions/{name}/invocations"


def serve(pool: Pool, names: Collection[str], port: int, *, ready: Callable[[int], None]) -> None:
    """Answer on loopback until we are interrupted; ``names`` are what the function is called besides `NAME`.

    ``ready`` is told the port once it listens; port 0 is any free one. Raises InputError for a port that is taken.
    """
    from werkzeug.serving import make_server

    from build.local.connections import RequestHandler

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the function's log tells of every request
    app = Emulator(pool, {NAME, *names})
    try:
        listener = socket.create_server((HOST, port), backlog=128)
    except (OSError, OverflowError) as why:
        raise InputError(
            f"cannot listen on port {port}",
            facts=[str(why)],
            hint="end what listens there, or run the same command with another --port",
        ) from None
    with listener:
        server = make_server(HOST, port, app, threaded=True, request_handler=RequestHandler, fd=listener.fileno())
        ready(server.server_address[1])
        server.serve_forever()


class Emulator:
    """A WSGI application. Any number of requests at once get environments of their own."""

    def __init__(self, pool: Pool, names: Collection[str]) -> None:
        self._pool = pool
        self._names = names

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        from http import HTTPStatus

        asked = _PATH.fullmatch(environ.get("PATH_INFO", ""))
        if not asked or asked[1] not in self._names:
            status, headers, body = 404, {"Content-Type": _TEXT}, b"404 page not found\n"
        elif environ["REQUEST_METHOD"] != "POST":
            status, headers, body = 405, {"Content-Type": _TEXT, "Allow": "POST"}, b"405 invoke it with POST\n"
        else:
            status, headers, body = self._invoke(environ)
        start_response(f"{status} {HTTPStatus(status).phrase}", [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]

    def _invoke(self, environ: dict[str, Any]) -> Answer:
        from werkzeug.wsgi import get_input_stream

        event = get_input_stream(environ).read()
        try:
            return _answer(self._pool.invoke(event, client_context=client_context(environ)))
        except RefusalError as why:
            return why.status, {"Content-Type": _JSON, "x-amzn-ErrorType": why.code}, _told(why.code, why.summary)
        except SlipwayError as why:
            return 502, {"Content-Type": _JSON}, _told("Runtime.NotRunnable", str(why))


def _answer(outcome: Outcome) -> Answer:
    headers = {"Content-Type": _JSON, "x-amzn-RequestId": outcome.request_id, "X-Amz-Executed-Version": "$LATEST"}
    if outcome.error:
        headers["X-Amz-Function-Error"] = outcome.error
    if outcome.ending is Ending.TIMEOUT:
        words = str(json.loads(outcome.payload)["errorMessage"])
        return 200, {**headers, "Content-Type": _TEXT}, words[words.index("Task timed out") :].encode()
    return 502 if outcome.ending is Ending.BROKEN else 200, headers, outcome.payload


def _told(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()

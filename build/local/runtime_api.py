"""Lambda's Runtime API, as one worker sees it: an HTTP server on loopback for it and its extensions.

The thread that invokes also speaks the protocol, so an environment needs no thread of its own, and a worker between
two events costs nothing: its request for the next one waits in the socket.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import selectors
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

from build.local.extensions import Extensions

_PREFIX = "/2018-06-01/runtime/"
_NEXT = "invocation/next"
_CHUNK_BYTES = 1 << 18
_SEND_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a worker asked or reported."""

    method: str
    path: str
    """Below the API's version: ``invocation/next``, ``init/error``, ``invocation/<id>/response``, ``…/error``."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


def parse(data: bytes) -> tuple[Request, bytes] | None:
    """Read one HTTP request from the front of ``data``; return it and the rest, or None while it is incomplete."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    length = int(headers.get("content-length", "0"))
    if len(rest) < length:
        return None
    request = Request(method=method, path=target.removeprefix(_PREFIX), headers=headers, body=rest[:length])
    return request, rest[length:]


def rendered(status: int, headers: Mapping[str, str], body: bytes) -> bytes:
    """Write one HTTP response."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    return head.encode("latin-1", "replace") + body


class RuntimeApi:
    """The server. One thread at a time may use it: the one that holds the worker."""

    def __init__(self, selector: selectors.BaseSelector, environment: Mapping[str, str]) -> None:
        """``environment`` is the worker's."""
        self._selector = selector
        names = {"functionName": "AWS_LAMBDA_FUNCTION_NAME", "functionVersion": "AWS_LAMBDA_FUNCTION_VERSION"}
        names["handler"] = "_HANDLER"
        self.extensions = Extensions(_send, {key: environment.get(name, "") for key, name in names.items()})
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._received: dict[socket.socket, bytes] = {}
        self._asking: socket.socket | None = None
        self._asked = ""
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def address(self) -> str:
        """``127.0.0.1:port``, for AWS_LAMBDA_RUNTIME_API."""
        host, port = self._listener.getsockname()
        return f"{host}:{port}"

    def request(self) -> Request | None:
        """Return the next request that has arrived in full, or None.

        Those of extensions are answered here, and the worker waits until they have nothing to do, either.
        """
        held: socket.socket | None = None
        for connection, data in list(self._received.items()):
            parsed = parse(data) if data else None
            if parsed and self.extensions.takes(parsed[0].path):
                request, self._received[connection] = parsed
                self.extensions.take(connection, request.path, request.headers, request.body)
            elif parsed:
                held = held or connection
        parsed = parse(self._received[held]) if held else None
        if not held or not parsed or (parsed[0].path == _NEXT and not self.extensions.idle):
            return None
        request, self._received[held] = parsed
        self._asking, self._asked = held, request.path
        return request

    def answer(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> bool:
        """Answer the request returned last; False when the worker is not there to hear it."""
        if status == HTTPStatus.OK and self._asked == _NEXT:
            self.extensions.invoke(headers)
        return self._asking is None or _send(self._asking, status, headers, body)

    def close(self) -> None:
        """Hang up."""
        for connection in [self._listener, *self._received]:
            with suppress(KeyError, ValueError):
                self._selector.unregister(connection)
            connection.close()
        self._received.clear()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(_SEND_TIMEOUT_S)
        self._received[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ, self._reader(connection))

    def _reader(self, connection: socket.socket) -> Callable[[], None]:
        def read() -> None:
            try:
                data = connection.recv(_CHUNK_BYTES)
            except OSError:
                data = b""
            if data:
                self._received[connection] += data
                return
            self._selector.unregister(connection)
            self._received.pop(connection)
            self.extensions.left(connection)
            connection.close()

        return read


def _send(connection: socket.socket, status: int, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        connection.sendall(rendered(status, headers, body))
    except OSError:
        return False
    return True

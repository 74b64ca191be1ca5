"""One loopback port that answers requests, each on a thread of its own."""

import socket
import sys
import threading
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from build.local.connections import TOGETHER
from build.local.web.answers import HttpAnswer
from build.local.web.requests import HttpRequest, forwarded

HOST = "127.0.0.1"
IDLE_S = 60.0
"""After which a connection that says nothing is closed, so that browsers hold no threads for ever."""
MAX_BODY_BYTES = 16 * 1_048_576
"""Of a request that is kept; what comes beyond is read and forgotten. More than any gateway takes."""

Respond = Callable[[HttpRequest], HttpAnswer]


class Server:
    """Answers with ``respond`` until it is closed."""

    def __init__(self, respond: Respond, port: int) -> None:
        """``port`` is preferred, if nobody has it."""
        listener = _listening(port)
        self.port = int(listener.getsockname()[1])
        handler = type("Handler", (_Handler,), {"respond": staticmethod(respond), "port": self.port})
        self._server = _Threads((HOST, self.port), handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = listener
        threading.Thread(target=self._server.serve_forever, name=f"http-{self.port}", daemon=True).start()

    @property
    def address(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://{HOST}:{self.port}"

    def close(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()


class _Threads(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave those alone who hang up before they have their answer."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _listening(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port), backlog=128)
    except OSError:
        return socket.create_server((HOST, 0), backlog=128)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, and writes the answer in one piece."""

    protocol_version = "HTTP/1.1"
    wbufsize = TOGETHER
    timeout = IDLE_S
    respond: Respond
    port: int

    def log_message(self, *_: Any) -> None:
        """Say nothing: functions have a log."""

    def handle_expect_100(self) -> bool:
        """Let the client send its body at once."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _answer(self) -> None:
        try:
            body = self._body()
        except ValueError:
            self.close_connection = True
            self._write(HttpAnswer(400))
            return
        path, _, query = self.path.partition("?")
        request = HttpRequest(
            method=self.command,
            path=path if path.startswith("/") else "/",
            query=query,
            headers=tuple((name.lower(), _text(value)) for name, value in self.headers.items()),
            body=body,
            protocol=self.request_version,
            source_ip=self.client_address[0],
        )
        try:
            answer = type(self).respond(forwarded(request, port=self.port))
        except Exception:  # whatever it is, the caller must have an answer, and the log the reason
            traceback.print_exc(file=sys.stderr)
            answer = HttpAnswer(500)
        self._write(answer)

    do_DELETE = do_GET = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = _answer  # noqa: N815 - http.server's names

    def _write(self, answer: HttpAnswer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string())
        for name, value in answer.headers:
            self.send_header(name, value.encode().decode("latin-1"))
        has_body = answer.status not in (204, 304)
        if has_body:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if has_body and self.command != "HEAD":
            self.wfile.write(answer.body)

    def _body(self) -> bytes:
        """Read the body; raise ValueError for one that is not framed as RFC 9112 says."""
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self._read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline(1024).partition(b";")[0], 16):
            whole = (whole + self._read(size))[:MAX_BODY_BYTES]
            self.rfile.readline(8)
        while self.rfile.readline(65_536).strip():
            pass
        return whole

    def _read(self, size: int) -> bytes:
        if size < 0:
            raise ValueError(f"a length of {size}")
        kept = self.rfile.read(min(size, MAX_BODY_BYTES))
        left = size - len(kept)
        while left > 0:
            passed = self.rfile.read(min(left, TOGETHER))
            if not passed:
                raise ValueError(f"{left} bytes are missing")
            left -= len(passed)
        return kept


def _text(value: str) -> str:
    """Return a header as UTF-8 where it is: http.server reads Latin-1."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value

"""How the embedded cloud's web server writes on its connections."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from build.local.connections import RequestHandler

BODY = b"carried out"


def _app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    got = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("201 CREATED", [("Content-Length", str(len(BODY + got)))])
    return [BODY + got]


@contextmanager
def _client(protocol: str) -> Iterator[socket.socket]:
    """The other end of a connection that keeps each send apart, so that a test sees what leaves together."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(10)
    server = SimpleNamespace(
        app=_app,
        ssl_context=None,
        multithread=True,
        multiprocess=False,
        passthrough_errors=False,
        server_address=("127.0.0.1", 1),
        _server_version="x",
        log=lambda *_: None,
    )
    handler = type("Handler", (RequestHandler,), {"protocol_version": protocol})
    serving = threading.Thread(target=handler, args=(theirs, ("127.0.0.1", 2), server))
    serving.start()
    try:
        yield ours
    finally:
        ours.close()
        serving.join(10)
        theirs.close()


@pytest.fixture(params=["HTTP/1.0", "HTTP/1.1"])
def client(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with _client(request.param) as ours:
        yield ours


def test_head_and_body_of_an_answer_leave_in_one_piece(client: socket.socket) -> None:
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = client.recv(1 << 16)
    assert b" 201 CREATED\r\n" in answer
    assert answer.endswith(b"\r\n\r\n" + BODY)


def test_who_waits_for_100_continue_gets_it_once_and_before_the_body_is_sent(client: socket.socket) -> None:
    client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert client.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"!!")
    answer = client.recv(1 << 16)
    assert b" 201 CREATED\r\n" in answer
    assert answer.endswith(BODY + b"!!")

"""Ports that answer, and which functions URIs name."""

import http.client
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from build.local.web.answers import HttpAnswer
from build.local.web.callers import function_of
from build.local.web.requests import HttpRequest
from build.local.web.server import Server


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., Server]]:
    opened: list[Server] = []

    def make(respond: Callable[[HttpRequest], HttpAnswer], port: int = 0) -> Server:
        opened.append(Server(respond, port))
        return opened[-1]

    yield make
    with ThreadPoolExecutor(len(opened)) as threads:
        list(threads.map(Server.close, opened))


def ask(server: Server, method: str = "GET", path: str = "/") -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    got = answer.status, answer.read(), answer.headers
    connection.close()
    return got


def test_a_port_that_somebody_has_is_left_alone(serve):
    first = serve(lambda _: HttpAnswer(200, (), b"first"))
    second = serve(lambda _: HttpAnswer(200, (), b"second"), first.port)
    assert second.port != first.port
    assert (ask(first)[1], ask(second)[1]) == (b"first", b"second")


def test_a_port_can_be_had_again(serve):
    first = Server(lambda _: HttpAnswer(200), 0)
    ask(first)
    first.close()
    assert serve(lambda _: HttpAnswer(200), first.port).port == first.port


def test_whatever_goes_wrong_is_answered(serve, capsys):
    def respond(_: HttpRequest) -> HttpAnswer:
        raise LookupError("on purpose")

    assert ask(serve(respond))[:2] == (500, b"")
    assert "on purpose" in capsys.readouterr().err


def test_the_path_arrives_as_it_was_sent(serve):
    server = serve(lambda request: HttpAnswer(200, (), f"{request.path} {request.query}".encode()))
    assert ask(server, path="/a%2Fb//c?x=%20?y")[1] == b"/a%2Fb//c x=%20?y"


def test_an_answer_says_nothing_of_the_server_and_may_repeat_a_header(serve):
    server = serve(lambda _: HttpAnswer(200, (("A", "1"), ("A", "ä")), b"x"))
    headers = ask(server)[2]
    assert headers.get_all("a") == ["1", "ä".encode().decode("latin-1")]
    assert "server" not in headers


def test_head_has_the_length_but_no_body(serve):
    status, body, headers = ask(serve(lambda _: HttpAnswer(200, (), b"four")), "HEAD")
    assert (status, body, headers["content-length"]) == (200, b"", "4")


ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
INVOCATIONS = f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{ARN}:live/invocations"


@pytest.mark.parametrize(("uri", "qualifier"), [(ARN, None), (f"{ARN}:live", "live"), (INVOCATIONS, "live")])
def test_functions_are_named_by_arn_or_as_api_gateway_writes_it(uri, qualifier):
    name = function_of(uri)
    assert name
    assert (name.name, name.region, name.qualifier) == ("orders", "eu-west-1", qualifier)


@pytest.mark.parametrize("uri", ["", "https://example.invalid", "arn:aws:sqs:eu-west-1:123456789012:queue", "orders"])
def test_other_uris_name_none(uri):
    assert function_of(uri) is None

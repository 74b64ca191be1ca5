import http.client
import selectors
import threading

from build.local.runtime_api import RuntimeApi, parse, rendered

NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"
RESPONSE = b'POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1\r\nContent-Length: 7\r\n\r\n{"a":1}'


def test_a_request_is_read_with_its_body_and_the_rest_is_kept():
    parsed = parse(RESPONSE + NEXT)
    assert parsed
    request, rest = parsed
    assert (request.method, request.path, request.body) == ("POST", "invocation/r-1/response", b'{"a":1}')
    assert rest == NEXT


def test_an_incomplete_request_is_waited_for():
    assert [length for length in range(len(RESPONSE)) if parse(RESPONSE[:length])] == []


def test_header_names_are_in_lower_case():
    parsed = parse(b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\nLambda-Runtime-Function-Error-Type: E: x\r\n\r\n")
    assert parsed
    assert parsed[0].headers == {"lambda-runtime-function-error-type": "E: x"}


def test_a_response_has_its_length():
    assert rendered(202, {"A": "b"}, b"xy") == b"HTTP/1.1 202 Accepted\r\nA: b\r\nContent-Length: 2\r\n\r\nxy"


def test_a_client_is_answered_over_a_real_connection():
    with selectors.DefaultSelector() as selector:
        api = RuntimeApi(selector, {})
        answers = []

        def ask():
            connection = http.client.HTTPConnection(api.address, timeout=5)
            connection.request("GET", "/2018-06-01/runtime/invocation/next")
            answers.append(connection.getresponse().read())
            connection.close()

        client = threading.Thread(target=ask)
        client.start()
        request = None
        while request is None:
            for key, _ in selector.select(5):
                key.data()
            request = api.request()
        assert request.path == "invocation/next"
        assert api.answer(200, {}, b"{}")
        client.join()
        assert answers == [b"{}"]
        api.close()


def test_it_listens_on_loopback_only():
    with selectors.DefaultSelector() as selector:
        api = RuntimeApi(selector, {})
        assert api.address.startswith("127.0.0.1:")
        api.close()

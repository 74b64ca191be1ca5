"""awslambdaric's compiled client in plain Python, for hosts where its wheel does not load.

Speaks the Runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import http.client
import os

_PREFIX = "/2018-06-01/runtime/invocation"
_DEADLINE = "Lambda-Runtime-Deadline-Ms"
_connection: http.client.HTTPConnection | None = None
_headers: dict[str, str] = {}


def initialize_client(user_agent: str) -> None:
    """Remember how to introduce ourselves; the connection is made by the first call."""
    global _connection  # noqa: PLW0603
    _headers["User-Agent"] = user_agent
    _connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def next() -> tuple[bytes, dict[str, str | int]]:  # noqa: A001
    """Wait for an event; return its bytes and the Runtime API's headers, the deadline as a number."""
    response = _call("GET", f"{_PREFIX}/next", None, {})
    headers: dict[str, str | int] = {name.title(): value for name, value in response.getheaders()}
    headers[_DEADLINE] = int(headers[_DEADLINE])
    return response.read(), headers


def post_invocation_result(invoke_id: str, result: bytes, content_type: str, _invocation: str | None = None) -> None:
    """Answer an event."""
    _call("POST", f"{_PREFIX}/{invoke_id}/response", result, {"Content-Type": content_type}).read()


def post_error(invoke_id: str, error: str, xray_fault: str, _invocation: str | None = None) -> None:
    """Answer an event with an error."""
    headers = {"Lambda-Runtime-Function-XRay-Error-Cause": xray_fault.replace("\n", " ")}
    _call("POST", f"{_PREFIX}/{invoke_id}/error", error.encode(), headers).read()


def _call(method: str, path: str, body: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
    if _connection is None:
        message = "initialize_client was not called"
        raise RuntimeError(message)
    _connection.request(method, path, body, {**_headers, **headers})
    return _connection.getresponse()

"""The door of the embedded cloud: answers Lambda's Invoke and who it is, and gives everything else to moto.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

import base64
import binascii
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from build.errors import SlipwayError
from build.local.function_names import FunctionName
from build.local.invoker import Invoker
from build.local.overlays import Code
from build.local.refusals import RefusalError

IDENTITY_PATH = "/_slipway/cloud"
ENTRIES_PATH = "/_slipway/entries"
WATCHED_PATH = "/_slipway/watched"
CLOCK_PATH = "/_slipway/clock"
"""No bucket may be called so, hence nothing of S3 is hidden by them."""
ACCOUNT_ID = "123456789012"
"""Where moto puts everything unless told otherwise."""

_INVOKE = re.compile(r"/(?:2015-03-31/functions/([^/]+)/invocations|2014-11-13/functions/([^/]+)/invoke-async)/?")
"""Invoke, and InvokeAsync, which old clients have: https://docs.aws.amazon.com/lambda/latest/api/API_InvokeAsync.html."""
_REGION = re.compile(r"Credential=[^/]*/\d+/([\w-]+)/([\w-]+)/aws4_request")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]
Response = tuple[int, dict[str, str], bytes]
Entries = Callable[[], list[dict[str, str]]]
Clock = Callable[[str, bytes], tuple[int, object]]


ONE_BY_ONE = frozenset({"apigateway", "events", "iam", "lambda", "logs", "monitoring", "scheduler"})
"""Services whose requests moto answers one after the other, for they look into each other; none waits for anything.

Its dictionaries change while other threads walk them: about one request in 1,000 then failed although it was carried
out, and what Terraform's provider asks for twice is a conflict.
"""


class Front:
    """A WSGI application before moto's."""

    def __init__(
        self, moto: App, invoker: Invoker, *, nonce: str, entries: Entries = list, clock: Clock | None = None
    ) -> None:
        """``nonce`` tells this cloud from any other server that has its port later, ``entries`` what answers where.

        ``clock`` takes a method and a body: `Timetable.answer`.
        """
        self._moto = moto
        self._clock = clock
        self._entries = entries
        self._invoker = invoker
        self._nonce = nonce
        self._turns: dict[str | None, threading.Lock] = {}
        self._one_by_one = threading.Lock()
        self._met: set[str | None] = set()
        """Services that have answered. The first request of each has to be alone, too: it compiles the service's
        routes, which on Python 3.11 only one thread may do at a time (see `build.syntax`)."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        invoke = _INVOKE.fullmatch(path)
        if path == IDENTITY_PATH:
            response = _json(200, {"nonce": self._nonce})
        elif path == ENTRIES_PATH:
            with self._one_by_one:  # it walks what those services hold
                response = _json(200, self._entries())
        elif path == CLOCK_PATH and self._clock:
            response = _json(*self._clock(environ["REQUEST_METHOD"], _body(environ)))
        elif path.startswith(WATCHED_PATH):
            response = self._watched(path.removeprefix(WATCHED_PATH), environ)
        elif invoke and environ["REQUEST_METHOD"] == "POST" and _service(environ) in {"lambda", None}:
            kind = "Event" if invoke[2] else environ.get("HTTP_X_AMZ_INVOCATION_TYPE", "RequestResponse")
            response = self._invoke(invoke[1] or invoke[2], environ, kind)
        else:
            return self._in_turn(environ, start_response)
        status, headers, body = response
        start_response(f"{status} {HTTPStatus(status).phrase}", [*headers.items(), ("Content-Length", str(len(body)))])
        return [body]

    def _in_turn(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        service = _service(environ)
        if service in self._met and service not in ONE_BY_ONE:
            return self._moto(environ, start_response)
        with self._one_by_one if service in ONE_BY_ONE else self._turns.setdefault(service, threading.Lock()):
            answer = self._moto(environ, start_response)
            self._met.add(service)
            return answer

    def _watched(self, action: str, environ: Environ) -> Response:
        """Answer `build.local.watched`."""
        from moto.awslambda.exceptions import UnknownFunctionException

        method = environ["REQUEST_METHOD"]
        if method == "DELETE":
            self._invoker.overlays.clear()
        if method != "POST":
            return _json(200, self._invoker.overlays.told())
        said = json.loads(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        name = FunctionName.parse(said["function"], None, region=_region(environ), account_id=ACCOUNT_ID)
        assert name, "we have sent an ARN"
        try:
            if action == "/swap":
                return _json(200, {"outcome": self._invoker.swap(name, Code.of_json(said["code"]))})
            if action == "/warm":
                return _json(200, asdict(self._invoker.warm(name)))
            event = self._invoker.last_event(name)
            return _json(200, {"event": None if event is None else event.decode("utf-8", "replace")})
        except UnknownFunctionException as why:
            return _json(404, {"summary": why.message, "facts": [], "hint": "run `invoke deploy`"})
        except SlipwayError as why:
            return _json(409, {"summary": why.summary, "facts": why.facts, "hint": why.hint})

    def _invoke(self, text: str, environ: Environ, kind: str) -> Response:
        event = _body(environ)
        request_id = str(uuid.uuid4())
        name = FunctionName.parse(text, _qualifier(environ), region=_region(environ), account_id=ACCOUNT_ID)
        if name is None:
            message = f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint"
            return _refused(400, "ValidationException", message, request_id)
        from werkzeug.exceptions import HTTPException

        try:
            return self._answer(name, event, environ, request_id, kind)
        except RefusalError as why:
            message = why.summary if why.code != "InvalidRuntimeException" else str(why)
            return _refused(why.status, why.code, message, request_id, reason=why.reason)
        except HTTPException as why:  # moto's own, such as for an unknown function
            code = getattr(why, "error_type", "ServiceException")
            return _refused(why.code or 500, code, getattr(why, "message", str(why)), request_id)

    def _answer(self, name: FunctionName, event: bytes, environ: Environ, request_id: str, kind: str) -> Response:
        headers = {"x-amzn-RequestId": request_id, "Content-Type": "application/json"}
        match kind:
            case "DryRun":
                self._invoker.check(name, event)
                return 204, headers, b""
            case "Event":
                self._invoker.invoke_later(name, event, request_id=request_id)
                return 202, headers, b""
            case _:
                return self._wait(name, event, environ, request_id)

    def _wait(self, name: FunctionName, event: bytes, environ: Environ, request_id: str) -> Response:
        headers = {"x-amzn-RequestId": request_id, "Content-Type": "application/json"}
        context = client_context(environ)
        trace = environ.get("HTTP_X_AMZN_TRACE_ID", "")
        answered = self._invoker.invoke(name, event, request_id=request_id, client_context=context, trace=trace)
        outcome = answered.outcome
        headers["X-Amz-Executed-Version"] = answered.version
        if outcome.error:
            headers["X-Amz-Function-Error"] = outcome.error
        if environ.get("HTTP_X_AMZ_LOG_TYPE") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(outcome.log_tail.encode()).decode("ascii")
        return 200, headers, outcome.payload


def _body(environ: Environ) -> bytes:
    return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


def _json(status: int, value: object, headers: dict[str, str] | None = None) -> Response:
    return status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value).encode()


def _refused(status: int, code: str, message: str, request_id: str, *, reason: str | None = None) -> Response:
    body = {"Type": "User", "Message": message, "message": message}
    if reason:
        body["Reason"] = reason
    return _json(status, body, {"x-amzn-RequestId": request_id, "x-amzn-ErrorType": code})


def _qualifier(environ: Environ) -> str | None:
    from urllib.parse import parse_qs

    given = parse_qs(environ.get("QUERY_STRING", "")).get("Qualifier")
    return given[0] if given else None


def client_context(environ: Environ) -> str | None:
    """Return the client context of a request, as JSON; None without one that can be read."""
    try:
        return base64.b64decode(environ.get("HTTP_X_AMZ_CLIENT_CONTEXT", "")).decode() or None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _scope(environ: Environ) -> tuple[str, str] | None:
    match = _REGION.search(environ.get("HTTP_AUTHORIZATION", ""))
    return (match[1], match[2]) if match else None


def _service(environ: Environ) -> str | None:
    scope = _scope(environ)
    return scope[1] if scope else None


def _region(environ: Environ) -> str:
    scope = _scope(environ)
    return scope[0] if scope else "us-east-1"

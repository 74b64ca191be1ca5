"""A layer between Slipway and the embedded cloud that goes wrong as AWS and the network do, where a test says so.

What a deploy, its Terraform and its boto3 ask for goes through it, so that both meet the same faults.
"""

import http.client
import json
import math
import re
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

_SERVICE = re.compile(r"Credential=[^/]*/\d+/[\w-]+/([\w-]+)/aws4_request")
_HOP = {"connection", "keep-alive", "transfer-encoding"}
_RESET = struct.pack("ii", 1, 0)
"""Linger for no time: what a connection that is closed so tells the other side is RST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asks AWS."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def service(self) -> str:
        """Return ``lambda``, as it is signed for; empty if it is not signed."""
        found = _SERVICE.search(self.headers.get("authorization", ""))
        return found[1] if found else ""

    @property
    def what(self) -> str:
        """Return ``iam CreateRole``; of what is no call of an operation by name, ``s3 PUT /bucket/key?query``."""
        operation = f"{self.method} {self.target}"
        if self.protocol == "json":
            operation = self.headers["x-amz-target"].rpartition(".")[2]
        elif self.protocol == "query":
            operation = parse_qs(self.body.decode("latin-1")).get("Action", [operation])[0]
        return f"{self.service} {operation}"

    @property
    def protocol(self) -> str:
        """Return how its service words errors."""
        if self.service == "s3":
            return "s3"
        if "x-amz-target" in self.headers:
            return "json"
        return "query" if "x-www-form-urlencoded" in self.headers.get("content-type", "") else "rest"

    @property
    def is_ours(self) -> bool:
        """True for what Slipway itself asks, and not its Terraform."""
        return "slipway" in self.headers.get("user-agent", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What AWS says."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    promised: int | None = None
    """Bytes that it says its body has, where it is cut off before."""


Effect = Callable[[Request, "Faults"], Answer | None]
"""Answers a request in the cloud's place, or closes the connection by giving None or raising ConnectionResetError."""


@dataclass(slots=True, kw_only=True)
class Rule:
    """Which requests go wrong, and how."""

    what: re.Pattern[str]
    ours: bool | None
    effect: Effect
    skip: int
    times: float
    struck: int = 0
    """How often it has gone wrong so far."""

    def takes(self, request: Request) -> bool:
        """Tell whether it is the turn of ``request``."""
        if self.struck >= self.times or self.ours not in (None, request.is_ours):
            return False
        if not self.what.search(request.what):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.struck += 1
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request, and what became of it."""

    what: str
    ours: bool
    outcome: str
    """The status, or how the connection ended."""


class Faults:
    """Forwards what comes to ``endpoint`` to the cloud, but for what a rule takes."""

    def __init__(self, cloud: str) -> None:
        self.seen: list[Seen] = []
        self.cloud = cloud
        self.requests: list[Request] = []
        self._cloud = urlsplit(cloud)
        self._rules: list[Rule] = []
        self._answers: dict[str, list[Answer]] = defaultdict(list)
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"faults": self}))
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let nobody ask any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def on(self, what: str, effect: Effect, *, ours: bool | None = None, skip: int = 0, times: float = 1) -> Rule:
        """Let ``effect`` happen ``times`` times to requests of which `Request.what` has a match of ``what``.

        ``ours`` takes those of Slipway alone, or those of Terraform alone; the first ``skip`` get through.
        """
        rule = Rule(what=re.compile(what), ours=ours, effect=effect, skip=skip, times=times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def clear(self) -> None:
        """Forget every rule, and what was seen."""
        with self._lock:
            self._rules.clear()
            self.seen.clear()
            self.requests.clear()

    def answer(self, request: Request) -> Answer | None:
        """Answer ``request``; None if the connection is to be closed instead."""
        with self._lock:
            taken = next((rule for rule in self._rules if rule.takes(request)), None)
            self.requests.append(replace(request, body=b""))
        outcome = "reset"
        try:
            answer = taken.effect(request, self) if taken else self.forward(request)
            outcome = str(answer.status) if answer else "closed"
        finally:
            with self._lock:
                self.seen.append(Seen(what=request.what, ours=request.is_ours, outcome=outcome))
        return answer

    def forward(self, request: Request) -> Answer:
        """Let the cloud carry ``request`` out."""
        connection = http.client.HTTPConnection(self._cloud.hostname or "", self._cloud.port)
        try:
            kept = {name: value for name, value in request.headers.items() if name not in {*_HOP, "expect"}}
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in {**kept, "connection": "close"}.items():
                connection.putheader(name, value)
            connection.endheaders(request.body)
            got = connection.getresponse()
            headers = tuple((name, value) for name, value in got.getheaders() if name.lower() not in _HOP)
            answer = Answer(status=got.status, headers=headers, body=got.read())
        finally:
            connection.close()
        if request.method == "GET":
            with self._lock:
                self._answers[request.target].append(answer)
        return answer

    def earlier(self, request: Request) -> Answer:
        """Return what the cloud said to the same request before the answer changed."""
        now = self.forward(request)
        with self._lock:
            answers = reversed(self._answers[request.target])
            return next((answer for answer in answers if answer.body != now.body), now)


@contextmanager
def between(root: Path) -> Iterator[Faults]:
    """Put a layer before the embedded cloud of ``root``, which runs; whoever looks for it there gets the layer."""
    place = root / ".artifacts/local/cloud.json"
    told = json.loads(place.read_text("utf-8"))
    faults = Faults(told["endpoint"])
    try:
        place.write_text(json.dumps({**told, "endpoint": faults.endpoint}), "utf-8")
        yield faults
    finally:
        place.write_text(json.dumps(told), "utf-8")
        faults.close()


# ── effects ───────────────────────────────────────────────────────────────────────────────────

_PROTOCOLS = ("s3", "rest", "json", "query")
_WORDS = {
    "throttled": "503 SlowDown, 429 TooManyRequestsException, 400 ThrottlingException, 400 Throttling",
    "failed": "500 InternalError, 500 ServiceException, 500 InternalServerError, 500 InternalFailure",
    "expired": "400 ExpiredToken, 403 ExpiredTokenException, 400 ExpiredTokenException, 403 ExpiredToken",
    "denied": "403 AccessDenied, 403 AccessDeniedException, 400 AccessDeniedException, 403 AccessDenied",
    "missing": "404 NoSuchKey, 404 ResourceNotFoundException, 400 ResourceNotFoundException, 404 NoSuchEntity",
}
"""https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and the CommonErrors of each service."""


def refused(what: str) -> Effect:
    """Refuse as AWS does, in the words of whichever service it is: throttled, failed, expired, denied, missing."""
    return lambda request, _: _refused(request, what)


def reset(_: Request, __: Faults) -> Answer | None:
    """Reset the connection; nothing is carried out."""
    raise ConnectionResetError


def held(seconds: float) -> Effect:
    """Keep whoever asks waiting, then close the connection, as a proxy does that gives up; nothing is carried out."""

    def effect(_: Request, __: Faults) -> None:
        time.sleep(seconds)

    return effect


def stale(request: Request, faults: Faults) -> Answer:
    """Tell what was true before it changed last."""
    return faults.earlier(request)


def from_now_on(effect: Effect) -> Effect:
    """Let it happen to this request and to every one after it, whatever it asks."""

    def began(request: Request, faults: Faults) -> Answer | None:
        faults.on(r"^\w", effect, times=math.inf)  # not to those that ask the cloud who it is
        return effect(request, faults)

    return began


def before(happening: Callable[[], object]) -> Effect:
    """Let something happen, then close the connection; nothing is carried out."""

    def effect(_: Request, __: Faults) -> None:
        happening()

    return effect


def during(happening: Callable[[], object]) -> Effect:
    """Let something happen, then carry it out and answer."""

    def effect(request: Request, faults: Faults) -> Answer:
        happening()
        return faults.forward(request)

    return effect


def after(happening: Callable[[], object]) -> Effect:
    """Carry it out, let something happen, and close the connection before the answer."""

    def effect(request: Request, faults: Faults) -> None:
        faults.forward(request)
        happening()

    return effect


lost = after(lambda: None)
"""Carry it out, and close the connection before the answer."""


def _refused(request: Request, what: str) -> Answer:
    status, code = _WORDS[what].split(", ")[_PROTOCOLS.index(request.protocol)].split()
    message = f"{what} by the test"
    match request.protocol:
        case "s3":
            kind = "application/xml"
            text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message><RequestId>0</RequestId></Error>"
        case "query":
            kind = "text/xml"
            error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            text = f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>"
        case _:
            kind = "application/x-amz-json-1.1"
            text = json.dumps({"__type": code, "message": message, "Message": message})
    body = b"" if request.method == "HEAD" else text.encode()
    return Answer(status=int(status), headers=(("Content-Type", kind), ("x-amzn-ErrorType", code)), body=body)


# ── the server ────────────────────────────────────────────────────────────────────────────────


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close without a word before, or no connection could be reset."""
        self.close_request(request)

    def handle_error(self, *_: object) -> None:
        """Say nothing: whoever asks may be killed by a test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults: Faults

    def _answer(self) -> None:
        request = Request(
            method=self.command,
            target=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )
        try:
            answer = self.faults.answer(request)
        except ConnectionResetError:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            answer = None
        if answer is None:
            self.close_connection = True
            return
        headers = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
        length = len(answer.body) if answer.promised is None else answer.promised
        self.close_connection = answer.promised is not None
        if request.method == "HEAD":  # it tells of the body that a GET has
            length = int(dict(answer.headers).get("Content-Length", 0))
        head = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
        head += [f"{name}: {value}" for name, value in [*headers, ("Content-Length", str(length))]]
        # In one piece: Terraform's provider loses answers whose body comes after their head.
        self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""

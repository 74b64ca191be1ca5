"""Lambda's Extensions API, as the processes beside one worker see it: who is told of events, and who is done with them.

What is in ``extensions/`` of a layer is started by runtime/bootstrap.py. Logs and telemetry cannot be subscribed to.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import json
import socket
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

STARTED_PATH = "/slipway/extensions"
"""Where bootstrap.py asks who has registered."""
_PREFIX = "/2020-01-01/extension/"
_SUBSCRIPTIONS = ("/2020-08-15/logs", "/2022-07-01/telemetry")
EVENTS = ("INVOKE", "SHUTDOWN")

Answer = tuple[int, Mapping[str, str], bytes]
Send = Callable[[socket.socket, int, Mapping[str, str], bytes], object]


@dataclass(slots=True)
class Extension:
    """A process, or a thread of the function's own, that has registered."""

    name: str
    events: tuple[str, ...]
    waiting: socket.socket | None = None
    """Where it asks for the next event; None while it is at work."""


class Extensions:
    """The extensions of one worker. One thread at a time may use it."""

    def __init__(self, send: Send, function: Mapping[str, str]) -> None:
        """``send`` writes an answer on a connection; ``function`` is what those who register are told."""
        self._send = send
        self._function = function
        self._known: dict[str, Extension] = {}

    @property
    def registered(self) -> tuple[Extension, ...]:
        """All of them, in the order they came."""
        return tuple(self._known.values())

    @property
    def idle(self) -> bool:
        """True when nobody has anything to do: then an event is over, and so is initialisation."""
        return all(each.waiting for each in self._known.values())

    @staticmethod
    def takes(path: str) -> bool:
        """Tell whether a request is for us."""
        return path.startswith((_PREFIX, STARTED_PATH, *_SUBSCRIPTIONS))

    def take(self, connection: socket.socket, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """Answer a request now, or, where it asks for the next event, once there is one."""
        answer: Answer | None
        if path == STARTED_PATH:
            answer = 200, {}, json.dumps([each.name for each in self._known.values()]).encode()
        elif path.startswith(_SUBSCRIPTIONS):  # as AWS's Runtime Interface Emulator says it
            answer = _refused(202, "Telemetry.NotSupported", "Telemetry API is not supported")
        else:
            answer = self._answer(connection, path.removeprefix(_PREFIX), headers, body)
        if answer:
            self._send(connection, *answer)

    def left(self, connection: socket.socket) -> None:
        """Forget whose connection broke while it waited: it has ended."""
        for identifier in [key for key, each in self._known.items() if each.waiting is connection]:
            del self._known[identifier]

    def invoke(self, headers: Mapping[str, str]) -> None:
        """Tell of an event that the runtime gets with these ``headers``."""
        if not self._known:
            return
        event = {
            "eventType": "INVOKE",
            "deadlineMs": int(headers["Lambda-Runtime-Deadline-Ms"]),
            "requestId": headers["Lambda-Runtime-Aws-Request-Id"],
            "invokedFunctionArn": headers["Lambda-Runtime-Invoked-Function-Arn"],
            "tracing": {"type": "X-Amzn-Trace-Id", "value": headers["Lambda-Runtime-Trace-Id"]},
        }
        self._tell(event)

    def shut_down(self, reason: str, deadline_ms: int) -> None:
        """Tell that the environment ends: ``spindown`` or ``timeout``."""
        self._tell({"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms})

    def _tell(self, event: Mapping[str, Any]) -> None:
        for identifier, each in self._known.items():
            if each.waiting and event["eventType"] in each.events:
                connection, each.waiting = each.waiting, None
                headers = {"Content-Type": "application/json", "Lambda-Extension-Event-Identifier": str(uuid.uuid4())}
                headers["Lambda-Extension-Identifier"] = identifier
                self._send(connection, 200, headers, json.dumps(event).encode())

    def _answer(self, connection: socket.socket, action: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if action == "register":
            return self._register(headers, body)
        identifier = headers.get("lambda-extension-identifier", "")
        known = self._known.get(identifier)
        if known is None:
            return _refused(403, "Extension.UnknownExtensionIdentifier", "Unknown extension")
        if action == "event/next":
            known.waiting = connection
            return None
        if action in ("init/error", "exit/error"):
            del self._known[identifier]
            return 202, {"Content-Type": "application/json"}, b'{"status":"OK"}'
        return _refused(404, "Extension.NotFound", "there is no such action")

    def _register(self, headers: Mapping[str, str], body: bytes) -> Answer:
        name = headers.get("lambda-extension-name", "")
        try:
            events = tuple(json.loads(body or b"{}").get("events") or ())  # Go writes null for none
        except (ValueError, TypeError, AttributeError):
            events = ("?",)
        if not name or any(event not in EVENTS for event in events):
            return _refused(400, "Extension.InvalidEventType", f"expected a name and events of {', '.join(EVENTS)}")
        if any(each.name == name for each in self._known.values()):
            return _refused(403, "Extension.AlreadyRegistered", f"{name} has registered already")
        identifier = str(uuid.uuid4())
        self._known[identifier] = Extension(name, events)
        told = {"Content-Type": "application/json", "Lambda-Extension-Identifier": identifier}
        return 200, told, json.dumps(self._function).encode()


def _refused(status: int, kind: str, message: str) -> Answer:
    return (
        status,
        {"Content-Type": "application/json"},
        json.dumps({"errorType": kind, "errorMessage": message}).encode(),
    )

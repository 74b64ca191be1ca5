"""The embedded cloud's clock, for those outside of its process: what it shows, what fires next, and advancing it."""

import http.client
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from build.errors import InputError, ToolError

_LIMIT_S = 300.0
"""For a thousand deliveries, of which each takes some milliseconds."""
_HINT = "run `invoke local.clock --advance 90m`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """When a schedule fires next. Times here are in UTC, such as ``2030-01-31T08:00:00Z``."""

    at: str
    name: str
    """Of the schedule or the rule."""
    arn: str
    targets: tuple[str, ...]
    """ARNs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """What was sent to one target."""

    at: str
    """The time that was due, not that of the attempt."""
    arn: str
    """Of the schedule or the rule."""
    target: str
    """ARN."""
    attempt: int
    """From 1."""
    error: str | None
    """Why the target did not take it."""
    again: str | None
    """When it is tried again; None if it was taken or given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What the clock said."""

    now: str
    advanced_s: int
    """How far it is ahead of real time."""
    next: tuple[Coming, ...]
    """The soonest first."""
    fired: tuple[Fired, ...] = ()
    """What fired while it was advanced, in order."""
    stopped: bool = False
    """Whether it stopped early, because so much had fired."""


def read(endpoint: str) -> Clock:
    """Ask the cloud at ``endpoint``. Raises ToolError if it does not answer."""
    return _asked(endpoint, "GET", None)


def advance(endpoint: str, by: timedelta) -> Clock:
    """Advance the clock, and wait until what was due in between is handed over. Raises InputError, ToolError."""
    return _asked(endpoint, "POST", json.dumps({"advance_s": by.total_seconds()}))


def _asked(endpoint: str, method: str, body: str | None) -> Clock:
    where = urlsplit(endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_LIMIT_S)
    try:
        connection.request(method, "/_slipway/clock", body)
        answer = connection.getresponse()
        told: dict[str, Any] = json.loads(answer.read())
    except TimeoutError:
        facts = [f"waited {_LIMIT_S:.0f} s; the cloud goes on"]
        raise ToolError("what was due takes long", facts=facts, hint="run `invoke local.clock` to see it") from None
    except (OSError, ValueError, http.client.HTTPException) as why:
        hint = "run `invoke local.stop`, then `invoke deploy`"
        raise ToolError("the embedded cloud does not tell its time", facts=[str(why)], hint=hint) from None
    finally:
        connection.close()
    if answer.status != 200:
        raise InputError("the clock was not advanced", facts=[told["message"]], hint=_HINT)
    coming = tuple(Coming(**{**each, "targets": tuple(each["targets"])}) for each in told["next"])
    return Clock(**{**told, "next": coming, "fired": tuple(Fired(**each) for each in told.get("fired", ()))})

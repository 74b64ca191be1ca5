"""Events that nobody waits for: tried again when they fail, and what became of them is sent on.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html. Waits after a failure are shorter
here; the age of an event counts in real seconds.
"""

import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from build.errors import SlipwayError
from build.local.deployment import Outcome
from build.local.function_names import FunctionName
from build.local.refusals import TooManyRequestsError

RETRY_DELAYS_S = (1.0, 2.0)
"""Lambda waits one minute, then two, before it tries a failed event again; nobody wants to wait here."""
LONGEST_DELAY_S = 300.0
"""Before a throttled event is tried again: Lambda begins with 1 s and doubles it."""
MAX_AGE_S = 6 * 3600.0
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Answered:
    """An outcome and the version that gave it."""

    version: str
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a function says of its asynchronous events."""

    retries: int = len(RETRY_DELAYS_S)
    max_age_s: float = MAX_AGE_S
    on_success: str | None = None
    on_failure: str | None = None
    """ARNs that get a record."""
    dead_letters: str | None = None
    """ARN of a queue or topic that gets the event itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event on its way."""

    function: FunctionName
    payload: bytes
    """JSON."""
    request_id: str
    settings: Settings
    since: float = field(default_factory=time.monotonic)
    tries: int = 0
    throttles: int = 0

    @property
    def left_s(self) -> float:
        """Seconds until it is too old."""
        return self.since + self.settings.max_age_s - time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What became of an event in the end."""

    event: Event
    condition: str
    """``Success``, ``RetriesExhausted``, ``EventAgeExceeded`` or ``ZeroReservedConcurrency``."""
    answered: Answered | None = None
    """The last answer, if there was one."""
    refused: str = ""
    """Why there was none."""


class Invoke(Protocol):
    """Runs a function and waits: `Invoker.invoke`."""

    def __call__(self, function: FunctionName, event: bytes, *, request_id: str) -> Answered:
        """Return the answer; raise RefusalError."""
        ...


class Events:
    """Takes events and works them off in the background. Any number of threads may call it."""

    def __init__(self, invoke: Invoke, ended: Callable[[Ended], None]) -> None:
        """Begin; ``ended`` is told of each event once, by a thread of ours."""
        self._invoke = invoke
        self._ended = ended
        self._workers = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="event")

    def take(self, event: Event) -> None:
        """Run the event's function soon."""
        self._workers.submit(self._attempt, event, None)

    def close(self) -> None:
        """Forget what has not begun."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def _attempt(self, event: Event, last: Answered | None) -> None:
        try:
            if event.left_s < 0:
                self._ended(Ended(event=event, condition="EventAgeExceeded", answered=last))
            else:
                self._try(event)
        except Exception:  # nobody waits who could be told
            sys.stderr.write(f"{event.function.arn}: an asynchronous event was dropped\n{traceback.format_exc()}")

    def _try(self, event: Event) -> None:
        try:
            answered = self._invoke(event.function, event.payload, request_id=event.request_id)
        except TooManyRequestsError as why:
            if why.limit == 0:
                self._ended(Ended(event=event, condition="ZeroReservedConcurrency", refused=why.summary))
                return
            delay_s = min(2.0**event.throttles, LONGEST_DELAY_S)
            self._again(delay_s, replace(event, throttles=event.throttles + 1), None)
            return
        except SlipwayError as why:
            sys.stderr.write(f"{event.function.arn}: an asynchronous event was given up\n{why}\n")
            self._ended(Ended(event=event, condition="RetriesExhausted", refused=why.summary))
            return
        event = replace(event, tries=event.tries + 1)
        if answered.outcome.error is None:
            self._ended(Ended(event=event, condition="Success", answered=answered))
        elif event.tries > event.settings.retries:
            self._ended(Ended(event=event, condition="RetriesExhausted", answered=answered))
        else:
            self._again(RETRY_DELAYS_S[event.tries - 1], event, answered)

    def _again(self, delay_s: float, event: Event, last: Answered | None) -> None:
        def submit() -> None:
            with suppress(RuntimeError):  # the cloud ends
                self._workers.submit(self._attempt, event, last)

        timer = threading.Timer(max(min(delay_s, event.left_s + 0.01), 0.0), submit)
        timer.daemon = True
        timer.start()

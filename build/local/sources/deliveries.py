"""What is on its way from rules and schedules to their targets: tried again where that may help, else a dead letter.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html,
https://docs.aws.amazon.com/scheduler/latest/UserGuide/configuring-schedule-dlq.html
"""

import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from build.local.sources.expressions import Timing
from build.local.sources.targets import Call, Failure, Target, letter_call

RETRIES = 185
MAX_AGE_S = 86_400
"""Where a target says nothing: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html."""
LONGEST_DELAY_S = 300
"""Between two tries; the first comes after 1 s, and each takes twice as long. AWS says no more than "exponential"."""


class Delivery(Protocol):
    """Something for one target."""

    @property
    def source(self) -> str:
        """ARN of the rule or the schedule."""
        ...

    @property
    def target(self) -> Target:
        """Whom it is for."""
        ...

    @property
    def since(self) -> datetime:
        """Its age counts from here."""
        ...

    def call(self, attempt: int) -> Call:
        """Return the call of one attempt, counted from 1; raise ValueError if none can be made."""
        ...

    def letter(self, attempt: int, failure: Failure, call: Call | None) -> tuple[str, Mapping[str, str]]:
        """Return body and attributes of a dead letter, but for those that `Deliverer` knows."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A rule or a schedule that is switched on."""

    arn: str
    name: str
    key: tuple[object, ...]
    """While this stays, it goes on as it did; else it begins anew."""
    timing: Callable[[datetime], Timing]
    """When it fires, if it was made at a moment."""
    targets: tuple[str, ...]
    """ARNs."""
    deliveries: Callable[[datetime], tuple[Delivery, ...]]
    """What it sends at a time it fires at."""
    after_last: Call | None = None
    """What is called when it will not fire again."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of an attempt."""

    failure: Failure | None = None
    again: datetime | None = None
    """When the next attempt is due; None if there will be none."""


class Deliverer:
    """Makes attempts; whatever happens is told in the cloud's log, never to the caller."""

    def __init__(self, make: Callable[[Call], Failure | None]) -> None:
        """``make`` makes a call and returns why it failed, if it did: `Caller.make`."""
        self._make = make

    def attempt(self, delivery: Delivery, attempt: int, now: datetime) -> Attempted:
        """Make an attempt, counted from 1, at ``now`` of the cloud's clock."""
        call, failure = self._made(lambda: delivery.call(attempt))
        if failure is None:
            return Attempted()
        policy = delivery.target.get("RetryPolicy") or {}
        again = now + timedelta(seconds=min(2 ** (attempt - 1), LONGEST_DELAY_S))
        exhausted = ""
        if attempt > int(policy.get("MaximumRetryAttempts", RETRIES)):
            exhausted = "MaximumRetryAttempts"
        elif again - delivery.since > timedelta(seconds=int(policy.get("MaximumEventAgeInSeconds", MAX_AGE_S))):
            exhausted = "MaximumEventAgeInSeconds"
        if failure.passing and not exhausted:
            self._log(delivery, "will be tried again", failure)
            return Attempted(failure, again)
        self._log(delivery, "was given up", failure)
        body, attributes = delivery.letter(attempt, failure, call)
        told = {"ERROR_MESSAGE": failure.message, "RETRY_ATTEMPTS": str(attempt - 1)}
        if failure.passing:
            told["EXHAUSTED_RETRY_CONDITION"] = exhausted
        self._bury(delivery, body, {**attributes, **told})
        return Attempted(failure)

    def call(self, call: Call) -> None:
        """Make ``call``, for whoever is not waiting for it."""
        if failure := self._made(lambda: call)[1]:
            sys.stderr.write(f"{call.service}:{call.action} {call.parameters} failed\n{failure}\n")

    def _made(self, prepare: Callable[[], Call]) -> tuple[Call | None, Failure | None]:
        call = None
        try:
            call = prepare()
            return call, self._make(call)
        except ValueError as why:
            return call, Failure(code="ValidationException", message=str(why), passing=False)
        except Exception as why:  # one target's oddness is not the others'
            traceback.print_exc()
            return call, Failure(code="InternalError", message=str(why), passing=False)

    def _bury(self, delivery: Delivery, body: str, attributes: Mapping[str, str]) -> None:
        queue = (delivery.target.get("DeadLetterConfig") or {}).get("Arn")
        if queue and (failure := self._made(lambda: letter_call(queue, body, attributes))[1]):
            sys.stderr.write(f"{queue}: a dead letter of {delivery.source} could not be sent\n{failure}\n")

    def _log(self, delivery: Delivery, what: str, failure: Failure) -> None:
        sys.stderr.write(f"{delivery.source}: what is for {delivery.target['Arn']} {what}\n{failure}\n")

"""Schedules of EventBridge Scheduler: when each fires, and what its target gets.

A flexible time window makes no difference: a schedule fires when its window opens.
"""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from build.local import patching
from build.local.patching import Undo
from build.local.sources import rules
from build.local.sources.deliveries import Delivery, Planned
from build.local.sources.expressions import Timing, parsed
from build.local.sources.rules import written
from build.local.sources.targets import Call, Failure, Target, call_of

if TYPE_CHECKING:
    from build.local.sources.timetable import Timetable


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDelivery:
    """What a schedule sends at one of its times."""

    source: str
    target: Target
    since: datetime
    """The time it fires at."""

    def call(self, attempt: int) -> Call:
        """Return the call that hands the input over."""
        return call_of(self.target, self._input(attempt), region=self.source.split(":")[3])

    def letter(self, attempt: int, failure: Failure, call: Call | None) -> tuple[str, Mapping[str, str]]:
        """Return the input, and what it was for."""
        return self._input(attempt), {
            "SCHEDULE_ARN": self.source,
            "TARGET_ARN": call.arn if call else self.target["Arn"],
            "SCHEDULED_TIME": written(self.since),
            "EXECUTION_ID": self._execution_id(attempt),
            "ERROR_CODE": failure.code,
            "IS_PAYLOAD_TRUNCATED": "false",
        }

    def _input(self, attempt: int) -> str:
        """https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html."""
        text = str(self.target.get("Input") or json.dumps(self._event()))
        values = {"schedule-arn": self.source, "scheduled-time": written(self.since)}
        values |= {"execution-id": self._execution_id(attempt), "attempt-number": str(attempt)}
        for name, value in values.items():
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return text

    def _event(self) -> dict[str, Any]:
        _, _, _, region, account, _ = self.source.split(":", 5)
        return {
            "version": "0",
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.source} {self.since}")),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": account,
            "time": written(self.since),
            "region": region,
            "resources": [self.source],
            "detail": "{}",
        }

    def _execution_id(self, attempt: int) -> str:
        return hashlib.sha256(f"{self.source} {self.since} {attempt}".encode()).hexdigest()[:16]


@contextmanager
def firing(timetable: "Timetable") -> Iterator[None]:
    """Let ``timetable`` know what rules and schedules of moto there are, and send what is for their targets."""
    with ExitStack() as stack:
        for undo in (*rules.mends(timetable.post, timetable.wake, timetable.now), *_mends(timetable.wake)):
            stack.callback(undo)
        yield


def _mends(wake: Callable[[], None]) -> Iterator[Undo]:
    """Moto takes any expression and any time zone, and never fires a schedule."""
    from moto.scheduler.exceptions import ValidationException
    from moto.scheduler.models import EventBridgeSchedulerBackend

    def check(original: Any) -> Any:
        def checked(self: Any, **named: Any) -> Any:
            text, timezone = named["schedule_expression"], named.get("schedule_expression_timezone") or "UTC"
            try:
                parsed(text)
            except ValueError as why:
                raise ValidationException(f"Invalid Schedule Expression {text}. {why}") from None
            try:
                ZoneInfo(timezone)
            except (KeyError, ValueError, OSError):
                raise ValidationException(f"Invalid Schedule Expression Timezone {timezone}.") from None
            return original(self, **named)

        return checked

    for name in ("create_schedule", "update_schedule"):
        yield patching.replace(EventBridgeSchedulerBackend, name, check)
    for name in ("create_schedule", "update_schedule", "delete_schedule", "delete_schedule_group"):
        yield patching.replace(EventBridgeSchedulerBackend, name, patching.then(wake))


def planned() -> Iterator[Planned]:
    """Yield everything that is switched on and fires by the clock, rules too."""
    from moto.scheduler.models import scheduler_backends

    yield from rules.planned()
    for regions in list(scheduler_backends.values()):
        for backend in list(regions.values()):
            for group in list(backend.schedule_groups.values()):
                for schedule in list(group.schedules.values()):
                    if schedule.state != "DISABLED":
                        yield _planned(schedule)


def _planned(schedule: Any) -> Planned:
    target, text, zone = schedule.target, schedule.schedule_expression, schedule.schedule_expression_timezone
    start, end = _moment(schedule.start_date), _moment(schedule.end_date)

    def timing(since: datetime) -> Timing:
        return Timing(expression=parsed(text), zone=ZoneInfo(zone), start=start or since, end=end)

    def deliveries(at: datetime) -> tuple[Delivery, ...]:
        return (ScheduleDelivery(source=schedule.arn, target=target, since=at),)

    region = schedule.arn.split(":")[3]
    names = {"Name": schedule.name, "GroupName": schedule.group_name}
    delete = Call(service="scheduler", action="deleteSchedule", parameters=names, region=region)
    return Planned(
        arn=schedule.arn,
        name=schedule.name,
        key=(text, zone, start, end, schedule.creation_date),
        timing=timing,
        targets=(target["Arn"],),
        deliveries=deliveries,
        after_last=delete if schedule.action_after_completion == "DELETE" else None,
    )


def _moment(timestamp: Any) -> datetime | None:
    return None if timestamp is None else datetime.fromtimestamp(int(timestamp), UTC)

"""Rules of EventBridge: what fits one, and what one fires by its schedule, is sent to its targets as AWS shapes it.

Moto matches patterns, and serves archives, log groups and API destinations.
"""

import copy
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from build.local import patching
from build.local.patching import Undo
from build.local.sources.deliveries import Delivery, Planned
from build.local.sources.expressions import Rate, Timing, parsed
from build.local.sources.targets import Call, Failure, Target, call_of

_MOTOS = re.compile(r"arn:[^:]+:(logs:.*|events:[^:]*:[^:]*:(api-destination/.*|:))")
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|<[\w.-]+>')
_VARIABLE = re.compile(r"<([\w.-]+)>")
_CODES = {
    "Throttl": "THROTTLING",
    "TooManyRequests": "THROTTLING",
    "NotFound": "NO_RESOURCE",
    "NonExistent": "NO_RESOURCE",
    "DoesNotExist": "NO_RESOURCE",
    "Validation": "INVALID_PARAMETER",
}
"""What is in an error of the target's service, and what EventBridge makes of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleDelivery:
    """An event for one target of a rule."""

    source: str
    target: Target
    since: datetime
    event: Mapping[str, Any]
    region: str

    def call(self, attempt: int) -> Call:  # noqa: ARG002 - every attempt is the same
        """Return the call that hands the event over: to another bus as it is, to all others as the target wants it."""
        if ":event-bus/" in self.target["Arn"]:
            return self._forwarded()
        text, target = input_of(self.target, self.event, self.source), self.target
        if ":kinesis:" in target["Arn"]:
            path = (target.get("KinesisParameters") or {}).get("PartitionKeyPath", "$.id")
            target = {**target, "KinesisParameters": {"PartitionKey": str(_at(path, self.event))}}
        return call_of(target, text, region=self.region)

    def letter(self, attempt: int, failure: Failure, call: Call | None) -> tuple[str, Mapping[str, str]]:  # noqa: ARG002
        """Return the event itself, which can be put again, and what it was for."""
        code = next((word for part, word in _CODES.items() if part in failure.code), "ERROR_FROM_TARGET")
        told = {"RULE_ARN": self.source, "TARGET_ARN": self.target["Arn"], "ERROR_CODE": code}
        return json.dumps(self.event), told

    def _forwarded(self) -> Call:
        event, arn = self.event, self.target["Arn"]
        entry = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": json.dumps(event["detail"])}
        entry |= {"Time": event["time"], "Resources": event["resources"], "EventBusName": arn}
        region = arn.split(":")[3]
        return Call(service="eventbridge", action="putEvents", parameters={"Entries": [entry]}, region=region)


def input_of(target: Target, event: Mapping[str, Any], rule_arn: str) -> str:
    """Return what a target gets of ``event``: all, a part, a constant, or a template that was filled in.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    if constant := target.get("Input"):
        return str(constant)
    if path := target.get("InputPath"):
        return json.dumps(_at(path, event))
    transformer = target.get("InputTransformer")
    if not transformer:
        return json.dumps(event)
    values = {name: _at(path, event) for name, path in (transformer.get("InputPathsMap") or {}).items()}
    values |= {"aws.events.rule-arn": rule_arn, "aws.events.rule-name": rule_arn.rpartition("/")[2]}
    values |= {"aws.events.event": event, "aws.events.event.json": event}
    values |= {"aws.events.event.ingestion-time": event["time"]}

    def text(match: re.Match[str]) -> str:  # nothing in it is escaped, says AWS
        value = values.get(match[1], match[0])
        return value if isinstance(value, str) else json.dumps(value)

    def piece(match: re.Match[str]) -> str:
        name = match[0][1:-1]
        return _VARIABLE.sub(text, match[0]) if match[0][0] == '"' else json.dumps(values.get(name, match[0]))

    return _PIECE.sub(piece, str(transformer["InputTemplate"]))


def _at(path: str, event: Mapping[str, Any]) -> Any:
    """Return what is at a JSONPath of ``event``; an empty text if nothing is."""
    from jsonpath_ng.ext.parser import parse

    found = [match.value for match in parse(path).find(event)]
    return found[0] if found else ""


def event_of(original: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event as targets see it; moto's has its time as a number, and more than it should."""
    time = original["time"]
    told = time if isinstance(time, str) else written(datetime.fromtimestamp(float(time), UTC))
    names = ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
    event = {name: told if name == "time" else original[name] for name in names}
    return {**event, **({"replay-name": original["replay-name"]} if "replay-name" in original else {})}


def written(moment: datetime) -> str:
    """Return ``moment`` as AWS writes it in events, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def mends(post: Callable[[Delivery], None], wake: Callable[[], None], now: Callable[[], datetime]) -> Iterator[Undo]:
    """Moto gives targets an event of its own make or fails with them, and never fires a schedule.

    ``post`` takes what is for a target, ``wake`` is told when a rule changes, ``now`` is the cloud's clock.
    """
    from moto.events.exceptions import ValidationException
    from moto.events.models import EventsBackend, Rule

    def send(original: Any) -> Any:
        def send_to_targets(self: Any, original_event: Any, transform_input: bool = True) -> None:
            event = event_of(original_event)
            if not _fits(self, event):
                return
            left = copy.copy(self)
            left.targets = [target for target in self.targets if _MOTOS.fullmatch(target["Arn"])]
            for target in [target for target in self.targets if target not in left.targets]:
                post(_delivery(self, target, event, now()))
            try:
                original(left, original_event, transform_input)
            except Exception as why:  # on AWS whoever caused the event is not told
                sys.stderr.write(f"{self.arn}: an event was dropped\n{why}\n")

        return send_to_targets

    def put(original: Any) -> Any:
        def put_rule(self: Any, *arguments: Any, **named: Any) -> Any:
            try:
                parsed(named.get("scheduled_expression") or "rate(1 day)")
            except ValueError as why:
                msg = f"Parameter ScheduleExpression is not valid. {why}"
                raise ValidationException(msg) from None
            return original(self, *arguments, **named)

        return put_rule

    yield patching.replace(Rule, "send_to_targets", send)
    yield patching.replace(EventsBackend, "put_rule", put)
    for name in ("put_rule", "delete_rule", "enable_rule", "disable_rule", "put_targets", "remove_targets"):
        yield patching.replace(EventsBackend, name, patching.then(wake))


def _fits(rule: Any, event: Mapping[str, Any]) -> bool:
    """Tell whether ``rule`` wants ``event``. One that only has a schedule has no pattern: to moto that fits all."""
    return bool(rule.state != "DISABLED" and rule.event_pattern.dump() and rule.event_pattern.matches_event(event))


def planned() -> Iterator[Planned]:
    """Yield every rule that is switched on and has a schedule."""
    from moto.events.models import events_backends

    for regions in list(events_backends.values()):
        for backend in list(regions.values()):
            for bus in list(backend.event_buses.values()):
                for rule in list(bus.rules.values()):
                    if rule.scheduled_expression and rule.state != "DISABLED":
                        yield _planned(rule)


def _planned(rule: Any) -> Planned:
    targets = tuple(rule.targets)

    def timing(since: datetime) -> Timing:
        expression = parsed(rule.scheduled_expression)
        first = since + expression.every if isinstance(expression, Rate) else since
        return Timing(expression=expression, zone=UTC, start=first)

    def deliveries(at: datetime) -> tuple[Delivery, ...]:
        event = {"version": "0", "id": str(uuid.uuid4()), "detail-type": "Scheduled Event", "source": "aws.events"}
        event |= {"account": rule.account_id, "time": written(at), "region": rule.region_name}
        whole = {**event, "resources": [rule.arn], "detail": {}}
        return tuple(_delivery(rule, target, whole, at) for target in targets)

    return Planned(
        arn=rule.arn,
        name=rule.name,
        key=(rule.scheduled_expression,),
        timing=timing,
        targets=tuple(target["Arn"] for target in targets),
        deliveries=deliveries,
    )


def _delivery(rule: Any, target: Target, event: Mapping[str, Any], since: datetime) -> RuleDelivery:
    return RuleDelivery(source=rule.arn, target=target, since=since, event=event, region=rule.region_name)

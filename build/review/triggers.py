"""What invokes a function, as its rows in a plan say."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from build.review.changes import Change, SettingChange, TriggerChange
from build.review.owners import Owners
from build.review.plans import Row, document, listed
from build.review.reading import settings_of, shown

_SOURCE = {
    "batch_size": "batch_size",
    "bisect_batch_on_function_error": "bisect",
    "destination_config.on_failure.destination_arn": "on_failure",
    "enabled": "enabled",
    "filter_criteria": "filters",
    "maximum_batching_window_in_seconds": "batch_window_s",
    "maximum_record_age_in_seconds": "max_age_s",
    "maximum_retry_attempts": "retries",
    "parallelization_factor": "parallel",
    "scaling_config.maximum_concurrency": "max_concurrency",
    "starting_position": "start",
}
_TARGET = {
    "dead_letter_config.arn": "dead_letter",
    "input": "input",
    "retry_policy.maximum_event_age_in_seconds": "max_age_s",
    "retry_policy.maximum_retry_attempts": "retries",
}
_BUCKET = {
    "lambda_function.events": "events",
    "lambda_function.filter_prefix": "prefix",
    "lambda_function.filter_suffix": "suffix",
}


@dataclass(frozen=True, slots=True)
class _Part:
    """What a type of resource is for a trigger."""

    kind: str
    words: Mapping[str, str]
    leads: bool = True
    """True when the trigger comes and goes with it."""


_PARTS = {
    "aws_apigatewayv2_route": _Part(
        "http", {"authorization_scopes": "scopes", "authorization_type": "authorizer", "authorizer_id": "authorizer_id"}
    ),
    "aws_apigatewayv2_integration": _Part("http", {"timeout_milliseconds": "timeout"}, leads=False),
    "aws_cloudwatch_event_rule": _Part(
        "event", {"event_pattern": "pattern", "schedule_expression": "expression", "state": "state"}
    ),
    "aws_cloudwatch_event_target": _Part("event", _TARGET, leads=False),
    "aws_kinesis_stream": _Part("stream", {"retention_period": "retention_hours"}, leads=False),
    "aws_lambda_event_source_mapping": _Part("queue", _SOURCE),
    "aws_lambda_function_url": _Part(
        "url", {"authorization_type": "auth", "cors.allow_origins": "cors.allow_origins", "invoke_mode": "invoke_mode"}
    ),
    "aws_lb_listener_rule": _Part("load_balancer", {"priority": "priority"}, leads=False),
    "aws_lb_target_group_attachment": _Part("load_balancer", {}),
    "aws_s3_bucket_notification": _Part("bucket", _BUCKET),
    "aws_scheduler_schedule_group": _Part("schedule", {}, leads=False),
    "aws_scheduler_schedule": _Part(
        "schedule",
        {
            "schedule_expression": "expression",
            "schedule_expression_timezone": "timezone",
            "state": "state",
            **{f"target.{attribute}": word for attribute, word in _TARGET.items()},
        },
    ),
    "aws_sns_topic_subscription": _Part("topic", {"filter_policy": "filter", "filter_policy_scope": "filter_scope"}),
    "aws_sqs_queue": _Part("queue", {"redrive_policy": "max_receive_count"}, leads=False),
}


def is_trigger(row: Row) -> bool:
    """Tell whether ``row`` is part of what invokes a function."""
    return row.type in _PARTS


def triggers_of(rows: Iterable[Row]) -> tuple[TriggerChange, ...]:
    """Return the triggers that change in the rows of one function, by kind and name."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if is_trigger(row) and row.change not in (None, Change.MOVED):
            found.setdefault((_kind(row), _name(row)), []).append(row)
    changes = (_change(kind, name, parts) for (kind, name), parts in sorted(found.items()))
    return tuple(each for each in changes if each)


def shares_of(row: Row, owners: Owners) -> Iterator[tuple[str, Row]]:
    """Yield what of a bucket's notifications is each function's: S3 has one list for all."""
    sides = [
        [each for each in listed(values.get("lambda_function")) if isinstance(each, dict)] for values in _sides(row)
    ]
    names = {owners.named(str(each.get("lambda_function_arn"))): None for side in sides for each in side}
    for name in sorted(name for name in names if name is not None):
        parts = [
            [each for each in side if owners.named(str(each.get("lambda_function_arn"))) == name] for side in sides
        ]
        before, after = ({**v, "lambda_function": p} if p else {} for v, p in zip(_sides(row), parts, strict=True))
        kept = Change.CHANGED if before and after else Change.ADDED if after else Change.REMOVED
        change = None if parts[0] == parts[1] else kept
        yield name, replace(row, change=change, before=before, after=after, changed=("lambda_function",))


def _sides(row: Row) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return row.before, row.after


def _change(kind: str, name: str, rows: list[Row]) -> TriggerChange | None:
    leading = next((row for row in rows if _PARTS[row.type].leads), None)
    change = leading.change if leading and leading.change else Change.CHANGED
    settings: set[SettingChange] = set()
    for row in rows:
        if row.change is Change.CHANGED or (row is leading and row.change is Change.REPLACED):
            settings.update(_settings(row))
    if leading is None and not settings:
        return None
    return TriggerChange(
        kind=kind, name=name, change=change, settings=tuple(sorted(settings, key=lambda each: each.name))
    )


def _settings(row: Row) -> Iterable[SettingChange]:
    for setting in settings_of(row, _PARTS[row.type].words):
        if setting.name == "max_receive_count":
            before, after = (document(each.get("redrive_policy")) or {} for each in (row.before, row.after))
            counts = [shown(each.get("maxReceiveCount")) for each in (before, after)]
            if counts[0] != counts[1]:
                yield SettingChange(name=setting.name, before=counts[0], after=counts[1])
        else:
            yield setting


def _kind(row: Row) -> str:
    kind = _PARTS[row.type].kind
    if row.type == "aws_cloudwatch_event_rule" and row.now.get("schedule_expression"):
        return "schedule"
    if row.type == "aws_lambda_event_source_mapping":
        source = str(row.after.get("event_source_arn") or "") + str(row.before.get("event_source_arn") or "")
        return "stream" if ":kinesis:" in source or ":dynamodb:" in source or "stream" in row.module else kind
    return kind


def _name(row: Row) -> str:
    """Return the trigger's name in function.toml: the second part of its key, the route; else what AWS calls it."""
    if row.type == "aws_lambda_function_url":
        return str(row.now.get("qualifier") or "$LATEST")
    for key in row.keys:
        if "/" in key and " " not in key:
            return key.partition("/")[2]
    if row.type.startswith("aws_apigatewayv2"):
        return str(row.now.get("route_key") or row.keys[-1] if row.keys or row.now.get("route_key") else row.address)
    for attribute in ("event_source_arn", "topic_arn", "bucket", "rule", "name", "target_group_arn"):
        value = row.now.get(attribute)
        if isinstance(value, str) and not value.startswith("("):
            return value.rpartition(":")[2]
    return row.address

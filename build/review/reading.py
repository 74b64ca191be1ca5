"""Attributes of rows in the words of function.toml."""

import re
from collections.abc import Mapping
from typing import Any

from build.review.changes import SENSITIVE, UNKNOWN, SettingChange
from build.review.plans import COMPUTED, Row, document

_LONGEST = 200

FUNCTION_WORDS: Mapping[str, Mapping[str, str]] = {
    "aws_lambda_function": {
        "architectures": "architecture",
        "code_signing_config_arn": "code_signing_config_arn",
        "dead_letter_config.target_arn": "dead_letter_arn",
        "description": "description",
        "ephemeral_storage.size": "ephemeral_storage_mb",
        "file_system_config.arn": "file_system.arn",
        "file_system_config.local_mount_path": "file_system.mount",
        "handler": "handler",
        "image_config.command": "image_config.command",
        "image_config.entry_point": "image_config.entry_point",
        "image_config.working_directory": "image_config.working_directory",
        "kms_key_arn": "kms_key_arn",
        "logging_config.application_log_level": "log_level",
        "logging_config.log_group": "log_group",
        "logging_config.system_log_level": "system_log_level",
        "memory_size": "memory_mb",
        "package_type": "package",
        "reserved_concurrent_executions": "reserved_concurrency",
        "role": "role",
        "runtime": "runtime",
        "snap_start.apply_on": "snap_start",
        "timeout": "timeout_s",
        "tracing_config.mode": "tracing",
        "vpc_config.ipv6_allowed_for_dual_stack": "network.ipv6",
        "vpc_config.security_group_ids": "network.security_group_ids",
        "vpc_config.subnet_ids": "network.subnet_ids",
    },
    "aws_cloudwatch_log_group": {"kms_key_id": "log_kms_key_arn", "retention_in_days": "log_retention_days"},
    "aws_lambda_function_event_invoke_config": {
        "destination_config.on_failure.destination": "asynchronous.on_failure",
        "destination_config.on_success.destination": "asynchronous.on_success",
        "maximum_event_age_in_seconds": "asynchronous.max_age_s",
        "maximum_retry_attempts": "asynchronous.retries",
    },
    "aws_lambda_provisioned_concurrency_config": {"provisioned_concurrent_executions": "provisioned.concurrency"},
    "aws_appautoscaling_target": {"min_capacity": "provisioned.concurrency", "max_capacity": "provisioned.max"},
}
"""Attribute to setting, by type: those whose values may be shown."""

_CODE = frozenset("filename image_uri s3_bucket s3_key s3_object_version source_code_hash layers publish".split())
_NOISE = COMPUTED | frozenset(
    """function_arn function_version integration_id last_processing_result stable state state_transition_reason
    stream_arn stream_label uuid""".split()
)


def settings_of(row: Row, words: Mapping[str, str]) -> tuple[SettingChange, ...]:
    """Return what of ``words`` differs in ``row``, by name; all that is set in one that comes or goes."""
    found = []
    for attribute, name in words.items():
        if row.before and row.after and not any(_is_below(path, attribute) for path in row.changed):
            continue
        before, after = shown(value_at(row.before, attribute)), shown(value_at(row.after, attribute))
        if before != after or (before == SENSITIVE and row.before and row.after):
            found.append(SettingChange(name=name, before=before, after=after))
    return tuple(sorted(found, key=lambda each: each.name))


def unsaid(row: Row, words: Mapping[str, str]) -> tuple[str, ...]:
    """Return the paths that differ in ``row`` and are neither in ``words`` nor code, environment or AWS's choice."""
    return tuple(
        path
        for path in attributes_of(row)
        if top(path) not in _CODE and top(path) != "environment" and not any(_is_below(path, each) for each in words)
    )


def attributes_of(row: Row) -> tuple[str, ...]:
    """Return the paths that differ in ``row``, without what AWS chooses; tags that all resources have are `tags`."""
    paths = {path.replace("tags_all", "tags") for path in row.changed if top(path) not in _NOISE - {"tags_all"}}
    return tuple(sorted(paths))


def value_at(values: Mapping[str, Any], attribute: str) -> Any:
    """Return the value at ``ephemeral_storage.size``, through the first of each list of blocks."""
    value: Any = values
    for name in attribute.split("."):
        if isinstance(value, list):
            value = value[0] if value else None
        if value in (SENSITIVE, UNKNOWN):
            return value
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def shown(value: Any) -> str | None:
    """Return ``value`` for people; None for what is not set, as AWS writes it."""
    if value is None or value in ("", [], {}, -1):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(shown(each) or "none" for each in value)
    if isinstance(value, Mapping) or document(value) is not None:
        return SENSITIVE  # a document may hold anything
    text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def top(path: str) -> str:
    """Return the attribute that ``path`` is in."""
    return re.split(r"[.\[]", path, maxsplit=1)[0]


def _is_below(path: str, attribute: str) -> bool:
    plain = re.sub(r"\[\d+\]", "", path)
    return plain == attribute or plain.startswith(f"{attribute}.") or attribute.startswith(f"{plain}.")

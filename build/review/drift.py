"""What changed outside Terraform, without what a refresh always finds otherwise."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from build.review.changes import Change
from build.review.grants import grants_of, inline_of
from build.review.kinds import kind_of, name_of
from build.review.owners import Owners
from build.review.plans import Row, is_known
from build.review.reading import attributes_of, top
from build.review.words import Drift

_CODE = "code_sha256"
_READY = "aws_lambda_provisioned_concurrency_config"
_OF_OTHERS = {
    "aws_iam_role": {"inline_policy", "managed_policy_arns"},
    "aws_lambda_alias": {"function_version", "routing_config"},  # the roll-out's, and a rollback's
    "aws_lb_target_group": {"load_balancer_arns"},  # AWS's, as soon as a rule sends requests to it
    "aws_s3_bucket": set(
        """acceleration_status acl cors_rule grant lifecycle_rule logging object_lock_configuration policy
        replication_configuration request_payer server_side_encryption_configuration versioning website
        website_domain website_endpoint""".split()
    ),
    "aws_sns_topic": {"policy"},
    "aws_sqs_queue": {"policy", "redrive_allow_policy"},
}
"""Attributes that only show what other resources, or the roll-out, have made."""
_POLICIES = {"aws_sns_topic": ("aws_sns_topic_policy", "arn"), "aws_sqs_queue": ("aws_sqs_queue_policy", "queue_url")}


def drift_in(drifted: Iterable[Row], rows: Iterable[Row], owners: Owners) -> tuple[Drift, ...]:
    """Return what is otherwise than the last apply left it; ``rows`` are the plan's."""
    rows = list(rows)
    touched = {(row.stack, row.address) for row in rows if row.change}
    found = {}
    by_role: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        by_role[str(row.now.get("role"))].append(row)
    for row in drifted:
        paths = _foreign(row, by_role[str(row.now.get("name"))] if row.type == "aws_iam_role" else rows)
        if row.change is Change.REMOVED or paths:
            seen = replace(row, changed=paths)
            found[row.stack, row.address] = _drift(seen, owners, (row.stack, row.address) in touched)
    for row in rows:
        # A refresh that was saved once has forgotten what was there before: what runs is then compared with the zip.
        if _runs_other_code(row) and _CODE not in getattr(found.get((row.stack, row.address)), "attributes", ()):
            seen = replace(row, change=Change.CHANGED, changed=(_CODE,))
            found.setdefault((row.stack, row.address), _drift(seen, owners, row.change is not None))
    return tuple(found[key] for key in sorted(found))


def has_foreign_code(drift: Drift) -> bool:
    """Tell whether somebody else's code is in a function."""
    return drift.kind == "function" and _CODE in drift.attributes


def _drift(row: Row, owners: Owners, is_undone: bool) -> Drift:
    return Drift(
        subject=owners.subject_of(row),
        address=row.address,
        kind=kind_of(row).word,
        name=name_of(row),
        change=row.change or Change.CHANGED,
        attributes=row.changed,
        is_undone=is_undone,
        grants=grants_of([row], owners, {}),
    )


def _foreign(row: Row, rows: list[Row]) -> tuple[str, ...]:
    """Return the paths that somebody outside changed; ``rows`` are the plan's, of a role those of its policies."""
    paths = {*attributes_of(row), *(path for path in row.changed if path == _CODE)}
    others = _OF_OTHERS.get(row.type, set())
    if row.type == _READY and any(
        each.type == "aws_appautoscaling_target" and each.module == row.module for each in rows
    ):
        others = {"provisioned_concurrent_executions"}
    kept = {path for path in paths if top(path) not in others}
    if row.type == "aws_iam_role" and _has_foreign_policy(row, rows):
        kept |= {path for path in paths if top(path) in others}
    if row.type in _POLICIES and row.differs("policy"):
        kind, attribute = _POLICIES[row.type]
        places = {row.now.get("arn"), row.now.get("url"), row.now.get("id")}
        if not any(each.type == kind and each.now.get(attribute) in places for each in rows):
            kept.add("policy")
    return tuple(sorted(kept))


def _has_foreign_policy(role: Row, mine: list[Row]) -> bool:
    """Tell whether the role has, or lost, a policy that no resource of ours is."""
    names = {str(each.get("name")) for row in mine for each in (row.before, row.after)}
    arns = {str(each.get("policy_arn")) for row in mine for each in (row.before, row.after)}
    left = [
        (
            sorted(str(each.get("policy")) for each in inline_of(values) if str(each.get("name")) not in names),
            sorted(
                {*map(str, attached)} - arns if isinstance(attached := values.get("managed_policy_arns"), list) else ()
            ),
        )
        for values in (role.before, role.after)
    ]
    return left[0] != left[1]


def _runs_other_code(row: Row) -> bool:
    values: Mapping[str, Any] = row.before
    pair = values.get("source_code_hash"), values.get(_CODE)
    is_zip = row.type == "aws_lambda_function" and values.get("package_type") == "Zip"
    return is_zip and all(isinstance(each, str) and each and is_known(each) for each in pair) and pair[0] != pair[1]

"""What a plan does besides what it says: what is lost, what stands still, what becomes public or unprotected."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from build.review.changes import Change
from build.review.kinds import keeps_what_it_destroys, kind_of, name_of
from build.review.owners import Owners
from build.review.plans import Row, is_known
from build.review.reading import shown, value_at
from build.review.words import Loss, Note

_PUBLIC_WHEN: Mapping[tuple[str, str], tuple[Any, str]] = {
    ("aws_lambda_function_url", "authorization_type"): ("NONE", "its function URL asks nobody for credentials"),
    ("aws_apigatewayv2_route", "authorization_type"): ("NONE", "the route {name} asks nobody for credentials"),
    ("aws_api_gateway_method", "authorization"): ("NONE", "a method of a REST API asks nobody for credentials"),
    ("aws_appsync_graphql_api", "authentication_type"): ("API_KEY", "an API key is all that the GraphQL API asks for"),
    ("aws_db_instance", "publicly_accessible"): (True, "the database {name} has an address on the internet"),
    ("aws_lambda_layer_version_permission", "principal"): ("*", "any account may use a version of the layer {name}"),
    ("aws_lb", "internal"): (False, "the load balancer {name} has an address on the internet"),
    ("aws_ecrpublic_repository", "repository_name"): (..., "the images of {name} are public"),
}
"""Type and attribute to the value that opens something, and what to say; ``...`` is any value."""
_BLOCKS = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
_ANY_ADDRESS = frozenset({"0.0.0.0/0", "::/0"})
_ADDRESSES = ("cidr_ipv4", "cidr_ipv6", "cidr_blocks", "ipv6_cidr_blocks")
_KEYS = ("kms_key_arn", "kms_key_id", "kms_master_key_id")
_FLAGS = ("sqs_managed_sse_enabled", "encrypted", "storage_encrypted", "at_rest_encryption_enabled")
_PROTECTIONS: Mapping[tuple[str, str], tuple[Any, str]] = {
    ("aws_dynamodb_table", "deletion_protection_enabled"): (True, "deletion protection"),
    ("aws_db_instance", "deletion_protection"): (True, "deletion protection"),
    ("aws_dynamodb_table", "point_in_time_recovery.enabled"): (True, "point-in-time recovery"),
    ("aws_s3_bucket_versioning", "versioning_configuration.status"): ("Enabled", "versioning"),
    ("aws_ecr_repository", "image_tag_mutability"): ("IMMUTABLE", "immutable tags"),
    ("aws_lambda_function", "code_signing_config_arn"): (..., "the check of code signatures"),
}
"""Type and attribute to the value that protects something, and what to call it."""
_ONE_OF_A_FUNCTION = frozenset(
    "aws_cloudwatch_log_group aws_iam_role aws_lambda_alias aws_lambda_function aws_lambda_function_url".split()
)
_RETENTION = ("retention_in_days", "message_retention_seconds", "retention_period")


def losses_of(rows: Iterable[Row], owners: Owners) -> tuple[Loss, ...]:
    """Return everything that is destroyed; what loses data first."""
    found = []
    for row in rows:
        kind = kind_of(row)
        if row.is_gone and not keeps_what_it_destroys(row):
            found.append(
                Loss(
                    subject=owners.subject_of(row),
                    address=row.address,
                    kind=kind.word,
                    name=name_of(row),
                    replaced=row.change is Change.REPLACED,
                    lost=kind.lost,
                    why=row.why,
                    loses_data=kind.rule in {"data-lost", "versions-lost"},
                )
            )
    return tuple(sorted(found, key=lambda each: (not each.loses_data, not each.lost, each.subject, each.address)))


def public_of(rows: Iterable[Row], owners: Owners, handoff: Mapping[str, Any]) -> tuple[Note, ...]:
    """Return what anyone reaches from now on; policies that let anyone in are grants. ``handoff`` has the reasons."""

    def opened(row: Row) -> Iterator[str]:
        function = handoff.get("functions", {}).get(owners.function_of(row), {})
        reason = (function.get("triggers", {}).get("url") or {}).get("reason")
        given = f"; the reason given: {reason}" if reason and row.type == "aws_lambda_function_url" else ""
        yield from (f"{text}{given}" for text in _opened(row))

    return _notes(rows, owners, opened)


def unprotected_of(rows: Iterable[Row], owners: Owners) -> tuple[Note, ...]:
    """Return what is no longer encrypted, or no longer protected otherwise."""
    return _notes(rows, owners, _unprotected)


def shortened_of(rows: Iterable[Row], owners: Owners) -> tuple[Note, ...]:
    """Return what is kept for a shorter time from now on: what is older goes."""
    return _notes(rows, owners, _shortened)


def interruptions_of(rows: Iterable[Row], owners: Owners) -> tuple[Note, ...]:
    """Return what callers and triggers may notice."""
    return _notes(rows, owners, _interrupted)


def _words(row: Row) -> str:
    """Return what ``row`` is, with its name where a function may have several: many are then said at once."""
    return kind_of(row).word if row.type in _ONE_OF_A_FUNCTION else f"{kind_of(row).word} {name_of(row)}".strip()


def _notes(rows: Iterable[Row], owners: Owners, told: Any) -> tuple[Note, ...]:
    found = {
        Note(subject=owners.subject_of(row), address=row.address, text=text)
        for row in rows
        if row.change
        for text in told(row)
    }
    return tuple(sorted(found, key=lambda each: (each.subject, each.address, each.text)))


def _opened(row: Row) -> Iterator[str]:
    for (kind, attribute), (value, text) in _PUBLIC_WHEN.items():
        if row.type == kind and row.after:
            before, after = value_at(row.before, attribute), value_at(row.after, attribute)
            if (after == value or (value is ... and after)) and (row.is_new or before != after):
                yield text.format(name=name_of(row))
    if row.type in {"aws_s3_bucket_public_access_block", "aws_s3_account_public_access_block"} and row.before:
        gone = [each for each in _BLOCKS if row.before.get(each) is True and row.after.get(each) is not True]
        if gone and row.change is not Change.FORGOTTEN:
            yield f"{name_of(row) or 'the account'}: {', '.join(gone)} no longer keeps buckets from being public"
    if (
        row.type == "aws_s3_bucket_acl"
        and (row.is_new or row.differs("acl"))
        and str(row.after.get("acl")).startswith("public")
    ):
        yield f"the ACL of bucket {name_of(row)} is {row.after['acl']}"
    if row.type in {"aws_security_group", "aws_security_group_rule", "aws_vpc_security_group_ingress_rule"}:
        opened = _open_addresses(row.after) - _open_addresses(row.before)
        if opened and row.now.get("type") != "egress":
            yield f"a security group lets in {' and '.join(sorted(opened))}"


def _open_addresses(values: Mapping[str, Any]) -> set[str]:
    ingress = values.get("ingress")
    blocks = [values, *(each for each in (ingress if isinstance(ingress, list) else ()) if isinstance(each, Mapping))]
    said = [value for block in blocks for each in _ADDRESSES if (value := block.get(each))]
    return {str(text) for value in said for text in (value if isinstance(value, list) else [value])} & _ANY_ADDRESS


def _unprotected(row: Row) -> Iterator[str]:
    word = _words(row)
    if row.before and row.after:
        lost = [each for each in _KEYS if row.before.get(each) and not row.after.get(each)]
        lost += [each for each in _FLAGS if row.before.get(each) is True and row.after.get(each) is False]
        if lost and not any(row.after.get(each) for each in (*_KEYS, *_FLAGS)):
            yield f"{word} is no longer encrypted with a key of yours ({', '.join(lost)})"
    if row.type == "aws_s3_bucket_server_side_encryption_configuration" and row.change is Change.REMOVED:
        yield f"{word} goes"
    for (kind, attribute), (value, name) in _PROTECTIONS.items():
        before, after = value_at(row.before, attribute), value_at(row.after, attribute)
        protected = row.type == kind and (before == value or (value is ... and bool(before)))
        is_off = not after or (value is not ... and after != value and is_known(after))
        if protected and is_off and (row.after or kind == "aws_s3_bucket_versioning"):
            yield f"{word} loses {name}"


def _shortened(row: Row) -> Iterator[str]:
    for attribute in _RETENTION:
        before, after = row.before.get(attribute), row.after.get(attribute)
        numbers = isinstance(before, int) and isinstance(after, int)
        if numbers and row.change is Change.CHANGED and after and (after < before or not before):
            yield f"{_words(row)}: {attribute} {before or 'for ever'} → {after}, what is older goes"


def _interrupted(row: Row) -> Iterator[str]:
    kind, word = kind_of(row), _words(row)
    if row.change is Change.REPLACED and kind.gap:
        yield f"{word} is made anew: until then {kind.gap}"
    if row.change is not Change.CHANGED:
        return
    if row.type == "aws_lambda_function":
        yield from _function_interrupted(row)
    if row.type == "aws_lambda_event_source_mapping":
        yield f"{word} changes: reading pauses for up to a minute"
    if row.type == "aws_apigatewayv2_route" and row.differs("route_key"):
        old, new = row.before.get("route_key"), row.after.get("route_key")
        yield f"route {old} becomes {new}: requests to the old one get 404"
    if row.type == "aws_apigatewayv2_route" and row.differs(
        "authorization_type", "authorizer_id", "authorization_scopes"
    ):
        yield f"{word} has another authorizer: callers that it does not let in get 401 or 403"
    if row.type == "aws_lambda_alias" and row.differs("function_version", "routing_config"):
        yield f"{word} names another version from the moment of the apply, not of the roll-out"


def _function_interrupted(row: Row) -> Iterator[str]:
    before, after = (each.get("reserved_concurrent_executions") for each in (row.before, row.after))
    if isinstance(after, int) and after >= 0 and (not isinstance(before, int) or before < 0 or after < before):
        beyond = "invocations beyond it are throttled" if after else "every invocation is throttled"
        yield f"reserved_concurrency {shown(before) or 'none'} → {after}: {beyond}"
    if row.differs("vpc_config"):
        yield "its network changes: new environments wait for interfaces, and may reach other things than before"
    if row.differs("file_system_config"):
        yield "its file system changes: environments start anew"

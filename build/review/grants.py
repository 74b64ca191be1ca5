"""Rights that a plan gives and takes: by the policies of roles, and of what says itself who may use it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from build.review import policies
from build.review.changes import SENSITIVE, UNKNOWN, Change
from build.review.holders import holder_name, holder_words, managed_by, roles_of
from build.review.owners import Owners
from build.review.phrases import anyone_or, resource_words, sentence
from build.review.plans import Row, document, is_known
from build.review.policies import Right
from build.review.words import Grant

_HOLDERS = {
    "aws_iam_role_policy": "role",
    "aws_iam_user_policy": "user",
    "aws_iam_group_policy": "group",
    "aws_iam_policy": "name",
}
"""Types of policies that say what somebody may do, and the attribute that says who."""
_OPEN_TYPES = frozenset(
    """aws_cloudwatch_event_bus_policy aws_ecr_repository_policy aws_efs_file_system_policy aws_kms_key
    aws_kms_key_policy aws_s3_bucket_policy aws_secretsmanager_secret_policy aws_sns_topic aws_sns_topic_policy
    aws_sqs_queue aws_sqs_queue_policy""".split()
)
"""Types whose ``policy`` says who may use them."""
_WITH_DEFAULT = frozenset({"aws_kms_key", "aws_sns_topic", "aws_sqs_queue"})
_KNOW_NO_RESOURCES = frozenset(
    """cloudwatch:putmetricdata ec2:assignprivateipaddresses ec2:createnetworkinterface ec2:deletenetworkinterface
    ec2:describenetworkinterfaces ec2:describesubnets ec2:describesecuritygroups ec2:describevpcs
    ec2:unassignprivateipaddresses sts:getcalleridentity xray:getsamplingrules xray:getsamplingtargets
    xray:puttelemetryrecords xray:puttracesegments""".split()
)
"""Actions whose only resource is *: https://docs.aws.amazon.com/service-authorization/latest/reference/"""


@dataclass(slots=True)
class _Holder:
    """What the policies of one role, user or group say together, before and after."""

    row: Row
    before: set[Right] = field(default_factory=set)
    after: set[Right] = field(default_factory=set)
    unclear: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a right comes from."""

    row: Row
    subject: str
    kind: str
    who: str = ""
    """Empty where the policy itself says who."""


def grants_of(rows: Iterable[Row], owners: Owners, handoff: Mapping[str, Any]) -> tuple[Grant, ...]:
    """Return every right gained and lost, gained first; ``handoff`` has the reasons of wildcards."""
    rows = list(rows)
    found = [
        *_by_policies(rows, owners, handoff),
        *(grant for row in rows if row.change for grant in _by_row(row, owners)),
        *managed_by(rows, owners),
    ]
    return tuple(sorted(found, key=lambda each: (not each.gained, each.subject, each.kind, each.who, each.text)))


def _by_policies(rows: list[Row], owners: Owners, handoff: Mapping[str, Any]) -> Iterator[Grant]:
    """Yield what a holder gains and loses by all its policies: a statement that moves from one to another is none."""
    holders: dict[tuple[str, str, str], _Holder] = {}
    roles = roles_of(rows)
    for row in rows:
        attribute = _HOLDERS.get(row.type)
        if attribute:
            name = holder_name(row, attribute, roles)
            holder = holders.setdefault((row.stack, attribute, name), _Holder(row))
            holder.row = row if row.change and not holder.row.change else holder.row
            holder.before |= _read(row.before.get("policy"))
            holder.after |= _read(row.after.get("policy"))
            if row.change and not _is_clear(row):
                holder.unclear.append(row)
        elif row.type == "aws_iam_role" and (row.change is Change.ADDED or row.differs("inline_policy")):
            holder = holders.setdefault((row.stack, "role", str(row.now.get("name"))), _Holder(row))
            holder.before |= {right for each in inline_of(row.before) for right in _read(each.get("policy"))}
            holder.after |= {right for each in inline_of(row.after) for right in _read(each.get("policy"))}
    for (_, attribute, name), holder in sorted(holders.items(), key=lambda item: item[0]):
        subject = owners.subject_of(holder.row)
        who = holder_words(attribute, name, owners)
        yield from _unclear(holder.unclear, owners, who, "role")
        if holder.unclear:  # what it had is then not lost
            continue
        permissions = handoff.get("functions", {}).get(subject.partition("/")[2], {}).get("permissions", ())
        for gains, rights in ((True, (holder.before, holder.after)), (False, (holder.after, holder.before))):
            for grant in _grants(*rights, gains, _Source(holder.row, subject, "role", who)):
                yield _explained(grant, permissions)


def inline_of(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the policies that a role has in itself."""
    blocks = values.get("inline_policy")
    return [each for each in blocks if isinstance(each, Mapping)] if isinstance(blocks, list) else []


def _by_row(row: Row, owners: Owners) -> Iterator[Grant]:
    """Yield what one resource gives or takes by itself."""
    subject = owners.subject_of(row)
    if row.type == "aws_iam_role":
        yield from _by_role(row, subject)
    elif row.type == "aws_lambda_permission":
        yield from _compared(row, subject, _invoker(row.before), _invoker(row.after))
    elif row.type in _OPEN_TYPES and (row.differs("policy") or not (row.before and row.after)):
        whole = not (row.before and row.after)
        if row.type in _WITH_DEFAULT and whole and (not row.after or _policy(row.after) == UNKNOWN):
            return  # AWS gives it its own, which lets nobody else in; and with the thing goes all of it
        if not _is_clear(row):
            yield from _unclear([row], owners, "others", "resource")
        else:
            yield from _compared(row, subject, _read(row.before.get("policy")), _read(row.after.get("policy")))


def _by_role(row: Row, subject: str) -> Iterator[Grant]:
    """Yield who may take a role from now on, and what no longer bounds it."""
    if row.differs("assume_role_policy") and not is_known(row.after.get("assume_role_policy")):
        yield _unclear_grant(row, subject, "others", "trust")
    elif row.after:
        before, after = (_read(each.get("assume_role_policy")) for each in (row.before, row.after))
        ours = {right for right in after if right.principal == "lambda.amazonaws.com"} if row.is_new else set()
        for gains, rights in ((True, (before | ours, after)), (False, (after | ours, before))):
            yield from _grants(*rights, gains, _Source(row, subject, "trust"))
    old, new = row.before.get("permissions_boundary"), row.after.get("permissions_boundary")
    if row.before and row.after and row.differs("permissions_boundary"):
        yield Grant(
            subject=subject,
            address=row.address,
            kind="boundary",
            gained=bool(old),
            who=subject,
            text=_boundary_words(old, new),
            resources=tuple(str(each) for each in (old, new) if each),
            is_wide=bool(old) and not new,
        )


def _boundary_words(old: Any, new: Any) -> str:
    if not new:
        return f"is no longer bounded by {resource_words(str(old))}"
    return f"is now bounded by {resource_words(str(new))}" + (
        f", no longer by {resource_words(str(old))}" if old else ""
    )


def _compared(row: Row, subject: str, before: Iterable[Right], after: Iterable[Right]) -> Iterator[Grant]:
    before, after, source = set(before), set(after), _Source(row, subject, "resource")
    yield from _grants(before, after, True, source)
    yield from _grants(after, before, False, source)


def _grants(had: Iterable[Right], has: Iterable[Right], appears: bool, source: _Source) -> Iterator[Grant]:
    """Yield a grant for the rights in ``has`` beyond ``had`` that differ in action or resource alone."""
    stays = frozenset(had)
    rights = policies.gained(stays, has)
    partly = {each for each in rights if any(each.covers(other) for other in stays)}
    found: defaultdict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for each in rights:
        found[each.effect, each.principal, each.condition, each.resource].add(each.action)
    together: defaultdict[tuple[str, str, str, tuple[str, ...]], set[str]] = defaultdict(set)
    for (effect, principal, condition, resource), actions in found.items():
        together[effect, principal, condition, tuple(sorted(actions))].add(resource)
    for (effect, principal, condition, named), resources in sorted(together.items()):
        gained, kind = appears == (effect == "Allow"), source.kind
        places = tuple(sorted(resources))
        allowed = Right(effect="Allow", principal=principal, action="", resource="", condition=condition)
        looked_at = (*named, *places) if kind == "role" else (principal, *named)
        wild = tuple(each for each in looked_at if gained and _is_wild(each))
        where = places if any(places) else (_place(source.row),)
        said = sentence(effect, appears, named, where, condition)
        if not appears and any(each.action in named and each.resource in places for each in partly):
            said += ", but still a part of it"
        yield Grant(
            subject=source.subject,
            address=source.row.address,
            kind=kind,
            gained=gained,
            who=source.who or anyone_or(principal),
            text=said,
            actions=named,
            resources=places,
            condition=condition,
            wildcards=wild,
            is_wide=kind == "role" and gained and _is_wide(named, () if condition else places),
            is_public=appears and allowed.is_anyones and effect == "Allow",
        )


def _place(row: Row) -> str:
    """Return what a policy without resources is about: itself."""
    if row.type == "aws_iam_role":
        return f"the role {row.now.get('name') or row.label}"
    return f"what it belongs to, {row.now.get('repository') or row.label}"


def _is_wild(text: str) -> bool:
    """Tell whether ``text`` is a wildcard that says something: the streams of a named log group do not."""
    if text.endswith(":*") and ":log-group:" in text:
        text = text.removesuffix(":*")
    return policies.has_wildcard(text) or text.startswith(policies.EVERYTHING_BUT)


def _is_wide(actions: tuple[str, ...], resources: tuple[str, ...]) -> bool:
    if any(policies.is_wide_action(each) for each in actions):
        return True
    return _knows_resources(actions) and any(policies.is_wide_resource(each) for each in resources)


def _knows_resources(actions: Iterable[str]) -> bool:
    return any(each.lower() not in _KNOW_NO_RESOURCES for each in actions)


def _explained(grant: Grant, permissions: Iterable[Mapping[str, Any]]) -> Grant:
    """Give ``grant`` the reason that somebody wrote for it; a wildcard that nobody explains is wide."""
    if not grant.wildcards or not grant.gained:
        return grant
    reasons = [
        each["reason"]
        for each in permissions
        if each.get("reason") and {*grant.actions} <= {*each["actions"]} and {*grant.resources} <= {*each["resources"]}
    ]
    bounded = bool(grant.condition) or not _knows_resources(grant.actions)
    narrow = all(each in grant.resources and (bounded or each.endswith(("/*", ":*"))) for each in grant.wildcards)
    return replace(grant, reason=reasons[0] if reasons else None, is_wide=grant.is_wide or not (reasons or narrow))


def _unclear(rows: Iterable[Row], owners: Owners, who: str, kind: str) -> Iterator[Grant]:
    yield from (_unclear_grant(row, owners.subject_of(row), who, kind) for row in rows)


def _unclear_grant(row: Row, subject: str, who: str, kind: str) -> Grant:
    said = {str(each.get(name)) for each in (row.before, row.after) for name in ("policy", "assume_role_policy")}
    why = "its policy is sensitive" if SENSITIVE in said else "its policy is known after apply"
    text = f"may get permissions that nobody can see here: {why}"
    return Grant(subject=subject, address=row.address, kind=kind, gained=True, who=who, text=text)


def _is_clear(row: Row) -> bool:
    return all(is_known(_policy(each)) for each in (row.before, row.after))


def _policy(values: Mapping[str, Any]) -> Any:
    return values.get("policy")


def _read(policy: Any) -> frozenset[Right]:
    return policies.rights_of(document(policy))


def _invoker(values: Mapping[str, Any]) -> set[Right]:
    """Return the right that an aws_lambda_permission is."""
    if not values:
        return set()
    qualifier = f":{values['qualifier']}" if values.get("qualifier") else ""
    condition: dict[str, dict[str, Any]] = {}
    for operator, key, attribute in (
        ("ArnLike", "aws:SourceArn", "source_arn"),
        ("StringEquals", "aws:SourceAccount", "source_account"),
        ("StringEquals", "aws:PrincipalOrgID", "principal_org_id"),
        ("StringEquals", "lambda:FunctionUrlAuthType", "function_url_auth_type"),
    ):
        if values.get(attribute):
            condition.setdefault(operator, {})[key] = values[attribute]
    principal = str(values.get("principal"))
    statement = {
        "Effect": "Allow",
        "Principal": {"Service" if "." in principal else "AWS": principal},
        "Action": values.get("action"),
        "Resource": f"function:{values.get('function_name')}{qualifier}",
        "Condition": condition,
    }
    return set(policies.rights_of({"Statement": statement}))

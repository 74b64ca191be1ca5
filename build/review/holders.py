"""Who holds a policy, and the managed policies that somebody gets or loses."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from build.review.changes import UNKNOWN, Change
from build.review.owners import Owners
from build.review.plans import Row
from build.review.words import Grant

_Key = tuple[str, str, str]
"""Stack, ``role``, ``user`` or ``group``, and its name."""
_ATTACHMENTS = {
    "aws_iam_role_policy_attachment": "role",
    "aws_iam_user_policy_attachment": "user",
    "aws_iam_group_policy_attachment": "group",
}
_BROAD = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess", "FullAccess")


def managed_by(rows: list[Row], owners: Owners) -> Iterator[Grant]:
    """Yield managed policies that are attached and detached, whichever resource attaches them."""
    attached: defaultdict[_Key, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    places: dict[_Key, Row] = {}
    roles = roles_of(rows)
    for row in rows:
        for key, before, after in _attached(row, roles):
            places[key] = row if row.change else places.get(key, row)
            attached[key][0].update(before)
            attached[key][1].update(after)
    for key, (had, has) in sorted(attached.items(), key=lambda item: item[0]):
        for arn in sorted(has - had):
            yield _grant(key, arn, True, places[key], owners)
        for arn in sorted(had - has):
            yield _grant(key, arn, False, places[key], owners)


def _attached(row: Row, roles: Mapping[tuple[str, str], str]) -> Iterator[tuple[_Key, list[str], list[str]]]:
    """Yield who has which managed policies by ``row``, before and after."""
    attribute = _ATTACHMENTS.get(row.type)
    if attribute:
        before, after = (
            [str(each["policy_arn"])] if each.get("policy_arn") else [] for each in (row.before, row.after)
        )
        yield (row.stack, attribute, holder_name(row, attribute, roles)), before, after
    elif row.type == "aws_iam_role" and (row.change is Change.ADDED or row.differs("managed_policy_arns")):
        told = [each.get("managed_policy_arns") for each in (row.before, row.after)]
        before, after = (list(map(str, each)) if isinstance(each, list) else [] for each in told)
        yield (row.stack, "role", str(row.now.get("name"))), before, after


def _grant(key: _Key, arn: str, gains: bool, row: Row, owners: Owners) -> Grant:
    name = arn.rpartition("/")[2]
    broad = gains and name.endswith(_BROAD)
    return Grant(
        subject=owners.subject_of(row),
        address=row.address,
        kind="managed policy",
        gained=gains,
        who=holder_words(key[1], key[2], owners),
        text=f"{'has now' if gains else 'no longer has'} the managed policy {name} ({arn})",
        resources=(arn,),
        wildcards=(name,) if broad else (),
        is_wide=broad,
    )


def roles_of(rows: Iterable[Row]) -> Mapping[tuple[str, str], str]:
    """Return the name of the role that is made in each module: a policy's own word for it is known after apply."""
    return {(row.stack, row.module): str(row.now.get("name")) for row in rows if row.type == "aws_iam_role"}


def holder_name(row: Row, attribute: str, roles: Mapping[tuple[str, str], str]) -> str:
    """Return the name of a role, user or group; on its first apply only its neighbour or the address tells it."""
    name = row.now.get(attribute)
    if name and name != UNKNOWN:
        return str(name)
    return roles.get((row.stack, row.module) if row.module and attribute == "role" else ("", "-"), row.address)


def holder_words(attribute: str, name: str, owners: Owners) -> str:
    """Return who a holder is: the function whose own role it is, else the role."""
    if attribute == "name":
        return f"whoever has the policy {name}"
    function = owners.named(name) if attribute == "role" else None
    return f"functions/{function}" if function is not None else f"the {attribute} {name}"

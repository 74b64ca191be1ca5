"""What is otherwise than the ledger says, and what carries our tags but is in no state: Terraform sees neither."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from build.release.aliases import AT_ONCE
from build.release.aws import asking
from build.release.deployed import LATEST, Deployed
from build.release.handoff import code_sha256_of
from build.release.rows import Release
from build.release.shifting import ALIAS

LOOKED_BACK = 100
"""Rows in which the release of a version is looked for."""
CODE, MOVED, SHARED, GONE = "code_sha256", "function_version", "routing_config", ""
"""What differs, in Terraform's words; nothing of what is not there at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """Something of a function that is not as the newest release left it."""

    function: str
    place: str
    """``orders:live``, ``orders:$LATEST``."""
    what: str
    text: str
    """With expected and got."""


def differing(rows: Sequence[Release], functions: Mapping[str, Deployed]) -> tuple[Differing, ...]:
    """Return what of the code, and of where callers go, is not as the newest settled one of ``rows`` says."""
    newest = settled(rows)
    if newest is None:
        return ()
    return tuple(each for name in sorted(newest.live) for each in _differing(name, newest, rows, functions.get(name)))


def settled(rows: Sequence[Release]) -> Release | None:
    """Return the newest row that tells what the env is like."""
    return next((row for row in reversed(rows) if row.is_settled), None)


def code_of(rows: Iterable[Release], function: str, version: str) -> str | None:
    """Return the CodeSha256 that ``version`` must have; None if no row tells."""
    for row in rows:
        if row.versions.get(function) == version:
            return code_sha256_of(row.handoff.get("functions", {}).get(function, {}))
    return None


def _differing(name: str, newest: Release, rows: Sequence[Release], now: Deployed | None) -> Iterator[Differing]:
    def found(place: str, what: str, text: str) -> Differing:
        return Differing(function=name, place=f"{name}:{place}", what=what, text=text)

    left = newest.live[name]
    live = now.live if now else None
    if now is None or live is None:
        yield found(ALIAS, GONE, f"gone: release {newest.id} left version {left}")
        return
    if live.version != left:
        by = _mover(rows, newest, name, live.version)
        yield found(ALIAS, MOVED, f"moved {by}: release {newest.id} left version {left}, got {live.version}")
    for version, share in sorted(live.weights.items()):
        yield found(ALIAS, SHARED, f"a shift is under way, or was left: {share:.0%} of callers have version {version}")
    checked = {live.version: live.version, LATEST: newest.versions.get(name, "")}
    for version, published in checked.items():
        expected = code_of(reversed(rows), name, published)
        got = now.versions[version].code if version in now.versions else "nothing"
        if expected not in (None, got):
            yield found(version, CODE, f"code differs: expected CodeSha256 {expected}, got {got}")


def _mover(rows: Sequence[Release], newest: Release, name: str, version: str) -> str:
    last = rows[-1]
    if last is not newest and (last.live.get(name) == version or last.outcome == "unfinished"):
        return f"by release {last.id}, which is {last.outcome}"
    return "by hand"


# ── what carries our tags ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """Something that carries our tags and is in no state."""

    arn: str
    is_sure: bool
    """False if it may be gone: AWS goes on listing some things for hours after they were deleted."""


_RIGHT = "it takes tag:GetResources: let an administrator run `invoke bootstrap`, which grants it to the workflows"
_EC2_ID = re.compile(r"[a-z]{1,12}-[0-9a-f]{8,17}")
_TAGS_OF: Mapping[str, tuple[str, str, str]] = {
    "apigateway": ("apigatewayv2", "get_tags", "ResourceArn"),
    "cloudwatch": ("cloudwatch", "list_tags_for_resource", "ResourceARN"),
    "dynamodb": ("dynamodb", "list_tags_of_resource", "ResourceArn"),
    "ecr": ("ecr", "list_tags_for_resource", "resourceArn"),
    "events": ("events", "list_tags_for_resource", "ResourceARN"),
    "kinesis": ("kinesis", "list_tags_for_stream", "StreamARN"),
    "lambda": ("lambda", "list_tags", "Resource"),
    "logs": ("logs", "list_tags_for_resource", "resourceArn"),
    "scheduler": ("scheduler", "list_tags_for_resource", "ResourceArn"),
    "sns": ("sns", "list_tags_for_resource", "ResourceArn"),
    "sqs": ("sqs", "get_queue_url", "QueueName"),
}
"""How a service is asked whether something is there: client, method and parameter, with the right to read tags."""
_NOT_THERE = re.compile(r"NotFound|NonExistent|NoSuch|DoesNotExist")


def strays(
    tags: Mapping[str, str], states: Iterable[Mapping[str, Any]], own: Collection[str], client: Callable[[str], Any]
) -> tuple[Stray, ...]:
    """Return what carries ``tags``, but is neither in ``states`` nor among ``own``.

    ``own`` are ARNs, or what they begin with, up to a dot or slash. ``states`` are what ``terraform show -json`` gives
    of plans; ``client`` makes clients of AWS's services. AWS tells of one region, and of IAM in us-east-1 alone.
    """
    known = {text for state in states for text in _told_of(state)}
    known |= {*own}
    beginnings = tuple(each for each in own if each.endswith((".", "/")))
    found = [arn for arn in _tagged(tags, client) if not (_is_known(arn, known) or arn.startswith(beginnings))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        there = pool.map(lambda arn: _is_there(arn, client), found)
        return tuple(
            Stray(arn=arn, is_sure=bool(is_there))
            for arn, is_there in zip(found, there, strict=True)
            if is_there is not False
        )


def _tagged(tags: Mapping[str, str], client: Callable[[str], Any]) -> list[str]:
    """Return the ARNs of everything in the region that carries all of ``tags``."""
    filters = [{"Key": key, "Values": [value]} for key, value in tags.items()]
    with asking("listing what carries our tags", hint=_RIGHT):
        pages = client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=filters)
        return sorted({each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"]})


def _told_of(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ARN of every resource in the state that ``plan`` was made against, and ids of what EC2 made for it."""
    modules = [plan.get("prior_state", {}).get("values", {}).get("root_module", {})]
    while modules:
        module = modules.pop()
        modules += module.get("child_modules", ())
        for resource in module.get("resources", ()):
            if resource.get("mode") == "managed":
                values = resource.get("values", {})
                yield from (str(values[key]) for key in ("arn", "id") if values.get(key))
                yield from (text for text in _texts(values) if _EC2_ID.fullmatch(text))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _is_known(arn: str, known: set[str]) -> bool:
    name = arn.rpartition("/")[2]  # such as the volume of an instance, which Terraform knows by its id alone
    return arn in known or f"{arn}:*" in known or bool(_EC2_ID.fullmatch(name) and name in known)


def _is_there(arn: str, client: Callable[[str], Any]) -> bool | None:
    """Tell whether ``arn`` exists, as its own service says; None if that cannot be asked, or is not answered."""
    from botocore.exceptions import BotoCoreError, ClientError

    service = arn.split(":")[2]
    if service not in _TAGS_OF:
        return None
    name, method, parameter = _TAGS_OF[service]
    asked = arn.rpartition(":")[2] if service == "sqs" else arn
    try:
        getattr(client(name), method)(**{parameter: asked})
    except ClientError as reason:
        return False if _NOT_THERE.search(reason.response["Error"]["Code"]) else None
    except BotoCoreError:
        return None
    return True

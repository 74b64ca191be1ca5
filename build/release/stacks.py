"""Stacks: parts of an env with a Terraform state each, and what was applied to each of them last."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from build.errors import InputError
from build.model import Workspace
from build.release.aws import asking
from build.rules.values import OWN_STACK as OWN

_FOLDER = "stacks/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was applied to one stack last, or is being applied."""

    stack: str
    """Empty for the env's own."""
    inputs: str
    """Digest of the hand-off and of everything else that decides a plan."""
    functions: tuple[str, ...]
    outputs: Mapping[str, Any]
    """Terraform's, as the apply left them."""
    state: str
    """ETag of the state it left; empty while it is being applied, and after an apply that failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stacks:
    """The records of one env's stacks, in its artifact bucket; the states are in ``state_bucket``."""

    s3: Any
    bucket: str
    state_bucket: str
    owner: str
    """The account both buckets must belong to."""

    def applied(self) -> Mapping[str, Applied]:
        """Return the record of every stack that anything was ever applied to."""
        with self._asking("reading what was applied to the stacks"):
            pages = self.s3.get_paginator("list_objects_v2").paginate(**self._bucket, Prefix=_FOLDER)
            keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
            rows = [json.loads(self.s3.get_object(**self._bucket, Key=key)["Body"].read()) for key in keys]
        return {row["stack"]: Applied(**{**row, "functions": tuple(row["functions"])}) for row in rows}

    def record(self, applied: Applied) -> None:
        """Write ``applied`` in place of the stack's earlier record."""
        body = json.dumps(asdict(applied), indent=2, sort_keys=True).encode()
        with self._asking(f"recording stack {applied.stack or OWN}"):
            key = f"{_FOLDER}{applied.stack or OWN}.json"
            self.s3.put_object(**self._bucket, Key=key, Body=body, ContentType="application/json")

    def forget(self, stack: str) -> None:
        """Remove the record of a stack that nothing is left of."""
        with self._asking(f"forgetting stack {stack or OWN}"):
            self.s3.delete_object(**self._bucket, Key=f"{_FOLDER}{stack or OWN}.json")

    def state_of(self, key: str) -> str:
        """Return the ETag of the state at ``key``, which another one gets as soon as it changes; empty for none."""
        with self._asking(f"looking at the state {key}"):
            try:
                answer = self.s3.head_object(Bucket=self.state_bucket, ExpectedBucketOwner=self.owner, Key=key)
            except self.s3.exceptions.ClientError as reason:
                if reason.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return ""
                raise
        return str(answer["ETag"])

    @property
    def _bucket(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "ExpectedBucketOwner": self.owner}

    def _asking(self, doing: str) -> Any:
        return asking(doing, hint=f"run the same command again; check with `aws s3 ls s3://{self.bucket}/{_FOLDER}`")


def split(workspace: Workspace) -> Mapping[str, Workspace]:
    """Return the part of ``workspace`` that each stack holds, the env's own first.

    A layer goes with every stack that has a function which uses it; one that nobody uses, with the env's own.
    """
    names = sorted({spec.options.stack or "" for spec in workspace.functions} | {""})
    return {name: _part(workspace, name) for name in names}


def _part(workspace: Workspace, stack: str) -> Workspace:
    functions = tuple(spec for spec in workspace.functions if (spec.options.stack or "") == stack)
    used = {layer for spec in functions for layer in spec.own_layers}
    elsewhere = {layer for spec in workspace.functions for layer in spec.own_layers} - used
    kept = {layer.name for layer in workspace.layers} - elsewhere if not stack else used
    return replace(workspace, functions=functions, layers=tuple(each for each in workspace.layers if each.name in kept))


def refuse_moves(wanted: Mapping[str, Iterable[str]], applied: Mapping[str, Applied]) -> None:
    """Raise InputError for functions that another stack's state still holds: they would be destroyed there.

    ``wanted`` are the names of the functions in each stack.
    """
    lines = list(_moves(wanted, applied))
    if lines:
        raise InputError(
            "functions changed their stack; one state would destroy them while another makes them again",
            facts=lines,
            hint="move their resources between the states first (docs/how-to/stacks.md), or put `stack` back, "
            "then run `invoke plan`",
        )


def _moves(wanted: Mapping[str, Iterable[str]], applied: Mapping[str, Applied]) -> Iterator[str]:
    holders = {name: each.stack for each in applied.values() for name in each.functions}
    for stack, names in wanted.items():
        for name in names:
            holder = holders.get(name, stack)
            if holder != stack:
                yield f"functions/{name}: expected stack {holder or OWN}, which has it, got {stack or OWN}"

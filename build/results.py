"""The words, continued: what the stages give once artifacts exist.

As in `model`: frozen, and nothing is filled in later.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from build.digest import Digest
from build.model import Architecture, Artifact, Distribution, Workspace

_KIND = re.compile(r"(\w+)\.\w+(\[[^\]]*\])?$")
"""Of a resource in its address; a key of for_each may hold dots."""
_HOLDS_DATA = {
    "aws_cloudwatch_log_group",
    "aws_dynamodb_table",
    "aws_ecr_repository",
    "aws_kinesis_stream",
    "aws_lambda_function",
    "aws_s3_bucket",
    "aws_sqs_queue",
}

# ── publish, hand-off, plan, roll out ─────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedArtifact:
    """An artifact and where AWS finds its bytes."""

    artifact: Artifact
    location: str
    """Key in the env's artifact bucket: ``functions/orders/<hex>.zip``."""
    uploaded: bool
    """False when the same bytes were already there."""

    def to_json(self) -> dict[str, Any]:
        """Return what another machine has to know of it; the file itself stays here."""
        each = self.artifact
        return {
            **{f.name: getattr(each, f.name) for f in fields(each)},
            "path": "",
            "digest": str(each.digest),
            "saved": dict(each.saved),
            "distributions": [{**asdict(d), "wheel": str(d.wheel)} for d in each.distributions],
            "location": self.location,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Return what `to_json` was made of, without the file. Raises KeyError, TypeError or ValueError for others."""
        rest = {key: value for key, value in row.items() if key != "location"}
        distributions = ({**each, "wheel": Digest.parse(each["wheel"])} for each in row["distributions"])
        artifact = Artifact(
            **{
                **rest,
                "path": Path(),
                "digest": Digest.parse(row["digest"]),
                "architectures": tuple(map(Architecture, row["architectures"])),
                "distributions": tuple(Distribution(**each) for each in distributions),
            }
        )
        return cls(artifact=artifact, location=row["location"], uploaded=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange:
    """One resource a plan would touch."""

    address: str
    actions: tuple[str, ...]
    """Terraform's: create, update, delete, or delete and create for a replacement."""
    changed: tuple[str, ...] = field(default=())
    """Names of the attributes that differ."""

    @property
    def deletes(self) -> bool:
        """True for a delete, alone or as part of a replacement."""
        return "delete" in self.actions

    @property
    def loses_data(self) -> bool:
        """True when it deletes what nothing brings back: messages, logs, objects, items, a function's versions."""
        return self.deletes and _kind_of(self.address) in _HOLDS_DATA


def _kind_of(address: str) -> str:
    kind = _KIND.search(address)
    return kind[1] if kind else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A saved Terraform plan."""

    path: Path
    changes: tuple[ResourceChange, ...]
    stack: str = ""
    """Whose state it is about; empty for the env's own."""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What ``terraform show -json`` says of it; empty when it changes nothing."""
    inputs: str = ""
    """Digest of the hand-off and of all else that decided it."""
    state: str = ""
    """ETag of the state it was made against."""

    @property
    def replaces_functions(self) -> bool:
        """True when it makes a function anew: what Lambda holds by the function's name goes with the old one."""
        return any(
            change.deletes and "create" in change.actions and _kind_of(change.address) == "aws_lambda_function"
            for change in self.changes
        )

    @property
    def is_empty(self) -> bool:
        """True when applying would change nothing."""
        return not self.changes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFunction:
    """A function as Terraform's outputs give it."""

    name: str
    function_name: str
    arn: str
    version: str
    """The published version Terraform sees as newest."""
    log_group: str
    queue_urls: Mapping[str, str]
    """By trigger name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentGroup:
    """Where CodeDeploy shifts the callers of one function."""

    application: str
    name: str
    hooks: Mapping[str, str]
    """What the function is called that CodeDeploy asks, by lifecycle event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What an apply leaves for the roll-out."""

    functions: Mapping[str, DeployedFunction]
    layers: Mapping[str, str]
    """ARN of the newest version of each Lambda layer, by its key in the hand-off."""
    http_api_urls: tuple[str, ...]
    """One for each stack that has routes."""
    alarms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names of each function's alarms, by its name; without those that have none."""
    deployment_groups: Mapping[str, DeploymentGroup] = field(default_factory=dict)
    """Of each function that CodeDeploy shifts, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What the roll-out did with one function's live alias."""

    function: DeployedFunction
    version: str
    """The published version of what this checkout holds."""
    before: str
    """The version the alias named."""
    live: str
    """The version it names now: `version`, unless somebody had moved the alias away from it on purpose."""

    @property
    def moved(self) -> bool:
        """True when callers now reach another version."""
        return self.live != self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a function said to an event."""

    name: str
    event: str
    """File name of the event, or how it was given."""
    payload: str
    """JSON, as Lambda returns it."""
    error: str | None
    """``Unhandled`` when the function failed, else None."""
    log_tail: str
    """The last 4 KB the invocation logged."""
    seconds: float
    """From sending the event to the answer."""
    version: str = ""
    """Of the function, that gave it."""
    request_id: str = ""


# ── whole roads ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """Everything up to `plan`."""

    workspace: Workspace
    published: tuple[PublishedArtifact, ...]
    handoff: Mapping[str, Any]
    """Of the whole env."""
    handoff_digest: Digest
    plans: tuple[Plan, ...]
    """One for each stack that was planned."""
    settled: tuple[str, ...]
    """Stacks that were not planned: what decides their plan is what was applied last."""

    @property
    def changes(self) -> tuple[ResourceChange, ...]:
        """Of all plans."""
        return tuple(change for plan in self.plans for change in plan.changes)

    @property
    def artifacts(self) -> Mapping[str, Artifact]:
        """By identity; of a layer with several, the last."""
        return {each.artifact.identity: each.artifact for each in self.published}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """Everything."""

    planned: Planned
    outputs: Outputs
    rollouts: tuple[Rollout, ...]
    release: str | None
    """Its number; None when the ledger already says what runs."""
    answers: tuple[Answer, ...]
    """To each function's first sample event; on the embedded cloud only."""

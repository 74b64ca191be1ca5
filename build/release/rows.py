"""What the ledger holds: a row for each release, enough to know what ran and to bring it back without building."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

SCHEMA_VERSION = 2
DEPLOY, ROLLBACK, RESTORE, WATCH = "deploy", "rollback", "restore", "watch"
UNFINISHED, FINISHED, FAILED, RETURNED, DRIFTED = "unfinished", "finished", "failed", "returned", "drifted"
SETTLED = frozenset({FINISHED, RETURNED})
"""Outcomes after which the env is what the row says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who released."""

    arn: str = ""
    """Of the caller, as STS gives it."""
    run: str = ""
    """Address of the CI run, if it was one."""
    actor: str = ""
    """Who started that run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """An artifact, as a row names it."""

    digest: str
    key: str
    """Where in the artifact bucket its bytes are."""
    size_bytes: int
    distributions: Mapping[str, str]
    """Version by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was planned for one stack."""

    digest: str
    """Of Terraform's plan file; empty if it changed nothing."""
    changes: int
    """Resources it touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointed:
    """Where an alias pointed."""

    version: str
    weights: Mapping[str, float] = field(default_factory=dict)
    """Shares of other versions, by version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One row. What stands below `outcome` is known when it ended; rows of the first schema lack most of the rest."""

    id: str
    """A number; in the first schema a time and part of a digest."""
    env: str
    at: str
    """ISO 8601, UTC: when it began to change the env."""
    commit: str | None
    """Of the checkout that was deployed; None outside git."""
    dirty: bool
    """True when the checkout had changes that no commit holds."""
    handoff_digest: str
    handoff: Mapping[str, Any]
    kind: str = DEPLOY
    of: str = ""
    """Id of the release that a rollback or restore goes back to, or that a resumed deploy finishes."""
    by: Author = Author()
    locks: Mapping[str, str] = field(default_factory=dict)
    """Digest of the lock by place: ``functions/orders``."""
    artifacts: Mapping[str, Recorded] = field(default_factory=dict)
    """By their place: ``functions/orders``, ``layers/data-python3.13-x86_64``."""
    stacks: Mapping[str, str] = field(default_factory=dict)
    """The stack of every function that is not in the env's own."""
    plans: Mapping[str, Applied] = field(default_factory=dict)
    """By stack; the env's own has no name."""
    review: str = ""
    """Digest of the change, as the review has it; empty if none was made."""
    verdict: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)
    """Version by name: ``python``, ``terraform``, ``aws`` (the provider), ``slipway``."""
    before: Mapping[str, Pointed] = field(default_factory=dict)
    """Where the live alias of each function pointed."""
    schema: int = SCHEMA_VERSION
    outcome: str = UNFINISHED
    ended_at: str = ""
    """ISO 8601, UTC."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Function to the version that was published of it."""
    live: Mapping[str, str] = field(default_factory=dict)
    """Function to the version its live alias names; of a release that failed, as far as could be seen."""
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds by stage."""
    error: str = ""
    """Why it failed or went back; one line."""

    @property
    def is_settled(self) -> bool:
        """True when the env was what the row says as it ended."""
        return self.outcome in SETTLED

    @property
    def taken_back(self) -> Mapping[str, str]:
        """Functions whose callers do not reach the version that was published of them, with that version."""
        return {name: version for name, version in self.versions.items() if self.live.get(name, version) != version}

    def again(self, *, kind: str, of: str, by: Author, tools: Mapping[str, str]) -> "Release":
        """Return a row, without a number yet, of the same things done again: as ``kind``, because of release ``of``."""
        return Release(
            id="",
            env=self.env,
            at="",
            commit=self.commit,
            dirty=self.dirty,
            handoff_digest=self.handoff_digest,
            handoff=self.handoff,
            kind=kind,
            of=of,
            by=by,
            locks=self.locks,
            artifacts=self.artifacts,
            stacks=self.stacks,
            tools=tools,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the whole row."""
        return asdict(self)

    def begun(self) -> dict[str, Any]:
        """Return what is known before anything changes."""
        return {key: value for key, value in asdict(self).items() if key not in _ENDING}

    def ended(self) -> dict[str, Any]:
        """Return what is known afterwards."""
        return {"id": self.id, **{key: value for key, value in asdict(self).items() if key in _ENDING}}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Return the release that ``row`` tells of; it may be of an older schema, or have keys of a newer one."""
        known = {each.name for each in fields(cls)}
        row = {key: value for key, value in row.items() if key in known}
        if "schema" not in row:  # the first: written once, when all was done
            row = {**row, "schema": 1, "outcome": FINISHED, "ended_at": row["at"]}
        if "by" in row:
            row["by"] = Author(**row["by"])
        for key, kind in _OF.items():
            row[key] = {name: kind(**each) for name, each in row.get(key, {}).items()}
        return cls(**row)


def brought_forward(row: Mapping[str, Any], handoff: Mapping[str, Any]) -> dict[str, str]:
    """Return the functions that were taken back as ``row``, JSON of a release, says, and that ``handoff`` changes.

    With the version that was taken back: what deploys the hand-off brings it forward again, and what came since.
    """
    live, then, now = row.get("live", {}), row.get("handoff", {}).get("functions", {}), handoff["functions"]
    return {
        name: version
        for name, version in sorted(row.get("versions", {}).items())
        if live.get(name, version) != version and name in now and now[name] != then.get(name)
    }


_OF: Mapping[str, type[Recorded | Applied | Pointed]] = {"artifacts": Recorded, "plans": Applied, "before": Pointed}
_ENDING = ("outcome", "ended_at", "versions", "live", "durations", "error")

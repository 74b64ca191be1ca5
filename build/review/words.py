"""The words of the plan review; `changes` has those of a single function. A renderer needs nothing but a `Review`.

No value here is a secret: of environment variables there are names only, of what Terraform marks sensitive there is
`SENSITIVE`, of resources that Slipway does not know there are the paths of attributes. Texts are plain and come partly
from file names and policies: whoever puts them into HTML or Markdown escapes them.
"""

from dataclasses import dataclass
from enum import StrEnum

from build.review.changes import Change, FunctionReview, KeyChange, LayerReview


class Verdict(StrEnum):
    """What a reviewer has to do, from nothing to much."""

    SAFE = "safe"
    LOOK = "look"
    DANGEROUS = "dangerous"

    @property
    def rank(self) -> int:
        """0 for safe, 2 for dangerous."""
        return list(Verdict).index(self)


class Direction(StrEnum):
    """Where a cost goes."""

    UP = "up"
    DOWN = "down"
    SAME = "same"
    UNKNOWN = "unknown"
    """Some go up, some down, and how much depends on the traffic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why the verdict is not better than it is. Every reason is there, also those of what is safe."""

    rule: str
    """Of `build.review.rules`: ``data-lost``."""
    verdict: Verdict
    subject: str
    """``functions/orders``, ``layers/data``, else the Terraform address, after ``stack: `` if there are stacks."""
    text: str
    """Without the subject, so that the same reason of many subjects is the same text: ``memory_mb 512 → 1024``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The release that runs now."""

    id: str
    at: str
    """ISO 8601, UTC."""
    commit: str | None
    dirty: bool
    """True when the checkout had changes that no commit holds."""
    url: str | None
    """Of the commit on GitHub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A permission that somebody gains or loses. What was only written otherwise is none."""

    subject: str
    """Whose page it belongs on: ``functions/orders``, or a Terraform address."""
    address: str
    """Of the resource that gives it."""
    kind: str
    """``role`` (its own policy), ``managed policy``, ``boundary``, ``trust`` (who may take the role),
    ``resource`` (who may use a function, queue, topic, bucket, key)."""
    gained: bool
    """True also for a Deny that goes."""
    who: str
    """Who may: ``functions/orders``, ``s3.amazonaws.com``, ``account 123456789012``, ``anyone``."""
    text: str
    """``may now dynamodb:PutItem on table/orders-prod (arn:…)``."""
    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    condition: str = ""
    """Canonical JSON; empty for none."""
    wildcards: tuple[str, ...] = ()
    """Actions, resources and principals with * or ? that make it wide."""
    reason: str | None = None
    """As the hand-off's permissions give it for a wildcard."""
    is_wide: bool = False
    """True when they reach a whole service or more, or nobody wrote why."""
    is_public: bool = False
    """True when anyone on the internet, or in any account, gets it."""

    @property
    def sentence(self) -> str:
        """``functions/orders may now dynamodb:PutItem on …``."""
        return f"{self.who} {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A resource that is destroyed, alone or to be made anew."""

    subject: str
    address: str
    kind: str
    """``queue``, ``log group``; ``aws_foo`` where Slipway has no word."""
    name: str
    """On AWS, where it is known."""
    replaced: bool
    """True when a new one takes its place."""
    lost: tuple[str, ...]
    """What nothing brings back: ``the messages in it``. Empty for what holds nothing."""
    why: tuple[str, ...]
    """``name cannot be changed in place``, ``no longer in the configuration``."""
    loses_data: bool
    """True when what is lost is data, or a way back to what ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A sentence on a subject: an interruption, something public."""

    subject: str
    address: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one change costs."""

    subject: str
    text: str
    """``memory_mb 512 → 1024``."""
    direction: Direction
    before_usd: float | None
    """None: was not there, or is not known."""
    after_usd: float | None
    per: str
    """What the figures are for: ``month``, ``million invocations of 1 s``, ``GB of log lines kept for a month``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Where the monthly bill goes."""

    direction: Direction
    monthly_usd: tuple[float, float]
    """Before and after, of those changes alone that cost the same in any month, whatever the traffic."""
    items: tuple[Cost, ...]
    prices: str
    """Date, region and source of the price table."""
    assumes: tuple[str, ...]
    """What the figures leave out or take for granted, a sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """Something that changed outside Terraform since the last apply."""

    subject: str
    address: str
    kind: str
    name: str
    change: Change
    """REMOVED: it was deleted outside."""
    attributes: tuple[str, ...]
    """Paths; sorted."""
    is_undone: bool
    """True when this plan touches the resource, too: it may take the foreign change back."""
    grants: tuple[Grant, ...] = ()
    """Permissions that were gained or lost by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One line of the plan."""

    subject: str
    address: str
    stack: str
    kind: str
    name: str
    change: Change
    attributes: tuple[str, ...]
    """Paths that differ, sorted; empty for what is added or removed."""
    moved_from: str | None = None
    """Its earlier address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a plan would change, and whether that is well."""

    env: str
    repository: str
    """The name in slipway.toml."""
    at: str
    """ISO 8601, UTC: when it was made."""
    commit: str | None
    """Of the checkout that was planned."""
    commit_url: str | None
    compare_url: str | None
    """GitHub's page of what lies between the release that runs now and this commit."""
    running: Running | None
    """None: nothing was released yet."""
    verdict: Verdict
    """The worst of the reasons'; safe if there is none."""
    reasons: tuple[Reason, ...]
    """The worst first."""
    functions: tuple[FunctionReview, ...]
    """Those that change, by name."""
    unchanged: int
    """How many functions do not."""
    layers: tuple[LayerReview, ...]
    grants: tuple[Grant, ...]
    """Gained first."""
    public: tuple[Note, ...]
    """What the internet, or any AWS account, reaches now and did not before."""
    losses: tuple[Loss, ...]
    """Those of data first."""
    interruptions: tuple[Note, ...]
    costs: Costs
    drift: tuple[Drift, ...]
    resources: tuple[Resource, ...]
    """Every line of the plan, by stack and address."""
    outputs: tuple[KeyChange, ...]
    """Terraform outputs, by name."""
    stacks: tuple[str, ...]
    """Names of all that were planned; empty in a repository without stacks."""
    commands: tuple[str, ...]
    """Bare terraform commands that do the same."""
    digest: str
    """Of the change itself, values included and times left out: equal for the same change."""

    @property
    def is_empty(self) -> bool:
        """True when applying would change nothing."""
        return not self.resources and not self.outputs

    def count(self, change: Change) -> int:
        """Return how many resources are added, changed, replaced or removed."""
        return sum(resource.change is change for resource in self.resources)

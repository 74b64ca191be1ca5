"""The words for what changes in a function or a Lambda layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

SENSITIVE = "(sensitive)"
"""Stands for a value that nobody may see."""
UNKNOWN = "(known after apply)"
"""Stands for a value that AWS will choose."""
_LEAST_NOISE_MS, _NOISE = 10.0, 0.15
"""A step of a handler's import time that is smaller, or a smaller part of it, is none."""


class Change(StrEnum):
    """What happens to a thing."""

    ADDED = "added"
    CHANGED = "changed"
    REPLACED = "replaced"
    """Destroyed and made anew."""
    REMOVED = "removed"
    MOVED = "moved"
    """It got another address in Terraform; nothing happens on AWS."""
    IMPORTED = "imported"
    """Terraform takes charge of what is there."""
    FORGOTTEN = "forgotten"
    """Terraform no longer takes care of it; it stays on AWS."""

    @property
    def sign(self) -> str:
        """One character: + ~ ± - → ← ·."""
        return dict(zip(Change, "+~±-→←·", strict=True))[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file of the folder's own src/; bytecode is not listed."""

    path: str
    change: Change
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyChange:
    """A distribution that came, went, or has another version or other bytes."""

    name: str
    before: str | None
    """Version; None if it was not there."""
    after: str | None
    """Version; None if it is gone."""
    step: str
    """``added``, ``removed``, ``major``, ``minor``, ``patch``, ``same version``; with `` down`` if it goes back."""
    before_bytes: int
    """Unzipped."""
    after_bytes: int

    @property
    def text(self) -> str:
        """``requests 2.31.0 → 2.32.3``."""
        if self.before == self.after:
            return f"{self.name} {self.after} has other files"
        if self.before is None:
            return f"{self.name} {self.after} added"
        return f"{self.name} {self.before} → {self.after}" if self.after else f"{self.name} {self.before} removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeChange:
    """An artifact with other bytes."""

    before_digest: str | None
    """Hex; None if there was none."""
    after_digest: str | None
    """Hex; None if there will be none."""
    is_known: bool
    """False when the artifact that runs now could not be read: `files`, `dependencies` and bytes then say nothing."""
    files: tuple[FileChange, ...] = ()
    """Sorted by path."""
    dependencies: tuple[DependencyChange, ...] = ()
    """Sorted by name."""
    zip_bytes: tuple[int, int] | None = None
    """Before and after."""
    unzipped_bytes: tuple[int, int] | None = None
    """Before and after; what the 250 MB quota counts."""

    def count(self, change: Change) -> int:
        """Return how many own files were added, changed or removed."""
        return sum(file.change is change for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTime:
    """How long a handler takes to import, cold, where the plan was made: the fastest of a few runs, by turns."""

    before_s: float = 0.0
    after_s: float = 0.0
    noise_s: float = 0.0
    """What the runs of one side differ anyway: a step within it says nothing."""
    not_measured: str = ""
    """Why there is no time."""

    @classmethod
    def of(cls, before_ms: Sequence[float], after_ms: Sequence[float]) -> Self:
        """Return what two or more runs of each side say; how much slower the second best is tells of the noise."""
        (before, second), (after, other) = (sorted(each)[:2] for each in (before_ms, after_ms))
        noise = max(_LEAST_NOISE_MS, _NOISE * before + (second - before) + (other - after))
        return cls(before_s=before / 1000, after_s=after / 1000, noise_s=noise / 1000)

    @property
    def differs(self) -> bool:
        """True when the step is more than noise."""
        return abs(self.after_s - self.before_s) > self.noise_s

    @property
    def text(self) -> str:
        """``import 0.21 s → 0.38 s (+0.17 s)``."""
        if self.not_measured:
            return f"import not measured: {self.not_measured}"
        if not self.differs:
            return f"import about the same, {self.after_s:.2f} s"
        step = self.after_s - self.before_s
        sign = "+" if step > 0 else "−"
        return f"import {self.before_s:.2f} s → {self.after_s:.2f} s ({sign}{abs(step):.2f} s)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """A setting in the words of function.toml, or an attribute's path where function.toml has no word for it."""

    name: str
    before: str | None
    """As shown to people; None if it was not set, `SENSITIVE` on both sides if nobody may see it."""
    after: str | None

    @property
    def text(self) -> str:
        """``memory_mb 512 → 1024``."""
        if self.before == self.after:
            return f"{self.name} changed"
        return f"{self.name} {self.before or 'none'} → {self.after or 'none'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """An environment variable, or a layer, by its name; never a value."""

    name: str
    change: Change

    @property
    def text(self) -> str:
        """``LOG_LEVEL changed``."""
        return f"{self.name} {self.change}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerChange:
    """Something that invokes a function."""

    kind: str
    """As in function.toml: http, url, queue, topic, event, schedule, bucket, stream, load_balancer."""
    name: str
    """``POST /orders``, or the name of the queue."""
    change: Change
    settings: tuple[SettingChange, ...] = ()

    @property
    def text(self) -> str:
        """``http POST /orders added``."""
        details = ", ".join(setting.text for setting in self.settings)
        return f"{self.kind} {self.name} {self.change}{f': {details}' if details else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionReview:
    """A function that changes."""

    name: str
    """Of its folder."""
    function_name: str
    """On AWS."""
    stack: str
    """Empty in a repository without stacks."""
    change: Change
    live: str | None
    """The version that callers reach now; None if it is not deployed."""
    code: CodeChange | None = None
    """None: the same bytes."""
    import_time: ImportTime | None = None
    """None: neither its code nor its layers change, or it is new."""
    settings: tuple[SettingChange, ...] = ()
    """Empty for a function that is added or removed."""
    environment: tuple[KeyChange, ...] = ()
    triggers: tuple[TriggerChange, ...] = ()
    layers: tuple[KeyChange, ...] = ()
    """Layers it gets, loses or has in another version, by their key in the hand-off, else by ARN."""
    others: tuple[str, ...] = ()
    """What else of it changes: ``log group updated (retention_in_days)``."""

    @property
    def subject(self) -> str:
        """``functions/orders``: what reasons, grants, losses and costs call it."""
        return f"functions/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerReview:
    """A Lambda layer of this repository that changes, once for all functions that use it."""

    name: str
    """Its key in the hand-off."""
    change: Change
    functions: tuple[str, ...]
    """Names of those that will use it; of a removed one, those that did."""
    code: CodeChange | None = None

    @property
    def subject(self) -> str:
        """``layers/data``."""
        return f"layers/{self.name}"

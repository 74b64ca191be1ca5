"""The words: every frozen value that crosses a stage, up to finished artifacts; `results` has the rest.

A stage takes these and gives new ones; nothing is filled in later.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

from build.digest import Digest
from build.http import HttpApi
from build.image import Assembled
from build.options import Dockerfile, Options
from build.rules.arns import FOREIGN_LAYER
from build.triggers import Triggers

LOCAL = "local"
"""The env of the embedded cloud."""

ZIP, IMAGE = "zip", "image"
"""Package types, as function.toml has them."""

SLIMMING = ("tests", "stubs", "native-sources")
"""Kinds of files of distributions that do not ship unless a folder keeps them."""

_RUNTIME = re.compile(r"python3\.(\d{1,2})")


class Architecture(StrEnum):
    """Instruction sets Lambda offers, in AWS's words."""

    X86_64 = "x86_64"
    ARM64 = "arm64"


@dataclass(frozen=True, slots=True, order=True)
class Runtime:
    """A Lambda Python runtime, for example ``python3.13``."""

    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``python3.13``; raise ValueError for anything else."""
        match = _RUNTIME.fullmatch(text)
        if not match:
            msg = f"not a Python runtime: {text!r}"
            raise ValueError(msg)
        return cls(int(match[1]))

    @property
    def version(self) -> str:
        """``3.13``."""
        return f"3.{self.minor}"

    def __str__(self) -> str:
        return f"python{self.version}"


@dataclass(frozen=True, slots=True, order=True)
class Target:
    """What an artifact is built for."""

    runtime: Runtime
    architecture: Architecture

    def __str__(self) -> str:
        return f"{self.runtime} on {self.architecture}"


# ── discover ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Env:
    """One place to deploy to: local, dev, prod."""

    name: str
    region: str
    account_id: str
    """Twelve digits. Deploying to any other account is refused."""
    artifact_bucket: str
    watch: bool = False  # True where saved code may run unreleased

    @property
    def partition(self) -> str:
        """Of the env's ARNs: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html."""
        prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "eusc-": "aws-eusc"}
        return next((name for prefix, name in prefixes.items() if self.region.startswith(prefix)), "aws")

    @property
    def is_local(self) -> bool:
        """True for the embedded cloud, which needs no account."""
        return self.name == LOCAL


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """A folder under functions/, with its settings for one env."""

    name: str
    folder: Path
    description: str
    target: Target
    handler: str
    """``module.function`` below src/."""
    package: str = ZIP
    base_image: str = ""
    """``HOST/REPOSITORY:TAG@DIGEST`` that its image is made on; empty for AWS's own."""
    dockerfile: Dockerfile | None = None
    """What the Dockerfile in its folder is built with; None where Slipway assembles the image, and for a zip."""
    layers: tuple[str, ...]
    """Folder names under layers/, ARNs of layer versions, ``{custom.NAME}``; in the order they are merged in /opt."""
    memory_mb: int
    timeout_s: int
    ephemeral_storage_mb: int
    keep: tuple[str, ...]
    """Slimming rules that are switched off for it."""
    environment: Mapping[str, str]
    log_retention_days: int
    reserved_concurrency: int | None
    triggers: Triggers
    options: Options

    @property
    def identity(self) -> str:
        """``functions/orders``: how people and messages name it."""
        return f"functions/{self.name}"

    @property
    def is_image(self) -> bool:
        """True for what ships as a container image."""
        return self.package == IMAGE

    @property
    def own_layers(self) -> tuple[str, ...]:
        """Those of `layers` that are folders of this repository."""
        return tuple(layer for layer in self.layers if not layer.startswith(FOREIGN_LAYER))

    @property
    def foreign_layers(self) -> tuple[str, ...]:
        """Those of `layers` whose content nobody here knows: ARNs, and what terraform/custom/ gives."""
        return tuple(layer for layer in self.layers if layer.startswith(FOREIGN_LAYER))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSpec:
    """A folder under layers/."""

    name: str
    folder: Path
    description: str
    runtimes: tuple[Runtime, ...]
    architectures: tuple[Architecture, ...]
    keep: tuple[str, ...]
    """Slimming rules that are switched off for it."""

    @property
    def identity(self) -> str:
        """``layers/data``: how people and messages name it."""
        return f"layers/{self.name}"

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every runtime on every architecture."""
        return tuple(Target(r, a) for a in self.architectures for r in self.runtimes)


Spec = FunctionSpec | LayerSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteStore:
    """Where the store's objects are shared: `[store]` of slipway.toml."""

    bucket: str
    prefix: str
    """Of the keys of its objects, without a slash at either end; may be empty."""
    account_id: str | None
    """The account the bucket must belong to, if that is said."""

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Everything the repository wants deployed to one env."""

    root: Path
    name: str
    """The repository's name; prefix of every AWS name."""
    env: Env
    functions: tuple[FunctionSpec, ...]
    layers: tuple[LayerSpec, ...]
    layer_sizes: Mapping[str, int] = field(default_factory=dict)
    """Unzipped bytes of foreign layers."""
    remote_store: RemoteStore | None = None
    github_repository: str | None = None  # organisation/repository
    http_api: HttpApi = field(default_factory=HttpApi)

    @property
    def is_empty(self) -> bool:
        """True when there is no function and no layer."""
        return not self.functions and not self.layers

    @property
    def prefix(self) -> str:
        """``slipway-prod``: what AWS names start with."""
        return f"{self.name}-{self.env.name}"

    @property
    def generated(self) -> Path:
        """Where everything generated goes."""
        return self.root / ".artifacts"

    @property
    def specs(self) -> tuple[Spec, ...]:
        """Every folder, layers first: functions lean on them."""
        return (*self.layers, *self.functions)

    @property
    def env_folder(self) -> Path:
        """Where what is generated for the env goes: the hand-off, the plan, Terraform's data."""
        return self.generated / self.env.name

    def function_name(self, name: str) -> str:
        """Return what AWS calls the function ``name``."""
        return f"{self.prefix}-{name}"

    def log_group(self, name: str) -> str:
        """Return the log group of the function ``name``."""
        return f"/aws/lambda/{self.function_name(name)}"

    def filled(self, arn: str) -> str:
        """Return ``arn`` with our placeholders filled in, and no others: policies have variables of their own."""
        env = self.env
        values = {"name": self.name, "env": env.name, "region": env.region, "account": env.account_id}
        for placeholder, value in {**values, "partition": env.partition}.items():
            arn = arn.replace(f"{{{placeholder}}}", value)
        return arn


# ── resolve ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel on disk whose digest was checked when it entered the store."""

    name: str
    """Normalised distribution name (PEP 503)."""
    version: str
    path: Path
    digest: Digest


# ── assemble ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """What an artifact holds of one wheel."""

    name: str
    version: str
    size_bytes: int
    """Unzipped, bytecode included."""
    wheel: Digest
    """Of the wheel it came from."""
    filename: str
    """The wheel's. Its survey is in the store; it need not be, where the artifact came from a remote one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A built zip."""

    identity: str
    """``functions/orders`` or ``layers/data``."""
    key: str
    """Unique in the hand-off: the function's name; the layer's, with its architecture if it has several."""
    architectures: tuple[Architecture, ...]
    path: Path
    digest: Digest
    size_bytes: int
    """Of the zip."""
    unzipped_bytes: int
    """What the 250 MB quota counts."""
    source_bytes: int
    """Unzipped size of the folder's own src/, bytecode included."""
    bytecode_bytes: int
    """Of `unzipped_bytes`, how much is bytecode."""
    distributions: tuple[Distribution, ...]
    saved: Mapping[str, int]
    """Slimming rule to unzipped bytes that it left out, before bytecode; ``bytecode`` is what there was no room for."""
    changed: bool
    """False when the bytes were already in the store."""

    @property
    def place(self) -> str:
        """``functions/orders`` or ``layers/data-arm64``: unique, and a path where files about it are named after it."""
        return f"{self.identity.partition('/')[0]}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """The artifacts of one workspace."""

    functions: Mapping[str, Artifact]
    """By function name."""
    layers: Mapping[tuple[str, Architecture], Artifact]
    """By layer name and architecture; two architectures may share one artifact."""
    images: Mapping[str, Assembled] = field(default_factory=dict)
    """By name, of the functions that ship as an image; the artifact of such a one holds what is its own in it."""

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Each artifact once, layers first, in the order of their keys."""
        return (*self.layer_artifacts, *(self.functions[name] for name in sorted(self.functions)))

    def shipped(self, name: str) -> Artifact:
        """Return what of a function is published: its artifact, and in place of its zip the image, if it is one."""
        artifact, made = self.functions[name], self.images.get(name)
        return replace(artifact, digest=made.image.digest, size_bytes=made.image.size_bytes) if made else artifact

    @property
    def image_places(self) -> frozenset[str]:
        """Places of the artifacts that ship as images."""
        return frozenset(self.functions[name].place for name in self.images)

    @property
    def layer_artifacts(self) -> tuple[Artifact, ...]:
        """Each layer's artifacts once, in the order of their keys."""
        by_key = {a.key: a for a in self.layers.values()}
        return tuple(by_key[key] for key in sorted(by_key))

    def layers_of(self, function: FunctionSpec) -> tuple[Artifact, ...]:
        """Return the artifacts of the function's own layers, in its order, as far as they are built."""
        keys = ((layer, function.target.architecture) for layer in function.own_layers)
        return tuple(self.layers[key] for key in keys if key in self.layers)


# ── check ─────────────────────────────────────────────────────────────────────────────────────


class Severity(StrEnum):
    """Errors stop a build, warnings print."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check reports."""

    rule: str
    severity: Severity
    subject: str
    """``functions/orders``."""
    message: str
    """With expected and got."""
    hint: str
    details: tuple[str, ...] = ()
    """Lines to show below the message, such as a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Everything up to `check`."""

    workspace: Workspace
    build: Build
    findings: tuple[Finding, ...]
    beside: tuple[str, ...]
    """Projects of the repository outside functions/ and layers/ that went into it, relative to the root."""

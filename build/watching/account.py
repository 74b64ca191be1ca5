"""What is watched runs in a real account: published, live, and in the ledger as what was not released.

Settings, layers, roles and triggers stay as they were deployed. https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from build import pipeline, recording
from build.errors import InputError
from build.imaging import publish_images
from build.local.deployment import Initialised
from build.local.overlays import Swapped
from build.model import Built, FunctionSpec, Workspace
from build.release.aliases import point, weights_of
from build.release.aws import Aws, asking
from build.release.handoff import artifact_of, code_sha256_of
from build.release.journal import Journal
from build.release.publishers import S3Publisher, publish_all
from build.release.rows import DRIFTED, WATCH, Release
from build.release.schedule import ALIAS
from build.report import Reporter

_VERB = "watch --sync"


@dataclass(slots=True, kw_only=True)
class Account:
    """The account of an env. `close` says in the ledger what was left."""

    workspace: Workspace
    aws: Aws
    _journal: Journal | None = None
    _live: dict[str, str] = field(default_factory=dict)

    def require(self) -> None:
        """Raise InputError unless something was released that can run other code."""
        self._newest()

    def swap(self, built: Built, show: Reporter) -> Iterator[tuple[FunctionSpec, Swapped]]:
        """Publish what was built and take callers there; yield what became of every function.

        Raises ToolError while somebody deploys.
        """
        env = self.workspace.env
        with recording.held(self.workspace, self.aws, show, verb=_VERB):
            newest = self._newest()
            zips = [each for each in built.build.functions.values() if each.place not in built.build.image_places]
            s3 = S3Publisher(s3=self.aws.client("s3"), bucket=env.artifact_bucket, owner=env.account_id)
            published = (*publish_all(zips, s3, on_progress=show.say), *publish_images(built, self.aws, show))
            for each in published:
                spec = next(spec for spec in built.workspace.functions if spec.name == each.artifact.key)
                place = {"S3Bucket": env.artifact_bucket, "S3Key": each.location}
                yield spec, self._swap(spec, built, {"ImageUri": each.location} if spec.is_image else place, newest)

    def warm(self, workspace: Workspace, spec: FunctionSpec) -> Initialised | None:
        """Start nothing: Lambda does so by itself."""

    def last_event(self, workspace: Workspace, spec: FunctionSpec) -> bytes | None:
        """Return None: Lambda does not tell."""

    def invoker(self, workspace: Workspace) -> Any:  # noqa: ARG002  # it is always the same
        """Return what invokes functions."""
        return self.aws.invoker()

    def close(self) -> None:
        """Write down which versions callers were left with."""
        if self._journal:
            left = ", ".join(f"{name} at version {version}" for name, version in sorted(self._live.items()))
            self._journal.end(DRIFTED, live={**self._journal.release.live, **self._live}, error=f"watched: {left}")
            self._journal = None

    def _newest(self) -> Release:
        env = self.workspace.env.name
        newest = recording.ledger(self.workspace, self.aws).newest()
        if newest is None:
            raise InputError(f"nothing was released to {env} yet", hint=f"run `invoke deploy --env {env}`")
        return newest

    def _swap(self, spec: FunctionSpec, built: Built, place: Mapping[str, str], newest: Release) -> Swapped:
        name, client = self.workspace.function_name(spec.name), self.aws.client("lambda")
        digest = built.build.shipped(spec.name).digest
        code = digest.hex if spec.is_image else digest.base64
        with asking(f"swapping {name}", hint="save it again"):
            try:
                alias = client.get_alias(FunctionName=name, Name=ALIAS)
                now = client.get_function_configuration(FunctionName=name, Qualifier=alias["FunctionVersion"])
            except client.exceptions.ResourceNotFoundException:
                return Swapped.MISSING
            if weights_of(alias):
                raise InputError(f"callers of {name} are being shifted", hint="wait for that, then save it again")
            if not _fits(spec, built, now, newest):
                return Swapped.UNLIKE
            if now["CodeSha256"] == code:
                return Swapped.UNCHANGED
            self._begin(newest)
            target = [str(spec.target.architecture)]
            client.update_function_code(FunctionName=name, **place, Architectures=target)
            client.get_waiter("function_updated_v2").wait(FunctionName=name)
            version = released = _version_of(code, spec.name, newest)
            if not released:
                answer = client.publish_version(FunctionName=name, CodeSha256=code, Description=f"invoke {_VERB}")
                version = str(answer["Version"])
                client.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=version)
            point(client, name, version, {}, alias["RevisionId"])
        self._live[spec.name] = version
        return Swapped.DEPLOYED if released else Swapped.SWAPPED

    def _begin(self, newest: Release) -> None:
        """Write down that what runs is not what was released, once for each release."""
        if self._journal and self._journal.release.handoff_digest == newest.handoff_digest:
            return
        self.close()
        row = newest.again(kind=WATCH, of="", by=recording.author(self.aws), tools=newest.tools)
        self._journal = Journal(
            ledger=recording.ledger(self.workspace, self.aws), release=row, seconds=dict[str, float]
        )
        self._journal.begin()


def account(workspace: Workspace, show: Reporter) -> Account:
    """Return the account of an env that may be watched; raise InputError for any other."""
    env = workspace.env
    if not env.watch:
        raise InputError(
            f"env {env.name} is not to be watched: what is saved would run there unreleased",
            facts=[f"expected `watch = true` in [env.{env.name}] of slipway.toml"],
            hint=f"run `invoke watch --env local`, or `invoke deploy --env {env.name}`",
        )
    return Account(workspace=workspace, aws=pipeline.connect(workspace, show))


def _version_of(code: str, name: str, newest: Release) -> str:
    """Return the version of a function that was released, and live, with ``code``; empty if there is none."""
    version = newest.live.get(name)
    if version is None or newest.versions.get(name) != version:
        return ""
    return version if code_sha256_of(newest.handoff["functions"][name]) == code else ""


def _fits(spec: FunctionSpec, built: Built, now: Mapping[str, Any], newest: Release) -> bool:
    """Tell whether what is deployed differs from what was built in the function's own code alone."""
    if spec.is_image or now.get("PackageType") == "Image":
        return spec.is_image and now.get("PackageType") == "Image"
    settings = (now["Handler"], now["Runtime"], now.get("Architectures", ["x86_64"]), len(now.get("Layers", ())))
    wanted = (spec.handler, str(spec.target.runtime), [str(spec.target.architecture)], len(spec.layers))
    layers = newest.handoff["layers"]
    released = (artifact_of(layers.get(layer.key, {})) for layer in built.build.layers_of(spec))
    same = [each is not None and each["digest_hex"] for each in released]
    return settings == wanted and same == [layer.digest.hex for layer in built.build.layers_of(spec)]

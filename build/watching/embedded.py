"""What is watched runs in the embedded cloud, in place of what is deployed there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build import pipeline, recording
from build.errors import AwsError, InputError
from build.imaging import publish_images
from build.local import cloud
from build.local.cloud import Cloud
from build.local.deployment import Initialised
from build.local.overlays import Code, Swapped
from build.local.watched import Watched
from build.model import Built, FunctionSpec, Workspace
from build.report import Reporter

_DEPLOY = "run `invoke deploy --env local`"


@dataclass(frozen=True, slots=True)
class Embedded:
    """The embedded cloud of a repository, whichever process it is by now."""

    root: Path

    def require(self) -> None:
        """Raise InputError unless it runs."""
        self._cloud()

    def swap(self, built: Built, show: Reporter) -> Iterator[tuple[FunctionSpec, Swapped]]:
        """Let what was built run; yield what became of every function."""
        watched, workspace = self._watched(), built.workspace
        images = {}
        if built.build.images:  # what they have in common with the deployed ones is not sent again
            published = publish_images(built, pipeline.reach(workspace), show)
            images = {each.artifact.key: each.location for each in published}
        for spec in workspace.functions:
            yield spec, watched.swap(_arn(workspace, spec), _code(spec, built, images.get(spec.name, "")))

    def warm(self, workspace: Workspace, spec: FunctionSpec) -> Initialised | None:
        """Start an environment of what was swapped in."""
        return self._watched().warm(_arn(workspace, spec))

    def last_event(self, workspace: Workspace, spec: FunctionSpec) -> bytes | None:
        """Return what the function was invoked with last; None if it was not."""
        return self._watched().last_event(_arn(workspace, spec))

    def invoker(self, workspace: Workspace) -> Any:
        """Return what invokes functions."""
        return pipeline.reach(workspace).invoker()

    def close(self) -> None:
        """Leave what was swapped in, until something is deployed."""

    def _watched(self) -> Watched:
        return Watched(self._cloud())

    def _cloud(self) -> Cloud:
        running = cloud.running(self.root)
        if running is None:
            raise InputError("no embedded cloud runs, so nothing is deployed", hint=_DEPLOY)
        return running


def swapped_in(workspace: Workspace) -> dict[str, str]:
    """Return since when functions run watched code instead of what is deployed, ISO 8601, by name."""
    running = cloud.running(workspace.root)
    since = Watched(running).since() if running else {}
    arns = {spec.name: _arn(workspace, spec) for spec in workspace.functions}
    return {name: since[arn] for name, arn in arns.items() if arn in since}


def is_deployed(workspace: Workspace) -> bool:
    """Tell whether anything was released to the embedded cloud that runs."""
    if cloud.running(workspace.root) is None:
        return False
    try:
        return recording.ledger(workspace, pipeline.reach(workspace)).newest() is not None
    except AwsError:  # it has no bucket yet
        return False


def _arn(workspace: Workspace, spec: FunctionSpec) -> str:
    env = workspace.env
    return f"arn:aws:lambda:{env.region}:{env.account_id}:function:{workspace.function_name(spec.name)}"


def _code(spec: FunctionSpec, built: Built, image: str) -> Code:
    own = {layer: built.build.layers[layer, spec.target.architecture].digest.hex for layer in spec.own_layers}
    return Code(
        handler=spec.handler,
        runtime=str(spec.target.runtime),
        digest=built.build.shipped(spec.name).digest.hex,
        image=image,
        layers=() if spec.is_image else tuple(own.get(layer) for layer in spec.layers),
    )

"""Rules about Dockerfiles."""

from collections.abc import Iterator

from build.checks.problem import Problem
from build.images.instructions import Instructions
from build.model import Build, Workspace
from build.options import DOCKERFILE
from build.store.objects import Store


def unpinned(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of images under a Dockerfile that are named by a tag alone: it may lead to another one any day."""
    for function in workspace.functions:
        if function.dockerfile and (function.folder / DOCKERFILE).is_file():
            for image in Instructions.of(function.folder).unpinned(function.dockerfile.arguments):
                yield Problem(
                    subject=function.identity,
                    message=f"{DOCKERFILE}: expected {image} with a digest, got none: it may be another one tomorrow",
                    hint=f"write @sha256:… behind it, as `docker buildx imagetools inspect {image}` tells it",
                )

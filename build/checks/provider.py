"""Rules about what the pinned Terraform provider accepts."""

from collections.abc import Iterator

from build.checks.problem import Problem
from build.model import Build, Runtime, Workspace
from build.store.objects import Store

PROVIDER = "5.100.0"
"""The version in terraform/versions.tf that `NEWEST_RUNTIME` was measured with, by `terraform validate`."""
NEWEST_RUNTIME = Runtime(13)


def runtime_unknown(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of runtimes that AWS offers and the provider refuses."""
    runtimes = {spec.identity: (spec.target.runtime,) for spec in workspace.functions if not spec.is_image}
    for identity, wanted in {**runtimes, **{layer.identity: layer.runtimes for layer in workspace.layers}}.items():
        unknown = ", ".join(str(runtime) for runtime in wanted if runtime > NEWEST_RUNTIME)
        if unknown:
            yield Problem(
                subject=identity,
                message=f"expected at most {NEWEST_RUNTIME}, the newest that AWS provider {PROVIDER} knows, "
                f"got {unknown}: plan and deploy will end with `expected … to be one of …`",
                hint=f"choose {NEWEST_RUNTIME}, or a newer provider in terraform/versions.tf; then run `invoke plan`",
            )

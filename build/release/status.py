"""What is deployed, as Lambda itself says."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from build.model import Workspace
from build.release.aws import asking
from build.release.shifting import ALIAS


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One function as it runs."""

    name: str
    live: str
    """The version the live alias names; a dash when the function is not deployed."""
    newest: str
    runtime: str
    architecture: str
    digest: str
    """First twelve hex digits of the live version's artifact."""
    modified: str


def status_of(workspace: Workspace, client: Any) -> Iterator[Status]:
    """Yield the state of every function of ``workspace``."""
    for spec in workspace.functions:
        function_name = workspace.function_name(spec.name)
        with asking(f"reading {function_name}", hint="run `invoke doctor`"):
            try:
                yield _status(spec.name, function_name, client)
            except client.exceptions.ResourceNotFoundException:
                yield Status(name=spec.name, live="-", newest="", runtime="", architecture="", digest="", modified="")


def _status(name: str, function_name: str, client: Any) -> Status:
    alias = client.get_alias(FunctionName=function_name, Name=ALIAS)
    live = client.get_function_configuration(FunctionName=function_name, Qualifier=ALIAS)
    versions = client.get_paginator("list_versions_by_function").paginate(FunctionName=function_name)
    numbers = [int(v["Version"]) for page in versions for v in page["Versions"] if v["Version"].isdigit()]
    environment = live.get("Environment", {}).get("Variables", {})
    return Status(
        name=name,
        live=alias["FunctionVersion"],
        newest=str(max(numbers, default="")),
        runtime=live.get("Runtime", ""),
        architecture=", ".join(live.get("Architectures", ())),
        digest=environment.get("SLIPWAY_ARTIFACT_DIGEST", "").removeprefix("sha256:")[:12],
        modified=str(live.get("LastModified", ""))[:19],
    )

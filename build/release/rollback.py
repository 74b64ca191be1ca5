"""Go back: point every live alias at the version that a release recorded. No build, no Terraform."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build.errors import InputError
from build.model import Workspace
from build.release.aws import asking
from build.release.shifting import ALIAS

Row = Mapping[str, Any]
"""A row of the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """One function, gone back."""

    name: str
    before: str
    """The version its live alias named."""
    after: str
    """The version it names now."""


def target_of(rows: Sequence[Row], wanted: str | None, env: str) -> Row:
    """Return the row to go back to: the one whose id begins with ``wanted``, else the newest that ran other versions.

    ``rows`` are in the order of time. Raises InputError if there is none, or more than one.
    """
    if wanted is None:
        now = rows[-1]["live"] if rows else {}
        earlier = [row for row in rows if row["live"] != now]
        found = earlier[-1:]
    else:
        found = [row for row in rows if row["id"].startswith(wanted)]
    if len(found) != 1:
        expected = f"one release that begins with {wanted}" if wanted else "a release before the one that runs"
        raise InputError(
            "nothing to go back to",
            facts=[f"expected {expected}, got {len(found)} of {len(rows)}"],
            hint=f"run `invoke releases --env {env}`, then `invoke rollback --env {env} --to ID`",
        )
    return found[0]


def go_back(
    row: Row, workspace: Workspace, client: Any, *, on_progress: Callable[[str], None] = lambda _: None
) -> tuple[Return, ...]:
    """Point the live alias of every function of ``row`` at the version it recorded.

    Every version is looked up first: if one is gone, nothing is moved and InputError names all that are. Functions
    that are no longer deployed cannot come back this way, and are among them.
    """
    wanted = {name: str(version) for name, version in row["live"].items()}
    now: dict[str, Any] = {}
    gone = []
    for name, version in wanted.items():
        function = workspace.function_name(name)
        with asking(f"looking at {function}:{version}", hint="run the same command again"):
            try:
                client.get_function_configuration(FunctionName=function, Qualifier=version)
                now[name] = client.get_alias(FunctionName=function, Name=ALIAS)
            except client.exceptions.ResourceNotFoundException:
                gone.append(f"{function}: version {version} or its alias is gone")
    if gone:
        raise InputError(
            f"release {row['id']} cannot be brought back by its versions; nothing was changed",
            facts=gone,
            hint=f"check out {row['commit'] or 'its commit'}, then run `invoke deploy --env {workspace.env.name}`",
        )
    returned = []
    for name, version in wanted.items():
        before = now[name]["FunctionVersion"]
        weights = now[name].get("RoutingConfig", {}).get("AdditionalVersionWeights")
        if before != version or weights:
            on_progress(f"{name}: from version {before} to {version}")
            with asking(
                f"moving {workspace.function_name(name)}", hint="run the same command again: it goes on from here"
            ):
                client.update_alias(
                    FunctionName=workspace.function_name(name),
                    Name=ALIAS,
                    FunctionVersion=version,
                    RoutingConfig={"AdditionalVersionWeights": {}},
                    RevisionId=now[name]["RevisionId"],
                )
        returned.append(Return(name=name, before=before, after=version))
    return tuple(returned)

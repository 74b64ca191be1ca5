"""Go back: point live aliases at the versions that a release recorded. No build, no Terraform."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from build.errors import InputError
from build.model import Workspace
from build.release.aliases import AT_ONCE, point, weights_of
from build.release.aws import asking
from build.release.rows import Release
from build.release.schedule import ALIAS


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """One function, gone back."""

    name: str
    before: str
    """The version its live alias named."""
    after: str
    """The version it names now."""


def target_of(rows: Sequence[Release], wanted: str | None, env: str, *, now: Mapping[str, str]) -> Release:
    """Return the release to go back to: ``wanted``, else the newest that ended well and left other versions than now.

    ``now`` are those that the aliases name: where a deploy was cut off while they moved, it is the newest release
    itself. ``rows`` are in the order of time; ``wanted`` is an id, or how one of the first schema begins. Raises
    InputError if there is none, or more than one.
    """
    settled = [row for row in rows if row.is_settled]
    if wanted is None:
        found = [row for row in settled if any(now.get(name) != version for name, version in row.live.items())][-1:]
        expected = "a release before the one that runs"
    else:
        wanted = wanted.lstrip("#0") or "0"
        found = [row for row in settled if row.id == wanted or (not row.id.isdigit() and row.id.startswith(wanted))]
        expected = f"one release {wanted} that ended well"
    if len(found) != 1:
        unsettled = [row for row in rows if row.id == wanted and not row.is_settled]
        facts = [f"expected {expected}, got {len(found)} of {len(rows)}"]
        raise InputError(
            "nothing to go back to",
            facts=facts + [f"release {row.id} is {row.outcome}: {row.error}".rstrip(": ") for row in unsettled],
            hint=f"run `invoke releases --env {env}`, then `invoke rollback --env {env} --to ID`",
        )
    return found[0]


def chosen(release: Release, only: Collection[str], env: str) -> dict[str, str]:
    """Return the versions of ``release`` to go back to, by function: of ``only`` those, else of all of them.

    Raises InputError for functions it does not have.
    """
    unknown = sorted({*only} - {*release.live})
    if unknown:
        raise InputError(
            f"release {release.id} does not have these functions",
            facts=[f"got {', '.join(unknown)}; expected some of: {', '.join(sorted(release.live))}"],
            hint=f"run `invoke releases.show {release.id} --env {env}`",
        )
    return {name: str(version) for name, version in sorted(release.live.items()) if name in only or not only}


def go_back(
    release: Release,
    wanted: Mapping[str, str],
    workspace: Workspace,
    client: Any,
    *,
    on_progress: Callable[[str], None] = lambda _: None,
) -> tuple[Return, ...]:
    """Point the live alias of every function in ``wanted`` at the version that ``release`` recorded.

    Every version is looked up first: if one is gone, nothing is moved and InputError names all that are. Functions
    that are no longer deployed cannot come back this way, and are among them.
    """

    def look(name: str) -> Any:
        function, version = workspace.function_name(name), wanted[name]
        with asking(f"looking at {function}:{version}", hint="run the same command again"):
            try:
                client.get_function_configuration(FunctionName=function, Qualifier=version)
                return client.get_alias(FunctionName=function, Name=ALIAS)
            except client.exceptions.ResourceNotFoundException:
                return None

    def move(name: str) -> Return:
        before, version = str(now[name]["FunctionVersion"]), wanted[name]
        if before != version or weights_of(now[name]):
            on_progress(f"{name}: from version {before} to {version}")
            function = workspace.function_name(name)
            with asking(f"moving {function}", hint="run the same command again: it goes on from here"):
                point(client, function, version, {}, now[name]["RevisionId"])
        return Return(name=name, before=before, after=version)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        now = dict(zip(wanted, pool.map(look, wanted), strict=True))
        gone = [
            f"{workspace.function_name(name)}: version {wanted[name]} or its alias is gone"
            for name in wanted
            if not now[name]
        ]
        if gone:
            raise InputError(
                f"release {release.id} cannot be brought back by its versions; nothing was changed",
                facts=gone,
                hint=f"run `invoke rollback --env {workspace.env.name} --to {release.id} --full`",
            )
        return tuple(pool.map(move, wanted))

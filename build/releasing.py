"""From a plan to a release: apply, roll out, record. What begins here always ends in the ledger."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from build.errors import InputError, RolledBackError
from build.estate import Estate, Stack
from build.imaging import ecr_of, empty_repositories
from build.options import Shifting
from build.recording import ledger
from build.release.aliases import pointed
from build.release.aliases import versions as live_versions
from build.release.handoff import code_sha256_of
from build.release.journal import Journal, kept
from build.release.lease import Lease
from build.release.ledger import Ledger
from build.release.rollout import roll_out
from build.release.rows import FINISHED, RESTORE, RETURNED, UNFINISHED, Release, brought_forward
from build.release.shifting import Shift
from build.release.smoke import smokes_of
from build.report import Reporter
from build.results import Outputs, Planned, ResourceChange, Rollout

_LOOKED_BACK = 30
"""Rows in which the release of a version is looked for."""


def released(
    planned: Planned,
    stacks: Sequence[Stack],
    estate: Estate,
    lease: Lease,
    *,
    row: Release,
    allow_delete: bool,
    retried: Collection[str] = (),
) -> tuple[Outputs, tuple[Rollout, ...], Release | None]:
    """Apply ``planned`` and nothing else, roll it out and record it as ``row``; unless the ledger already says so.

    A row that has a number goes on. Functions that were taken back stay where they are until they change, but for
    those ``retried``. Raises RolledBackError, recorded as well, if the roll-out went back.
    """
    workspace, aws, show = estate.workspace, estate.aws, estate.show
    show.plan(planned.changes)
    if not (allow_delete or workspace.env.is_local):
        _refuse_losses(planned.changes, workspace.env.name)
    releases = ledger(workspace, aws)
    newest = releases.newest()
    for line in _brought_back(planned.handoff, newest, releases):
        show.note(line)
    functions = {name: workspace.function_name(name) for name in planned.handoff["functions"]}
    row = replace(row, before=row.before or pointed(functions, aws.client("lambda")))
    seen = partial(live_versions, functions, aws.client("lambda"))
    with kept(releases, row, seconds=lambda: show.seconds, seen=seen) as journal:
        if planned.changes or not _is_as(row, newest) or interrupted(releases) or retried:
            journal.begin()
        lease.check()
        with show.stage("apply"):
            empty_repositories(planned.plans, ecr_of(workspace, aws))
            outputs = estate.apply(stacks, planned.plans)
        lease.check()
        kept_away = {name: each for name, each in newest.versions.items() if name not in retried} if newest else {}
        with show.stage("roll out"):
            rollouts, went_back = _roll_out(
                outputs, planned.handoff, kept_away, estate, lease, restore=row.kind == RESTORE
            )
        release = _recorded(rollouts, went_back, newest, journal, show)
    return outputs, rollouts, release


def _roll_out(
    outputs: Outputs,
    handoff: Mapping[str, Any],
    kept_away: Mapping[str, str],
    estate: Estate,
    lease: Lease,
    *,
    restore: bool,
) -> tuple[tuple[Rollout, ...], RolledBackError | None]:
    """Move the aliases as this checkout says; a ``restore`` brings all of it, at once, and by what was recorded."""
    digests = {name: str(code_sha256_of(each)) for name, each in handoff["functions"].items()}
    shift = Shift(
        env=estate.workspace.env.name,
        functions=estate.aws.client("lambda"),
        invoker=estate.aws.invoker,
        cloudwatch=partial(estate.aws.client, "cloudwatch"),
        codedeploy=partial(estate.aws.client, "codedeploy"),
        on_progress=estate.show.say,
        check=lease.check,
    )
    shiftings = dict.fromkeys(digests, Shifting())
    if restore:
        return roll_out(outputs, digests, {}, shift, shiftings, smokes={})
    shiftings.update({spec.name: spec.options.rollout for spec in estate.workspace.functions})
    smokes = smokes_of(estate.workspace.functions)
    places = {
        name: {"ImageUri": each["image_uri"]}
        if each["image_uri"]
        else {"S3Bucket": handoff["artifact_bucket"], "S3Key": each["artifact"]["key"]}
        for name, each in handoff["functions"].items()
    }
    return roll_out(outputs, digests, kept_away, shift, shiftings, smokes=smokes, places=places)


def _recorded(
    rollouts: tuple[Rollout, ...],
    went_back: RolledBackError | None,
    newest: Release | None,
    journal: Journal,
    show: Reporter,
) -> Release | None:
    """Write how it ended, if anything happened at all; raise ``went_back`` once that is written."""
    versions = {each.function.name: each.version for each in rollouts}
    live = {each.function.name: each.live for each in rollouts}
    if newest is None or (versions, live) != (newest.versions, newest.live):
        journal.begin()
    if not journal.is_open:
        return None
    with show.stage("record"):
        outcome = RETURNED if went_back else FINISHED
        release = journal.end(outcome, versions=versions, live=live, error=went_back.summary if went_back else "")
        show.say(f"release {release.id}")
    if went_back:
        raise went_back
    return release


def interrupted(releases: Ledger) -> Release | None:
    """Return the newest release, if it never ended."""
    row = next(releases.latest(), None)
    return row if row and row.outcome == UNFINISHED else None


def _brought_back(handoff: Mapping[str, Any], newest: Release | None, releases: Ledger) -> Iterator[str]:
    """Yield a warning for each function that was taken back, and that a deploy of ``handoff`` brings forward again."""
    if newest is None:
        return
    if newest.kind == RESTORE and handoff != newest.handoff:
        yield f"warning: release {newest.id} went back to {newest.of}; this deploy brings what came after that again"
    forward = brought_forward(newest.to_json(), handoff)
    rows = releases.rows(_LOOKED_BACK) if forward else ()
    for name, version in forward.items():
        origin = next((row.id for row in rows if row.versions.get(name) == version), newest.id)
        yield (
            f"warning: {name}: version {version} of release {origin} was taken back, callers have version "
            f"{newest.live[name]}; this deploy brings it forward again, with what was changed since"
        )


def _is_as(row: Release, newest: Release | None) -> bool:
    """Tell whether the env is, and is to be, what ``newest`` says."""
    now = {name: each.version for name, each in row.before.items() if not each.weights}
    return newest is not None and (row.handoff_digest, now) == (newest.handoff_digest, newest.live)


def _refuse_losses(changes: Iterable[ResourceChange], env: str) -> None:
    """Raise InputError for deletes that nothing brings back: messages, logs, and functions with their versions."""
    lost = [change.address for change in changes if change.loses_data]
    if lost:
        raise InputError(
            f"this deploy of {env} would delete what nothing brings back; nothing was changed",
            facts=lost,
            hint=f"if that is meant, run `invoke deploy --env {env} --allow-delete`",
        )

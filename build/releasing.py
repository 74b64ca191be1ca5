"""From a plan to a release: apply, roll out, record. What begins here always ends in the ledger."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from build.digest import Digest
from build.errors import InputError
from build.estate import Estate, Stack
from build.options import Shifting
from build.recording import author, draft, ledger, tools
from build.release.aliases import pointed
from build.release.journal import Journal, kept
from build.release.lease import Lease
from build.release.ledger import Ledger
from build.release.rollback import Return, chosen, go_back, target_of
from build.release.rollout import roll_out
from build.release.rows import FINISHED, RETURNED, ROLLBACK, SCHEMA_VERSION, UNFINISHED, Pointed, Release
from build.release.shifting import Shift
from build.release.smoke import smokes_of
from build.results import Outputs, Planned, ResourceChange, Rollout

_LOOKED_BACK = 30
"""Rows in which the release of a version is looked for."""


def released(
    planned: Planned,
    stacks: Sequence[Stack],
    estate: Estate,
    lease: Lease,
    *,
    allow_delete: bool,
    review: str = "",
    verdict: str = "",
) -> tuple[Outputs, tuple[Rollout, ...], Release | None]:
    """Apply ``planned`` and nothing else, roll it out and record it; no release if the ledger already says what runs.

    Raises RolledBackError, recorded as well, if the roll-out went back.
    """
    workspace, aws, show = estate.workspace, estate.aws, estate.show
    show.plan(planned.changes)
    if not (allow_delete or workspace.env.is_local):
        _refuse_losses(planned.changes, workspace.env.name)
    releases = ledger(workspace, aws)
    newest = releases.newest()
    for line in _brought_back(planned.handoff, newest, releases):
        show.note(line)
    look = partial(pointed, {name: workspace.function_name(name) for name in planned.handoff["functions"]})
    before = look(aws.client("lambda"))
    row = draft(planned, aws, before=before, review=review, verdict=verdict)
    with kept(releases, row, seconds=lambda: show.seconds, seen=lambda: _live(look(aws.client("lambda")))) as journal:
        if planned.changes or not _is_as(row, newest) or interrupted(releases):
            journal.begin()
        lease.check()
        with show.stage("apply"):
            outputs = estate.apply(stacks, planned.plans)
        lease.check()
        rollouts, release = _rolled_out(outputs, planned.handoff, newest, estate, journal)
    return outputs, rollouts, release


def _rolled_out(
    outputs: Outputs, handoff: Mapping[str, Any], newest: Release | None, estate: Estate, journal: Journal
) -> tuple[tuple[Rollout, ...], Release | None]:
    aws, show = estate.aws, estate.show
    digests = {name: Digest(each["artifact"]["digest_hex"]) for name, each in handoff["functions"].items()}
    shiftings = {
        **dict.fromkeys(digests, Shifting()),  # what a restored release had, and this checkout does not
        **{spec.name: spec.options.rollout for spec in estate.workspace.functions},
    }
    with show.stage("roll out"):
        shift = Shift(
            env=estate.workspace.env.name,
            functions=aws.client("lambda"),
            invoker=aws.invoker,
            cloudwatch=partial(aws.client, "cloudwatch"),
            on_progress=show.say,
        )
        before = newest.versions if newest else {}
        smokes = smokes_of(estate.workspace.functions)
        rollouts, went_back = roll_out(outputs, digests, before, shift, shiftings, smokes=smokes)
    versions = {each.function.name: each.version for each in rollouts}
    live = {each.function.name: each.live for each in rollouts}
    if newest is None or (versions, live) != (newest.versions, newest.live):
        journal.begin()
    if not journal.is_open:
        return rollouts, None
    with show.stage("record"):
        outcome = RETURNED if went_back else FINISHED
        release = journal.end(outcome, versions=versions, live=live, error=went_back.summary if went_back else "")
        show.say(f"release {release.id}")
    if went_back:
        raise went_back
    return rollouts, release


def gone_back(estate: Estate, *, to: str, only: Collection[str]) -> tuple[Release, tuple[Return, ...]]:
    """Take live aliases back to where release ``to`` had them, and record it. Return that release, and what moved."""
    workspace, aws, show = estate.workspace, estate.aws, estate.show
    releases = ledger(workspace, aws)
    env = workspace.env.name
    with show.stage("ledger"):
        rows = releases.rows()
        target = target_of(rows, to or None, env)
        wanted = chosen(target, only, env)
        newest = next(row for row in reversed(rows) if row.is_settled)
        look = partial(pointed, {name: workspace.function_name(name) for name in {*newest.live, *wanted}})
        before = look(aws.client("lambda"))
    row = replace(
        newest,  # which is what Terraform applied last, and stays
        id="",
        kind=ROLLBACK,
        of=target.id,
        by=author(aws),
        before=before,
        plans={},
        review="",
        verdict="",
        tools=tools(workspace.root),
        schema=SCHEMA_VERSION,
    )
    with kept(releases, row, seconds=lambda: show.seconds, seen=lambda: _live(look(aws.client("lambda")))) as journal:
        with show.stage("rollback"):
            journal.begin()
            returned = go_back(target, wanted, workspace, aws.client("lambda"), on_progress=show.say)
        live = {**_live(before), **{each.name: each.after for each in returned}}
        with show.stage("record"):
            show.say(f"release {journal.end(FINISHED, versions=newest.versions, live=live).id}")
    return target, returned


def interrupted(releases: Ledger) -> Release | None:
    """Return the newest release, if it never ended."""
    row = next(releases.latest(), None)
    return row if row and row.outcome == UNFINISHED else None


def _brought_back(handoff: Mapping[str, Any], newest: Release | None, releases: Ledger) -> Iterator[str]:
    """Yield a warning for each function that was taken back, and that a deploy of ``handoff`` brings forward again."""
    if newest is None or not newest.taken_back:
        return
    rows = releases.rows(_LOOKED_BACK)
    for name, version in sorted(newest.taken_back.items()):
        now = handoff["functions"].get(name)
        if now is not None and now != newest.handoff["functions"].get(name):
            origin = next((row.id for row in rows if row.versions.get(name) == version), newest.id)
            yield (
                f"warning: {name}: version {version} of release {origin} was taken back, callers have version "
                f"{newest.live[name]}; this deploy brings it forward again, with what was changed since"
            )


def _is_as(row: Release, newest: Release | None) -> bool:
    """Tell whether the env is, and is to be, what ``newest`` says."""
    now = {name: each.version for name, each in row.before.items() if not each.weights}
    return newest is not None and (row.handoff_digest, now) == (newest.handoff_digest, newest.live)


def _live(aliases: Mapping[str, Pointed]) -> dict[str, str]:
    return {name: each.version for name, each in aliases.items()}


def _refuse_losses(changes: Iterable[ResourceChange], env: str) -> None:
    """Raise InputError for deletes that nothing brings back: messages, logs, and functions with their versions."""
    lost = [change.address for change in changes if change.loses_data]
    if lost:
        raise InputError(
            f"this deploy of {env} would delete what nothing brings back; nothing was changed",
            facts=lost,
            hint=f"if that is meant, run `invoke deploy --env {env} --allow-delete`",
        )

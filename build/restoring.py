"""From what the ledger holds: back to a release by its versions, or by all of its configuration; on to its end."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from build import reviews
from build.digest import Digest
from build.errors import InputError
from build.estate import Estate
from build.recording import author, ledger, plans_of, tools
from build.release.aliases import AT_ONCE, pointed, versions
from build.release.handoff import SCHEMA_VERSION as HANDOFF_VERSION
from build.release.handoff import artifact_of
from build.release.journal import kept
from build.release.lease import Lease
from build.release.publishers import Publisher
from build.release.rollback import Return, chosen, go_back, target_of
from build.release.rows import FINISHED, RESTORE, RETURNED, ROLLBACK, UNFINISHED, WATCH, Release
from build.releasing import released
from build.results import Planned, Rollout


def gone_back(estate: Estate, *, to: str, only: Collection[str]) -> tuple[Release, tuple[Return, ...]]:
    """Take live aliases back to where release ``to`` had them, and record it. Return that release, and what moved."""
    workspace, aws, show = estate.workspace, estate.aws, estate.show
    releases = ledger(workspace, aws)
    env = workspace.env.name
    with show.stage("ledger"):
        rows = releases.rows()
        newest = next((row for row in reversed(rows) if row.is_settled), None)
        functions = {name: workspace.function_name(name) for name in (newest.live if newest else ())}
        before = pointed(functions, aws.client("lambda"))
        now = {name: "" if each.weights else each.version for name, each in before.items()}
        target = target_of(rows, to or None, env, now=now)
        wanted = chosen(target, only, env)
    assert newest  # or there were no target
    row = newest.again(kind=ROLLBACK, of=target.id, by=author(aws), tools=tools(workspace.root))
    seen = partial(versions, functions, aws.client("lambda"))
    with kept(releases, replace(row, before=before), seconds=lambda: show.seconds, seen=seen) as journal:
        with show.stage("rollback"):
            journal.begin()
            returned = go_back(target, wanted, workspace, aws.client("lambda"), on_progress=show.say)
        live = {name: each.version for name, each in before.items()} | {each.name: each.after for each in returned}
        with show.stage("record"):
            show.say(f"release {journal.end(FINISHED, versions=newest.versions, live=live).id}")
    return target, returned


def restored(
    estate: Estate, publisher: Publisher, lease: Lease, *, to: str, allow_delete: bool
) -> tuple[Release, tuple[Rollout, ...]]:
    """Apply all that release ``to`` recorded: code, layers, settings, roles, triggers; nothing is built.

    Return that release, and where its functions are now. Raises InputError, before anything changes, for a release
    that this checkout's Terraform cannot read, whose artifacts are gone, or that had functions taken back.
    """
    env = estate.workspace.env.name
    with estate.show.stage("ledger"):
        rows = ledger(estate.workspace, estate.aws).rows()
        # What Terraform did of a release that was cut off nobody knows: all there was before is other than now.
        now = rows[-1].live if rows and rows[-1].is_settled else {}
        target = target_of(rows, to or None, env, now=now)
        taken_back = [
            f"{name}: taken back from version {version} to {target.live[name]}, whose settings an earlier release has"
            for name, version in target.taken_back.items()
        ]
        _refuse_unless_there(target, estate, publisher, taken_back)
    row = target.again(kind=RESTORE, of=target.id, by=author(estate.aws), tools=tools(estate.workspace.root))
    return target, _applied(target, row, estate, lease, allow_delete=allow_delete)


def resumed(
    estate: Estate, publisher: Publisher, lease: Lease, *, allow_delete: bool
) -> tuple[Release, tuple[Rollout, ...]]:
    """Go on with the newest release to its end, as it was recorded. Return it, and where its functions are now.

    It was interrupted, or failed, or its roll-out went back, which is then tried again. Raises InputError if there is
    none, or if it was a rollback.
    """
    env = estate.workspace.env.name
    with estate.show.stage("ledger"):
        rows = ledger(estate.workspace, estate.aws).latest()
        row = next(rows, None)
        if row is None or row.outcome == FINISHED or row.kind == WATCH:
            raise InputError(
                "there is nothing to go on with",
                facts=[f"expected one that was interrupted, failed or went back, got {row.outcome if row else 'none'}"],
                hint=f"run `invoke deploy --env {env}`",
            )
        if row.kind == ROLLBACK:
            raise InputError(
                f"release {row.id} is a rollback that was interrupted",
                hint=f"run `invoke rollback --env {env} --to {row.of}`",
            )
        _refuse_unless_there(row, estate, publisher)
        estate.show.say(f"release {row.id} of {row.at}, commit {(row.commit or 'none')[:12]}")
        earlier = next((each for each in rows if each.is_settled), None) if row.outcome == RETURNED else None
    retried = {
        name for name, version in row.taken_back.items() if earlier is None or earlier.versions.get(name) != version
    }
    on = row
    if row.outcome != UNFINISHED:
        on = row.again(kind=row.kind, of=row.id, by=author(estate.aws), tools=tools(estate.workspace.root))
    return row, _applied(row, on, estate, lease, allow_delete=allow_delete, retried=retried)


def _applied(
    recorded: Release,
    row: Release,
    estate: Estate,
    lease: Lease,
    *,
    allow_delete: bool,
    retried: Collection[str] = (),
) -> tuple[Rollout, ...]:
    """Plan and apply what ``recorded`` holds, as the release ``row``."""
    newest = ledger(estate.workspace, estate.aws).newest()
    with estate.show.stage("plan"):
        stacks = estate.recorded(recorded)
        plans = estate.plan(stacks, lock=True)
    planned = Planned(
        workspace=estate.workspace,
        published=(),
        handoff=recorded.handoff,
        handoff_digest=Digest.parse(recorded.handoff_digest),
        plans=plans,
        settled=(),
    )
    digest, verdict = reviews.judged(planned, newest.to_json() if newest else None)
    row = replace(row, plans=plans_of(plans), review=digest, verdict=verdict)
    _, rollouts, _ = released(planned, stacks, estate, lease, row=row, allow_delete=allow_delete, retried=retried)
    return rollouts


def _refuse_unless_there(release: Release, estate: Estate, publisher: Publisher, others: Collection[str] = ()) -> None:
    """Raise InputError, with all that is wrong and the ``others`` at once, unless it can be applied from here."""
    env = estate.workspace.env
    handoff = release.handoff
    ours = {"name": estate.workspace.name, "env": env.name, "region": env.region, "account_id": env.account_id}
    wrong = [*others]
    wrong += [
        f"{key}: expected {value}, got {handoff.get(key)}"
        for key, value in {**ours, "schema_version": HANDOFF_VERSION}.items()
        if handoff.get(key) != value
    ]
    places = (each for kind in ("functions", "layers") for each in handoff[kind].values())
    artifacts = [artifact for artifact in map(artifact_of, places) if artifact]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        digests = [Digest(each["digest_hex"]) for each in artifacts]
        there = pool.map(publisher.exists, (each["key"] for each in artifacts), digests)
        wrong += [
            f"{each['key']}: expected these bytes there, got others or none"
            for each, is_there in zip(artifacts, there, strict=True)
            if not is_there
        ]
    if wrong:
        raise InputError(
            f"release {release.id} cannot be applied from here; nothing was changed",
            facts=wrong,
            hint=f"check out {release.commit or 'its commit'}, then run `invoke deploy --env {env.name}`",
        )

"""The stages in order. Read this first.

discover → lock → resolve → assemble → check → publish → hand-off → plan → apply → roll out → record

Every stage takes frozen values and gives new ones. Up to `check` nothing leaves this machine; `publish`
adds objects and images by digest; `apply` alone changes what runs, and only by the plan that was saved, but for what
goes with a function that is made anew: `Estate.apply` adds it again. The stages up to `check` are in `making`.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from build.errors import AwsError, InputError, ToolError
from build.estate import Estate, Stack
from build.imaging import EnvPublisher, ecr_of, empty_repositories, publish_images
from build.infra.backend import state_bucket
from build.infra.binary import terraform_binary
from build.infra.mirrors import provider_source
from build.local import cloud
from build.making import build
from build.model import Built, Workspace
from build.recording import commit_of, draft, held, ledger
from build.release.aws import Aws
from build.release.handoff import digest_of, handoff_of
from build.release.publishers import S3Publisher, publish_all
from build.release.rows import WATCH
from build.report import Reporter
from build.results import Answer, Deployed, Outputs, Plan, Planned, Rollout

if TYPE_CHECKING:
    from build.release.lease import Lease
    from build.release.ledger import Ledger
    from build.release.rollback import Return
    from build.release.rows import Release
    from build.release.strays import Stray
    from build.review.words import Review
    from build.reviews import Drifted


def plan(
    workspace: Workspace, show: Reporter, *, every_stack: bool = False, out: Path | None = None
) -> tuple[Planned, "Review"]:
    """Build, publish, plan against finished bytes, and review it; the states are read, not locked.

    The review is written to .artifacts/<env>/review.*; with ``out`` the plan is saved there, for `deploy_saved`.
    """
    built, aws = prepare(workspace, show)
    workspace = built.workspace
    planned, _ = _plan(built, aws, show, lock=False, every_stack=every_stack)
    from build import reviews
    from build.approval import saved_of
    from build.release.saved import write

    commit = commit_of(workspace.root)
    with show.stage("review"):
        estate = Estate(workspace=workspace, aws=aws, show=show)
        newest = ledger(workspace, aws).newest()
        review = reviews.review(planned, newest.to_json() if newest else None, estate, commit=commit)
        reviews.write(review, workspace.env_folder)
        if out:
            digest = write(saved_of(planned, commit=commit, review=review.digest, verdict=review.verdict), out)
            show.say(f"saved as {out}, {digest}")
    return planned, review


def deploy(workspace: Workspace, show: Reporter, *, allow_delete: bool = False, every_stack: bool = False) -> Deployed:
    """Plan, apply that plan, roll out, record; on the embedded cloud, ask every function its first sample event."""
    built, aws = prepare(workspace, show)
    workspace = built.workspace
    with held(workspace, aws, show, verb="deploy") as lease:
        _tell_of_interrupted(ledger(workspace, aws), show)
        planned, stacks = _plan(built, aws, show, lock=True, every_stack=every_stack)
        from build import reviews

        estate = Estate(workspace=workspace, aws=aws, show=show)
        newest = ledger(workspace, aws).newest()
        digest, verdict = reviews.judged(planned, newest.to_json() if newest else None)
        row = draft(planned, aws, review=digest, verdict=verdict)
        return _released(planned, stacks, estate, lease, row=row, allow_delete=allow_delete)


def deploy_saved(
    workspace: Workspace, show: Reporter, path: Path, *, allow_delete: bool = False, replan: bool = False
) -> Deployed:
    """Apply the plan saved at ``path``, which may be of another machine, roll out, record; nothing is built.

    Where a state moved on since, ``replan`` plans again, and goes on if that is the same change.
    """
    from build.approval import approved, planned_again
    from build.release.saved import read

    aws = connect(workspace, show)
    estate = Estate(workspace=workspace, aws=aws, show=show)
    with held(workspace, aws, show, verb="deploy") as lease:
        with show.stage("check"):
            saved = read(path)
            publisher = _publisher(workspace, aws)
            planned, stacks, moved = approved(saved, estate, publisher, commit=commit_of(workspace.root))
        if moved:
            planned = planned_again(saved, planned, stacks, moved, estate, replan=replan)
        row = draft(planned, aws, review=saved.review, verdict=str(saved.verdict))
        return _released(planned, stacks, estate, lease, row=row, allow_delete=allow_delete)


def destroy(workspace: Workspace, show: Reporter) -> tuple[Plan, ...]:
    """Remove everything Terraform made in the env; artifacts and the ledger stay."""
    aws = connect(workspace, show)
    estate = Estate(workspace=workspace, aws=aws, show=show)
    stacks = estate.stacks((), destroy=True)
    with show.stage("plan"):
        plans = estate.plan(stacks, lock=True, destroy=True)
    show.plan([change for saved in plans for change in saved.changes])
    with show.stage("destroy"):
        empty_repositories(plans, ecr_of(workspace, aws))
        estate.apply(stacks, plans)
        estate.forget(stacks)
    return plans


def resume(
    workspace: Workspace, show: Reporter, *, allow_delete: bool = False
) -> tuple["Release", tuple[Rollout, ...]]:
    """Bring the newest release, which was interrupted or failed, to its end as it was recorded; nothing is built."""
    from build.restoring import resumed

    aws = reach(workspace)
    estate = Estate(workspace=workspace, aws=aws, show=show)
    with held(workspace, aws, show, verb="deploy --resume") as lease:
        return resumed(estate, _publisher(workspace, aws), lease, allow_delete=allow_delete)


def restore(
    workspace: Workspace, show: Reporter, *, to: str = "", allow_delete: bool = False
) -> tuple["Release", tuple[Rollout, ...]]:
    """Apply everything that a release recorded: code, layers, settings, roles, triggers; nothing is built."""
    from build.restoring import restored

    aws = reach(workspace)
    estate = Estate(workspace=workspace, aws=aws, show=show)
    with held(workspace, aws, show, verb="rollback --full") as lease:
        return restored(estate, _publisher(workspace, aws), lease, to=to, allow_delete=allow_delete)


def rollback(
    workspace: Workspace, show: Reporter, *, to: str = "", only: Collection[str] = ()
) -> tuple["Release", tuple["Return", ...]]:
    """Point live aliases at the versions that a release recorded, and record that; nothing is built or applied.

    A deploy that is under way loses the env, and ends before its next step.
    """
    from build.restoring import gone_back

    aws = reach(workspace)
    estate = Estate(workspace=workspace, aws=aws, show=show)
    with held(workspace, aws, show, verb="rollback", over=True):
        return gone_back(estate, to=to, only=only)


def drift(workspace: Workspace, show: Reporter) -> "Drifted":
    """Compare what is there with what the newest release left, and with the states; nothing is built or changed."""
    from build import reviews
    from build.release.deployed import deployed
    from build.release.strays import LOOKED_BACK, differing, settled

    aws = reach(workspace)
    with show.stage("look"):
        rows = ledger(workspace, aws).rows(LOOKED_BACK)
        newest = settled(rows)
        if newest is None:
            raise InputError("nothing was released yet", hint=f"run `invoke deploy --env {workspace.env.name}`")
        functions = {name: workspace.function_name(name) for name in newest.live}
        code = differing(rows, deployed(functions, aws.client("lambda")))
    with show.stage("refresh"):
        plans = Estate(workspace=workspace, aws=aws, show=show).drift(newest.handoff)
    with show.stage("tags"):
        found = _strays(workspace, plans, aws, show)
    return reviews.drift(plans, rows, newest, code, found)


def _strays(workspace: Workspace, plans: Sequence[Plan], aws: Aws, show: Reporter) -> tuple["Stray", ...]:
    """Return what carries our tags but is in no state, nor made by `bootstrap`; nothing where that may not be asked."""
    from build.release.strays import strays

    env = workspace.env
    arn, buckets = f"arn:{env.partition}", (env.artifact_bucket, state_bucket(workspace.root, env.name))
    own = [f"{arn}:s3:::{bucket}" for bucket in buckets]
    names = (f"policy/{workspace.prefix}.", f"role/{workspace.prefix}.", "oidc-provider/")
    own += [f"{arn}:iam::{env.account_id}:{name}" for name in names]
    try:
        tags = {"slipway": workspace.name, "env": env.name}
        return strays(tags, [plan.document for plan in plans], own, aws.client)
    except AwsError as reason:  # a role that was made before it was asked
        show.note(f"warning: what is in no state was not looked for\n  {reason.facts[0]}\nhint: {reason.hint}")
        return ()


def prepare(workspace: Workspace, show: Reporter) -> tuple[Built, Aws]:
    """Build, and return the way to the env's AWS. A wrong account ends it before; the embedded cloud starts after."""
    # What is missing on this machine is told before anything is built, fetched or started.
    terraform_binary(workspace.root, os.environ)
    provider_source(workspace.root, os.environ)
    if workspace.env.is_local:
        return build(workspace, show), connect(workspace, show)
    aws = connect(workspace, show)
    return build(workspace, show), aws


def connect(workspace: Workspace, show: Reporter, *, make_buckets: bool = False) -> Aws:
    """Return the way to the env's AWS: the embedded cloud, started if need be, or the right account and no other.

    The embedded cloud is given the env's buckets; an account must have them, unless ``make_buckets``.
    """
    env = workspace.env
    buckets = (state_bucket(workspace.root, env.name), env.artifact_bucket)
    if not env.is_local:
        aws = reach(workspace)
        for bucket in buckets:
            if make_buckets:
                aws.ensure_bucket(bucket)
            aws.require_bucket(bucket)
        return aws
    with show.stage("cloud"):
        running, started = cloud.ensure(workspace.root)
        show.say(f"{'started' if started else 'found'} at {running.endpoint}")
        if started and running.note:
            show.note(running.note)
        aws = Aws(env=env, environ=cloud.isolated(os.environ, running, env))
        for bucket in buckets:
            aws.ensure_bucket(bucket)
    return aws


def reach(workspace: Workspace) -> Aws:
    """Return the way to an env that something was deployed to; nothing is started or made for it."""
    env = workspace.env
    if not env.is_local:
        aws = Aws(env=env, environ=os.environ)
        aws.guard()
        return aws
    running = cloud.running(workspace.root)
    if running is None:
        raise InputError("no embedded cloud runs, so nothing is deployed", hint="run `invoke deploy --env local`")
    return Aws(env=env, environ=cloud.isolated(os.environ, running, env))


@contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """Keep other runs in this checkout from the env's hand-off and plan; other checkouts meet the state lock."""
    from filelock import FileLock, Timeout

    folder = workspace.env_folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # plans and hand-offs hold environment values
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout:
        raise ToolError(
            f"another run in this checkout works on env {workspace.env.name}",
            facts=[f"it holds {folder / 'lock'}, and lets go of it when it ends"],
            hint=f"wait for it, then run `invoke deploy --env {workspace.env.name}`",
        ) from None


def _plan(
    built: Built, aws: Aws, show: Reporter, *, lock: bool, every_stack: bool
) -> tuple[Planned, tuple[Stack, ...]]:
    """Publish and plan; return the stacks as well. Of several, the settled ones are left out."""
    workspace = built.workspace
    with show.stage("publish"):
        zips = [each for each in built.build.artifacts if each.place not in built.build.image_places]
        published = publish_all(zips, _publisher(workspace, aws), on_progress=show.say)
        published += tuple(publish_images(built, aws, show))
    estate = Estate(workspace=workspace, aws=aws, show=show)
    with show.stage("plan"):
        Thread(target=import_module, args=("build.reviews",), daemon=True).start()  # while Terraform works
        stacks = estate.stacks(published)
        settled = {each.name for each in stacks if each.is_settled and len(stacks) > 1 and not every_stack}
        plans = estate.plan([each for each in stacks if each.name not in settled], lock=lock)
        if settled:
            show.say(f"{len(settled)} of {len(stacks)} stacks are as they were applied: not planned")
    handoff = handoff_of(workspace, published)
    planned = Planned(
        workspace=workspace,
        published=published,
        handoff=handoff,
        handoff_digest=digest_of(handoff),
        plans=plans,
        settled=tuple(sorted(settled)),
    )
    return planned, stacks


def _released(
    planned: Planned, stacks: Sequence[Stack], estate: Estate, lease: "Lease", *, row: "Release", allow_delete: bool
) -> Deployed:
    """Apply what was planned, roll it out, record it; on the embedded cloud, ask what runs now."""
    from build.releasing import released

    outputs, rollouts, release = released(planned, stacks, estate, lease, row=row, allow_delete=allow_delete)
    workspace = estate.workspace
    answers = tuple(_ask(workspace, outputs, estate.aws, estate.show)) if workspace.env.is_local else ()
    number = release.id if release else None
    return Deployed(planned=planned, outputs=outputs, rollouts=rollouts, release=number, answers=answers)


def _tell_of_interrupted(releases: "Ledger", show: Reporter) -> None:
    from build.releasing import interrupted

    row = interrupted(releases)
    if row and row.kind == WATCH:
        show.note(f"warning: {row.by.arn} watches, or was cut off (release {row.id}); this deploy takes its place")
    elif row:
        show.note(
            f"warning: release {row.id} ({row.kind}, {row.at}, by {row.by.arn}) was interrupted; this deploy takes its "
            f"place\nhint: to finish exactly that one instead, run `invoke deploy --env {row.env} --resume`"
        )


def _publisher(workspace: Workspace, aws: Aws) -> EnvPublisher:
    env = workspace.env
    s3 = S3Publisher(s3=aws.client("s3"), bucket=env.artifact_bucket, owner=env.account_id)
    return EnvPublisher(s3=s3, ecr=partial(ecr_of, workspace, aws))


def _ask(workspace: Workspace, outputs: Outputs, aws: Aws, show: Reporter) -> Iterator[Answer]:
    from build.local import runtime_bundle
    from build.release.calls import call, read_event, sample_events

    with show.stage("ask"):
        for runtime in sorted({spec.target.runtime for spec in workspace.functions}):
            runtime_bundle.ensure(workspace.root, runtime, on_progress=show.say)
        for spec in workspace.functions:
            if sample_events(spec):
                show.say(spec.name)
                function_name = outputs.functions[spec.name].function_name
                yield call(spec.name, function_name, read_event(spec, None), aws.invoker())

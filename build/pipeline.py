"""The stages in order. Read this first.

discover → lock → resolve → assemble → check → publish → hand-off → plan → apply → roll out → record

Every stage takes frozen values and gives new ones. Up to `check` nothing leaves this machine; `publish`
adds objects by digest; `apply` alone changes what runs, and only by the plan that was saved. The stages up
to `check` are in `making`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from build import process
from build.errors import InputError, ToolError
from build.infra.backend import state_bucket
from build.infra.binary import terraform_binary
from build.infra.mirrors import provider_source
from build.infra.terraform import TerraformAdapter
from build.local import cloud, runtime_bundle
from build.making import build
from build.model import Built, Workspace
from build.release.aws import Aws
from build.release.calls import call, read_event, sample_events
from build.release.handoff import handoff_of, write_handoff
from build.release.ledger import Ledger, release_id
from build.release.publishers import S3Publisher, publish_all
from build.release.rollout import roll_out
from build.report import Reporter
from build.results import Answer, Deployed, Outputs, Plan, Planned, Release, Rollout


def plan(workspace: Workspace, show: Reporter) -> Planned:
    """Build, publish, and plan against finished bytes; the state is read, not locked."""
    built, aws = prepare(workspace, show)
    return _plan(built, aws, _terraform(workspace, aws, show), show, lock=False)


def deploy(workspace: Workspace, show: Reporter, *, allow_delete: bool = False) -> Deployed:
    """Plan, apply that plan, roll out, record; on the embedded cloud, ask every function its first sample event."""
    built, aws = prepare(workspace, show)
    terraform = _terraform(workspace, aws, show)
    planned = _plan(built, aws, terraform, show, lock=True)
    show.plan(planned.plan)
    if not (allow_delete or workspace.env.is_local):
        _refuse_losses(planned.plan, workspace)
    outputs = _apply(planned.plan, terraform, show)
    ledger = Ledger(s3=aws.client("s3"), bucket=workspace.env.artifact_bucket, owner=workspace.env.account_id)
    with show.stage("roll out"):
        newest = ledger.newest()
        digests = {name: artifact.digest for name, artifact in built.build.functions.items()}
        released = newest["versions"] if newest else {}
        rollouts = roll_out(outputs, digests, released, aws.client("lambda"), on_progress=show.say)
    release = _release(planned, rollouts)
    is_new = not release.tells_the_same_as(newest)
    if is_new:
        with show.stage("record"):
            show.say(ledger.record(release))
    answers = tuple(_ask(workspace, outputs, aws, show)) if workspace.env.is_local else ()
    return Deployed(
        planned=planned, outputs=outputs, rollouts=rollouts, release=release if is_new else None, answers=answers
    )


def destroy(workspace: Workspace, show: Reporter) -> Plan:
    """Remove everything Terraform made in the env; artifacts and the ledger stay."""
    aws = connect(workspace, show)
    terraform = _terraform(workspace, aws, show)
    nothing = replace(workspace, functions=(), layers=())
    write_handoff(handoff_of(nothing, ()), _handoff_path(workspace))
    with show.stage("plan"):
        saved = terraform.plan(_handoff_path(workspace), destroy=True)
    show.plan(saved)
    if not saved.is_empty:
        with show.stage("destroy"):
            terraform.apply(saved)
    return saved


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


def _plan(built: Built, aws: Aws, terraform: TerraformAdapter, show: Reporter, *, lock: bool) -> Planned:
    workspace = built.workspace
    with show.stage("publish"):
        env = workspace.env
        publisher = S3Publisher(s3=aws.client("s3"), bucket=env.artifact_bucket, owner=env.account_id)
        published = publish_all(built.build.artifacts, publisher, on_progress=show.say)
    handoff = handoff_of(workspace, published)
    handoff_digest = write_handoff(handoff, _handoff_path(workspace))
    with show.stage("plan"):
        saved = terraform.plan(_handoff_path(workspace), lock=lock)
    return Planned(built=built, published=published, handoff=handoff, handoff_digest=handoff_digest, plan=saved)


def _apply(saved: Plan, terraform: TerraformAdapter, show: Reporter) -> Outputs:
    """Apply the saved plan; an empty one only reads what is there."""
    if saved.is_empty:
        return terraform.outputs()
    with show.stage("apply"):
        return terraform.apply(saved)


def _refuse_losses(saved: Plan, workspace: Workspace) -> None:
    """Raise InputError for deletes that nothing brings back: messages, logs, and functions with their versions."""
    lost = [change.address for change in saved.changes if change.loses_data]
    if lost:
        env = workspace.env.name
        raise InputError(
            f"this deploy of {env} would delete what nothing brings back; nothing was changed",
            facts=lost,
            hint=f"if that is meant, run `invoke deploy --env {env} --allow-delete`",
        )


def _terraform(workspace: Workspace, aws: Aws, show: Reporter) -> TerraformAdapter:
    return TerraformAdapter(workspace.root, workspace.env.name, environ=aws.environ, on_progress=show.say)


def _handoff_path(workspace: Workspace) -> Path:
    return workspace.env_folder / "handoff.tfvars.json"


def _ask(workspace: Workspace, outputs: Outputs, aws: Aws, show: Reporter) -> Iterator[Answer]:
    with show.stage("ask"):
        for runtime in sorted({spec.target.runtime for spec in workspace.functions}):
            runtime_bundle.ensure(workspace.root, runtime, on_progress=show.say)
        for spec in workspace.functions:
            if sample_events(spec):
                show.say(spec.name)
                function_name = outputs.functions[spec.name].function_name
                yield call(spec.name, function_name, read_event(spec, None), aws.invoker())


def _release(planned: Planned, rollouts: tuple[Rollout, ...]) -> Release:
    workspace = planned.built.workspace
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return Release(
        id=release_id(at, planned.handoff_digest.hex),
        at=at,
        env=workspace.env.name,
        commit=_git(workspace.root, "rev-parse", "HEAD"),
        dirty=bool(_git(workspace.root, "status", "--porcelain")),
        handoff_digest=str(planned.handoff_digest),
        handoff=planned.handoff,
        versions={rollout.function.name: rollout.version for rollout in rollouts},
        live={rollout.function.name: rollout.live for rollout in rollouts},
    )


def _git(root: Path, *words: str) -> str | None:
    """Return what git says; None outside a repository, or without git."""
    try:
        said = process.run(["git", *words], cwd=root)
    except ToolError:
        return None
    return said.stdout.strip() if said.code == 0 else None

"""The stages in order. Read this first.

discover → lock → resolve → assemble → check → publish → hand-off → plan → apply → roll out → record

Every stage takes frozen values and gives new ones. Up to `check` nothing leaves this machine; `publish`
adds objects by digest; `apply` alone changes what runs, and only by the plan that was saved.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from build import process
from build.checks import check
from build.errors import FindingsError, ToolError
from build.infra.backend import state_bucket
from build.infra.terraform import TerraformAdapter
from build.local import cloud, runtime_bundle
from build.model import Finding, Severity, Workspace
from build.packaging.assemble import build_workspace
from build.packaging.locks import read_locks
from build.packaging.store import Store
from build.release.aws import Aws
from build.release.calls import call, read_event, sample_events
from build.release.handoff import handoff_of, write_handoff
from build.release.ledger import record, release_id
from build.release.publishers import S3Publisher, publish_all
from build.release.rollout import roll_out
from build.report import Reporter
from build.results import Answer, Built, Deployed, Outputs, Plan, Planned, Release, Rollout


def build(workspace: Workspace, show: Reporter) -> Built:
    """Make every artifact and check it. Touches nothing but .artifacts/ and the package index."""
    with show.stage("lock"):
        locks = read_locks(workspace)
    with show.stage("build") as say:
        artifacts = build_workspace(workspace, locks, Store(workspace.generated / "store"), on_progress=say)
    with show.stage("check"):
        findings = check(workspace, artifacts)
    show.findings(findings)
    _stop_on_errors(findings)
    return Built(workspace=workspace, build=artifacts, findings=findings)


def plan(workspace: Workspace, show: Reporter) -> Planned:
    """Build, publish, and plan against finished bytes."""
    return _plan(*prepare(workspace, show), show)


def deploy(workspace: Workspace, show: Reporter) -> Deployed:
    """Plan, apply that plan, roll out, record; on the embedded cloud, ask every function its first sample event."""
    built, aws = prepare(workspace, show)
    planned = _plan(built, aws, show)
    show.plan(planned.plan)
    outputs = _apply(planned, aws, show)
    with show.stage("roll out") as say:
        rollouts = roll_out(outputs, aws.client("lambda"), on_progress=say)
    release = None
    if not planned.plan.is_empty or any(rollout.moved for rollout in rollouts):
        with show.stage("record") as say:
            release = _release(planned, rollouts)
            say(record(release, aws.client("s3"), workspace.env.artifact_bucket))
    answers: tuple[Answer, ...] = ()
    if workspace.env.is_local:
        with show.stage("ask") as say:
            answers = tuple(_ask(workspace, outputs, aws, say))
    return Deployed(planned=planned, outputs=outputs, rollouts=rollouts, release=release, answers=answers)


def destroy(workspace: Workspace, show: Reporter) -> Plan:
    """Remove everything Terraform made in the env; artifacts and the ledger stay."""
    aws = connect(workspace, show)
    nothing = replace(workspace, functions=(), layers=())
    write_handoff(handoff_of(nothing, ()), _handoff_path(workspace))
    with show.stage("plan") as say:
        saved = _terraform(workspace, aws, say).plan(_handoff_path(workspace), destroy=True)
    show.plan(saved)
    if not saved.is_empty:
        with show.stage("destroy") as say:
            _terraform(workspace, aws, say).apply(saved)
    return saved


def prepare(workspace: Workspace, show: Reporter) -> tuple[Built, Aws]:
    """Build, and return the way to the env's AWS. A wrong account ends it before; the embedded cloud starts after."""
    if workspace.env.is_local:
        return build(workspace, show), connect(workspace, show)
    aws = connect(workspace, show)
    return build(workspace, show), aws


def connect(workspace: Workspace, show: Reporter) -> Aws:
    """Return the way to the env's AWS: the embedded cloud, started if need be, or the right account and no other."""
    env = workspace.env
    if not env.is_local:
        aws = Aws(env=env, environ=os.environ)
        aws.guard()
        return aws
    with show.stage("cloud") as say:
        running, started = cloud.ensure(workspace.root)
        say(f"{'started' if started else 'found'} at {running.endpoint}")
        aws = Aws(env=env, environ=cloud.isolated(os.environ, running, env))
        for bucket in (state_bucket(workspace.root, env.name), env.artifact_bucket):
            aws.ensure_bucket(bucket)
    return aws


@contextmanager
def alone(workspace: Workspace) -> Iterator[None]:
    """Keep other runs in this checkout from the env's hand-off and plan; other checkouts meet the state lock."""
    from filelock import FileLock, Timeout

    folder = workspace.folder_of(workspace.env.name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout:
        raise ToolError(
            f"another run in this checkout works on env {workspace.env.name}",
            facts=[f"it holds {folder / 'lock'}, and lets go of it when it ends"],
            hint=f"wait for it, then run `invoke deploy --env {workspace.env.name}`",
        ) from None


def _plan(built: Built, aws: Aws, show: Reporter) -> Planned:
    workspace = built.workspace
    with show.stage("publish") as say:
        publisher = S3Publisher(aws.client("s3"), workspace.env.artifact_bucket)
        published = publish_all(built.build.artifacts, publisher, on_progress=say)
    handoff = handoff_of(workspace, published)
    handoff_digest = write_handoff(handoff, _handoff_path(workspace))
    with show.stage("plan") as say:
        saved = _terraform(workspace, aws, say).plan(_handoff_path(workspace))
    return Planned(built=built, published=published, handoff=handoff, handoff_digest=handoff_digest, plan=saved)


def _apply(planned: Planned, aws: Aws, show: Reporter) -> Outputs:
    """Apply the saved plan; an empty one only reads what is there."""
    with show.stage("apply") as say:
        terraform = _terraform(planned.built.workspace, aws, say)
        return terraform.outputs() if planned.plan.is_empty else terraform.apply(planned.plan)


def _stop_on_errors(findings: Iterable[Finding]) -> None:
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        facts = [f"{each.subject}: {each.message} ({each.rule})" for each in errors]
        hints = dict.fromkeys(each.hint for each in errors)
        raise FindingsError("the checks found errors", facts=facts, hint="; ".join(hints))


def _terraform(workspace: Workspace, aws: Aws, say: Callable[[str], None]) -> TerraformAdapter:
    return TerraformAdapter(workspace.root, workspace.env.name, environ=aws.environ, on_progress=say)


def _handoff_path(workspace: Workspace) -> Path:
    return workspace.folder_of(workspace.env.name) / "handoff.tfvars.json"


def _ask(workspace: Workspace, outputs: Outputs, aws: Aws, say: Callable[[str], None]) -> Iterator[Answer]:
    for runtime in sorted({spec.target.runtime for spec in workspace.functions}):
        runtime_bundle.ensure(workspace.root, runtime, on_progress=say)
    for spec in workspace.functions:
        if sample_events(spec):
            say(spec.name)
            function_name = outputs.functions[spec.name].function_name
            yield call(spec.name, function_name, read_event(spec, None), aws.client("lambda"))


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
        versions={rollout.function.name: rollout.after for rollout in rollouts},
    )


def _git(root: Path, *words: str) -> str | None:
    """Return what git says; None outside a repository, or without git."""
    try:
        said = process.run(["git", *words], cwd=root)
    except ToolError:
        return None
    return said.stdout.strip() if said.code == 0 else None

"""What the verbs of tasks.py do: read the workspace, run the pipeline, print what came of it."""

import re
import sys
from pathlib import Path

from build import report
from build.errors import FindingsError, InputError
from build.model import Artifact, Build, FunctionSpec, Workspace
from build.project.discovery import discover, discover_all
from build.project.naming import did_you_mean, kebab_problem
from build.results import Deployed


def lock(root: Path, *, check: bool, upgrade: bool, function: str, layer: str) -> None:
    """Write the locks, or only tell whether they are current; they must fit the targets of every env."""
    from build.packaging.locks import read_locks, write_locks

    show, workspaces = report.Reporter(), discover_all(root)
    if not check:
        chosen = [*([f"functions/{function}"] if function else []), *([f"layers/{layer}"] if layer else [])]
        for identity, changed in write_locks(workspaces, chosen, upgrade=upgrade).items():
            show.note(f"{identity}: {'locked anew' if changed else 'unchanged'}")
    for workspace in workspaces:
        read_locks(workspace)
    show.note(f"the locks of {len(workspaces[0].specs)} folders fit what they want, in every env")


def build(root: Path, env: str, *, as_json: bool) -> None:
    """Make every artifact."""
    from build import pipeline

    workspace, show = discover(root, env), report.Reporter()
    made = pipeline.build(workspace, show).build
    if as_json:
        report.print_json(
            {
                "functions": [report.artifact_json(made.functions[name]) for name in sorted(made.functions)],
                "layers": [report.artifact_json(each) for each in _layer_artifacts(made)],
            }
        )
        return
    report.print_table(
        ("artifact", "architecture", "size", "unzipped", "digest", ""),
        (
            (
                f"{each.identity.partition('/')[0]}/{each.key}",
                ", ".join(each.architectures),
                report.megabytes(each.size_bytes),
                report.megabytes(each.unzipped_bytes),
                each.digest.short,
                "built" if each.changed else "unchanged",
            )
            for each in made.artifacts
        ),
        right=("size", "unzipped"),
    )


def check(root: Path, env: str) -> None:
    """Build, and end with exit code 1 if there are errors among the findings."""
    from build import pipeline

    show = report.Reporter()
    built = pipeline.build(discover(root, env), show)
    show.note(f"{len(built.build.artifacts)} artifacts, {len(built.findings)} warnings, no errors")


def size(root: Path, env: str, function: str) -> None:
    """Show the distributions of every artifact, largest first."""
    from build import pipeline

    workspace = discover(root, env)
    if function:
        _spec(workspace, function)
    made = pipeline.build(workspace, report.Reporter()).build
    rows = []
    for artifact in made.artifacts:
        if function and artifact.identity != f"functions/{function}":
            continue
        rows.append((artifact.identity, "all, unzipped", "", report.megabytes(artifact.unzipped_bytes)))
        rows += [("", name, version, report.megabytes(count)) for name, version, count in _sizes(artifact)]
    report.print_table(("artifact", "distribution", "version", "unzipped"), rows, right=("unzipped",))


def plan(root: Path, env: str) -> None:
    """Show what a deploy would change."""
    from build import pipeline

    workspace, show = discover(root, env), report.Reporter()
    if workspace.is_empty:
        _say_nothing_to_deploy(show, env)
        return
    with pipeline.alone(workspace):
        made = pipeline.plan(workspace, show)
    sys.stdout.write("".join(f"{line}\n" for line in report.plan_lines(made.plan)))


def deploy(root: Path, env: str, *, as_json: bool, allow_delete: bool) -> None:
    """Deploy, and show what runs."""
    from build import pipeline

    workspace, show = discover(root, env), report.Reporter()
    if workspace.is_empty:
        _say_nothing_to_deploy(show, env)
        if as_json:
            report.print_json({"release": None, "http_api_url": None, "functions": [], "layers": []})
        return
    with pipeline.alone(workspace):
        done = pipeline.deploy(workspace, show, allow_delete=allow_delete)
    if as_json:
        report.print_json(_deployed_json(done))
    else:
        _print_deployed(done)
    failed = [answer.name for answer in done.answers if answer.error]
    if failed:
        raise FindingsError(
            "functions failed on their first sample event",
            facts=failed,
            hint=f"run `invoke invoke -f {failed[0]}` to see its log",
        )


def destroy(root: Path, env: str, *, yes: bool) -> None:
    """Remove an env."""
    from build import pipeline

    workspace, show = discover(root, env), report.Reporter()
    if not (yes or workspace.env.is_local):
        raise InputError(f"destroying {env} must be asked for twice", hint=f"run `invoke destroy --env {env} --yes`")
    with pipeline.alone(workspace):
        pipeline.destroy(workspace, show)


def invoke(root: Path, env: str, function: str, event: str | None, qualifier: str) -> None:
    """Call a function; exit code 1 when it fails."""
    from build import pipeline
    from build.release.calls import call, read_event

    workspace = discover(root, env)
    spec = _spec(workspace, function)
    named_event = read_event(spec, event)
    client = pipeline.reach(workspace).invoker()
    answer = call(function, workspace.function_name(function), named_event, client, qualifier=qualifier)
    sys.stderr.write(answer.log_tail)
    sys.stdout.write(answer.payload + "\n")
    if answer.error:
        raise FindingsError(
            f"{spec.identity} failed on {answer.event}: {answer.error}",
            hint=f"run `invoke logs -f {function} --env {env}`",
        )


def logs(root: Path, env: str, function: str, *, since: str, follow: bool) -> None:
    """Print a function's log lines."""
    from build import pipeline
    from build.release.calls import follow_logs

    workspace = discover(root, env)
    _spec(workspace, function)
    since_s = _seconds(since)
    client = pipeline.reach(workspace).client("logs")
    for at, line in follow_logs(workspace.log_group(function), client, since_s=since_s, follow=follow):
        sys.stdout.write(f"{at:%H:%M:%S.%f}"[:-3] + f"  {line}\n")
        sys.stdout.flush()


def status(root: Path, env: str) -> None:
    """Show every function's live version beside what is built here."""
    from build import pipeline
    from build.release.status import status_of

    workspace = discover(root, env)
    client = pipeline.reach(workspace).client("lambda")
    report.print_table(
        ("function", "live", "newest", "runtime", "architecture", "digest", "modified"),
        (
            (row.name, row.live, row.newest, row.runtime, row.architecture, row.digest, row.modified)
            for row in status_of(workspace, client)
        ),
    )


def local_start(root: Path) -> None:
    """Start the embedded cloud."""
    from build.local import cloud

    running, started = cloud.ensure(root)
    report.Reporter().note(f"the embedded cloud {'started' if started else 'runs'} at {running.endpoint}")


def local_stop(root: Path) -> None:
    """End the embedded cloud."""
    from build.local import cloud

    stopped = cloud.stop(root)
    report.Reporter().note(f"ended the embedded cloud (pid {stopped.pid})" if stopped else "no embedded cloud runs")


def local_status(root: Path, *, as_json: bool) -> None:
    """Tell where the embedded cloud is."""
    from build.local import cloud

    running = cloud.running(root)
    if as_json:
        found = {"endpoint": running.endpoint, "pid": running.pid, "log": str(running.log)} if running else None
        report.print_json(found or {"endpoint": None, "pid": None, "log": None})
    elif running:
        sys.stdout.write(f"the embedded cloud runs at {running.endpoint} (pid {running.pid}), log {running.log}\n")
    else:
        sys.stdout.write("no embedded cloud runs; `invoke local.start` starts it\n")


def doctor(root: Path) -> None:
    """Print what this machine has."""
    from build.doctor import examine

    report.print_table(("what", "state", "detail"), examine(root))


def terraform(root: Path) -> Path:
    """Return the Terraform this repository uses."""
    import os

    from build.infra.binary import terraform_binary

    return terraform_binary(root, os.environ)


def _say_nothing_to_deploy(show: report.Reporter, env: str) -> None:
    show.note("nothing to deploy: there is no folder under functions/ or layers/")
    show.note(f"hint: run `invoke new hello`, or `invoke destroy --env {env}` to remove what was deployed before")


def _seconds(text: str) -> float:
    """Return seconds of ``30`` (minutes), ``90s``, ``10m`` or ``2h``."""
    match = re.fullmatch(r"(\d+)([smh]?)", text)
    if not match:
        raise InputError(
            f"no stretch of time: {text!r}",
            facts=["expected minutes, or a number with s, m or h: 30, 90s, 2h"],
            hint="run `invoke logs -f NAME --since 10m`",
        )
    return float(match[1]) * {"s": 1, "m": 60, "": 60, "h": 3600}[match[2]]


def _spec(workspace: Workspace, name: str) -> FunctionSpec:
    by_name = {spec.name: spec for spec in workspace.functions}
    if name not in by_name:
        raise InputError(
            f"no function `{name}`{did_you_mean(name, by_name)}",
            facts=[f"expected one of: {', '.join(by_name) or 'none yet'}"],
            hint="run `invoke status`" if kebab_problem(name) else f"run `invoke new {name}`, or name another",
        )
    return by_name[name]


def _layer_artifacts(build: Build) -> list[Artifact]:
    return [artifact for artifact in build.artifacts if artifact.identity.startswith("layers/")]


def _sizes(artifact: Artifact) -> list[tuple[str, str, int]]:
    rows = [(each.name, each.version, each.size_bytes) for each in artifact.distributions]
    return sorted([*rows, ("its own src/", "", artifact.source_bytes)], key=lambda row: row[2], reverse=True)


def _deployed_json(done: Deployed) -> dict[str, object]:
    made, answers = done.planned.built.build, {answer.name: answer for answer in done.answers}
    uploaded = {each.artifact.key for each in done.planned.published if each.uploaded}
    functions = []
    for rollout in done.rollouts:
        name = rollout.function.name
        answer = answers.get(name)
        functions.append(
            {
                **report.artifact_json(made.functions[name]),
                "changed": name in uploaded or rollout.moved,
                "version": rollout.live,
                "alias": "live",
                "answer": report.parsed(answer.payload) if answer else None,
            }
        )
    layers = [
        {
            **report.artifact_json(each),
            "changed": each.key in uploaded,
            "version": done.outputs.layers[each.key].rpartition(":")[2],
            "alias": None,
            "answer": None,
        }
        for each in _layer_artifacts(made)
    ]
    release = done.release.id if done.release else None
    url = done.outputs.http_api_url
    return {"release": release, "http_api_url": url, "functions": functions, "layers": layers}


def _print_deployed(done: Deployed) -> None:
    specs = {spec.name: spec for spec in done.planned.built.workspace.functions}
    answers = {answer.name: answer for answer in done.answers}
    rows = []
    for rollout in done.rollouts:
        name = rollout.function.name
        spec, artifact = specs[name], done.planned.built.build.functions[name]
        rows.append(
            (
                name,
                str(spec.target.runtime),
                str(spec.target.architecture),
                "Zip",
                report.megabytes(artifact.size_bytes),
                rollout.live,
                "live",
                f"{answers[name].seconds:.2f} s" if name in answers else "",
            )
        )
    columns = ("function", "runtime", "architecture", "package type", "size", "version", "alias", "time")
    report.print_table(columns, rows, right=("size", "version", "time"))
    report.print_answers(done.answers)
    show = report.Reporter()
    for rollout in done.rollouts:
        if rollout.live != rollout.version:
            show.note(
                f"warning: {rollout.function.name}:live stays at version {rollout.live}, to which it was moved after "
                f"version {rollout.version} was released"
            )
    if done.outputs.http_api_url and not done.planned.built.workspace.env.is_local:
        show.note(f"HTTP API {done.outputs.http_api_url}")
    if done.release:
        show.note(f"release {done.release.id}")

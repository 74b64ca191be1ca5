"""Change an env: `plan`, `deploy`, `destroy`."""

from pathlib import Path
from typing import TYPE_CHECKING

from build import report
from build.errors import FindingsError, InputError
from build.project.discovery import discover
from build.results import Deployed

if TYPE_CHECKING:
    from build.local.web.entries import Entry


def plan(root: Path, env: str, *, out: str, fail_on: str, as_json: bool, every_stack: bool) -> None:
    """Show what a deploy would change; raise FindingsError if that is as bad as ``fail_on``."""
    from build import pipeline
    from build.review import rules, shapes, terminal

    workspace, show = discover(root, env), report.Reporter()
    known = ("", "look", "dangerous")
    if fail_on not in known:
        raise InputError(f"--fail-on: expected look or dangerous, got {fail_on}", hint="run `invoke --help plan`")
    if workspace.is_empty:
        _say_nothing_to_deploy(show, env)
        return
    with pipeline.alone(workspace):
        _, review = pipeline.plan(workspace, show, every_stack=every_stack, out=Path(out) if out else None)
    if as_json:
        report.print_json(shapes.to_json(review))
    else:
        report.print_lines(terminal.lines(review), lambda console: terminal.show(review, console))
        show.note(f"to look at in a browser: .artifacts/{env}/review.html")
    if fail_on and rules.fails(review, fail_on):
        raise FindingsError(
            f"the plan of {env} is {review.verdict}",
            facts=[f"{each.subject}: {each.text}" for each in review.reasons if each.verdict == review.verdict],
            hint=f"see .artifacts/{env}/review.html, then run `invoke deploy --env {env}` if that is meant",
        )


def deploy(
    root: Path,
    env: str,
    *,
    saved: str,
    again: bool,
    replan: bool,
    as_json: bool,
    allow_delete: bool,
    every_stack: bool,
) -> None:
    """Deploy, and show what runs; or ``again`` what was interrupted."""
    from build import pipeline

    if again:
        _resume(root, env, allow_delete=allow_delete)
        return
    workspace, show = discover(root, env), report.Reporter()
    if workspace.is_empty and not saved:
        _say_nothing_to_deploy(show, env)
        if as_json:
            report.print_json({"release": None, "http_api_urls": [], "entries": [], "functions": [], "layers": []})
        return
    with pipeline.alone(workspace):
        if saved:
            done = pipeline.deploy_saved(workspace, show, Path(saved), allow_delete=allow_delete, replan=replan)
        else:
            done = pipeline.deploy(workspace, show, allow_delete=allow_delete, every_stack=every_stack)
    entries = _entries(done)
    if as_json:
        report.print_json(_deployed_json(done, entries))
    else:
        _print_deployed(done, entries)
    failed = [answer.name for answer in done.answers if answer.error]
    if failed:
        raise FindingsError(
            "functions failed on their first sample event",
            facts=failed,
            hint=f"run `invoke invoke -f {failed[0]}` to see its log",
        )


def _resume(root: Path, env: str, *, allow_delete: bool) -> None:
    """Bring the release that was interrupted to its end."""
    from build import pipeline

    workspace, show = discover(root, env), report.Reporter()
    with pipeline.alone(workspace):
        release, rollouts = pipeline.resume(workspace, show, allow_delete=allow_delete)
    report.print_table(("function", "was", "is"), ((each.function.name, each.before, each.live) for each in rollouts))
    show.note(f"release {release.id} is at its end")


def destroy(root: Path, env: str, *, yes: bool) -> None:
    """Remove an env."""
    from build import pipeline

    workspace, show = discover(root, env), report.Reporter()
    if not (yes or workspace.env.is_local):
        raise InputError(f"destroying {env} must be asked for twice", hint=f"run `invoke destroy --env {env} --yes`")
    with pipeline.alone(workspace):
        pipeline.destroy(workspace, show)


def _say_nothing_to_deploy(show: report.Reporter, env: str) -> None:
    show.note("nothing to deploy: there is no folder under functions/ or layers/")
    show.note(f"hint: run `invoke new hello`, or `invoke destroy --env {env}` to remove what was deployed before")


def _entries(done: Deployed) -> "tuple[Entry, ...]":
    """Return what answers HTTP on the embedded cloud; of real envs, Terraform's outputs tell."""
    if not done.planned.workspace.env.is_local:
        return ()
    from build.local import cloud
    from build.local.web.entries import entries

    running = cloud.running(done.planned.workspace.root)
    return entries(running) if running else ()


def _deployed_json(done: Deployed, entries: "tuple[Entry, ...]") -> dict[str, object]:
    artifacts, answers = done.planned.artifacts, {answer.name: answer for answer in done.answers}
    uploaded = {each.artifact.key for each in done.planned.published if each.uploaded}
    functions = []
    for rollout in done.rollouts:
        name = rollout.function.name
        answer = answers.get(name)
        functions.append(
            {
                **report.artifact_json(artifacts[f"functions/{name}"]),
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
        for each in (published.artifact for published in done.planned.published)
        if each.identity.startswith("layers/")
    ]
    from build.local.web.entries import in_place

    return {
        "release": done.release,
        "http_api_urls": in_place(done.outputs.http_api_urls, entries),
        "entries": [each.to_json() for each in entries],
        "functions": functions,
        "layers": layers,
    }


def _print_deployed(done: Deployed, entries: "tuple[Entry, ...]") -> None:
    specs = {spec.name: spec for spec in done.planned.workspace.functions}
    answers = {answer.name: answer for answer in done.answers}
    rows = []
    for rollout in done.rollouts:
        name = rollout.function.name
        spec, artifact = specs[name], done.planned.artifacts[f"functions/{name}"]
        rows.append(
            (
                name,
                str(spec.target.runtime),
                str(spec.target.architecture),
                "Image" if spec.is_image else "Zip",
                report.megabytes(artifact.size_bytes),
                rollout.live,
                "live",
                f"{answers[name].seconds:.2f} s" if name in answers else "",
            )
        )
    columns = ("function", "runtime", "architecture", "package type", "size", "version", "alias", "time")
    report.print_table(columns, rows, right=("size", "version", "time"))
    if entries:
        names = {rollout.function.function_name: rollout.function.name for rollout in done.rollouts}
        rows_of_entries = ((each.entry, names.get(each.function, each.function), each.url) for each in entries)
        report.print_table(("entry", "function", "address"), rows_of_entries)
    report.print_answers(done.answers)
    show = report.Reporter()
    for rollout in done.rollouts:
        if rollout.live != rollout.version:
            show.note(
                f"warning: {rollout.function.name}:live stays at version {rollout.live}, to which it was moved after "
                f"version {rollout.version} was released"
            )
    if not done.planned.workspace.env.is_local:
        for url in done.outputs.http_api_urls:
            show.note(f"HTTP API {url}")
    if done.release:
        show.note(f"release {done.release}")

"""What was released, and the way back: `releases`, `rollback`, `drift`."""

from pathlib import Path

from build import report
from build.errors import DriftError
from build.project.discovery import discover


def releases(root: Path, env: str, *, as_json: bool) -> None:
    """List the releases of an env, the newest first."""
    from build import pipeline

    workspace = discover(root, env)
    rows = [*reversed(pipeline.ledger(workspace, pipeline.reach(workspace)).rows())]
    if as_json:
        report.print_json(rows)
        return
    newest = rows[0]["live"] if rows else {}
    report.print_table(
        ("release", "commit", "functions", "runs now"),
        (
            (
                row["id"],
                f"{(row['commit'] or 'none')[:12]}{' and changes' if row['dirty'] else ''}",
                str(len(row["live"])),
                "yes" if row["live"] == newest else "",
            )
            for row in rows
        ),
        right=("functions",),
    )


def rollback(root: Path, env: str, *, to: str) -> None:
    """Point every live alias at what an earlier release recorded."""
    from build import pipeline
    from build.release.rollback import go_back, target_of

    workspace, show = discover(root, env), report.Reporter()
    with pipeline.alone(workspace):
        aws = pipeline.reach(workspace)
        row = target_of(pipeline.ledger(workspace, aws).rows(), to or None, env)
        with show.stage("rollback"):
            returned = go_back(row, workspace, aws.client("lambda"), on_progress=show.say)
    report.print_table(("function", "was", "is"), ((each.name, each.before, each.after) for each in returned))
    show.note(f"as release {row['id']} left it; roles, triggers and layers are as they were")


def drift(root: Path, env: str, *, as_json: bool) -> None:
    """Say what is otherwise than the newest release left it; raise DriftError if anything is."""
    from build import pipeline, reviews
    from build.review.shapes import to_json

    workspace, show = discover(root, env), report.Reporter()
    with pipeline.alone(workspace):
        made = pipeline.drift(workspace, show)
        reviews.write(made, workspace.env_folder, "drift")
    if as_json:
        report.print_json(to_json(made)["drift"])
    if made.drift:
        raise DriftError(
            f"{env} is not as release {made.running.id if made.running else ''} left it",
            facts=[f"{each.address}: {each.change} {', '.join(each.attributes)}".rstrip() for each in made.drift],
            hint=f"see .artifacts/{env}/drift.md; `invoke deploy --env {env}` puts it back as this checkout has it",
        )
    show.note("no drift")

"""What was released, and the way back: `releases`, `rollback`, `drift`."""

from pathlib import Path

from build import report
from build.errors import DriftError
from build.project.discovery import discover


def releases(root: Path, env: str, *, as_json: bool) -> None:
    """List the releases of an env, the newest first."""
    from build import pipeline, recording

    workspace = discover(root, env)
    rows = [*reversed(recording.ledger(workspace, pipeline.reach(workspace)).rows())]
    if as_json:
        report.print_json([row.to_json() for row in rows])
        return
    newest = next((row.live for row in rows if row.is_settled), {})
    report.print_table(
        ("release", "began", "kind", "outcome", "commit", "functions", "by", "runs now"),
        (
            (
                row.id,
                row.at[:16].replace("T", " "),
                f"{row.kind} to {row.of}" if row.of else row.kind,
                row.outcome,
                f"{(row.commit or 'none')[:12]}{' and changes' if row.dirty else ''}",
                str(len(row.live)),
                row.by.actor or row.by.arn.rpartition("/")[2],
                "yes" if row.live == newest and row.is_settled else "",
            )
            for row in rows
        ),
        right=("release", "functions"),
    )


def rollback(root: Path, env: str, *, to: str, only: str) -> None:
    """Point live aliases at what an earlier release recorded."""
    from build import pipeline

    workspace, show = discover(root, env), report.Reporter()
    names = [name for name in only.split(",") if name]
    with pipeline.alone(workspace):
        release, returned = pipeline.rollback(workspace, show, to=to, only=names)
    report.print_table(("function", "was", "is"), ((each.name, each.before, each.after) for each in returned))
    show.note(f"as release {release.id} left it; roles, triggers and layers are as they were")


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

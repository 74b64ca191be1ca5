"""What was released, and the way back: `releases`, `releases.show`, `releases.diff`, `rollback`."""

from collections.abc import Sequence
from pathlib import Path

from build import report
from build.digest import Digest
from build.errors import InputError
from build.inspection.differences import Difference
from build.project.discovery import discover
from build.release.aws import Aws
from build.release.lookup import artifacts_of, masked, named
from build.release.rows import Recorded
from build.store.objects import Store


def releases(root: Path, env: str, *, as_json: bool) -> None:
    """List the releases of an env, the newest first."""
    from build import pipeline, recording

    workspace = discover(root, env)
    rows = [*reversed(recording.ledger(workspace, pipeline.reach(workspace)).rows())]
    if as_json:
        report.print_json([masked(row) for row in rows])
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


def show(root: Path, env: str, wanted: str, *, as_json: bool) -> None:
    """Show all that the ledger tells of one release; environment values are never shown."""
    from build import pipeline, recording
    from build.verbs.shown_releases import print_release

    workspace = discover(root, env)
    rows = recording.ledger(workspace, pipeline.reach(workspace)).rows()
    found = named(rows, wanted, env)
    if as_json:
        report.print_json({**masked(found.release), "digest": found.digest, "also": found.also})
    else:
        print_release(found, rows)


def diff(root: Path, env: str, old: str, new: str, *, as_json: bool) -> None:
    """Show what differs from one release to another, and inside of artifacts as far as they are still to be had."""
    from build import pipeline, recording
    from build.release.comparing import compare
    from build.verbs.shown_releases import print_comparison

    workspace, show = discover(root, env), report.Reporter()
    aws = pipeline.reach(workspace)
    rows = recording.ledger(workspace, aws).rows()
    before, after = (named(rows, wanted, env).release for wanted in (old, new))
    found = compare(before, after)
    changed = [place for place, part in found.parts.items() if part.before and part.after and part.has_other_code]
    store, files = Store(workspace.generated / "store"), {}
    with show.stage("compare"):
        for place in changed:
            show.say(place)
            files[place] = _inside([artifacts_of(each)[place] for each in (before, after)], aws, store)
    if as_json:
        inside = {place: each.to_json() if each else None for place, each in files.items()}
        report.print_json({**found.to_json(), "files": inside})
    else:
        print_comparison(found, files, rows, env)


def _inside(artifacts: Sequence[Recorded], aws: Aws, store: Store) -> Difference | None:
    """Return how two artifacts differ inside; None unless the store or the bucket has both."""
    from build.inspection.contents import read_contents
    from build.inspection.differences import difference
    from build.reviews import fetched

    paths = [fetched({"digest_hex": Digest.parse(each.digest).hex, "key": each.key}, aws, store) for each in artifacts]
    before, after = (read_contents(path) if path else None for path in paths)
    return difference(before, after) if before and after else None


def rollback(root: Path, env: str, *, to: str, only: str, full: bool, allow_delete: bool) -> None:
    """Point live aliases at what an earlier release recorded; or apply all that it recorded."""
    from build import pipeline

    workspace, show = discover(root, env), report.Reporter()
    names = [name for name in only.split(",") if name]
    if full and names:
        raise InputError(
            "--full restores the whole env",
            facts=[f"got --only {only}"],
            hint=f"run `invoke rollback --env {env} --full`",
        )
    with pipeline.alone(workspace):
        if full:
            release, rollouts = pipeline.restore(workspace, show, to=to, allow_delete=allow_delete)
            rows = [(each.function.name, each.before, each.live) for each in rollouts]
        else:
            release, returned = pipeline.rollback(workspace, show, to=to, only=names)
            rows = [(each.name, each.before, each.after) for each in returned]
    report.print_table(("function", "was", "is"), rows)
    kept = "everything is" if full else "code and settings of these functions are"
    show.note(f"{kept} as release {release.id} left it{'' if full else '; roles, triggers and the rest stay'}")

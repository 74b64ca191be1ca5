"""`status`: what runs, since when, of which release."""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from build import report
from build.project.discovery import discover

if TYPE_CHECKING:
    from build.release.rows import Release
    from build.release.status import Status

_WATCHED = "runs watched code, not deployed: run `invoke deploy`"
_TOLD_OF_LAST = ("id", "kind", "of", "outcome", "at", "ended_at", "commit", "error")


def status(root: Path, env: str, *, as_json: bool) -> None:
    """Show what runs: since when, of which release, and whether it is what the ledger says."""
    from build import pipeline, recording
    from build.release.deployed import deployed
    from build.release.status import functions_of, status_of
    from build.release.strays import LOOKED_BACK
    from build.watching.embedded import swapped_in

    workspace = discover(root, env)
    aws = pipeline.reach(workspace)
    rows = recording.ledger(workspace, aws).rows(LOOKED_BACK)
    here = [spec.name for spec in workspace.functions]
    names = {name: workspace.function_name(name) for name in functions_of(rows, here)}
    found = status_of(rows, here, deployed(names, aws.client("lambda")))
    if workspace.env.is_local:
        watched = swapped_in(workspace)
        found = tuple(
            replace(each, otherwise=(*each.otherwise, _WATCHED)) if each.name in watched else each for each in found
        )
    last = rows[-1] if rows else None
    if as_json:
        newest = {key: getattr(last, key) for key in _TOLD_OF_LAST} | {"by": asdict(last.by)} if last else None
        report.print_json({"newest": newest, "functions": [asdict(each) for each in found]})
        return
    sys.stdout.write(f"{_words_of(last)}\n")
    report.print_table(
        ("function", "live", "artifact", "since", "release", "commit", "as released"),
        (
            (
                each.name,
                ", ".join([each.live or "-", *(f"{share:.0%} {to}" for to, share in each.weights.items())]),
                each.digest[:12],
                each.since[:16].replace("T", " "),
                _release_words(each),
                (each.commit or "")[:12],
                "; ".join(each.otherwise or ("yes",)) + ("" if each.in_checkout else "; not in this checkout"),
            )
            for each in found
        ),
    )


def _words_of(last: "Release | None") -> str:
    if last is None:
        return "nothing was released yet"
    who = last.by.actor or last.by.arn.rpartition("/")[2]
    what = f"release {last.id}: {last.kind} {f'of {last.of} ' if last.of else ''}by {who or 'nobody known'}, {last.at}"
    if last.outcome == "unfinished":
        return f"NOT FINISHED: {what}; it is under way, or was interrupted"
    return f"{what}: {last.outcome}{f', {last.error}' if last.error else ''}"


def _release_words(each: "Status") -> str:
    """Return which release published the version that runs, and which one took callers back to it."""
    if not each.release:
        return ""
    again = f", again by {each.by}" if each.by not in {"", each.release} else ""
    return f"{each.release}{' or before' if each.is_older else ''}{again}"

"""Run and watch what is deployed: `invoke`, `logs`, `status`."""

import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from build import report
from build.errors import FindingsError, InputError
from build.project.discovery import discover
from build.verbs.choosing import function_named

if TYPE_CHECKING:
    from build.release.rows import Release
    from build.release.status import Status

_TOLD_OF_LAST = ("id", "kind", "of", "outcome", "at", "ended_at", "commit", "error")


def invoke(root: Path, env: str, function: str, event: str | None, qualifier: str) -> None:
    """Call a function; exit code 1 when it fails."""
    from build import pipeline
    from build.release.calls import call, read_event

    workspace = discover(root, env)
    spec = function_named(workspace, function)
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
    function_named(workspace, function)
    since_s = _seconds(since)
    client = pipeline.reach(workspace).client("logs")
    for at, line in follow_logs(workspace.log_group(function), client, since_s=since_s, follow=follow):
        sys.stdout.write(f"{at:%H:%M:%S.%f}"[:-3] + f"  {line}\n")
        sys.stdout.flush()


def status(root: Path, env: str, *, as_json: bool) -> None:
    """Show what runs: since when, of which release, and whether it is what the ledger says."""
    from build import pipeline, recording
    from build.release.deployed import deployed
    from build.release.status import functions_of, status_of
    from build.release.strays import LOOKED_BACK

    workspace = discover(root, env)
    aws = pipeline.reach(workspace)
    rows = recording.ledger(workspace, aws).rows(LOOKED_BACK)
    here = [spec.name for spec in workspace.functions]
    names = {name: workspace.function_name(name) for name in functions_of(rows, here)}
    found = status_of(rows, here, deployed(names, aws.client("lambda")))
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

"""Run and watch what is deployed: `invoke`, `logs`, `status`."""

import re
import sys
from pathlib import Path

from build import report
from build.errors import FindingsError, InputError
from build.project.discovery import discover
from build.verbs.choosing import function_named


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

"""`invoke`: call a function where it is deployed, or in a worker on this machine."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from build.errors import FindingsError, InputError
from build.model import LOCAL, FunctionSpec, Workspace
from build.project.discovery import discover
from build.release.aws import Aws
from build.release.platform_lines import Report, last_report
from build.release.schedule import ALIAS
from build.verbs.choosing import function_named
from build.verbs.logs import say

if TYPE_CHECKING:
    from build.results import Answer

_LATE_S = 30.0
"""How long CloudWatch may take to show a log."""
_LATE_LOCAL_S = 5.0
_PORT = 5678
"""What editors suggest for debugpy."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a function is called."""

    qualifier: str
    later: bool
    """Lambda takes the event, and nobody waits for the answer."""
    tail: bool
    """All that the request logs is shown, not its last 4 KB."""
    profile: bool
    debugger: str | bool
    """A port; True for the usual one; empty for none."""


def invoke(root: Path, env: str, function: str, event: str | None, manner: Manner) -> None:
    """Call a function; exit code 1 when it fails."""
    if manner.profile or manner.debugger:
        _invoke_here(root, env, function, event, manner)
        return
    from build import pipeline
    from build.release.calls import call, read_event, send

    workspace = discover(root, env)
    spec = function_named(workspace, function)
    named_event = read_event(spec, event)
    aws, name = pipeline.reach(workspace), workspace.function_name(function)
    if manner.later:
        request_id = send(name, named_event, aws.invoker(), qualifier=manner.qualifier)
        sys.stderr.write(f"{name}:{manner.qualifier} will get {named_event[0]}; the id of the request is\n")
        sys.stdout.write(f"{request_id}\n")
        sys.stdout.flush()
        report = _tail(spec, workspace, aws, request_id, wait_s=spec.timeout_s) if manner.tail else None
        failed = report is not None and report.status != "success"
    else:
        answer = call(function, name, named_event, aws.invoker(), qualifier=manner.qualifier)
        if manner.tail:
            report = _tail(spec, workspace, aws, answer.request_id, wait_s=0)
        else:
            for line in filter(None, answer.log_tail.split("\n")):
                say(line)
            report = last_report(answer.log_tail)
        sys.stderr.write(f"{_timings(answer, report)}\n")
        sys.stdout.write(answer.payload + "\n")
        failed = answer.error is not None
    if failed:
        raise FindingsError(
            f"{spec.identity} failed on {named_event[0]}", hint=f"run `invoke logs -f {function} --env {env}`"
        )


def _tail(spec: FunctionSpec, workspace: Workspace, aws: Aws, request_id: str, *, wait_s: float) -> Report | None:
    """Show what a request logs, and wait for its end: ``wait_s`` for the function, and a bit for CloudWatch."""
    from build.release.calls import tail
    from build.release.logs import batches

    is_local = workspace.env.is_local
    limit_s = wait_s + (_LATE_LOCAL_S if is_local else _LATE_S)
    groups = {spec.name: workspace.log_group(spec.name)}
    found = batches(groups, aws.client("logs"), since_s=spec.timeout_s + limit_s, is_local=is_local)
    report = tail(request_id, found, say, limit_s=limit_s)
    if report is None:
        say(f"the log does not tell of its end within {limit_s:.0f} s")
    return report


def _timings(answer: "Answer", report: Report | None) -> str:
    words = f"{report.words}; " if report else ""
    return f"{words}{answer.seconds:.2f} s there and back, version {answer.version or '$LATEST'}"


def _invoke_here(root: Path, env: str, function: str, event: str | None, manner: Manner) -> None:
    """Call what is built, not what is deployed."""
    from build.verbs import workers

    given = {
        f"--env {env}": env != LOCAL,
        f"--qualifier {manner.qualifier}": manner.qualifier != ALIAS,
        "--async": manner.later,
        "--tail": manner.tail,
        "--debugger": manner.profile and manner.debugger,
    }
    option = "--profile" if manner.profile else "--debugger"
    facts = [f"{option} does not go with {name}" for name, is_given in given.items() if is_given]
    port = str(_PORT if manner.debugger is True else manner.debugger)
    facts += [f"no port: {port}"] if manner.debugger and not (port.isdecimal() and int(port)) else []
    if facts:
        raise InputError(
            f"{option} calls what is built, in a worker on this machine",
            facts=facts,
            hint=f"run `invoke invoke -f {function} {option}`",
        )
    if manner.profile:
        workers.profile(root, function, event)
    else:
        workers.debug(root, function, event, int(port))

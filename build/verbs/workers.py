"""`invoke` with --profile or --debugger: a function's artifact, called in a worker of its own on this machine."""

import json
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build import report
from build.errors import FindingsError, InputError
from build.local import runtime_bundle
from build.local.built import zip_deployment
from build.local.deployment import Deployment, LogLine, Outcome, Tool
from build.local.execution import Pool
from build.local.importing import code_of
from build.local.runtime import debugged
from build.model import LOCAL, FunctionSpec
from build.project.discovery import discover
from build.release.calls import read_event
from build.verbs.choosing import function_named
from build.verbs.emulate import Ready, made_ready
from build.verbs.logs import say

if TYPE_CHECKING:
    from build.profiling.measuring import Measured
    from build.profiling.page import Graph

_HOST = "127.0.0.1"
_OPTIONS = ("-X", "frozen_modules=off")
"""Or debugpy warns that it may miss breakpoints in the standard library."""
_PATIENCE_S = 86_400
"""How long a function may stand still, instead of its timeout."""


def profile(root: Path, function: str, event: str | None) -> None:
    """Call ``function`` cold and hot, and write a page that shows where the time went; exit code 1 when it fails."""
    from build.profiling.measuring import ground_of, measure
    from build.profiling.page import page, spoken

    show = report.Reporter()
    made = _made(root, function, show)
    named, data = read_event(made.spec, event)
    workspace = made.built.workspace
    deployment = _zip_of(made)
    with show.stage("profile"):
        ground = ground_of(made.spec, workspace, deployment)
        found = measure(deployment, data, ground, root=root, endpoint=made.endpoint)
    for line in found.log:
        say(line)
    place = workspace.generated / "reports" / f"profile-{function}.html"
    place.parent.mkdir(parents=True, exist_ok=True)
    about = f"{named}, on {made.spec.target.runtime} of this machine"
    graphs = _graphs(found)
    place.write_text(page(f"Profile of {made.spec.identity}", about, graphs), encoding="utf-8")
    show.note(", ".join(f"{each.title.lower()} {spoken(each.frame.total_us)}" for each in graphs))
    show.note(f"wrote {place}")
    _answer(found.outcomes[0], made, named)


def debug(root: Path, function: str, event: str | None, port: int) -> None:
    """Call ``function`` once a debugger is attached to its worker; exit code 1 when it fails."""
    show = report.Reporter()
    made = _made(root, function, show)
    named, data = read_event(made.spec, event)
    _require_free(port)
    with show.stage("debugger"):
        folder = runtime_bundle.debugger(root, made.spec.target.runtime, on_progress=show.say)
    program = f"{Path(debugged.__file__).read_text('utf-8')}\nmain({_HOST!r}, {port})\n"
    deployment = replace(
        _zip_of(made), tool=Tool(program=program, options=_OPTIONS, folder=folder), timeout_s=_PATIENCE_S
    )

    def take(_deployment: Deployment, _stream: str, lines: Sequence[LogLine]) -> None:
        for line in lines:
            if line.message.startswith(debugged.LISTENING):
                show.note(f"waits for a debugger on {_HOST}:{port}; for .vscode/launch.json:")
                task, _, opt = line.message.removeprefix(debugged.LISTENING).partition(":")
                show.note(json.dumps(_configuration(made.spec, port, task, opt), indent=2))
            else:
                say(line.message)

    pool = Pool(deployment, root=root, endpoint=made.endpoint, sink=take)
    try:
        _answer(pool.invoke(data), made, named)
    finally:
        pool.close()


def _configuration(spec: FunctionSpec, port: int, task: str, opt: str) -> dict[str, Any]:
    """Return what an editor needs to attach: https://code.visualstudio.com/docs/python/debugging."""
    mappings = {
        f"functions/{spec.name}/src": task,
        **{f"layers/{name}/src": f"{opt}/python" for name in spec.own_layers},
    }
    return {
        "name": spec.identity,
        "type": "debugpy",
        "request": "attach",
        "connect": {"host": _HOST, "port": port},
        "pathMappings": [
            {"localRoot": f"${{workspaceFolder}}/{here}", "remoteRoot": there} for here, there in mappings.items()
        ],
    }


def _require_free(port: int) -> None:
    try:
        socket.create_server((_HOST, port)).close()
    except (OSError, OverflowError) as why:
        raise InputError(
            f"cannot listen on port {port}",
            facts=[str(why)],
            hint="end what listens there, or run the same command with another port: --debugger PORT",
        ) from None


def _made(root: Path, function: str, show: report.Reporter) -> Ready:
    """Build ``function``, unless a Dockerfile does that."""
    spec = function_named(discover(root, LOCAL), function)
    if spec.dockerfile is not None:
        raise InputError(
            f"{spec.identity} is made by a Dockerfile, and nothing here can look into what that starts",
            facts=["expected a function that Slipway assembles, as a zip or as an image"],
            hint=f"run `invoke run -f {spec.name}`, and look at its log",
        )
    return made_ready(root, function, show)


def _zip_of(made: Ready) -> Deployment:
    """Return what the function is made of as a zip, also where it ships as an image."""
    code = code_of(made.spec, made.built.build)
    return zip_deployment(made.spec, made.built.workspace, made.grounds.store, code=code.digest, layers=code.layers)


def _graphs(found: "Measured") -> "list[Graph]":
    from build.profiling.page import Graph, spoken

    cold = found.outcomes[0]
    init = f"Initialisation took {cold.init_ms:.0f} ms" if cold.init_ms else "Initialisation did not end by itself"
    started = Graph(
        title="Cold start: imports",
        about=f"{init}, {spoken(found.started.total_us)} of it in imports.",
        frame=found.started,
    )
    titles = ("Cold call", "Warm call")
    calls = [
        Graph(title=title, about=f"{spoken(frame.total_us)}, without what watching takes.", frame=frame)
        for title, frame in zip(titles, found.called, strict=False)
    ]
    return [started, *calls]


def _answer(outcome: Outcome, made: Ready, event: str) -> None:
    sys.stdout.write(outcome.payload.decode("utf-8", "replace") + "\n")
    if outcome.error:
        raise FindingsError(
            f"{made.spec.identity} failed on {event}: {outcome.error}", hint="mend what the lines above tell"
        )

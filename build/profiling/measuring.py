"""Run a function's zip in a worker that notes what it imports and calls: cold once, and once hot."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from build.local import machine, runtime_bundle
from build.local.deployment import Deployment, LogLine, Outcome, Tool
from build.local.execution import Pool
from build.local.runtime import profiled
from build.model import FunctionSpec, Workspace
from build.profiling.frames import Frame, Ground, calls, is_import, start
from build.project.interpreters import interpreter_of

LIMIT_S = 900
"""For each call, instead of the function's timeout: what is noted takes longer."""
_PROGRAM = Path(profiled.__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How a cold call and a hot one went."""

    outcomes: tuple[Outcome, ...]
    """The second is missing if the first ended the environment."""
    log: tuple[str, ...]
    """What the function wrote, and Lambda about it."""
    started: Frame
    """What was imported before the first event: by Lambda's runtime, and for the handler."""
    called: tuple[Frame, ...]
    """The calls of the handler that returned or raised."""


def measure(deployment: Deployment, event: bytes, ground: Ground, *, root: Path, endpoint: str) -> Measured:
    """Call ``deployment``, a zip, twice with ``event``. Raises ToolError where there is no Python of its runtime."""
    tool = Tool(program=f"{_PROGRAM.read_text('utf-8')}\nmain()\n", options=("-X", "importtime"))
    lines: list[str] = []

    def take(_deployment: Deployment, _stream: str, told: Iterable[LogLine]) -> None:
        lines.extend(line.message for line in told)

    pool = Pool(replace(deployment, tool=tool, timeout_s=LIMIT_S), root=root, endpoint=endpoint, sink=take)
    try:
        outcomes = [pool.invoke(event)]
        if pool.pids:
            outcomes.append(pool.invoke(event))
    finally:
        pool.close()
    return _read(lines, tuple(outcomes), deployment.handler.rpartition(".")[0], ground)


def ground_of(spec: FunctionSpec, workspace: Workspace, deployment: Deployment) -> Ground:
    """Return what tells whose the modules and files are that ``deployment``, a zip of ``spec``, runs."""
    bundle = runtime_bundle.ensure(workspace.root, spec.target.runtime)
    lang = interpreter_of(spec.target.runtime).resolve().parent.parent
    places = [(deployment.task_root, machine.TASK), (bundle, machine.RUNTIME), (lang, machine.LANG)]
    places += [(deployment.opt, machine.OPT)] if deployment.opt else []
    sources = [(spec.folder / "src", machine.TASK)]
    sources += [
        (layer.folder / "src", f"{machine.OPT}/python") for layer in workspace.layers if layer.name in spec.own_layers
    ]
    brought = (path for folder in (deployment.task_root, deployment.opt) if folder for path in _top(folder))
    return Ground(
        own=frozenset(
            f"{place}/{path.relative_to(folder).as_posix()}"
            for folder, place in sources
            for path in folder.rglob("*.py")
        ),
        brought=frozenset(path.name.partition(".")[0] for path in brought),
        runtime=frozenset(path.name.partition(".")[0] for path in bundle.iterdir()),
        folders={str(folder): place for folder, place in places},
    )


def _top(folder: Path) -> Iterable[Path]:
    """Return what may be imported from a /var/task or an /opt."""
    return (*folder.iterdir(), *(folder / "python").glob("*"), *folder.glob("python/lib/*/site-packages/*"))


def _read(lines: Iterable[str], outcomes: tuple[Outcome, ...], module: str, ground: Ground) -> Measured:
    before, handler, later, log = list[str](), list[str](), list[str](), list[str]()
    called: list[Frame] = []
    imported, took_us = before, 0.0
    for line in lines:
        if is_import(line):
            imported.append(line)
        elif line == profiled.BEGIN:
            imported = handler
        elif line.startswith(profiled.IMPORTED):
            imported, took_us = later, int(line.removeprefix(profiled.IMPORTED)) / 1000
        elif line.startswith(profiled.CALLS):
            called.append(calls(json.loads(line.removeprefix(profiled.CALLS)), ground))
        else:
            log.append(line)
    started = start(before, handler, took_us, module.replace("/", "."), ground)
    return Measured(outcomes=outcomes, log=tuple(log), started=started, called=tuple(called))

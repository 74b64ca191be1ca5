"""`run`: build one function and answer for it on loopback, as AWS's Runtime Interface Emulator does."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from build import making, report
from build.imaging import Grounds, deployment_of
from build.local import cloud, emulator
from build.local.deployment import Deployment, LogLine
from build.local.execution import Pool
from build.local.importing import NOWHERE
from build.model import LOCAL, Built, FunctionSpec
from build.project.discovery import discover
from build.store.objects import Store
from build.verbs.choosing import function_named, narrowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A function that was built, to be run on this machine as it is."""

    spec: FunctionSpec
    built: Built
    grounds: Grounds
    endpoint: str
    """What it sees as AWS."""


def made_ready(root: Path, function: str, show: report.Reporter) -> Ready:
    """Build ``function`` for this machine."""
    whole = discover(root, LOCAL)
    spec = function_named(whole, function)
    built = making.build(narrowed(whole, function), show, narrowed=True)
    running = cloud.running(root)
    if not running:
        show.note("no embedded cloud runs, so calls to AWS fail: `invoke deploy` starts one")
    grounds = Grounds(built.workspace, Store(built.workspace.generated / "store"), show)
    return Ready(spec=spec, built=built, grounds=grounds, endpoint=running.endpoint if running else NOWHERE)


def run(root: Path, function: str, port: int) -> None:
    """Build ``function`` and serve it until Ctrl-C; its log is on stderr."""
    show = report.Reporter()
    made = made_ready(root, function, show)
    with show.stage("unpack"):
        deployment = deployment_of(made.spec, made.built.build, made.grounds)

    def ready(port: int) -> None:
        show.note(f"{made.spec.identity} answers, until Ctrl-C:")
        sys.stdout.write(f"curl -d '{{}}' http://{emulator.HOST}:{port}{emulator.path_of(emulator.NAME)}\n")
        sys.stdout.flush()

    pool = Pool(deployment, root=root, endpoint=made.endpoint, sink=_print)
    try:
        emulator.serve(pool, {made.spec.name, deployment.function_name}, port, ready=ready)
    finally:
        pool.close()


def _print(_deployment: Deployment, _stream: str, lines: Sequence[LogLine]) -> None:
    sys.stderr.write("".join(f"{line.message}\n" for line in lines))
    sys.stderr.flush()

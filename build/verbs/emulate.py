"""`run`: build one function and answer for it on loopback, as AWS's Runtime Interface Emulator does."""

import sys
from collections.abc import Sequence
from pathlib import Path

from build import making, report
from build.imaging import Grounds, deployment_of
from build.local import cloud, emulator
from build.local.deployment import Deployment, LogLine
from build.local.execution import Pool
from build.local.importing import NOWHERE
from build.model import LOCAL
from build.project.discovery import discover
from build.store.objects import Store
from build.verbs.choosing import function_named, narrowed


def run(root: Path, function: str, port: int) -> None:
    """Build ``function`` and serve it until Ctrl-C; its log is on stderr."""
    whole = discover(root, LOCAL)
    spec = function_named(whole, function)
    show = report.Reporter()
    built = making.build(narrowed(whole, function), show, narrowed=True)
    with show.stage("unpack"):
        grounds = Grounds(built.workspace, Store(built.workspace.generated / "store"), show)
        deployment = deployment_of(spec, built.build, grounds)
    running = cloud.running(root)
    endpoint = running.endpoint if running else NOWHERE
    if not running:
        show.note("no embedded cloud runs, so calls to AWS fail: `invoke deploy` starts one")

    def ready(port: int) -> None:
        show.note(f"{spec.identity} answers, until Ctrl-C:")
        sys.stdout.write(f"curl -d '{{}}' http://{emulator.HOST}:{port}{emulator.path_of(emulator.NAME)}\n")
        sys.stdout.flush()

    pool = Pool(deployment, root=root, endpoint=endpoint, sink=_print)
    try:
        emulator.serve(pool, {spec.name, deployment.function_name}, port, ready=ready)
    finally:
        pool.close()


def _print(_deployment: Deployment, _stream: str, lines: Sequence[LogLine]) -> None:
    sys.stderr.write("".join(f"{line.message}\n" for line in lines))
    sys.stderr.flush()

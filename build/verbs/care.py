"""Look after this machine: the embedded cloud, `doctor`, Terraform."""

import sys
import time
from pathlib import Path

from build import report

_BACK = "`invoke local.start` and `invoke deploy` bring it back, `invoke local.stop --discard` throws it away"


def local_start(root: Path, *, persist: bool) -> None:
    """Start the embedded cloud; what it holds is kept from now on if ``persist``, or if it was before."""
    from build.local import cloud, keeping

    if persist:
        keeping.keep(root)
    running, started = cloud.ensure(root)
    show = report.Reporter()
    show.note(f"the embedded cloud {'started' if started else 'runs'} at {running.endpoint}")
    if started and running.note:
        show.note(running.note)
    if keeping.is_kept(root):
        show.note(f"what it holds is kept between restarts: {_BACK}")


def local_stop(root: Path, *, discard: bool) -> None:
    """End the embedded cloud; what it held is thrown away unless it is kept, or then, too, if ``discard``."""
    from build.local import cloud, keeping

    began = time.time()
    stopped = cloud.stop(root)
    show = report.Reporter()
    show.note(f"ended the embedded cloud (pid {stopped.pid})" if stopped else "no embedded cloud runs")
    if discard and keeping.discard(root):
        show.note("what was kept is thrown away, and nothing is kept from now on")
    elif keeping.is_kept(root):
        show.note(f"what it held is kept: {_BACK}")
        if stopped and keeping.kept_at(root) < began:
            show.note(f"its last changes are not: {stopped.log} says why")


def local_status(root: Path, *, as_json: bool) -> None:
    """Tell where the embedded cloud is."""
    from build.local import cloud, keeping
    from build.local.watched import Watched
    from build.local.web.entries import entries

    running = cloud.running(root)
    answering = entries(running) if running else ()
    watched = [arn.rpartition(":")[2] for arn in Watched(running).since()] if running else []
    if as_json:
        found = {"endpoint": running.endpoint, "pid": running.pid, "log": str(running.log)} if running else {}
        registry = {"registry": running.registry or None} if running else {}
        nothing = {"endpoint": None, "pid": None, "log": None, "registry": None}
        told = {"kept": keeping.is_kept(root), "watched": watched, "entries": [each.to_json() for each in answering]}
        report.print_json({**nothing, **found, **registry, **told})
    elif running:
        kept = ", kept between restarts" if keeping.is_kept(root) else ""
        where = f"{running.endpoint} (pid {running.pid}), log {running.log}"
        sys.stdout.write(f"the embedded cloud runs at {where}{kept}\n")
        for name in watched:
            sys.stdout.write(f"{name} runs watched code, not deployed: run `invoke deploy`\n")
        if answering:
            report.print_table(("entry", "function", "address"), ((e.entry, e.function, e.url) for e in answering))
    else:
        sys.stdout.write("no embedded cloud runs; `invoke local.start` starts it\n")


def doctor(root: Path) -> None:
    """Print what this machine has."""
    from build.doctor import examine

    report.print_table(("what", "state", "detail"), examine(root))


def terraform(root: Path) -> Path:
    """Return the Terraform this repository uses."""
    import os

    from build.infra.binary import terraform_binary

    return terraform_binary(root, os.environ)

"""Look after this machine: the embedded cloud, `doctor`, Terraform."""

import sys
from pathlib import Path

from build import report


def local_start(root: Path) -> None:
    """Start the embedded cloud."""
    from build.local import cloud

    running, started = cloud.ensure(root)
    report.Reporter().note(f"the embedded cloud {'started' if started else 'runs'} at {running.endpoint}")


def local_stop(root: Path) -> None:
    """End the embedded cloud."""
    from build.local import cloud

    stopped = cloud.stop(root)
    report.Reporter().note(f"ended the embedded cloud (pid {stopped.pid})" if stopped else "no embedded cloud runs")


def local_status(root: Path, *, as_json: bool) -> None:
    """Tell where the embedded cloud is."""
    from build.local import cloud
    from build.local.web.entries import entries

    running = cloud.running(root)
    answering = entries(running) if running else ()
    if as_json:
        found = {"endpoint": running.endpoint, "pid": running.pid, "log": str(running.log)} if running else {}
        registry = {"registry": running.registry or None} if running else {}
        nothing = {"endpoint": None, "pid": None, "log": None, "registry": None}
        report.print_json({**nothing, **found, **registry, "entries": [each.to_json() for each in answering]})
    elif running:
        sys.stdout.write(f"the embedded cloud runs at {running.endpoint} (pid {running.pid}), log {running.log}\n")
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

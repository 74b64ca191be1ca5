"""`local.clock`: what the embedded cloud's clock shows, what fires next, and advancing it."""

import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from build import report
from build.errors import InputError
from build.local.sources.clock import Clock, Fired, advance, read
from build.rules.words import duration


def show(root: Path, *, by: str, as_json: bool) -> None:
    """Print when schedules fire next; with ``by``, such as ``90m``, advance the clock and print what fired."""
    from build.local import cloud

    step = duration(by) if by else None
    if by and not step:
        facts = ["expected 90s, 90m, 2h or 3d"]
        raise InputError(f"--advance {by}", facts=facts, hint="run `invoke local.clock --advance 90m`")
    running = cloud.running(root)
    if running is None:
        raise InputError("no embedded cloud runs, so there is no clock", hint="run `invoke deploy`, then this again")
    told = advance(running.endpoint, step) if step is not None else read(running.endpoint)
    if as_json:
        report.print_json(asdict(told))
        return
    if told.fired:
        rows = ((_readable(each.at), _name(each.arn), _name(each.target), _came(each)) for each in told.fired)
        report.print_table(("when (UTC)", "schedule", "target", "came of it"), rows)
    elif step is not None:
        sys.stdout.write("nothing was due\n")
    elif told.next:
        coming = ((_readable(each.at), each.name, ", ".join(map(_name, each.targets))) for each in told.next)
        report.print_table(("when (UTC)", "schedule", "target"), coming)
    else:
        sys.stdout.write("no schedule will fire\n")
    show = report.Reporter()
    show.note(_now(told))
    if any(each.error for each in told.fired):
        show.note(f"why something was not taken: {running.log}")


def _now(told: Clock) -> str:
    ahead = f", {timedelta(seconds=told.advanced_s)} ahead of real time" if told.advanced_s else ""
    stopped = f"; it stopped there, after {len(told.fired):,} deliveries: advance it again" if told.stopped else ""
    return f"the clock shows {_readable(told.now)} UTC{ahead}{stopped}"


def _came(fired: Fired) -> str:
    attempt = f" (attempt {fired.attempt})" if fired.attempt > 1 else ""
    if fired.error is None:
        return f"handed over{attempt}"
    code = fired.error.partition(":")[0]
    return f"{code}, again at {_readable(fired.again)}{attempt}" if fired.again else f"{code}, given up{attempt}"


def _readable(time: str) -> str:
    return time.replace("T", " ").removesuffix("Z")


def _name(arn: str) -> str:
    """Return what is behind the ARN's service: ``slipway-local-orders:live``, ``queue``, ``nightly``."""
    resource = arn.split(":", 5)[-1]
    return resource.removeprefix("function:").rpartition("/")[2]

"""How deploys grow with the number of functions: `python -m benchmarks.estate 10 100 500 --publish`.

Every size is deployed to an embedded cloud of its own, in one Terraform state and in stacks of 50 functions, by the
verbs alone. A plan without changes is raced, in turns, against the bare terraform commands that the review names.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import this_machine

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/benchmarks/scale.md"
IN_A_STACK = 50
_TICK_S = 0.2
_HEAD = """\
# How deploys grow

Written by `python -m benchmarks.estate 10 100 500 --publish`, on the embedded cloud (moto), so without AWS's own waits
and limits of rates. {machine}. Functions without dependencies or triggers, with alarms, as `invoke new` makes them.
Seconds from start to end of the whole process, medians; memory of all its processes together at its highest.

| functions | states | first deploy | empty plan | bare `terraform plan` | ours / bare | one function changed | memory |
|--:|--:|--:|--:|--:|--:|--:|--:|"""
_APP = "def handler(event, context):\n    return {!r}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """One run."""

    wall_s: float
    peak_bytes: int
    """Resident memory of the process and all it started, together, at its highest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One size, one way."""

    functions: int
    stacks: int
    """0: one state for all."""
    first: Took
    """The deploy that made everything."""
    plans: tuple[Took, ...]
    """Plans of all stacks with nothing to change."""
    bare: tuple[Took, ...]
    """The same by terraform alone; empty for stacks."""
    one: Took
    """A deploy of one changed function."""


def main() -> None:
    """Measure what is asked for, and print the page."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("sizes", nargs="*", type=int, default=[10, 100, 500])
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--publish", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = asked.parse_args()
    rows = []
    for size in options.sizes:
        for stacks in (0, max(2, size // IN_A_STACK)):
            sys.stderr.write(f"{size} functions, {stacks or 'no'} stacks …\n")
            with tempfile.TemporaryDirectory(prefix="slipway-estate-") as folder:
                rows.append(_measured(Path(folder), size, stacks, options.rounds))
            sys.stderr.write(f"{rows[-1]}\n")
    text = page(rows)
    sys.stdout.write(text)
    if options.publish:
        PAGE.write_text(text, encoding="utf-8")


def page(rows: Sequence[Row]) -> str:
    """Return the page of ``rows``: Markdown."""
    lines = [_HEAD.format(machine=this_machine())]
    for row in rows:
        plan = statistics.median(each.wall_s for each in row.plans)
        bare = statistics.median(each.wall_s for each in row.bare) if row.bare else None
        peak = max(each.peak_bytes for each in row.plans)
        cells = (
            str(row.functions),
            str(row.stacks + 1 if row.stacks else 1),
            f"{row.first.wall_s:.0f}",
            f"{plan:.1f}",
            f"{bare:.1f}" if bare else "",
            f"{plan / bare:.2f}" if bare else "",
            f"{row.one.wall_s:.1f}",
            f"{peak / 1e6:.0f} MB",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _measured(root: Path, size: int, stacks: int, rounds: int) -> Row:
    _lay_out(root, size, stacks)
    try:
        first = _run(root, "deploy")
        plans, bare = [], []
        for _ in range(rounds):
            plans.append(_run(root, "plan", "--every-stack"))
            if not stacks:
                bare.append(_bare(root))
        (root / "functions/f0000/src/app.py").write_text(_APP.format("changed"), encoding="utf-8")
        one = _run(root, "deploy")
    finally:
        _run(root, "local.stop")
    return Row(functions=size, stacks=stacks, first=first, plans=tuple(plans), bare=tuple(bare), one=one)


def _lay_out(root: Path, size: int, stacks: int) -> None:
    """Write a repository with ``size`` functions."""
    git = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if name.split("/")[0] not in {"functions", "layers", "tests", "docs"} and (ROOT / name).is_file():
            place = root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((ROOT / name).read_bytes())
            place.chmod((ROOT / name).stat().st_mode)
    for number in range(size):
        folder = root / "functions" / f"f{number:04}"
        (folder / "src").mkdir(parents=True)
        (folder / "src/app.py").write_text(_APP.format(number), encoding="utf-8")
        (folder / "requirements.txt").write_text("", encoding="utf-8")
        stack = f'stack = "s{number % stacks}"\n' if stacks else ""
        (folder / "function.toml").write_text(f'description = "Answers"\n{stack}', encoding="utf-8")


def _run(root: Path, *verb: str) -> Took:
    return _timed([sys.executable, "-m", "invoke", *verb], root, os.environ)


def _bare(root: Path) -> Took:
    """Run what the review names instead of us, but for the apply, in the environment that we give Terraform."""
    review = json.loads((root / ".artifacts/local/review.json").read_text("utf-8"))
    commands = [line for line in review["commands"] if " apply " not in line and " init " not in line]
    cloud = json.loads((root / ".artifacts/local/cloud.json").read_text("utf-8"))
    environ = {
        **os.environ,
        "AWS_ENDPOINT_URL": cloud["endpoint"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "CHECKPOINT_DISABLE": "1",
        "GOGC": "400",
    }
    return _timed(["bash", "-ec", "\n".join(commands).replace(" plan ", " plan -parallelism=30 ")], root, environ)


def _timed(argv: Sequence[str], root: Path, environ: Mapping[str, str]) -> Took:
    started = time.monotonic()
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(argv, cwd=root, env=dict(environ), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        peak = [0]
        watcher = threading.Thread(target=_watch, args=(child, peak))
        watcher.start()
        code = child.wait()
        took = time.monotonic() - started
        watcher.join()
        if code:
            log.seek(0)
            sys.exit(f"{' '.join(argv)} ended with {code}\n{log.read()[-3000:].decode(errors='replace')}")
    return Took(wall_s=took, peak_bytes=peak[0])


def _watch(child: "subprocess.Popen[bytes]", peak: list[int]) -> None:
    """Keep the highest sum of what ``child`` and its descendants have resident. The embedded cloud is none of them."""
    while child.poll() is None:
        peak[0] = max(peak[0], sum(_resident(pid) for pid in _family(child.pid)))
        time.sleep(_TICK_S)


def _family(root: int) -> Iterator[int]:
    yield root
    for task in Path(f"/proc/{root}/task").glob("*"):
        for pid in _bytes(f"{task}/children").split():
            if b"build.local" not in _bytes(f"/proc/{pid.decode()}/cmdline"):
                yield from _family(int(pid))


def _resident(pid: int) -> int:
    fields = _bytes(f"/proc/{pid}/statm").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    main()

"""How deploys grow with the number of functions: `python -m benchmarks.estate 10 100 500 --publish`.

Every size is deployed to an embedded cloud of its own, in one Terraform state and in stacks of 50 functions, by the
verbs alone. A plan without changes is raced, in turns, against the bare terraform commands that the review names: as
they stand, and with the settings that we run Terraform with.
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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import this_machine
from build.infra.terraform import MEMORY, PARALLELISM

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/benchmarks/scale.md"
IN_A_STACK = 50
_ONCE_FROM = 500
_PARALLEL = (5, 10, PARALLELISM, 90)
_PARALLEL_AT = 100
"""The size at which these are compared."""
_SETTINGS = {"ours": PARALLELISM, "memory": ", ".join(f"`{name}={value}`" for name, value in MEMORY.items())}
_TICK_S = 0.2
_HEAD = """\
# How deploys grow

Written by `python -m benchmarks.estate 10 100 500 --publish`, on the embedded cloud (moto), so without AWS's own waits
and limits of rates. {machine}.
Functions without dependencies or triggers, with alarms, as `invoke new` makes them. Seconds from start to end of the
whole process, medians; memory of all its processes together at its highest.

| functions | states | first | plan of 1 | deploy of 1 | plan of 0 | bare | tuned | 0 / bare | 0 / tuned | memory |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""
_NOTES = """
- *First*: the deploy that makes everything. A plan ends in its review.
- *Of 1*: one line of one function changed; with stacks, the others are left out.
- *Of 0*: nothing changed, and every stack is planned all the same, as `--every-stack` does; without it, stacks that
  are as they were applied cost nothing.
- *Bare* are the terraform commands that the review names, as a person types them; *tuned* are the same with our
  `-parallelism={ours}`, {memory}. Both end without a review. Ours starts the provider itself, which saves Terraform
  the digest of its 700 MB (decision 0019); on real accounts it does not.
"""
_SIDE_BY_SIDE = """
## Parallelism

A bare plan of {size} functions in one state, with {memory}. It is bound by the processor, so that more at once helps
little; an apply mostly waits for AWS, which is what our {ours} are for.

| `-parallelism` | seconds | memory |
|--:|--:|--:|
{rows}
"""
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
    change: Took
    """A plan of one changed function, and its review."""
    one: Took
    """The deploy of it."""
    plans: tuple[Took, ...]
    """Plans of all stacks with nothing to change."""
    bare: tuple[Took, ...]
    """The same by terraform alone; empty for stacks."""
    tuned: tuple[Took, ...]
    """The same with our settings."""
    parallel: Mapping[int, Took]
    """The same by `-parallelism`."""


def main() -> None:
    """Measure what is asked for, and print the page."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("sizes", nargs="*", type=int, default=[10, 100, 500])
    asked.add_argument("--rounds", type=int, default=3, help=f"of plans; from {_ONCE_FROM} functions on, one is enough")
    asked.add_argument("--publish", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = asked.parse_args()
    rows = []
    for size in options.sizes:
        for stacks in (0, max(2, size // IN_A_STACK)):
            sys.stderr.write(f"{size} functions, {stacks or 'no'} stacks …\n")
            with tempfile.TemporaryDirectory(prefix="slipway-estate-") as folder:
                rows.append(_measured(Path(folder), size, stacks, 1 if size >= _ONCE_FROM else options.rounds))
            sys.stderr.write(f"{rows[-1]}\n")
            if options.publish:  # after each row: the last ones take their time
                PAGE.write_text(page(rows), encoding="utf-8")
    sys.stdout.write(page(rows))


def page(rows: Sequence[Row]) -> str:
    """Return the page of ``rows``: Markdown."""
    lines = [_HEAD.format(machine=this_machine())]
    for row in rows:
        plan, bare, tuned = map(_median, (row.plans, row.bare, row.tuned))
        peak = max(each.peak_bytes for each in row.plans)
        cells = (
            str(row.functions),
            str(row.stacks + 1 if row.stacks else 1),
            f"{row.first.wall_s:.0f}",
            f"{row.change.wall_s:.1f}",
            f"{row.one.wall_s:.1f}",
            f"{plan:.1f}",
            f"{bare:.1f}" if bare else "",
            f"{tuned:.1f}" if tuned else "",
            f"{plan / bare:.2f}" if bare else "",
            f"{plan / tuned:.2f}" if tuned else "",
            f"{peak / 1e6:.0f} MB",
        )
        lines.append(f"| {' | '.join(cells)} |")
    text = "\n".join(lines) + "\n" + _NOTES.format(**_SETTINGS)
    for row in rows:
        if row.parallel:
            each = [
                f"| {at} | {took.wall_s:.1f} | {took.peak_bytes / 1e6:.0f} MB |" for at, took in row.parallel.items()
            ]
            text += _SIDE_BY_SIDE.format(**_SETTINGS, size=row.functions, rows="\n".join(each))
    return text


def _median(runs: Sequence[Took]) -> float:
    return statistics.median(each.wall_s for each in runs) if runs else 0.0


def _measured(root: Path, size: int, stacks: int, rounds: int) -> Row:
    _lay_out(root, size, stacks)
    try:
        first = _run(root, "deploy")
        (root / "functions/f0000/src/app.py").write_text(_APP.format("changed"), encoding="utf-8")
        change, one = _run(root, "plan"), _run(root, "deploy")
        plans, bare, tuned = [], [], []
        for _ in range(rounds):
            plans.append(_run(root, "plan", "--every-stack"))
            if not stacks:
                bare.append(_bare(root))
                tuned.append(_bare(root, PARALLELISM))
        compared = _PARALLEL if size == _PARALLEL_AT and not stacks else ()
        return Row(
            functions=size,
            stacks=stacks,
            first=first,
            change=change,
            one=one,
            plans=tuple(plans),
            bare=tuple(bare),
            tuned=tuple(tuned),
            parallel={at: _bare(root, at) for at in compared},
        )
    finally:
        _run(root, "local.stop")


def copy_machinery(root: Path) -> None:
    """Make ``root`` what a clone of this repository is, without functions and layers."""
    git = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if name.split("/")[0] not in {"functions", "layers", "tests", "docs"} and (ROOT / name).is_file():
            place = root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes((ROOT / name).read_bytes())
            place.chmod((ROOT / name).stat().st_mode)


def _lay_out(root: Path, size: int, stacks: int) -> None:
    """Write a repository with ``size`` functions."""
    copy_machinery(root)
    for number in range(size):
        folder = root / "functions" / f"f{number:04}"
        (folder / "src").mkdir(parents=True)
        (folder / "src/app.py").write_text(_APP.format(number), encoding="utf-8")
        (folder / "requirements.txt").write_text("", encoding="utf-8")
        stack = f'stack = "s{number % stacks}"\n' if stacks else ""
        (folder / "function.toml").write_text(f'description = "Answers"\n{stack}', encoding="utf-8")


def _run(root: Path, *verb: str) -> Took:
    return _timed([sys.executable, "-m", "invoke", *verb], root, os.environ)


def _bare(root: Path, parallelism: int | None = None) -> Took:
    """Run what the review names instead of us, but for the apply; with a ``parallelism`` and our limits of memory."""
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
        **(MEMORY if parallelism else {}),
    }
    plan = f" plan -parallelism={parallelism} " if parallelism else " plan "
    return _timed(["bash", "-ec", "\n".join(commands).replace(" plan ", plan)], root, environ)


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
    with suppress(OSError):  # it may have ended meanwhile
        for pid in b" ".join(_bytes(f"{task}/children") for task in Path(f"/proc/{root}/task").iterdir()).split():
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

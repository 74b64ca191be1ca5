"""One run of a program: what it took, or why it failed."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.results import Sample

PROBES = Path(__file__).parent / "probes"
_TIMED_OUT = 124
_TAIL_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program, as it is started; a shell script where ``argv`` says so."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]


class RunFailedError(Exception):
    """A run that did not end well.

    Its text may be published: it names no folder of this machine. ``tail``, what the program printed last, may not.
    """

    def __init__(self, reason: str, tail: str = "") -> None:
        super().__init__(reason)
        self.tail = tail


class TooSlowError(RunFailedError):
    """A run that was stopped because it took too long."""


def measured(command: Command, *, timeout_s: float, log: Path) -> Sample:
    """Run ``command`` to its end; its output is appended to ``log``.

    Wall is from start to end, CPU user and system time of the process and all it waited for, peak the resident
    memory of the largest single process. A run that takes longer than ``timeout_s`` is killed with all it started.
    Raises RunFailedError.
    """
    report = log.with_suffix(".report")
    report.unlink(missing_ok=True)
    argv = [sys.executable, "-I", "-S", str(PROBES / "launcher.py"), str(report), str(timeout_s), *command.argv]
    with log.open("ab") as output:
        begin = output.tell()
        launcher = subprocess.Popen(
            argv, cwd=command.cwd, env=dict(command.env), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            launcher.wait()
        finally:  # when we are interrupted, it ends what it started
            launcher.terminate()
            launcher.wait()
    if not report.exists():
        raise RunFailedError("could not be started", _tail(log, begin))
    code, wall_s, cpu_s, peak_bytes = report.read_text("ascii").split()
    report.unlink()
    if int(code) == _TIMED_OUT:
        raise TooSlowError(f"was stopped after {timeout_s:.0f} s", _tail(log, begin))
    if int(code) != 0:
        raise RunFailedError(f"ended with exit code {code}", _tail(log, begin))
    return Sample(wall_s=float(wall_s), cpu_s=float(cpu_s), peak_bytes=int(peak_bytes))


def answered(argv: Sequence[str], *, cwd: Path, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
    """Run a short program and return what it printed; raise RunFailedError if it fails or takes ten minutes."""
    try:
        done = subprocess.run(
            list(argv), cwd=cwd, env=env, input=stdin, capture_output=True, text=True, timeout=600, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as reason:
        msg = f"{Path(argv[0]).name} could not be run"
        raise RunFailedError(msg, str(reason)) from None
    if done.returncode != 0:
        msg = f"{Path(argv[0]).name} ended with exit code {done.returncode}"
        raise RunFailedError(msg, (done.stderr or done.stdout)[-2000:])
    return done.stdout


def settle() -> None:
    """Let the disk finish what earlier runs wrote, so that nobody waits for it in the next one's time."""
    os.sync()


def _tail(log: Path, begin: int) -> str:
    with log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode("utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])

"""Run a program to its end and write what it took: wall, CPU and memory of its whole process tree.

    python -I -S launcher.py REPORT TIMEOUT_S PROGRAM ARGUMENT…

This process is kept small on purpose: Linux counts the memory of the process that starts a program as the
program's own until it is replaced, so a large one would hide every peak below its own size.
"""

import os
import signal
import sys
import time
from contextlib import suppress


class _TooLongError(Exception):
    """The program had its time."""


def _too_long(*_: object) -> None:
    raise _TooLongError


def _stop(*_: object) -> None:
    raise SystemExit(143)


def _main(report: str, timeout_s: str, *argv: str) -> None:
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, _stop)
    began = time.perf_counter()
    child = os.posix_spawnp(argv[0], argv, os.environ, setpgroup=0)
    try:
        signal.setitimer(signal.ITIMER_REAL, float(timeout_s))
        _, status, usage = os.wait4(child, 0)
        wall_s = time.perf_counter() - began
        signal.setitimer(signal.ITIMER_REAL, 0)
        code = os.waitstatus_to_exitcode(status)
    except _TooLongError:
        os.killpg(child, signal.SIGKILL)
        _, _, usage = os.wait4(child, 0)
        wall_s, code = time.perf_counter() - began, 124
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)  # what it left running, or all of it when we are stopped
    unit = 1 if sys.platform == "darwin" else 1024
    line = f"{code} {wall_s} {usage.ru_utime + usage.ru_stime} {usage.ru_maxrss * unit}\n"
    with open(report, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib would double our memory
        file.write(line)


if __name__ == "__main__":
    _main(*sys.argv[1:])

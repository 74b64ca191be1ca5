"""What the processes of an execution environment hold in memory. Linux tells; elsewhere nothing is known.

Held against a function's limit is what nobody else has: code and data of files, which Lambda's kernel can drop and
read again, are reported and not counted.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def descendants(pid: int, *, skip: int = 0) -> Iterator[int]:
    """Yield ``pid`` and all below it, without the first ``skip`` generations: a sandbox has two of its own."""
    waiting = [(pid, skip)]
    while waiting:
        pid, left = waiting.pop()
        if left <= 0:
            yield pid
        with suppress(OSError, ValueError):
            for task in os.scandir(f"/proc/{pid}/task"):
                with open(f"{task.path}/children", "rb") as stream:  # noqa: PTH123 - read many times a second
                    waiting += [(int(each), left - 1) for each in stream.read().split()]


def held_bytes(pids: list[int], *, limit: int) -> int:
    """Return what ``pids`` hold together. What they share counts once, which is looked at only beyond ``limit``."""
    held = sum(map(_anonymous, pids))
    return sum(map(_proportional, pids)) if held > limit and len(pids) > 1 else held


def largest(pids: list[int]) -> tuple[int, int]:
    """Return the bytes that the largest of ``pids`` ever had resident, and how many of them were held.

    The kernel keeps the peak of everything; it is taken to have had as much of files then as now.
    """
    peaks = [(0, 0)]
    for pid in pids:
        with suppress(OSError, ValueError), open(f"/proc/{pid}/status", "rb") as stream:  # noqa: PTH123
            told = dict(line.split(b":", 1) for line in stream if line.startswith((b"VmHWM", b"RssFile")))
            resident, of_files = (int(told.get(name, b"0 kB").split()[0]) * 1024 for name in (b"VmHWM", b"RssFile"))
            peaks.append((resident, resident - of_files))
    return max(resident for resident, _ in peaks), max(held for _, held in peaks)


def _anonymous(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", "rb") as stream:  # noqa: PTH123
        _, resident, shared, *_ = map(int, stream.read().split())
        return (resident - shared) * _PAGE_BYTES
    return 0


def _proportional(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/smaps_rollup", "rb") as stream:  # noqa: PTH123
        for line in stream:
            if line.startswith(b"Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return 0

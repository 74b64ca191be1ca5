"""What the processes of an execution environment hold in memory. Linux tells; elsewhere nothing is known.

Held against a function's limit is what nobody else has: code and data of files, which Lambda's kernel can drop and
read again, are reported and not counted.
"""

import os
from contextlib import suppress

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def descendants(pid: int) -> list[int]:
    """Return ``pid`` and all below it; who has a single child comes right before it."""
    found, waiting = [], [pid]
    while waiting:
        found.append(pid := waiting.pop())
        with suppress(OSError, ValueError):
            for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - read many times a second
                with open(f"/proc/{pid}/task/{task}/children", "rb") as stream:  # noqa: PTH123
                    waiting += map(int, stream.read().split())
    return found


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
        with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/status", "rb") as stream:  # noqa: PTH123
            told = stream.read()
            resident, of_files = (_kilobytes(told, name) << 10 for name in (b"VmHWM:", b"RssFile:"))
            peaks.append((resident, resident - of_files))
    return max(resident for resident, _ in peaks), max(held for _, held in peaks)


def _kilobytes(told: bytes, name: bytes) -> int:
    return int(told.partition(name)[2].split(None, 1)[0])


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

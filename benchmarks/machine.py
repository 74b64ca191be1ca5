"""The machine a result is from: what a reader needs to compare, and nothing that says whose it is."""

import os
import platform
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_BUSY_LOAD = 0.3
"""Load per core above which other programs disturb what is measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Processor, memory, system and Python."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    python: str
    load: float
    """Average of the last minute when the benchmark began: how many programs wanted a core."""

    @property
    def is_busy(self) -> bool:
        """Whether other programs disturbed the benchmark, as far as its beginning tells."""
        return self.load > _BUSY_LOAD * self.cores

    def __str__(self) -> str:
        memory = f"{self.memory_bytes / 2**30:.0f} GiB"
        return f"{self.processor}, {self.cores} cores, {memory}, {self.system}, Python {self.python}"


def this_machine() -> Machine:
    """Describe the machine we run on."""
    return Machine(
        processor=_processor(),
        cores=cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=_system(),
        python=platform.python_version(),
        load=os.getloadavg()[0],
    )


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _system() -> str:
    # The release of a kernel may carry the name of who built it: major and minor are enough.
    kernel = re.match(r"\d+\.\d+", platform.release())
    name = f"{platform.system()} {kernel[0] if kernel else ''}".strip()
    with suppress(OSError):
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {name}"
    return name

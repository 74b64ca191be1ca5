"""What a function's process sees of this machine: what is bound into its root, read-only, and a /tmp of its own.

It is a prefix to a command line, for bubblewrap. Knows nothing of images and zips.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from build import process
from build.errors import ToolError

UID, GID = 993, 990
"""Lambda's sbx_user1051."""
MOUNT_POINTS = ("dev", "etc", "proc", "tmp")
"""Folders that a root needs."""
RESOLVER = "etc/resolv.conf"
"""A file that a root needs: this machine's own is seen there, for the names of other hosts."""

_OF_THE_LOADER = ("LD_", "GLIBC_", "MALLOC_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """Where a process runs. The network is this machine's: the Runtime API and the embedded cloud are on loopback."""

    binds: Sequence[tuple[Path, str]]
    """Folders of this machine and where they are seen, read-only; the first is the root, ``/``."""
    workdir: str
    temporary_mb: int
    """Size of /tmp, which is in memory and empty at the start."""

    def command(self, argv: Sequence[str], variables: Mapping[str, str]) -> list[str]:
        """Return what runs ``argv`` in it. It is to be started with ``variables``, without those of `kept_out`.

        Those that speak to the loader would speak to bubblewrap's first, so that they come with the command line.
        """
        return [
            *_prefix(self.binds, self.temporary_mb),
            *(each for name in kept_out(variables) for each in ("--setenv", name, variables[name])),
            *("--chdir", self.workdir, "--"),
            *argv,
        ]


def exit_code(code: int) -> int:
    """Return ``code`` of a command as Python has it: bubblewrap ends with 128 and the number of the signal."""
    return 128 - code if 128 < code < 128 + signal.NSIG else code


def kept_out(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names in ``variables`` that would change bubblewrap itself."""
    return tuple(name for name in variables if name.startswith(_OF_THE_LOADER))


@cache
def problem() -> str:
    """Say why there is no sandbox on this machine; empty where there is one. Tried once in a process."""
    if not shutil.which("bwrap"):
        return "there is no bubblewrap (`bwrap`) on PATH"
    try:
        tried = process.run([*_prefix([(Path("/"), "/")], 1), "--", "/bin/true"])
    except ToolError as why:
        return why.summary
    said = tried.stderr.strip().splitlines()
    return "" if tried.code == 0 else f"bubblewrap does not work here: {said[-1] if said else f'code {tried.code}'}"


def _prefix(binds: Sequence[tuple[Path, str]], temporary_mb: int) -> list[str]:
    return [
        str(shutil.which("bwrap")),
        "--die-with-parent",
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *("--uid", str(UID), "--gid", str(GID)),
        *(each for folder, place in binds for each in ("--ro-bind", str(folder), place)),
        *("--ro-bind-try", f"/{RESOLVER}", f"/{RESOLVER}"),
        *("--proc", "/proc"),
        *("--dev", "/dev", "--remount-ro", "/dev"),  # as on Lambda, there is no writable /dev/shm
        *("--size", str(temporary_mb << 20), "--tmpfs", "/tmp"),  # noqa: S108 - of the sandbox, not of this machine
    ]

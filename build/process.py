"""The only place that starts a program."""

import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from build.errors import ToolError

SHOWN_LINES = 10
"""How many of a failed program's last lines an error shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ended."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def command(self) -> str:
        """The command as a person would type it."""
        return shlex.join(self.argv)


class Runner(Protocol):
    """What `run` is; tests pass their own."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Completed:
        """Run ``argv`` to its end."""
        ...


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Completed:
    """Run ``argv`` to its end and return what it printed, whatever its exit code.

    ``env`` replaces the whole environment. ``on_line`` gets each line of stdout as it comes.
    Raises ToolError if the program cannot be started.
    """
    try:
        child = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as reason:
        msg = f"cannot start `{argv[0]}`: {reason.strerror or reason}"
        raise ToolError(msg, hint="run `invoke doctor` to see which programs are found") from None
    with child:
        stderr: list[str] = []
        reader = threading.Thread(target=_drain, args=(child.stderr, stderr), daemon=True)
        reader.start()
        if stdin is not None and child.stdin:
            child.stdin.write(stdin)
            child.stdin.close()
        stdout: list[str] = []
        try:
            for line in child.stdout or ():
                stdout.append(line)
                if on_line:
                    on_line(line.rstrip("\n"))
        except KeyboardInterrupt:
            # The terminal has told the child too. Terraform still has to write its state and free the lock.
            _drain(child.stdout, stdout)
            raise
        except BaseException:
            child.kill()
            raise
        reader.join()
    return Completed(argv=tuple(argv), code=child.returncode, stdout="".join(stdout), stderr="".join(stderr))


def checked(completed: Completed, *, doing: str, hint: str) -> Completed:
    """Return ``completed`` if it succeeded; else raise ToolError with its last lines.

    ``doing`` completes the sentence "… failed", for example "locking layers/data".
    """
    if completed.code == 0:
        return completed
    printed = (completed.stderr.strip() or completed.stdout.strip()).splitlines()
    msg = f"{doing} failed: exit code {completed.code}"
    facts = [f"ran: {completed.command}", *printed[-SHOWN_LINES:]]
    raise ToolError(msg, facts=facts, hint=hint)


def start(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    detached: bool = False,
) -> "subprocess.Popen[bytes]":
    """Start ``argv`` and return at once.

    With ``log`` both streams go to that file; without, both are one pipe (``.stdout``).
    ``detached`` lets the child outlive us and the terminal.
    """
    output: int | IO[bytes] = subprocess.PIPE
    try:
        if log:
            output = log.open("ab")
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=detached and os.name == "posix",
        )
    except OSError as reason:
        msg = f"cannot start `{argv[0]}`: {reason.strerror or reason}"
        raise ToolError(msg, hint="run `invoke doctor` to see which programs are found") from None
    finally:
        if not isinstance(output, int):
            output.close()


def _drain(stream: IO[str] | None, into: list[str]) -> None:
    into.extend(stream or ())

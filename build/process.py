"""The only place that starts a program."""

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from build.errors import ToolError

SHOWN_LINES = 10
"""How many of a failed program's last lines an error shows."""

_LOOK_S = 0.1
"""How often `follow` looks for new lines: a file tells nobody that it grew."""


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
    ) -> Completed:
        """Run ``argv`` to its end."""
        ...


class Follower(Protocol):
    """What `follow` is; tests pass their own."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        log: Path,
        on_line: Callable[[str], None],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run ``argv`` to its end, telling its lines."""
        ...


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    umask: int = -1,
) -> Completed:
    """Run ``argv`` to its end and return what it printed, whatever its exit code.

    ``env`` replaces the whole environment; ``umask``, if it is given, ours. The program is killed when we are
    interrupted.
    Raises ToolError if it cannot be started.
    """
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            input=stdin or "",
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            umask=umask,
        )
    except OSError as reason:
        raise _cannot_start(argv, reason) from None
    return Completed(argv=tuple(argv), code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def follow(
    argv: Sequence[str],
    *,
    log: Path,
    on_line: Callable[[str], None],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run ``argv``, which must not be cut off, to its end; append what it prints to ``log``, and tell it line by line.

    Our death, however sudden, leaves the program running and its log growing; a terminal's Ctrl-C
    reaches us alone. When we are interrupted, it gets one SIGINT, and its end is waited for before
    the interruption goes on, and what it started and left behind is killed; a second interruption leaves it to
    end alone. Both its streams are in ``stdout`` of what is returned. Raises ToolError if it cannot be started.
    """
    log.touch()
    with log.open("rb") as printed:
        begin = printed.seek(0, os.SEEK_END)
        child = start(argv, cwd=cwd, env=env, log=log, detached=True)
        try:
            _tell_to_the_end(child, printed, on_line)
        except BaseException as reason:
            if os.name == "posix":  # elsewhere it shares our console, and has been told
                child.send_signal(signal.SIGINT)
            # What failed to take a line may fail again.
            _tell_to_the_end(child, printed, _nobody if isinstance(reason, Exception) else on_line)
            if os.name == "posix":
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)  # buildah ends the shell of a step, not what that runs
            raise
        printed.seek(begin)
        text = printed.read().decode("utf-8", errors="replace")
    return Completed(argv=tuple(argv), code=child.returncode, stdout=text, stderr="")


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

    With ``log`` both streams go to that file, which `is_written` until the child ends; without, both are one pipe
    (``.stdout``). ``detached`` lets the child outlive us and the terminal.
    """
    output: int | IO[bytes] = subprocess.PIPE
    try:
        if log:
            output = log.open("ab")
            _mark(output)
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
        raise _cannot_start(argv, reason) from None
    finally:
        if not isinstance(output, int):
            output.close()


def is_written(log: Path) -> bool:
    """Tell whether a program that was started with ``log`` still runs, whoever started it. On Windows: never."""
    try:
        with log.open("rb") as printed:
            return not _mark(printed)
    except FileNotFoundError:
        return False


def is_alive(pid: int) -> bool:
    """Tell whether the process ``pid`` runs and is ours to end. On Windows nobody knows: there it is taken to run."""
    if os.name == "nt":  # there, signal 0 is Ctrl-C
        return True
    with suppress(ChildProcessError, AttributeError):
        os.waitpid(pid, os.WNOHANG)  # a child of ours that has ended would seem to live on
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _mark(log: IO[bytes]) -> bool:
    """Lock ``log`` for as long as this process, or one that inherits it, has it open; False if another holds it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without such locks
        return True
    return True


def _tell_to_the_end(child: "subprocess.Popen[bytes]", printed: IO[bytes], on_line: Callable[[str], None]) -> None:
    ended = False
    while not ended:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=_LOOK_S)
        ended = child.returncode is not None
        while (line := printed.readline()).endswith(b"\n") or (line and ended):
            on_line(line.decode("utf-8", errors="replace").rstrip("\r\n"))
        printed.seek(-len(line), os.SEEK_CUR)  # the rest of this line is still to come


def _nobody(_: str) -> None:
    """Take a line."""


def _cannot_start(argv: Sequence[str], reason: OSError) -> ToolError:
    msg = f"cannot start `{argv[0]}`: {reason.strerror or reason}"
    return ToolError(msg, hint="run `invoke doctor` to see which programs are found")

"""What an execution environment needs to know of a function, and what it answers. Values only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from build.model import Runtime


class LogFormat(StrEnum):
    """Lambda's LoggingConfig.LogFormat."""

    TEXT = "Text"
    JSON = "JSON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """What an image runs as: the root that its process sees, and the process."""

    root: Path
    command: tuple[str, ...]
    """Entry point and its arguments."""
    workdir: str
    environment: Mapping[str, str]
    """The image's own variables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """What looks into a worker that runs a zip: a program which does what bootstrap.py does, and more.

    Under it an environment never freezes, and may take any memory and, to start, the whole of its timeout.
    """

    program: str
    """Python, for any minor version of a runtime; it gets bootstrap.py's arguments."""
    options: tuple[str, ...] = ()
    """Of the interpreter."""
    folder: Path | None = None
    """What it imports from; it is told where that is seen as its first argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One version of a function, ready to run: its code and layers lie unpacked on disk."""

    function_name: str
    version: str
    """``$LATEST`` or a number."""
    runtime: Runtime | None
    """None with a `container`, which brings its own."""
    handler: str
    task_root: Path
    """What Lambda mounts at /var/task."""
    opt: Path | None = None
    """The layers, merged: what Lambda mounts at /opt."""
    container: Container | None = None
    """Of an image that runs in a sandbox; then handler, task_root and opt are of no account."""
    note: str = ""
    """What is not as on Lambda; a line of the log of every environment."""
    tool: Tool | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    timeout_s: int = 3
    memory_mb: int = 128
    """What all processes of an environment may hold together."""
    ephemeral_storage_mb: int = 512
    """Size of /tmp in a sandbox."""
    log_group: str
    log_format: LogFormat = LogFormat.TEXT
    log_level: str | None = None
    """Lambda's ApplicationLogLevel; like the next, it has an effect only with LogFormat.JSON. None is INFO."""
    system_log_level: str | None = None
    """Lambda's SystemLogLevel: DEBUG, INFO or WARN, which leaves only the reports of failures."""
    region: str
    account_id: str

    @property
    def arn(self) -> str:
        """The function's ARN, without version or alias."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.function_name}"


class Ending(StrEnum):
    """What became of an invocation."""

    SUCCESS = "success"
    ERROR = "error"
    """The function said that it failed."""
    TIMEOUT = "timeout"
    BROKEN = "broken"
    """The function had no say: it did not start, ended, or answered more than it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one invocation ended."""

    payload: bytes
    """JSON: what the handler returned, or ``errorMessage`` and ``errorType``."""
    error: str | None
    """``Unhandled`` when the function failed, timed out or crashed."""
    ending: Ending
    log_tail: str
    """The last 4 KiB of what the invocation logged."""
    request_id: str
    cold: bool
    """True when an environment had to be started for it."""
    init_ms: float | None
    """From starting the worker to its asking for an event; None when warm."""
    duration_ms: float
    max_memory_mb: int | None
    """Peak resident memory of the worker so far; None where the host does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialised:
    """How it went when an environment was started ahead of any event."""

    ms: float
    error: str = ""
    """JSON of why it is of no use; empty if it waits for an event."""
    log: str = ""
    """The last 4 KiB of what it logged."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event of a log stream."""

    timestamp_ms: int
    message: str


LogSink = Callable[[Deployment, str, Sequence[LogLine]], None]
"""Takes whose log it is, the log stream, and lines in the order they were written."""


def discard(_deployment: Deployment, _stream: str, _lines: Sequence[LogLine]) -> None:
    """Keep no log. `Outcome.log_tail` has the invocation's own lines all the same."""

"""What Lambda itself writes into a function's log, and how a worker's output is cut into lines.

The platform's lines: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from build.local.deployment import Deployment, LogFormat
from build.local.extensions import Extension

TAIL_BYTES = 4096
"""How much of its log an invocation answers: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""

_FRAME_MARK = b"\xa5\x5a\x00"
"""awslambdaric begins a log record with these bytes, which no UTF-8 text contains, and one for format and level."""
_FRAME_HEAD_BYTES = 16


class Splitter:
    """Cuts the bytes a worker writes into messages: lines of text, and whole log records of awslambdaric."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """Take what was written; return the messages that are complete."""
        self._rest += data
        return [_decoded(message) for message in self._complete()]

    def flush(self) -> list[str]:
        """Return what is left, a line without its end, when nothing more comes for now."""
        rest, self._rest = self._rest, b""
        return [_decoded(rest)] if rest else []

    def _complete(self) -> Iterator[bytes]:
        while self._rest:
            mark = self._rest.find(_FRAME_MARK)
            newline = self._rest.find(b"\n")
            if mark == 0:
                size = int.from_bytes(self._rest[4:8], "big") + _FRAME_HEAD_BYTES
                if len(self._rest) < max(size, _FRAME_HEAD_BYTES):
                    return
                message, self._rest = self._rest[_FRAME_HEAD_BYTES:size], self._rest[size:]
                yield message.removesuffix(b"\n")
            elif mark > 0 and (newline < 0 or mark < newline):
                message, self._rest = self._rest[:mark], self._rest[mark:]
                yield message
            elif newline >= 0:
                message, _, self._rest = self._rest.partition(b"\n")
                yield message
            else:
                return


def _decoded(message: bytes) -> str:
    # awslambdaric indents tracebacks with no-break spaces, for CloudWatch's console; nobody can search for those.
    return message.decode("utf-8", "replace").replace("\u00a0", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The numbers of one invocation."""

    request_id: str
    duration_ms: float
    init_ms: float | None
    max_memory_mb: int | None
    status: str
    """success, error or timeout."""
    error_type: str | None

    @property
    def billed_ms(self) -> int:
        """Lambda bills initialisation like the rest, in whole milliseconds."""
        return math.ceil(self.duration_ms + (self.init_ms or 0))


class PlatformLog:
    """The lines Lambda itself writes around an invocation of ``deployment``, as text or as JSON."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def init(self) -> list[str]:
        """Return the lines written when an environment starts: of an image's runtime, Lambda says nothing."""
        runtime = self._deployment.runtime
        if self._deployment.log_format is LogFormat.TEXT:
            return [f"INIT_START Runtime Version: python:{runtime.version}"] if runtime else []
        record = {
            "initializationType": "on-demand",
            "phase": "init",
            **({"runtimeVersion": f"python:{runtime.version}"} if runtime else {}),
            "functionName": self._deployment.function_name,
            "functionVersion": self._deployment.version,
        }
        return self._events("platform.initStart", record)

    def extensions(self, extensions: Iterable[Extension]) -> list[str]:
        """Return the lines written once an environment has started, of those that have registered."""
        lines: list[str] = []
        for each in extensions:
            if self._deployment.log_format is LogFormat.TEXT:
                lines.append(f"EXTENSION\tName: {each.name}\tState: Ready\tEvents: [{', '.join(each.events)}]")
            else:
                record = {"name": each.name, "state": "Ready", "events": list(each.events)}
                lines += self._events("platform.extension", record)
        return lines

    def start(self, request_id: str) -> list[str]:
        """Return the lines written when an event is handed to the function."""
        version = self._deployment.version
        if self._deployment.log_format is LogFormat.TEXT:
            return [f"START RequestId: {request_id} Version: {version}"]
        return self._events("platform.start", {"requestId": request_id, "version": version})

    def end(self, report: Report) -> list[str]:
        """Return the lines written when the function has answered or failed."""
        if self._deployment.log_format is LogFormat.TEXT:
            return [f"END RequestId: {report.request_id}", self._text_report(report)]
        metrics = {
            "durationMs": round(report.duration_ms, 3),
            "billedDurationMs": report.billed_ms,
            "memorySizeMB": self._deployment.memory_mb,
            "maxMemoryUsedMB": report.max_memory_mb,
            "initDurationMs": None if report.init_ms is None else round(report.init_ms, 3),
        }
        record = {
            "requestId": report.request_id,
            "metrics": {name: value for name, value in metrics.items() if value is not None},
            "status": report.status,
        }
        if report.error_type:
            record["errorType"] = report.error_type
        return self._events("platform.report", record, warns=report.status != "success")

    def _events(self, kind: str, record: Mapping[str, object], *, warns: bool = False) -> list[str]:
        if self._deployment.system_log_level == "WARN" and not warns:
            return []
        return [json.dumps({"time": timestamp(), "type": kind, "record": record}, separators=(",", ":"))]

    def _text_report(self, report: Report) -> str:
        fields = [
            f"REPORT RequestId: {report.request_id}",
            f"Duration: {report.duration_ms:.2f} ms",
            f"Billed Duration: {report.billed_ms} ms",
            f"Memory Size: {self._deployment.memory_mb} MB",
        ]
        if report.max_memory_mb is not None:
            fields.append(f"Max Memory Used: {report.max_memory_mb} MB")
        if report.init_ms is not None:
            fields.append(f"Init Duration: {report.init_ms:.2f} ms")
        if report.status != "success":
            fields.append(f"Status: {report.status}")
        if report.error_type:
            fields.append(f"Error Type: {report.error_type}")
        return "\t".join(fields)


def tail_of(messages: list[str]) -> str:
    """Return the last 4 KiB of ``messages``, one a line."""
    data = "".join(f"{message}\n" for message in messages).encode()
    return data[-TAIL_BYTES:].decode("utf-8", "ignore")


def timestamp(at: datetime | None = None) -> str:
    """Return ``2026-01-31T12:00:00.123Z``, as Lambda writes the time."""
    return (at or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

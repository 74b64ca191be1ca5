"""Reads what Lambda, and loggers in its words, write into the log of a function, as text or as JSON.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html,
https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TEXT = re.compile(
    r"(INIT_START|START|END|REPORT|RESTORE_START|RESTORE_REPORT|(?:EXTENSION|TELEMETRY|LOGS)(?=\t))\b"
    r"(?: RequestId: ([\w-]+))?"
)
_NUMBER = re.compile(r"[\d.]+")
_UNHANDLED = re.compile(r"\[ERROR\] \S+.*\nTraceback |.*\bTask timed out after |RequestId: \S+ Error: ", re.DOTALL)
"""What awslambdaric writes of an exception that nobody caught, and Lambda of a process that ended."""
_SAID_ELSEWHERE = frozenset(
    "timestamp level log_level message errorMessage errorType stackTrace requestId logger location service cold_start "
    "xray_trace_id function_name function_memory_size function_arn function_request_id".split()
)
"""Keys of awslambdaric's records, and of Powertools', that are told otherwise, or that tell nothing new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The numbers of one request."""

    duration_ms: float
    billed_ms: float
    init_ms: float | None = None
    """Of initialisation, or of restoring a snapshot; None when warm."""
    memory_mb: int | None = None
    """What it may have."""
    max_memory_mb: int | None = None
    status: str = "success"
    """success, failure, error or timeout. Lambda leaves it out of text where it is success."""
    error_type: str = ""

    @property
    def words(self) -> str:
        """``cold: init 310 ms, 12.3 ms, billed 323 ms, 45 of 128 MB``."""
        start = "warm: " if self.init_ms is None else f"cold: init {self.init_ms:.0f} ms, "
        memory = f", {self.max_memory_mb} of {self.memory_mb} MB" if self.max_memory_mb and self.memory_mb else ""
        return f"{start}{self.duration_ms:.1f} ms, billed {self.billed_ms:.0f} ms{memory}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformLine:
    """One line of Lambda's own."""

    starts: bool = False
    """It says that a request begins."""
    request_id: str = ""
    report: Report | None = None
    """Of a request that ended."""


def platform_line(message: str) -> PlatformLine | None:
    """Return what Lambda says with ``message``; None for a line that people want to read."""
    told = _object(message)
    if told is not None:
        return _from_json(told)
    match = _TEXT.match(message)
    if not match:
        return None
    kind, request_id = match[1], match[2] or ""
    fields = dict(part.split(": ", 1) for part in message.split("\t") if ": " in part)
    if kind in {"START", "END", "REPORT"} and not request_id:
        return None
    report = _report_of_text(fields) if kind == "REPORT" else None
    return PlatformLine(starts=kind == "START", request_id=request_id, report=report)


def last_report(log: str) -> Report | None:
    """Return the last report in ``log``, many lines; None if there is none."""
    found = (platform_line(line) for line in reversed(log.split("\n")))
    return next((each.report for each in found if each and each.report), None)


def request_id_of(message: str) -> str:
    """Return the request of a line that awslambdaric wrote as JSON; nothing for any other."""
    told = _object(message) or {}
    request_id = told.get("requestId")
    return request_id if isinstance(request_id, str) and "timestamp" in told else ""


def is_failure(message: str) -> bool:
    """Tell whether ``message`` says that a request failed: an exception nobody caught, a timeout, a crash."""
    told = _object(message)
    if told is None:
        return bool(_UNHANDLED.match(message))
    return "errorType" in told and "stackTrace" in told


def readable(message: str) -> str:
    """Return a record of a logger, which is JSON, as a line for people, and anything else as it is.

    ``INFO shop.orders: taken  order_id=A-1001``; texts of several lines, such as tracebacks, follow below.
    """
    told = _object(message)
    level = (told or {}).get("level", (told or {}).get("log_level"))
    if not told or not isinstance(level, str) or not {"message", "errorMessage"} & told.keys():
        return message
    what = told.get("message", f"{told.get('errorType')}: {told.get('errorMessage')}")
    logger = told.get("logger", "root")
    rest = {name: _shown(value) for name, value in told.items() if name not in _SAID_ELSEWHERE}
    fields = "".join(f"  {name}={value}" for name, value in rest.items() if "\n" not in value)
    trace = told.get("stackTrace") or []  # awslambdaric's is a list; other loggers have a text there
    below = [*(trace if isinstance(trace, list) else [trace]), *(value for value in rest.values() if "\n" in value)]
    name = "" if logger in ("root", told.get("service")) else f"{_shown(logger)}: "
    head = f"{level} {name}{_shown(what)}{fields}"
    return "\n".join([head, *(_shown(each).rstrip("\n") for each in below)])


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _object(message: str) -> Mapping[str, Any] | None:
    if not message.startswith("{"):
        return None
    try:
        told = json.loads(message)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _from_json(told: Mapping[str, Any]) -> PlatformLine | None:
    kind, record = told.get("type"), told.get("record")
    if not (isinstance(kind, str) and kind.startswith("platform.") and isinstance(record, dict)):
        return None
    if kind == "platform.initReport" and record.get("status", "success") != "success":
        return None
    metrics = record.get("metrics")
    report = _report_of_json(record, metrics) if kind == "platform.report" and isinstance(metrics, dict) else None
    return PlatformLine(starts=kind == "platform.start", request_id=str(record.get("requestId", "")), report=report)


def _report_of_text(fields: Mapping[str, str]) -> Report:
    def number(name: str) -> float | None:
        match = _NUMBER.match(fields.get(name, ""))
        return float(match[0]) if match else None

    init_ms = number("Init Duration")
    return Report(
        duration_ms=number("Duration") or 0.0,
        billed_ms=number("Billed Duration") or 0.0,
        init_ms=number("Restore Duration") if init_ms is None else init_ms,
        memory_mb=int(number("Memory Size") or 0) or None,
        max_memory_mb=int(number("Max Memory Used") or 0) or None,
        status=fields.get("Status", "success").strip(),
        error_type=fields.get("Error Type", "").strip(),
    )


def _report_of_json(record: Mapping[str, Any], metrics: Mapping[str, Any]) -> Report:
    return Report(
        duration_ms=float(metrics.get("durationMs", 0)),
        billed_ms=float(metrics.get("billedDurationMs", 0)),
        init_ms=metrics.get("initDurationMs", metrics.get("restoreDurationMs")),
        memory_mb=metrics.get("memorySizeMB"),
        max_memory_mb=metrics.get("maxMemoryUsedMB"),
        status=str(record.get("status", "success")),
        error_type=str(record.get("errorType", "")),
    )

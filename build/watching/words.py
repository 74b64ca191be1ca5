"""What the dev loop says. Pure."""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from build.local.deployment import Initialised
from build.local.overlays import Swapped
from build.release.platform_lines import platform_line
from build.results import Answer

_OF_LAMBDA = "LAMBDA_WARNING: "
"""What awslambdaric writes before the error of an initialisation, and before advice for Lambda."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long it took to bring what was saved to where it runs."""

    saved_at: float
    """Seconds since 1970; 0 where nobody knows."""
    built_ms: float
    swapped_ms: float


def swapped(identity: str, outcome: Swapped, times: Times, started: Initialised | None, *, now: float) -> str:
    """Return the line for a function that runs something else ``now``, in seconds since 1970, and is ``started``."""
    again = " is as deployed again" if outcome is Swapped.DEPLOYED else ""
    parts = [f"built in {times.built_ms:.0f} ms", f"swapped in {times.swapped_ms:.0f} ms"]
    if started and started.error:
        return "\n".join([f"{identity}{again}: {', '.join(parts)}, but it does not start", *_failure(started)])
    parts += [f"started in {started.ms:.0f} ms"] if started else []
    since = f": {(now - times.saved_at) * 1000:.0f} ms after the save" if times.saved_at else ""
    return f"{identity}{again}: {', '.join(parts)}{since}"


def not_swapped(identity: str, outcome: Swapped, deploy: str) -> str:
    """Return the line for a function that only a deploy brings; nothing where there is nothing to say."""
    match outcome:
        case Swapped.MISSING:
            return f"{identity} is not deployed: {deploy}"
        case Swapped.UNLIKE:
            return f"{identity} has another handler, runtime, package type or other layers than deployed: {deploy}"
        case _:
            return ""


def answered(identity: str, answer: Answer, before: str | None) -> str:
    """Return the lines for an ``answer``: what differs from the payload ``before``, if there was one, and its log."""
    new = [f"  {line}" for line in _lines(answer.payload)]
    if before == answer.payload:
        said, new = ", the same answer", []
    elif before is not None:
        said, new = ", another answer", [f"  {line}" for line in _difference(before, answer.payload)]
    else:
        said = ""
    failed = f" FAILED ({answer.error})" if answer.error else ""
    log = _log(answer.log_tail)
    return "\n".join([f"{identity} ← {answer.event}{failed}, {answer.seconds * 1000:.0f} ms{said}", *new, *log])


def _failure(started: Initialised) -> Iterator[str]:
    """Yield why it does not start: the error, the frames of the function's own code, what was written before."""
    told = _json(started.error)
    if not isinstance(told, dict):
        yield f"  {started.error}"
        return
    yield f"  {told.get('errorType', '')}: {told.get('errorMessage', '')}"
    frames = (str(frame) for frame in told.get("stackTrace", ()))
    yield from (f"  {line}" for frame in frames if "importlib" not in frame for line in frame.splitlines())
    yield from _log(started.log.partition(_OF_LAMBDA)[0].rpartition("\n")[0])


def _log(text: str) -> list[str]:
    """Return what a function itself wrote; errors that nobody caught are in its answer."""
    lines = (line for line in text.splitlines() if line and platform_line(line) is None)
    return [f"  | {line}" for line in lines if '"stackTrace": [' not in line]


def _difference(before: str, after: str) -> Iterator[str]:
    found = difflib.unified_diff(_lines(before), _lines(after), lineterm="", n=1)
    return (line for line in found if not line.startswith(("---", "+++", "@@")))


def _lines(payload: str) -> list[str]:
    told = _json(payload)
    return payload.splitlines() if told is None else json.dumps(told, indent=2, ensure_ascii=False).splitlines()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None

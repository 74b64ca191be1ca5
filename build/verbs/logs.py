"""`logs`: what functions wrote, request by request."""

import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from build import report
from build.errors import InputError
from build.project.discovery import discover
from build.release.platform_lines import platform_line, readable
from build.release.requests import Grouping, Line, Request, Status
from build.rules.words import duration
from build.verbs.choosing import function_named

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_SILENT_S = 2.0
"""How long a request that goes on may say nothing before what it said is shown."""
_COLOURS = {Status.OK: "green", Status.ERROR: "bold red", Status.TIMEOUT: "bold red", Status.OPEN: "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which requests are shown, and how."""

    pattern: re.Pattern[str] | None = None
    """Is found in a line, or in the request's id."""
    failed: bool = False
    raw: bool = False
    """Lines as they come, those alone that ``pattern`` is found in."""

    @property
    def chooses(self) -> bool:
        """True where requests are judged, for which they must have ended."""
        return bool(self.pattern) or self.failed

    def takes(self, request: Request) -> bool:
        """Tell whether ``request`` is to be shown."""
        texts = (request.request_id, *(line.message for line in request.lines))
        is_found = self.pattern is None or any(map(self.pattern.search, texts))
        return is_found and (request.failed or not self.failed)


def logs(root: Path, env: str, functions: str, *, since: str, follow: bool, grep: str, errors: bool, raw: bool) -> None:
    """Print what the functions NAME[,NAME], or all, logged."""
    from build import pipeline
    from build.release.logs import batches

    workspace = discover(root, env)
    since_s, wanted = _seconds(since), Wanted(pattern=_pattern(grep), failed=errors, raw=raw)
    names = functions.replace(" ", "").split(",") if functions else ()
    chosen = [function_named(workspace, name) for name in names] or workspace.functions
    groups = {spec.name: workspace.log_group(spec.name) for spec in chosen}
    client = pipeline.reach(workspace).client("logs")
    found = batches(groups, client, since_s=since_s, is_local=workspace.env.is_local)
    tell(found if follow else [next(found)], wanted)


def tell(found: Iterable[Sequence[Line]], wanted: Wanted) -> None:
    """Print what is ``wanted`` of batches of lines, each soon after it came, until there are no more."""
    if wanted.raw and not wanted.failed:
        for lines in found:
            _write(line for line in lines if wanted.pattern is None or wanted.pattern.search(line.message))
        return
    for request in _requests(found, wanted):
        if not wanted.takes(request):
            continue
        if wanted.raw:
            _write(request.lines)
        else:
            _show(request, wanted.pattern)


def say(line: str) -> None:
    """Show a line of a log on stderr, unless Lambda only tells timings with it."""
    if platform_line(line) is None:
        sys.stderr.write(f"{readable(line)}\n")
        sys.stderr.flush()


def _pattern(text: str) -> re.Pattern[str] | None:
    """Return ``text`` as a regular expression; None for nothing."""
    try:
        return re.compile(text) if text else None
    except re.error as why:
        raise InputError(
            f"no regular expression: {text!r}",
            facts=[str(why)],
            hint="put a backslash before what is meant as it stands: --grep 'total \\(EUR\\)'",
        ) from None


def _requests(found: Iterable[Sequence[Line]], wanted: Wanted) -> Iterator[Request]:
    """Yield requests as they end, those that were there at first by when they began."""
    grouping, first = Grouping(), True
    for lines in found:
        now = time.monotonic()
        ended = grouping.feed(lines, now=now)
        yield from sorted(ended, key=lambda request: request.at_ms) if first else ended
        first = False
        if not wanted.chooses:
            yield from grouping.quiet(since=now - _SILENT_S)
    yield from sorted(grouping.rest(), key=lambda request: request.at_ms)


def _write(lines: Iterable[Line]) -> None:
    for line in lines:
        sys.stdout.write(f"{_time(line.at_ms)}  {line.function}  {line.message}\n")
    sys.stdout.flush()


def _show(request: Request, pattern: re.Pattern[str] | None) -> None:
    head = _head(request)
    body = [f"  {part}" for line in request.lines for part in readable(line.message).splitlines()]

    def draw(console: "Console") -> None:
        from rich.text import Text

        console.print(_drawn(head, request.status), soft_wrap=True)
        for line in map(Text, body):
            if pattern:
                line.highlight_regex(pattern, "black on yellow")
            console.print(line, soft_wrap=True)

    report.print_lines(["  ".join(head.values()), *body], draw)
    sys.stdout.flush()


def _head(request: Request) -> Mapping[str, str]:
    """Return what the line above a request says, part by part."""
    said = request.report
    kind = f" {said.error_type}" if said and said.error_type else ""
    parts = {
        "time": _time(request.at_ms),
        "function": request.function,
        "id": request.request_id[:8],
        "status": f"{request.status}{kind}",
        "numbers": said.words if said else "",
        "continued": "continued" if request.continued else "",
    }
    return {name: part for name, part in parts.items() if part}


def _drawn(head: Mapping[str, str], status: Status) -> "Text":
    from rich.text import Text

    styles = {"function": "bold", "status": _COLOURS[status]}
    parts = ((part, styles.get(name, "dim")) for name, part in head.items())
    return Text("  ").join(Text(part, style) for part, style in parts)


def _time(at_ms: int) -> str:
    """Return the time of day in UTC, with the day before it unless that is today."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    day = "" if at.date() == datetime.now(UTC).date() else f"{at:%Y-%m-%d} "
    return f"{day}{at:%H:%M:%S.%f}"[:-3]


def _seconds(text: str) -> float:
    """Return seconds of ``30`` (minutes), ``90s``, ``10m``, ``2h`` or ``3d``."""
    length = duration(f"{text}m" if text.isdecimal() else text)
    if length is None:
        raise InputError(
            f"no stretch of time: {text!r}",
            facts=["expected minutes, or a number with s, m, h or d: 30, 90s, 2h, 3d"],
            hint="run `invoke logs -f NAME --since 10m`",
        )
    return length.total_seconds()

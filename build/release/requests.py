"""Lines of logs, put together by the request that wrote them.

An environment of Lambda answers one request at a time and writes one log stream, so what stands in a stream between
the end of one request and the end of the next belongs to the latter: what its initialisation wrote does, too.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from build.release.platform_lines import PlatformLine, Report, is_failure, platform_line, request_id_of


@dataclass(frozen=True, slots=True)
class Line:
    """One event of a log stream."""

    function: str
    """Its folder's name."""
    stream: str
    at_ms: int
    """Since 1970, UTC."""
    message: str


class Status(StrEnum):
    """How a request went."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    OPEN = "no report yet"
    """Nothing says that it ended: it still runs, or Lambda does not log that (``system_log_level = "WARN"``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one request left in a log."""

    function: str
    request_id: str
    """Empty if no line tells."""
    at_ms: int
    """Of its first line."""
    lines: tuple[Line, ...]
    """Without those of Lambda that only say what is told here."""
    status: Status
    report: Report | None
    continued: bool = False
    """An earlier part of it was given already."""

    @property
    def failed(self) -> bool:
        """True for an error, a timeout or a crash."""
        return self.status in {Status.ERROR, Status.TIMEOUT}


@dataclass(slots=True)
class _Open:
    """A request whose end was not seen yet."""

    function: str
    at_ms: int
    heard: float
    request_id: str = ""
    started: bool = False
    """Lambda said that it began, so that only Lambda says that another one does."""
    lines: list[Line] = field(default_factory=list)
    failed: bool = False
    news: bool = False
    """Something was said since `so_far`."""
    continued: bool = False

    def add(self, line: Line, said: PlatformLine | None, now: float) -> None:
        self.heard = now
        if said is None:
            self.lines.append(line)
            self.failed = self.failed or is_failure(line.message)
        else:
            self.started = self.started or said.starts
        self.news = self.news or said is None or said.starts or bool(said.report)

    def so_far(self, report: Report | None = None) -> Request:
        status = _status(report, failed=self.failed)
        found = Request(
            function=self.function,
            request_id=self.request_id,
            at_ms=self.at_ms,
            lines=tuple(self.lines),
            status=status,
            report=report,
            continued=self.continued,
        )
        self.lines, self.news, self.continued = [], False, True
        return found


class Grouping:
    """Takes lines as they come, and gives requests as they end. Times are seconds of any clock."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Open] = {}

    def feed(self, lines: Iterable[Line], *, now: float = 0.0) -> Iterator[Request]:
        """Take ``lines``, the oldest first; yield the requests that ended with them."""
        for line in lines:
            key, said = (line.function, line.stream), platform_line(line.message)
            found = self._open.get(key)
            silent = not (found and found.started)
            request_id = said.request_id if said else request_id_of(line.message) if silent else ""
            if found and found.request_id and request_id not in {"", found.request_id}:
                yield from self._close(key)  # it never said that it ended
                found = None
            if found is None:
                found = self._open[key] = _Open(line.function, line.at_ms, now)
            found.request_id = found.request_id or request_id
            found.add(line, said, now)
            if said and said.report:
                yield from self._close(key, said.report)

    def quiet(self, *, since: float) -> Iterator[Request]:
        """Yield what is new of each request that said nothing after ``since``. What it says later comes by itself."""
        for found in self._open.values():
            if found.news and found.heard <= since:
                yield found.so_far()

    def rest(self) -> Iterator[Request]:
        """Yield what is left when no more lines come."""
        for key in list(self._open):
            yield from self._close(key)

    def _close(self, key: tuple[str, str], report: Report | None = None) -> Iterator[Request]:
        found = self._open.pop(key)
        if found.news:
            yield found.so_far(report)


class Tail:
    """Gives the lines of one request as they come."""

    def __init__(self, request_id: str) -> None:
        self._request_id = request_id
        self._stream: str | None = None
        self._before: dict[str, list[Line]] = {}
        self.ended = False
        self.report: Report | None = None
        """Set with its last line, if Lambda says so much."""

    def feed(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Take ``lines``, the oldest first; yield those of the request, with what Lambda says of it."""
        for line in lines:
            if self.ended or (self._stream and line.stream != self._stream):
                continue
            said = platform_line(line.message)
            before = self._before.setdefault(line.stream, [])
            before.append(line)
            if (said.request_id if said else request_id_of(line.message)) == self._request_id:
                self._stream = line.stream
                self.report = said.report if said else None
                self.ended = self.report is not None
            elif said and said.request_id:
                before.clear()
                self.ended = self._stream is not None
            if self._stream:
                yield from before
                before.clear()


def _status(report: Report | None, *, failed: bool) -> Status:
    if report and report.status == "timeout":
        return Status.TIMEOUT
    if failed or (report and report.status != "success"):
        return Status.ERROR
    return Status.OK if report else Status.OPEN

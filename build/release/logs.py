"""Reads logs of functions from CloudWatch, to the end or for as long as somebody looks."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from build.errors import AwsError
from build.release.aws import asking
from build.release.requests import Line

_HINT = "run `invoke status` to see what is deployed"
_LATE_S = 10.0
"""How much later than others CloudWatch may show a line."""
_LATE_LOCAL_S = 1.0
_POLL_S = 1.0
_POLL_LOCAL_S = 0.2
_REQUESTS_PER_S = 2.0
"""Of the 5 that an account may make in a region: https://repost.aws/knowledge-center/cloudwatch-logs-throttling."""


@dataclass(slots=True)
class _Group:
    """How far a log group was read."""

    start_ms: int
    seen: dict[str, int] = field(default_factory=dict)
    """When each event was that may come again, by its id."""


def batches(groups: Mapping[str, str], client: Any, *, since_s: float, is_local: bool = False) -> Iterator[list[Line]]:
    """Yield the lines of the last ``since_s`` seconds, the oldest first; then, endlessly, those that came since.

    ``groups`` are log groups by the name of their function; it is read anew each time. A group that is not there yet
    has no lines. A batch comes five times a second from the embedded cloud, else about every second; it may be empty.
    Raises AwsError if none of the groups is there at first.
    """
    begin_ms = int((time.time() - since_s) * 1000)
    known: dict[str, _Group] = {}
    first = True
    while True:
        found: list[Line] = []
        missing = set()
        for function, name in groups.items():
            group = known.setdefault(function, _Group(begin_ms))
            lines = _lines(function, name, client, group, late_s=_LATE_LOCAL_S if is_local else _LATE_S)
            if lines is None:
                missing.add(name)
            else:
                found += lines
        if first and missing and missing == set(groups.values()):
            raise AwsError("nothing was logged", facts=[f"no log group {name}" for name in sorted(missing)], hint=_HINT)
        first = False
        yield sorted(found, key=lambda line: line.at_ms)
        time.sleep(_POLL_LOCAL_S if is_local else max(_POLL_S, len(groups) / _REQUESTS_PER_S))


def _lines(function: str, name: str, client: Any, group: _Group, *, late_s: float) -> list[Line] | None:
    """Return the lines of a log group that are new; None if there is no such group."""
    with asking(f"reading {name}", hint=_HINT):
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=name, startTime=group.start_ms)
        try:
            events = [event for page in pages for event in page["events"] if event["eventId"] not in group.seen]
        except client.exceptions.ResourceNotFoundException:
            return None
    group.seen.update((event["eventId"], event["timestamp"]) for event in events)
    group.start_ms = max([group.start_ms, *(event["timestamp"] - int(late_s * 1000) for event in events)])
    group.seen = {event_id: at_ms for event_id, at_ms in group.seen.items() if at_ms >= group.start_ms}
    return [
        Line(function, event["logStreamName"], event["timestamp"], event["message"].rstrip("\n")) for event in events
    ]

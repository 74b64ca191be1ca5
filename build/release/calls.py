"""Call a deployed function, and read what it logged."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from build.errors import InputError
from build.model import FunctionSpec
from build.release.aws import asking
from build.release.schedule import ALIAS
from build.results import Answer


def sample_events(spec: FunctionSpec) -> tuple[Path, ...]:
    """Return the function's sample events, sorted by name; the first is the one a deploy shows.

    What an event is to be answered with, ``smoke.answer.json``, is none.
    """
    found = (spec.folder / "events").glob("*.json")
    return tuple(sorted(path for path in found if not path.name.endswith(".answer.json")))


def read_event(spec: FunctionSpec, given: str | None) -> tuple[str, bytes]:
    """Return name and JSON bytes of an event: a path, a name below events/, JSON itself, or the first sample.

    Raises InputError if it is none of these or no JSON.
    """
    samples = sample_events(spec)
    if given is None:
        name, data = (samples[0].name, samples[0].read_bytes()) if samples else ("{}", b"{}")
    elif given.lstrip().startswith(("{", "[", '"')):
        name, data = "given", given.encode()
    else:
        places = (Path(given), spec.folder / "events" / given, spec.folder / "events" / f"{given}.json")
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise InputError(
                f"no event {given!r} for {spec.identity}",
                facts=[f"expected a file, JSON, or one of: {', '.join(sample.name for sample in samples) or 'none'}"],
                hint=f"run `invoke invoke -f {spec.name}` for its first sample event",
            )
        name, data = found.name, found.read_bytes()
    try:
        json.loads(data)
    except ValueError as reason:
        raise InputError(
            f"the event {name} is not JSON", facts=[str(reason)], hint=f"run `invoke invoke -f {spec.name}`"
        ) from None
    return name, data


def call(name: str, function_name: str, event: tuple[str, bytes], client: Any, *, qualifier: str = ALIAS) -> Answer:
    """Invoke ``function_name`` with the named ``event`` and return its answer; the function may fail, AWS must not."""
    started = time.monotonic()
    with asking(f"invoking {function_name}:{qualifier}", hint="run `invoke status` to see what is deployed"):
        response = client.invoke(FunctionName=function_name, Qualifier=qualifier, Payload=event[1], LogType="Tail")
        payload = response["Payload"].read().decode("utf-8", "replace")
    return Answer(
        name=name,
        event=event[0],
        payload=payload,
        error=response.get("FunctionError"),
        log_tail=base64.b64decode(response.get("LogResult", "")).decode("utf-8", "replace"),
        seconds=time.monotonic() - started,
        version=response.get("ExecutedVersion", ""),
    )


def follow_logs(
    log_group: str, client: Any, *, since_s: float, follow: bool, poll_s: float = 1.0
) -> Iterator[tuple[datetime, str]]:
    """Yield time (UTC) and line of each event in ``log_group``, oldest first; with ``follow`` until interrupted."""
    start_ms = int((time.time() - since_s) * 1000)
    seen: set[str] = set()
    while True:
        with asking(f"reading {log_group}", hint="run `invoke status` to see what is deployed"):
            pages = client.get_paginator("filter_log_events").paginate(logGroupName=log_group, startTime=start_ms)
            events = [event for page in pages for event in page["events"]]
        for event in sorted(events, key=lambda event: event["timestamp"]):
            if event["eventId"] not in seen:
                seen.add(event["eventId"])
                yield datetime.fromtimestamp(event["timestamp"] / 1000, UTC), event["message"].rstrip("\n")
        if not follow:
            return
        # CloudWatch may show an event some seconds late: look back a little, and know what was shown.
        start_ms = max([start_ms, *(event["timestamp"] - 10_000 for event in events)])
        time.sleep(poll_s)

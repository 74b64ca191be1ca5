"""Call a deployed function."""

import base64
import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from build.errors import InputError
from build.model import FunctionSpec
from build.release.aws import asking
from build.release.platform_lines import Report
from build.release.requests import Line, Tail
from build.release.schedule import ALIAS
from build.results import Answer

_HINT = "run `invoke status` to see what is deployed"


def sample_events(spec: FunctionSpec) -> tuple[Path, ...]:
    """Return the function's sample events, sorted by name; the first is the one a deploy shows.

    What an event is to be answered with, ``smoke.answer.json``, is none.
    """
    found = (spec.folder / "events").glob("*.json")
    return tuple(sorted(path for path in found if not path.name.endswith(".answer.json")))


def read_event(spec: FunctionSpec, given: str | None) -> tuple[str, bytes]:
    """Return name and JSON bytes of an event: a path, a name below events/, ``-``, JSON itself, or the first sample.

    Raises InputError if it is none of these or no JSON.
    """
    samples = sample_events(spec)
    if given is None:
        name, data = (samples[0].name, samples[0].read_bytes()) if samples else ("{}", b"{}")
    elif given == "-":
        name, data = "stdin", sys.stdin.buffer.read()
    elif given.lstrip().startswith(("{", "[", '"')):
        name, data = "given", given.encode()
    else:
        places = (Path(given), spec.folder / "events" / given, spec.folder / "events" / f"{given}.json")
        found = next((place for place in places if place.exists() and not place.is_dir()), None)  # or a pipe
        if found is None:
            raise InputError(
                f"no event {given!r} for {spec.identity}",
                facts=[
                    f"expected a file, `-`, JSON, or one of: {', '.join(sample.name for sample in samples) or 'none'}"
                ],
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
    with asking(f"invoking {function_name}:{qualifier}", hint=_HINT):
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
        request_id=response["ResponseMetadata"]["RequestId"],
    )


def send(function_name: str, event: tuple[str, bytes], client: Any, *, qualifier: str = ALIAS) -> str:
    """Leave the named ``event`` to Lambda, which invokes ``function_name`` with it soon; return the request's id."""
    with asking(f"invoking {function_name}:{qualifier}", hint=_HINT):
        response = client.invoke(
            FunctionName=function_name, Qualifier=qualifier, Payload=event[1], InvocationType="Event"
        )
    return str(response["ResponseMetadata"]["RequestId"])


def tail(
    request_id: str, found: Iterable[Sequence[Line]], say: Callable[[str], None], *, limit_s: float
) -> Report | None:
    """Tell the lines of a request as they come, until Lambda reports its end; None if it does not in ``limit_s``."""
    until, lines_of = time.monotonic() + limit_s, Tail(request_id)
    for lines in found:
        for line in lines_of.feed(lines):
            say(line.message)
        if lines_of.ended or time.monotonic() >= until:
            break
    return lines_of.report

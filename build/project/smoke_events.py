"""A function's smoke event: what every new version is asked before anybody else may ask it, and what it has to say."""

import json
from collections.abc import Iterator
from pathlib import Path

EVENT, ANSWER = "smoke.json", "smoke.answer.json"
"""Below the function's events/. The answer may be left out."""


def files_of(folder: Path) -> tuple[Path, ...]:
    """Return those of the two files that the function in ``folder`` has."""
    return tuple(path for path in (folder / "events" / EVENT, folder / "events" / ANSWER) if path.is_file())


def problems(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the smoke event of the function in ``folder``, a line each."""
    files = files_of(folder)
    for path in files:
        try:
            json.loads(path.read_bytes())
        except ValueError as reason:
            yield f"events/{path.name}: expected JSON, got something else: {reason}"
    if [path.name for path in files] == [ANSWER]:
        yield f"events/{ANSWER}: expected {EVENT} beside it, which it is the answer to, got none"

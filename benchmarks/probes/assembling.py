"""Build the repository in the current folder in this process, and tell how long each stage took.

python assembling.py ENV     → one JSON object: stage → seconds

What is only needed once in a process (imports) is not counted: that is what the whole process is measured for.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from build.making import build
from build.project.discovery import discover
from build.report import Reporter


class _Stopwatch(Reporter):
    """Says nothing and takes the time."""

    def __init__(self) -> None:
        super().__init__()
        self.took_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.took_s[name] = self.took_s.get(name, 0) + time.perf_counter() - began

    def say(self, text: str) -> None:
        """Leave it out."""

    def note(self, text: str) -> None:
        """Leave it out."""


def _main() -> None:
    show = _Stopwatch()
    build(discover(Path.cwd(), sys.argv[1]), show)
    print(json.dumps(show.took_s))


if __name__ == "__main__":
    _main()

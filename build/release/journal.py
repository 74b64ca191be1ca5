"""Keeps the ledger while a release happens: that it begins, before anything changes, and how it ended."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from build.errors import SlipwayError
from build.release.ledger import Ledger
from build.release.rows import FAILED, UNFINISHED, Release


@dataclass(slots=True, kw_only=True)
class Journal:
    """The row of one release, as far as it got. Nothing is written of one that never begins."""

    ledger: Ledger
    release: Release
    seconds: Callable[[], Mapping[str, float]]
    """Gives what every stage has taken until now."""
    is_open: bool = False

    def begin(self) -> None:
        """Write that it begins, if that is not written yet. Releases that were interrupted before are over with it."""
        if self.is_open:
            return
        left = []
        for row in self.ledger.latest():
            if row.is_settled:
                break
            if row.outcome == UNFINISHED:
                left.append(row)
        self.release = self.ledger.begin(replace(self.release, at=_now()))
        self.is_open = True
        for row in left:
            given_up = f"interrupted; release {self.release.id} began after it"
            self.ledger.end(replace(row, outcome=FAILED, ended_at=_now(), error=given_up))

    def end(
        self, outcome: str, *, versions: Mapping[str, str] | None = None, live: Mapping[str, str], error: str = ""
    ) -> Release:
        """Write how it ended, and return the whole row."""
        self.release = replace(
            self.release,
            outcome=outcome,
            ended_at=_now(),
            versions=versions or {},
            live=live,
            durations={stage: round(took_s, 3) for stage, took_s in self.seconds().items()},
            error=error,
        )
        self.ledger.end(self.release)
        self.is_open = False
        return self.release


@contextmanager
def kept(
    ledger: Ledger,
    release: Release,
    *,
    seconds: Callable[[], Mapping[str, float]],
    seen: Callable[[], Mapping[str, str]],
) -> Iterator[Journal]:
    """Yield the journal of ``release``; whatever ends it early is written down. One with a number has begun already.

    ``seen`` tells then which versions the live aliases name.
    """
    journal = Journal(ledger=ledger, release=release, seconds=seconds, is_open=bool(release.id))
    try:
        yield journal
    except BaseException as reason:
        if journal.is_open:
            with suppress(SlipwayError):  # then it stays unfinished, which is true as well
                journal.end(FAILED, live=seen(), error=_words(reason))
        raise


def _words(reason: BaseException) -> str:
    if isinstance(reason, SlipwayError):
        return reason.summary
    return "stopped" if isinstance(reason, KeyboardInterrupt | SystemExit) else f"{type(reason).__name__}: {reason}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

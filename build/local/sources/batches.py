"""Batches of a stream's records, and what becomes of them when a function fails. Values only.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from dataclasses import dataclass, replace
from typing import Any, Self

from build.local.asynchronous import Answered

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 2.0
"""Before a batch is tried again, each time twice as long; AWS does not tell how long it waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of a shard."""

    index: int
    """How many were written to its shard before."""
    sequence: str
    arrived: float
    """Seconds since 1970."""
    key: str
    """Records of the same key stay in order, whatever is done at once."""
    text: str
    """JSON: as the function gets it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Records that a function gets together, in their order."""

    records: tuple[Record, ...]
    tries: int = 0
    """How often the function has failed at it."""
    misses: int = 0
    """How often it did not reach the function: throttles, and what cannot run."""
    last: Answered | None = None
    """What the function answered last."""

    @property
    def event(self) -> bytes:
        """What the function gets, JSON."""
        return f'{{"Records": [{", ".join(record.text for record in self.records)}]}}'.encode()

    @property
    def delay_s(self) -> float:
        """Seconds until it is to be tried."""
        failures = self.tries + self.misses
        return min(FIRST_DELAY_S * 2.0 ** min(failures - 1, 10), LONGEST_DELAY_S) if failures else 0.0

    def between(self, start: int, end: int | None = None) -> "Batch":
        """Return it with some of its records."""
        return replace(self, records=self.records[start:end])


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a mapping says of its batches."""

    size: int
    window_s: float
    retries: float
    """Tries after the first; infinite where none is given up for them."""
    max_age_s: float
    """Of a record; the same."""
    bisect: bool
    reports: bool
    """Whether the function says from which record on it failed."""
    parallel: int

    @classmethod
    def of(cls, mapping: Any) -> Self:
        """Return those of moto's event source mapping."""
        return cls(
            size=mapping.batch_size,
            window_s=float(mapping.max_batch_window or 0),
            retries=_or_endless(mapping.max_retry_attempts),
            max_age_s=_or_endless(mapping.max_record_age),
            bisect=bool(mapping.bisect_on_error),
            reports="ReportBatchItemFailures" in (mapping.function_response_types or []),
            parallel=mapping.parallelization_factor or 1,
        )


def without_old(batch: Batch, max_age_s: float, now: float) -> tuple[Batch, Batch]:
    """Return what of ``batch`` is too old at ``now``, in seconds since 1970, and the rest."""
    old = sum(1 for record in batch.records if now - record.arrived > max_age_s)
    return batch.between(0, old), batch.between(old)


def after_failure(batch: Batch, answered: Answered, first: int, settings: Settings) -> tuple[list[Batch], Batch | None]:
    """Return what to try next, and what is given up, after the function failed from record ``first`` of ``batch`` on.

    A batch is halved without using up a retry. Where the function says where it failed, all before is done, and the
    rest has failed for the first time.
    """
    rest = replace(batch.between(first), misses=0, last=answered)
    if answered.outcome.error and settings.bisect and len(rest.records) > 1:
        middle = (len(rest.records) + 1) // 2
        return [rest.between(0, middle), rest.between(middle)], None
    rest = replace(rest, tries=1 if first else batch.tries + 1)
    return ([], rest) if rest.tries > settings.retries else ([rest], None)


def _or_endless(value: int | None) -> float:
    return float("inf") if value is None or value < 0 else float(value)

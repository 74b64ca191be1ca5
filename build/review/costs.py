"""Where the monthly bill goes. No traffic is known, so what depends on it is for a million invocations."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from build.review import prices
from build.review.changes import Change
from build.review.kinds import kind_of
from build.review.owners import Owners
from build.review.plans import Row, listed
from build.review.reading import settings_of, value_at
from build.review.words import Cost, Costs, Direction

_SECONDS = 1.0
"""How long an invocation is taken to run; in proportion for any other."""
_PER_RUN = f"million invocations of {_SECONDS:g} s"
_ASSUMES = (
    f"No traffic is known: what depends on it is for a million invocations of {_SECONDS:g} s; for 100 ms take a tenth.",
    "More memory often makes a function quicker: that is not counted.",
    "Free tiers, savings plans, data transfer, and what is not in the list are left out.",
)
_READY = "aws_lambda_provisioned_concurrency_config"
_RUN_WORDS = {
    "architectures": "architecture",
    "ephemeral_storage.size": "ephemeral_storage_mb",
    "memory_size": "memory_mb",
}


def costs_of(rows: Iterable[Row], owners: Owners) -> Costs:
    """Return what costs more or less from now on."""
    rows = list(rows)
    sizes = {str(row.now.get("function_name")): row for row in rows if row.type == "aws_lambda_function"}
    items = [item for row in rows if row.change for item in _items(row, owners)]
    items += [item for row in rows if row.type == _READY for item in _provisioned(row, owners, sizes)]
    items += _together(rows, owners)
    fixed = [item for item in items if item.per == "month"]
    return Costs(
        direction=_overall(items),
        monthly_usd=(_sum(item.before_usd for item in fixed), _sum(item.after_usd for item in fixed)),
        items=tuple(sorted(items, key=lambda each: (each.subject, each.text))),
        prices=prices.SOURCE,
        assumes=_ASSUMES,
    )


def _items(row: Row, owners: Owners) -> Iterator[Cost]:
    subject = owners.subject_of(row)
    if row.type == "aws_lambda_function" and row.before and row.after:
        told = [each.text for each in settings_of(row, _RUN_WORDS)]
        if told:
            yield _cost(subject, ", ".join(told), run_usd(row.before), run_usd(row.after), _PER_RUN)
    if row.type == "aws_cloudwatch_log_group" and row.change is Change.CHANGED and row.differs("retention_in_days"):
        days = [row.before.get("retention_in_days"), row.after.get("retention_in_days")]
        if not all(isinstance(each, int | None) for each in days):
            return  # nobody may see it, or knows it
        kept = [each / 30.4 * prices.LOG_GB_MONTH if each else None for each in days]
        text = f"log_retention_days {days[0] or 'for ever'} → {days[1] or 'for ever'}"
        direction = _direction(days[0] or 10**6, days[1] or 10**6)
        per = "GB of lines a month, once the retention has passed"
        yield Cost(subject=subject, text=text, direction=direction, before_usd=kept[0], after_usd=kept[1], per=per)


def _provisioned(row: Row, owners: Owners, functions: Mapping[Any, Row]) -> Iterator[Cost]:
    """Yield what environments cost that are kept ready: their number may stay while their size changes."""
    old, new = _both(functions.get(str(row.now.get("function_name"))))
    counts = [value_at(each, "provisioned_concurrent_executions") for each in (row.before, row.after)]
    before, after = _ready_usd(counts[0], old), _ready_usd(counts[1], new)
    if before != after:
        text = f"provisioned.concurrency {counts[0] or 'none'} → {counts[1] or 'none'}"
        text = text if counts[0] != counts[1] else f"provisioned.concurrency {counts[0]}, of another size"
        yield _cost(owners.subject_of(row), text, before, after, "month")


def _together(rows: Iterable[Row], owners: Owners) -> Iterator[Cost]:
    """Yield what costs the same in every month, once for each owner and type."""
    gone: Counter[tuple[str, str, str]] = Counter()
    made: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        if row.type in prices.MONTHLY and row.change:
            key = (owners.subject_of(row), row.type, kind_of(row).word)
            shards = [each.get("shard_count") for each in (row.before, row.after)]
            units = [
                (n if isinstance(n, int) else 1) if each else 0
                for n, each in zip(shards, (row.before, row.after), strict=True)
            ]
            gone[key] += units[0]
            made[key] += units[1]
    for key in sorted({*gone, *made}):
        if gone[key] != made[key]:
            subject, kind, word = key
            usd = [count * prices.MONTHLY[kind] for count in (gone[key], made[key])]
            yield _cost(subject, f"{word} {gone[key]} → {made[key]}", usd[0], usd[1], "month")


def run_usd(values: Mapping[str, Any]) -> float | None:
    """Return what a million invocations of a function cost, each of `_SECONDS`."""
    memory, storage = value_at(values, "memory_size"), value_at(values, "ephemeral_storage.size")
    architecture = listed(value_at(values, "architectures"))
    price = prices.GB_SECOND.get(str(architecture[0]) if architecture else "x86_64")
    if not isinstance(memory, int | float) or price is None:
        return None
    extra = max(0, storage - 512) if isinstance(storage, int | float) else 0
    a_second = memory / 1024 * price + extra / 1024 * prices.STORAGE_GB_SECOND
    return 1e6 * _SECONDS * a_second + prices.REQUESTS


def _ready_usd(count: Any, values: Mapping[str, Any]) -> float | None:
    memory, architecture = value_at(values, "memory_size"), listed(value_at(values, "architectures"))
    price = prices.PROVISIONED_GB_SECOND.get(str(architecture[0]) if architecture else "x86_64")
    if not isinstance(count, int) or not isinstance(memory, int | float) or price is None:
        return None if count else 0.0
    return count * memory / 1024 * price * prices.SECONDS


def _both(function: Row | None) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    if function is None:
        return {}, {}
    return function.before or function.after, function.after or function.before


def _cost(subject: str, text: str, before: float | None, after: float | None, per: str) -> Cost:
    before, after = (None if each is None else round(each, 6) for each in (before, after))
    direction = Direction.UNKNOWN if before is None or after is None else _direction(before, after)
    return Cost(subject=subject, text=text, direction=direction, before_usd=before, after_usd=after, per=per)


def _direction(before: float, after: float) -> Direction:
    if abs(after - before) < 1e-9:
        return Direction.SAME
    return Direction.UP if after > before else Direction.DOWN


def _overall(items: Iterable[Cost]) -> Direction:
    """Return where all of it goes: known only when nothing goes against the rest."""
    directions = {item.direction for item in items} - {Direction.SAME}
    if not directions:
        return Direction.SAME
    return directions.pop() if len(directions) == 1 else Direction.UNKNOWN


def _sum(amounts: Iterable[float | None]) -> float:
    return round(sum(each for each in amounts if each is not None), 4)

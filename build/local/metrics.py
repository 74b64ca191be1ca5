"""What Lambda tells CloudWatch of each invoke, as moto's CloudWatch then shows it: a point a minute, for some hours.

Names and dimensions: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from build.local.function_names import FunctionName
from build.local.patching import replace

KEPT_MINUTES = 180
"""CloudWatch keeps minutes for 15 days; nobody looks so far back here, and every look goes over all of them."""

_Key = tuple[str, str, str, tuple[tuple[str, str], ...]]
"""Account, region, metric, dimensions."""


@dataclass(slots=True)
class _Point:
    """The values of one minute."""

    least: float
    most: float
    sum: float = 0.0
    count: int = 0


class Metrics:
    """Counts invokes. Any number of threads may count and look."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """``now`` gives the seconds since 1970."""
        self._now = now
        self._minutes: dict[int, dict[_Key, _Point]] = {}
        self._lock = threading.Lock()

    def invoked(self, function: FunctionName, version: str, *, failed: bool, duration_ms: float) -> None:
        """Count an invoke of ``function``, as its caller named it, that ``version`` answered."""
        values = {"Invocations": 1.0, "Errors": float(failed), "Duration": duration_ms, "Throttles": 0.0}
        self._count(function, version, values)

    def throttled(self, function: FunctionName, version: str) -> None:
        """Count an invoke that was refused for want of environments."""
        self._count(function, version, {"Throttles": 1.0})

    def data(self, account_id: str, region: str) -> list[Any]:
        """Return every point as moto's CloudWatch has those that were put."""
        from moto.cloudwatch.models import MetricAggregatedDatum

        with self._lock:
            return [
                MetricAggregatedDatum(
                    namespace="AWS/Lambda",
                    name=metric,
                    min_stat=point.least,
                    max_stat=point.most,
                    sample_count=point.count,
                    sum_stat=point.sum,
                    dimensions=[{"Name": name, "Value": value} for name, value in dimensions],
                    timestamp=datetime.fromtimestamp(minute * 60, UTC).replace(tzinfo=None),  # as moto has its own
                    unit="Milliseconds" if metric == "Duration" else "Count",
                )
                for minute, points in self._minutes.items()
                for (account, of_region, metric, dimensions), point in points.items()
                if (account, of_region) == (account_id, region)
            ]

    def _count(self, function: FunctionName, version: str, values: Mapping[str, float]) -> None:
        minute = int(self._now() // 60)
        with self._lock:
            if minute not in self._minutes:
                self._minutes[minute] = {}
                for old in [each for each in self._minutes if each <= minute - KEPT_MINUTES]:
                    del self._minutes[old]
            points = self._minutes[minute]
            for dimensions in _dimensions(function, version):
                for metric, value in values.items():
                    key = (function.account_id, function.region, metric, dimensions)
                    point = points.setdefault(key, _Point(value, value))
                    point.least, point.most = min(point.least, value), max(point.most, value)
                    point.sum += value
                    point.count += 1


def _dimensions(function: FunctionName, version: str) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield each set of dimensions that an invoke is counted under."""
    name, qualifier = ("FunctionName", function.name), function.qualifier
    resource = ("Resource", f"{function.name}:{qualifier}" if qualifier else function.name)
    yield (name,)
    yield (name, resource)
    if qualifier and not qualifier.isdecimal() and not qualifier.startswith("$"):
        yield (name, resource, ("ExecutedVersion", version))


@contextmanager
def shown(metrics: Metrics) -> Iterator[None]:
    """Let moto's CloudWatch tell of ``metrics`` besides what is put into it."""
    from moto.cloudwatch.models import CloudWatchBackend, Dimension

    def with_ours(original: Any) -> Any:
        return lambda backend: [*original(backend), *metrics.data(backend.account_id, backend.region_name)]

    # moto compares dimensions sorted, by an order that is none: who asks for them in another than ours finds nothing.
    def ordered(_original: Any) -> Any:
        return lambda one, other: (one.name, one.value) < (other.name, other.value)

    undo = [replace(CloudWatchBackend, "get_all_metrics", with_ours), replace(Dimension, "__lt__", ordered)]
    try:
        yield
    finally:
        for each in undo:
            each()

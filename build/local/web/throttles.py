"""How many requests a route takes: a bucket of tokens, filled at a rate.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
"""

import threading
import time
from collections.abc import Callable


class Throttles:
    """Buckets by key. Any number of threads may take from them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[tuple[object, ...], tuple[float, float]] = {}

    def take(self, key: tuple[object, ...], *, rate_per_s: float, burst: int) -> bool:
        """Take a token from the bucket ``key``, which holds ``burst`` at most; False if it is empty."""
        now = self._clock()
        with self._lock:
            tokens, since = self._buckets.get(key, (float(burst), now))
            tokens = min(float(burst), tokens + (now - since) * rate_per_s)
            self._buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1

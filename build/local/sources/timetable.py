"""The clock of the embedded cloud, and what fires by it: real time, and what it was advanced by.

Schedules go by it, and tries that are made again. All else goes by real time: functions, queues, logs.
"""

import heapq
import itertools
import json
import queue
import threading
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from build.local.sources.deliveries import Deliverer, Delivery, Planned
from build.local.sources.expressions import INSTANT, Timing
from build.local.sources.rules import written

LIMIT = 1000
"""What may fire by advancing once; the clock stops there."""
LONGEST_ADVANCE_S = 3660 * 86_400
LATE = timedelta(minutes=1)
"""What fires later by itself, as after this machine slept, fires for the last time it missed only."""
_LOOK_S = 60.0
"""How long the thread waits at most while something is to come: the wall's clock may be set."""


@dataclass(slots=True)
class _Entry:
    planned: Planned
    timing: Timing
    due: datetime | None


class Timetable:
    """One thread for all schedules, which sleeps until the next is due. Any number of threads may ask it."""

    def __init__(
        self,
        deliverer: Deliverer,
        planned: Callable[[], Iterable[Planned]],
        real: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``planned`` tells what there is by now, ``real`` the real time."""
        self._deliverer = deliverer
        self._planned = planned
        self._real = real
        self._offset = timedelta()
        self._lock = threading.Lock()
        """Of all below but what `wake` and `post` touch: who calls these may hold moto's turn, which we wait for."""
        self._entries: dict[str, _Entry] = {}
        self._again: list[tuple[datetime, int, Delivery, int]] = []
        self._numbers = itertools.count()
        self._is_first_look = True
        self._inbox: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._changed = True
        self._woken = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="timetable", daemon=True)

    def start(self) -> None:
        """Begin to fire; what is there already goes on, and does not begin anew."""
        self._thread.start()

    def stop(self) -> None:
        """Fire no more."""
        self._stopped = True
        self._woken.set()

    def wake(self) -> None:
        """Look at the schedules now: one has changed."""
        self._changed = True
        self._woken.set()

    def post(self, delivery: Delivery) -> None:
        """Send ``delivery`` soon, after what was posted before."""
        self._inbox.put(delivery)
        self._woken.set()

    @property
    def offset(self) -> timedelta:
        """How far the clock is ahead of real time."""
        return self._offset

    def resume(self, offset: timedelta) -> None:
        """Go on where the clock of an earlier cloud was."""
        self._offset = offset

    def now(self) -> datetime:
        """Return what the clock shows."""
        return self._real() + self._offset

    def answer(self, method: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Answer ``GET``, or ``POST`` with ``{"advance_s": 5400}``: status and JSON of `told` or `advance`."""
        if method != "POST":
            return 200, self.told()
        try:
            advance_s = json.loads(body)["advance_s"]
            if isinstance(advance_s, bool) or not 0 < advance_s <= LONGEST_ADVANCE_S:
                raise ValueError
        except (ValueError, TypeError, LookupError):
            return 400, {"message": f"expected advance_s, seconds above 0 and up to {LONGEST_ADVANCE_S} (3,660 days)"}
        return 200, self.advance(timedelta(seconds=advance_s))

    def told(self) -> dict[str, Any]:
        """Return what the clock shows, and when each schedule fires next, the soonest first."""
        with self._lock:
            self._look()
            return self._shown()

    def advance(self, by: timedelta) -> dict[str, Any]:
        """Advance the clock; return `told`, and what fired meanwhile: in order, all of it handed over.

        ``stopped`` tells that the clock stopped before, where ``LIMIT`` was reached.
        """
        with self._lock:
            offset, goal = self._offset + by, self.now() + by
            fired, times = list[dict[str, Any]](), 0
            while (due := self._next_due()) and due <= goal and times < LIMIT:
                self._offset = max(self._offset, due - self._real())
                fired += self._fire(due)
                times += 1
            stopped = due is not None and due <= goal
            if not stopped:
                self._offset = offset
            answer = {**self._shown(), "fired": fired, "stopped": stopped}
        self._woken.set()
        return answer

    def _shown(self) -> dict[str, Any]:
        coming = sorted((e.due, e.planned.arn, e.planned) for e in self._entries.values() if e.due)
        return {
            "now": written(self.now()),
            "advanced_s": round(self._offset.total_seconds()),
            "next": [
                {"at": written(at), "name": planned.name, "arn": arn, "targets": list(planned.targets)}
                for at, arn, planned in coming
            ],
        }

    def _run(self) -> None:
        while not self._stopped:
            self._woken.clear()
            wait_s: float | None = _LOOK_S
            try:
                with self._lock:
                    while (due := self._next_due()) and due <= self.now():
                        self._skip_missed()
                        self._fire(due)
                    wait_s = None if due is None else min((due - self.now()).total_seconds(), _LOOK_S)
            except Exception:  # whatever one schedule does, the thread that serves all of them lives on
                traceback.print_exc()
            self._woken.wait(wait_s)

    def _skip_missed(self) -> None:
        now = self.now()
        for entry in self._entries.values():
            if entry.due and entry.due < now - LATE:
                while (following := entry.timing.after(entry.due)) and following <= now:
                    entry.due = following

    def _next_due(self) -> datetime | None:
        """Look, send what was posted, and return when something is due next."""
        self._look()
        while not self._inbox.empty():
            self._attempt(self._inbox.get(), 1)
        retries = [self._again[0][0]] if self._again else []
        return min([*retries, *(entry.due for entry in self._entries.values() if entry.due)], default=None)

    def _look(self) -> None:
        if not self._changed:
            return
        self._changed = False
        try:
            self._entries = self._found()
        except Exception:
            self._changed = True  # moto may have changed meanwhile
            raise

    def _found(self) -> dict[str, _Entry]:
        since = self.now().replace(microsecond=0)
        earliest = since if self._is_first_look else since - INSTANT
        found: dict[str, _Entry] = {}
        for planned in self._planned():
            known = self._entries.get(planned.arn)
            if known and known.planned.key == planned.key:
                found[planned.arn] = _Entry(planned, known.timing, known.due)
                continue
            try:
                timing = planned.timing(since)
                found[planned.arn] = _Entry(planned, timing, timing.after(earliest))
            except Exception:  # one schedule's oddness is not the others'
                traceback.print_exc()
        self._is_first_look = False
        return found

    def _fire(self, due: datetime) -> list[dict[str, Any]]:
        """Send what is due first: a try that is made again, or what one schedule sends."""
        if self._again and self._again[0][0] <= due:
            _, _, delivery, attempt = heapq.heappop(self._again)
            return [self._attempt(delivery, attempt)]
        entry = min((e for e in self._entries.values() if e.due), key=lambda e: (e.due, e.planned.arn), default=None)
        if entry is None or entry.due is None:
            return []
        at, entry.due = entry.due, entry.timing.after(entry.due)
        fired = [self._attempt(delivery, 1) for delivery in entry.planned.deliveries(at)]
        if entry.due is None and entry.planned.after_last:
            self._deliverer.call(entry.planned.after_last)
        return fired

    def _attempt(self, delivery: Delivery, attempt: int) -> dict[str, Any]:
        came = self._deliverer.attempt(delivery, attempt, self.now())
        if came.again:
            heapq.heappush(self._again, (came.again, next(self._numbers), delivery, attempt + 1))
        return {
            "at": written(delivery.since),
            "arn": delivery.source,
            "target": delivery.target["Arn"],
            "attempt": attempt,
            "error": str(came.failure) if came.failure else None,
            "again": written(came.again) if came.again else None,
        }

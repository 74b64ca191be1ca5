"""The reader of queues, apart from queues: tests/integration/test_local_asynchronous.py and its like have those."""

import threading

import pytest

from build.local.sources import queues
from build.local.sources.queues import QueueReader


class Slow:
    """Stands for an invoker whose environments take long to end."""

    def __init__(self):
        self.sweeps = 0
        self.begun, self.released = threading.Semaphore(0), threading.Semaphore(0)

    def sweep(self):
        self.sweeps += 1
        self.begun.release()
        assert self.released.acquire(timeout=10)


@pytest.fixture
def slow(monkeypatch):
    """Give an invoker that a reader works with."""
    monkeypatch.setattr(queues, "SWEEP_S", 0.01)
    monkeypatch.setattr(queues, "_enabled", lambda: ())
    slow = Slow()
    reader = QueueReader(slow)  # type: ignore[arg-type]
    reader.poller.start()
    yield slow
    slow.released.release(100)
    reader.poller.stop()


def test_idle_environments_are_looked_for_again_and_again(slow):
    for _ in range(3):
        assert slow.begun.acquire(timeout=10)
        slow.released.release()


def test_but_not_while_those_found_before_still_end(slow):
    assert slow.begun.acquire(timeout=10)
    assert not slow.begun.acquire(timeout=0.2)
    slow.released.release()
    assert slow.begun.acquire(timeout=10)
    assert slow.sweeps == 2

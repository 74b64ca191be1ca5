"""The thread behind event source mappings: it looks when it is woken or when something is due, and sleeps else."""

import threading
import time

import pytest

from build.local.sources import polling
from build.local.sources.polling import Poller


@pytest.fixture
def poller():
    """Give a function that starts one and returns it with the times it looked; they end with the test."""
    started = []

    def start(*waits):
        """Each look gives one of ``waits``: seconds, None for nothing that is due, or what it raises."""
        looks, answers = [], iter(waits)

        def look():
            looks.append(time.monotonic())
            answer = next(answers, None)
            if isinstance(answer, Exception):
                raise answer
            return [] if answer is None else [3600.0, answer]

        made = Poller("test", look)
        started.append(made)
        made.start()
        return made, looks

    yield start
    for each in started:
        each.stop()


def reaches(looks, count, seconds=5.0):
    deadline = time.monotonic() + seconds
    while len(looks) < count and time.monotonic() < deadline:
        time.sleep(0.005)
    return len(looks) == count


def test_it_looks_at_once_and_then_when_it_is_woken(poller):
    made, looks = poller()
    assert reaches(looks, 1)
    made.wake()
    assert reaches(looks, 2)
    assert not reaches(looks, 3, 0.2)


def test_it_looks_when_the_first_thing_is_due(poller):
    _, looks = poller(0.2)
    assert reaches(looks, 2)
    assert looks[1] - looks[0] >= 0.2


def test_it_looks_when_what_it_submitted_is_done_even_if_that_failed(poller, capfd):
    made, looks = poller()
    assert reaches(looks, 1)
    done = threading.Event()
    made.submit(done.set)
    assert reaches(looks, 2)
    assert done.is_set()
    made.submit(int, "no number")
    assert reaches(looks, 3)
    assert "no number" in capfd.readouterr().err


def test_a_look_that_fails_is_told_and_tried_again(poller, monkeypatch, capfd):
    monkeypatch.setattr(polling, "RETRY_S", 0.05)
    _, looks = poller(ValueError("odd mapping"))
    assert reaches(looks, 2)
    assert "odd mapping" in capfd.readouterr().err


def test_it_ends_when_it_is_stopped_and_takes_nothing_any_more(poller):
    made, looks = poller(0.05)
    assert reaches(looks, 2)
    made.stop()
    made.submit(looks.append, 0.0)
    assert not reaches(looks, 3, 0.2)

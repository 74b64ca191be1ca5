"""When asynchronous events are tried again, and how they end."""

import json
import threading
import time

import pytest

from build.local import asynchronous
from build.local.asynchronous import Answered, Ended, Event, Events, Settings
from build.local.deployment import Ending, Outcome
from build.local.destinations import record
from build.local.function_names import FunctionName
from build.local.refusals import NotRunnableError, TooManyRequestsError

FUNCTION = FunctionName(name="orders", qualifier="live", region="eu-central-1", account_id="123456789012")


def outcome(error=None):
    return Outcome(
        payload=json.dumps({"errorType": "ValueError", "errorMessage": "no"} if error else {"ok": True}).encode(),
        error=error,
        ending=Ending.ERROR if error else Ending.SUCCESS,
        log_tail="",
        request_id="r-1",
        cold=False,
        init_ms=None,
        duration_ms=1.0,
        max_memory_mb=None,
    )


@pytest.fixture
def run(monkeypatch):
    """Give a function that runs an event against what a function does one time after the other."""
    monkeypatch.setattr(asynchronous, "RETRY_DELAYS_S", (0.01, 0.01))
    monkeypatch.setattr(asynchronous, "LONGEST_DELAY_S", 0.01)

    def make(does, payload=b'{"a": 1}', **settings):
        ended, done, calls = list[Ended](), threading.Event(), iter(does)

        def invoke(function, event, *, request_id):
            assert (function, event, request_id) == (FUNCTION, payload, "r-1")
            result = next(calls)
            if isinstance(result, Exception):
                raise result
            return Answered("7", result)

        def told(what):
            ended.append(what)
            done.set()

        events = Events(invoke, told)
        events.take(Event(function=FUNCTION, payload=payload, request_id="r-1", settings=Settings(**settings)))
        assert done.wait(10)
        time.sleep(0.05)
        events.close()
        (only,) = ended
        return only, list(calls)

    return make


def test_an_answer_is_the_end(run):
    ended, left = run([outcome(), outcome()])
    assert (ended.condition, ended.event.tries, len(left)) == ("Success", 1, 1)


def test_a_failure_is_tried_again_as_often_as_the_function_says(run):
    failure = outcome("Unhandled")
    ended, left = run([failure, failure, outcome()])
    assert (ended.condition, ended.event.tries) == ("Success", 3)
    for retries in (0, 1, 2):
        ended, left = run([failure] * 4, retries=retries)
        assert (ended.condition, ended.event.tries, len(left)) == ("RetriesExhausted", retries + 1, 3 - retries)


def test_throttles_are_no_tries_and_do_not_use_them_up(run):
    throttle = TooManyRequestsError(limit=1, reserved=True)
    ended, _ = run([throttle] * 6 + [outcome()], retries=0)
    assert (ended.condition, ended.event.tries, ended.event.throttles) == ("Success", 1, 6)


def test_an_event_that_is_too_old_is_tried_no_more(run):
    ended, left = run([TooManyRequestsError(limit=1, reserved=True)] * 1000, max_age_s=0.1)
    assert (ended.condition, ended.event.tries) == ("EventAgeExceeded", 0)
    assert left
    ended, _ = run([outcome("Unhandled"), *[TooManyRequestsError(limit=1, reserved=True)] * 1000], max_age_s=0.1)
    assert (ended.condition, ended.event.tries) == ("EventAgeExceeded", 1)


def test_a_function_that_reserves_nothing_gets_nothing(run):
    ended, left = run([TooManyRequestsError(limit=0, reserved=True), outcome()])
    assert (ended.condition, ended.event.tries, len(left)) == ("ZeroReservedConcurrency", 0, 1)


def test_what_cannot_run_here_is_given_up_at_once(run, capsys):
    ended, left = run([NotRunnableError("it is Java", hint="run `invoke check`"), outcome()])
    assert (ended.condition, ended.refused, len(left)) == ("RetriesExhausted", "it is Java", 1)
    assert "it is Java" in capsys.readouterr().err


def test_the_record_has_lambdas_shape(run):
    told = record(run([outcome("Unhandled")], retries=0)[0])
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "version": "1.0",
        "requestContext": {
            "requestId": "r-1",
            "functionArn": "arn:aws:lambda:eu-central-1:123456789012:function:orders:live",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "7", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "ValueError", "errorMessage": "no"},
    }
    told = record(run([outcome()])[0])
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "7"}
    assert told["responsePayload"] == {"ok": True}
    assert "responseContext" not in record(run([TooManyRequestsError(limit=0, reserved=True)])[0])

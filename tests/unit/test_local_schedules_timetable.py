"""The clock of the embedded cloud: what fires when, what is tried again, and what becomes of what nobody takes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from build.local.sources.deliveries import Deliverer, Planned
from build.local.sources.expressions import Timing, parsed
from build.local.sources.rules import RuleDelivery
from build.local.sources.schedules import ScheduleDelivery
from build.local.sources.targets import Call, Failure
from build.local.sources.timetable import LIMIT, Timetable
from tests.checkout import wait_for

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUEUE = "arn:aws:sqs:us-east-1:123456789012:jobs"
DEAD = "arn:aws:sqs:us-east-1:123456789012:dead"
THROTTLED = Failure(code="ThrottlingException", message="slow down", passing=True)
GONE = Failure(code="AWS.SimpleQueueService.NonExistentQueue", message="no such queue", passing=False)


def arn(name):
    return f"arn:aws:scheduler:us-east-1:123456789012:schedule/default/{name}"


def planned(name, expression, *, text="<aws.scheduler.scheduled-time>", last=None, **target):
    whole = {"Arn": QUEUE, "Input": f"{name} {text}", "DeadLetterConfig": {"Arn": DEAD}, **target}
    return Planned(
        arn=arn(name),
        name=name,
        key=(expression,),
        timing=lambda since: Timing(expression=parsed(expression), zone=UTC, start=since),
        targets=(QUEUE,),
        deliveries=lambda at: (ScheduleDelivery(source=arn(name), target=whole, since=at),),
        after_last=last,
    )


class Cloud:
    """A timetable of these schedules at noon, on a real time that stands still, and what its targets were sent."""

    def __init__(self, *schedules, failures=()):
        self.schedules = list(schedules)
        self.failures = list(failures)
        self.sent: list[str] = []
        self.dead: list[Call] = []
        self.others: list[Call] = []
        self.real = NOON
        self.timetable = Timetable(Deliverer(self.make), lambda: self.schedules, lambda: self.real)

    def make(self, call):
        """Take a call, as `Caller.make`."""
        if call.action != "sendMessage":
            self.others.append(call)
        elif call.parameters["QueueUrl"].endswith("/dead"):
            self.dead.append(call)
        elif self.failures and (failure := self.failures.pop(0)):
            return failure
        else:
            self.sent.append(call.parameters["MessageBody"])
        return None

    def advance(self, **by):
        return self.timetable.advance(timedelta(**by))


@pytest.fixture
def running():
    """Give a function that lets a timetable fire by itself."""
    started = []

    def start(cloud):
        cloud.timetable.start()
        started.append(cloud.timetable)
        return cloud

    yield start
    for timetable in started:
        timetable.stop()


def test_advancing_fires_all_that_is_due_once_in_order_each_with_its_own_time():
    cloud = Cloud(planned("hourly", "rate(1 hour)"), planned("once", "at(2026-02-01T13:30:00)"))
    answer = cloud.advance(minutes=150)
    assert cloud.sent == ["hourly 2026-02-01T13:00:00Z", "once 2026-02-01T13:30:00Z", "hourly 2026-02-01T14:00:00Z"]
    assert [(each["at"], each["arn"], each["attempt"], each["error"]) for each in answer["fired"]] == [
        ("2026-02-01T13:00:00Z", arn("hourly"), 1, None),
        ("2026-02-01T13:30:00Z", arn("once"), 1, None),
        ("2026-02-01T14:00:00Z", arn("hourly"), 1, None),
    ]
    assert (answer["now"], answer["advanced_s"], answer["stopped"]) == ("2026-02-01T14:30:00Z", 9000, False)
    assert cloud.advance(minutes=20)["fired"] == []


def test_the_clock_goes_on_from_where_it_was_advanced_to():
    cloud = Cloud(planned("hourly", "rate(1 hour)"))
    cloud.advance(minutes=30)
    cloud.real += timedelta(minutes=29)
    assert cloud.timetable.told()["now"] == "2026-02-01T12:59:00Z"
    cloud.advance(minutes=1)
    assert cloud.sent == ["hourly 2026-02-01T13:00:00Z"]


def test_it_tells_when_each_fires_next_the_soonest_first():
    cloud = Cloud(
        planned("nightly", "cron(0 3 * * ? *)"),
        planned("hourly", "rate(1 hour)"),
        planned("gone", "at(2025-01-01T00:00:00)"),
    )
    assert cloud.timetable.told() == {
        "now": "2026-02-01T12:00:00Z",
        "advanced_s": 0,
        "next": [
            {"at": "2026-02-01T13:00:00Z", "name": "hourly", "arn": arn("hourly"), "targets": [QUEUE]},
            {"at": "2026-02-02T03:00:00Z", "name": "nightly", "arn": arn("nightly"), "targets": [QUEUE]},
        ],
    }


def test_a_schedule_fires_from_the_moment_it_is_made_and_no_more_when_it_is_gone():
    cloud = Cloud()
    cloud.advance(hours=3)
    cloud.schedules.append(planned("often", "rate(1 hour)"))
    cloud.timetable.wake()
    cloud.advance(minutes=90)
    assert cloud.sent == ["often 2026-02-01T15:00:00Z", "often 2026-02-01T16:00:00Z"], "at once, as Scheduler does"
    cloud.schedules.clear()
    cloud.timetable.wake()
    assert cloud.advance(hours=3)["fired"] == []


def test_a_schedule_that_nobody_can_reckon_with_holds_up_no_other(capfd):
    def beyond(since):
        raise OverflowError("date value out of range")

    cloud = Cloud(replace(planned("odd", "rate(1 hour)"), timing=beyond), planned("hourly", "rate(1 hour)"))
    cloud.advance(hours=1)
    assert cloud.sent == ["hourly 2026-02-01T13:00:00Z"]
    assert "date value out of range" in capfd.readouterr().err


def test_what_was_there_when_the_cloud_started_does_not_begin_anew():
    cloud = Cloud(planned("often", "rate(1 hour)"))
    assert cloud.advance(minutes=59)["fired"] == []
    assert len(cloud.advance(minutes=1)["fired"]) == 1


def test_another_target_leaves_a_rate_as_it_is_and_another_expression_does_not():
    cloud = Cloud(planned("often", "rate(1 hour)"))
    cloud.advance(minutes=30)
    cloud.schedules[0] = planned("often", "rate(1 hour)", text="to others")
    cloud.timetable.wake()
    cloud.advance(minutes=30)
    assert cloud.sent == ["often to others"]
    cloud.advance(minutes=15)
    cloud.schedules[0] = planned("often", "rate(2 hours)")
    cloud.timetable.wake()
    cloud.advance(hours=2)
    assert cloud.sent[1:] == ["often 2026-02-01T13:15:00Z", "often 2026-02-01T15:15:00Z"]


def test_the_clock_stops_where_too_much_has_fired_and_goes_on_from_there():
    cloud = Cloud(planned("often", "rate(1 minute)"))
    first = cloud.advance(minutes=LIMIT + 5)
    assert (len(first["fired"]), first["stopped"], first["now"]) == (LIMIT, True, "2026-02-02T04:40:00Z")
    second = cloud.advance(minutes=5)
    assert (len(second["fired"]), second["stopped"]) == (5, False)
    assert len(set(cloud.sent)) == len(cloud.sent) == LIMIT + 5


def test_what_a_target_would_not_take_is_tried_again_by_the_same_clock():
    cloud = Cloud(
        planned("once", "at(2026-02-01T13:00:00)", text="<aws.scheduler.attempt-number>"), failures=[THROTTLED] * 2
    )
    answer = cloud.advance(minutes=61)
    assert [(each["attempt"], each["error"], each["again"]) for each in answer["fired"]] == [
        (1, "ThrottlingException: slow down", "2026-02-01T13:00:01Z"),
        (2, "ThrottlingException: slow down", "2026-02-01T13:00:03Z"),
        (3, None, None),
    ]
    assert (cloud.sent, cloud.dead) == (["once 3"], [])


def told(call):
    return {name: value["StringValue"] for name, value in call.parameters["MessageAttributes"].items()}


@pytest.mark.parametrize(
    ("policy", "condition", "retries"),
    [
        ({"MaximumRetryAttempts": 2}, "MaximumRetryAttempts", "2"),
        ({"MaximumRetryAttempts": 0}, "MaximumRetryAttempts", "0"),
        ({"MaximumEventAgeInSeconds": 60}, "MaximumEventAgeInSeconds", "5"),
        ({}, "MaximumRetryAttempts", "185"),
    ],
)
def test_what_is_given_up_becomes_a_dead_letter_that_says_why(policy, condition, retries):
    schedule = planned("once", "at(2026-02-01T13:00:00)", RetryPolicy=policy)
    cloud = Cloud(schedule, failures=[THROTTLED] * 1000)
    cloud.advance(days=2)
    (letter,) = cloud.dead
    assert letter.parameters["MessageBody"] == "once 2026-02-01T13:00:00Z"
    attributes = told(letter)
    assert len(attributes.pop("EXECUTION_ID")) == 16
    assert attributes == {
        "SCHEDULE_ARN": arn("once"),
        "SCHEDULED_TIME": "2026-02-01T13:00:00Z",
        "TARGET_ARN": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
        "ERROR_CODE": "ThrottlingException",
        "ERROR_MESSAGE": "slow down",
        "EXHAUSTED_RETRY_CONDITION": condition,
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": retries,
    }


def test_what_no_try_will_help_is_given_up_at_once(capsys):
    cloud = Cloud(planned("once", "at(2026-02-01T13:00:00)"), failures=[GONE])
    (fired,) = cloud.advance(hours=1)["fired"]
    assert fired["again"] is None
    attributes = told(cloud.dead[0])
    assert attributes["RETRY_ATTEMPTS"] == "0"
    assert "EXHAUSTED_RETRY_CONDITION" not in attributes
    assert f"{arn('once')}: what is for {QUEUE} was given up\n{GONE}" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["arn:aws:rocket:us-east-1:123456789012:moon", "nonsense"])
def test_a_target_that_nobody_knows_is_given_up_and_the_next_schedule_fires(target, capsys):
    cloud = Cloud(planned("lost", "at(2026-02-01T13:00:00)", Arn=target), planned("once", "at(2026-02-01T13:00:00)"))
    assert [each["error"] is None for each in cloud.advance(hours=1)["fired"]] == [False, True]
    assert told(cloud.dead[0])["ERROR_CODE"] == "ValidationException"
    assert target in capsys.readouterr().err


def test_a_dead_letter_that_cannot_be_sent_is_told_in_the_log(capsys):
    cloud = Cloud(planned("once", "at(2026-02-01T13:00:00)", DeadLetterConfig={"Arn": "nonsense"}), failures=[GONE])
    assert cloud.advance(hours=1)["fired"][0]["again"] is None
    assert f"nonsense: a dead letter of {arn('once')} could not be sent" in capsys.readouterr().err


def test_a_schedule_that_wants_to_goes_with_its_last_time():
    delete = Call(service="scheduler", action="deleteSchedule", parameters={"Name": "once"}, region="us-east-1")
    cloud = Cloud(
        planned("once", "at(2026-02-01T13:00:00)", last=delete), planned("hourly", "rate(1 hour)", last=delete)
    )
    cloud.advance(hours=5)
    assert cloud.others == [delete]


def event(number):
    target = {"Arn": QUEUE, "Input": f"event {number}"}
    values = {"id": str(number), "time": "2026-02-01T12:00:00Z"}
    rule = "arn:aws:events:us-east-1:123456789012:rule/r"
    return RuleDelivery(source=rule, target=target, since=NOON, event=values, region="us-east-1")


def test_events_are_sent_soon_in_their_order_and_tried_again(running):
    cloud = running(Cloud(failures=[None, THROTTLED]))
    for number in range(4):
        cloud.timetable.post(event(number))
    wait_for(lambda: len(cloud.sent) == 3)
    assert cloud.sent == ["event 0", "event 2", "event 3"]
    assert cloud.advance(seconds=2)["fired"][0]["attempt"] == 2
    assert cloud.sent[3:] == ["event 1"]


def test_schedules_fire_by_themselves_when_their_time_comes(running):
    cloud = running(Cloud(planned("hourly", "rate(1 hour)")))
    assert cloud.timetable.told()["next"][0]["at"] == "2026-02-01T13:00:00Z"
    cloud.real += HOUR
    cloud.timetable.wake()
    wait_for(lambda: cloud.sent == ["hourly 2026-02-01T13:00:00Z"])


def test_of_what_was_missed_while_the_machine_slept_the_last_comes(running):
    cloud = running(Cloud(planned("often", "rate(1 minute)"), planned("once", "at(2026-02-01T12:30:00)")))
    cloud.timetable.told()
    cloud.real += 8 * HOUR
    cloud.timetable.wake()
    wait_for(lambda: len(cloud.sent) == 2)
    assert cloud.sent == ["once 2026-02-01T12:30:00Z", "often 2026-02-01T20:00:00Z"]


def test_the_thread_outlives_what_it_cannot_read(running, capsys):
    cloud = Cloud()
    cloud.schedules.append(replace(planned("broken", "rate(1 hour)"), timing=lambda _: 1 / 0))
    running(cloud)
    wait_for(lambda: "ZeroDivisionError" in capsys.readouterr().err)
    cloud.schedules[:] = [planned("fine", "at(2026-02-01T12:00:10)")]
    cloud.timetable.wake()
    assert cloud.timetable.told()["next"]
    cloud.real += timedelta(seconds=30)
    cloud.timetable.wake()
    wait_for(lambda: cloud.sent)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"advance_s": 0}',
        b'{"advance_s": -5}',
        b'{"advance_s": true}',
        b'{"advance_s": "90m"}',
        b'{"advance_s": 1e99}',
        b'{"advance_s": NaN}',
    ],
)
def test_the_clock_goes_forward_only_and_not_for_ever(body):
    cloud = Cloud(planned("hourly", "rate(1 hour)"))
    status, answer = cloud.timetable.answer("POST", body)
    assert (status, list(answer)) == (400, ["message"])
    assert cloud.timetable.told()["advanced_s"] == 0


def test_any_program_can_advance_it():
    cloud = Cloud(planned("hourly", "rate(1 hour)"))
    status, answer = cloud.timetable.answer("POST", json.dumps({"advance_s": 3600}).encode())
    assert (status, len(answer["fired"])) == (200, 1)
    assert cloud.timetable.answer("GET", b"") == (200, cloud.timetable.told())

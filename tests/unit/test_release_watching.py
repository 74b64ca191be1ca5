"""What is watched, and when it is wrong; that it takes callers back is in test_release_shifting."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from build.options import Shifting
from build.release.schedule import Move
from build.release.watching import Count, Errors, WentWrong, is_worse, watches_of
from build.results import DeployedFunction

CANARY = Shifting(strategy="canary")
CLOCK = SimpleNamespace(time=lambda: 1_800_000_090.0, monotonic=lambda: 0.0, sleep=lambda _: None)


def move(name, shifting=CANARY, alarms=()):
    function = DeployedFunction(name=name, function_name=name, arn="", version="2", log_group="", queue_urls={})
    return Move(function=function, before="1", after="2", revision="r", shifting=shifting, alarms=alarms)


@dataclass
class CloudWatch:
    """Answers as AWS does: what was asked for, in pages, without a value where there is none."""

    values: dict[tuple[str, str, str], list[list[float]]] = field(default_factory=dict)
    """Pages of sums of minutes by resource, executed version and metric."""
    off: set[str] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)

    def describe_alarms(self, *, AlarmNames, MaxRecords):  # noqa: N803
        assert len(AlarmNames) <= MaxRecords == 100
        states = [{"AlarmName": name, "StateValue": "ALARM" if name in self.off else "OK"} for name in AlarmNames]
        return {"MetricAlarms": states}

    def get_paginator(self, name):
        assert name == "get_metric_data"
        return self

    def paginate(self, *, MetricDataQueries, StartTime, EndTime):  # noqa: N803
        self.asked.append(len(MetricDataQueries))
        assert len({query["Id"] for query in MetricDataQueries}) == len(MetricDataQueries) <= 500
        assert (StartTime.second, StartTime < EndTime) == (0, True)
        for page in range(2):
            yield {"MetricDataResults": [self._result(query, page) for query in MetricDataQueries]}

    def _result(self, query, page):
        assert query["Id"][0].islower()
        stat = query["MetricStat"]
        assert (stat["Period"], stat["Stat"], stat["Metric"]["Namespace"]) == (60, "Sum", "AWS/Lambda")
        of = {each["Name"]: each["Value"] for each in stat["Metric"]["Dimensions"]}
        assert of["Resource"] == f"{of['FunctionName']}:live"
        pages = self.values.get((of["FunctionName"], of["ExecutedVersion"], stat["Metric"]["MetricName"]), [])
        return {"Id": query["Id"], "Values": pages[page] if page < len(pages) else [], "StatusCode": "Complete"}


def watches(*moves, cloudwatch=None, said=None):
    say = said.append if said is not None else print
    return watches_of(moves, lambda: cloudwatch or CloudWatch(), clock=CLOCK, say=say)


@pytest.mark.parametrize(
    ("new", "old", "worse"),
    [
        ((0, 0), (0, 0), False),
        ((100, 1), (0, 0), False),
        ((100, 2), (0, 0), True),
        ((1, 1), (1000, 10), True),
        ((100, 10), (1000, 100), False),
        ((100, 11), (1000, 100), True),
        ((0, 0), (1000, 1000), False),
    ],
)
def test_a_version_is_worse_above_one_percent_and_above_the_old_ones_share(new, old, worse):
    assert is_worse(*(Count(invokes=invokes, errors=errors) for invokes, errors in (new, old))) is worse


def test_nothing_is_watched_where_all_is_over_at_once():
    assert watches(move("orders", Shifting()), move("stock", Shifting(), alarms=("stock-errors",))) == ()


def test_functions_are_watched_by_their_alarms_or_else_by_their_errors():
    found = watches(move("orders", alarms=("a", "b")), move("stock"), move("bills"), move("plain", Shifting()))
    assert [each.title for each in found] == ["2 alarms", "the errors of 2 functions without alarms"]


def test_alarms_of_a_function_that_moves_at_once_count_while_others_are_watched():
    (alarms,) = watches(move("orders", alarms=("a",)), move("stock", Shifting(), alarms=("b",)))
    assert alarms.title == "2 alarms"


def test_where_all_alarms_were_off_none_is_left_to_look_at():
    said: list[str] = []
    assert watches(move("orders", alarms=("a",)), cloudwatch=CloudWatch(off={"a"}), said=said) == ()
    assert said == ["a was off before: it says nothing of this roll-out"]


def test_an_alarm_that_goes_off_is_told_with_the_function_whose_log_to_read():
    names = tuple(f"{number:03}" for number in range(150))
    cloudwatch = CloudWatch()
    (alarms,) = watches(move("orders", alarms=names[:140]), move("stock", alarms=names[140:]), cloudwatch=cloudwatch)
    alarms.look()
    cloudwatch.off = {"147", "149"}
    with pytest.raises(WentWrong) as caught:
        alarms.look()
    assert (caught.value.facts, caught.value.function) == (("147", "149"), "stock")


def test_counts_of_all_minutes_and_pages_are_added_up():
    values = {
        ("orders", "2", "Invocations"): [[10.0, 20.0], [20.0]],
        ("orders", "2", "Errors"): [[0.0, 1.0], [4.0]],
        ("orders", "1", "Invocations"): [[100.0], [100.0]],
    }
    (errors,) = watches(move("orders"), move("stock"), cloudwatch=CloudWatch(values=values))
    with pytest.raises(WentWrong) as caught:
        errors.look()
    assert caught.value.facts == (
        "orders:live: version 2 failed on 5 of 50 invokes (10.0 %), version 1 failed on 0 of 200 invokes (0.0 %)",
    )


def test_cloudwatch_is_asked_once_for_125_functions():
    for count, asked in ((125, [500]), (126, [500, 4])):
        cloudwatch = CloudWatch()
        Errors(
            moves=tuple(move(f"f{number}") for number in range(count)),
            client=cloudwatch,
            clock=CLOCK,
            since=CLOCK.time(),
        ).look()
        assert cloudwatch.asked == asked

"""Levels and moments: no cloud, no clock."""

import pytest

from build.options import Shifting
from build.release.schedule import EVERYBODY, Move, end_of, levels_of, steps_of
from build.results import DeployedFunction

CANARY = Shifting(strategy="canary", minutes=1, watch_minutes=2)


def move(name, shifting):
    function = DeployedFunction(name=name, function_name=name, arn="", version="2", log_group="", queue_urls={})
    return Move(function=function, before="1", after="2", revision="r", shifting=shifting, alarms=())


def names_of(moves):
    return [[each.name for each in level.moves] for level in levels_of(moves)]


@pytest.mark.parametrize(
    ("shifting", "steps", "end_s"),
    [
        (Shifting(), [(0, EVERYBODY)], 0),
        (Shifting(watch_minutes=3), [(0, EVERYBODY)], 180),
        (Shifting(strategy="canary"), [(0, 10), (300, EVERYBODY)], 300),
        (Shifting(strategy="canary", percent=25, minutes=1, watch_minutes=2), [(0, 25), (60, EVERYBODY)], 180),
        (Shifting(strategy="linear", percent=40), [(0, 40), (60, 80), (120, EVERYBODY)], 120),
        (Shifting(strategy="linear", percent=50, minutes=2), [(0, 50), (120, EVERYBODY)], 120),
    ],
)
def test_a_strategy_is_steps_in_time(shifting, steps, end_s):
    assert [(step.at_s, step.percent) for step in steps_of(shifting)] == steps
    assert end_of(shifting) == end_s


def test_functions_without_an_order_begin_together_and_share_moments():
    (level,) = levels_of([move("stock", Shifting(watch_minutes=5)), move("orders", CANARY), move("bills", CANARY)])
    shares = [(moment.at_s, [(each.name, percent) for each, percent in moment.shares]) for moment in level.moments]
    assert shares == [
        (0, [("bills", 10), ("orders", 10), ("stock", EVERYBODY)]),
        (60, [("bills", EVERYBODY), ("orders", EVERYBODY)]),
    ]
    assert [[each.name for each in moment.complete] for moment in level.moments] == [["stock"], ["bills", "orders"]]
    assert level.end_s == 300


@pytest.mark.parametrize(
    ("after", "levels"),
    [
        ({"a": (), "b": ()}, [["a", "b"]]),
        ({"a": ("b",), "b": ()}, [["b"], ["a"]]),
        ({"a": (), "b": ("a",), "c": ("b",), "d": ("a",)}, [["a"], ["b", "d"], ["c"]]),
        ({"a": ("elsewhere",), "b": ("a", "elsewhere")}, [["a"], ["b"]]),
        ({}, []),
    ],
)
def test_a_level_begins_after_all_that_its_functions_are_to_come_after(after, levels):
    moves = [move(name, Shifting(after=names)) for name, names in after.items()]
    assert names_of(moves) == levels == names_of(reversed(moves))

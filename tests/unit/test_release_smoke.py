"""What an answer has to hold, and what is asked; that a wrong one takes callers back is in test_release_shifting."""

import json
from types import SimpleNamespace

import pytest

from build.errors import InputError
from build.release.calls import sample_events
from build.release.schedule import Smoke
from build.release.smoke import differences, smokes_of
from tests.builders import write_files


def function(root, files, name="orders"):
    folder = root / "functions" / name
    write_files(folder / "events", files)
    return SimpleNamespace(name=name, identity=f"functions/{name}", folder=folder)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ({}, {"any": "thing"}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": {"b": None}}, {"a": {"b": None, "c": 1}}),
        ([1, {"a": 2}], [1, {"a": 2}]),
        ("text", "text"),
        (None, None),
        ({"statusCode": 200, "body": {"total": 3}}, {"statusCode": 200, "body": '{"total": 3, "at": "now"}'}),
        ({"statusCode": 200, "body": '{"total": 3}'}, {"statusCode": 200, "body": '{"total": 3}'}),
    ],
)
def test_an_answer_may_hold_more_than_is_expected(expected, got):
    assert list(differences(expected, got)) == []


@pytest.mark.parametrize(
    ("expected", "got", "told"),
    [
        (3, 4, ["the answer: expected 3, got 4"]),
        (1, True, ["the answer: expected 1, got true"]),
        ("3", 3, ['the answer: expected "3", got 3']),
        ({"a": 1}, None, ['the answer: expected {"a": 1}, got null']),
        ({"a": None}, {}, ["a: expected null, got nothing"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 2}}, ["a.b: expected 1, got 2", "a.c: expected 2, got nothing"]),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, ["a: expected [1, 2], got [1, 2, 3]"]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 1, "c": 2}]}, ['a: expected [{"b": 1}], got [{"b": 1, "c": 2}]']),
        ({"body": {"a": 1}}, {"statusCode": 200, "body": '{"a": 2}'}, ["body.a: expected 1, got 2"]),
        ({"body": {"a": 1}}, {"statusCode": 502, "body": "oops"}, ['body: expected {"a": 1}, got "oops"']),
        ({"body": {"a": 1}}, {"body": '{"a": 1}'}, ['body: expected {"a": 1}, got "{\\"a\\": 1}"']),
        ({"x": {"body": {"a": 1}}}, {"x": {"statusCode": 1, "body": "{}"}}, ['x.body: expected {"a": 1}, got "{}"']),
    ],
)
def test_what_differs_is_told_by_its_place(expected, got, told):
    assert list(differences(expected, got)) == told


def test_what_is_long_is_shortened():
    (line,) = differences({"a": "x"}, {"a": "y" * 10_000})
    assert line.startswith('a: expected "x", got "yyy')
    assert len(line) < 350


def test_functions_with_a_smoke_event_are_asked_it(tmp_path):
    with_both = function(tmp_path, {"smoke.json": '{"id": 1}', "smoke.answer.json": "3", "other.json": "{}"})
    with_one = function(tmp_path, {"smoke.json": "[]"}, "stock")
    without = function(tmp_path, {"order.json": "{}"}, "bills")
    assert smokes_of([with_both, with_one, without]) == {
        "orders": Smoke(event=b'{"id": 1}', answer=b"3"),
        "stock": Smoke(event=b"[]", answer=None),
    }


def test_smoke_events_that_are_not_in_order_are_told_at_once(tmp_path):
    functions = [
        function(tmp_path, {"smoke.json": "{", "smoke.answer.json": "nope"}),
        function(tmp_path, {"smoke.answer.json": json.dumps(1)}, "stock"),
    ]
    with pytest.raises(InputError) as caught:
        smokes_of(functions)
    first, second, third = caught.value.facts
    assert first.startswith("functions/orders/events/smoke.json: expected JSON, got something else: ")
    assert second.startswith("functions/orders/events/smoke.answer.json: expected JSON, got something else: ")
    assert third.startswith("functions/stock/events/smoke.answer.json: expected smoke.json beside it")


def test_an_answer_is_no_sample_event(tmp_path):
    names = ("b.json", "smoke.json", "smoke.answer.json", "a.answer.json", "answer.json")
    spec = function(tmp_path, dict.fromkeys(names, "{}"))
    assert [path.name for path in sample_events(spec)] == ["answer.json", "b.json", "smoke.json"]

import json

import pytest


def rows(*pairs):
    return {"rows": [{"group": group, "value": value} for group, value in pairs]}


def test_pandas_computes_each_group(function):
    answer = function.invoke(rows(("a", 1), ("a", 2), ("b", 0.5)))
    assert answer.payload["groups"] == {
        "a": {"mean": 1.5, "sum": 3, "count": 2},
        "b": {"mean": 0.5, "sum": 0.5, "count": 1},
    }


def test_a_missing_value_counts_for_nothing(function):
    answer = function.invoke(rows(("a", 4), ("a", None), ("b", None)))
    assert answer.payload["groups"] == {
        "a": {"mean": 4, "sum": 4, "count": 1},
        "b": {"mean": None, "sum": 0, "count": 0},
    }


def test_no_rows_give_no_groups(function):
    assert function.invoke({"rows": []}).payload["groups"] == {}


def test_the_versions_are_those_of_the_lock(function, request):
    lock = (request.path.parent.parent / "requirements.txt").read_text()
    versions = function.invoke({"rows": []}).payload["versions"]
    assert f"pandas=={versions['pandas']} " in lock
    assert f"numpy=={versions['numpy']} " in lock


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"rows": None},
        {"rows": [1]},
        rows(("a", "ten")),
        rows(("a", True)),
        rows((None, 1)),
        {"rows": [{"value": 1}]},
    ],
)
def test_an_event_of_another_shape_is_an_error_that_shows_the_right_one(function, event):
    answer = function.invoke(event)
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "ValueError"
    assert '{"rows": [{"group": "a", "value": 1}, …]}' in answer.payload["errorMessage"]


def test_a_cold_start_logs_what_runs_and_a_hot_one_does_not(function):
    function.cold_start()
    cold, hot = function.invoke({"rows": []}), function.invoke({"rows": []})

    (line,) = [json.loads(line) for line in cold.log.splitlines() if '"cold start"' in line]
    assert line["distributions"] == cold.payload["versions"]
    assert '"cold start"' not in hot.log

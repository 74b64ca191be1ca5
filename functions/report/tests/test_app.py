import pytest


def rows(*pairs):
    return {"rows": [{"shop": shop, "sold": sold} for shop, sold in pairs]}


def test_what_was_written_is_read_back(function):
    answer = function.invoke(rows(("north", 10), ("north", 20), ("south", 6))).payload
    assert answer["rows"] == 3
    assert list(answer["columns"]) == ["shop", "sold"]
    assert answer["columns"]["sold"] == "int64"
    assert answer["numbers"]["sold"]["mean"] == 12
    assert answer["bytes"] > 0


def test_the_versions_are_those_of_the_lock(function, request):
    lock = (request.path.parent.parent / "requirements.txt").read_text()
    versions = function.invoke(rows(("north", 1))).payload["versions"]
    assert f"pandas=={versions['pandas']} " in lock
    assert f"pyarrow=={versions['pyarrow']} " in lock


def test_nothing_is_left_in_tmp_by_a_warm_environment(function):
    first, second = (function.invoke(rows(("north", 1))) for _ in range(2))
    assert (first.error, second.error) == (None, None)
    assert first.payload == second.payload


@pytest.mark.parametrize("event", [{}, {"rows": None}, {"rows": []}, {"rows": [1]}, {"rows": "north"}])
def test_an_event_of_another_shape_is_an_error_that_shows_the_right_one(function, event):
    answer = function.invoke(event)
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "ValueError"
    assert '{"rows": [{"shop": "north", "sold": 10}, …]}' in answer.payload["errorMessage"]

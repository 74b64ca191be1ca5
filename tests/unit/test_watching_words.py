"""What the dev loop says."""

import json

import pytest

from build.local.deployment import Initialised
from build.local.overlays import Swapped
from build.results import Answer
from build.watching.words import Times, answered, not_swapped, swapped

TIMES = Times(saved_at=100.0, built_ms=31.4, swapped_ms=4.2)


def answer(payload, *, error=None, log=""):
    return Answer(
        name="orders",
        event="ada.json",
        payload=json.dumps(payload),
        error=error,
        log_tail=log,
        seconds=0.0123,
        version="1",
    )


def test_one_line_tells_every_phase_and_how_long_it_was_since_the_save():
    line = swapped("functions/orders", Swapped.SWAPPED, TIMES, Initialised(ms=46.9), now=100.096)
    assert line == "functions/orders: built in 31 ms, swapped in 4 ms, started in 47 ms: 96 ms after the save"


def test_what_nobody_saved_and_nothing_starts_is_left_out():
    times = Times(saved_at=0, built_ms=1, swapped_ms=2)
    assert swapped("functions/orders", Swapped.SWAPPED, times, None, now=5) == (
        "functions/orders: built in 1 ms, swapped in 2 ms"
    )


def test_code_that_is_deployed_already_is_told_as_such():
    line = swapped("functions/orders", Swapped.DEPLOYED, TIMES, Initialised(ms=1), now=100.05)
    assert line.startswith("functions/orders is as deployed again: built in 31 ms")


def test_code_that_does_not_start_is_told_with_its_error_and_what_it_wrote():
    frames = [
        '  File "<frozen importlib._bootstrap>", line 1\n',
        '  File "/var/task/app.py", line 1\n    import nope\n',
    ]
    told = {"errorType": "Runtime.ImportModuleError", "errorMessage": "No module named 'nope'", "stackTrace": frames}
    error = json.dumps(told)
    log = "INIT_START Runtime Version: python:3.13\nhello\n[WARNING] LAMBDA_WARNING: Unhandled\n[ERROR] it\nTraceback\n"
    lines = swapped("functions/orders", Swapped.SWAPPED, TIMES, Initialised(ms=1, error=error, log=log), now=101)
    assert lines.splitlines() == [
        "functions/orders: built in 31 ms, swapped in 4 ms, but it does not start",
        "  Runtime.ImportModuleError: No module named 'nope'",
        '    File "/var/task/app.py", line 1',
        "      import nope",
        "  | hello",
    ]


@pytest.mark.parametrize(("outcome", "said"), [(Swapped.MISSING, "not deployed"), (Swapped.UNLIKE, "other layers")])
def test_what_only_a_deploy_brings_ends_with_the_command(outcome, said):
    line = not_swapped("functions/orders", outcome, "run `invoke deploy --env local`")
    assert said in line
    assert line.endswith("run `invoke deploy --env local`")


def test_nothing_is_said_of_what_did_not_change():
    assert not_swapped("functions/orders", Swapped.UNCHANGED, "run it") == ""


def test_a_first_answer_is_shown_whole_with_what_the_function_wrote_and_without_what_lambda_does():
    log = "START RequestId: 1-2 Version: 1\nhello\nEND RequestId: 1-2\nREPORT RequestId: 1-2\tDuration: 1.00 ms\n"
    assert answered("functions/orders", answer({"a": 1}, log=log), None).splitlines() == [
        "functions/orders ← ada.json, 12 ms",
        "  {",
        '    "a": 1',
        "  }",
        "  | hello",
    ]


def test_of_another_answer_it_is_shown_what_differs():
    before = json.dumps({"a": 1, "b": 2, "c": 3, "d": 4})
    lines = answered("functions/orders", answer({"a": 1, "b": 2, "c": 3, "d": 5}), before).splitlines()
    assert lines == [
        "functions/orders ← ada.json, 12 ms, another answer",
        '     "c": 3,',
        '  -  "d": 4',
        '  +  "d": 5',
        "   }",
    ]


def test_the_same_answer_is_not_shown_again():
    assert answered("functions/orders", answer("x"), '"x"') == "functions/orders ← ada.json, 12 ms, the same answer"


def test_what_is_no_json_is_told_as_it_is():
    started = Initialised(ms=1, error="Task timed out")
    assert swapped("functions/orders", Swapped.SWAPPED, TIMES, started, now=101).endswith("\n  Task timed out")


def test_a_failure_is_told_in_the_first_line():
    line = answered("functions/orders", answer({"errorMessage": "no"}, error="Unhandled"), None).splitlines()[0]
    assert line == "functions/orders ← ada.json FAILED (Unhandled), 12 ms"

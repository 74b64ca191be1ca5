import json

import pytest


def test_the_first_start_is_cold_and_the_next_is_hot(function):
    function.cold_start()
    cold, hot = (function.invoke({}) for _ in range(2))
    assert (cold.cold, cold.payload["start"], cold.payload["invocation"]) == (True, "cold", 1)
    assert (hot.cold, hot.payload["start"], hot.payload["invocation"]) == (False, "hot", 2)


def test_reports_interpreter_path_and_room_in_tmp(function):
    answer = function.invoke({}).payload
    assert answer["interpreter"]["version"].startswith("3.13.")
    assert answer["environment"]["LAMBDA_TASK_ROOT"] in answer["sys_path"]
    assert answer["tmp"]["free_bytes"] > 0


def test_reports_the_layer_and_what_it_brings(function):
    ((folder, brought),) = function.invoke({}).payload["layers"].items()
    assert folder.endswith("/python")
    assert "telemetry" in brought


def test_reports_the_digest_of_its_artifact(function):
    answer = function.invoke({}, environment={"SLIPWAY_ARTIFACT_DIGEST": "9f2c"})
    assert answer.payload["artifact_digest"] == "9f2c"


def test_shows_no_credentials(function):
    shown = json.dumps(function.invoke({}).payload)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        assert name not in shown


@pytest.mark.network
def test_installs_a_distribution_at_run_time_and_imports_it_from_tmp(function):
    function.cold_start()
    first, second = (function.invoke({"install": "toolz==1.0.0"}).payload for _ in range(2))
    assert first["installed"]["module"] == "toolz"
    assert first["installed"]["file"].startswith(first["tmp"]["path"])
    assert second["installed"]["seconds"] < first["installed"]["seconds"]


@pytest.mark.network
def test_a_second_version_in_one_environment_is_an_error_not_the_first_one_again(function):
    function.cold_start()
    assert function.invoke({"install": "toolz==1.0.0"}).error is None
    second = function.invoke({"install": "toolz==0.12.1"})
    assert second.error == "Unhandled"
    assert "already has toolz" in second.payload["errorMessage"]


@pytest.mark.network
def test_an_unknown_distribution_is_an_error_that_says_what_pip_said(function):
    answer = function.invoke({"install": "toolz==0.0.0.1"})
    assert answer.error == "Unhandled"
    assert "No matching distribution found for toolz==0.0.0.1" in answer.payload["errorMessage"]


@pytest.mark.network
def test_a_compiled_distribution_is_refused(function):
    answer = function.invoke({"install": "numpy==2.2.6"})
    assert answer.error == "Unhandled"
    assert "No matching distribution found" in answer.payload["errorMessage"]


@pytest.mark.parametrize(
    "requirement",
    [
        None,
        "",
        "toolz",
        "toolz>=1.0.0",
        "toolz==1.0.0 flask==3.0.0",
        "toolz==1.0.0\n--index-url=http://127.0.0.1:1",
        "toolz==1.0.0 --index-url=http://127.0.0.1:1",
        "--requirement=/etc/passwd",
        "toolz @ http://127.0.0.1:1/toolz-1.0.0-py3-none-any.whl",
        "./toolz==1.0.0",
        "..==1",
        "toolz[extra]==1.0.0",
        "toolz==*",
    ],
)
def test_only_one_name_and_version_reaches_pip(function, requirement):
    answer = function.invoke({"install": requirement})
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "ValueError"
    assert "name==version" in answer.payload["errorMessage"]

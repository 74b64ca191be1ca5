import uuid

import pytest


@pytest.fixture
def user(cloud):
    iam = cloud.client("iam")
    user = iam.create_user(UserName=f"user-lookup-{uuid.uuid4()}")["User"]
    yield user
    iam.delete_user(UserName=user["UserName"])


@pytest.mark.parametrize("variant", ["shared", "per-call"])
def test_finds_a_user(function, user, variant):
    answer = function.invoke({"userName": user["UserName"], "variant": variant}).payload
    assert answer["found"]
    assert answer["user"] == {
        "userName": user["UserName"],
        "userId": user["UserId"],
        "arn": user["Arn"],
        "created": user["CreateDate"].isoformat(),
    }


@pytest.mark.parametrize("variant", ["shared", "per-call"])
def test_a_user_that_is_not_there_is_no_error(function, variant):
    answer = function.invoke({"userName": f"nobody-{uuid.uuid4()}", "variant": variant})
    assert answer.error is None
    assert answer.payload["found"] is False
    assert answer.payload["user"] is None


def test_the_shared_client_is_made_at_the_cold_start_only(function):
    function.cold_start()
    cold, hot = (function.invoke({"userName": "ada"}).payload for _ in range(2))
    assert (cold["cold"], hot["cold"]) == (True, False)
    assert cold["milliseconds"]["client"] > 0
    assert hot["milliseconds"]["client"] == 0


def test_the_per_call_variant_pays_every_time(function):
    event = {"userName": "ada", "variant": "per-call"}
    for answer in (function.invoke(event).payload for _ in range(2)):
        assert answer["milliseconds"]["client"] > 0


@pytest.mark.parametrize("event", [{}, {"userName": ""}, {"userName": 7}, {"userName": "ada", "variant": "cached"}])
def test_an_event_of_another_shape_is_an_error_that_shows_the_right_one(function, event):
    answer = function.invoke(event)
    assert answer.error == "Unhandled"
    assert 'expected {"userName": "ada"}' in answer.payload["errorMessage"]


def test_an_iam_that_does_not_answer_ends_in_an_error_before_the_timeout(function):
    answer = function.invoke({"userName": "ada"}, environment={"AWS_ENDPOINT_URL_IAM": "http://127.0.0.1:1"})
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "EndpointConnectionError"

import pytest


def test_primes_are_counted(function):
    assert function.invoke({"last": 100}).payload == {"last": 100, "primes": 25}
    assert function.invoke({"last": 1_000_000}).payload["primes"] == 78_498


@pytest.mark.parametrize("last", [0, 1])
def test_there_is_none_below_two(function, last):
    assert function.invoke({"last": last}).payload["primes"] == 0


@pytest.mark.parametrize("last", [None, -1, 1.5, True, 50_000_001])
def test_an_event_of_another_shape_is_an_error_that_shows_the_right_one(function, last):
    answer = function.invoke({"last": last})
    assert answer.error == "Unhandled"
    assert 'expected {"last": 100}' in answer.payload["errorMessage"]

import pytest


def test_greets_by_name(function):
    assert function.invoke({"name": "Ada"}).payload == {"message": "Hello, Ada!"}


@pytest.mark.parametrize("event", [{}, {"name": ""}, {"name": None}])
def test_greets_the_world_when_nobody_is_named(function, event):
    assert function.invoke(event).payload == {"message": "Hello, World!"}


def test_the_greeting_is_an_environment_variable(function):
    answer = function.invoke({"name": "Ada"}, environment={"GREETING": "Ahoy"})
    assert answer.payload == {"message": "Ahoy, Ada!"}


def test_an_event_that_is_no_object_is_an_error(function):
    assert function.invoke(["Ada"]).error == "Unhandled"

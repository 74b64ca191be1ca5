"""Logs read from CloudWatch, as moto has it."""

import time

import boto3
import pytest
from moto import mock_aws

from build.errors import AwsError
from build.release.logs import batches


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("logs", region_name="eu-central-1")


def write(client, group, *messages, stream="a", ago_s=0.0):
    for create, names in (
        (client.create_log_group, {"logGroupName": group}),
        (client.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
    ):
        try:
            create(**names)
        except client.exceptions.ResourceAlreadyExistsException:
            continue
    at_ms = int((time.time() - ago_s) * 1000)
    events = [{"timestamp": at_ms + number, "message": message} for number, message in enumerate(messages)]
    client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def messages_of(lines):
    return [line.message for line in lines]


def test_what_was_comes_first_and_then_only_what_is_new(client):
    write(client, "/orders", "one\n", "two")
    found = batches({"orders": "/orders"}, client, since_s=60, is_local=True)
    first = next(found)
    assert messages_of(first) == ["one", "two"]
    assert (first[0].function, first[0].stream) == ("orders", "a")
    assert next(found) == []
    write(client, "/orders", "three", stream="b")
    assert messages_of(next(found)) == ["three"]


def test_lines_of_several_functions_come_in_the_order_of_time(client):
    write(client, "/orders", "first", ago_s=20)
    write(client, "/prices", "second", ago_s=10)
    write(client, "/orders", "third")
    found = next(batches({"orders": "/orders", "prices": "/prices"}, client, since_s=60))
    assert messages_of(found) == ["first", "second", "third"]
    assert [line.function for line in found] == ["orders", "prices", "orders"]


def test_nothing_older_is_shown_than_was_asked_for(client):
    write(client, "/orders", "old", ago_s=120)
    write(client, "/orders", "new")
    assert messages_of(next(batches({"orders": "/orders"}, client, since_s=60))) == ["new"]


def test_a_line_that_shows_late_is_not_lost(client):
    write(client, "/orders", "now")
    found = batches({"orders": "/orders"}, client, since_s=60, is_local=True)
    next(found)
    write(client, "/orders", "late", stream="b", ago_s=0.5)
    assert messages_of(next(found)) == ["late"]


def test_a_function_that_has_no_log_yet_has_none_and_may_come_later(client):
    groups = {"orders": "/orders", "prices": "/prices"}
    write(client, "/orders", "one")
    found = batches(groups, client, since_s=60, is_local=True)
    assert messages_of(next(found)) == ["one"]
    write(client, "/prices", "two")
    assert messages_of(next(found)) == ["two"]


def test_a_function_that_is_named_later_is_read_from_then_on(client):
    groups = {"orders": "/orders"}
    write(client, "/orders", "one")
    found = batches(groups, client, since_s=60, is_local=True)
    next(found)
    write(client, "/prices", "two")
    groups["prices"] = "/prices"
    assert messages_of(next(found)) == ["two"]


def test_where_nothing_was_ever_logged_that_is_said(client):
    with pytest.raises(AwsError) as caught:
        next(batches({"orders": "/orders"}, client, since_s=60))
    assert caught.value.facts == ("no log group /orders",)
    assert "invoke status" in caught.value.hint


def test_many_lines_are_read_to_the_last(client):
    for part in range(3):
        write(client, "/orders", *(f"{part}-{number}" for number in range(5_000)), stream=f"s{part}")
    assert len(next(batches({"orders": "/orders"}, client, since_s=60))) == 15_000

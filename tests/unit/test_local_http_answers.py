"""What functions return as the responses that callers get."""

import json
from typing import Any

import pytest

from build.local.web.answers import HttpAnswer, answer_v1, answer_v2, balancer_answer

JSON = (("Content-Type", "application/json"),)


def v2(value: Any, *, of_url: bool = False) -> HttpAnswer | None:
    return answer_v2(json.dumps(value).encode(), of_url=of_url)


def v1(value: Any) -> HttpAnswer | None:
    return answer_v1(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("value", "of_url", "body"),
    [
        ("Hello from Lambda!", False, b"Hello from Lambda!"),
        ("Hello, world!", True, b'"Hello, world!"'),
        ({"message": "Hello"}, False, b'{"message": "Hello"}'),
        ({"message": "Hello"}, True, b'{"message": "Hello"}'),
        ([1, 2], False, b"[1, 2]"),
        (None, False, b"null"),
    ],
)
def test_without_a_status_code_all_of_it_is_the_body(value, of_url, body):
    assert v2(value, of_url=of_url) == HttpAnswer(200, JSON, body)


def test_a_whole_answer_of_format_2():
    answer = v2({"statusCode": 201, "headers": {"A": "1", "B": 2, "C": True}, "cookies": ["a=1", "b=2"], "body": "ä"})
    assert answer
    assert (answer.status, answer.body) == (201, "ä".encode())
    assert answer.headers[:5] == (("A", "1"), ("B", "2"), ("C", "true"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"))


def test_a_body_in_base64_is_decoded():
    answer = v2({"statusCode": 200, "isBase64Encoded": True, "body": "AP8="})
    assert answer
    assert answer.body == b"\0\xff"


@pytest.mark.parametrize(("of_url", "media_type"), [(False, "text/plain;charset=UTF-8"), (True, "application/json")])
def test_a_body_without_a_type_gets_one(of_url, media_type):
    answer = v2({"statusCode": 200, "body": "x"}, of_url=of_url)
    assert answer
    assert answer.header("content-type") == media_type
    typed = v2({"statusCode": 200, "headers": {"content-type": "text/html"}, "body": "x"}, of_url=of_url)
    assert typed
    assert typed.headers == (("content-type", "text/html"),)
    assert v2({"statusCode": 204}, of_url=of_url) == HttpAnswer(204)


@pytest.mark.parametrize(
    "value",
    [
        {"statusCode": "many"},
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": True},
        {"statusCode": None},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a": ["1"]}},
        {"statusCode": 200, "headers": {"a": "1\r\nb: 2"}},
        {"statusCode": 200, "headers": {"a b": "1"}},
        {"statusCode": 200, "body": "*", "isBase64Encoded": True},
    ],
)
def test_what_no_response_can_be_is_malformed(value):
    assert v2(value) is None
    assert v1(value) is None


@pytest.mark.parametrize("cookies", ["a=1", [1], ["a=1\nb"]])
def test_cookies_are_a_list_of_texts(cookies):
    assert v2({"statusCode": 200, "cookies": cookies}) is None


@pytest.mark.parametrize("value", ["Hello", {"message": "Hello"}, None, [1]])
def test_format_1_infers_nothing(value):
    assert v1(value) is None


def test_a_status_may_be_text():
    answer = v1({"statusCode": "404"})
    assert answer
    assert answer.status == 404


def test_of_headers_given_twice_the_lists_count():
    answer = v1(
        {"statusCode": 200, "headers": {"A": "1", "B": "2"}, "multiValueHeaders": {"a": ["3", "4"]}, "body": ""}
    )
    assert answer
    assert answer.headers == (("B", "2"), ("a", "3"), ("a", "4"))


def test_what_belongs_to_the_connection_is_not_the_functions_to_say():
    answer = v2({"statusCode": 200, "headers": {"Content-Length": "9", "Connection": "close", "Date": "today"}})
    assert answer == HttpAnswer(200)


def test_a_load_balancer_looks_at_the_headers_it_is_set_to():
    value = {"statusCode": 200, "headers": {"A": "1"}, "multiValueHeaders": {"B": ["2", "3"]}}
    payload = json.dumps(value).encode()
    assert balancer_answer(payload, multi_value=False) == HttpAnswer(200, (("A", "1"),))
    assert balancer_answer(payload, multi_value=True) == HttpAnswer(200, (("B", "2"), ("B", "3")))
    assert balancer_answer(b'"Hello"', multi_value=False) is None


def test_headers_are_replaced_by_name_and_by_beginning():
    answer = HttpAnswer(200, (("A-One", "1"), ("A-Two", "2"), ("B", "3"), ("C", "4")))
    assert answer.having([("b", "5")], without="a-").headers == (("C", "4"), ("b", "5"))

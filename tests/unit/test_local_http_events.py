"""Requests as functions get them, beside the examples of AWS's documentation."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from build.local.web.events import (
    TEXTUAL,
    Grant,
    Place,
    authorizer_event_v1,
    authorizer_event_v2,
    balancer_event,
    event_v1,
    event_v2,
)
from build.local.web.requests import HttpRequest, forwarded

REQUEST = HttpRequest(
    method="POST",
    path="/my/path",
    query="parameter1=value1&parameter1=value2&parameter2=value",
    headers=(
        ("header1", "value1"),
        ("header2", "value1"),
        ("header2", "value2"),
        ("cookie", "cookie1; cookie2"),
        ("user-agent", "agent"),
        ("content-type", "text/plain"),
    ),
    body=b"Hello from Lambda",
    source_ip="192.0.2.1",
    time_s=1583348638.390,
)
PLACE = Place(
    api_id="id",
    domain_name="id.execute-api.us-east-1.amazonaws.com",
    account_id="123456789012",
    path="/my/path",
    parameters={"parameter1": "value1"},
    stage_variables={"stageVariable1": "value1"},
    request_id="id=",
)
ARN = "arn:aws:execute-api:us-east-1:123456789012:id/$default/POST/my/path"

DOCUMENTED_V2: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/my/path",
    "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
    "cookies": ["cookie1", "cookie2"],
    "headers": {"header1": "value1", "header2": "value1,value2", "user-agent": "agent", "content-type": "text/plain"},
    "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "id",
        "domainName": "id.execute-api.us-east-1.amazonaws.com",
        "domainPrefix": "id",
        "http": {
            "method": "POST",
            "path": "/my/path",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": "agent",
        },
        "requestId": "id=",
        "routeKey": "$default",
        "stage": "$default",
        "time": "04/Mar/2020:19:03:58 +0000",
        "timeEpoch": 1583348638390,
    },
    "pathParameters": {"parameter1": "value1"},
    "stageVariables": {"stageVariable1": "value1"},
}
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html"""


def test_format_2_is_as_documented():
    expected = {**DOCUMENTED_V2, "body": "Hello from Lambda", "isBase64Encoded": False}
    assert event_v2(REQUEST, PLACE, Grant()) == expected


def test_what_a_request_has_not_format_2_leaves_out():
    bare = HttpRequest(method="GET", path="/")
    event = event_v2(bare, replace(PLACE, parameters={}, stage_variables={}), Grant())
    absent = {"cookies", "queryStringParameters", "pathParameters", "stageVariables", "body"}
    assert event.keys() == ({*DOCUMENTED_V2, "body", "isBase64Encoded"} - absent)
    assert "authorizer" not in event["requestContext"]


def test_format_1_is_as_documented():
    event = event_v1(replace(REQUEST, method="GET"), PLACE, Grant())
    assert event["headers"]["header2"] == "value2"
    assert event["multiValueHeaders"]["header2"] == ["value1", "value2"]
    assert event["queryStringParameters"] == {"parameter1": "value1", "parameter2": "value"}
    assert event["multiValueQueryStringParameters"] == {"parameter1": ["value1", "value2"], "parameter2": ["value"]}
    assert event["body"] == "Hello from Lambda"
    context = event["requestContext"]
    assert context["authorizer"] == {"claims": None, "scopes": None}
    assert context["requestTime"] == "04/Mar/2020:19:03:58 +0000"
    assert {name for name, value in context["identity"].items() if value} == {"sourceIp", "userAgent"}
    assert sorted(event) == sorted(
        "version resource path httpMethod headers multiValueHeaders queryStringParameters stageVariables body "
        "multiValueQueryStringParameters requestContext pathParameters isBase64Encoded".split()
    )
    assert sorted(context) == sorted(
        "accountId apiId authorizer domainName domainPrefix extendedRequestId httpMethod identity path protocol "
        "requestId requestTime requestTimeEpoch resourceId resourcePath stage".split()
    )


def test_what_a_request_has_not_is_null_in_format_1():
    bare = replace(PLACE, parameters={}, stage_variables={}, route_key="GET /pets/{id}")
    event = event_v1(HttpRequest(method="GET", path="/"), bare, Grant())
    nothing = ("queryStringParameters", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body")
    assert [event[name] for name in nothing] == [None] * 5
    assert event["resource"] == event["requestContext"]["resourcePath"] == "/pets/{id}"


def test_an_authorizer_gets_the_request_without_its_body():
    event = authorizer_event_v2(REQUEST, PLACE, ARN, ["user1", "123"])
    asked = {"type": "REQUEST", "routeArn": ARN, "identitySource": ["user1", "123"]}
    assert event == {**DOCUMENTED_V2, **asked}
    event = authorizer_event_v1(REQUEST, PLACE, ARN, ["user1", "123"])
    assert (event["identitySource"], event["authorizationToken"]) == ("user1,123", "user1,123")
    assert (event["type"], event["methodArn"]) == ("REQUEST", ARN)
    assert "body" not in event


def test_a_load_balancer_decodes_nothing_and_takes_the_last():
    request = replace(REQUEST, query="q=a%20b&q=c%2B", path="/a%2Fb")
    event = balancer_event(request, "arn", multi_value=False)
    assert event["requestContext"] == {"elb": {"targetGroupArn": "arn"}}
    assert (event["path"], event["queryStringParameters"]) == ("/a%2Fb", {"q": "c%2B"})
    assert event["headers"]["header2"] == "value2"
    assert "multiValueHeaders" not in event


def test_with_multi_value_headers_a_load_balancer_tells_all():
    event = balancer_event(REQUEST, "arn", multi_value=True)
    assert event["multiValueHeaders"]["header2"] == ["value1", "value2"]
    assert event["multiValueQueryStringParameters"]["parameter1"] == ["value1", "value2"]
    assert "headers" not in event


@pytest.mark.parametrize(
    ("content_type", "body", "is_base64"),
    [
        ("text/plain; charset=utf-8", "ä".encode(), False),
        ("application/json", b"{}", False),
        ("APPLICATION/XML", b"<a/>", False),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("image/png", b"\0", True),
        ("text/plain", b"\xff", True),
        ("", b"hello", True),
        ("image/png", b"", False),
    ],
)
def test_a_body_is_text_or_base64(content_type, body, is_base64):
    text, encoded = HttpRequest(method="POST", path="/", headers=(("content-type", content_type),), body=body).text(
        TEXTUAL
    )
    assert encoded is is_base64
    assert (base64.b64decode(text) if encoded else text.encode()) == body


def test_a_compressed_body_is_base64_whatever_it_holds():
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
    assert HttpRequest(method="POST", path="/", headers=headers, body=b"{}").text(TEXTUAL) == ("e30=", True)


def test_parameters_are_decoded_and_may_be_empty():
    request = HttpRequest(method="GET", path="/", query="a+b=%C3%A4&c&d=&=e")
    assert request.parameters == {"a b": ["ä"], "c": [""], "d": [""], "": ["e"]}


def test_a_gateway_adds_whence_a_request_came_and_keeps_what_is_of_the_connection():
    headers = (("host", "h"), ("connection", "close"), ("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "https"))
    passed = forwarded(HttpRequest(method="GET", path="/", headers=headers, time_s=255.0), port=81)
    assert passed.values["x-forwarded-for"] == ["192.0.2.7, 127.0.0.1"]
    assert passed.values["x-forwarded-port"] == ["81"]
    assert passed.values["x-forwarded-proto"] == ["http"]
    assert passed.values["x-amzn-trace-id"][0].startswith("Root=1-000000ff-")
    assert "connection" not in passed.values
    traced = HttpRequest(method="GET", path="/", headers=(("x-amzn-trace-id", "Root=1-a-b"),))
    assert forwarded(traced, port=81).header("x-amzn-trace-id") == "Root=1-a-b"

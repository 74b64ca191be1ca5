"""Tests of functions, as their authors write them: built artifacts, requests, other functions, several at once."""

import subprocess
import sys

import pytest

from tests.checkout import make_checkout

pytestmark = pytest.mark.slow

SETTINGS = 'description = "{name}"\n[[triggers.http]]\nroute = "ANY /{name}/{{key}}"\n'
APP = """
import json, os, time

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    if "rawPath" not in event:
        return {"name": context.function_name, "pid": os.getpid(), "color": os.environ.get("COLOR")}
    if event["pathParameters"]["key"] == "broken":
        raise ValueError("on purpose")
    told = {name: event.get(name) for name in ("body", "isBase64Encoded", "rawQueryString", "routeKey", "cookies")}
    headers = {"Content-Type": "application/json", "X-Tenant": event["headers"].get("x-tenant", "none")}
    return {"statusCode": 201, "headers": headers, "body": json.dumps(told)}
"""
TESTS = """
from concurrent.futures import ThreadPoolExecutor

import pytest


def test_replies_tell_what_a_report_tells(function):
    cold, hot = function.invoke({}), function.invoke({})
    assert (cold.cold, hot.cold) == (True, False)
    assert cold.init_ms > 0
    assert hot.init_ms is None
    assert hot.duration_ms > 0


def test_a_request_is_an_event_and_its_answer_a_response(function):
    answer = function.http("POST", "/first/a%20b?x=1&y=2", json={"order": 1}, headers={"X-Tenant": "one"})
    assert (answer.status, answer.headers["x-tenant"]) == (201, "one")
    assert answer.json == {"body": '{"order": 1}', "isBase64Encoded": False, "rawQueryString": "x=1&y=2",
        "routeKey": "ANY /first/{key}", "cookies": None}
    assert answer.reply.payload["statusCode"] == 201


def test_bytes_come_in_base64(function):
    assert function.http("PUT", "/first/a", body=b"\\xff").json["isBase64Encoded"] is True


def test_no_route_is_404_and_an_error_500(function):
    missing, broken = function.http("GET", "/elsewhere"), function.http("GET", "/first/broken")
    assert (missing.status, missing.reply) == (404, None)
    assert (broken.status, broken.reply.payload["errorMessage"]) == (500, "on purpose")


def test_another_function_is_there_too(function, functions):
    assert functions("second").invoke({}).payload["name"].endswith("second")
    assert functions("first") is function


def test_many_at_once_run_side_by_side(function):
    with ThreadPoolExecutor(3) as threads:
        replies = list(threads.map(lambda _: function.invoke({"sleep": 0.5}, environment={"COLOR": "red"}), range(3)))
    assert len({reply.payload["pid"] for reply in replies}) == 3 or len({reply.log for reply in replies}) == 3
    assert {reply.payload["color"] for reply in replies} == {"red"}


def test_a_function_that_is_not_there_is_a_mistake_of_the_test(functions):
    with pytest.raises(pytest.UsageError, match="known: first, second"):
        functions("third")
"""


def test_what_authors_write_works(tmp_path):
    checkout = make_checkout(tmp_path)
    for name in ("first", "second"):
        checkout.run("new", name)
        checkout.write(f"functions/{name}/function.toml", SETTINGS.format(name=name))
        checkout.write(f"functions/{name}/src/app.py", APP)
    checkout.write("functions/first/tests/test_app.py", TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "functions/first"],
        cwd=checkout.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "7 passed" in done.stdout, done.stdout

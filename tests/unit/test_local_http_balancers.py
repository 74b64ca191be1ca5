"""Which rule of a listener takes a request, and what it does with it."""

from types import SimpleNamespace
from typing import Any

import pytest

from build.local.web.balancers import Balancers, _target_group
from build.local.web.callers import Failure
from build.local.web.requests import HttpRequest

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/orders/1"
FORWARD = {"Type": "forward", "TargetGroupArn": GROUP}


class Callers:
    """Answers what it is told to."""

    def __init__(self, answer: bytes | Failure) -> None:
        self.answer = answer
        self.called: list[str] = []

    def call(self, arn: str, _event: Any, *, limit_s: float) -> bytes | Failure:
        assert limit_s
        self.called.append(arn)
        return self.answer


def listener(*rules: tuple[list[dict[str, Any]], dict[str, Any]]) -> Any:
    """Make one whose rules are given from the least to the most important."""
    made = {
        number: SimpleNamespace(
            conditions=conditions,
            actions=[SimpleNamespace(data=action)],
            priority=len(rules) - number,
            is_default=False,
        )
        for number, (conditions, action) in enumerate(rules)
    }
    return SimpleNamespace(rules=made)


def answered(of: Any, request: HttpRequest, answer: bytes | Failure = b'{"statusCode": 200}') -> tuple[int, list[str]]:
    group = SimpleNamespace(arn=GROUP, target_type="lambda", targets={"function": {}}, attributes={})
    callers = Callers(answer)
    got = Balancers(callers).answer(of, {GROUP: group}, request)  # type: ignore[arg-type]
    return got.status, callers.called


def asking(path: str = "/orders/1", method: str = "GET", host: str = "api.example.com:80") -> HttpRequest:
    return HttpRequest(method=method, path=path, headers=(("host", host),))


@pytest.mark.parametrize(
    ("condition", "fits"),
    [
        ({"Field": "path-pattern", "PathPatternConfig": {"Values": ["/other", "/orders/*"]}}, True),
        ({"Field": "path-pattern", "Values": ["/orders/?"]}, True),
        ({"Field": "path-pattern", "Values": ["/Orders/*"]}, False),
        ({"Field": "host-header", "HostHeaderConfig": {"Values": ["*.Example.com"]}}, True),
        ({"Field": "host-header", "Values": ["example.com"]}, False),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["GET"]}}, True),
        ({"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["POST"]}}, False),
        ({"Field": "source-ip", "SourceIpConfig": {"Values": ["0.0.0.0/0"]}}, False),
    ],
)
def test_a_rule_takes_what_fits_its_condition(condition, fits):
    status, called = answered(listener(([condition], FORWARD)), asking())
    assert (status, called) == ((200, ["function"]) if fits else (503, []))


def test_all_conditions_must_fit_and_the_lowest_priority_wins():
    method = {"Field": "http-request-method", "Values": ["POST"]}
    path = {"Field": "path-pattern", "Values": ["/orders/*"]}
    fixed = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418", "MessageBody": "tea"}}
    of = listener(([], FORWARD), ([path, method], fixed))
    assert answered(of, asking(method="POST")) == (418, [])
    assert answered(of, asking(method="GET")) == (200, ["function"])


@pytest.mark.parametrize("answer", [Failure.FAILED, Failure.SLOW, b'"no object"', b"x" * 1_100_000])
def test_what_is_no_answer_is_502(answer):
    assert answered(listener(([], FORWARD)), asking(), answer)[0] == 502


@pytest.mark.parametrize("of", [None, listener(), listener(([], {"Type": "redirect"}))])
def test_where_nobody_answers_it_is_503(of):
    assert answered(of, asking()) == (503, [])


def test_a_body_that_is_too_large_reaches_nobody():
    large = HttpRequest(method="POST", path="/", body=b"x" * 1_100_000)
    assert answered(listener(([], FORWARD)), large) == (413, [])


def test_callers_are_shared_out_by_weight():
    groups = [{"TargetGroupArn": "a", "Weight": 1}, {"TargetGroupArn": "b", "Weight": 3}]
    action = {"ForwardConfig": {"TargetGroups": groups}}
    assert [_target_group(action, iter([at]).__next__) for at in (0.0, 0.24, 0.26, 0.99)] == ["a", "a", "b", "b"]

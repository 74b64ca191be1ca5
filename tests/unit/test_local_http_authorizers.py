"""What an authorizer's answer means, and how requests are limited and signed."""

from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from build.local.web.answers import HttpAnswer
from build.local.web.authorizers import allows, granted
from build.local.web.events import Grant
from build.local.web.requests import HttpRequest
from build.local.web.signatures import is_signed, signer_of
from build.local.web.throttles import Throttles

ARN = "arn:aws:execute-api:us-east-1:123456789012:id/$default/GET/pets/1"


def policy(effect: str = "Allow", action: Any = "execute-api:Invoke", resource: Any = ARN) -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, "Action": action, "Resource": resource}]}


@pytest.mark.parametrize(
    ("document", "allowed"),
    [
        (policy(), True),
        (policy(action="execute-api:*"), True),
        (policy(action=["logs:*", "Execute-API:Invoke"]), True),
        (policy(action="s3:*"), False),
        (policy(resource="*"), True),
        (policy(resource="arn:aws:execute-api:*:*:id/*/GET/pets/?"), True),
        (policy(resource=[ARN.replace("GET", "POST")]), False),
        (policy("Deny"), False),
        ({"Statement": [*policy()["Statement"], *policy("Deny", resource="*")["Statement"]]}, False),
        ({"Statement": policy()["Statement"][0]}, True),
        ({"Statement": []}, False),
        ({}, False),
    ],
)
def test_a_policy_allows_what_some_statement_does_and_none_denies(document, allowed):
    assert allows(document, ARN) is allowed


def test_a_simple_answer_is_a_word_and_what_the_function_is_told():
    grant = granted({"isAuthorized": True, "context": {"a": 1}}, ARN, simple=True)
    assert grant == Grant(v2={"lambda": {"a": 1}}, v1={"a": 1})
    assert granted({"isAuthorized": True}, ARN, simple=True) == Grant(v2={"lambda": None}, v1={})


def test_a_policy_names_who_it_is_about():
    grant = granted({"principalId": "ada", "policyDocument": policy(), "context": {"a": 1}}, ARN, simple=False)
    assert grant == Grant(v2={"lambda": {"a": 1}}, v1={"principalId": "ada", "a": 1})


@pytest.mark.parametrize(
    ("decision", "simple", "status"),
    [
        ({"isAuthorized": False}, True, 403),
        ({"isAuthorized": "yes"}, True, 500),
        ({}, True, 500),
        ({"isAuthorized": True, "context": [1]}, True, 500),
        ({"principalId": "ada", "policyDocument": policy("Deny")}, False, 403),
        ({"policyDocument": policy()}, False, 500),
        ({"isAuthorized": True}, False, 500),
    ],
)
def test_who_is_not_let_in_gets_403_and_a_muddled_answer_is_500(decision, simple, status):
    answer = granted(decision, ARN, simple=simple)
    assert isinstance(answer, HttpAnswer)
    assert answer.status == status


def test_a_bucket_is_emptied_by_requests_and_filled_by_time():
    now = [100.0]
    throttles = Throttles(lambda: now[0])

    def take(key: str = "a") -> bool:
        return throttles.take((key,), rate_per_s=2, burst=3)

    assert [take() for _ in range(4)] == [True, True, True, False]
    assert take("b")
    now[0] += 0.5
    assert [take(), take()] == [True, False]
    now[0] += 60
    assert [take() for _ in range(4)] == [True, True, True, False]


SECRETS = {"key": "se" + "cret"}


def signed(method: str = "POST", path: str = "/a%20b", query: str = "z=1&a=%2F", body: bytes = b"{}") -> HttpRequest:
    url = f"http://127.0.0.1:1{path}?{query}"
    asked = AWSRequest(method, url, data=body, headers={"X-Custom": "  1  "})
    SigV4Auth(Credentials("key", SECRETS["key"]), "lambda", "us-east-1").add_auth(asked)
    headers = (("host", "127.0.0.1:1"), *((name.lower(), value.strip()) for name, value in asked.headers.items()))
    return HttpRequest(method=method, path=path, query=query, headers=headers, body=body)


def changed(request: HttpRequest, **values: Any) -> HttpRequest:
    given = {"method": request.method, "path": request.path, "query": request.query, "body": request.body}
    return HttpRequest(**{**given, "headers": request.headers, **values})


def test_a_right_signature_tells_whose_it_is():
    assert is_signed(signed())
    assert signer_of(signed(), service="lambda", secrets=SECRETS) == "key"


@pytest.mark.parametrize(
    "values",
    [
        {"method": "PUT"},
        {"path": "/a"},
        {"query": "z=2&a=%2F"},
        {"body": b"{ }"},
        {"headers": ()},
        {"headers": tuple((n, "2" if n == "x-custom" else v) for n, v in signed().headers)},
    ],
)
def test_what_was_changed_after_it_was_signed_is_nobodys(values):
    assert signer_of(changed(signed(), **values), service="lambda", secrets=SECRETS) is None


def test_neither_are_unknown_keys_nor_signatures_for_other_services():
    assert signer_of(signed(), service="lambda", secrets={}) is None
    assert signer_of(signed(), service="lambda", secrets={"key": "other"}) is None
    assert signer_of(signed(), service="execute-api", secrets=SECRETS) is None
    basic = HttpRequest(method="GET", path="/", headers=(("authorization", "Basic eA=="),))
    assert not is_signed(basic)

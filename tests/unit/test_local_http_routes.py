"""Which route of an HTTP API takes a request."""

import pytest

from build.local.web.routes import chosen, stage_and_path

DOCUMENTED = ["GET /pets/dog/1", "GET /pets/dog/{id}", "GET /pets/{proxy+}", "ANY /{proxy+}", "$default"]
"""https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html"""


def taken(keys: list[str], method: str, path: str) -> str | None:
    match = chosen(keys, method, path)
    return match.key if match else None


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/pets/dog/1", "GET /pets/dog/1"),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
        ("POST", "/test/5", "ANY /{proxy+}"),
        ("POST", "/pets/dog/1", "ANY /{proxy+}"),
        ("GET", "/", "$default"),
    ],
)
def test_the_documented_priorities_hold_whatever_the_order(order, method, path, key):
    assert taken(DOCUMENTED[::order], method, path) == key


@pytest.mark.parametrize(
    ("keys", "method", "path", "key"),
    [
        (["ANY /a", "GET /a"], "GET", "/a", "GET /a"),
        (["ANY /a", "GET /a"], "PUT", "/a", "ANY /a"),
        (["GET /{a}/b", "GET /a/{b}"], "GET", "/a/b", "GET /a/{b}"),
        (["GET /{a+}", "GET /a/{b+}"], "GET", "/a/b/c", "GET /a/{b+}"),
        (["GET /a"], "GET", "/a/", None),
        (["GET /a"], "GET", "/A", None),
        (["GET /{a}"], "GET", "/", None),
        (["GET /{a+}"], "GET", "/", None),
        (["GET /a b"], "GET", "/a%20b", "GET /a b"),
        ([], "GET", "/", None),
    ],
)
def test_the_route_that_says_most_wins(keys, method, path, key):
    assert taken(keys, method, path) == key


def test_variables_are_decoded_and_a_greedy_one_takes_the_rest():
    match = chosen(["GET /shops/{shop}/{rest+}"], "GET", "/shops/A%20B/x%2Fy/z")
    assert match
    assert match.parameters == {"shop": "A B", "rest": "x/y/z"}


@pytest.mark.parametrize(
    ("stages", "path", "expected"),
    [
        (["$default"], "/a/b", ("$default", "/a/b")),
        (["beta", "$default"], "/beta/b", ("beta", "/b")),
        (["beta", "$default"], "/a", ("$default", "/a")),
        (["beta"], "/beta", ("beta", "/")),
        (["beta"], "/a", None),
        (["$default"], "/$default/a", ("$default", "/$default/a")),
        ([], "/a", None),
    ],
)
def test_a_stage_is_the_first_of_the_path_or_default(stages, path, expected):
    assert stage_and_path(stages, path) == expected

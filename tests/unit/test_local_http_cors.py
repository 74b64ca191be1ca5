"""What browsers are told."""

from typing import Any

import pytest

from build.local.web.cors import Cors
from build.local.web.requests import HttpRequest

CONFIG: dict[str, Any] = {
    "AllowOrigins": ["https://a.example.com"],
    "AllowMethods": ["GET", "POST"],
    "AllowHeaders": ["x-a", "x-b"],
    "ExposeHeaders": ["x-c"],
    "AllowCredentials": True,
    "MaxAge": 60,
}


def cors(**changes: Any) -> Cors:
    made = Cors.of({**CONFIG, **changes})
    assert made
    return made


def asking(origin: str | None, *, method: str | None = "GET") -> HttpRequest:
    headers = (("origin", origin), ("access-control-request-method", method))
    return HttpRequest(method="OPTIONS", path="/", headers=tuple((n, v) for n, v in headers if v is not None))


def test_both_services_spell_it_their_way():
    lower = {name[0].lower() + name[1:]: value for name, value in CONFIG.items()}
    assert Cors.of(lower) == Cors.of(CONFIG)
    assert Cors.of(None) is Cors.of({}) is None


def test_a_page_that_may_call_is_told_all_before_it_does():
    assert dict(cors().preflight(asking("https://a.example.com"))) == {
        "access-control-allow-origin": "https://a.example.com",
        "vary": "origin",
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "x-a,x-b",
        "access-control-max-age": "60",
    }


def test_and_what_it_may_read_with_the_answer():
    assert dict(cors().response(asking("https://a.example.com"))) == {
        "access-control-allow-origin": "https://a.example.com",
        "vary": "origin",
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "x-c",
    }


@pytest.mark.parametrize(
    "origin", ["https://b.example.com", "http://a.example.com", "https://a.example.com.evil", None]
)
def test_strangers_are_told_nothing(origin):
    assert cors().preflight(asking(origin)) == cors().response(asking(origin)) == ()


def test_without_the_method_it_is_no_preflight():
    assert cors().preflight(asking("https://a.example.com", method=None)) == ()


@pytest.mark.parametrize(
    ("allowed", "origin", "told"),
    [
        ("*", "https://b.example.com", "*"),
        ("https://*", "https://b.example.com", "https://b.example.com"),
        ("https://*.example.com", "https://b.example.com", "https://b.example.com"),
        ("https://A.example.com", "https://a.example.com", "https://a.example.com"),
    ],
)
def test_origins_may_be_patterns(allowed, origin, told):
    assert dict(cors(AllowOrigins=[allowed]).response(asking(origin)))["access-control-allow-origin"] == told

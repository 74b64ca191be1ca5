"""What a function returned as the response that a caller gets. A return value in no known form is None here.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from build.local.web.requests import HOP_BY_HOP, Pairs

_JSON = "application/json"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A response."""

    status: int
    headers: Pairs = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return the first header ``name`` (in lower case)."""
        return next((value for each, value in self.headers if each.lower() == name), None)

    def having(self, headers: Iterable[tuple[str, str]], *, without: str | None = None) -> "HttpAnswer":
        """Return it with ``headers`` in place of those of their names, and of those that begin with ``without``."""
        added = tuple(headers)
        names = {name.lower() for name, _ in added}
        kept = [(name, value) for name, value in self.headers if name.lower() not in names]
        if without:
            kept = [(name, value) for name, value in kept if not name.lower().startswith(without)]
        return replace(self, headers=(*kept, *added))


def message(status: int, text: str, *headers: tuple[str, str], key: str = "message") -> HttpAnswer:
    """Return what API Gateway itself says; ``key`` is ``Message`` for function URLs."""
    return HttpAnswer(
        status, (("Content-Type", _JSON), *headers), json.dumps({key: text}, separators=(",", ":")).encode()
    )


def answer_v2(payload: bytes, *, of_url: bool) -> HttpAnswer | None:
    """Return what ``payload`` means in format 2.0; without a status code all of it is the body.

    By AWS's examples a string then loses its quotes at an API, and keeps them at a function URL.
    """
    value = _json(payload)
    if not isinstance(value, dict) or "statusCode" not in value:
        body = value.encode("utf-8", "replace") if isinstance(value, str) and not of_url else payload
        return HttpAnswer(200, (("Content-Type", _JSON),), body)
    cookies = value.get("cookies") or []
    if not isinstance(cookies, list) or not all(isinstance(each, str) for each in cookies):
        return None
    single, text = _pairs(value.get("headers")), _body(value)
    set_cookies = _pairs({"Set-Cookie": cookies}, many=True)
    status = _status(value["statusCode"])
    if status is None or single is None or text is None or set_cookies is None:
        return None
    return _typed(HttpAnswer(status, (*single, *set_cookies), text), _JSON if of_url else "text/plain;charset=UTF-8")


def answer_v1(payload: bytes) -> HttpAnswer | None:
    """Return what ``payload`` means in format 1.0, which infers nothing.

    Of headers that both ``headers`` and ``multiValueHeaders`` have, the latter count.
    """
    value = _json(payload)
    if not isinstance(value, dict):
        return None
    status, body = _status(value.get("statusCode")), _body(value)
    single, many = _pairs(value.get("headers")), _pairs(value.get("multiValueHeaders"), many=True)
    if status is None or body is None or single is None or many is None:
        return None
    names = {name.lower() for name, _ in many}
    kept = [(name, each) for name, each in single if name.lower() not in names]
    return _typed(HttpAnswer(status, (*kept, *many), body), "text/plain;charset=UTF-8")


def balancer_answer(payload: bytes, *, multi_value: bool) -> HttpAnswer | None:
    """Return what ``payload`` means to a load balancer; with multi-value headers it looks at those alone."""
    value = _json(payload)
    if not isinstance(value, dict):
        return None
    status, body = _status(value.get("statusCode")), _body(value)
    headers = _pairs(value.get("multiValueHeaders" if multi_value else "headers"), many=multi_value)
    if status is None or body is None or headers is None:
        return None
    return _typed(HttpAnswer(status, headers, body), "application/octet-stream")


def _typed(answer: HttpAnswer, media_type: str) -> HttpAnswer:
    return answer if answer.header("content-type") or not answer.body else answer.having([("Content-Type", media_type)])


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return None


def _status(value: Any) -> int | None:
    is_number = (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and value.isdecimal()
    )
    return int(value) if is_number and 200 <= int(value) <= 599 else None


def _body(value: Mapping[str, Any]) -> bytes | None:
    body = value.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        return None
    if value.get("isBase64Encoded") is not True:
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return None


def _pairs(given: Any, *, many: bool = False) -> Pairs | None:
    """Return headers as pairs; None for what no header can be."""
    if given is None:
        return ()
    if not isinstance(given, dict):
        return None
    found = []
    for name, value in given.items():
        values = value if many and isinstance(value, list) else [value]
        for each in values:
            text = _scalar(each)
            if text is None or not _NAME.fullmatch(name) or _CONTROL.search(text):
                return None
            if name.lower() not in HOP_BY_HOP and name.lower() not in ("content-length", "date"):
                found.append((name, text))
    return tuple(found)


def _scalar(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None

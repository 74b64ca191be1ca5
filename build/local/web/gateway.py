"""HTTP APIs: what answers for API Gateway's data plane.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from build.local.web.answers import HttpAnswer, answer_v1, answer_v2, message
from build.local.web.authorizers import ERROR, Authorizers
from build.local.web.callers import Callers, Failure
from build.local.web.cors import PREFIX, Cors
from build.local.web.events import Place, event_v1, event_v2
from build.local.web.requests import HttpRequest
from build.local.web.routes import Match, chosen, stage_and_path
from build.local.web.throttles import Throttles

MAX_TIMEOUT_MS = 30_000
MAX_BODY_BYTES = 10 * 1_048_576
MAX_HEAD_BYTES = 10_240
NOT_FOUND = message(404, "Not Found")
_TOO_LARGE = message(413, "Request Entity Too Large")
_FAILURES = {
    Failure.SLOW: message(503, "Service Unavailable"),
    Failure.THROTTLED: message(503, "Service Unavailable"),
    Failure.TOO_LARGE: _TOO_LARGE,
    Failure.FAILED: ERROR,
    Failure.MISSING: ERROR,
}


class Gateway:
    """Answers for all HTTP APIs, each looked up anew for every request."""

    def __init__(self, callers: Callers, authorizers: Authorizers) -> None:
        self._callers = callers
        self._authorizers = authorizers
        self._throttles = Throttles()

    def answer(self, api: Any, request: HttpRequest) -> HttpAnswer:
        """Answer ``request`` to moto's ``api``; to one that is gone, None, with 404."""
        request_id = base64.b64encode(secrets.token_bytes(11)).decode("ascii")
        found = _found(api, request) if api else None
        cors = Cors.of(api.cors_configuration) if api else None
        if found:
            answered = self._answered(api, found, request, request_id)
        else:
            answered = HttpAnswer(204) if cors and request.method == "OPTIONS" else NOT_FOUND
        if cors:
            told = cors.preflight(request) if request.method == "OPTIONS" else cors.response(request)
            answered = answered.having(told, without=PREFIX)
        return answered.having([("apigw-requestid", request_id)])

    def _answered(self, api: Any, found: "_Found", request: HttpRequest, request_id: str) -> HttpAnswer:
        if len(request.body) > MAX_BODY_BYTES:
            return _TOO_LARGE
        if request.size_of_head > MAX_HEAD_BYTES:
            return message(431, "Request Header Fields Too Large")
        place = Place(
            api_id=api.api_id,
            domain_name=api.api_endpoint.removeprefix("https://"),
            account_id=api.backend.account_id,
            path=unquote(request.path),
            route_key=found.match.key,
            stage=found.stage.name,
            parameters=found.match.parameters,
            stage_variables=found.stage.stage_variables or {},
            request_id=request_id,
        )
        if not self._has_token(found.stage, place):
            return message(429, "Too Many Requests")
        api_arn = f"arn:aws:execute-api:{api.backend.region_name}:{place.account_id}:{api.api_id}"
        arn = f"{api_arn}/{place.stage}/{request.method}{unquote(found.path)}"
        return self._routed(api, found.route, request, place, arn)

    def _routed(self, api: Any, route: Any, request: HttpRequest, place: Place, arn: str) -> HttpAnswer:
        authorizer = api.authorizers.get(route.authorizer_id)
        grant = self._authorizers.decide(route, authorizer, request, place, arn)
        if isinstance(grant, HttpAnswer):
            return grant
        integration = api.integrations.get((route.target or "").rpartition("/")[2])
        if integration is None or integration.integration_type != "AWS_PROXY" or integration.integration_subtype:
            return ERROR  # what leads elsewhere than to functions is not served here
        is_v1 = str(integration.payload_format_version or "1.0") == "1.0"
        event = (event_v1 if is_v1 else event_v2)(request, place, grant)
        limit_s = (integration.timeout_in_millis or MAX_TIMEOUT_MS) / 1000
        answered = self._callers.call(integration.integration_uri or "", event, limit_s=limit_s)
        if isinstance(answered, Failure):
            return _FAILURES[answered]
        return (answer_v1(answered) if is_v1 else answer_v2(answered, of_url=False)) or ERROR

    def _has_token(self, stage: Any, place: Place) -> bool:
        settings = {**_bounds(stage.default_route_settings), **_bounds(stage.route_settings.get(place.route_key))}
        if len(settings) < len(_BOUNDS):
            return True  # the account's own bound, 10,000 a second, is beyond this machine
        rate, burst = (float(settings[name]) for name in _BOUNDS)
        key = (place.api_id, place.stage, place.route_key, rate, burst)
        return self._throttles.take(key, rate_per_s=rate, burst=int(burst))


@dataclass(frozen=True, slots=True)
class _Found:
    """Moto's stage and route that take a request, and how."""

    stage: Any
    route: Any
    match: Match
    path: str
    """Below the stage."""


def _found(api: Any, request: HttpRequest) -> _Found | None:
    stages, routes = dict(api.stages), {route.route_key: route for route in list(api.routes.values())}
    staged = stage_and_path(stages, request.path)
    match = chosen(routes, request.method, staged[1]) if staged else None
    return _Found(stages[staged[0]], routes[match.key], match, staged[1]) if staged and match else None


_BOUNDS = ("throttlingRateLimit", "throttlingBurstLimit")


def _bounds(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (settings or {}).items() if name in _BOUNDS and value is not None}

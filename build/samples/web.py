"""HTTP APIs, function URLs, load balancers and authorizers: requests told as the embedded cloud tells them."""

import re
from collections.abc import Mapping
from typing import Any

from build.http import HttpTrigger, LoadBalancerTrigger, UrlTrigger
from build.local.web import events
from build.local.web.requests import HttpRequest
from build.samples.about import EXAMPLE, ID, IP, TIME_MS, About, Event

_VARIABLE = re.compile(r"\{(\w+)(\+?)\}")
_BODILESS = ("GET", "HEAD", "OPTIONS", "DELETE")
_TOKEN = "Bearer example"  # noqa: S105 - it opens nothing


def http(about: About, trigger: HttpTrigger | None) -> Event:
    """Format 2.0: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html."""
    key = trigger.route if trigger else "POST /example"
    domain = f"{EXAMPLE}.execute-api.{about.region}.amazonaws.com"
    request, parameters = _request(about, key, domain, token=_TOKEN if trigger and trigger.authorizer else "")
    grant = _grant(about, trigger) if trigger else events.Grant()
    return events.event_v2(request, _place(about, request, domain, key, parameters), grant)


def url(about: About, trigger: UrlTrigger | None) -> Event:
    """https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html."""
    domain = f"{EXAMPLE}.lambda-url.{about.region}.on.aws"
    request, _ = _request(about, "POST /example", domain)
    is_signed = bool(trigger and trigger.auth == "iam")
    grant = _signed(about) if is_signed else events.Grant()
    place = _place(about, request, domain, "$default", {}, account_id=about.account_id if is_signed else "anonymous")
    return events.event_v2(request, place, grant)


def alb(about: About, trigger: LoadBalancerTrigger | None) -> Event:
    """https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html."""
    method = trigger.methods[0] if trigger and trigger.methods else "POST"
    path = (trigger.paths[0] if trigger and trigger.paths else "/example").replace("*", EXAMPLE).replace("?", "e")
    host = trigger.hosts[0].replace("*", EXAMPLE) if trigger and trigger.hosts else "example.com"
    request, _ = _request(about, f"{method} {path}", host)
    arn = about.arn("elasticloadbalancing", f"targetgroup/{about.made(trigger)}/6d0ecf831eec9f09")
    return events.balancer_event(request, arn, multi_value=bool(trigger and trigger.multi_value_headers))


def authorizer(about: About, _trigger: None) -> Event:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html."""
    key, domain = "GET /example", f"{EXAMPLE}.execute-api.{about.region}.amazonaws.com"
    request, parameters = _request(about, key, domain, token=_TOKEN)
    arn = about.arn("execute-api", f"{EXAMPLE}/$default/GET/example")
    return events.authorizer_event_v2(request, _place(about, request, domain, key, parameters), arn, [_TOKEN])


def _request(about: About, key: str, host: str, *, token: str = "") -> tuple[HttpRequest, Mapping[str, str]]:
    """Return a request to the route ``key``, and the variables of its path."""
    method, _, path = key.partition(" ") if " " in key else ("POST", "", "/example")
    method = ("POST" if about.body is not None else "GET") if method == "ANY" else method
    parameters = {name: EXAMPLE for name, _ in _VARIABLE.findall(path)}
    has_body = about.body is not None or method not in _BODILESS
    headers = {
        "accept": "*/*",
        **({"authorization": token} if token else {}),
        **(
            {"content-length": str(len(about.message.encode())), "content-type": "application/json"} if has_body else {}
        ),
        "host": host,
        "user-agent": "curl/8.5.0",
        "x-amzn-trace-id": "Root=1-67748580-0123456789abcdef01234567",
        "x-forwarded-for": IP,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }
    request = HttpRequest(
        method=method,
        path=_VARIABLE.sub(EXAMPLE, path),
        query="name=value",
        headers=tuple(headers.items()),
        body=about.message.encode() if has_body else b"",
        source_ip=IP,
        time_s=TIME_MS / 1000,
    )
    return request, parameters


def _place(
    about: About,
    request: HttpRequest,
    domain: str,
    key: str,
    parameters: Mapping[str, str],
    *,
    account_id: str | None = None,
) -> events.Place:
    return events.Place(
        api_id=EXAMPLE,
        domain_name=domain,
        account_id=account_id or about.account_id,
        path=request.path,
        route_key=key,
        parameters=parameters,
        request_id=ID,
    )


def _grant(about: About, trigger: HttpTrigger) -> events.Grant:
    """Return what the route's authorizer tells of a caller that it let in."""
    if trigger.authorizer == "iam":
        return _signed(about)
    found = about.workspace.http_api.authorizers.get(trigger.authorizer or "")
    if found is None:
        return events.Grant()
    if found.function:
        return events.Grant(v2={"lambda": {}})
    scopes = list(trigger.scopes)
    claims: dict[str, Any] = {"aud": found.audience[0], "iss": found.issuer, "sub": EXAMPLE}
    told = {**claims, **({"scope": " ".join(scopes)} if scopes else {})}
    return events.Grant(v2={"jwt": {"claims": told, "scopes": scopes or None}})


def _signed(about: About) -> events.Grant:
    user = {
        "accessKey": "AKIAEXAMPLE",
        "accountId": about.account_id,
        "callerId": "AIDAEXAMPLE",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": about.arn("iam", "user/example", region=""),
        "userId": "AIDAEXAMPLE",
    }
    return events.Grant(v2={"iam": user})

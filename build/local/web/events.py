"""Requests as the events that functions get: payload formats 2.0 and 1.0, of authorizers, of load balancers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from build.local.web.requests import HttpRequest

TEXTUAL = ("text/", "application/json", "application/javascript", "application/xml")
"""Media types whose bodies are not in base64. Load balancers say it, https://docs.aws.amazon.com/elasticloadbalancing/
latest/application/lambda-functions.html; API Gateway and function URLs do not, but are seen to do as much."""

Event = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What an authorizer tells the function of the caller."""

    v2: Mapping[str, Any] | None = None
    """``requestContext.authorizer`` in format 2.0, where it is left out if there is none."""
    v1: Mapping[str, Any] = field(default_factory=lambda: {"claims": None, "scopes": None})
    identity: Mapping[str, Any] = field(default_factory=dict)
    """What format 1.0 tells in ``requestContext.identity``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What of an API, or which URL, a request arrived at."""

    api_id: str
    domain_name: str
    account_id: str
    path: str
    """As events tell it: an HTTP API decodes it, a function URL does not."""
    route_key: str = "$default"
    stage: str = "$default"
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of the route's path."""
    stage_variables: Mapping[str, str] = field(default_factory=dict)
    request_id: str

    @property
    def resource(self) -> str:
        """The route without its method."""
        return self.route_key.partition(" ")[2] or self.route_key


def event_v2(request: HttpRequest, place: Place, grant: Grant) -> Event:
    """Return ``request`` in payload format 2.0."""
    body, is_base64 = request.text(TEXTUAL)
    return {
        **_request_v2(request, place, grant),
        **({"body": body} if body else {}),
        "isBase64Encoded": is_base64,
    }


def event_v1(request: HttpRequest, place: Place, grant: Grant) -> Event:
    """Return ``request`` in payload format 1.0."""
    body, is_base64 = request.text(TEXTUAL)
    return {**_request_v1(request, place, grant), "body": body or None, "isBase64Encoded": is_base64}


def authorizer_event_v2(request: HttpRequest, place: Place, arn: str, identity: Sequence[str]) -> Event:
    """Return what an authorizer of format 2.0 gets to decide about ``request`` to the route ``arn``.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
    """
    asked = {"version": "2.0", "type": "REQUEST", "routeArn": arn, "identitySource": list(identity) or None}
    return {**_request_v2(request, place, Grant()), **asked}


def authorizer_event_v1(request: HttpRequest, place: Place, arn: str, identity: Sequence[str]) -> Event:
    """Return what an authorizer of format 1.0 gets."""
    token = ",".join(identity)
    asked = {"version": "1.0", "type": "REQUEST", "methodArn": arn, "identitySource": token}
    return {**_request_v1(request, place, Grant()), **asked, "authorizationToken": token}


def balancer_event(request: HttpRequest, target_group_arn: str, *, multi_value: bool) -> Event:
    """Return ``request`` as a load balancer tells it, whose query parameters are not decoded.

    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
    """
    body, is_base64 = request.text(TEXTUAL)
    headers, parameters = request.values, request.raw_parameters
    many: Event = {"multiValueHeaders": headers, "multiValueQueryStringParameters": parameters}
    if not multi_value:
        last = {name: values[-1] for name, values in headers.items()}
        many = {
            "headers": last,
            "queryStringParameters": {name: values[-1] for name, values in parameters.items()},
        }
    return {
        "requestContext": {"elb": {"targetGroupArn": target_group_arn}},
        "httpMethod": request.method,
        "path": request.path,
        **many,
        "body": body,
        "isBase64Encoded": is_base64,
    }


def time_of(request: HttpRequest) -> str:
    """Return when ``request`` came, as access logs write it: ``12/Mar/2020:19:03:58 +0000``."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(request.time_s))


def _request_v2(request: HttpRequest, place: Place, grant: Grant) -> Event:
    headers = {name: ",".join(values) for name, values in request.values.items() if name != "cookie"}
    # What a request has not is left out; only what is always there is always told.
    told = {
        "cookies": request.cookies,
        "queryStringParameters": {name: ",".join(values) for name, values in request.parameters.items()},
        "pathParameters": dict(place.parameters),
        "stageVariables": dict(place.stage_variables),
    }
    return {
        "version": "2.0",
        "routeKey": place.route_key,
        "rawPath": place.path,
        "rawQueryString": request.query,
        "headers": headers,
        **{name: value for name, value in told.items() if value},
        "requestContext": _context_v2(request, place, grant),
    }


def _context_v2(request: HttpRequest, place: Place, grant: Grant) -> Event:
    return {
        "accountId": place.account_id,
        "apiId": place.api_id,
        **({"authorizer": grant.v2} if grant.v2 is not None else {}),
        "domainName": place.domain_name,
        "domainPrefix": place.domain_name.partition(".")[0],
        "http": {
            "method": request.method,
            "path": place.path,
            "protocol": request.protocol,
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent") or "",
        },
        "requestId": place.request_id,
        "routeKey": place.route_key,
        "stage": place.stage,
        "time": time_of(request),
        "timeEpoch": int(request.time_s * 1000),
    }


def _request_v1(request: HttpRequest, place: Place, grant: Grant) -> Event:
    headers, parameters = request.values, request.parameters
    return {
        "version": "1.0",
        "resource": place.resource,
        "path": place.path,
        "httpMethod": request.method,
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        # The documentation's example tells of headers the last, and of parameters the first.
        "queryStringParameters": {name: values[0] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "requestContext": context_v1(request, place, grant),
        "pathParameters": dict(place.parameters) or None,
        "stageVariables": dict(place.stage_variables) or None,
    }


_IDENTITY = (
    "accessKey accountId caller cognitoAuthenticationProvider cognitoAuthenticationType cognitoIdentityId "
    "cognitoIdentityPoolId principalOrgId user userArn"
).split()


def context_v1(request: HttpRequest, place: Place, grant: Grant) -> Event:
    """Return ``requestContext`` of format 1.0, which also is what ``$context`` means in an API's expressions."""
    return {
        "accountId": place.account_id,
        "apiId": place.api_id,
        "authorizer": grant.v1,
        "domainName": place.domain_name,
        "domainPrefix": place.domain_name.partition(".")[0],
        "extendedRequestId": place.request_id,
        "httpMethod": request.method,
        "identity": {
            **dict.fromkeys(_IDENTITY),
            "sourceIp": request.source_ip,
            "userAgent": request.header("user-agent") or "",
            **grant.identity,
        },
        "path": place.path,
        "protocol": request.protocol,
        "requestId": place.request_id,
        "requestTime": time_of(request),
        "requestTimeEpoch": int(request.time_s * 1000),
        "resourceId": None,
        "resourcePath": place.resource,
        "stage": place.stage,
    }

"""What invokes a function over HTTP: routes and their API, a URL, a load balancer.

As in `triggers`: each is a table of a settings file, and the same keys in the hand-off.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated

from build.rules import quotas, values
from build.rules.rule import (
    Description,
    Flag,
    Kebab,
    Rule,
    Text,
    arn_of,
    between,
    distinct,
    one_of,
    refused,
    some_of,
    table,
)

_Texts = Annotated[tuple[Text, ...], distinct()]
_HealthCheck = Annotated[str, Rule(values.health_check_path, {"pattern": "^/"}, "such as `/health`")]


@table
class Throttle:
    """How many requests a route takes; more are answered 429."""

    rate_per_s: Annotated[int, between(1)]
    """Requests a second, on average"""
    burst: Annotated[int, between(1)]
    """Requests at once"""


@table
class Cors:
    """Which pages of other origins may call, as browsers ask before they do."""

    allow_origins: Annotated[tuple[Text, ...], distinct(1)]
    """Origins such as https://example.com, or *"""
    allow_methods: Annotated[tuple[str, ...], some_of(("*", *quotas.HTTP_METHODS[1:]))] = ("*",)
    """Methods, or *"""
    allow_headers: _Texts = ()
    """Headers a request may have"""
    expose_headers: _Texts = ()
    """Headers of the answer that a page may read"""
    allow_credentials: Flag = False
    """Whether cookies and credentials are sent; not with the origin *"""
    max_age_s: Annotated[int, between(0, 86_400)] = 0
    """Seconds a browser may remember the answer"""

    def __post_init__(self) -> None:
        if self.allow_credentials and "*" in self.allow_origins:
            raise refused("origins by name with allow_credentials, as browsers demand", "*")


@table
class Authorizer:
    """Who may call a route: the bearer of a token, or whom one of our functions lets in."""

    issuer: Text | None = None
    """Of the JSON Web Tokens: https://…"""
    audience: _Texts = ()
    """What a token must be meant for, one of these"""
    function: Kebab | None = None
    """Folder of the function that decides, instead of tokens"""
    identity: Annotated[tuple[Text, ...], distinct(1)] = ("$request.header.Authorization",)
    """Where the token is, or what the function's answer is remembered by"""
    ttl_s: Annotated[int, between(0, 3600)] = 0
    """Seconds the function's answer is remembered"""

    def __post_init__(self) -> None:
        if (self.issuer is None) == (self.function is None):
            raise refused("issuer and audience, or function", "neither" if self.issuer is None else "both")
        if self.issuer is not None and not self.audience:
            raise refused("an audience beside issuer", "none")
        if self.issuer is not None and len(self.identity) != 1:
            raise refused("one identity beside issuer: a token is in one place", str(len(self.identity)))


@table
class Domain:
    """The domain at which an env's HTTP API answers; its DNS record is yours."""

    name: Text
    """api.example.com"""
    certificate_arn: Annotated[str, arn_of("acm")]
    """Of AWS Certificate Manager, in the env's region"""
    path: Text = ""
    """First segment of the path that is this API's; empty for all"""


@table
class HttpApi:
    """What holds for all routes of an env's HTTP API."""

    cors: Cors | None = None
    throttle: Throttle | None = None
    authorizers: Mapping[str, Authorizer] = field(default_factory=dict)
    domain: Domain | None = None


@table
class HttpTrigger:
    """A route of the env's HTTP API."""

    route: Annotated[str, Rule(values.route, words="`METHOD /path` or `$default`")]
    """Which requests: the path may have {variables}, and a greedy {rest+} at its end; $default takes the rest"""
    authorizer: Text | None = None
    """One of [http_api.authorizers] of slipway.toml, or "iam"; left out, anybody may call"""
    scopes: _Texts = ()
    """Scopes a token must have, one of these"""
    throttle: Throttle | None = None
    """Requests this route takes, instead of the API's own bound"""

    def __post_init__(self) -> None:
        if self.scopes and self.authorizer in (None, "iam"):
            raise refused("scopes only with an authorizer that reads tokens", self.authorizer or "no authorizer")


@table
class UrlTrigger:
    """A URL of the function's own, without an API before it."""

    auth: Annotated[str, one_of(("iam", "none"))]
    """iam: callers sign their requests; none: anybody on the internet may call"""
    reason: Description | None = None
    """Why anybody may call; required with auth = "none\""""
    cors: Cors | None = None
    """Which pages of other origins may call"""
    streaming: Flag = False
    """Whether the answer is streamed"""

    def __post_init__(self) -> None:
        if self.auth == "none" and not self.reason:
            raise refused('reason = "…" with auth = "none", since anybody on the internet may call', "no reason")
        if self.cors and "OPTIONS" in self.cors.allow_methods:
            raise refused("other methods: a URL answers OPTIONS by itself", "OPTIONS")


@table
class LoadBalancerTrigger:
    """A target group of an Application Load Balancer, and the rule of a listener that sends requests to it."""

    name: Kebab
    """Name of the target group, after the function's own"""
    listener_arn: Annotated[str, arn_of("elasticloadbalancing")] | None = None
    """Of the listener that gets a rule; left out, the rule is yours"""
    priority: Annotated[int, between(*quotas.RULE_PRIORITY)] | None = None
    """Of the rule: the lowest that fits wins"""
    paths: _Texts = ()
    """Paths such as /orders/*; one of these"""
    hosts: _Texts = ()
    """Host names; one of these"""
    methods: Annotated[tuple[str, ...], some_of(quotas.HTTP_METHODS[1:], 0)] = ()
    """Methods; one of these"""
    multi_value_headers: Flag = False
    """Whether headers and query parameters come as lists"""
    health_check_path: _HealthCheck | None = None
    """Path that is asked whether the function is well; left out, it is not asked"""

    def __post_init__(self) -> None:
        conditions = bool(self.paths or self.hosts or self.methods)
        if bool(self.listener_arn) != bool(self.priority) or bool(self.listener_arn) != conditions:
            raise refused("listener_arn, priority and one of paths, hosts, methods together, or none of them", "a part")
        if len(self.paths) + len(self.hosts) + len(self.methods) > quotas.RULE_VALUES:
            raise refused(f"at most {quotas.RULE_VALUES} paths, hosts and methods together", "more")

"""Listeners of Application Load Balancers, as far as their rules lead to functions.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-rules.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from build.local.web.answers import HttpAnswer, balancer_answer
from build.local.web.callers import Callers, Failure
from build.local.web.events import balancer_event
from build.local.web.requests import HttpRequest

LIMIT_S = 900.0
MAX_BODY_BYTES = 1_048_576
"""Of a request, and of a function's answer."""


class Balancers:
    """Answers for all listeners, each looked up anew for every request."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers

    def answer(self, listener: Any, target_groups: Mapping[str, Any], request: HttpRequest) -> HttpAnswer:
        """Answer ``request`` to moto's ``listener``; to one that is gone, None, with 503."""
        rules = sorted(listener.rules.values(), key=_priority) if listener else []
        rule = next((each for each in rules if all(_met(condition, request) for condition in each.conditions)), None)
        action: dict[str, Any] = next((each.data for each in rule.actions), {}) if rule else {}
        match action.get("Type"):
            case "forward":
                return self._forwarded(target_groups.get(_target_group(action)), request)
            case "fixed-response":
                fixed = action.get("FixedResponseConfig") or {}
                headers = (("Content-Type", str(fixed.get("ContentType") or "text/plain")),)
                return HttpAnswer(
                    int(fixed.get("StatusCode", 200)), headers, str(fixed.get("MessageBody") or "").encode()
                )
            case _:
                return _page(503, "Service Temporarily Unavailable")

    def _forwarded(self, group: Any, request: HttpRequest) -> HttpAnswer:
        targets = list(group.targets) if group and group.target_type == "lambda" else []
        if not targets:
            return _page(503, "Service Temporarily Unavailable")
        if len(request.body) > MAX_BODY_BYTES:
            return _page(413, "Request Entity Too Large")
        multi_value = str(group.attributes.get("lambda.multi_value_headers.enabled")).lower() == "true"
        event = balancer_event(request, group.arn, multi_value=multi_value)
        answered = self._callers.call(targets[0], event, limit_s=LIMIT_S)
        if isinstance(answered, Failure) or len(answered) > MAX_BODY_BYTES:
            return _page(502, "Bad Gateway")
        return balancer_answer(answered, multi_value=multi_value) or _page(502, "Bad Gateway")


def _priority(rule: Any) -> int:
    return 100_000 if rule.is_default else int(rule.priority)


def _target_group(action: Mapping[str, Any], draw: Callable[[], float] = random.random) -> str:
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or [
        {"TargetGroupArn": action.get("TargetGroupArn")}
    ]
    weights = [float(each.get("Weight", 1)) for each in groups]
    left = draw() * sum(weights)
    for group, weight in zip(groups, weights, strict=True):
        left -= weight
        if left < 0:
            return str(group["TargetGroupArn"])
    return str(groups[-1]["TargetGroupArn"])


def _met(condition: Mapping[str, Any], request: HttpRequest) -> bool:
    """Tell whether one of a condition's values fits; of kinds that the settings cannot make, none does."""
    match condition.get("Field"):
        case "path-pattern":
            return _fits(_values(condition, "PathPatternConfig"), request.path)
        case "host-header":
            host = (request.header("host") or "").partition(":")[0]
            return _fits((value.lower() for value in _values(condition, "HostHeaderConfig")), host.lower())
        case "http-request-method":
            return request.method in _values(condition, "HttpRequestMethodConfig")
        case _:
            return False


def _values(condition: Mapping[str, Any], key: str) -> list[str]:
    return list((condition.get(key) or {}).get("Values") or condition.get("Values") or [])


def _fits(patterns: Iterable[str], text: str) -> bool:
    wild = (re.escape(each).replace(r"\*", ".*").replace(r"\?", ".") for each in patterns)
    return any(re.fullmatch(each, text, re.DOTALL) for each in wild)


def _page(status: int, words: str) -> HttpAnswer:
    title = f"{status} {words}"
    page = f"<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center></body>"
    return HttpAnswer(status, (("Content-Type", "text/html"),), f"<html>\r\n{page}\r\n</html>\r\n".encode())

"""Where HTTP APIs, function URLs and listeners answer: a loopback port each (docs/decisions/0017).

Who wants to know asks `Doors.entries`, which opens what is missing: whatever was made, by Terraform or by hand, is
found in moto, then and at every request.
"""

import sys
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from build.local.invoker import Invoker
from build.local.web.answers import HttpAnswer
from build.local.web.authorizers import Authorizers
from build.local.web.balancers import Balancers
from build.local.web.callers import Callers, function_of
from build.local.web.gateway import Gateway
from build.local.web.requests import HttpRequest
from build.local.web.routes import DEFAULT
from build.local.web.server import Respond, Server
from build.local.web.urls import Urls, arn_of

PORTS = range(20_000, 30_000)
"""One of these is preferred, always the same for the same name in the same checkout: below the ports that systems give
out, so that addresses stay good when the cloud starts anew."""

_Entry = tuple[str, str, str]
"""What is taken, the path to it, the function."""


@dataclass(frozen=True, slots=True)
class _Door:
    key: tuple[str, ...]
    kind: str
    name: str
    aws_url: str
    entries: tuple[_Entry, ...]
    respond: Respond


class Doors:
    """The ports, open as long as the process lives. Any number of threads may ask for them."""

    def __init__(self, root: Path, invoker: Invoker) -> None:
        """``root`` is the repository's."""
        self._root = root
        callers = self._callers = Callers(invoker)
        self._gateway = Gateway(callers, Authorizers(callers))
        self._urls = Urls(callers)
        self._balancers = Balancers(callers)
        self._lock = threading.Lock()
        self._open: dict[tuple[str, ...], Server] = {}

    def entries(self) -> list[dict[str, str]]:
        """Return what is reached where; open what has no port yet, and close what is gone."""
        with self._lock:
            wanted = [*self._apis(), *self._function_urls(), *self._listeners()]
            for key in self._open.keys() - {door.key for door in wanted}:
                self._open.pop(key).close()
            for door in wanted:
                if door.key not in self._open:
                    self._open[door.key] = Server(door.respond, self._preferred(door))
            return [
                {
                    "kind": door.kind,
                    "name": door.name,
                    "aws_url": door.aws_url,
                    "address": self._open[door.key].address,
                    "entry": entry,
                    "url": f"{self._open[door.key].address}{path}",
                    "function": function,
                }
                for door in wanted
                for entry, path, function in door.entries
            ]

    def _preferred(self, door: _Door) -> int:
        return PORTS[zlib.crc32(f"{self._root}:{door.kind}:{door.name}".encode()) % len(PORTS)]

    def _apis(self) -> Iterator[_Door]:
        for backend in _backends("moto.apigatewayv2.models", "apigatewayv2_backends"):
            for api in list(backend.apis.values()):
                if api.protocol_type == "HTTP":
                    entries = tuple(sorted(_route(api, route) for route in list(api.routes.values())))
                    respond = partial(self._of_api, backend, api.api_id)
                    yield _Door(("api", api.api_id), "http-api", api.name, api.api_endpoint, entries, respond)

    def _function_urls(self) -> Iterator[_Door]:
        for backend in _backends("moto.awslambda.models", "lambda_backends"):
            for function in list(backend.list_functions()):
                if config := function.url_config:
                    name = function.function_name
                    entries = (("URL", "/", _function(arn_of(config))),)
                    respond = partial(self._of_url, backend, name)
                    yield _Door(("url", backend.region_name, name), "function-url", name, config.url, entries, respond)

    def _listeners(self) -> Iterator[_Door]:
        for backend in _backends("moto.elbv2.models", "elbv2_backends"):
            for balancer in list(backend.load_balancers.values()):
                for listener in list(balancer.listeners.values()):
                    if entries := tuple(_rules(listener, backend.target_groups)):
                        aws_url = f"{listener.protocol.lower()}://{balancer.dns_name}:{listener.port}"
                        respond = partial(self._of_listener, backend, balancer.arn, listener.arn)
                        name = f"{balancer.name}:{listener.port}"
                        yield _Door(("listener", listener.arn), "load-balancer", name, aws_url, entries, respond)

    def _of_api(self, backend: Any, api_id: str, request: HttpRequest) -> HttpAnswer:
        return self._gateway.answer(backend.apis.get(api_id), request)

    def _of_url(self, backend: Any, name: str, request: HttpRequest) -> HttpAnswer:
        from moto.awslambda.exceptions import UnknownFunctionException

        try:
            return self._urls.answer(backend.get_function(name).url_config, request)
        except UnknownFunctionException:
            return self._urls.answer(None, request)

    def _of_listener(self, backend: Any, balancer_arn: str, arn: str, request: HttpRequest) -> HttpAnswer:
        balancer = backend.load_balancers.get(balancer_arn)
        listener = balancer.listeners.get(arn) if balancer else None
        return self._balancers.answer(listener, backend.target_groups, request)


def _backends(module: str, name: str) -> list[Any]:
    """Return a service's backends of all regions; none of a service nobody has used, whose import takes a second."""
    from build.local.front import ACCOUNT_ID

    loaded = sys.modules.get(module)
    return list(getattr(loaded, name)[ACCOUNT_ID].values()) if loaded else []


def _route(api: Any, route: Any) -> _Entry:
    integration = api.integrations.get((route.target or "").rpartition("/")[2])
    stages = list(api.stages)
    prefix = "" if DEFAULT in stages or not stages else f"/{stages[0]}"
    path = "/" if route.route_key == DEFAULT else route.route_key.partition(" ")[2]
    return route.route_key, f"{prefix}{path}", _function(integration.integration_uri or "") if integration else ""


def _rules(listener: Any, target_groups: dict[str, Any]) -> Iterator[_Entry]:
    for rule in list(listener.rules.values()):
        for action in (each.data for each in rule.actions):
            forward = (action.get("ForwardConfig") or {}).get("TargetGroups", [])
            for arn in [action.get("TargetGroupArn"), *(each["TargetGroupArn"] for each in forward)]:
                group = target_groups.get(arn)
                if group and group.target_type == "lambda":
                    yield from ((f"rule {rule.priority}", "/", _function(target)) for target in list(group.targets))


def _function(uri: str) -> str:
    name = function_of(uri)
    return name.name if name else ""

"""pytest fixtures for the tests of functions: they run the built artifact, not the source beside it.

`function` is the function whose folder the test lies in, built and unpacked, in an execution environment on a
Python of its runtime; `functions` gives others by name. `cloud` makes boto3 clients for the embedded cloud that such
functions see as AWS.
"""

import base64
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from json import dumps, loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from build.local.execution import Deployment, Pool
    from build.local.sources.clock import Fired
    from build.local.web.requests import HttpRequest
    from build.model import FunctionSpec, Workspace

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the function under test said."""

    payload: Any
    """Parsed JSON."""
    error: str | None
    """``Unhandled`` when the function failed, else None."""
    log: str
    """The last 4 KB it logged."""
    cold: bool
    """Whether an environment was started for it."""
    duration_ms: float
    """What is billed, but for the start."""
    init_ms: float | None
    """What the start took; None when warm."""
    max_memory_mb: int | None
    """Peak so far; None where this machine does not tell."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What a caller of the function's HTTP API got."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    reply: Reply | None
    """The function's own; None where no route of it takes the request."""

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return loads(self.body)


class FunctionUnderTest:
    """A built function that takes events. Several threads at once get environments of their own."""

    def __init__(self, spec: "FunctionSpec", deployment: "Deployment", endpoint: str) -> None:
        self._spec = spec
        self._deployment = deployment
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._pools: dict[tuple[tuple[str, str], ...], Pool] = {}

    def invoke(self, event: object, *, environment: Mapping[str, str] | None = None) -> Reply:
        """Run the handler with ``event``; other ``environment`` variables mean another, cold environment."""
        outcome = self._pool(environment or {}).invoke(dumps(event).encode())
        return Reply(
            payload=loads(outcome.payload),
            error=outcome.error,
            log=outcome.log_tail,
            cold=outcome.cold,
            duration_ms=outcome.duration_ms,
            init_ms=outcome.init_ms,
            max_memory_mb=outcome.max_memory_mb,
        )

    def http(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """Send a request as its HTTP API or URL would, in format 2.0, to the routes of its function.toml.

        ``path`` may have a query; ``json`` is a body with its content type. Authorizers are not asked.
        """
        from build.local.web.answers import answer_v2
        from build.local.web.authorizers import ERROR
        from build.local.web.gateway import NOT_FOUND
        from build.local.web.requests import HttpRequest

        given = {name.lower(): value for name, value in (headers or {}).items()}
        if json is not None:
            given, body = {"content-type": "application/json", **given}, dumps(json).encode()
        where, _, query = path.partition("?")
        request = HttpRequest(method=method, path=where, query=query, headers=tuple(given.items()), body=body)
        event, of_url = self._event(request)
        reply = None if event is None else self.invoke(event, environment=environment)
        payload = dumps(reply.payload).encode() if reply else b""
        answered = NOT_FOUND if reply is None else None if reply.error else answer_v2(payload, of_url=of_url)
        answered = answered or ERROR
        return HttpReply(
            answered.status, {name.lower(): value for name, value in answered.headers}, answered.body, reply
        )

    def cold_start(self) -> None:
        """Make the next invoke a cold one."""
        for pool in self._pools.values():
            pool.recycle()

    def close(self) -> None:
        """End its environments."""
        for pool in self._pools.values():
            pool.close()

    def _pool(self, environment: Mapping[str, str]) -> "Pool":
        from build.local.execution import Pool

        key = tuple(sorted(environment.items()))
        with self._lock:
            if key not in self._pools:
                deployment = replace(self._deployment, environment={**self._deployment.environment, **environment})
                self._pools[key] = Pool(deployment, root=_ROOT, endpoint=self._endpoint)
            return self._pools[key]

    def _event(self, request: "HttpRequest") -> "tuple[dict[str, Any] | None, bool]":
        """Return ``request`` as an event, None without a route for it; and whether its URL takes it, not an API."""
        from urllib.parse import unquote

        from build.local.web.events import Grant, Place, event_v2
        from build.local.web.routes import DEFAULT, chosen

        routes = [trigger.route for trigger in self._spec.triggers.http]
        of_url = not routes and self._spec.triggers.url is not None
        match = chosen([DEFAULT] if of_url else routes, request.method, request.path)
        if match is None:
            return None, of_url
        place = Place(
            api_id="test",
            domain_name=f"test.execute-api.{self._deployment.region}.amazonaws.com",
            account_id=self._deployment.account_id,
            path=request.path if of_url else unquote(request.path),
            route_key=match.key,
            parameters=match.parameters,
            request_id=base64.b64encode(secrets.token_bytes(11)).decode("ascii"),
        )
        return event_v2(request, place, Grant()), of_url


@dataclass(frozen=True, slots=True)
class CloudUnderTest:
    """The embedded cloud of one test run."""

    endpoint: str
    environ: Mapping[str, str]

    def client(self, service: str) -> Any:
        """Return a boto3 client of ``service``."""
        import boto3

        session = boto3.session.Session(
            aws_access_key_id=self.environ["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environ["AWS_SECRET_ACCESS_KEY"],
            region_name=self.environ["AWS_REGION"],
        )
        return session.client(service, endpoint_url=self.endpoint)

    def advance(self, by: timedelta) -> "tuple[Fired, ...]":
        """Advance the cloud's clock; return what schedules and rules sent meanwhile, in order."""
        from build.local.sources.clock import advance

        return advance(self.endpoint, by).fired


Built = Callable[[str], "tuple[FunctionSpec, Deployment]"]


@pytest.fixture(scope="session")
def built() -> Built:
    """Give a function that builds a function of the repository once in this run, with its layers."""
    from build.project.discovery import discover

    whole = discover(_ROOT, "local")
    made: dict[str, tuple[FunctionSpec, Deployment]] = {}

    def build(name: str) -> "tuple[FunctionSpec, Deployment]":
        if name not in made:
            made[name] = _made(whole, name)
        return made[name]

    return build


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudUnderTest]:
    """Start an embedded cloud for this run alone; the one that `invoke deploy` uses is not touched."""
    from build.local import cloud as embedded
    from build.project.discovery import discover

    root = tmp_path_factory.mktemp("cloud")
    running, _ = embedded.ensure(root)
    try:
        yield CloudUnderTest(running.endpoint, embedded.environ(running, discover(_ROOT, "local").env))
    finally:
        embedded.stop(root)


@pytest.fixture(scope="module")
def functions(built: Built, cloud: CloudUnderTest) -> Iterator[Callable[[str], FunctionUnderTest]]:
    """Give functions by the names of their folders."""
    made: dict[str, FunctionUnderTest] = {}

    def function(name: str) -> FunctionUnderTest:
        if name not in made:
            made[name] = FunctionUnderTest(*built(name), cloud.endpoint)
        return made[name]

    try:
        yield function
    finally:
        for each in made.values():
            each.close()


@pytest.fixture(scope="module")
def function(request: pytest.FixtureRequest, functions: Callable[[str], FunctionUnderTest]) -> FunctionUnderTest:
    """Give the function in whose folder the test lies."""
    return functions(_function_name(request.path))


def _function_name(test: Path) -> str:
    folders = _ROOT / "functions"
    if not test.is_relative_to(folders):
        msg = f"the fixture `function` is for tests below functions/<name>/, not for {test}; `functions` is for all"
        raise pytest.UsageError(msg)
    return test.relative_to(folders).parts[0]


def _made(whole: "Workspace", name: str) -> "tuple[FunctionSpec, Deployment]":
    """Build function ``name`` with its layers, unpack it, and describe the result as Lambda would run it."""
    from build.imaging import Grounds, deployment_of
    from build.locking.locks import read_locks
    from build.packaging.assemble import build_workspace
    from build.report import Reporter
    from build.store.objects import Store

    spec = next((each for each in whole.functions if each.name == name), None)
    if spec is None:
        known = ", ".join(each.name for each in whole.functions)
        raise pytest.UsageError(f"there is no function `{name}`; known: {known}")
    workspace = replace(whole, functions=(spec,), layers=tuple(e for e in whole.layers if e.name in spec.layers))
    grounds = Grounds(workspace, Store(workspace.generated / "store"), Reporter())
    obstacle = grounds.obstacle(spec)
    if obstacle:
        pytest.skip(f"{spec.identity}: {obstacle}")
    locks, store = read_locks(workspace), grounds.store
    made = build_workspace(workspace, locks, store, on_progress=lambda _: None, base_of=grounds.base_of)
    return spec, replace(deployment_of(spec, made, grounds), version="1")

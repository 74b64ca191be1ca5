"""pytest fixtures for the tests of functions: they run the built artifact, not the source beside it.

`function` is the function whose folder the test lies in, built and unpacked, in an execution environment on a
Python of its runtime. `cloud` makes boto3 clients for the embedded cloud that such a function sees as AWS.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from build.local.execution import Deployment, Pool

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


class FunctionUnderTest:
    """A built function that takes events."""

    def __init__(self, deployment: "Deployment", endpoint: str) -> None:
        self._deployment = deployment
        self._endpoint = endpoint
        self._pools: dict[tuple[tuple[str, str], ...], Pool] = {}

    def invoke(self, event: object, *, environment: Mapping[str, str] | None = None) -> Reply:
        """Run the handler with ``event``; other ``environment`` variables mean another, cold environment."""
        outcome = self._pool(environment or {}).invoke(json.dumps(event).encode())
        return Reply(payload=json.loads(outcome.payload), error=outcome.error, log=outcome.log_tail)

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
        if key not in self._pools:
            deployment = replace(self._deployment, environment={**self._deployment.environment, **environment})
            self._pools[key] = Pool(deployment, root=_ROOT, endpoint=self._endpoint)
        return self._pools[key]


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
def function(request: pytest.FixtureRequest, cloud: CloudUnderTest) -> Iterator[FunctionUnderTest]:
    """Build the function in whose folder the test lies, and run it."""
    under_test = FunctionUnderTest(_deployment(_function_name(request.path)), cloud.endpoint)
    try:
        yield under_test
    finally:
        under_test.close()


def _function_name(test: Path) -> str:
    folders = _ROOT / "functions"
    if not test.is_relative_to(folders):
        msg = f"the fixture `function` is for tests below functions/<name>/, not for {test}"
        raise pytest.UsageError(msg)
    return test.relative_to(folders).parts[0]


def _deployment(name: str) -> "Deployment":
    """Build function ``name`` with its layers, unpack it, and describe the result as Lambda would run it."""
    from build.imaging import Grounds, deployment_of
    from build.locking.locks import read_locks
    from build.packaging.assemble import build_workspace
    from build.project.discovery import discover
    from build.report import Reporter
    from build.store.objects import Store

    whole = discover(_ROOT, "local")
    (spec,) = (each for each in whole.functions if each.name == name)
    workspace = replace(whole, functions=(spec,), layers=tuple(e for e in whole.layers if e.name in spec.layers))
    grounds = Grounds(workspace, Store(workspace.generated / "store"), Reporter())
    obstacle = grounds.obstacle(spec)
    if obstacle:
        pytest.skip(f"{spec.identity}: {obstacle}")
    locks, store = read_locks(workspace), grounds.store
    made = build_workspace(workspace, locks, store, on_progress=lambda _: None, base_of=grounds.base_of)
    return replace(deployment_of(spec, made, grounds), version="1")

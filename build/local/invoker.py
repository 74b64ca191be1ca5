"""From a function as moto holds it to its environments: names, versions, aliases with weights, and limits."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from build.digest import Digest
from build.errors import SlipwayError
from build.local import unpack
from build.local.alias_mends import event_invoke_config_of
from build.local.asynchronous import MAX_AGE_S, RETRY_DELAYS_S, Answered, Event, Events, Settings
from build.local.containers import contained
from build.local.deployment import Deployment, Initialised, LogFormat, LogSink
from build.local.destinations import Sender
from build.local.execution import MAX_ENVIRONMENTS, Pool, checked
from build.local.function_names import FunctionName
from build.local.images import Depot
from build.local.lambda_mends import logging_config_of
from build.local.metrics import Metrics
from build.local.overlays import Code, Overlays, Swapped, versions_of
from build.local.pulled import Images
from build.local.refusals import MAX_ASYNC_REQUEST_BYTES, NotRunnableError, RefusalError, TooManyRequestsError
from build.model import Runtime
from build.options import ImageConfig
from build.project.profiles import RUNTIMES
from build.release.schedule import ALIAS

ACCOUNT_LIMIT = 1000
"""Environments at once that AWS allows an account before anyone asks for more; what a function may reserve at most."""


class Invoker:
    """Runs deployed functions. Any number of threads may call it."""

    def __init__(
        self, root: Path, *, endpoint: str, sink: LogSink, scratch: Path, metrics: Metrics, depot: Depot
    ) -> None:
        self._root = root
        self._metrics = metrics
        self._images = Images(depot, root / ".artifacts")
        self._endpoint = endpoint
        self._sink = sink
        self._scratch = scratch
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, str], Pool] = {}
        self._running: Counter[str] = Counter()
        self._last: dict[str, bytes] = {}
        self._starting: Future[Initialised] | None = None
        self._events = Events(self.invoke, Sender(endpoint).send)
        self.overlays = Overlays()

    def invoke(
        self,
        function: FunctionName,
        event: bytes,
        *,
        request_id: str | None = None,
        client_context: str | None = None,
        trace: str = "",
    ) -> Answered:
        """Run ``function`` with ``event`` and wait. Raises RefusalError; moto's own error for an unknown function."""
        found = _resolve(function)
        version = str(found.version)
        self._last[_unqualified(function)] = event
        try:
            with self._counted(function, found):
                outcome = self._pool(found).invoke(
                    event, request_id=request_id, invoked_arn=function.arn, client_context=client_context, trace=trace
                )
        except TooManyRequestsError:
            self._metrics.throttled(function, version)
            raise
        except RefusalError:
            raise
        except SlipwayError as why:
            raise NotRunnableError(why.summary, facts=why.facts, hint=why.hint) from None
        self._metrics.invoked(function, version, failed=bool(outcome.error), duration_ms=outcome.duration_ms)
        return Answered(version, outcome)

    def invoke_later(self, function: FunctionName, event: bytes, *, request_id: str) -> None:
        """Take ``event``, and run ``function`` with it in the background: see `asynchronous` and `destinations`."""
        checked(event, limit=MAX_ASYNC_REQUEST_BYTES)
        settings = _settings(function, _resolve(function))
        self._events.take(Event(function=function, payload=event or b"{}", request_id=request_id, settings=settings))

    def check(self, function: FunctionName, event: bytes) -> None:
        """Raise what `invoke` would raise without running anything: a dry run."""
        checked(event, limit=MAX_ASYNC_REQUEST_BYTES)
        _resolve(function)

    def last_event(self, function: FunctionName) -> bytes | None:
        """Return what ``function`` was invoked with last, by whom ever; None if it was not yet."""
        return self._last.get(_unqualified(function))

    def swap(self, function: FunctionName, code: Code) -> Swapped:
        """Let ``code`` run in place of what callers of ``live``, and of nothing in particular, reach.

        Environments of what ran before end once they have answered.
        """
        backend = _backend(function)
        live = next(iter(versions_of(function.name, backend)), "")
        if not live:
            return Swapped.MISSING
        found = backend.get_function(function.name, live)
        if not code.fits(found):
            return Swapped.UNLIKE
        before, is_deployed = self.overlays.of(found, backend), code.runs(found)
        if before == code or (is_deployed and before is None):
            return Swapped.UNCHANGED
        deployment_of(found, self._root / ".artifacts", self._images, code, like=before)  # before anybody asks for it
        self.overlays.put(function.name, backend, None if is_deployed else code)
        pool = self._pool(found)
        if self._starting is None or self._starting.done():  # of many, the rest are asked for one by one
            self._starting = pool.warm()
        return Swapped.DEPLOYED if is_deployed else Swapped.SWAPPED

    def warm(self, function: FunctionName) -> Initialised:
        """Start an environment of the version behind ``live``, which the next event finds hot; raise as `invoke`."""
        return self._pool(_resolve(replace(function, qualifier=ALIAS))).warm().result()

    def sweep(self) -> None:
        """End environments that were idle for long, and those of functions that are gone."""
        with self._lock:
            pools = dict(self._pools)
        for key, pool in pools.items():
            if _exists(pool.deployment):
                pool.sweep()
                continue
            with self._lock:
                self._pools.pop(key, None)
            pool.retire()

    def close(self) -> None:
        """End everything that runs."""
        self._events.close()
        for pool in list(self._pools.values()):
            pool.close()

    @contextmanager
    def _counted(self, function: FunctionName, found: Any) -> Iterator[None]:
        reserved = _backend(function).get_function(function.name).reserved_concurrency
        limit = MAX_ENVIRONMENTS if reserved is None else int(reserved)
        key = f"{function.account_id}:{function.region}:{found.function_name}"
        with self._lock:
            if self._running[key] >= limit:
                raise TooManyRequestsError(limit=limit, reserved=reserved is not None)
            self._running[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[key] -= 1

    def _pool(self, found: Any) -> Pool:
        backend = _lambda_backends()[found.account_id][found.region]
        code = self.overlays.of(found, backend)
        deployment = deployment_of(found, self._root / ".artifacts", self._images, code)
        key = (deployment.arn, deployment.version)
        with self._lock:
            old = self._pools.get(key)
            if old and old.deployment == deployment:
                return old
            pool = self._pools[key] = Pool(
                deployment,
                root=self._root,
                endpoint=self._endpoint,
                sink=self._sink,
                scratch=self._scratch,
                limit=ACCOUNT_LIMIT,
            )
        if old:
            old.retire()
        return pool


def deployment_of(
    function: Any, generated: Path, images: Images, code: Code | None = None, *, like: Code | None = None
) -> Deployment:
    """Unpack what moto's ``function`` consists of and return it ready to run, or with ``code`` in place of its own.

    ``like`` is what ran before that.
    """
    logging_config = logging_config_of(function)
    described = Deployment(
        function_name=function.function_name,
        version=str(function.version),
        runtime=None,
        handler="",
        task_root=generated,
        environment={**function.environment_vars, **(code.variables if code else {})},
        timeout_s=int(function.timeout),
        memory_mb=int(function.memory_size),
        ephemeral_storage_mb=int(function.ephemeral_storage),
        log_group=logging_config["LogGroup"],
        log_format=LogFormat(logging_config["LogFormat"]),
        log_level=logging_config.get("ApplicationLogLevel"),
        system_log_level=logging_config.get("SystemLogLevel"),
        region=function.region,
        account_id=function.account_id,
    )
    if function.package_type == "Image":
        said = function.image_config
        config = ImageConfig(
            entry_point=tuple(said.entry_point or ()),
            command=tuple(said.cmd or ()),
            working_directory=said.working_directory or None,
        )
        return contained(described, *images.of(code.image if code else str(function.code["ImageUri"])), config)
    if function.run_time not in map(str, RUNTIMES):
        raise NotRunnableError(
            f"{function.function_name} has the runtime {function.run_time}, and this embedded cloud runs Python only",
            facts=[f"known: {', '.join(map(str, RUNTIMES))}"],
            hint="set one of these as `runtime` in its function.toml",
        )
    own, layers = _archive(function), tuple(map(_archive, function.layer_versions))
    earlier = (like.archive(generated), like.archives(layers, generated)) if like else (own, layers)
    now = (code.archive(generated), code.archives(layers, generated)) if code else (own, layers)
    return replace(
        described,
        runtime=Runtime.parse(function.run_time),
        handler=function.handler,
        task_root=unpack.task_root(generated, now[0], like=earlier[0]),
        opt=unpack.opt(generated, now[1], like=earlier[1]),
    )


def chosen_version(primary: str, weights: dict[str, float], draw: Callable[[], float] = random.random) -> str:
    """Return the version an alias leads to this time: each of ``weights`` with its share, else ``primary``."""
    left = draw()
    for version, weight in weights.items():
        left -= weight
        if left < 0:
            return version
    return primary


def _resolve(function: FunctionName) -> Any:
    """Return moto's function of the version that ``function`` leads to."""
    backend = _backend(function)
    found = backend.get_function(function.name, function.qualifier)
    alias = next((a for a in backend.list_aliases(function.name) if a.name == function.qualifier), None)
    if alias is None:
        return found
    weights = (alias.routing_config or {}).get("AdditionalVersionWeights") or {}
    return backend.get_function(function.name, chosen_version(alias.function_version, weights))


def _exists(deployment: Deployment) -> bool:
    from moto.awslambda.exceptions import UnknownFunctionException

    try:
        _lambda_backends()[deployment.account_id][deployment.region].get_function(
            deployment.function_name, deployment.version
        )
    except UnknownFunctionException:
        return False
    return True


def _settings(function: FunctionName, found: Any) -> Settings:
    """Return what holds for events of ``function``; dead letters go where ``found``, the version behind it, says."""
    latest = _backend(function).get_function(function.name)
    config = event_invoke_config_of(latest, function.qualifier)
    destinations = config.get("DestinationConfig") or {}
    dead_letters = getattr(found, "dropped", {}).get("DeadLetterConfig") or {}
    return Settings(
        retries=int(config.get("MaximumRetryAttempts", len(RETRY_DELAYS_S))),
        max_age_s=float(config.get("MaximumEventAgeInSeconds", MAX_AGE_S)),
        on_success=(destinations.get("OnSuccess") or {}).get("Destination"),
        on_failure=(destinations.get("OnFailure") or {}).get("Destination"),
        dead_letters=dead_letters.get("TargetArn"),
    )


def _archive(code: Any) -> unpack.Archive:
    return unpack.Archive(Digest.parse(code.code_digest), code.code_bytes)


def _unqualified(function: FunctionName) -> str:
    return replace(function, qualifier=None).arn


def _backend(function: FunctionName) -> Any:
    return _lambda_backends()[function.account_id][function.region]


def _lambda_backends() -> Any:
    from moto.awslambda.models import lambda_backends

    return lambda_backends

"""Run a function's code as Lambda does: environments that start cold, stay warm, and work side by side."""

import json
import threading
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from build.local.deployment import Deployment, Initialised, LogFormat, LogSink, Outcome, discard
from build.local.environment import ExecutionEnvironment, Invocation
from build.local.refusals import MAX_REQUEST_BYTES, NotJsonError, RequestTooLargeError, TooManyRequestsError

__all__ = ["IDLE_S", "MAX_ENVIRONMENTS", "Deployment", "LogFormat", "Outcome", "Pool"]

MAX_ENVIRONMENTS = 50
"""At once, for a function that reserves none. An account has 1,000, a developer's machine has not."""
IDLE_S = 300.0
"""How long a warm environment is kept. Lambda does not say; minutes are what people see."""
_CLOSED_AT_ONCE = 32


class Pool:
    """The execution environments of one `Deployment`. Any number of threads may invoke."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        root: Path,
        endpoint: str | None = None,
        sink: LogSink = discard,
        scratch: Path | None = None,
        limit: int = MAX_ENVIRONMENTS,
    ) -> None:
        """``root`` is the repository's, where the runtime's own distributions are kept (see `runtime_bundle`).

        ``endpoint`` is what the function sees as AWS, ``sink`` gets its log, ``scratch`` holds temporary folders,
        ``limit`` is how many environments there may be at once.
        """
        self.deployment = deployment
        self._root = root
        self._endpoint = endpoint
        self._sink = sink
        self._scratch = scratch
        self._limit = limit
        self._lock = threading.Lock()
        self._idle: list[tuple[float, ExecutionEnvironment]] = []
        self._busy: set[ExecutionEnvironment] = set()
        self._retired: set[ExecutionEnvironment] = set()
        self._closed = False
        self._ahead: Future[Initialised] | None = None
        self._is_awaited = False

    def invoke(
        self,
        event: bytes,
        *,
        request_id: str | None = None,
        invoked_arn: str | None = None,
        client_context: str | None = None,
        trace: str = "",
    ) -> Outcome:
        """Run the function with ``event`` (JSON; nothing counts as ``{}``) and wait for its answer.

        Raises RequestTooLargeError, NotJsonError, TooManyRequestsError, and ToolError when there is no Python of the
        function's minor version or the runtime's own distributions cannot be fetched.
        """
        checked(event, limit=MAX_REQUEST_BYTES)
        invocation = Invocation(
            request_id=request_id or str(uuid.uuid4()),
            event=event or b"{}",
            invoked_arn=invoked_arn or self.deployment.arn,
            client_context=client_context,
            trace=trace,
        )
        environment = self._take()
        try:
            return environment.invoke(invocation)
        finally:
            self._give_back(environment)

    def warm(self) -> Future[Initialised]:
        """Begin, unless that was done, to start an environment ahead of any event; the next one waits for it.

        The result raises as `invoke` does. If the pool retires meanwhile, the environment goes.
        """
        with self._lock:
            if self._ahead is None:
                self._ahead = Future()
                environment = self._new()
                threading.Thread(target=self._warm, args=(environment, self._ahead), daemon=True).start()
            return self._ahead

    def recycle(self) -> None:
        """End the warm environments, and the busy ones once they have answered, so that the next invoke is cold."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._retired |= self._busy
        _close(environment for _, environment in idle)

    def sweep(self, idle_s: float = IDLE_S) -> None:
        """End environments that have been idle for ``idle_s`` or longer."""
        oldest = time.monotonic() - idle_s
        with self._lock:
            stale = [environment for since, environment in self._idle if since <= oldest]
            self._idle = [(since, environment) for since, environment in self._idle if since > oldest]
        _close(stale)

    def retire(self) -> None:
        """Take no more events; what runs may end."""
        self._closed = True
        self.recycle()

    def close(self) -> None:
        """End all environments at once, busy ones too."""
        self.retire()
        with self._lock:
            busy = list(self._busy)
        for environment in busy:
            environment.kill()

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that run."""
        with self._lock:
            environments = [*self._busy, *(environment for _, environment in self._idle)]
        return tuple(environment.pid for environment in environments if environment.pid)

    def _warm(self, environment: ExecutionEnvironment, ahead: Future[Initialised]) -> None:
        try:
            started = environment.warm()
        except BaseException as reason:
            self._give_back(environment)
            ahead.set_exception(reason)
        else:
            self._give_back(environment)
            ahead.set_result(started)

    def _wait_for_one_ahead(self) -> None:
        """Wait for an environment that starts ahead, unless one is idle or somebody waits for it already."""
        with self._lock:
            ahead = self._ahead
            if self._idle or ahead is None or ahead.done() or self._is_awaited:
                return
            self._is_awaited = True
        wait([ahead])

    def _take(self) -> ExecutionEnvironment:
        self._wait_for_one_ahead()
        with self._lock:
            while self._idle:
                _, environment = self._idle.pop()
                if environment.usable:
                    self._busy.add(environment)
                    return environment
                environment.close()
            if len(self._busy) >= self._limit:
                raise TooManyRequestsError(limit=self._limit, reserved=False)
            return self._new()

    def _new(self) -> ExecutionEnvironment:
        environment = ExecutionEnvironment(
            self.deployment, root=self._root, scratch=self._scratch, endpoint=self._endpoint, sink=self._sink
        )
        self._busy.add(environment)
        return environment

    def _give_back(self, environment: ExecutionEnvironment) -> None:
        with self._lock:
            self._busy.discard(environment)
            wanted = environment.usable and not self._closed and environment not in self._retired
            self._retired.discard(environment)
            if wanted:
                self._idle.append((time.monotonic(), environment))
        if not wanted:
            environment.close()


def _close(environments: Iterable[ExecutionEnvironment]) -> None:
    """End them all at once: where extensions do not end by themselves, each takes 2 s."""
    with ThreadPoolExecutor(max_workers=_CLOSED_AT_ONCE, thread_name_prefix="closing") as threads:
        list(threads.map(ExecutionEnvironment.close, environments))


def checked(event: bytes, *, limit: int) -> None:
    """Raise what Lambda raises for an event that is too large or not JSON."""
    if len(event) > limit:
        raise RequestTooLargeError(limit=limit, size=len(event))
    try:
        json.loads(event or b"{}")
    except ValueError as why:
        raise NotJsonError(str(why)) from None

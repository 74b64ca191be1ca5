"""One execution environment: a worker, its temporary folder, and Lambda's rules for what happens in it.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import json
import os
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from build.local import function_logs, sandbox
from build.local.deployment import Deployment, Ending, Initialised, LogFormat, LogLine, LogSink, Outcome
from build.local.function_logs import Report
from build.local.launch import Launch, Launcher
from build.local.runtime_api import Request
from build.local.worker import Exited, Worker

INIT_LIMIT_S = 10.0
"""Then Lambda starts initialisation over, on the function's own time:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""
_STARTING = BoundedSemaphore(8 * (os.cpu_count() or 1))
"""More at once would only keep each other from the processors, until all are beyond the limit."""
MAX_RESPONSE_BYTES = 6_291_556
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, and 100 bytes that Lambda adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One event on its way to a function."""

    request_id: str
    event: bytes
    """JSON."""
    invoked_arn: str
    """As the caller named the function, with version or alias."""
    client_context: str | None = None
    """JSON."""
    trace: str = ""
    """X-Amzn-Trace-Id, as the caller gave it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """How the worker left an invocation."""

    payload: bytes
    how: Ending = Ending.SUCCESS
    error_type: str | None = None
    fatal: bool = False
    """The environment is of no more use."""


class ExecutionEnvironment:
    """Starts its worker with the first event, or ahead of it. One thread at a time may use it."""

    def __init__(
        self, deployment: Deployment, *, root: Path, scratch: Path | None, endpoint: str | None, sink: LogSink
    ) -> None:
        """``scratch`` is where its temporary folder is made; None is the host's own place for that."""
        self._deployment = deployment
        self._sink = sink
        self._platform = function_logs.PlatformLog(deployment)
        self._worker: Worker | None = None
        self._tail: list[str] = []
        self._launcher = Launcher(deployment, root=root, scratch=scratch, endpoint=endpoint)
        self._launch: Launch | None = None
        day = datetime.now(UTC).strftime("%Y/%m/%d")
        self._stream = f"{day}/[{deployment.version}]{uuid.uuid4().hex}"

    @property
    def usable(self) -> bool:
        """True while a warm invocation is possible."""
        return self._worker is not None and self._worker.alive

    @property
    def pid(self) -> int | None:
        """Of the worker, while there is one."""
        return self._worker.pid if self._worker else None

    def invoke(self, invocation: Invocation) -> Outcome:
        """Run the function with one event. If it timed out or crashed, the environment is `usable` no longer."""
        self._tail = []
        cold = self._worker is None
        init_ms: float | None = None
        ending: _Ending | None = None
        began = time.monotonic()
        if cold:
            ending, init_ms = self._begin(invocation)
        if init_ms is not None:
            began = time.monotonic()
        self._log(*self._platform.start(invocation.request_id))
        deadline = began + self._deployment.timeout_s
        ending = ending or self._run(invocation, deadline)
        elapsed_ms = (time.monotonic() - began) * 1000
        limit_ms = self._deployment.timeout_s * 1000.0
        duration_ms = limit_ms if ending.how is Ending.TIMEOUT else elapsed_ms
        if not ending.fatal:
            self._freeze(deadline)
        return self._reported(invocation, ending, cold=cold, init_ms=init_ms, duration_ms=duration_ms)

    def warm(self) -> Initialised:
        """Start the worker ahead of its first event, for which it is hot then; if that fails, it is not `usable`."""
        began = time.monotonic()
        ending, init_ms = self._begin(Invocation(request_id=str(uuid.uuid4()), event=b"", invoked_arn=""))
        assert self._worker
        if ending:
            self._worker.close()
        else:
            self._worker.freeze()
        ms = init_ms if init_ms is not None else (time.monotonic() - began) * 1000
        error = ending.payload.decode("utf-8", "replace") if ending else ""
        return Initialised(ms=ms, error=error, log=function_logs.tail_of(self._tail))

    def kill(self) -> None:
        """End the worker from another thread; the one that invokes then hears that it exited."""
        if self._worker:
            self._worker.kill()

    def close(self) -> None:
        """End the worker, whatever it does, and remove its temporary folder."""
        if self._worker:
            self._worker.close()
            self._log(*self._worker.printed())
        self._launcher.clean()

    def _begin(self, invocation: Invocation) -> tuple[_Ending | None, float | None]:
        note = self._launcher.prepare()  # before the clock starts: it may download
        self._log(*self._platform.init(), *filter(None, [note]))
        return self._initialise(invocation)

    def _initialise(self, invocation: Invocation) -> tuple[_Ending | None, float | None]:
        """Start the worker; return how it failed, and the ms until it asked for an event where they count apart."""
        with _STARTING:
            began = time.monotonic()
            self._worker = self._started()
            limit_s = INIT_LIMIT_S if self._deployment.tool is None else self._deployment.timeout_s
            said = self._hear(self._worker, began + limit_s)
        if said is not None:
            init_ms = (time.monotonic() - began) * 1000
            self._log(*self._worker.printed(), *self._platform.extensions(self._worker.extensions))
            return self._unready(said, invocation), init_ms
        self._log(*self._worker.printed(), f"INIT_REPORT Init Duration: {INIT_LIMIT_S * 1000:.2f} ms\tStatus: timeout")
        self._worker.close()
        self._worker = self._started()
        said = self._hear(self._worker, time.monotonic() + self._deployment.timeout_s)
        return self._unready(said, invocation), None

    def _unready(self, said: Request | Exited | None, invocation: Invocation) -> _Ending | None:
        assert self._worker
        match said:
            case Request(path="invocation/next"):
                gone = self._worker.settled()
                return self._broken(gone, invocation) if gone else None
            case Request():  # init/error
                self._worker.answer(202, {})
                payload = json.dumps({**_told(said.body), "requestId": invocation.request_id}).encode()
                kind = said.headers.get("lambda-runtime-function-error-type", "Runtime.Unknown")
                return _Ending(payload=payload, how=Ending.BROKEN, error_type=kind, fatal=True)
            case _:
                return self._broken(said, invocation)

    def _run(self, invocation: Invocation, deadline: float) -> _Ending:
        worker = self._worker
        assert worker
        worker.thaw()
        worker.answer(200, self._headers(invocation, deadline), invocation.event)
        said = self._hear(worker, deadline)
        if isinstance(said, Request):
            said = worker.settled() or said
        if not isinstance(said, Request):
            return self._broken(said, invocation)
        worker.answer(202, {})
        if said.path.endswith("/error"):
            kind = said.headers.get("lambda-runtime-function-error-type")
            return _Ending(payload=said.body, how=Ending.ERROR, error_type=kind)
        if len(said.body) > MAX_RESPONSE_BYTES:
            kind = "Function.ResponseSizeTooLarge"
            message = (
                f"Response payload size ({len(said.body)} bytes) exceeded maximum allowed payload size "
                f"({MAX_RESPONSE_BYTES} bytes)."
            )
            return _Ending(payload=_error(message, kind), how=Ending.BROKEN, error_type=kind)
        return _Ending(payload=said.body)

    def _freeze(self, deadline: float) -> None:
        """Wait until the worker is done with everything and asks for the next event; then nothing of it runs."""
        assert self._worker
        if not isinstance(self._hear(self._worker, deadline), Request):
            self._worker.close()
        elif self._deployment.tool is None:
            self._worker.freeze()

    def _hear(self, worker: Worker, deadline: float) -> Request | Exited | None:
        """Return what concerns the invocation; a worker may ask for parts of the API that are not there."""
        while True:
            said = worker.wait(deadline, meanwhile=lambda: self._log(*worker.lines()))
            if not isinstance(said, Request) or said.path.startswith(("invocation/", "init/")):
                return said
            worker.answer(404, {})

    def _broken(self, said: Exited | Request | None, invocation: Invocation) -> _Ending:
        """Lambda's words for a worker that ended, or that took too long; then it is ended."""
        assert self._worker
        if isinstance(said, Exited):
            ended = Exited(sandbox.exit_code(said.code)) if self._launch and self._launch.boxed else said
            message = f"RequestId: {invocation.request_id} Error: {ended.reason}"
            payload = _error(message, "Runtime.ExitError")
            kind = "Runtime.OutOfMemory" if said.out_of_memory else "Runtime.ExitError"
            ending = _Ending(payload=payload, how=Ending.BROKEN, error_type=kind, fatal=True)
            line = f"{message}\nRuntime.ExitError"
        else:
            limit = f"{self._deployment.timeout_s:.2f} seconds"
            line = f"{function_logs.timestamp()} {invocation.request_id} Task timed out after {limit}"
            ending = _Ending(payload=json.dumps({"errorMessage": line}).encode(), how=Ending.TIMEOUT, fatal=True)
        self._log(*self._worker.printed())
        if self._deployment.log_format is LogFormat.TEXT:
            self._log(line)
        return ending

    def _reported(
        self, invocation: Invocation, ending: _Ending, *, cold: bool, init_ms: float | None, duration_ms: float
    ) -> Outcome:
        assert self._worker
        used = self._worker.max_memory_mb
        memory = used and min(used, self._deployment.memory_mb)  # files count for the one and not for the other
        self._log(*self._worker.printed())
        if ending.fatal:
            self._worker.close()
        report = Report(
            request_id=invocation.request_id,
            duration_ms=duration_ms,
            init_ms=init_ms,
            max_memory_mb=memory,
            status="error" if ending.how is Ending.BROKEN else ending.how,
            error_type=ending.error_type,
        )
        self._log(*self._platform.end(report))
        return Outcome(
            payload=ending.payload,
            error=None if ending.how is Ending.SUCCESS else "Unhandled",
            ending=ending.how,
            log_tail=function_logs.tail_of(self._tail),
            request_id=invocation.request_id,
            cold=cold,
            init_ms=init_ms,
            duration_ms=duration_ms,
            max_memory_mb=memory,
        )

    def _headers(self, invocation: Invocation, deadline: float) -> dict[str, str]:
        deadline_ms = int((time.time() + deadline - time.monotonic()) * 1000)
        given = dict(part.strip().split("=", 1) for part in invocation.trace.split(";") if "=" in part)
        root = given.get("Root") or f"1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"
        sampled = given.get("Sampled", "0")
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.invoked_arn,
            "Lambda-Runtime-Trace-Id": f"Root={root};Parent={uuid.uuid4().hex[:16]};Sampled={sampled}",
        }
        if invocation.client_context:
            headers["Lambda-Runtime-Client-Context"] = invocation.client_context
        return headers

    def _started(self) -> Worker:
        self._launch = self._launcher.launch(self._stream)
        return Worker(
            self._launch.argv,
            environment=self._launch.variables,
            cwd=self._launch.cwd,
            memory_mb=None if self._deployment.tool else self._deployment.memory_mb,
            boxed=self._launch.boxed,
        )

    def _log(self, *messages: str) -> None:
        if messages:
            now = int(time.time() * 1000)
            self._tail += messages
            self._sink(self._deployment, self._stream, [LogLine(now, message) for message in messages])


def _told(body: bytes) -> dict[str, Any]:
    """Return the JSON object of an init error: awslambdaric sends text, which http.client spells in latin-1."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    told: dict[str, Any] = json.loads(text)
    return told


def _error(message: str, kind: str) -> bytes:
    return json.dumps({"errorMessage": message, "errorType": kind}).encode()

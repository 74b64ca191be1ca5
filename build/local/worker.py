"""One process that runs a function's code, with its Runtime API and its output, seen from the thread that holds it."""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from build import process
from build.local import memory
from build.local.extensions import Extension
from build.local.function_logs import Splitter
from build.local.runtime_api import Request, RuntimeApi

_LOOK_S = 0.1
"""How often a worker that neither speaks nor closes its output is asked whether it still lives, and for its memory:
0.5 ms each time."""
_ENDING_S = 0.002
GOODBYE_S = 1.7
"""For extensions to end after SHUTDOWN; they and the function have 2 s together:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""
TERMINATION_S = 0.3
"""For the function after SIGTERM, which it gets where there are extensions."""
_CHUNK_BYTES = 1 << 16

# Linux ends a worker when the *thread* that started it ends (see runtime/bootstrap.py), so one thread that lives as
# long as this process starts them all.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="worker-starter")


@dataclass(frozen=True, slots=True)
class Exited:
    """The worker's process ended; a negative code is the number of a signal."""

    code: int
    out_of_memory: bool = False
    """It held more than it may, and was killed for that."""

    @property
    def reason(self) -> str:
        """In Lambda's words."""
        if self.code < 0:
            name = signal.Signals(-self.code).name.removeprefix("SIG").lower()
            return f"Runtime exited with error: signal: {'killed' if name == 'kill' else name}"
        if self.code == 0:
            return "Runtime exited without providing a reason"
        return f"Runtime exited with error: exit status {self.code}"


class Worker:
    """A running worker. One thread at a time may use it."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: Path,
        memory_mb: int | None = None,
        boxed: bool = False,
    ) -> None:
        """Start ``argv``; AWS_LAMBDA_RUNTIME_API is added to ``environment``.

        It is killed when all its processes together hold more than ``memory_mb``; ``boxed`` tells that the first two
        are a sandbox.
        """
        self._limit = sys.maxsize if memory_mb is None else memory_mb << 20
        self._own = 2 if boxed else 0
        self._held = self._resident = 0
        self._family: list[int] = []
        self._strays: list[int] = []
        self._frozen = False
        self._selector = selectors.DefaultSelector()
        self._api = RuntimeApi(self._selector, environment)
        self._splitter = Splitter()
        self._printed: list[str] = []
        try:
            self._process = _starter.submit(
                process.start,
                argv,
                cwd=cwd,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                detached=True,  # its own process group, so that what it started can be ended with it
            ).result()
        except BaseException:
            self._api.close()
            self._selector.close()
            raise
        assert self._process.stdout
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._selector.register(self._output, selectors.EVENT_READ, self._read_output)

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its process group."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True until the process ends."""
        return self._process.poll() is None

    @property
    def max_memory_mb(self) -> int | None:
        """Peak memory so far, or None where /proc does not tell. It may have gone beyond the limit and come back."""
        if not self._frozen:
            self._look()
        return -(-max(self._resident, self._held) >> 20) or None

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """Those that have registered, and still run."""
        return self._api.extensions.registered

    def wait(self, deadline: float, *, meanwhile: Callable[[], None] = lambda: None) -> Request | Exited | None:
        """Return what the worker says next, that it ended, or None when ``deadline`` (monotonic) has come.

        ``meanwhile`` is called whenever we look at it.
        """
        look = time.monotonic() + _LOOK_S
        while True:
            request = self._api.request()
            if request:
                return request
            code = self._process.poll()
            if code is not None:
                self._drain()
                return Exited(code)
            now = time.monotonic()
            if now >= look:
                look = now + _LOOK_S
                meanwhile()
                if self._exceeds():
                    return self._out_of_memory()
            if now >= deadline:
                return None
            for key, _ in self._selector.select(min(deadline, look) - now):
                key.data()

    def settled(self) -> Exited | None:
        """Tell whether the worker went beyond its memory since it was started, however briefly; then it is killed."""
        self._look()
        return self._out_of_memory() if self._held > self._limit else None

    def freeze(self) -> None:
        """Stop all its processes where they are, as `settled` saw them, until `thaw`.

        Not where the system would not end them with us: a stopped process cannot hear that its connection broke.
        """
        if sys.platform == "linux" and not self._frozen:
            self._strays = [pid for pid in self._family[self._own :] if _group(pid) not in (self.pid, None)]
            self._frozen = True
            self._signal(signal.SIGSTOP)
            for pid in self._family[: self._own]:  # a sandbox goes on, or it would not see its process end
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def thaw(self) -> None:
        """Let it run on."""
        if self._frozen:
            self._frozen = False
            self._signal(signal.SIGCONT)

    def answer(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Answer what `wait` returned last. If the worker is gone, the next `wait` tells."""
        self._api.answer(status, headers, body)

    def lines(self) -> list[str]:
        """Return the messages that were written since the last call, as far as they are complete."""
        self._drain()
        messages, self._printed = self._printed, []
        return messages

    def printed(self) -> list[str]:
        """Return the messages written since the last call, a last line without its end included."""
        return [*self.lines(), *self._splitter.flush()]

    def kill(self) -> None:
        """Kill the process and all it started. Any thread may do that."""
        others = memory.descendants(self.pid)[1:] if self.alive else []
        if self._frozen:  # so that their numbers are still theirs
            others += self._strays
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()
        for pid in others:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill the process and all it started, and let go of everything. May be called again.

        With extensions, they and the function hear of it before, and have `GOODBYE_S`.
        """
        if self._output.closed:
            return
        if self.extensions and self.alive:
            self._say_goodbye()
        self.kill()
        self._process.wait()
        self._drain()
        self._api.close()
        self._selector.close()
        self._output.close()

    def _say_goodbye(self) -> None:
        reason = "spindown" if self._frozen else "timeout"
        self.thaw()
        until = time.monotonic() + GOODBYE_S
        self._api.extensions.shut_down(reason, int((time.time() + GOODBYE_S) * 1000))
        family = memory.descendants(self.pid)[self._own :]  # nobody, if a sandbox is about to see its process end
        while any(map(_runs, family[1:])) and time.monotonic() < until:
            for key, _ in self._selector.select(_ENDING_S):
                key.data()
            self._api.request()
        for runtime in family[:1]:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(runtime, signal.SIGTERM)
        until = time.monotonic() + TERMINATION_S
        while self.alive and time.monotonic() < until:
            time.sleep(_ENDING_S)

    def _look(self) -> None:
        """Note the peaks of all processes but a sandbox's own."""
        self._family = memory.descendants(self.pid)
        members = self._family[self._own :]
        resident, held = memory.largest(members)
        self._resident = max(self._resident, resident)
        self._held = max(self._held, held)
        if len(members) > 1:
            self._held = max(self._held, memory.held_bytes(members, limit=self._limit))

    def _exceeds(self) -> bool:
        members = memory.descendants(self.pid)[self._own :]
        self._held = max(self._held, memory.held_bytes(members, limit=self._limit))
        return self._held > self._limit

    def _out_of_memory(self) -> Exited:
        self.kill()
        self._process.wait()
        self._drain()
        return Exited(-signal.SIGKILL, out_of_memory=True)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        for pid in self._strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def _read_output(self) -> None:
        data = self._chunk()
        if data:
            self._printed += self._splitter.feed(data)
        elif data is not None:
            self._selector.unregister(self._output)
            until = time.monotonic() + _LOOK_S  # nobody holds the pipe: the process is most likely ending
            while self.alive and time.monotonic() < until:
                time.sleep(_ENDING_S)

    def _drain(self) -> None:
        while data := self._chunk():
            self._printed += self._splitter.feed(data)

    def _chunk(self) -> bytes | None:
        """Read some output; None when there is none yet, nothing when there will be no more."""
        if self._output.closed:
            return None
        try:
            return os.read(self._output.fileno(), _CHUNK_BYTES)
        except BlockingIOError:
            return None


def _runs(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has asked for its exit code does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _group(pid: int) -> int | None:
    with suppress(ProcessLookupError):
        return os.getpgid(pid)
    return None

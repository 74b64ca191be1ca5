"""One process that runs a function's code, with its Runtime API and its output, seen from the thread that holds it."""

import os
import selectors
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from build import process
from build.local.function_logs import Splitter
from build.local.runtime_api import Request, RuntimeApi

_LOOK_S = 0.25
"""How often a worker that neither speaks nor closes its output is asked whether it still lives."""
_ENDING_S = 0.002
_CHUNK_BYTES = 1 << 16

# Linux ends a worker when the *thread* that started it ends (see runtime/bootstrap.py), so one thread that lives as
# long as this process starts them all.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="worker-starter")


@dataclass(frozen=True, slots=True)
class Exited:
    """The worker's process ended; a negative code is the number of a signal."""

    code: int

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

    def __init__(self, argv: Sequence[str], *, environment: Mapping[str, str], cwd: Path) -> None:
        """Start ``argv``; AWS_LAMBDA_RUNTIME_API is added to ``environment``."""
        self._selector = selectors.DefaultSelector()
        self._api = RuntimeApi(self._selector)
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
        """Peak resident memory so far of the largest process it consists of, or None where /proc does not tell.

        In a sandbox the function itself is a grandchild.
        """
        return max((_peak_mb(pid) for pid in _family(self.pid)), default=0) or None

    def wait(self, deadline: float) -> Request | Exited | None:
        """Return what the worker says next, that it ended, or None when ``deadline`` (monotonic) has come."""
        while True:
            request = self._api.request()
            if request:
                return request
            code = self._process.poll()
            if code is not None:
                self._drain()
                return Exited(code)
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            for key, _ in self._selector.select(min(left, _LOOK_S)):
                key.data()

    def answer(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Answer what `wait` returned last. If the worker is gone, the next `wait` tells."""
        self._api.answer(status, headers, body)

    def printed(self) -> list[str]:
        """Return the messages written since the last call, a last line without its end included."""
        self._drain()
        messages, self._printed = [*self._printed, *self._splitter.flush()], []
        return messages

    def kill(self) -> None:
        """Kill the process and all it started. Any thread may do that."""
        with suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def close(self) -> None:
        """Kill the process and all it started, and let go of everything. May be called again."""
        if self._output.closed:
            return
        self.kill()
        self._process.wait()
        self._drain()
        self._api.close()
        self._selector.close()
        self._output.close()

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


def _family(pid: int) -> Iterator[int]:
    """Yield ``pid`` and its descendants; where /proc does not tell of them, ``pid`` alone."""
    waiting = [pid]
    while waiting:
        yield (pid := waiting.pop())
        with suppress(OSError, ValueError):
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, children.read_text().split())


def _peak_mb(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return -(-int(line.split()[1]) // 1024)
    return 0

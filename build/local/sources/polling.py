"""What the readers of queues and streams share: a thread that sleeps until there is something to do, and mappings."""

import threading
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

RETRY_S = 30.0
"""Until the next look after one that failed, if nobody wakes us before."""
_AT_ONCE = 32


class Poller:
    """One thread that looks when it is woken, or when something is due, and others for what it finds."""

    def __init__(self, name: str, look: Callable[[], Iterable[float]]) -> None:
        """``look`` does what there is to do, and gives in how many seconds there will be more, if that is known."""
        self._look = look
        self._workers = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix=name)
        self._woken = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look now."""
        self._woken.set()

    def stop(self) -> None:
        """Look no more, and forget what was submitted and has not begun."""
        self._stopped = True
        self.wake()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def submit(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do ``work`` in the background, and look when it is done."""

        def run() -> None:
            try:
                work(*arguments)
            except Exception:
                traceback.print_exc()
            finally:
                self.wake()

        with suppress(RuntimeError):  # the cloud ends
            self._workers.submit(run)

    def _run(self) -> None:
        while not self._stopped:
            self._woken.clear()
            try:
                wait_s = min(self._look(), default=None)
            except Exception:  # whatever one mapping does, the thread that serves all of them lives on
                traceback.print_exc()
                wait_s = RETRY_S
            self._woken.wait(None if wait_s is None else max(wait_s, 0.0))


def mappings(*services: str) -> list[Any]:
    """Return moto's event source mappings of ``services``, such as ``sqs``: also those that are disabled."""
    from moto.awslambda.models import lambda_backends

    return [
        mapping
        for regions in list(lambda_backends.values())
        for functions in list(regions.values())
        for mapping in list(functions._event_source_mappings.values())  # noqa: SLF001 - moto has no other way
        if mapping.event_source_arn.split(":")[2] in services
    ]

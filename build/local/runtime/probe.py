"""Import a handler as Lambda does on a cold start, and tell how long that took, or why it failed.

Runs as ``python -S -B probe.py <pid of its starter> <folder of /opt, or nothing> <limit in seconds> <file of the
answer> <the only folder it may write, or nothing>`` in the environment of a worker (see `bootstrap`), so it uses
nothing but the standard library of 3.10. With that last folder it shuts itself in before anything of the function runs
(see `seal`). The answer is one JSON object; what the function and ``-X importtime`` print follows the line `BEGIN`.
"""

import faulthandler
import importlib
import json
import os
import sys
import time
import traceback

import bootstrap  # type: ignore[import-not-found,unused-ignore]
import seal  # type: ignore[import-not-found,unused-ignore]

BEGIN = "slipway: the import of the handler begins"


def main() -> None:
    """Import the handler and tell what came of it."""
    parent, opt, limit_s, answer, writable = sys.argv[1:]
    del sys.modules["seal"]  # a function may have one of that name
    told = os.open(answer, os.O_WRONLY | os.O_CREAT, 0o600)
    if writable and not seal.shut_in([*_needed(), *filter(None, [opt])], [writable]):
        os.write(told, json.dumps({"is_open": True}).encode())
        return
    bootstrap.prepare(int(parent), opt)
    importlib.import_module("awslambdaric.bootstrap")  # on Lambda it is there before the handler

    # Tells where an import hangs, and ends it, also one that waits in compiled code.
    faulthandler.dump_traceback_later(float(limit_s), exit=True)
    sys.stderr.write(f"{BEGIN}\n")
    sys.stderr.flush()
    error = None
    began, waited_ms = time.perf_counter(), _waited_ms()  # in this order: the waits lie within the time
    module, _, name = os.environ["_HANDLER"].rpartition(".")
    try:
        getattr(importlib.import_module(module.replace("/", ".")), name)
    except BaseException as reason:  # sys.exit() at import ends a function, too
        error = _told(reason)
    waited_ms = _waited_ms() - waited_ms
    took_ms = (time.perf_counter() - began) * 1000 - waited_ms
    os.write(told, json.dumps({"took_ms": took_ms, "error": error}).encode())
    os._exit(0)  # threads that the function started must not keep us


def _waited_ms() -> float:
    """Return how long this thread was ready to run while others had the cores: no part of what an import takes.

    https://docs.kernel.org/scheduler/sched-stats.html
    """
    try:
        with open("/proc/thread-self/schedstat") as stream:  # noqa: PTH123
            return int(stream.read().split()[1]) / 1e6
    except (OSError, IndexError):
        return 0.0


def _needed() -> list[str]:
    """Return what an import reads beside what the system has."""
    ours = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100,PTH120
    folders = [os.environ["LAMBDA_TASK_ROOT"], os.environ["LAMBDA_RUNTIME_DIR"], ours]
    return [sys.base_prefix, sys.base_exec_prefix, *folders]


def _told(reason: BaseException) -> dict[str, object]:
    frames = [frame for frame in traceback.extract_tb(reason.__traceback__) if not _is_ours(frame.filename)]
    return {
        "type": type(reason).__name__,
        "lines": [line.rstrip() for line in traceback.format_list(frames)],
        "message": "".join(traceback.format_exception_only(type(reason), reason)).strip(),
        "module": getattr(reason, "name", None) if isinstance(reason, ImportError) else None,
    }


def _is_ours(file: str) -> bool:
    return file == __file__ or file.startswith("<frozen importlib") or file == importlib.__file__


if __name__ == "__main__":
    main()

"""Import a handler as Lambda does on a cold start, and tell how long that took, or why it failed.

Runs as ``python -S -B probe.py <pid of its starter> <folder of /opt, or nothing> <limit in seconds>`` in the
environment of a worker (see `bootstrap`), so it uses nothing but the standard library of 3.10. Prints one JSON object;
what the function prints meanwhile is on stderr, behind the line `BEGIN`, and so is what ``-X importtime`` says.
"""

import faulthandler
import importlib
import json
import os
import sys
import time
import traceback

import bootstrap  # type: ignore[import-not-found,unused-ignore]

BEGIN = "slipway: the import of the handler begins"


def main() -> None:
    """Import the handler and print what came of it."""
    bootstrap.prepare(int(sys.argv[1]), sys.argv[2])
    importlib.import_module("awslambdaric.bootstrap")  # on Lambda it is there before the handler

    answer = os.dup(1)
    os.dup2(2, 1)
    # Tells where an import hangs, and ends it, also one that waits in compiled code.
    faulthandler.dump_traceback_later(float(sys.argv[3]), exit=True)
    sys.stderr.write(f"{BEGIN}\n")
    sys.stderr.flush()
    error = None
    began = time.perf_counter()
    module, _, name = os.environ["_HANDLER"].rpartition(".")
    try:
        getattr(importlib.import_module(module.replace("/", ".")), name)
    except BaseException as reason:  # sys.exit() at import ends a function, too
        error = _told(reason)
    took_ms = (time.perf_counter() - began) * 1000
    os.write(answer, json.dumps({"took_ms": took_ms, "error": error}).encode())
    os._exit(0)  # threads that the function started must not keep us


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

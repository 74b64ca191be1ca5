"""Does what bootstrap.py does, as soon as a debugger is attached.

Its text and a call of `main` are run as ``python -c <text> <folder of debugpy>``, with bootstrap.py's arguments behind,
on the function's own interpreter, 3.10 or later. What is in that folder is not on the function's sys.path.
"""

import os
import sys

LISTENING = "slipway: a debugger may attach to "
"""In the log, once one is waited for, before the folders of the function and of its layers, with a colon between."""


def main(host: str, port: int) -> None:
    """Wait for a debugger, then serve events."""
    folder, *given = sys.argv[1:]
    sys.path[0] = os.environ["LAMBDA_RUNTIME_DIR"]
    import bootstrap  # type: ignore[import-not-found,unused-ignore]

    del sys.modules["bootstrap"]  # a function may have one of that name
    parent, opt = bootstrap.arguments(given)
    bootstrap.prepare(parent, opt)
    sys.argv = [bootstrap.__file__]
    sys.path.append(folder)
    import debugpy  # type: ignore[import-not-found,unused-ignore]

    sys.path.remove(folder)
    debugpy.listen((host, port))
    sys.stdout.write(f"{LISTENING}{os.environ['LAMBDA_TASK_ROOT']}:{opt}\n")
    sys.stdout.flush()
    debugpy.wait_for_client()
    bootstrap.serve()

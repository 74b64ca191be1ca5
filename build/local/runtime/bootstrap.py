"""The first file a worker runs: lays out sys.path as Lambda's bootstrap does, then hands over to awslambdaric.

In a sandbox it is ``python /var/runtime/bootstrap.py``, as on Lambda, whose wrappers count the arguments; elsewhere
``python -S -B bootstrap.py <pid of the cloud> <folder of /opt, or nothing>``, where ``-S`` keeps the interpreter's
site-packages out. Runs on the function's own interpreter, 3.10 or later, so it uses nothing but the standard library;
the environment is made from nothing by `build.local.variables`, so no ``PYTHON…`` variable of the host comes in.
"""

import os
import signal
import site
import sys

_PR_SET_PDEATHSIG = 1
_HIDDEN = frozenset(
    "AWS_EXECUTION_ENV AWS_LAMBDA_LOG_GROUP_NAME AWS_LAMBDA_LOG_STREAM_NAME AWS_XRAY_CONTEXT_MISSING "
    "AWS_XRAY_DAEMON_ADDRESS LAMBDA_RUNTIME_DIR LAMBDA_TASK_ROOT _HANDLER".split()
)
"""Variables that extensions do not see."""


def _die_with(parent: int) -> None:
    """Have Linux kill this process when the cloud ends, however it ends.

    Elsewhere a worker that waits for an event ends when its connection breaks, and a busy one when it answers.
    """
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (ImportError, OSError, AttributeError):
        return
    if os.getppid() != parent:  # the cloud ended before the line above
        os._exit(1)


def _lay_out_path(opt: str) -> None:
    """Order sys.path as https://docs.aws.amazon.com/lambda/latest/dg/python-image.html says."""
    runtime = os.environ["LAMBDA_RUNTIME_DIR"]
    folders = [os.environ["LAMBDA_TASK_ROOT"]]
    installed = []
    if opt and "PYTHONPATH" not in os.environ:  # Lambda leaves /opt out, too, when a function sets its own path
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        folders += [f"{opt}/python/lib/{version}/site-packages", f"{opt}/python"]
        if opt == "/opt" and sys.version_info >= (3, 11):
            installed = [f"/var/lang/lib/{version}/site-packages"]
    sys.path[:1] = [*folders, *installed, runtime]
    for folder in filter(os.path.isdir, folders):
        site.addsitedir(folder)  # on sys.path it is already: this reads its .pth files
    os.environ.setdefault("PYTHONPATH", runtime)  # for Pythons that the function starts


def prepare(parent: int | None, opt: str) -> None:
    """Make this process what Lambda's is before awslambdaric takes over; it ends when ``parent`` does."""
    if parent and sys.platform == "linux":
        _die_with(parent)
    _lay_out_path(opt)
    try:
        import runtime_client  # type: ignore[import-not-found,unused-ignore] # noqa: F401
    except ImportError:
        _use_portable_client()


def arguments(given: list[str]) -> tuple[int | None, str]:
    """Return what `prepare` is to be told, of what was ``given`` with the command."""
    return (int(given[0]), given[1]) if given else (None, "/opt")


def start_extensions(opt: str) -> None:
    """Start what layers have in ``extensions/``, and wait until each has registered: then the function is loaded.

    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html. They end when this process does.
    """
    folder = f"{opt}/extensions"
    if not opt or not os.path.isdir(folder):  # noqa: PTH112
        return
    import http.client
    import json
    import subprocess
    import time
    from functools import partial

    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    seen = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
    tied, waiting = partial(_die_with, os.getpid()), {}  # there is no other thread yet
    for name in sorted(os.listdir(folder)):  # noqa: PTH208
        path = f"{folder}/{name}"
        if os.path.isfile(path):  # noqa: PTH113
            try:
                waiting[name] = subprocess.Popen([path], env=seen, stdin=-3, preexec_fn=tied)  # noqa: PLW1509
            except OSError as why:
                _give_up("Extension.LaunchError", f"Error: {name}: {why.strerror}")
    while waiting:
        api.request("GET", "/slipway/extensions")
        for name in json.loads(api.getresponse().read()):
            waiting.pop(name, None)
        for name, process in waiting.items():
            if process.poll() is not None:
                _give_up("Extension.Crash", f"Error: {name}: exit code {process.returncode}")
        time.sleep(0.005)
    api.close()


def _give_up(kind: str, message: str) -> None:
    """Report that initialisation has failed, and end."""
    import http.client
    import json

    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    body = json.dumps({"errorMessage": message, "errorType": kind})
    api.request("POST", "/2018-06-01/runtime/init/error", body, {"Lambda-Runtime-Function-Error-Type": kind})
    api.getresponse().read()
    os._exit(1)


def serve() -> None:
    """Take events until the cloud ends this process, which was prepared."""
    site.setquit()  # exit() and help(), which -S leaves out
    site.sethelper()
    # A frame of awslambdaric's own format can stand between lines of text (see function_logs.Splitter), so log records
    # of several lines stay whole, as on Lambda.
    os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(os.dup(1))
    sys.argv = [sys.argv[0], os.environ["_HANDLER"]]
    from awslambdaric.__main__ import main  # type: ignore[import-not-found,unused-ignore]

    main(sys.argv)


def _use_portable_client() -> None:
    """Stand in for awslambdaric's compiled client, which exists for Linux only; without it every event would fail."""
    import importlib.util

    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runtime_client.py")  # noqa: PTH100,PTH118,PTH120
    spec = importlib.util.spec_from_file_location("runtime_client", path)
    if spec and spec.loader:
        module = importlib.util.module_from_spec(spec)
        sys.modules["runtime_client"] = module
        spec.loader.exec_module(module)


if __name__ == "__main__":
    told = arguments(sys.argv[1:])
    prepare(*told)
    start_extensions(told[1])
    serve()

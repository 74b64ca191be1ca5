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


def main() -> None:
    """Serve events until the cloud ends this process."""
    prepare(*((int(sys.argv[1]), sys.argv[2]) if len(sys.argv) > 1 else (None, "/opt")))
    site.setquit()  # exit() and help(), which -S leaves out
    site.sethelper()
    # A frame of awslambdaric's own format can stand between lines of text (see function_logs.Splitter), so log records
    # of several lines stay whole, as on Lambda.
    os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(os.dup(1))
    sys.argv = [sys.argv[0], os.environ["_HANDLER"]]
    from awslambdaric.__main__ import main as serve  # type: ignore[import-not-found,unused-ignore]

    serve(sys.argv)


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
    main()

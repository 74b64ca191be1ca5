"""How fast execution environments answer, and what they leave behind: ``python -m benchmarks.local [SEQUENTIAL]``.

In a sandbox (where bubblewrap works) and without; the load of the machine stands beside it all.
"""

import argparse
import io
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from werkzeug.serving import make_server

from benchmarks import rie
from benchmarks.machine import this_machine
from benchmarks.measure import PROBES
from build.local import cloud as embedded
from build.local import runtime_bundle, sandbox
from build.local.connections import RequestHandler
from build.local.emulator import Emulator
from build.local.execution import Deployment, Outcome, Pool
from build.local.memory import descendants
from build.model import Runtime
from build.project.interpreters import interpreter_of

ROOT = Path(__file__).resolve().parents[1]
RUNTIME = Runtime(13)
COLD_STARTS = 9
WARM = 2000
CONCURRENT = 200
CALLERS = 4
WATCHED_S = 10
CALLED_S = 5.0
PAGE = ROOT / "docs/benchmarks/local.md"
_HEAD = """\
# How fast the embedded cloud answers

Written by `python -m benchmarks.local --publish`. {machine}.
A handler that returns its event, on python3.13; over HTTP, the caller is a process of its own on the same cores.

| what | where | measured | load |
|---|---|---|--:|"""
_APP = """
import time

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return event
"""


def main() -> None:
    """Measure and print."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # as `invoke run` has it
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("sequential", nargs="?", type=int, default=10_000, help="invokes one after the other")
    asked.add_argument("--publish", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = asked.parse_args()
    rows = []
    for where, problem in (("sandbox", sandbox.problem()), ("without", "not wanted now")):
        if where == "sandbox" and problem:
            print(f"no sandbox: {problem}")
            continue
        with patch.object(sandbox, "problem", lambda problem=problem: problem):
            for what, figure in chain(_measure(options.sequential), _served(sandboxed=where == "sandbox")):
                rows.append((what, where, figure, f"{os.getloadavg()[0]:.1f}"))
                print(f"{what:56} {where:8} {figure:34} load {rows[-1][-1]}", flush=True)
    if options.publish:
        lines = [f"| {' | '.join(row)} |" for row in rows]
        PAGE.write_text("\n".join([_HEAD.format(machine=this_machine()), *lines, ""]), encoding="utf-8")


def _measure(sequential: int) -> Iterator[tuple[str, str]]:
    """Yield what was measured, and the figure: environments by themselves."""
    for module, app in (("the module", _APP), ("the module with boto3", f"import boto3{_APP}")):
        with _pool(app) as pool:
            _answer(pool)  # what is made once
            bare, cold = _cold(pool)
            yield f"a bare interpreter imports {module}", f"{bare:.0f} ms"
            yield f"cold first answer of {module}", f"{cold:.0f} ms, {cold - bare:+.0f} ms"
    with _pool() as pool:
        _answer(pool)
        took = sorted(_timed(lambda: _answer(pool)) for _ in range(WARM))
        yield f"warm answer, {WARM} times", f"p50 {took[WARM // 2]:.2f} ms, p99 {took[WARM * 99 // 100]:.2f} ms"
        spent = time.process_time()
        _answer(pool, sleep=WATCHED_S)
        yield "watching a function that works", f"{(time.process_time() - spent) / WATCHED_S:.2%} of a core"
    with _pool() as pool, ThreadPoolExecutor(CALLERS) as threads:
        list(threads.map(lambda _: _answer(pool), range(CALLERS * 10)))
        took_ms = _timed(lambda: list(threads.map(lambda _: _answer(pool), range(WARM))))
        yield f"{CALLERS} callers in the same process", f"{WARM / took_ms * 1000:.0f} invokes/s"
    before = _held()
    with _pool() as pool, ThreadPoolExecutor(CONCURRENT) as threads:
        took_ms = _timed(lambda: list(threads.map(lambda _: _answer(pool, sleep=1), range(CONCURRENT))))
        yield f"{CONCURRENT} at once, all cold, 1 s each", f"{took_ms / 1000:.1f} s"
    with _pool() as pool:
        took_ms = _timed(lambda: [_answer(pool) for _ in range(sequential)])
        yield f"{sequential} in sequence", f"{took_ms / 1000:.1f} s"
    time.sleep(0.5)
    words = zip(("processes", "handles", "threads"), before, _held(), strict=True)
    yield "left behind", ", ".join(f"{word} {b} → {a}" for word, b, a in words)


def _served(*, sandboxed: bool) -> Iterator[tuple[str, str]]:
    """Yield what was measured over HTTP: the embedded cloud's endpoint, and `invoke run` against AWS's emulator."""
    with _cloud(sandboxed=sandboxed) as (port, path):
        _called(port, path, 1, 1)
        for callers in (1, CALLERS):
            per_s, p50 = _called(port, path, callers)
            yield f"the cloud's endpoint, {callers} at once", f"{per_s:.0f} invokes/s, p50 {p50:.2f} ms"
    emulator = rie.program(ROOT / ".artifacts/tools")
    if sandboxed or emulator is None:  # the emulator has none
        return
    with _pool() as pool, rie.serving(emulator, ROOT, RUNTIME, pool.deployment.task_root, timeout_s=300) as theirs:
        server = make_server(
            "127.0.0.1", 0, Emulator(pool, {"function"}), threaded=True, request_handler=RequestHandler
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        rounds = [[_called(port, rie.PATH, 1)[1] for port in (server.server_port, theirs)] for _ in range(3)]
        server.shutdown()
    ours, real = (statistics.median(each) for each in zip(*rounds, strict=True))
    took = f"p50 {ours:.2f} ms, the emulator's {real:.2f} ms: {ours / real:.1f} ×"
    yield "`invoke run` against AWS's emulator, one by one", took


@contextmanager
def _cloud(*, sandboxed: bool) -> Iterator[tuple[int, str]]:
    """Start an embedded cloud with one function; give its port, and where the function is invoked."""
    import boto3

    path = os.environ["PATH"]
    if not sandboxed:  # where nothing of that name is found
        path = ":".join(each for each in path.split(":") if not Path(each, "bwrap").exists())
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {"PATH": path}):
        cloud, _ = embedded.ensure(Path(folder))
        try:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:
                archive.writestr("app.py", _APP)
            session = boto3.session.Session("test", "test", region_name="us-east-1")
            iam, aws = (session.client(name, endpoint_url=cloud.endpoint) for name in ("iam", "lambda"))
            role = iam.create_role(RoleName="benchmark", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
            settings = {"Runtime": str(RUNTIME), "Role": role, "Handler": "app.handler", "Timeout": 300}
            aws.create_function(FunctionName="benchmark", Code={"ZipFile": packed.getvalue()}, **settings)
            yield urlsplit(cloud.endpoint).port or 0, "/2015-03-31/functions/benchmark/invocations"
        finally:
            embedded.stop(Path(folder))


def _called(port: int, path: str, callers: int, seconds: float = CALLED_S) -> tuple[float, float]:
    """Return answers a second, and the median of ms that one took, from a process of its own."""
    probe = [sys.executable, str(PROBES / "calling.py"), "127.0.0.1", str(port), path, str(callers), str(seconds)]
    per_s, p50 = subprocess.run(probe, capture_output=True, text=True, check=True).stdout.split()
    return float(per_s), float(p50)


def _cold(pool: Pool) -> tuple[float, float]:
    """Return the medians of ms that a bare interpreter takes for the import, and a cold environment for an answer."""
    bundle = runtime_bundle.ensure(ROOT, RUNTIME)
    command = [str(interpreter_of(RUNTIME)), "-S", "-B", "-c", "import app"]
    root, env = pool.deployment.task_root, {"PYTHONPATH": str(bundle)}

    def bare_import() -> None:
        subprocess.run(command, cwd=root, env=env, check=True)

    bare, cold = list[float](), list[float]()
    for _ in range(COLD_STARTS):
        pool.recycle()
        cold.append(_timed(lambda: _answer(pool)))
        bare.append(_timed(bare_import))
    return statistics.median(bare), statistics.median(cold)


def _answer(pool: Pool, sleep: float = 0) -> Outcome:
    outcome = pool.invoke(json.dumps({"sleep": sleep}).encode())
    assert outcome.error is None, outcome.log_tail
    return outcome


def _timed(what: Callable[[], object]) -> float:
    began = time.perf_counter()
    what()
    return (time.perf_counter() - began) * 1000


@contextmanager
def _pool(app: str = _APP) -> Iterator[Pool]:
    with tempfile.TemporaryDirectory() as folder:
        task_root, scratch = Path(folder, "task"), Path(folder, "scratch")
        task_root.mkdir()
        scratch.mkdir()
        (task_root / "app.py").write_text(app)
        described = Deployment(
            function_name="benchmark",
            version="1",
            runtime=RUNTIME,
            handler="app.handler",
            task_root=task_root,
            timeout_s=300,
            memory_mb=512,
            log_group="benchmark",
            region="us-east-1",
            account_id="123456789012",
        )
        pool = Pool(described, root=ROOT, scratch=scratch, limit=CONCURRENT)
        try:
            yield pool
        finally:
            pool.close()
            left = [path.name for path in scratch.iterdir()]
            assert not left, left


def _held() -> tuple[int, int, int]:
    return len(descendants(os.getpid())) - 1, len([*Path("/proc/self/fd").iterdir()]), threading.active_count()


if __name__ == "__main__":
    main()

"""How fast execution environments answer, and what they leave behind: ``python -m benchmarks.local [SEQUENTIAL]``.

In a sandbox (where bubblewrap works) and without. Nothing is deployed; the load of the machine stands beside it all.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from build.local import runtime_bundle, sandbox
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
_APP = """
import time

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return event
"""


def main() -> None:
    """Measure and print."""
    sequential = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for name, problem in (("in a sandbox", sandbox.problem()), ("without", "not wanted now")):
        if name != "without" and problem:
            print(f"{name}: {problem}")
            continue
        with patch.object(sandbox, "problem", lambda problem=problem: problem):
            _measure(name, sequential)


def _measure(name: str, sequential: int) -> None:
    for module, app in (("the module", _APP), ("the module with boto3", f"import boto3{_APP}")):
        with _pool(app) as pool:
            _answer(pool)  # what is made once
            bare, cold = _cold(pool)
            _say(name, f"bare interpreter imports {module}", f"{bare:.0f} ms")
            _say(name, "cold first answer", f"{cold:.0f} ms, {cold - bare:+.0f} ms")
    with _pool() as pool:
        _answer(pool)
        took = sorted(_timed(lambda: _answer(pool)) for _ in range(WARM))
        _say(name, f"warm, {WARM} times", f"p50 {took[WARM // 2]:.2f} ms, p99 {took[WARM * 99 // 100]:.2f} ms")
        spent = time.process_time()
        _answer(pool, sleep=WATCHED_S)
        _say(name, "watched while it runs", f"{(time.process_time() - spent) / WATCHED_S:.2%} of a core")
    with _pool() as pool, ThreadPoolExecutor(CALLERS) as threads:
        list(threads.map(lambda _: _answer(pool), range(CALLERS * 10)))
        took_ms = _timed(lambda: list(threads.map(lambda _: _answer(pool), range(WARM))))
        _say(name, f"{CALLERS} callers", f"{WARM / took_ms * 1000:.0f} invokes/s")
    with _nothing_left(name):
        with _pool() as pool, ThreadPoolExecutor(CONCURRENT) as threads:
            took_ms = _timed(lambda: list(threads.map(lambda _: _answer(pool, sleep=1), range(CONCURRENT))))
            _say(name, f"{CONCURRENT} at once, all cold", f"{took_ms / 1000:.1f} s")
        with _pool() as pool:
            took_ms = _timed(lambda: [_answer(pool) for _ in range(sequential)])
            _say(name, f"{sequential} in sequence", f"{took_ms / 1000:.1f} s")


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


@contextmanager
def _nothing_left(name: str) -> Iterator[None]:
    before = _held()
    yield
    time.sleep(0.5)
    after = _held()
    words = zip(("processes", "handles", "threads"), before, after, strict=True)
    _say(name, "left behind", ", ".join(f"{word} {b} -> {a}" for word, b, a in words))


def _held() -> tuple[int, int, int]:
    return len(descendants(os.getpid())) - 1, len([*Path("/proc/self/fd").iterdir()]), threading.active_count()


def _say(name: str, what: str, figure: str) -> None:
    print(f"{name:13} {what:42} {figure:28} load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()

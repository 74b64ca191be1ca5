"""Real workers on real interpreters, without a cloud."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from build.local import runtime_bundle
from build.local.execution import Deployment, LogFormat, Pool
from build.local.refusals import NotJsonError, TooManyRequestsError
from build.model import Runtime

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow

APP = """
import os, sys, time
print("initialised")
count = 0

def handler(event, context):
    global count
    count += 1
    print("got", event)
    if event.get("raise"):
        raise ValueError("on purpose")
    if event.get("exit") is not None:
        os._exit(event["exit"])
    if event.get("kill"):
        os.kill(os.getpid(), 9)
    time.sleep(event.get("sleep", 0))
    if event.get("large"):
        return "x" * event["large"]
    return {"count": count, "pid": os.getpid(), "request_id": context.aws_request_id}
"""


@pytest.fixture
def make_pool(tmp_path):
    """Give a function that makes a pool of the handler in ``app``."""
    pools: list[Pool] = []

    def make(app=APP, *, limit=50, scratch=None, endpoint=None, sink=None, **settings):
        task_root = tmp_path / f"task{len(pools)}"
        task_root.mkdir()
        (task_root / "app.py").write_text(app)
        values = {
            "function_name": "orders",
            "version": "7",
            "runtime": Runtime(13),
            "handler": "app.handler",
            "task_root": task_root,
            "timeout_s": 10,
            "log_group": "/aws/lambda/orders",
            "region": "us-east-1",
            "account_id": "123456789012",
        }
        options = {"sink": sink} if sink else {}
        pool = Pool(
            Deployment(**{**values, **settings}), root=ROOT, limit=limit, scratch=scratch, endpoint=endpoint, **options
        )
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close()


def invoke(pool, event=None):
    outcome = pool.invoke(json.dumps(event or {}).encode())
    return outcome, json.loads(outcome.payload)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_the_first_invoke_is_cold_and_the_next_are_warm(make_pool):
    pool = make_pool()
    first, answer = invoke(pool)
    assert first.cold
    assert first.init_ms
    assert answer["count"] == 1
    second, answer = invoke(pool)
    assert not second.cold
    assert second.init_ms is None
    assert answer["count"] == 2
    assert answer["request_id"] == second.request_id


def test_after_recycling_the_next_invoke_is_cold(make_pool):
    pool = make_pool()
    _, before = invoke(pool)
    pool.recycle()
    assert not is_running(before["pid"])
    after, answer = invoke(pool)
    assert after.cold
    assert answer["count"] == 1


def test_the_log_tail_tells_the_whole_story_of_a_cold_start(make_pool):
    outcome, _ = invoke(make_pool(), {"a": 1})
    lines = outcome.log_tail.splitlines()
    assert [line.split()[0] for line in lines] == ["INIT_START", "initialised", "START", "got", "END", "REPORT"]
    assert "Init Duration" in lines[-1]


def test_log_records_keep_their_lines_together_and_go_to_the_sink(make_pool):
    seen: list[tuple[str, str]] = []
    app = "import logging\ndef handler(event, context):\n    logging.getLogger().error('one\\ntwo')\n"
    pool = make_pool(app, sink=lambda _, stream, lines: seen.extend((stream, line.message) for line in lines))
    invoke(pool)
    [record] = [message for _, message in seen if "one" in message]
    assert record.endswith("one\ntwo")
    assert len({stream for stream, _ in seen}) == 1
    assert "/[7]" in seen[0][0]


def test_json_logging_gives_json_from_the_platform_and_the_logger(make_pool):
    app = "import logging\ndef handler(event, context):\n    logging.getLogger().warning('careful')\n"
    outcome, _ = invoke(make_pool(app, log_format=LogFormat.JSON))
    records = [json.loads(line) for line in outcome.log_tail.splitlines()]
    assert [record["type"] for record in records if "type" in record] == [
        "platform.initStart",
        "platform.start",
        "platform.report",
    ]
    [warning] = [record for record in records if "level" in record]
    assert (warning["message"], warning["requestId"]) == ("careful", outcome.request_id)


def test_an_exception_is_answered_as_lambda_does_and_the_environment_stays(make_pool):
    pool = make_pool()
    outcome, answer = invoke(pool, {"raise": True})
    assert outcome.error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "on purpose")
    assert "[ERROR] ValueError: on purpose" in outcome.log_tail
    assert not invoke(pool)[0].cold


def test_a_timeout_kills_the_environment_and_says_so(make_pool):
    pool = make_pool(timeout_s=1)
    _, before = invoke(pool)
    outcome, answer = invoke(pool, {"sleep": 30})
    assert outcome.error == "Unhandled"
    assert answer["errorMessage"].endswith(f"{outcome.request_id} Task timed out after 1.00 seconds")
    assert outcome.duration_ms == 1000
    assert "Status: timeout" in outcome.log_tail
    assert not is_running(before["pid"])
    assert invoke(pool)[0].cold


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"exit": 3}, "exit status 3"),
        ({"exit": 0}, "exited without providing a reason"),
        ({"kill": True}, "signal: killed"),
    ],
)
def test_a_crash_is_an_exit_error_and_the_next_invoke_gets_a_new_environment(make_pool, event, reason):
    pool = make_pool()
    outcome, answer = invoke(pool, event)
    assert outcome.error == "Unhandled"
    assert answer["errorType"] == "Runtime.ExitError"
    assert answer["errorMessage"].startswith(f"RequestId: {outcome.request_id} Error: ")
    assert answer["errorMessage"].endswith(reason)
    assert outcome.duration_ms < 2000
    after, answer = invoke(pool)
    assert after.cold
    assert answer["count"] == 1


def test_a_worker_that_died_while_idle_is_replaced_unseen(make_pool):
    pool = make_pool()
    _, before = invoke(pool)
    os.kill(before["pid"], signal.SIGKILL)
    time.sleep(0.1)
    outcome, _ = invoke(pool)
    assert outcome.error is None
    assert outcome.cold


@pytest.mark.parametrize(
    ("app", "kind", "message"),
    [
        (
            "import nothing_like_it",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nothing_like_it'",
        ),
        ("x = 1", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ("def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("raise OSError('at import')", "OSError", "at import"),
        ("raise RuntimeError('die Größe')", "RuntimeError", "die Größe"),
    ],
)
def test_code_that_cannot_be_loaded_is_an_init_error(make_pool, app, kind, message):
    pool = make_pool(app)
    for _ in range(2):
        outcome, answer = invoke(pool)
        assert outcome.error == "Unhandled"
        assert outcome.cold
        assert answer["errorType"] == kind
        assert answer["errorMessage"].startswith(message)
        assert answer["requestId"] == outcome.request_id


def test_an_initialisation_that_takes_too_long_is_done_again_on_the_functions_time(make_pool, monkeypatch):
    monkeypatch.setattr("build.local.environment.INIT_LIMIT_S", 0.5)
    app = "import time\ntime.sleep(1)\ndef handler(event, context):\n    return 'ready'\n"
    outcome, answer = invoke(make_pool(app, timeout_s=5))
    assert answer == "ready"
    assert outcome.init_ms is None
    assert outcome.duration_ms > 1000
    assert "INIT_REPORT" in outcome.log_tail
    outcome, answer = invoke(make_pool(app, timeout_s=1))
    assert "Task timed out after 1.00 seconds" in answer["errorMessage"]


def test_parallel_invokes_get_environments_of_their_own(make_pool):
    pool = make_pool()
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: invoke(pool, {"sleep": 0.5})[1], range(4)))
    assert len({answer["pid"] for answer in answers}) == 4
    assert len(pool.pids) == 4


def test_beyond_the_limit_invokes_are_throttled(make_pool):
    pool = make_pool(limit=1)
    invoke(pool)
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(invoke, pool, {"sleep": 1})
        time.sleep(0.3)
        with pytest.raises(TooManyRequestsError, match="Rate Exceeded"):
            pool.invoke(b"{}")
        assert busy.result()[0].error is None
    assert invoke(pool)[0].error is None


def test_an_answer_beyond_6_mb_is_an_error_and_one_below_is_not(make_pool):
    pool = make_pool()
    _, answer = invoke(pool, {"large": 6_000_000})
    assert len(answer) == 6_000_000
    outcome, answer = invoke(pool, {"large": 6_291_556})
    assert outcome.error == "Unhandled"
    assert answer["errorType"] == "Function.ResponseSizeTooLarge"
    assert not invoke(pool)[0].cold


def test_a_large_event_arrives_whole(make_pool):
    pool = make_pool("def handler(event, context):\n    return len(event)\n")
    assert invoke(pool, "x" * 6_000_000)[1] == 6_000_000


def test_an_event_that_is_not_json_starts_nothing(make_pool):
    pool = make_pool()
    with pytest.raises(NotJsonError):
        pool.invoke(b"{oops")
    assert pool.pids == ()


def test_the_function_sees_its_own_variables_and_nothing_of_the_host(make_pool, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_HOST", "x")
    monkeypatch.setenv("AWS_PROFILE", "prod")
    app = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    pool = make_pool(app, environment={"GREETING": "Ahoy"}, endpoint="http://127.0.0.1:9")
    _, variables = invoke(pool)
    assert variables["GREETING"] == "Ahoy"
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert variables["_HANDLER"] == "app.handler"
    assert "SECRET_OF_THE_HOST" not in variables
    assert "AWS_PROFILE" not in variables
    assert Path(variables["HOME"]) != Path.home()


@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_modules_are_looked_for_where_lambda_looks(make_pool, tmp_path, minor):
    opt = tmp_path / "opt"
    (opt / "python" / "lib" / f"python3.{minor}" / "site-packages").mkdir(parents=True)
    app = (
        "import boto3, sys, os\n"
        "def handler(event, context):\n"
        "    found = {'path': sys.path, 'cwd': os.getcwd(), 'boto3': boto3.__file__}\n"
        "    return {**found, 'version': list(sys.version_info)}\n"
    )
    pool = make_pool(app, runtime=Runtime(minor), opt=opt)
    _, answer = invoke(pool)
    task_root = str(pool.deployment.task_root)
    runtime = str(runtime_bundle.ensure(ROOT, Runtime(minor)))
    assert answer["version"][:2] == [3, minor]
    assert answer["cwd"] == task_root
    assert answer["path"][:4] == [
        task_root,
        f"{opt}/python/lib/python3.{minor}/site-packages",
        f"{opt}/python",
        runtime,
    ]
    assert answer["boto3"].startswith(runtime)
    assert [folder for folder in answer["path"][4:] if "site-packages" in folder] == []


def test_the_task_root_wins_over_layers_and_layers_over_the_runtime(make_pool, tmp_path):
    opt = tmp_path / "opt"
    for name in ("shared", "boto3"):
        (opt / "python" / name).mkdir(parents=True)
        (opt / "python" / name / "__init__.py").write_text(f"origin = 'layer {name}'\n")
    app = "import boto3, shared\ndef handler(event, context):\n    return [boto3.origin, shared.origin]\n"
    pool = make_pool(app, opt=opt)
    assert invoke(pool)[1] == ["layer boto3", "layer shared"]
    pool.recycle()
    (pool.deployment.task_root / "shared.py").write_text("origin = 'task root'\n")
    assert invoke(pool)[1] == ["layer boto3", "task root"]


def test_nothing_is_written_beside_the_code_and_temporary_files_go_with_the_environment(make_pool, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    app = (
        "import other, tempfile\n"
        "def handler(event, context):\n"
        "    with tempfile.NamedTemporaryFile(delete=False) as file:\n        return file.name\n"
    )
    pool = make_pool(app, scratch=scratch)
    (pool.deployment.task_root / "other.py").write_text("")
    _, name = invoke(pool)
    assert Path(name).exists()
    assert Path(name).is_relative_to(scratch)
    assert sorted(path.name for path in pool.deployment.task_root.iterdir()) == ["app.py", "other.py"]
    pool.close()
    assert list(scratch.iterdir()) == []


def test_closing_ends_workers_and_what_they_started(make_pool):
    app = (
        "import os, subprocess\n"
        "def handler(event, context):\n"
        "    return [os.getpid(), subprocess.Popen(['sleep', '600']).pid]\n"
    )
    pool = make_pool(app)
    _, pids = invoke(pool)
    pool.close()
    until = time.monotonic() + 2
    while any(map(is_running, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    assert [pid for pid in pids if is_running(pid)] == []


def test_idle_environments_are_swept(make_pool):
    pool = make_pool()
    invoke(pool)
    pool.sweep(60)
    assert len(pool.pids) == 1
    pool.sweep(0)
    assert pool.pids == ()


def test_without_awslambdarics_compiled_client_the_portable_one_serves(make_pool, tmp_path):
    app = (
        "def handler(event, context):\n"
        "    if event.get('raise'): raise ValueError('é')\n"
        "    left = context.get_remaining_time_in_millis()\n"
        "    return {'client': __import__('runtime_client').__file__, 'left': left > 0}\n"
    )
    pool = make_pool(app)
    # A broken compiled client in the task root comes first on sys.path: as if the wheel did not fit the host.
    (pool.deployment.task_root / "runtime_client.py").write_text("raise ImportError('built for another system')\n")
    outcome, answer = invoke(pool)
    assert outcome.error is None, outcome.log_tail
    assert Path(answer["client"]) == ROOT / "build" / "local" / "runtime" / "runtime_client.py"
    assert answer["left"]
    outcome, answer = invoke(pool, {"raise": True})
    assert outcome.error == "Unhandled"
    assert answer["errorMessage"] == "é"

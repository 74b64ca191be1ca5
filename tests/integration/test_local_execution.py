"""Real workers on real interpreters, without a cloud."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from build.local import memory, runtime_bundle, sandbox
from build.local.execution import Deployment, LogFormat, Pool
from build.local.refusals import NotJsonError, TooManyRequestsError
from build.model import Runtime
from tests.checkout import wait_for

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
        if app:
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


def processes_of(pool):
    """Return the processes that environments consist of, by the ids that this machine gives them."""
    return [each for pid in pool.pids for each in memory.descendants(pid)]


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path("/proc").exists() or state_of(pid) not in {"Z", ""}


def state_of(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_the_first_invoke_is_cold_and_the_next_are_warm(boxed, make_pool):
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


def test_after_recycling_the_next_invoke_is_cold(boxed, make_pool):
    pool = make_pool()
    invoke(pool)
    (before,) = pool.pids
    pool.recycle()
    assert not is_running(before)
    after, answer = invoke(pool)
    assert after.cold
    assert answer["count"] == 1


def test_an_environment_that_was_started_ahead_is_warm_for_its_first_event(boxed, make_pool):
    pool = make_pool()
    started = pool.warm().result()
    assert (started.error, started.ms > 0) == ("", True)
    assert "INIT_START" in started.log
    (pid,) = pool.pids
    outcome, answer = invoke(pool)
    assert not outcome.cold
    assert answer["count"] == 1
    assert pool.pids == (pid,)


def test_one_that_does_not_start_says_why_and_is_tried_again_with_the_next_event(boxed, make_pool):
    pool = make_pool("print('here')\nraise OSError('at import')")
    started = pool.warm().result()
    assert json.loads(started.error)["errorMessage"] == "at import"
    assert "here" in started.log.splitlines()
    assert pool.pids == ()
    outcome, _ = invoke(pool)
    assert outcome.cold


def test_one_that_was_started_ahead_for_a_retired_pool_ends(boxed, make_pool):
    pool = make_pool()
    pool.retire()
    assert pool.warm().result().error == ""
    assert pool.pids == ()


def test_the_first_event_waits_for_the_one_that_starts_and_others_do_not(boxed, make_pool):
    pool = make_pool(f"import time\ntime.sleep(1)\n{APP}")
    ahead = pool.warm()
    assert pool.warm() is ahead
    with ThreadPoolExecutor(2) as threads:
        outcomes = list(threads.map(lambda _: invoke(pool)[0], range(2)))
    assert sorted(outcome.cold for outcome in outcomes) == [False, True]


def test_the_log_tail_tells_the_whole_story_of_a_cold_start(boxed, make_pool):
    outcome, _ = invoke(make_pool(), {"a": 1})
    lines = outcome.log_tail.splitlines()
    if not boxed:
        assert lines.pop(1).startswith("no sandbox: ")
    assert [line.split()[0] for line in lines] == ["INIT_START", "initialised", "START", "got", "END", "REPORT"]
    assert "Init Duration" in lines[-1]


def test_log_records_keep_their_lines_together_and_go_to_the_sink(boxed, make_pool):
    seen: list[tuple[str, str]] = []
    app = "import logging\ndef handler(event, context):\n    logging.getLogger().error('one\\ntwo')\n"
    pool = make_pool(app, sink=lambda _, stream, lines: seen.extend((stream, line.message) for line in lines))
    invoke(pool)
    [record] = [message for _, message in seen if "one" in message]
    assert record.endswith("one\ntwo")
    assert len({stream for stream, _ in seen}) == 1
    assert "/[7]" in seen[0][0]


def test_json_logging_gives_json_from_the_platform_and_the_logger(boxed, make_pool):
    app = "import logging\ndef handler(event, context):\n    logging.getLogger().warning('careful')\n"
    outcome, _ = invoke(make_pool(app, log_format=LogFormat.JSON))
    records = [json.loads(line) for line in outcome.log_tail.splitlines() if not line.startswith("no sandbox")]
    assert [record["type"] for record in records if "type" in record] == [
        "platform.initStart",
        "platform.start",
        "platform.report",
    ]
    [warning] = [record for record in records if "level" in record]
    assert (warning["message"], warning["requestId"]) == ("careful", outcome.request_id)


def test_an_exception_is_answered_as_lambda_does_and_the_environment_stays(boxed, make_pool):
    pool = make_pool()
    outcome, answer = invoke(pool, {"raise": True})
    assert outcome.error == "Unhandled"
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "on purpose")
    assert "[ERROR] ValueError: on purpose" in outcome.log_tail
    assert not invoke(pool)[0].cold


def test_a_timeout_kills_the_environment_and_says_so(boxed, make_pool):
    pool = make_pool(timeout_s=1)
    invoke(pool)
    before = processes_of(pool)
    outcome, answer = invoke(pool, {"sleep": 30})
    assert outcome.error == "Unhandled"
    assert answer["errorMessage"].endswith(f"{outcome.request_id} Task timed out after 1.00 seconds")
    assert outcome.duration_ms == 1000
    assert "Status: timeout" in outcome.log_tail
    wait_for(lambda: not any(map(is_running, before)))
    assert invoke(pool)[0].cold


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"exit": 3}, "exit status 3"),
        ({"exit": 0}, "exited without providing a reason"),
        ({"kill": True}, "signal: killed"),
    ],
)
def test_a_crash_is_an_exit_error_and_the_next_invoke_gets_a_new_environment(boxed, make_pool, event, reason):
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


def test_a_worker_that_died_while_idle_is_replaced_unseen(boxed, make_pool):
    pool = make_pool()
    invoke(pool)
    os.kill(processes_of(pool)[-1], signal.SIGKILL)
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
def test_code_that_cannot_be_loaded_is_an_init_error(boxed, make_pool, app, kind, message):
    pool = make_pool(app)
    for _ in range(2):
        outcome, answer = invoke(pool)
        assert outcome.error == "Unhandled"
        assert outcome.cold
        assert answer["errorType"] == kind
        assert answer["errorMessage"].startswith(message)
        assert answer["requestId"] == outcome.request_id


def test_an_initialisation_that_takes_too_long_is_done_again_on_the_functions_time(boxed, make_pool, monkeypatch):
    monkeypatch.setattr("build.local.environment.INIT_LIMIT_S", 0.5)
    app = "import time\ntime.sleep(1)\ndef handler(event, context):\n    return 'ready'\n"
    outcome, answer = invoke(make_pool(app, timeout_s=5))
    assert answer == "ready"
    assert outcome.init_ms is None
    assert outcome.duration_ms > 1000
    assert "INIT_REPORT" in outcome.log_tail
    outcome, answer = invoke(make_pool(app, timeout_s=1))
    assert "Task timed out after 1.00 seconds" in answer["errorMessage"]


def test_parallel_invokes_get_environments_of_their_own(boxed, make_pool):
    pool = make_pool()
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: invoke(pool, {"sleep": 0.5})[1], range(4)))
    assert [answer["count"] for answer in answers] == [1, 1, 1, 1]
    assert len(set(pool.pids)) == 4


def test_beyond_the_limit_invokes_are_throttled(boxed, make_pool):
    pool = make_pool(limit=1)
    invoke(pool)
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(invoke, pool, {"sleep": 1})
        time.sleep(0.3)
        with pytest.raises(TooManyRequestsError, match="Rate Exceeded"):
            pool.invoke(b"{}")
        assert busy.result()[0].error is None
    assert invoke(pool)[0].error is None


def test_an_answer_beyond_6_mb_is_an_error_and_one_below_is_not(boxed, make_pool):
    pool = make_pool()
    _, answer = invoke(pool, {"large": 6_000_000})
    assert len(answer) == 6_000_000
    outcome, answer = invoke(pool, {"large": 6_291_556})
    assert outcome.error == "Unhandled"
    assert answer["errorType"] == "Function.ResponseSizeTooLarge"
    assert not invoke(pool)[0].cold


def test_a_large_event_arrives_whole(boxed, make_pool):
    pool = make_pool("def handler(event, context):\n    return len(event)\n")
    assert invoke(pool, "x" * 6_000_000)[1] == 6_000_000


def test_an_event_that_is_not_json_starts_nothing(boxed, make_pool):
    pool = make_pool()
    with pytest.raises(NotJsonError):
        pool.invoke(b"{oops")
    assert pool.pids == ()


def test_the_function_sees_its_own_variables_and_nothing_of_the_host(boxed, make_pool, monkeypatch):
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
    assert variables.get("HOME") != str(Path.home())
    assert ("HOME" in variables) is not boxed


@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_modules_are_looked_for_where_lambda_looks(boxed, make_pool, tmp_path, minor):
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
    task_root, runtime, own = "/var/task", "/var/runtime", f"/var/lang/lib/python3.{minor}"
    if not boxed:
        task_root, runtime = str(pool.deployment.task_root), str(runtime_bundle.ensure(ROOT, Runtime(minor)))
    assert answer["version"][:2] == [3, minor]
    assert answer["cwd"] == task_root
    layers = "/opt" if boxed else opt
    expected = [task_root, f"{layers}/python/lib/python3.{minor}/site-packages", f"{layers}/python"]
    if boxed and minor > 10:
        expected.append(f"{own}/site-packages")
    assert answer["path"][: len(expected) + 1] == [*expected, runtime]
    assert answer["boto3"].startswith(runtime)
    rest = [folder for folder in answer["path"][len(expected) + 1 :] if not folder.endswith(".zip")]
    if boxed:
        assert rest == [own, f"{own}/lib-dynload", f"{own}/site-packages"]
    assert boxed or [folder for folder in rest if "site-packages" in folder] == []


def test_the_task_root_wins_over_layers_and_layers_over_the_runtime(boxed, make_pool, tmp_path):
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


def test_nothing_is_written_beside_the_code_and_temporary_files_go_with_the_environment(boxed, make_pool, tmp_path):
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
    assert Path(name).is_relative_to("/tmp" if boxed else scratch)
    assert Path(name).exists() is not boxed
    assert sorted(path.name for path in pool.deployment.task_root.iterdir()) == ["app.py", "other.py"]
    pool.close()
    assert list(scratch.iterdir()) == []


def test_closing_ends_workers_and_what_they_started(boxed, make_pool):
    app = (
        "import os, subprocess\n"
        "def handler(event, context):\n"
        "    return [os.getpid(), subprocess.Popen(['sleep', '600']).pid]\n"
    )
    pool = make_pool(app)
    invoke(pool)
    pids = processes_of(pool)
    assert len(pids) == (4 if boxed else 2)
    pool.close()
    wait_for(lambda: not any(map(is_running, pids)))


def test_idle_environments_are_swept(boxed, make_pool):
    pool = make_pool()
    invoke(pool)
    pool.sweep(60)
    assert len(pool.pids) == 1
    pool.sweep(0)
    assert pool.pids == ()


def test_without_awslambdarics_compiled_client_the_portable_one_serves(boxed, make_pool, tmp_path):
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
    own = "/var/runtime" if boxed else ROOT / "build" / "local" / "runtime"
    assert Path(answer["client"]) == Path(own, "runtime_client.py")
    assert answer["left"]
    outcome, answer = invoke(pool, {"raise": True})
    assert outcome.error == "Unhandled"
    assert answer["errorMessage"] == "é"


def test_the_context_tells_who_called_and_how_much_time_is_left(boxed, make_pool):
    app = (
        "import os\n"
        "def handler(event, context):\n"
        "    return {\n"
        "        'arn': context.invoked_function_arn,\n"
        "        'name': context.function_name,\n"
        "        'version': context.function_version,\n"
        "        'memory': context.memory_limit_in_mb,\n"
        "        'group': context.log_group_name,\n"
        "        'stream': context.log_stream_name,\n"
        "        'left': context.get_remaining_time_in_millis(),\n"
        "        'custom': context.client_context and context.client_context.custom,\n"
        "        'trace': os.environ['_X_AMZN_TRACE_ID'],\n"
        "    }\n"
    )
    streams: set[str] = set()
    pool = make_pool(app, memory_mb=256, timeout_s=7, sink=lambda _, stream, _lines: streams.add(stream))
    arn = f"{pool.deployment.arn}:live"
    root = "Root=1-5759e988-bd862e3fe1be46a994272793"
    outcome = pool.invoke(
        b"{}",
        invoked_arn=arn,
        client_context='{"custom": {"a": "b"}}',
        trace=f"{root};Parent=53995c3f42cd8ad8;Sampled=1",
    )
    answer = json.loads(outcome.payload)
    assert 5000 < answer.pop("left") <= 7000
    trace = answer.pop("trace").split(";")
    assert (trace[0], trace[2]) == (root, "Sampled=1")
    assert trace[1] != "Parent=53995c3f42cd8ad8"
    assert answer == {
        "arn": arn,
        "name": "orders",
        "version": "7",
        "memory": "256",
        "group": "/aws/lambda/orders",
        "stream": streams.pop(),
        "custom": {"a": "b"},
    }
    _, answer = invoke(pool)
    assert answer["arn"] == pool.deployment.arn
    assert answer["custom"] is None
    assert answer["trace"].startswith("Root=1-")
    assert root not in answer["trace"]


def test_frozen_environments_end_with_a_cloud_that_is_killed(boxed, make_pool, tmp_path):
    pool = make_pool("def handler(event, context):\n    return 'done'\n")
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from build.local import memory, sandbox\n"
        "from build.local.execution import Deployment, Pool\n"
        "from build.model import Runtime\n"
        f"if not {boxed}: sandbox.problem = lambda: 'no sandbox'\n"
        "given = dict(function_name='a', version='1', handler='app.handler', timeout_s=10, log_group='a',\n"
        "    region='us-east-1', account_id='123456789012', runtime=Runtime(13))\n"
        f"described = Deployment(task_root=Path({str(pool.deployment.task_root)!r}), **given)\n"
        f"pool = Pool(described, root=Path({str(ROOT)!r}), scratch=Path({str(tmp_path)!r}))\n"
        "assert pool.invoke(b'{}').error is None\n"
        "print(*memory.descendants(pool.pids[0]), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    pids = [int(pid) for pid in ran.stdout.split()]
    assert len(pids) == (3 if boxed else 1)
    wait_for(lambda: not any(map(is_running, pids)))


def test_nothing_hears_a_signal_before_it_ends_for_there_are_no_extensions(boxed, make_pool, tmp_path):
    app = (
        "import signal\n"
        "def ending(number, frame):\n"
        "    print('heard', number, flush=True)\n"
        "signal.signal(signal.SIGTERM, ending)\n"
        "def handler(event, context):\n"
        "    return 'done'\n"
    )
    logged: list[str] = []
    pool = make_pool(app, sink=lambda _, _stream, lines: logged.extend(line.message for line in lines))
    invoke(pool)
    pool.close()
    assert not any("heard" in line for line in logged)


def test_many_events_leave_nothing_behind(boxed, make_pool, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    app = "import time\ndef handler(event, context):\n    time.sleep(event.get('sleep', 0))\n"
    invoke(make_pool(app))  # what is made once

    def held():
        return len(list(Path("/proc/self/fd").iterdir())), sorted(scratch.iterdir())

    before = held()
    pool = make_pool(app, scratch=scratch)
    with ThreadPoolExecutor(20) as threads:
        outcomes = list(threads.map(lambda _: invoke(pool, {"sleep": 0.5})[0], range(20)))
    assert [outcome.error for outcome in outcomes] == [None] * 20
    for _ in range(300):
        assert invoke(pool)[0].error is None
    processes = processes_of(pool)
    pool.close()
    wait_for(lambda: not any(map(is_running, processes)))
    assert held() == before


# ── frozen, and held to its memory ────────────────────────────────────────────────────────────


def test_nothing_runs_between_two_events(boxed, make_pool):
    app = (
        "import subprocess, sys, threading, time\n"
        "ticks = 0\n"
        "def tick():\n"
        "    global ticks\n"
        "    while True:\n"
        "        time.sleep(0.01)\n"
        "        ticks += 1\n"
        "threading.Thread(target=tick, daemon=True).start()\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time\\nwhile True: time.sleep(0.01); "
        "open(\\'/tmp/ticks-of-a-test\\', \\'ab\\').write(b\\'.\\')'], start_new_session=True)\n"
        "def handler(event, context):\n"
        "    time.sleep(event['sleep'])\n"
        "    return ticks\n"
    )
    pool = make_pool(app.replace("/tmp/ticks-of-a-test", "/tmp/x" if boxed else "/dev/null"))
    _, first = invoke(pool, {"sleep": 0.3})
    assert first > 10
    functions = processes_of(pool)[2 if boxed else 0 :]
    assert len(functions) == 2
    wait_for(lambda: {state_of(pid) for pid in functions} == {"T"})
    time.sleep(1)
    _, second = invoke(pool, {"sleep": 0})
    assert second - first < 10
    pool.close()
    wait_for(lambda: not any(map(is_running, functions)))


def test_a_worker_that_ends_after_its_answer_is_replaced_before_the_next(boxed, make_pool):
    app = (
        "import os, threading, time\n"
        "def handler(event, context):\n"
        "    if event.get('end'):\n"
        "        from awslambdaric import lambda_runtime_client as client\n"
        "        client.LambdaRuntimeClient.wait_next_invocation = lambda self: os._exit(4)\n"
        "    return 'answer'\n"
    )
    pool = make_pool(app)
    assert invoke(pool, {"end": True})[1] == "answer"
    assert pool.pids == ()
    outcome, answer = invoke(pool)
    assert (outcome.cold, answer) == (True, "answer")


HUNGRY = """
import subprocess, sys, time
hoard = []

def handler(event, context):
    for _ in range(event.get("children", 0)):
        program = f"import time; held = b'x' * ({event['each']} << 20); time.sleep(30)"
        hoard.append(subprocess.Popen([sys.executable, "-c", program]))
    if "take" in event:
        taken = b"x" * (event["take"] << 20)
        if event.get("keep"):
            hoard.append(taken)
    time.sleep(event.get("sleep", 0))
    return "done"
"""


def test_the_report_tells_what_was_used(boxed, make_pool):
    pool = make_pool(HUNGRY, memory_mb=512)
    small, _ = invoke(pool)
    large, answer = invoke(pool, {"take": 200})
    assert answer == "done"
    assert 10 < small.max_memory_mb < 100
    assert small.max_memory_mb + 150 < large.max_memory_mb < 400
    assert f"Memory Size: 512 MB\tMax Memory Used: {large.max_memory_mb} MB" in large.log_tail


@pytest.mark.parametrize(
    "event",
    [{"take": 300, "sleep": 20}, {"take": 300}, {"children": 3, "each": 90, "sleep": 20}],
    ids=["held", "for a moment", "by children"],
)
def test_beyond_its_memory_a_function_is_killed(boxed, make_pool, event):
    pool = make_pool(HUNGRY, memory_mb=256, timeout_s=25)
    assert invoke(pool)[0].error is None
    outcome, answer = invoke(pool, event)
    assert outcome.error == "Unhandled"
    assert answer == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {outcome.request_id} Error: Runtime exited with error: signal: killed",
    }
    assert outcome.duration_ms < 15_000
    *_, report = outcome.log_tail.splitlines()
    assert "Memory Size: 256 MB\tMax Memory Used: 256 MB" in report
    assert report.endswith("Status: error\tError Type: Runtime.OutOfMemory")
    assert pool.pids == ()
    assert invoke(pool)[0].cold


def test_the_reports_of_json_name_it_as_well(boxed, make_pool):
    outcome, _ = invoke(make_pool(HUNGRY, memory_mb=128, log_format=LogFormat.JSON), {"take": 200})
    report = json.loads(outcome.log_tail.splitlines()[-1])
    assert (report["record"]["status"], report["record"]["errorType"]) == ("error", "Runtime.OutOfMemory")
    assert report["record"]["metrics"]["maxMemoryUsedMB"] == report["record"]["metrics"]["memorySizeMB"] == 128


def test_memory_is_held_against_initialisation_too(boxed, make_pool):
    outcome, _ = invoke(make_pool(f"hoard = b'x' * (200 << 20)\n{HUNGRY}", memory_mb=128))
    assert outcome.error == "Unhandled"
    assert "Error Type: Runtime.OutOfMemory" in outcome.log_tail


def test_what_children_share_with_their_parent_counts_once(boxed, make_pool):
    app = (
        "import multiprocessing, time\n"
        "hoard = b'x' * (100 << 20)\n"
        "def handler(event, context):\n"
        "    forked = multiprocessing.get_context('fork')\n"
        "    children = [forked.Process(target=time.sleep, args=(0.5,)) for _ in range(4)]\n"
        "    for child in children: child.start()\n"
        "    for child in children: child.join()\n"
        "    return 'done'\n"
    )
    assert invoke(make_pool(app, memory_mb=256))[1] == "done"


# ── what it sees in a sandbox ─────────────────────────────────────────────────────────────────

LOOK = """
import ctypes, os, pathlib, socket, sqlite3, ssl, subprocess, sys, zlib

def attempt(what):
    try:
        what()
    except OSError as why:
        return type(why).__name__ + " " + str(why.errno)
    return "done"

def handler(event, context):
    return {
        "root": sorted(os.listdir("/")),
        "home": str(pathlib.Path.home()),
        "homes": attempt(lambda: os.listdir("/root")),
        "user": [os.getuid(), os.getgid()],
        "write /var/task": attempt(lambda: open("/var/task/new", "w")),
        "write /": attempt(lambda: open("/new", "w")),
        "write /tmp": attempt(lambda: open("/tmp/new", "w")),
        "size of /tmp": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize,
        "git": attempt(lambda: subprocess.run(["git", "--version"])),
        "shell": subprocess.run(["bash", "-c", "echo $LAMBDA_TASK_ROOT"], capture_output=True, text=True).stdout,
        "localhost": socket.gethostbyname("localhost"),
        "certificates": len(ssl.create_default_context().get_ca_certs()) > 10,
        "mounts": pathlib.Path("/proc/self/mountinfo").read_text(),
        "executable": sys.executable,
        "argv": sys.orig_argv,
        "environ": dict(os.environ),
    }
"""


def test_it_sees_lambdas_places_and_nothing_of_this_machine(shut_in, make_pool, tmp_path):
    opt = tmp_path / "opt"
    (opt / "bin").mkdir(parents=True)
    outcome, seen = invoke(make_pool(LOOK, opt=opt, ephemeral_storage_mb=600))
    assert outcome.error is None, outcome.log_tail
    assert set(seen["root"]) == {"bin", "dev", "etc", "lib", "lib64", "opt", "proc", "tmp", "usr", "var"} & set(
        seen["root"]
    )
    assert seen["home"] == "/home/sbx_user1051"
    assert seen["homes"] == "FileNotFoundError 2"
    assert seen["user"] == [993, 990]
    assert seen["write /var/task"] == seen["write /"] == "OSError 30"
    assert seen["write /tmp"] == "done"
    assert seen["size of /tmp"] == 600 << 20
    assert seen["git"] == "FileNotFoundError 2"
    assert seen["shell"] == "/var/task\n"
    assert seen["localhost"] == "127.0.0.1"
    assert seen["certificates"]
    assert seen["executable"] == "/var/lang/bin/python3.13"
    assert seen["argv"] == ["/var/lang/bin/python3.13", "/var/runtime/bootstrap.py"]


def test_its_variables_are_lambdas(shut_in, make_pool):
    _, seen = invoke(make_pool(LOOK))
    environ = seen["environ"]
    assert (environ["LAMBDA_TASK_ROOT"], environ["LAMBDA_RUNTIME_DIR"]) == ("/var/task", "/var/runtime")
    assert environ["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert environ["PATH"] == "/var/lang/bin:/usr/local/bin:/usr/bin:/bin:/opt/bin"
    assert environ["LD_LIBRARY_PATH"].startswith("/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:")
    assert environ["PYTHONPATH"] == "/var/runtime"
    assert {"HOME", "TMPDIR", "USER", "PWD"} & set(environ) <= {"PWD"}


def test_a_function_may_lead_the_loader_elsewhere(shut_in, make_pool):
    outcome, seen = invoke(make_pool(LOOK, environment={"LD_LIBRARY_PATH": "/opt/lib", "PYTHONPATH": "/var/task/own"}))
    assert outcome.error is None, outcome.log_tail
    assert seen["environ"]["LD_LIBRARY_PATH"] == "/opt/lib"


def test_with_a_path_of_its_own_layers_are_left_out(boxed, make_pool, tmp_path):
    opt, app = tmp_path / "opt", "import sys\ndef handler(event, context):\n    return sys.path\n"
    (opt / "python").mkdir(parents=True)
    pool = make_pool(app, opt=opt, environment={"PYTHONPATH": "/var/task/own"})
    _, path = invoke(pool)
    assert path[2] == "/var/task/own"
    assert [folder for folder in path if "opt" in folder] == []


def test_path_files_are_read_in_the_task_root_and_in_layers(boxed, make_pool, tmp_path):
    opt, app = tmp_path / "opt", "import deep, deeper\ndef handler(event, context):\n    return 'found'\n"
    for folder, module in ((opt / "python" / "inner", "deeper"), (tmp_path / "task0" / "inner", "deep")):
        folder.mkdir(parents=True)
        (folder / f"{module}.py").write_text("")
        (folder.parent / "more.pth").write_text("inner\n")
    (tmp_path / "task0" / "app.py").write_text(app)
    pool = make_pool(None, task_root=tmp_path / "task0", opt=opt)
    outcome, answer = invoke(pool)
    assert answer == "found", outcome.log_tail


def test_a_wrapper_starts_the_runtime(shut_in, make_pool, tmp_path):
    opt = tmp_path / "opt"
    opt.mkdir()
    (opt / "wrapper").write_text(
        '#!/bin/bash\nexport ADDED=yes\nargs=("$@")\nexec "${args[@]:0:$#-1}" -X utf8 "${args[@]: -1}"\n'
    )
    (opt / "wrapper").chmod(0o755)
    (opt / "text").write_text("")
    pool = make_pool(LOOK, opt=opt, environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"})
    outcome, seen = invoke(pool)
    assert outcome.error is None, outcome.log_tail
    assert seen["environ"]["ADDED"] == "yes"
    assert seen["argv"] == ["/var/lang/bin/python3.13", "-X", "utf8", "/var/runtime/bootstrap.py"]
    for name, said, code in (("missing", "does not exist", 127), ("text", "is not an executable", 126)):
        outcome, answer = invoke(make_pool(LOOK, opt=opt, environment={"AWS_LAMBDA_EXEC_WRAPPER": f"/opt/{name}"}))
        assert answer["errorMessage"].endswith(f"exit status {code}")
        assert f"/opt/{name}: {said}" in outcome.log_tail


def test_without_a_sandbox_the_log_of_every_environment_says_so_and_ours_once(make_pool, monkeypatch, capsys):
    monkeypatch.setattr(sandbox, "problem", lambda: "none for this test")
    pools = [make_pool(), make_pool()]
    said = [invoke(pool)[0].log_tail for pool in pools for _ in range(2)]
    assert [tail.count("none for this test: the function sees") for tail in said] == [1, 0, 1, 0]
    assert capsys.readouterr().err.count("none for this test") == 1

"""External extensions: programs in a layer's ``extensions/`` that run beside the function, in a sandbox and without."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from build.local import memory, worker
from build.local.deployment import LogFormat
from build.local.execution import Deployment, Pool
from build.model import Runtime
from tests.checkout import ROOT, wait_for

pytestmark = pytest.mark.slow

EXTENSION = """#!/usr/bin/env python3
import json, os, sys, tempfile, time, urllib.request

API = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2020-01-01/extension/"
NAME = os.path.basename(__file__)
SEEN = os.path.join(tempfile.gettempdir(), f"{NAME}.json")

def ask(action, headers, body=None):
    request = urllib.request.Request(API + action, body, headers)
    with urllib.request.urlopen(request) as answer:
        return answer.headers, json.loads(answer.read())

events = json.dumps({"events": EVENTS}).encode()
headers, function = ask("register", {"Lambda-Extension-Name": NAME}, events)
me = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
seen = [function, sorted(os.environ)]
time.sleep(INIT_S)
while True:
    _, event = ask("event/next", me)
    seen.append(event)
    if event["eventType"] == "SHUTDOWN":
        print("goodbye", event["shutdownReason"], flush=True)
        sys.exit()
    with open(SEEN, "w") as target:
        json.dump(seen, target)
    time.sleep(WORK_S)
"""
SHELL = """#!/bin/sh
echo "no API for me" >&2
exit 3
"""
APP = """
import json, os, signal, sys, tempfile, time

def ending(number, frame):
    print("heard", number, flush=True)
    sys.exit()

signal.signal(signal.SIGTERM, ending)

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    time.sleep(0.1)  # the extension works at the same time
    path = os.path.join(tempfile.gettempdir(), "watcher.json")
    return {"seen": json.load(open(path)) if os.path.exists(path) else None, "id": context.aws_request_id}
"""


@pytest.fixture
def beside(boxed, tmp_path):
    """Give a function that makes a pool of a function with one extension, and where its log goes."""
    pools: list[Pool] = []
    logged: list[str] = []

    def make(extension=EXTENSION, *, events="['INVOKE', 'SHUTDOWN']", init_s=0.0, work_s=0.0, mode=0o755, **settings):
        task_root, program = tmp_path / "task", tmp_path / "opt/extensions/watcher"
        task_root.mkdir()
        program.parent.mkdir(parents=True)
        (task_root / "app.py").write_text(APP)
        text = extension.replace("EVENTS", events).replace("INIT_S", str(init_s)).replace("WORK_S", str(work_s))
        program.write_text(text)
        program.chmod(mode)
        values = {
            "function_name": "orders",
            "version": "7",
            "runtime": Runtime(13),
            "handler": "app.handler",
            "task_root": task_root,
            "opt": program.parent.parent,
            "timeout_s": 5,
            "memory_mb": 256,
            "log_group": "/aws/lambda/orders",
            "region": "us-east-1",
            "account_id": "123456789012",
        }
        pool = Pool(
            Deployment(**{**values, **settings}),
            root=ROOT,
            sink=lambda _, _stream, lines: logged.extend(line.message for line in lines),
        )
        pools.append(pool)
        return pool, logged

    yield make
    for pool in pools:
        pool.close()


def invoke(pool, event=None):
    outcome = pool.invoke(json.dumps(event or {}).encode())
    return outcome, json.loads(outcome.payload)


def test_it_registers_before_the_function_loads_and_is_told_of_every_event(beside):
    pool, logged = beside()
    _, first = invoke(pool)
    second, answer = invoke(pool)
    assert not second.cold
    function, names, *events = answer["seen"]
    assert function == {"functionName": "orders", "functionVersion": "7", "handler": "app.handler"}
    assert [event["requestId"] for event in events] == [first["id"], answer["id"]]
    assert {event["eventType"] for event in events} == {"INVOKE"}
    assert events[0]["invokedFunctionArn"] == pool.deployment.arn
    assert events[0]["tracing"]["value"].startswith("Root=1-")
    assert 0 < events[1]["deadlineMs"] - time.time() * 1000 < 5000
    assert {"AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "PATH"} < set(names)
    assert {"_HANDLER", "AWS_LAMBDA_LOG_STREAM_NAME", "LAMBDA_TASK_ROOT"}.isdisjoint(names)
    assert "EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]" in logged


def test_initialisation_and_events_last_until_the_extension_is_done(beside):
    pool, _ = beside(init_s=0.5, work_s=0.6)
    cold, _ = invoke(pool)
    assert cold.init_ms > 500
    began = time.monotonic()
    invoke(pool)
    assert time.monotonic() - began > 0.6


def test_at_the_end_it_is_told_why_and_the_function_hears_sigterm(boxed, beside, monkeypatch):
    monkeypatch.setattr(worker, "GOODBYE_S", 60.0)
    pool, logged = beside()
    invoke(pool)
    family = memory.descendants(pool.pids[0])
    assert len(family) == (4 if boxed else 2)
    began = time.monotonic()
    pool.recycle()
    assert time.monotonic() - began < 30, "nobody is waited for who has ended"
    assert [line for line in logged if "goodbye" in line or "heard" in line] == ["goodbye spindown", "heard 15"]
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))


def test_after_a_timeout_it_is_told_so(beside):
    pool, logged = beside(timeout_s=1)
    outcome, _ = invoke(pool, {"sleep": 3})
    assert outcome.ending == "timeout"
    assert "goodbye timeout" in logged


def test_who_does_not_end_is_killed_after_two_seconds(boxed, beside):
    pool, _ = beside(EXTENSION.replace("sys.exit()", "time.sleep(60)"))
    invoke(pool)
    family = memory.descendants(pool.pids[0])
    began = time.monotonic()
    pool.close()
    assert worker.GOODBYE_S <= time.monotonic() - began < 15
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))


def test_those_of_several_environments_are_waited_for_together(beside, monkeypatch):
    monkeypatch.setattr(worker, "GOODBYE_S", 4.0)
    pool, _ = beside(EXTENSION.replace("sys.exit()", "time.sleep(60)"))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: invoke(pool, {"sleep": 2}), range(4)))
    assert len(pool.pids) > 2
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 2 * worker.GOODBYE_S


def test_where_the_function_is_gone_already_all_the_rest_ends(boxed, beside):
    pool, _ = beside()
    invoke(pool)
    family = memory.descendants(pool.pids[0])
    if boxed:
        os.kill(family[0], signal.SIGSTOP)  # so that the sandbox has not seen it yet
    os.kill(family[1 if boxed else 0], signal.SIGKILL)
    wait_for(lambda: not boxed or len(memory.descendants(family[0])) == 2)
    pool.close()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family))


def test_an_extension_may_name_no_events_as_null(beside):
    pool, logged = beside(events="None")
    assert invoke(pool)[0].error is None
    assert "EXTENSION\tName: watcher\tState: Ready\tEvents: []" in logged


def test_one_that_is_not_told_of_events_holds_nothing_up(beside):
    pool, _ = beside(events="['SHUTDOWN']", work_s=60)
    outcome, answer = invoke(pool)
    assert outcome.error is None
    assert answer["seen"] is None


@pytest.mark.parametrize(
    ("extension", "mode", "kind"),
    [(SHELL, 0o755, "Extension.Crash"), (SHELL, 0o644, "Extension.LaunchError")],
)
def test_one_that_cannot_start_fails_the_initialisation(beside, extension, mode, kind):
    pool, _ = beside(extension, mode=mode)
    outcome, answer = invoke(pool)
    assert outcome.error == "Unhandled"
    assert answer["errorType"] == kind
    assert "watcher" in answer["errorMessage"]


def test_in_json_the_platform_tells_of_it(beside):
    pool, logged = beside(log_format=LogFormat.JSON)
    invoke(pool)
    told = [json.loads(line) for line in logged if "platform.extension" in line]
    assert [each["record"] for each in told] == [
        {"name": "watcher", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    ]

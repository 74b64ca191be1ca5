"""`invoke`, `event` and `logs` on an embedded cloud, as a shell sees them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from build.local import cloud
from tests.checkout import make_checkout, wait_for
from tests.embedded import Account

pytestmark = pytest.mark.slow

APP = """
import json, time

print("importing")

def handler(event, context):
    print("got", json.dumps(event))
    for step in range(event.get("steps", 0)):
        print("step", step)
        time.sleep(0.5)
    for number in range(event.get("lines", 0)):
        print(f"line {number:05}", "x" * 60)
    if event.get("raise"):
        raise ValueError("on purpose")
    return {"got": event}
"""
ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    for name in ("orders", "prices"):
        checkout.run("new", name)
        checkout.write(f"functions/{name}/src/app.py", APP)
        checkout.write(f"functions/{name}/events/default.json", '{"name": "Ada"}')
    checkout.run("local.start")
    running = cloud.running(checkout.root)
    assert running
    account = Account(running)
    account.deploy("slipway-local-orders", APP)
    account.deploy("slipway-local-prices", APP, LoggingConfig={"LogFormat": "JSON"})
    yield checkout
    checkout.close()


@contextmanager
def started(checkout, *verb):
    """Run a verb that does not end by itself; give its lines as they come, each with how long it took."""
    command = [sys.executable, "-m", "invoke", *verb]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=checkout.root, stdout=pipe, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 130


def until(process, words):
    """Return the lines up to one with ``words``."""
    seen = []
    for line in process.stdout:
        seen.append(line.rstrip("\n"))
        if words in line:
            return seen
    raise AssertionError(f"{words!r} did not come, but {seen}")


def test_invoke_tells_how_long_it_took_cold_and_warm(checkout):
    checkout.run("invoke", "-f", "orders", "-e", '{"wake": 1}')
    done = checkout.run("invoke", "-f", "orders")
    assert json.loads(done.stdout) == {"got": {"name": "Ada"}}
    assert 'got {"name": "Ada"}' in done.stderr
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(r"warm: [\d.]+ ms, billed \d+ ms, \d+ of 128 MB; \d\.\d\d s there and back, version 1", last)
    first = checkout.run("invoke", "-f", "orders", "-q", "1", "-e", '{"name": "Eve"}')
    assert json.loads(first.stdout) == {"got": {"name": "Eve"}}


def test_a_cold_start_is_told_as_one_in_text_and_in_json(checkout):
    done = checkout.run("invoke", "-f", "prices")
    assert re.search(r"^cold: init \d+ ms, [\d.]+ ms, billed", done.stderr, re.MULTILINE)


def test_an_event_may_come_from_stdin_or_from_another_verb(checkout):
    piped = subprocess.run(
        f"{sys.executable} -m invoke event sqs -f orders --body hi | {sys.executable} -m invoke invoke -f orders -e -",
        cwd=checkout.root,
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    (record,) = json.loads(piped.stdout)["got"]["Records"]
    assert (record["body"], record["eventSource"]) == ("hi", "aws:sqs")
    read, write = os.pipe()
    os.write(write, b'{"from": "a pipe"}')
    os.close(write)
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "invoke", "-f", "orders", "-e", f"/dev/fd/{read}"],
        cwd=checkout.root,
        pass_fds=(read,),
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(read)
    assert json.loads(done.stdout) == {"got": {"from": "a pipe"}}


def test_tail_shows_all_that_was_logged_and_not_its_end(checkout):
    event = '{"lines": 200}'
    assert "line 00000" not in checkout.run("invoke", "-f", "orders", "-e", event).stderr
    whole = checkout.run("invoke", "-f", "orders", "-e", event, "--tail").stderr
    assert all(f"line {number:05}" in whole for number in range(200))
    assert whole.count("got ") == whole.count("there and back") == 1


@pytest.mark.parametrize("function", ["orders", "prices"])
def test_async_gives_the_id_of_the_request_and_with_tail_its_log_as_it_comes(checkout, function):
    done = checkout.run("invoke", "-f", function, "--async", "-e", '{"name": "later"}')
    request_id = done.stdout.strip()
    assert re.fullmatch(ID, request_id)
    assert f"slipway-local-{function}:live" in done.stderr
    wait_for(lambda: "later" in checkout.run("logs", "-f", function, "--grep", request_id).stdout)
    began = time.monotonic()
    command = [sys.executable, "-m", "invoke", "invoke", "-f", function, "-a", "-t", "-e", '{"steps": 8}']
    with subprocess.Popen(
        command, cwd=checkout.root, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as t:
        assert t.stderr
        came = {line.strip(): time.monotonic() - began for line in t.stderr if line.startswith("step")}
    assert t.returncode == 0
    assert came["step 7"] - came["step 0"] > 1, "not all at once at its end"


def test_a_failure_that_a_tail_sees_ends_the_verb_with_1(checkout):
    done = checkout.run("invoke", "-f", "orders", "--async", "--tail", "-e", '{"raise": 1}', code=1)
    assert "ValueError: on purpose" in done.stderr
    assert "error: functions/orders failed on given" in done.stderr


def test_logs_are_put_together_by_request_of_one_function_or_all(checkout):
    checkout.run("invoke", "-f", "orders", "-e", '{"mark": "m1", "steps": 1}')
    checkout.run("invoke", "-f", "prices", "-e", '{"mark": "m2", "raise": 1}', code=1)
    shown = checkout.run("logs").stdout
    assert re.search(r"  orders  [0-9a-f]{8}  ok  (warm|cold): .*\n  (importing\n  )?got .*m1.*\n  step 0\n", shown)
    assert re.search(r"  prices  [0-9a-f]{8}  error .*\n  (importing\n  )?got .*m2.*\n  .*on purpose", shown)
    assert "START RequestId" not in shown
    only = checkout.run("logs", "-f", "orders").stdout
    assert "m1" in only
    assert "m2" not in only


def test_logs_are_chosen_by_pattern_and_by_failure(checkout):
    for event in ('{"mark": "wanted-7"}', '{"mark": "other"}'):
        checkout.run("invoke", "-f", "orders", "-e", event)
    checkout.run("invoke", "-f", "orders", "-e", '{"mark": "broken", "raise": 1}', code=1)
    found = checkout.run("logs", "-f", "orders,prices", "--grep", r"wanted-\d").stdout
    assert found.count("got ") == 1
    failed = checkout.run("logs", "-f", "orders", "--errors").stdout
    assert "broken" in failed
    assert not re.search(r"  ok  |wanted|other", failed)
    raw = checkout.run("logs", "-f", "orders", "--raw", "--grep", "^got").stdout.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3}  orders  got ", line) for line in raw)


def test_followed_logs_come_soon_after_they_were_written(checkout):
    running = cloud.running(checkout.root)
    assert running
    account = Account(running)
    account.invoke("slipway-local-orders", {"mark": "before"})
    with started(checkout, "logs", "--follow") as shown:
        until(shown, "before")
        took = []
        for number in range(3):
            account.invoke("slipway-local-orders", {"mark": f"live {number}"})
            answered = time.monotonic()
            until(shown, f"live {number}")
            took.append(time.monotonic() - answered)
    assert min(took) < 5


def test_a_followed_request_that_takes_long_is_shown_before_it_ends(checkout):
    checkout.run("invoke", "-f", "orders", "-e", '{"mark": "before steps"}')
    with started(checkout, "logs", "-f", "orders", "--follow", "--raw") as shown:
        until(shown, "before steps")
        checkout.run("invoke", "-f", "orders", "--async", "-e", '{"steps": 8}')
        came = []
        for step in range(8):
            until(shown, f"step {step}")
            came.append(time.monotonic())
    assert came[7] - came[0] > 1, "not all at once at its end"


def test_event_lists_what_there_is_and_what_of_it_a_function_has(checkout):
    settings = checkout.root / "functions/orders/function.toml"
    checkout.write("functions/orders/function.toml", f'{settings.read_text()}\n[[triggers.queue]]\nname = "incoming"\n')
    listed = checkout.run("event", "list", "-f", "orders").stdout
    assert re.search(r"sqs +triggers\.queue +the message +incoming", listed)
    (record,) = json.loads(checkout.run("event", "sqs", "-f", "orders").stdout)["Records"]
    assert record["eventSourceARN"].endswith(":slipway-local-orders-incoming")
    assert "did you mean `sqs`" in checkout.run("event", "sqss", code=2).stderr


def test_colours_are_for_terminals(checkout):
    checkout.run("invoke", "-f", "orders", "-e", '{"mark": "coloured"}')
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        command = [sys.executable, "-m", "invoke", "logs", "-f", "orders", "--grep", "coloured"]
        done = subprocess.run(
            command, cwd=checkout.root, stdout=theirs, check=True, env={**os.environ, "TERM": "xterm"}
        )
        os.close(theirs)
        shown = screen.read(1 << 16).decode()
    assert done.returncode == 0
    assert "\x1b[32mok" in shown
    assert "\x1b" not in checkout.run("logs", "-f", "orders", "--grep", "coloured").stdout


def test_what_cannot_be_is_refused_with_what_to_run_instead(checkout):
    refused = checkout.run("logs", "-f", "nobody", code=2).stderr
    assert "expected one of: orders, prices" in refused
    assert "no regular expression" in checkout.run("logs", "--grep", "(", code=2).stderr
    assert "no stretch of time" in checkout.run("logs", "--since", "soon", code=2).stderr
    said = checkout.run("invoke", "-f", "orders", "--profile", "--tail", "--env", "prod", code=2).stderr
    assert "--profile does not go with --env prod" in said
    assert "--profile does not go with --tail" in said
    for port in ("here", "0"):
        assert f"no port: {port}" in checkout.run("invoke", "-f", "orders", "--debugger", port, code=2).stderr

"""The dev loop as people have it: `invoke watch` beside an editor, on an embedded cloud that Terraform deployed to."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import pytest

from tests.checkout import make_checkout, wait_for

pytestmark = pytest.mark.slow

LIMIT_S = 30.0
GREETING, SHOUT = "functions/greeting/src/app.py", "functions/shout/src/app.py"
SWAPPED = r"functions/{}: built in \d+ ms, swapped in \d+ ms, started in \d+ ms: \d+ ms after the save"


def says(text):
    """Return the source of a function that answers ``text``."""
    return f"def handler(event, context):\n    return {{'says': {text!r}, 'version': context.function_version}}\n"


FILES = {
    "functions/greeting/function.toml": 'description = "Greets"\nhandler = "app.handler"\n',
    GREETING: says("hello"),
    "functions/greeting/events/ada.json": '{"name": "Ada"}',
    "layers/voice/layer.toml": (
        'description = "Speaks"\nruntimes = ["python3.13"]\narchitectures = ["x86_64", "arm64"]\n'
    ),
    "layers/voice/src/voice.py": "def speak(text):\n    return text.upper()\n",
    "functions/shout/function.toml": 'description = "Shouts"\nhandler = "app.handler"\nlayers = ["voice"]\n',
    SHOUT: "from voice import speak\n\ndef handler(event, context):\n    return {'says': speak('hello')}\n",
}


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """Give a checkout whose functions are deployed to its embedded cloud."""
    made = make_checkout(tmp_path_factory.mktemp("checkout"))
    for path, text in FILES.items():
        made.write(path, text)
    try:
        made.run("deploy")
        yield made
    finally:
        made.close()


@pytest.fixture
def checkout(deployed):
    """Give it with its files, and what runs, as they were deployed first; nothing is watched."""
    for path, text in FILES.items():
        deployed.write(path, text)
    forget(deployed)
    return deployed


def forget(checkout):
    """End what was swapped in, as a deploy does."""
    from build.local import cloud
    from build.local.watched import Watched

    running = cloud.running(checkout.root)
    assert running
    Watched(running).end()


def ask(checkout, function, qualifier="live", name="slipway-local"):
    answer = checkout.client("lambda").invoke(FunctionName=f"{name}-{function}", Qualifier=qualifier)
    return json.loads(answer["Payload"].read())


class Watching:
    """A dev loop that runs, and what it printed."""

    def __init__(self, checkout, *words: str, **environ: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *words],
            cwd=checkout.root,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait(self, pattern: str, *, count: int = 1) -> str:
        """Return the line that ``pattern`` matches, once there are ``count`` of them."""

        def found() -> str:
            lines = [line for line in self.lines if re.fullmatch(pattern, line)]
            return lines[count - 1] if len(lines) >= count else ""

        deadline = time.monotonic() + LIMIT_S
        while not (line := found()):
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n" + "\n".join(self.lines)
            time.sleep(0.02)
        return line

    def interrupt(self, sign: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(sign)
        return self.process.wait(LIMIT_S)


@contextmanager
def watching(checkout, *words: str, **environ: str) -> Iterator[Watching]:
    """Run `invoke watch` meanwhile."""
    made = Watching(checkout, "watch", *words, **environ)
    try:
        made.wait("watching .* until Ctrl-C")
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.killpg(made.process.pid, signal.SIGKILL)
        made.process.wait()


def test_what_is_saved_answers_the_next_invoke_and_is_as_deployed_when_it_is_put_back(checkout):
    with watching(checkout) as loop:
        checkout.write(GREETING, says("hi"))
        loop.wait(SWAPPED.format("greeting"))
        assert ask(checkout, "greeting") == {"says": "hi", "version": "1"}
        assert ask(checkout, "greeting", "$LATEST")["says"] == "hi"
        assert ask(checkout, "shout") == {"says": "HELLO"}
        checkout.write(GREETING, FILES[GREETING])
        loop.wait("functions/greeting is as deployed again: .*")
        assert ask(checkout, "greeting")["says"] == "hello"


def test_source_that_does_not_compile_is_told_and_what_ran_before_goes_on(checkout):
    with watching(checkout) as loop:
        checkout.write(GREETING, "def handler(:")
        loop.wait(r"  functions/greeting/src/app.py: line 1: .*")
        assert ask(checkout, "greeting")["says"] == "hello"
        checkout.write(GREETING, says("mended"))
        loop.wait(SWAPPED.format("greeting"))
        assert ask(checkout, "greeting")["says"] == "mended"


def test_code_that_does_not_start_is_told_before_anybody_calls_it(checkout):
    with watching(checkout) as loop:
        checkout.write(GREETING, f"print('here')\nraise OSError('at import')\n{says('never')}")
        loop.wait("functions/greeting: .*, but it does not start")
        loop.wait("  OSError: at import")
        loop.wait(r"  \| here")


def test_the_source_of_a_layer_reaches_the_functions_that_use_it(checkout):
    with watching(checkout) as loop:
        checkout.write("layers/voice/src/voice.py", "def speak(text):\n    return f'{text}!'\n")
        loop.wait(SWAPPED.format("shout"))
        assert ask(checkout, "shout") == {"says": "hello!"}
        assert not any("greeting" in line for line in loop.lines)


def test_one_broken_function_keeps_none_of_the_others_away(checkout):
    checkout.write(GREETING, "def handler(:")
    checkout.write(SHOUT, says("mine"))
    with watching(checkout) as loop:
        loop.wait(r"  functions/greeting/src/app.py: line 1: .*")
        loop.wait("functions/shout: built in .*")
        assert ask(checkout, "shout")["says"] == "mine"


def test_settings_want_a_deploy(checkout):
    with watching(checkout) as loop:
        settings = FILES["functions/greeting/function.toml"]
        checkout.write("functions/greeting/function.toml", f"{settings}memory_mb = 512\n")
        loop.wait("functions/greeting/function.toml changed: run `invoke deploy --env local`")
        checkout.write("functions/greeting/function.toml", f"{settings}memory_mb = 'much'\n")
        loop.wait(r"error: 1 problem in the settings")
        checkout.write("functions/greeting/function.toml", settings)
        loop.wait("functions/greeting/function.toml changed: .*", count=2)
        checkout.write(
            "terraform/envs/local.tfvars", (checkout.root / "terraform/envs/local.tfvars").read_text() + "\n"
        )
        loop.wait("terraform/envs/local.tfvars changed: run `invoke deploy --env local`")


def test_another_handler_is_not_swapped_in(checkout):
    with watching(checkout) as loop:
        checkout.write("functions/greeting/src/main.py", says("main"))
        loop.wait(SWAPPED.format("greeting"))
        checkout.write("functions/greeting/function.toml", 'description = "Greets"\nhandler = "main.handler"\n')
        loop.wait("functions/greeting has another handler, .*: run `invoke deploy --env local`")
        assert ask(checkout, "greeting")["says"] == "hello"
    (checkout.root / "functions/greeting/src/main.py").unlink()


def test_a_new_function_is_not_deployed(checkout):
    with watching(checkout) as loop:
        checkout.write("functions/new/src/app.py", says("new"))
        checkout.write("functions/new/function.toml", 'description = "New"\nhandler = "app.handler"\n')
        loop.wait("functions/new is new: run `invoke deploy --env local`")
        loop.wait("functions/new is not deployed: run `invoke deploy --env local`")
        for path in ("src/app.py", "function.toml"):
            (checkout.root / "functions/new" / path).unlink()
        (checkout.root / "functions/new/src").rmdir()
        (checkout.root / "functions/new").rmdir()
        loop.wait("functions/new is gone: run `invoke deploy --env local`")


def test_of_many_saves_the_last_one_stays(checkout):
    with watching(checkout) as loop:
        for number in range(10):
            checkout.write(GREETING, says(f"number {number}"))
            time.sleep(0.03)  # an eager person's; the loop is slower
        wait_for(lambda: ask(checkout, "greeting")["says"] == "number 9")
        assert loop.process.poll() is None


def test_an_event_that_is_under_way_is_answered_by_the_code_it_came_to(checkout):
    slow = "import time\n\ndef handler(event, context):\n    time.sleep(2)\n    return {'says': 'slow'}\n"
    with watching(checkout) as loop:
        checkout.write(GREETING, slow)
        loop.wait(SWAPPED.format("greeting"))
        answers: list[Mapping[str, str]] = []
        caller = threading.Thread(target=lambda: answers.append(ask(checkout, "greeting")))
        logs, since = checkout.client("logs"), int(time.time() * 1000)
        caller.start()
        asked = {"logGroupName": "/aws/lambda/slipway-local-greeting", "startTime": since}
        wait_for(lambda: "platform.start" in str(logs.filter_log_events(**asked)["events"]))
        checkout.write(GREETING, says("quick"))
        loop.wait(SWAPPED.format("greeting"), count=2)
        assert answers == []
        assert ask(checkout, "greeting")["says"] == "quick"
        caller.join(LIMIT_S)
        assert answers == [{"says": "slow"}]


def test_what_was_saved_while_nobody_watched_runs_as_soon_as_somebody_does(checkout):
    checkout.write(GREETING, says("meanwhile"))
    with watching(checkout) as loop:
        loop.wait("functions/greeting: built in .*")
        assert ask(checkout, "greeting")["says"] == "meanwhile"


def test_one_function_may_be_watched_and_asked_again_with_what_it_was_asked_last(checkout):
    greets = "def handler(event, context):\n    return {'says': f'%s, {event.get(\"name\")}'}\n"
    client, name = checkout.client("lambda"), "slipway-local-greeting"
    with watching(checkout, "-f", "greeting", "--rerun") as loop:
        client.invoke(FunctionName=name, Payload=b'{"name": "Bo"}')
        checkout.write(SHOUT, says("nobody looks"))
        checkout.write(GREETING, greets % "Hi")
        loop.wait(r"functions/greeting ← its last event, \d+ ms")
        loop.wait('    "says": "Hi, Bo"')
        checkout.write(GREETING, f"{greets % 'Hi'}# nothing else\n")
        loop.wait(r"functions/greeting ← its last event, \d+ ms, the same answer")
        checkout.write(GREETING, greets % "Hello")
        loop.wait(r"functions/greeting ← its last event, \d+ ms, another answer")
        loop.wait('  -  "says": "Hi, Bo"')
        loop.wait(r'  \+  "says": "Hello, Bo"')
    assert ask(checkout, "shout") == {"says": "HELLO"}


def test_an_event_may_be_given(checkout):
    with watching(checkout, "-f", "greeting", "-e", '{"name": "Cy"}') as loop:
        checkout.write(GREETING, "def handler(event, context):\n    return event\n")
        loop.wait(r"functions/greeting ← given, \d+ ms")
        loop.wait('    "name": "Cy"')


def test_ctrl_c_ends_it_and_what_was_saved_goes_on_until_a_deploy(checkout):
    with watching(checkout) as loop:
        checkout.write(GREETING, says("hi"))
        loop.wait(SWAPPED.format("greeting"))
        assert loop.interrupt() == 0
        assert loop.lines[-1] == "stopped watching"
        with pytest.raises(ProcessLookupError):
            os.killpg(loop.process.pid, 0)
    assert ask(checkout, "greeting")["says"] == "hi"
    assert checkout.json("local.status")["watched"] == ["slipway-local-greeting"]
    status = {each["name"]: each["otherwise"] for each in checkout.json("status")["functions"]}
    assert status["greeting"] == ["runs watched code, not deployed: run `invoke deploy`"]
    assert status["shout"] == []


def test_it_wants_something_to_be_deployed(tmp_path):
    bare = make_checkout(tmp_path)
    bare.write("functions/greeting/function.toml", FILES["functions/greeting/function.toml"])
    bare.write(GREETING, FILES[GREETING])
    refused = bare.run("watch", code=2)
    assert refused.stderr.splitlines()[-1] == "hint: run `invoke deploy --env local`"
    try:
        bare.run("local.start")
        refused = bare.run("watch", code=2)
    finally:
        bare.close()
    assert "nothing is deployed to local" in refused.stderr


# ── what deploys ──────────────────────────────────────────────────────────────────────────────


def test_a_plan_does_not_see_what_was_swapped_in_and_a_deploy_ends_it(checkout):
    with watching(checkout) as loop:
        checkout.write(GREETING, says("hi"))
        loop.wait(SWAPPED.format("greeting"))
        loop.interrupt()
    checkout.write(GREETING, FILES[GREETING])  # nobody watches
    assert ask(checkout, "greeting")["says"] == "hi"
    assert checkout.json("plan")["functions"] == []
    checkout.run("deploy")
    assert ask(checkout, "greeting") == {"says": "hello", "version": "1"}
    assert checkout.json("local.status")["watched"] == []


def test_what_is_deployed_while_it_is_watched_runs_and_is_watched_on(checkout):
    with watching(checkout) as loop:
        checkout.write(GREETING, says("hi"))
        loop.wait(SWAPPED.format("greeting"))
        checkout.run("deploy")
        assert ask(checkout, "greeting") == {"says": "hi", "version": "2"}
        assert ask(checkout, "greeting", "1")["says"] == "hello"
        assert checkout.json("local.status")["watched"] == []
        checkout.write(GREETING, says("hey"))
        loop.wait(SWAPPED.format("greeting"), count=2)
        assert ask(checkout, "greeting") == {"says": "hey", "version": "2"}
        assert ask(checkout, "greeting", "1")["says"] == "hello"
        checkout.write(GREETING, FILES[GREETING])
        loop.wait(SWAPPED.format("greeting"), count=3)
    checkout.run("deploy")


def test_start_shows_watches_and_follows_the_logs(checkout):
    loop = Watching(checkout, "start")
    try:
        loop.wait("watching .* until Ctrl-C")
        assert any("the embedded cloud runs at" in line for line in loop.lines)
        checkout.write(GREETING, f"print('at import')\n{says('hi')}")
        loop.wait(SWAPPED.format("greeting"))
        ask(checkout, "greeting")
        loop.wait(r".*  greeting  [0-9a-f]{8}  ok  .*")
        assert loop.interrupt() == 0
        assert "the embedded cloud goes on" in loop.lines[-1]
    finally:
        with suppress(ProcessLookupError):
            os.killpg(loop.process.pid, signal.SIGKILL)
        loop.process.wait()


# ── a real account, for which the embedded cloud stands ───────────────────────────────────────


@pytest.fixture
def account(checkout):
    """Give the variables that lead to it; env dev is deployed there."""
    endpoint = checkout.json("local.status")["endpoint"]
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
    variables = {"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1", **keys}
    settings = (checkout.root / "slipway.toml").read_text("utf-8")
    dev = '[env.dev]\nregion = "us-east-1"\naccount_id = "123456789012"\nwatch = true\n'
    checkout.write("slipway.toml", re.sub(r"\[env\.dev\][^\[]*", dev, settings))
    backend = (checkout.root / "terraform/envs/dev.s3.tfbackend").read_text("utf-8")
    checkout.write("terraform/envs/dev.s3.tfbackend", re.sub(r'(region\s*=) "[^"]*"', r'\1 "us-east-1"', backend))
    for bucket in ("slipway-dev-artifacts-123456789012-us-east-1", re.findall(r'bucket\s*=\s*"([^"]+)"', backend)[0]):
        checkout.client("s3").create_bucket(Bucket=bucket)
    checkout.run("deploy", "--env", "dev", **variables)
    yield variables
    checkout.write("slipway.toml", settings)


def test_a_real_env_is_watched_only_if_it_says_so_and_is_asked_to(checkout):
    refused = checkout.run("watch", "--env", "dev", code=2)
    assert "invoke watch --env dev --sync" in refused.stderr
    refused = checkout.run("watch", "--env", "prod", "--sync", code=2)
    assert "expected `watch = true` in [env.prod] of slipway.toml" in refused.stderr


def test_what_is_saved_goes_live_in_a_real_env_is_told_as_drift_and_a_deploy_heals_it(checkout, account):
    def drift(code):
        return checkout.run("drift", "--env", "dev", code=code, **account).stderr

    def live():
        return ask(checkout, "greeting", name="slipway-dev")

    with watching(checkout, "--env", "dev", "--sync", **account) as loop:
        checkout.write("layers/voice/src/voice.py", "def speak(text):\n    return text\n")
        loop.wait("functions/shout has .* other layers than deployed: run `invoke deploy --env dev`")
        checkout.write(GREETING, says("hi"))
        loop.wait(r"functions/greeting: built in \d+ ms, swapped in \d+ ms: \d+ ms after the save")
        assert live() == {"says": "hi", "version": "2"}
        checkout.write(GREETING, FILES[GREETING])
        loop.wait("functions/greeting is as deployed again: .*")
        assert live() == {"says": "hello", "version": "1"}
        checkout.write(GREETING, says("hey"))
        loop.wait(r"functions/greeting: built in \d+ ms, swapped in \d+ ms: \d+ ms after the save", count=2)
        assert loop.interrupt() == 0
    assert "greeting:live: moved by release 2, which is drifted: release 1 left version 1, got 3" in drift(6)
    rows = json.loads(checkout.run("releases", "--env", "dev", "--json", **account).stdout)
    assert [(row["kind"], row["outcome"], row["error"]) for row in rows[:1]] == [
        ("watch", "drifted", "watched: greeting at version 3")
    ]
    refused = checkout.run("deploy", "--env", "dev", "--resume", code=2, **account)
    assert "there is nothing to go on with" in refused.stderr
    with watching(checkout, "--env", "dev", "--sync", **account) as loop:
        checkout.write(GREETING, says("cut off"))
        loop.wait("functions/greeting: built in .*")  # and it is killed
    checkout.write(GREETING, FILES[GREETING])
    checkout.write("layers/voice/src/voice.py", FILES["layers/voice/src/voice.py"])
    done = checkout.run("deploy", "--env", "dev", **account)
    assert "watches, or was cut off (release 3); this deploy takes its place" in done.stderr
    assert live() == {"says": "hello", "version": "5"}
    checkout.run("deploy", "--env", "dev", **account)
    assert "no drift" in drift(0)

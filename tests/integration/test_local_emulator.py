"""The emulator's endpoint, held against the real Runtime Interface Emulator, and the verb that serves it."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks import rie
from benchmarks.rie import PATH
from build.errors import InputError
from build.local import emulator, sandbox
from build.local.connections import RequestHandler
from build.local.emulator import Emulator
from build.local.execution import Deployment, Pool
from build.model import Runtime
from tests import containers
from tests.checkout import ROOT, Checkout, make_checkout, wait_for

pytestmark = pytest.mark.slow

PY313 = Runtime(13)
APP = """
import os, sys, time

def handler(event, context):
    if "raise" in event:
        raise ValueError("on purpose")
    if "exit" in event:
        os._exit(event["exit"])
    if "leave" in event:
        sys.exit(1)
    if "kill" in event:
        os.kill(os.getpid(), 9)
    time.sleep(event.get("sleep", 0))
    if "large" in event:
        return "x" * event["large"]
    if "text" in event:
        return "größer"
    if "context" in event:
        return [context.function_version, context.client_context.custom if context.client_context else None]
    if "name" in event:
        return [context.function_name, context.invoked_function_arn]
    return event
"""
SERVED = """
import os

def handler(event, context):
    print("seen")
    return [event, os.getuid(), context.function_name]
"""
MODULES = {"app": APP, "raises": "raise KeyError('on import')", "ends": "import os\nos._exit(3)"}


class Answer(NamedTuple):
    status: int
    body: str
    headers: Mapping[str, str]

    @property
    def plain(self) -> tuple[int, object]:
        """Status and body without what may differ: identifiers, and the size that Lambda tells besides the limit."""
        body = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", self.body)
        try:
            told = json.loads(re.sub(r"payload size \(\d+ bytes\)", "payload size", body))
        except ValueError:
            return self.status, body
        if isinstance(told, dict):
            told.pop("requestId", None)
        return self.status, told


class Served(NamedTuple):
    port: int

    def ask(
        self,
        event: object = None,
        *,
        path: str = PATH,
        method: str = "POST",
        data: bytes | None = None,
        **headers: str,
    ) -> Answer:
        body = json.dumps(event).encode() if data is None else data
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", body, named, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, answer.read().decode(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode(), dict(error.headers))


@pytest.fixture(scope="module")
def task_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("task")
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture(scope="module")
def emulate(task_root: Path) -> Iterator[Any]:
    """Give a function that serves a handler as we do."""
    from werkzeug.serving import make_server

    made = []

    def serve(handler: str = "app.handler") -> Served:
        deployment = Deployment(
            function_name="orders",
            version="$LATEST",
            runtime=PY313,
            handler=handler,
            task_root=task_root,
            timeout_s=1,
            log_group="/aws/lambda/orders",
            region="eu-central-1",
            account_id="123456789012",
        )
        pool = Pool(deployment, root=ROOT)
        server = make_server(
            "127.0.0.1", 0, Emulator(pool, {"function", "orders"}), threaded=True, request_handler=RequestHandler
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made.append((server, pool))
        return Served(server.server_port)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "problem", lambda: "the real one has none")  # and tells paths of this machine
        yield serve
        for server, pool in made:
            server.shutdown()
            pool.close()


@pytest.fixture(scope="module")
def ours(emulate: Any) -> Served:
    served = emulate()
    assert isinstance(served, Served)
    return served


@pytest.fixture(scope="module")
def real(task_root: Path) -> Iterator[Any]:
    """Give a function that serves a handler as AWS's emulator does."""
    emulator = rie.program(ROOT / ".artifacts/tools")
    if emulator is None:
        pytest.skip("aws-sam-cli, which holds the emulator, cannot be downloaded, or its program cannot run here")
    with ExitStack() as stack:

        def serve(handler: str = "app.handler") -> Served:
            return Served(stack.enter_context(rie.serving(emulator, ROOT, PY313, task_root, handler=handler)))

        yield serve


@pytest.fixture(scope="module")
def aws(real: Any) -> Served:
    served = real()
    assert isinstance(served, Served)
    return served


@pytest.mark.network
@pytest.mark.parametrize(
    "event",
    [
        {"a": 1},
        {"text": True},
        {"context": True},
        {"raise": True},
        {"sleep": 5},
        {"exit": 3},
        {"exit": 0},
        {"leave": True},
        {"kill": True},
        {"large": 7_000_000},
        {"large": 6_291_554},
    ],
    ids=str,
)
def test_answers_are_the_real_ones_and_the_next_event_is_answered(ours, aws, event):
    assert ours.ask(event).plain == aws.ask(event).plain
    assert ours.ask({"then": 1}).plain == aws.ask({"then": 1}).plain == (200, {"then": 1})


@pytest.mark.network
@pytest.mark.parametrize("handler", ["missing.handler", "app.missing", "raises.handler"])
def test_a_function_that_does_not_start_is_told_as_by_the_real_one_every_time(emulate, real, handler):
    mine, theirs = emulate(handler), real(handler)
    for _ in range(2):
        assert mine.ask({}).plain == theirs.ask({}).plain
        assert mine.ask({}).status == 502


@pytest.mark.network
def test_a_client_context_and_a_query_are_taken_as_by_the_real_one(ours, aws):
    context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    mine, theirs = (
        each.ask({"context": True}, path=f"{PATH}?Qualifier=live", X_Amz_Client_Context=context) for each in (ours, aws)
    )
    assert mine.plain == theirs.plain == (200, ["$LATEST", {"a": "b"}])


@pytest.mark.network
@pytest.mark.parametrize("path", ["/", f"{PATH}/", "/2015-03-31/functions/another/invocations"])
def test_other_paths_are_not_found_as_with_the_real_one(ours, aws, path):
    assert ours.ask({}, path=path).plain == aws.ask({}, path=path).plain == (404, "404 page not found\n")


@pytest.mark.network
@pytest.mark.parametrize("data", [b"{oops", b""])
def test_an_event_that_is_no_json_comes_to_the_function_there_and_not_here(ours, aws, data):
    assert "Runtime.UnmarshalError" in aws.ask(data=data).body
    assert "Runtime.UnmarshalError" not in ours.ask(data=data).body


@pytest.mark.network
def test_an_exit_at_the_start_is_told_here_and_not_there(emulate, real):
    assert real("ends.handler").ask({})[:2] == (502, "")
    assert emulate("ends.handler").ask({}).plain == (
        502,
        {
            "errorType": "Runtime.ExitError",
            "errorMessage": "RequestId: ID Error: Runtime exited with error: exit status 3",
        },
    )


@pytest.mark.network
def test_two_at_once_end_the_real_one_and_not_ours(ours, real):
    def both(served: Served) -> list[object]:
        def ask(_: int) -> object:
            try:
                return served.ask({"sleep": 0.5}).plain
            except OSError:
                return None

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(ask, range(4)))

    assert both(ours) == [(200, {"sleep": 0.5})] * 4
    assert None in both(real()), "AWS mended its emulator: say so in docs/reference/verbs.md"


def test_what_lambda_refuses_is_refused_in_its_words(ours):
    assert ours.ask(data=b"{oops").status == 400
    assert json.loads(ours.ask(data=b"{oops").body)["errorType"] == "InvalidRequestContentException"
    assert ours.ask(data=b'"' + b"x" * 6_300_000 + b'"').status == 413
    assert ours.ask(data=b"").plain == (200, {})


def test_the_function_has_its_own_name_and_arn_and_may_be_called_by_it(ours):
    for name in ("function", "orders"):
        told = ours.ask({"name": True}, path=f"/2015-03-31/functions/{name}/invocations").plain
        assert told == (200, ["orders", "arn:aws:lambda:eu-central-1:123456789012:function:orders"])


def test_nothing_is_run_for_a_browser_that_looks(ours):
    assert ours.ask(method="GET", data=b"").status == 405


def test_boto3_speaks_to_it(ours):
    import boto3

    client = boto3.client(
        "lambda",
        endpoint_url=f"http://127.0.0.1:{ours.port}",
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    answer = client.invoke(FunctionName="function", Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"a": 1}
    failed = client.invoke(FunctionName="function", Payload=b'{"raise": 1}')
    assert failed["FunctionError"] == "Unhandled"


def test_a_body_in_chunks_is_read_whole(ours):
    with socket.create_connection(("127.0.0.1", ours.port)) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        connection.sendall(f'{head}5\r\n{{"a":\r\n3\r\n 1}}\r\n0\r\n\r\n'.encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.endswith(b'{"a": 1}')


# ── the verb ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = make_checkout(tmp_path_factory.mktemp("checkout"))
    for name, package in (("plain", "zip"), ("boxed", "image")):
        settings = f'description = "x"\nhandler = "app.handler"\npackage = "{package}"\ntimeout_s = 5\n'
        made.write(f"functions/{name}/function.toml", settings)
        made.write(f"functions/{name}/src/app.py", SERVED)
        made.write(f"functions/{name}/requirements.in", "")
        made.write(f"functions/{name}/requirements.txt", "")
    made.run("lock")
    return made


def serve(checkout: Checkout, function: str, path: str, log: Path) -> tuple["subprocess.Popen[bytes]", Served]:
    port = free_port()
    verb = f"from pathlib import Path; from build.verbs import emulate; emulate.run(Path.cwd(), {function!r}, {port})"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", verb],
            cwd=checkout.root,
            env={**os.environ, "PATH": path},
            stdout=stream,
            stderr=stream,
        )
    wait_for(lambda: listens(port) or process.poll() is not None, limit_s=120)
    assert process.poll() is None, log.read_text()
    return process, Served(port)


@pytest.mark.parametrize("function", ["plain", "boxed"])
def test_a_function_is_built_and_served_until_ctrl_c(checkout, tmp_path, function):
    log = tmp_path / "log"
    process, served = serve(checkout, function, f"{containers.tool('bwrap').parent}:{os.environ['PATH']}", log)
    try:
        name = f"slipway-local-{function}"
        for called in ("function", function, name):
            told = served.ask({"a": 1}, path=f"/2015-03-31/functions/{called}/invocations").plain
            assert told == (200, [{"a": 1}, 993, name])
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
    said = log.read_text()
    assert code == 0, said
    assert f"http://127.0.0.1:{served.port}{PATH}" in said
    assert "calls to AWS fail" in said
    assert said.count("\nseen\n") == 3
    assert said.count("Init Duration") == 1
    assert not (checkout.root / ".artifacts/local/cloud.json").exists()


def test_a_taken_port_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for wrong in (port, 70_000):
            with pytest.raises(InputError, match=f"cannot listen on port {wrong}"):
                emulator.serve(None, (), wrong, ready=lambda _: None)  # type: ignore[arg-type]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

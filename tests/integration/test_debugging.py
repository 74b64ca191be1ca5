"""`invoke --debugger`: an editor's debugger, spoken for by this test, in a real worker.

https://microsoft.github.io/debug-adapter-protocol/
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, contextmanager

import pytest

from build.local import memory
from tests import containers
from tests.checkout import ROOT, make_checkout, wait_for

pytestmark = pytest.mark.slow

APP = """\
import os
import sys
import time

AT_IMPORT = 1


def handler(event, context):
    doubled = event["number"] * 2
    held = bytearray(event.get("hold_mb", 0) << 20)
    return {
        "doubled": doubled,
        "debugger": [path for path in sys.path if "debug" in path or path == "/var/tool"],
        "held": len(held),
    }
"""
SETTINGS = """\
description = "Doubles"
handler = "app.handler"
timeout_s = 1
memory_mb = 128
layers = ["common"]
"""
LAYER = 'description = "Common"\nruntimes = ["python3.13"]\narchitectures = ["x86_64", "arm64"]\n'
DOUBLED = 1 + APP.splitlines().index('    doubled = event["number"] * 2')


class Editor:
    """What an editor says to a debugger, and hears."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.stream = self.socket.makefile("rb")
        self.number = 0
        self.waiting = []

    def ask(self, command, **arguments):
        """Send a request, and return its number."""
        self.number += 1
        said = {"seq": self.number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(said).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self.number

    def answer(self, number):
        """Return the body of the answer to a request."""
        found = self.wait(lambda message: message.get("request_seq") == number)
        assert found["success"], found
        return found.get("body")

    def event(self, name):
        """Return the body of the next event of that name."""
        return self.wait(lambda message: message.get("event") == name).get("body")

    def wait(self, wanted):
        """Return the first message that is wanted; the others wait for their turn."""
        for number, message in enumerate(self.waiting):
            if wanted(message):
                return self.waiting.pop(number)
        while not wanted(message := self._next()):
            self.waiting.append(message)
        return message

    def _next(self):
        length = 0
        while head := self.stream.readline().strip():
            name, _, value = head.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the debugger hung up"
        return json.loads(self.stream.read(length))

    def close(self):
        self.stream.close()
        self.socket.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture(scope="module", params=["boxed", "bare"])
def checkout(request, tmp_path_factory):
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    place = ROOT / ".artifacts" / "local" / "debugger"
    place.mkdir(parents=True, exist_ok=True)
    (checkout.root / ".artifacts/local/debugger").symlink_to(place)
    checkout.run("new", "orders")
    checkout.write("functions/orders/src/app.py", APP)
    checkout.write("functions/orders/function.toml", SETTINGS)
    checkout.write("layers/common/layer.toml", LAYER)
    checkout.write("layers/common/src/shared.py", "A = 1\n")
    path = os.environ["PATH"]
    if request.param == "boxed":
        path = f"{containers.tool('bwrap').parent}:{path}"
    else:
        kept = [each for each in path.split(":") if not os.access(f"{each}/bwrap", os.X_OK)]
        path = ":".join(kept)
    return type(checkout)(checkout.root, {"PATH": path})


@contextmanager
def waiting(checkout, event, port):
    """Start the verb; give its process, and the configuration it prints, once it waits."""
    command = [sys.executable, "-m", "invoke", "invoke", "-f", "orders", "-e", json.dumps(event)]
    process = subprocess.Popen(
        [*command, "--debugger", str(port)],
        cwd=checkout.root,
        env={**os.environ, **checkout.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    try:
        said = ""
        for line in process.stderr:
            said += line
            if "waits for a debugger" in line:
                break
        else:
            raise AssertionError(said)
        printed = []
        for line in process.stderr:
            printed.append(line)
            if line.rstrip() == "}":
                break
        yield process, json.loads("".join(printed))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


def attached(port, configuration, checkout, *, line):
    """Attach as VS Code does, with a breakpoint in ``line`` of the source beside the editor."""
    editor = Editor(port)
    editor.answer(editor.ask("initialize", adapterID="debugpy", clientID="test", pathFormat="path"))
    root = str(checkout.root)
    told = json.loads(json.dumps(configuration).replace("${workspaceFolder}", root))
    editor.ask("attach", **{name: value for name, value in told.items() if name != "type"})
    editor.event("initialized")
    source = {"path": f"{root}/functions/orders/src/app.py"}
    editor.answer(editor.ask("setBreakpoints", source=source, breakpoints=[{"line": line}]))
    editor.ask("configurationDone")
    return editor


def test_a_breakpoint_stops_the_handler_for_as_long_as_somebody_looks(checkout):
    port = free_port()
    with waiting(checkout, {"number": 21, "hold_mb": 200}, port) as (process, configuration):
        with closing(attached(port, configuration, checkout, line=DOUBLED)) as editor:
            stopped = editor.event("stopped")
            assert stopped["reason"] == "breakpoint"
            thread = stopped["threadId"]
            frame = editor.answer(editor.ask("stackTrace", threadId=thread))["stackFrames"][0]
            assert (frame["name"], frame["line"]) == ("handler", DOUBLED)
            assert frame["source"]["path"] == f"{checkout.root}/functions/orders/src/app.py"
            seen = editor.answer(editor.ask("evaluate", expression="event['number']", frameId=frame["id"]))
            assert seen["result"] == "21"
            time.sleep(1.5)  # longer than the function's timeout
            assert process.poll() is None
            editor.ask("next", threadId=thread)
            editor.event("stopped")
            frame = editor.answer(editor.ask("stackTrace", threadId=thread))["stackFrames"][0]
            seen = editor.answer(editor.ask("evaluate", expression="doubled", frameId=frame["id"]))
            assert seen["result"] == "42"
            editor.ask("continue", threadId=thread)
            out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        assert json.loads(out) == {"doubled": 42, "debugger": [], "held": 200 << 20}


def test_a_breakpoint_at_import_time_may_take_longer_than_a_start(checkout):
    line = 1 + APP.splitlines().index("AT_IMPORT = 1")
    port = free_port()
    with waiting(checkout, {"number": 1}, port) as (process, configuration):
        with closing(attached(port, configuration, checkout, line=line)) as editor:
            thread = editor.event("stopped")["threadId"]
            time.sleep(1.5)
            editor.ask("continue", threadId=thread)
            out, _ = process.communicate(timeout=30)
        assert json.loads(out)["doubled"] == 2


def test_the_configuration_leads_sources_to_where_they_run(checkout):
    port = free_port()
    with waiting(checkout, {"number": 1}, port) as (_, configuration):
        assert configuration["connect"] == {"host": "127.0.0.1", "port": port}
        assert (configuration["type"], configuration["request"]) == ("debugpy", "attach")
        local = [each["localRoot"] for each in configuration["pathMappings"]]
        assert local == ["${workspaceFolder}/functions/orders/src", "${workspaceFolder}/layers/common/src"]
        remote = [each["remoteRoot"] for each in configuration["pathMappings"]]
        if checkout.environ["PATH"].startswith(str(containers.tool("bwrap").parent)):
            assert remote == ["/var/task", "/opt/python"]


def test_ctrl_c_leaves_nobody_waiting(checkout):
    port = free_port()
    with waiting(checkout, {"number": 1}, port) as (process, _):
        started = memory.descendants(process.pid)
        assert len(started) > 1
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode == 130
    wait_for(lambda: not [pid for pid in started if _lives(pid)])
    wait_for(lambda: _is_free(port))


def test_a_port_that_is_taken_is_told_before_anything_waits(checkout):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = checkout.run("invoke", "-f", "orders", "--debugger", port, code=2)
    assert f"cannot listen on port {port}" in done.stderr
    assert "--debugger PORT" in done.stderr


def _lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _is_free(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True

"""The embedded cloud under load, idle, killed, and beside another one: nothing stays behind, nobody is disturbed."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from build import process
from build.local import cloud, memory
from build.local.web.entries import entries
from tests import containers
from tests.checkout import wait_for
from tests.embedded import ARN, ROOT, Account, repository

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has open"),
]

APP = """
import time

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return {"id": context.aws_request_id}
"""
IMPATIENT = """
import sys
from pathlib import Path
from build.local import execution, server
from build.local.sources import queues

queues.SWEEP_S = 0.5
execution.Pool.sweep.__defaults__ = (1.0,)
server.main(Path(sys.argv[1]), sys.argv[2])
"""
"""A cloud that ends environments after a second without events, not after five minutes."""
CONCURRENT = 200
SEQUENTIAL = int(os.environ.get("SLIPWAY_SEQUENTIAL", "2000"))
IDLE_S = float(os.environ.get("SLIPWAY_IDLE_S", "0"))
"""How long to do nothing before everything is counted: by hand, for a long run."""


@pytest.fixture(params=[True, False], ids=["boxed", "bare"])
def boxed(request, monkeypatch):
    """Tell whether functions run in a sandbox; both are tried."""
    beside = [str(containers.tool("bwrap").parent)] if request.param else []
    others = [each for each in os.environ["PATH"].split(os.pathsep) if not Path(each, "bwrap").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join([*beside, *others]))
    return request.param


@pytest.fixture
def root(tmp_path):
    root = repository(tmp_path)
    yield root
    cloud.stop(root)


@pytest.fixture
def impatient(root):
    nonce = secrets.token_hex(16)
    child = subprocess.Popen([sys.executable, "-c", IMPATIENT, str(root), nonce], cwd=ROOT)
    wait_for(lambda: cloud.running(root), limit_s=60)
    yield cloud.running(root)
    cloud.stop(root)
    child.wait()


@dataclass(frozen=True)
class Held:
    """What a cloud has."""

    processes: int
    handles: int
    threads: int
    folders: list[str]


def held(running, root):
    below = Path(f"/proc/{running.pid}")
    return Held(
        processes=len(memory.descendants(running.pid)) - 1,
        handles=len(list((below / "fd").iterdir())),
        threads=len(list((below / "task").iterdir())),
        folders=sorted(path.name for path in (root / ".artifacts/local/tmp").iterdir()),
    )


def resident_mb(running):
    status = Path(f"/proc/{running.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) >> 10


def listeners(pids):
    """Return the addresses on which these processes listen, as the kernel writes them."""
    sockets = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            sockets.add(str(handle.readlink()).removeprefix("socket:[").rstrip("]"))
    rows = [
        line.split()
        for table in ("tcp", "tcp6", "udp", "udp6")
        for line in Path("/proc/net", table).read_text().splitlines()[1:]
    ]
    return [row[1] for row in rows if row[9] in sockets and row[3] in {"0A", "07"}]


def test_load_and_idling_leave_no_process_handle_thread_or_folder_behind(boxed, impatient, root):
    account = Account(impatient)
    account.deploy("busy", APP, MemorySize=512)
    functions = account.client("lambda")
    functions.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=CONCURRENT)

    def invoke(sleep):
        answer = functions.invoke(FunctionName="busy", Payload=json.dumps({"sleep": sleep}).encode())
        assert "FunctionError" not in answer, answer["Payload"].read()
        return json.loads(answer["Payload"].read())["id"]

    def rests():
        for _ in range(5):  # a list of children may lack some while a thread ends
            if held(impatient, root).processes:
                return False
            time.sleep(0.05)
        return True

    invoke(0)  # what is made once
    wait_for(rests)
    before, used = held(impatient, root), resident_mb(impatient)
    began = time.monotonic()
    with ThreadPoolExecutor(CONCURRENT) as threads:
        answers = list(threads.map(lambda _: invoke(1), range(CONCURRENT)))
    assert len(set(answers)) == CONCURRENT
    at_once = time.monotonic() - began
    for _ in range(SEQUENTIAL):
        invoke(0)
    in_sequence = time.monotonic() - began - at_once
    time.sleep(IDLE_S)
    functions.close()
    wait_for(rests, limit_s=30)
    until = time.monotonic() + 20
    while held(impatient, root) != before and time.monotonic() < until:
        time.sleep(0.2)
    assert held(impatient, root) == before
    took = f"{CONCURRENT} at once {at_once:.1f} s, {SEQUENTIAL} in sequence {in_sequence:.1f} s"
    sys.stdout.write(f"\n{took}, then {before}, resident {used} MB before, {resident_mb(impatient)} MB after\n")


def test_a_killed_cloud_leaves_no_process_and_the_next_start_is_anew(boxed, root):
    first, _ = cloud.ensure(root)
    account = Account(first)
    account.deploy("idle", APP)
    account.deploy("busy", APP)
    account.invoke("idle")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(account.invoke, "busy", {"sleep": 25})
        size = 6 if boxed else 2
        wait_for(lambda: len(memory.descendants(first.pid)) > size)
        family = memory.descendants(first.pid)
        os.kill(first.pid, signal.SIGKILL)
        assert waiting.exception()
    wait_for(lambda: not any(map(process.is_alive, family)))
    assert cloud.running(root) is None
    second, started = cloud.ensure(root)
    assert started
    assert Account(second).client("lambda").list_functions()["Functions"] == []
    assert list((root / ".artifacts/local/tmp").iterdir()) == []


def test_clones_side_by_side_do_not_disturb_each_other(root, tmp_path_factory):
    other = repository(tmp_path_factory.mktemp("other"))
    try:
        mine, theirs = cloud.ensure(root)[0], cloud.ensure(other)[0]
        for running, answer in ((mine, "'mine'"), (theirs, "'theirs'")):
            Account(running).deploy("same", f"def handler(event, context):\n    return {answer}\n")
            Account(running).client("lambda").create_function_url_config(FunctionName="same", AuthType="NONE")
        assert [Account(each).invoke("same") for each in (mine, theirs)] == ["mine", "theirs"]
        assert entries(mine)[0].address != entries(theirs)[0].address
        cloud.stop(root)
        assert cloud.running(other) == theirs
        assert Account(theirs).invoke("same") == "theirs"
        again, _ = cloud.ensure(root)
        os.kill(again.pid, signal.SIGKILL)
        wait_for(lambda: not process.is_alive(again.pid))
        assert cloud.stop(root) is None
        assert Account(theirs).invoke("same") == "theirs"
        assert cloud.stop(other) == theirs
    finally:
        cloud.stop(other)


def test_everything_listens_on_loopback_alone(boxed, root, monkeypatch):
    monkeypatch.setenv("PATH", f"{containers.tool('docker-registry').parent}{os.pathsep}{os.environ['PATH']}")
    running, _ = cloud.ensure(root)
    account = Account(running)
    account.deploy("open", APP)
    account.client("lambda").create_function_url_config(FunctionName="open", AuthType="NONE")
    gateway = account.client("apigatewayv2")
    api = gateway.create_api(Name="shop", ProtocolType="HTTP")["ApiId"]
    made = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=f"{ARN}open", PayloadFormatVersion="2.0"
    )
    gateway.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{made['IntegrationId']}")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    assert len(entries(running)) == 2
    account.invoke("open")
    found = listeners(memory.descendants(running.pid))
    assert len(found) == 5, "the cloud, its registry, an API, a URL, the Runtime API of one environment"
    assert {address.partition(":")[0] for address in found} == {"0100007F"}

"""Image functions in the embedded cloud: from a push to an answer, with a registry and bubblewrap, and with neither."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from build.image import Blob, Image, Part
from build.images.assembled import assemble, key_of
from build.local import cloud
from build.local.cloud import Cloud
from build.local.images import depot_of, end_left_over, opened
from build.local.stand_in import stand_in
from build.model import Runtime
from build.store.objects import Store
from build.zips.archives import write_archive
from tests import containers
from tests.checkout import ROOT, wait_for
from tests.crafted_images import Crafted, symlink, tar
from tests.unit.test_images_assembled import tree_of

pytestmark = pytest.mark.slow

APP = b"""
import os, socket, time
print("initialised")
calls = 0

def attempt(what):
    try:
        what()
    except OSError as why:
        return type(why).__name__ + " " + str(why.errno)
    return "done"

def look(event):
    return {
        "cwd": os.getcwd(),
        "user": [os.getuid(), os.getgid()],
        "root": sorted(os.listdir("/")),
        "write /var/task": attempt(lambda: open("/var/task/new", "w")),
        "write /dev/shm": attempt(lambda: open("/dev/shm/new", "w")),
        "write /tmp": attempt(lambda: open("/tmp/new", "w")),
        "size of /tmp": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize,
        "host": attempt(lambda: open("/usr/bin/env")),
        "processes": [name for name in os.listdir("/proc") if name.isdigit()],
        "localhost": socket.gethostbyname("localhost"),
        "environ": dict(os.environ),
    }

def handler(event, context):
    global calls
    calls += 1
    print("got", event)
    if "raise" in event:
        raise ValueError("on purpose")
    if "exit" in event:
        os._exit(event["exit"])
    if "kill" in event:
        os.kill(os.getpid(), 9)
    if "memory" in event:
        bytes(b"x" * (event["memory"] << 20))
    time.sleep(event.get("sleep", 0))
    return look(event) if "look" in event else {"calls": calls, "version": context.function_version}

def other(event, context):
    return "other"
"""
BASH = r"""
read -r secret < /private
host=${AWS_LAMBDA_RUNTIME_API%:*} port=${AWS_LAMBDA_RUNTIME_API#*:} api=/2018-06-01/runtime/invocation
while true; do
  exec 3<>/dev/tcp/$host/$port
  printf 'GET %s/next HTTP/1.1\r\nHost: x\r\n\r\n' "$api" >&3
  while IFS= read -r line <&3; line=${line%$'\r'}; [ -n "$line" ]; do
    case $line in
      Lambda-Runtime-Aws-Request-Id:*) id=${line#*: } ;;
      Content-Length:*) length=${line#*: } ;;
    esac
  done
  IFS= read -r -N "$length" event <&3
  echo "in bash"
  body="{\"bash\": $event, \"args\": \"$*\"}"
  exec 3<>/dev/tcp/$host/$port
  printf 'POST %s/%s/response HTTP/1.1\r\nHost: x\r\nContent-Length: %s\r\n\r\n%s' "$api" "$id" "${#body}" "$body" >&3
  read -r _ <&3
done
"""
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


class Running:
    """An embedded cloud, and what tests do with it."""

    def __init__(self, root: Path, started: Cloud) -> None:
        self.cloud = started
        self.depot = depot_of(root, started.registry)
        self.lambda_ = self.client("lambda")
        self._role = self.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.cloud.endpoint,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=60),
        )

    def push(self, image: Image, repository: str, content: Callable[[Blob], Path]) -> str:
        with ThreadPoolExecutor(2) as pool:
            self.depot.push(image, repository, content=content, pool=pool)
        return f"{HOST}/{repository}@{image.digest}"

    def deploy(self, name: str, uri: str, **settings: Any) -> str:
        values = {"Timeout": 10, "MemorySize": 256, "Publish": True, **settings}
        self.lambda_.create_function(
            FunctionName=name, PackageType="Image", Code={"ImageUri": uri}, Role=self._role, **values
        )
        return name

    def invoke(self, name: str, event: object = (), **arguments: Any) -> "Answer":
        payload = json.dumps(event or {}).encode()
        return Answer(self.lambda_.invoke(FunctionName=name, Payload=payload, LogType="Tail", **arguments))


class Answer:
    def __init__(self, answered: Any) -> None:
        self.error = answered.get("FunctionError")
        self.payload = json.loads(answered["Payload"].read())
        self.log = base64.b64decode(answered["LogResult"]).decode()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def base(store: Store) -> Image:
    return stand_in(ROOT, Runtime(13), store, say=lambda _: None)


@pytest.fixture(scope="module")
def assembled(base: Image, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Image]:
    """Give a function that makes an image of the stand-in and this code."""

    def make(code: bytes = APP) -> Image:
        folder = tmp_path_factory.mktemp("function")
        write_archive(tree_of(folder, {"app.py": code}), (), folder / "a.zip")
        part = Part(archive=folder / "a.zip", key=key_of(code), folder="var/task")
        with ThreadPoolExecutor(1) as pool:
            image = assemble(base, [part], store, pool, command=["app.handler"]).image
        with store.scratch() as scratch:
            (scratch / "config").write_bytes(image.config)
            store.keep(scratch / "config", store.blob(image.config_blob.digest))
        return image

    return make


@pytest.fixture(scope="module")
def content(store: Store) -> Callable[[Blob], Path]:
    return lambda blob: store.blob(blob.digest)


def started(root: Path, path: str) -> Cloud:
    (root / ".artifacts/local").mkdir(parents=True, exist_ok=True)
    runtimes = root / ".artifacts/local/runtime"
    if not runtimes.is_symlink():
        runtimes.symlink_to(ROOT / ".artifacts/local/runtime")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", path)
        patch.setenv("SECRET_OF_THE_HOST", "1")
        return cloud.ensure(root)[0]


def with_tools() -> str:
    return ":".join([*(str(containers.tool(name).parent) for name in ("docker-registry", "bwrap")), os.environ["PATH"]])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    root = tmp_path_factory.mktemp("with-tools")
    try:
        yield Running(root, started(root, with_tools()))
    finally:
        cloud.stop(root)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A cloud on a machine that has neither a registry nor bubblewrap."""
    root, programs = tmp_path_factory.mktemp("bare"), tmp_path_factory.mktemp("programs")
    for folder in filter(os.path.isdir, os.environ["PATH"].split(":")):
        for program in Path(folder).iterdir():
            if (
                program.name not in {"bwrap", "docker-registry", "registry"}
                and not (programs / program.name).is_symlink()
            ):
                (programs / program.name).symlink_to(program)
    try:
        yield Running(root, started(root, str(programs)))
    finally:
        cloud.stop(root)


@pytest.fixture(scope="module", params=["running", "bare"])
def either(request: pytest.FixtureRequest) -> Running:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Running)
    return found


@pytest.fixture(scope="module")
def function(running: Running, assembled, content) -> str:
    uri = running.push(assembled(), "slipway-local/orders", content)
    variables = {"GREETING": "hello", "LANG": "C.UTF-8", "LD_PRELOAD": ""}
    return running.deploy("orders", uri, Environment={"Variables": variables}, EphemeralStorage={"Size": 512})


# ── where images are kept ─────────────────────────────────────────────────────────────────────


def test_a_registry_is_started_where_there_is_one_and_a_layout_serves_where_not(running, bare):
    assert re.fullmatch(r"127\.0\.0\.1:\d+", running.cloud.registry)
    assert running.depot.kept_in == f"a registry on {running.cloud.registry}"
    assert bare.cloud.registry == ""
    assert "OCI layouts" in bare.depot.kept_in


def test_an_image_comes_back_as_it_was_pushed_and_is_pushed_once(either, assembled, content):
    image, said = assembled(), list[str]()
    with ThreadPoolExecutor(2) as pool:
        pushed = [
            either.depot.push(image, "team/of/two", content=content, pool=pool, mount="nothing", say=said.append)
            for _ in range(2)
        ]
    assert pushed == [True, False]
    for reference in (str(image.digest), image.digest.hex):
        assert either.depot.read("team/of/two", reference) == image
    for layer in image.layers:
        with either.depot.layer("team/of/two", layer) as file:
            assert file.read_bytes() == content(layer).read_bytes()
    assert list(either.depot.folder.glob("pulled-*")) == []


def test_what_was_not_pushed_is_not_there(either, assembled):
    assert either.depot.read("team/nothing", str(assembled().digest)) is None
    assert either.depot.read("team/nothing", "latest") is None


def test_the_registry_ends_with_a_cloud_that_is_killed(tmp_path):
    alive = started(tmp_path, with_tools())
    pid = int((tmp_path / ".artifacts/local/images/registry.pid").read_text())
    assert is_running(pid)
    os.kill(alive.pid, signal.SIGKILL)
    wait_for(lambda: not is_running(pid))


@pytest.mark.parametrize("has_registry", [True, False])
def test_images_are_lost_with_the_cloud(tmp_path, monkeypatch, has_registry):
    monkeypatch.setenv("PATH", with_tools() if has_registry else "")
    crafted = Crafted(tmp_path / "image", tar(("a", "x")))
    with opened(depot_of(tmp_path, "")) as ready, ThreadPoolExecutor(1) as pool:
        depot = ready()
        assert bool(depot.registry) is has_registry
        depot.push(crafted.image, "orders", content=crafted.content, pool=pool)
        assert depot.read("orders", crafted.image.digest.hex)
        written = tmp_path / ".artifacts/local/images/registry.pid"
        pid = int(written.read_text()) if has_registry else 0
    assert not (has_registry and is_running(pid))
    with opened(depot_of(tmp_path, "")) as ready:
        assert ready().read("orders", crafted.image.digest.hex) is None


def test_a_registry_that_does_not_start_is_replaced_by_layouts(tmp_path, monkeypatch, capfd):
    program = tmp_path / "docker-registry"
    program.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with opened(depot_of(tmp_path, "")) as ready:
        assert ready().registry == ""
    assert "OCI layouts serve" in capfd.readouterr().err


def test_a_registry_that_was_left_over_is_ended_and_nobody_elses(tmp_path):
    images = tmp_path / ".artifacts/local/images"
    images.mkdir(parents=True)
    (images / "registry.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {images}}}}}\nhttp: {{addr: 127.0.0.1:0}}\n"
    )
    left = subprocess.Popen(
        [containers.tool("docker-registry"), "serve", images / "registry.yml"], stderr=subprocess.PIPE
    )
    other = subprocess.Popen(["sleep", "60"])
    try:
        (images / "registry.pid").write_text(str(other.pid))
        end_left_over(images)
        assert other.poll() is None
        (images / "registry.pid").write_text(str(left.pid))
        end_left_over(images)
        assert left.wait(10) == -signal.SIGKILL
    finally:
        other.kill()
        left.kill()
        other.wait()
        left.communicate()


# ── how they run ──────────────────────────────────────────────────────────────────────────────


def test_lambda_knows_it_by_its_digest(running, assembled, function):
    digest = assembled().digest
    told = running.lambda_.get_function(FunctionName=function)
    assert told["Configuration"]["CodeSha256"] == digest.hex
    assert told["Code"]["ResolvedImageUri"].endswith(f"@{digest}")
    published = running.lambda_.publish_version(FunctionName=function, CodeSha256=digest.hex)
    assert published["Version"] == "1"


def test_it_sees_its_own_files_and_nothing_of_this_machine(running, function):
    seen = running.invoke(function, {"look": True}).payload
    assert seen["cwd"] == "/var/task"
    assert seen["user"] == [993, 990]
    assert set(seen["root"]) <= {
        "bin",
        "dev",
        "etc",
        "lambda-entrypoint.sh",
        "lib",
        "lib64",
        "proc",
        "tmp",
        "usr",
        "var",
    }
    assert seen["write /var/task"] == "OSError 30"
    assert seen["write /dev/shm"] == "OSError 30"
    assert seen["write /tmp"] == "done"
    assert seen["host"] == "FileNotFoundError 2"
    assert seen["processes"] == ["1", "2"]
    assert seen["localhost"] == "127.0.0.1"


def test_its_variables_are_the_images_the_functions_and_lambdas(running, function):
    environ = running.invoke(function, {"look": True}).payload["environ"]
    assert environ["GREETING"] == "hello"
    assert environ["LANG"] == "C.UTF-8"
    assert environ["PATH"].startswith("/var/lang/bin:")
    assert environ["LD_LIBRARY_PATH"].startswith("/var/lang/lib:")
    assert environ["LD_PRELOAD"] == ""
    assert environ["AWS_LAMBDA_FUNCTION_NAME"] == "orders"
    assert environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environ["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert environ["AWS_ENDPOINT_URL"] == running.cloud.endpoint
    assert environ["_HANDLER"] == "app.handler"
    assert "SECRET_OF_THE_HOST" not in environ


def test_tmp_is_as_large_as_the_function_says(running, assembled, content):
    uri = running.push(assembled(), "slipway-local/orders", content)
    name = running.deploy("roomy", uri, EphemeralStorage={"Size": 600})
    assert running.invoke(name, {"look": True}).payload["size of /tmp"] == 600 << 20


def test_a_warm_invoke_reuses_the_environment(running, assembled, content):
    name = running.deploy("warm", running.push(assembled(), "warm", content))
    first, second = running.invoke(name), running.invoke(name)
    assert (first.payload["calls"], second.payload["calls"]) == (1, 2)
    assert [line.split()[0] for line in first.log.splitlines()] == ["initialised", "START", "got", "END", "REPORT"]
    assert "Init Duration" in first.log
    assert "Init Duration" not in second.log


def test_the_report_tells_the_memory_of_the_function_and_not_of_its_sandbox(running, function):
    log = running.invoke(function, {"memory": 150}).log
    found = re.search(r"Max Memory Used: (\d+) MB", log)
    assert found
    assert 150 <= int(found[1]) < 400


@pytest.mark.parametrize(
    ("event", "message", "kind"),
    [
        ({"raise": True}, "on purpose", "ValueError"),
        ({"exit": 3}, "RequestId: ID Error: Runtime exited with error: exit status 3", "Runtime.ExitError"),
        ({"exit": 0}, "RequestId: ID Error: Runtime exited without providing a reason", "Runtime.ExitError"),
        ({"kill": True}, "RequestId: ID Error: Runtime exited with error: signal: killed", "Runtime.ExitError"),
    ],
)
def test_failures_are_told_as_lambda_does_and_the_next_invoke_works(running, function, event, message, kind):
    answer = running.invoke(function, event)
    assert answer.error == "Unhandled"
    assert re.sub(r"[0-9a-f-]{36}", "ID", answer.payload["errorMessage"]) == message
    assert answer.payload["errorType"] == kind
    assert running.invoke(function).error is None


def test_a_timeout_ends_everything_in_the_sandbox(running, assembled, content):
    name = running.deploy("slow", running.push(assembled(), "slow", content), Timeout=1)
    assert running.invoke(name).error is None
    (worker,) = [
        pid
        for pid, argv in processes()
        if "bootstrap.py" in argv and environ_of(pid).get("AWS_LAMBDA_FUNCTION_NAME") == name
    ]
    answer = running.invoke(name, {"sleep": 30})
    assert answer.payload["errorMessage"].endswith("Task timed out after 1.00 seconds")
    wait_for(lambda: not is_running(worker))
    assert running.invoke(name).payload["calls"] == 1


def test_many_run_side_by_side(running, assembled, content):
    name = running.deploy("many", running.push(assembled(), "many", content))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: running.invoke(name, {"sleep": 1}), range(4)))
    assert [answer.payload["calls"] for answer in answers] == [1, 1, 1, 1]


def test_a_version_keeps_the_image_that_it_was_published_with(running, assembled, content):
    name = running.deploy("versions", running.push(assembled(), "versions", content))
    newer = running.push(assembled(b"def handler(event, context): return 'newer'"), "versions", content)
    running.lambda_.update_function_code(FunctionName=name, ImageUri=newer)
    assert running.invoke(name).payload == "newer"
    assert running.invoke(name, Qualifier="1").payload["calls"] == 1


def test_a_tag_leads_to_the_image_as_well(running, assembled, content):
    image = assembled()
    running.push(image, "tagged", content)
    name = running.deploy("tagged", f"{HOST}/tagged:{image.digest.hex}")
    assert running.invoke(name).payload["calls"] == 1


def test_the_function_may_say_what_to_run_in_place_of_the_image(running, assembled, content):
    uri = running.push(assembled(), "configured", content)
    command = running.deploy("command", uri, ImageConfig={"Command": ["app.other"]})
    assert running.invoke(command).payload == "other"
    entry = running.deploy("entry", uri, ImageConfig={"EntryPoint": ["/bin/sh", "/lambda-entrypoint.sh"]})
    assert running.invoke(entry).payload["calls"] == 1
    folder = running.deploy("folder", uri, ImageConfig={"WorkingDirectory": "/var/lang"})
    assert running.invoke(folder, {"look": True}).payload["cwd"] == "/var/lang"


def test_an_image_without_python_runs_as_long_as_it_speaks_the_runtime_api(running, tmp_path):
    bash = shutil.which("bash")
    if not bash or not shutil.which("ldd"):
        pytest.skip("there is no bash to put into an image")
    listed = subprocess.run(["ldd", bash], capture_output=True, text=True, check=True).stdout
    files = {place: Path(place).read_bytes() for place in re.findall(r"(/\S+) \(0x", listed)}
    files["/bin/bash"] = Path(bash).read_bytes()
    layer = tar(
        *((place, data, {"mode": 0o755}) for place, data in files.items()),
        ("/run.sh", BASH),
        ("/private", "x", {"mode": 0o640}),
    )
    crafted = Crafted(tmp_path, layer, Entrypoint=["/bin/bash", "/run.sh"], Cmd=["one", "two"])
    uri = running.push(crafted.image, "bash", crafted.content)
    name = running.deploy("bash", uri, ImageConfig={"Command": ["three"]})
    for first in (True, False):
        answer = running.invoke(name, {"a": 1})
        assert answer.payload == {"bash": {"a": 1}, "args": "three"}
        assert "in bash" in answer.log
        assert ("/private: Permission denied" in answer.log) is first


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        (f"{HOST}/nothing@sha256:{'0' * 64}", "does not have the image"),
        (f"{HOST}/nothing:latest", "a registry on 127.0.0.1"),
        ("no image at all", "expected HOST/REPOSITORY"),
    ],
)
def test_an_image_that_is_not_there_is_told(running, uri, words):
    name = running.deploy(f"missing-{len(uri)}", uri)
    with pytest.raises(ClientError) as caught:
        running.invoke(name)
    assert caught.value.response["Error"]["Code"] == "InvalidRuntimeException"
    assert words in caught.value.response["Error"]["Message"]
    assert "invoke deploy" in caught.value.response["Error"]["Message"]


def test_an_image_that_leads_out_of_itself_is_told(running, tmp_path):
    crafted = Crafted(tmp_path, tar(("../escaped", "x")), Cmd=["/escaped"])
    name = running.deploy("hostile", running.push(crafted.image, "hostile", crafted.content))
    with pytest.raises(ClientError, match="escaped"):
        running.invoke(name)


def test_an_image_that_starts_nothing_is_told(running, tmp_path):
    crafted = Crafted(tmp_path, tar(("a", "x")))
    name = running.deploy("empty", running.push(crafted.image, "empty", crafted.content))
    with pytest.raises(ClientError, match="neither an entry point nor a command"):
        running.invoke(name)
    crafted = Crafted(tmp_path, tar(("a", "x")), Cmd=["/not/there"])
    name = running.deploy("absent", running.push(crafted.image, "absent", crafted.content))
    answer = running.invoke(name)
    assert answer.payload["errorType"] == "Runtime.ExitError"
    assert "/not/there" in answer.log


# ── without bubblewrap ────────────────────────────────────────────────────────────────────────


def test_without_a_sandbox_it_runs_on_this_machines_python_and_says_so(bare, assembled, content):
    uri = bare.push(assembled(), "orders", content)
    name = bare.deploy("orders", uri, Environment={"Variables": {"GREETING": "hello"}})
    answer = bare.invoke(name, {"look": True})
    assert answer.log.splitlines()[1].startswith("there is no bubblewrap (`bwrap`) on PATH: ")
    assert answer.payload["user"] == [os.getuid(), os.getgid()]
    assert answer.payload["cwd"].endswith("/var/task")
    environ = answer.payload["environ"]
    assert environ["GREETING"] == "hello"
    assert environ["_HANDLER"] == "app.handler"
    assert "SECRET_OF_THE_HOST" not in environ
    assert "/var/lang" not in environ["PATH"]
    assert "no bubblewrap" not in bare.invoke(name).log
    assert bare.cloud.log.read_text().count("no bubblewrap") == 1


def test_without_a_sandbox_another_handler_may_be_said(bare, assembled, content):
    uri = bare.push(assembled(), "other", content)
    assert bare.invoke(bare.deploy("other", uri, ImageConfig={"Command": ["app.other"]})).payload == "other"


def test_without_a_sandbox_other_images_are_refused(bare, tmp_path):
    crafted = Crafted(tmp_path, tar(("bin/tool", "x")), Cmd=["/bin/tool"])
    name = bare.deploy("tool", bare.push(crafted.image, "tool", crafted.content))
    with pytest.raises(ClientError, match="install bubblewrap"):
        bare.invoke(name)


def test_without_a_sandbox_the_code_may_not_be_a_link_to_this_machine(bare, tmp_path):
    layer = tar(("var/lang/bin/python3.13", "x"), symlink("var/task", "/etc"))
    crafted = Crafted(tmp_path, layer, Cmd=["app.handler"])
    name = bare.deploy("link", bare.push(crafted.image, "link", crafted.content))
    with pytest.raises(ClientError, match="install bubblewrap"):
        bare.invoke(name)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def processes() -> Iterator[tuple[int, str]]:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            yield int(path.name), (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue


def environ_of(pid: int) -> dict[str, str]:
    try:
        said = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return {}
    return dict(each.split("=", 1) for each in said if "=" in each)

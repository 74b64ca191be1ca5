"""The embedded cloud as its users meet it: a process of its own, boto3, functions that run."""

import base64
import io
import json
import os
import signal
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from build.errors import ToolError
from build.local import cloud, memory
from build.model import Env

ROOT = Path(__file__).resolve().parents[2]
ENV = Env(name="local", region="us-east-1", account_id="123456789012", artifact_bucket="artifacts")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"

pytestmark = pytest.mark.slow

APP = """
import json, os, time

def handler(event, context):
    print("got", json.dumps(event))
    if isinstance(event, dict) and event.get("raise"):
        raise ValueError("on purpose")
    time.sleep(event.get("sleep", 0))
    return {
        "greeting": os.environ.get("GREETING"),
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "request_id": context.aws_request_id,
        "custom": context.client_context.custom if context.client_context else None,
        "stream": context.log_stream_name,
    }
"""

CONSUMER = """
import json
import boto3

def handler(event, context):
    failures = []
    table = boto3.client("s3")
    for record in event["Records"]:
        attempt = record["attributes"]["ApproximateReceiveCount"]
        seen = json.dumps([record, len(event["Records"])])
        table.put_object(Bucket="seen", Key=f'{record["body"]}/{attempt}', Body=seen)
        if record["body"].startswith("bad"):
            failures.append({"itemIdentifier": record["messageId"]})
        if record["body"].startswith("boom"):
            raise ValueError("boom")
    return {"batchItemFailures": failures}
"""


def repository(folder):
    """Make a root that shares the runtimes' distributions with this checkout, so that they are fetched once."""
    shared = ROOT / ".artifacts" / "local" / "runtime"
    shared.mkdir(parents=True, exist_ok=True)
    (folder / ".artifacts" / "local").mkdir(parents=True)
    (folder / ".artifacts" / "local" / "runtime").symlink_to(shared)
    return folder


def session(running):
    variables = cloud.environ(running, ENV)
    made = boto3.session.Session(
        variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
    )
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=30, read_timeout=30)
    return lambda service: made.client(service, endpoint_url=variables["AWS_ENDPOINT_URL"], config=config)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def running(root):
    running, started = cloud.ensure(root)
    assert started
    yield running
    cloud.stop(root)


@pytest.fixture(scope="module")
def client(running):
    return session(running)


@pytest.fixture(scope="module")
def lambda_(client):
    return client("lambda")


def archive(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, text in files.items():
            target.writestr(name.replace("__", "/") + ".py", text)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def deploy(client, lambda_):
    """Give a function that deploys one from S3, as Terraform does, and returns its name."""
    client("s3").create_bucket(Bucket="artifacts")
    role = client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]

    def make(name, app=APP, **settings):
        client("s3").put_object(Bucket="artifacts", Key=f"{name}.zip", Body=archive(app=app))
        values = {"Runtime": "python3.13", "Handler": "app.handler", "Timeout": 10, "Role": role, "Publish": True}
        source = {"S3Bucket": "artifacts", "S3Key": f"{name}.zip"}
        lambda_.create_function(FunctionName=name, Code=source, **{**values, **settings})
        lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        return name

    return make


@pytest.fixture(scope="module")
def function(deploy):
    return deploy("orders", Environment={"Variables": {"GREETING": "Hello"}})


def invoke(lambda_, **arguments):
    event = arguments.pop("event", {})
    answer = lambda_.invoke(**arguments, Payload=json.dumps(event).encode())
    return answer, json.loads(answer["Payload"].read() or b"null")


def eventually(question, seconds=10.0):
    """Ask until the answer is true; return it."""
    until = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < until:
        time.sleep(0.05)
    return answer


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("arguments", "version", "arn"),
    [
        ({"FunctionName": "orders"}, "$LATEST", f"{ARN}orders"),
        ({"FunctionName": "orders", "Qualifier": "live"}, "1", f"{ARN}orders:live"),
        ({"FunctionName": "orders", "Qualifier": "1"}, "1", f"{ARN}orders:1"),
        ({"FunctionName": "orders:live"}, "1", f"{ARN}orders:live"),
        ({"FunctionName": f"{ARN}orders"}, "$LATEST", f"{ARN}orders"),
        ({"FunctionName": f"{ARN}orders:live"}, "1", f"{ARN}orders:live"),
        ({"FunctionName": f"{ARN}orders:1"}, "1", f"{ARN}orders:1"),
        ({"FunctionName": "123456789012:function:orders"}, "$LATEST", f"{ARN}orders"),
    ],
)
def test_a_function_is_invoked_by_name_version_alias_and_arn(lambda_, function, arguments, version, arn):
    answer, payload = invoke(lambda_, **arguments)
    assert answer["StatusCode"] == 200
    assert "FunctionError" not in answer
    assert answer["ExecutedVersion"] == payload["version"] == version
    assert payload["arn"] == arn
    assert payload["greeting"] == "Hello"
    assert payload["request_id"] == answer["ResponseMetadata"]["RequestId"]


def test_an_error_of_the_function_is_told_in_the_header_and_the_log(lambda_, function):
    answer, payload = invoke(lambda_, FunctionName=function, event={"raise": True}, LogType="Tail")
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "ValueError"
    assert "[ERROR] ValueError: on purpose" in base64.b64decode(answer["LogResult"]).decode()


def test_without_log_type_tail_there_is_no_log_in_the_answer(lambda_, function):
    answer, _ = invoke(lambda_, FunctionName=function)
    assert "LogResult" not in answer


def test_a_client_context_reaches_the_function(lambda_, function):
    context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    assert invoke(lambda_, FunctionName=function, ClientContext=context)[1]["custom"] == {"a": "b"}


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        ({"FunctionName": "nothing"}, "ResourceNotFoundException", 404),
        ({"FunctionName": "orders", "Qualifier": "99"}, "ResourceNotFoundException", 404),
        ({"FunctionName": "orders", "Payload": b"{oops"}, "InvalidRequestContentException", 400),
        ({"FunctionName": "orders", "Payload": b"1" * 6_300_000}, "RequestEntityTooLargeException", 413),
        (
            {"FunctionName": "orders", "Payload": b"1" * 1_100_000, "InvocationType": "Event"},
            "RequestEntityTooLargeException",
            413,
        ),
        ({"FunctionName": "nothing", "InvocationType": "DryRun"}, "ResourceNotFoundException", 404),
    ],
)
def test_what_lambda_refuses_is_refused(lambda_, function, arguments, code, status):
    with pytest.raises(ClientError) as caught:
        lambda_.invoke(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_a_dry_run_runs_nothing(lambda_, deploy):
    name = deploy("dry")
    assert invoke(lambda_, FunctionName=name, InvocationType="DryRun")[0]["StatusCode"] == 204
    assert invoke(lambda_, FunctionName=name, InvocationType="DryRun")[1] is None


def test_twenty_at_once_are_all_answered(lambda_, function):
    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(lambda _: invoke(lambda_, FunctionName=function, event={"sleep": 0.2})[1], range(20))
        )
    assert len({answer["request_id"] for answer in answers}) == 20
    assert len({answer["stream"] for answer in answers}) > 1


def test_reserved_concurrency_is_the_limit(lambda_, client, deploy):
    def log(name):
        return str(client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"])

    name = deploy("narrow")
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    invoke(lambda_, FunctionName=name)
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(invoke, lambda_, FunctionName=name, event={"sleep": 4})
        assert eventually(lambda: "got" in log(name) and '"sleep": 4' in log(name), 30)
        with pytest.raises(ClientError) as caught:
            lambda_.invoke(FunctionName=name, Qualifier="live")
        assert busy.result()[0]["StatusCode"] == 200
    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert caught.value.response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(lambda_.exceptions.TooManyRequestsException):
        lambda_.invoke(FunctionName=name)


def test_a_change_of_the_code_or_the_settings_is_seen_at_once_and_versions_stay_as_they_were(lambda_, client, deploy):
    name = deploy("changing", Environment={"Variables": {"GREETING": "one"}})
    assert invoke(lambda_, FunctionName=name)[1]["greeting"] == "one"
    lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": {"GREETING": "two"}})
    assert invoke(lambda_, FunctionName=name)[1]["greeting"] == "two"
    lambda_.update_function_code(
        FunctionName=name, ZipFile=archive(app="def handler(event, context):\n    return 'new code'")
    )
    assert invoke(lambda_, FunctionName=name)[1] == "new code"
    assert invoke(lambda_, FunctionName=name, Qualifier="live")[1]["greeting"] == "one"


def test_an_alias_with_weights_leads_to_both_versions(lambda_, deploy):
    name = deploy("weighted")
    lambda_.update_function_configuration(FunctionName=name, MemorySize=256)
    lambda_.publish_version(FunctionName=name)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    lambda_.update_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights)
    seen = {invoke(lambda_, FunctionName=name, Qualifier="live")[1]["version"] for _ in range(40)}
    assert seen == {"1", "2"}


def test_layers_are_merged_in_order_and_survive_their_deletion(lambda_, deploy):
    first = lambda_.publish_layer_version(
        LayerName="first", Content={"ZipFile": archive(python__shared="X = 1\n", python__low="X = 1\n")}
    )
    second = lambda_.publish_layer_version(LayerName="second", Content={"ZipFile": archive(python__shared="X = 2\n")})
    app = "import low, shared\ndef handler(event, context):\n    return [low.X, shared.X]\n"
    name = deploy("layered", app, Layers=[first["LayerVersionArn"], second["LayerVersionArn"]])
    lambda_.delete_layer_version(LayerName="first", VersionNumber=1)
    assert invoke(lambda_, FunctionName=name, Qualifier="live")[1] == [1, 2]


def test_the_functions_own_clients_talk_to_this_cloud(lambda_, client, deploy):
    client("iam").create_user(UserName="ada")
    app = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    return boto3.client('iam').get_user(UserName='ada')['User']['Arn']\n"
    )
    name = deploy("asking", app)
    assert invoke(lambda_, FunctionName=name)[1] == "arn:aws:iam::123456789012:user/ada"


def test_what_a_function_logs_arrives_in_cloudwatch_logs(lambda_, client, deploy):
    name = deploy("talking")
    answer, _ = invoke(lambda_, FunctionName=name, Qualifier="live", event={"a": 1})
    logs = client("logs")
    [stream] = logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert "/[1]" in stream["logStreamName"]
    events = logs.get_log_events(
        logGroupName=f"/aws/lambda/{name}", logStreamName=stream["logStreamName"], startFromHead=True
    )["events"]
    messages = [event["message"] for event in events]
    request_id = answer["ResponseMetadata"]["RequestId"]
    assert messages[-4:-1] == [
        f"START RequestId: {request_id} Version: 1",
        'got {"a": 1}',
        f"END RequestId: {request_id}",
    ]
    assert messages[-1].startswith(f"REPORT RequestId: {request_id}\tDuration: ")


def test_logs_go_to_the_group_and_in_the_format_that_was_asked_for(lambda_, client, deploy):
    client("logs").create_log_group(logGroupName="/elsewhere")
    name = deploy("logging", LoggingConfig={"LogFormat": "JSON", "LogGroup": "/elsewhere"})
    invoke(lambda_, FunctionName=name)
    events = client("logs").filter_log_events(logGroupName="/elsewhere")["events"]
    kinds = [json.loads(event["message"])["type"] for event in events if event["message"].startswith("{")]
    assert kinds == ["platform.initStart", "platform.start", "platform.report"]


def test_an_event_is_answered_at_once_and_tried_again_when_it_fails(lambda_, client, deploy):
    name = deploy("later")
    began = time.monotonic()
    invoke(lambda_, FunctionName=name, InvocationType="Event", event={"sleep": 20})
    assert time.monotonic() - began < 15
    answer, payload = invoke(lambda_, FunctionName=name, InvocationType="Event", event={"raise": True})
    assert answer["StatusCode"] == 202
    assert payload is None
    request_id = answer["ResponseMetadata"]["RequestId"]

    def tries():
        try:
            events = client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except client("logs").exceptions.ResourceNotFoundException:
            return False
        return sum(event["message"].startswith(f"START RequestId: {request_id}") for event in events) == 3

    assert eventually(tries, 30)


def refusal(lambda_, name):
    with pytest.raises(ClientError) as caught:
        lambda_.invoke(FunctionName=name)
    assert caught.value.response["Error"]["Code"] == "InvalidRuntimeException"
    return caught.value.response["Error"]["Message"]


def test_a_function_of_another_language_is_refused_with_what_there_is(lambda_, deploy):
    message = refusal(lambda_, deploy("script", Runtime="nodejs20.x"))
    assert "nodejs20.x" in message
    assert "python3.13" in message
    assert "hint: " in message


def test_code_that_is_no_zip_is_refused(lambda_, deploy):
    name = deploy("broken")
    lambda_.update_function_code(FunctionName=name, ZipFile=b"no zip")
    assert "no zip archive" in refusal(lambda_, name)


# ── queues ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def consumer(client, deploy):
    client("s3").create_bucket(Bucket="seen")
    return deploy("consumer", CONSUMER)


@pytest.fixture
def queue(request, client, lambda_, consumer):
    """Give a queue with a dead-letter queue, read by the alias of the consumer."""
    sqs = client("sqs")
    name = f"q{abs(hash(request.node.name))}"
    dead = sqs.create_queue(QueueName=f"{name}-dead-letter")["QueueUrl"]
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:123456789012:{name}-dead-letter", "maxReceiveCount": 2}
    attributes = {"VisibilityTimeout": "3", "RedrivePolicy": json.dumps(policy)}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    settings = getattr(request, "param", {})
    mapping = lambda_.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:us-east-1:123456789012:{name}",
        FunctionName=f"{ARN}{consumer}:live",
        **{"FunctionResponseTypes": ["ReportBatchItemFailures"], **settings},
    )
    yield Queue(sqs, client("s3"), url, dead, mapping["UUID"])
    lambda_.delete_event_source_mapping(UUID=mapping["UUID"])


class Queue:
    def __init__(self, sqs, s3, url, dead, mapping):
        self.sqs, self.s3, self.url, self.dead, self.mapping = sqs, s3, url, dead, mapping

    def send(self, *bodies):
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def seen(self, prefix):
        """Return what the function saw: the attempts of each message, the record and how many came with it."""
        listed = self.s3.list_objects_v2(Bucket="seen", Prefix=prefix).get("Contents", [])
        return {
            entry["Key"]: json.loads(self.s3.get_object(Bucket="seen", Key=entry["Key"])["Body"].read())
            for entry in listed
        }

    def left(self, url=None):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=names)["Attributes"]
        return sum(int(value) for value in attributes.values())


def test_a_message_reaches_the_function_and_leaves_the_queue(queue):
    attribute = {"kind": {"DataType": "String", "StringValue": "test"}}
    sent = queue.sqs.send_message(QueueUrl=queue.url, MessageBody="good-1", MessageAttributes=attribute)
    assert eventually(lambda: queue.seen("good-1/"))
    [[record, _]] = queue.seen("good-1/").values()
    assert record["messageId"] == sent["MessageId"]
    assert record["md5OfBody"] == sent["MD5OfMessageBody"]
    assert record["messageAttributes"]["kind"]["stringValue"] == "test"
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].rpartition(":")[2] == queue.url.rpartition("/")[2]
    assert eventually(lambda: queue.left() == 0)


def test_only_the_failures_of_a_batch_come_again_and_end_in_the_dead_letter_queue(queue):
    queue.send("fine-1", "bad-1", "fine-2")
    assert eventually(lambda: queue.left(queue.dead) == 1, 15)
    assert set(queue.seen("fine-")) == {"fine-1/1", "fine-2/1"}
    assert set(queue.seen("bad-1/")) == {"bad-1/1", "bad-1/2"}
    assert eventually(lambda: queue.left() == 0)
    [message] = queue.sqs.receive_message(QueueUrl=queue.dead)["Messages"]
    assert message["Body"] == "bad-1"


@pytest.mark.parametrize("queue", [{"FunctionResponseTypes": []}], indirect=True)
def test_when_the_function_fails_the_whole_batch_comes_again(queue):
    queue.send("boom-1")
    assert eventually(lambda: set(queue.seen("boom-1/")) == {"boom-1/1", "boom-1/2"}, 15)
    assert eventually(lambda: queue.left(queue.dead) == 1, 15)


@pytest.mark.parametrize("queue", [{"BatchSize": 2}], indirect=True)
def test_a_batch_is_never_larger_than_asked_for(queue):
    queue.send(*(f"sized-{number}" for number in range(5)))
    # On a busy machine some come twice: what is not deleted in time is visible again.
    assert eventually(lambda: len({key.partition("/")[0] for key in queue.seen("sized-")}) == 5, 15)
    assert max(size for _, size in queue.seen("sized-").values()) <= 2


@pytest.mark.parametrize("queue", [{"MaximumBatchingWindowInSeconds": 60, "BatchSize": 3}], indirect=True)
def test_a_window_gathers_messages_until_the_batch_is_full(queue):
    queue.send("full-1")
    time.sleep(0.7)
    assert queue.seen("full-") == {}
    queue.send("full-2", "full-3")
    assert eventually(lambda: len(queue.seen("full-")) == 3, 30)
    assert {size for key, (_, size) in queue.seen("full-").items() if key.endswith("/1")} == {3}


@pytest.mark.parametrize("queue", [{"MaximumBatchingWindowInSeconds": 2, "BatchSize": 3}], indirect=True)
def test_a_window_lasts_its_time_from_the_first_message_that_is_still_there(queue):
    queue.send("late-0")
    queue.sqs.purge_queue(QueueUrl=queue.url)
    time.sleep(2.2)
    began = time.monotonic()
    queue.send("late-1")
    assert eventually(lambda: queue.seen("late-1/"), 30)
    assert time.monotonic() - began >= 2
    assert queue.seen("late-0/") == {}


def test_a_disabled_mapping_reads_nothing_until_it_is_enabled(queue, lambda_):
    lambda_.update_event_source_mapping(UUID=queue.mapping, Enabled=False)
    queue.send("patient-1")
    time.sleep(0.5)
    assert queue.left() == 1
    lambda_.update_event_source_mapping(UUID=queue.mapping, Enabled=True)
    assert eventually(lambda: queue.seen("patient-1/"))


# ── the process ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def own_root(tmp_path):
    folder = repository(tmp_path)
    yield folder
    cloud.stop(folder)


def deployed(running):
    """Deploy a function to a fresh cloud and start it; return the id of its worker's process and a way to invoke it."""
    client = session(running)
    role = client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    app = "import time\ndef handler(event, context):\n    time.sleep(event.get('sleep', 0))\n"
    client("lambda").create_function(
        FunctionName="f",
        Role=role,
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": archive(app=app)},
        Timeout=60,
    )
    assert invoke(client("lambda"), FunctionName="f")[0]["StatusCode"] == 200
    started = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in memory.descendants(running.pid)}
    *_, worker = (pid for pid, command in started.items() if b"bootstrap.py" in command)  # a sandbox comes before it
    return worker, client("lambda")


def test_the_running_cloud_is_found_again(root, running):
    assert cloud.running(root) == running
    assert cloud.ensure(root) == (running, False)


def test_a_killed_cloud_is_noticed_its_busy_worker_ends_and_a_new_one_starts(own_root):
    first, started = cloud.ensure(own_root)
    assert started
    worker, functions = deployed(first)
    threading.Thread(target=_ignoring_errors, args=(functions,), daemon=True).start()  # now the worker is busy
    time.sleep(0.3)
    os.kill(first.pid, signal.SIGKILL)
    assert eventually(lambda: cloud.running(own_root) is None)
    assert eventually(lambda: not is_running(worker))
    second, started = cloud.ensure(own_root)
    assert started
    assert second.pid != first.pid
    assert session(second)("lambda").list_functions()["Functions"] == []


def _ignoring_errors(functions):
    try:
        invoke(functions, FunctionName="f", event={"sleep": 50})
    except Exception:
        return


def test_two_that_start_it_at_once_get_the_same_cloud_and_stopping_it_ends_its_workers(own_root):
    with ThreadPoolExecutor(2) as threads:
        (running, first), (other, second) = threads.map(lambda _: cloud.ensure(own_root), range(2))
    assert running == other
    assert sorted([first, second]) == [False, True]
    worker, functions = deployed(running)
    threading.Thread(target=_ignoring_errors, args=(functions,), daemon=True).start()
    time.sleep(0.3)
    began = time.monotonic()
    assert cloud.stop(own_root) == running
    assert time.monotonic() - began < cloud.STOP_LIMIT_S, "it ends by itself"
    assert not is_running(running.pid)
    assert eventually(lambda: not is_running(worker))
    assert cloud.running(own_root) is None
    assert cloud.stop(own_root) is None
    assert list((own_root / ".artifacts/local").glob("cloud.json*")) == []


def test_settings_of_the_person_do_not_reach_the_cloud(running):
    variables = Path(f"/proc/{running.pid}/environ")
    if not variables.exists():
        pytest.skip("this system does not show it")
    names = {entry.partition(b"=")[0].decode() for entry in variables.read_bytes().split(b"\0") if entry}
    assert cloud.foreign(dict.fromkeys(names, "")) == frozenset()


def test_a_cloud_that_does_not_start_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(cloud, "_SOURCE", tmp_path)  # there is no build.local.server here
    with pytest.raises(ToolError) as caught:
        cloud.ensure(tmp_path)
    assert "exit code 1" in caught.value.summary
    assert any("No module named" in fact for fact in caught.value.facts)
    assert "invoke doctor" in caught.value.hint

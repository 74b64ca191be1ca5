"""Where asynchronous events end in the embedded cloud: destinations of every kind, and dead-letter queues."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from build.local import cloud
from build.model import Env
from tests.checkout import ROOT

pytestmark = pytest.mark.slow

ENV = Env(name="local", region="us-east-1", account_id="123456789012", artifact_bucket="artifacts")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
APP = """
import json
import boto3

def handler(event, context):
    if context.function_name == "told":
        boto3.client("s3").put_object(Bucket="seen", Key=context.aws_request_id, Body=json.dumps(event))
    if event.get("raise"):
        raise ValueError("no" * 1000)
    return {"said": event}
"""


class Local:
    """A cloud with the function `orders`, and a queue that sees what arrives."""

    def __init__(self, running: cloud.Cloud) -> None:
        self.log = running.log
        self._variables = cloud.environ(running, ENV)
        self.lambda_, self.sqs = self.client("lambda"), self.client("sqs")

    def client(self, service: str) -> Any:
        variables = self._variables
        session = boto3.session.Session(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        once = Config(retries={"total_max_attempts": 1}, read_timeout=30)
        return session.client(service, region_name="us-east-1", endpoint_url=variables["AWS_ENDPOINT_URL"], config=once)

    def queue(self, name: str) -> tuple[str, str]:
        """Make a queue and return its URL and ARN."""
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, arn

    def message(self, url: str) -> Any:
        (message,) = self.wait_for(
            lambda: self.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")
        )
        return message

    def seen(self) -> Any:
        """Return the event that the function `told` got, and forget it."""
        s3 = self.client("s3")
        (seen,) = self.wait_for(lambda: s3.list_objects_v2(Bucket="seen").get("Contents"))
        event = json.loads(s3.get_object(Bucket="seen", Key=seen["Key"])["Body"].read())
        s3.delete_object(Bucket="seen", Key=seen["Key"])
        return event

    def settings(self, **settings: Any) -> None:
        self.lambda_.put_function_event_invoke_config(FunctionName="orders", MaximumRetryAttempts=0, **settings)

    def send(self, event: object) -> str:
        answer = self.lambda_.invoke(FunctionName="orders", InvocationType="Event", Payload=json.dumps(event).encode())
        return str(answer["ResponseMetadata"]["RequestId"])

    def wait_for(self, found: Callable[[], Any], seconds: float = 20.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := found()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return answer


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    root = tmp_path_factory.mktemp("repository")
    shared = ROOT / ".artifacts" / "local" / "runtime"
    shared.mkdir(parents=True, exist_ok=True)
    (root / ".artifacts" / "local").mkdir(parents=True)
    (root / ".artifacts" / "local" / "runtime").symlink_to(shared)
    local = Local(cloud.ensure(root)[0])
    local.client("s3").create_bucket(Bucket="seen")
    role = local.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", APP)
    for name in ("orders", "told"):
        local.lambda_.create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.13",
            Handler="app.handler",
            Timeout=20,
            Code={"ZipFile": buffer.getvalue()},
            Publish=True,
        )
    yield local
    cloud.stop(root)


def assert_record(told: Any, request_id: str, condition: str, event: object) -> None:
    assert told["requestContext"] == {
        "requestId": request_id,
        "functionArn": f"{ARN}orders:$LATEST",
        "condition": condition,
        "approximateInvokeCount": 1,
    }
    assert told["requestPayload"] == event


def test_a_queue_is_told_of_success_and_another_of_failure(local):
    (good, good_arn), (bad, bad_arn) = local.queue("good"), local.queue("bad")
    local.settings(DestinationConfig={"OnSuccess": {"Destination": good_arn}, "OnFailure": {"Destination": bad_arn}})
    request_id = local.send({"a": 1})
    told = json.loads(local.message(good)["Body"])
    assert_record(told, request_id, "Success", {"a": 1})
    assert told["responsePayload"] == {"said": {"a": 1}}
    request_id = local.send({"raise": True})
    told = json.loads(local.message(bad)["Body"])
    assert_record(told, request_id, "RetriesExhausted", {"raise": True})
    assert told["responseContext"]["functionError"] == "Unhandled"
    assert told["responsePayload"]["errorType"] == "ValueError"


def test_a_topic_is_told(local):
    url, arn = local.queue("of-topic")
    topic = local.client("sns").create_topic(Name="outcomes")["TopicArn"]
    local.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    local.settings(DestinationConfig={"OnFailure": {"Destination": topic}})
    request_id = local.send({"raise": True})
    told = json.loads(json.loads(local.message(url)["Body"])["Message"])
    assert_record(told, request_id, "RetriesExhausted", {"raise": True})


def test_another_function_is_told(local):
    local.settings(DestinationConfig={"OnSuccess": {"Destination": f"{ARN}told"}})
    request_id = local.send({"a": 2})
    assert_record(local.seen(), request_id, "Success", {"a": 2})


def test_a_bus_is_told_and_its_rules_match(local):
    events = local.client("events")
    bus = events.create_event_bus(Name="outcomes")["EventBusArn"]
    pattern = {"source": ["lambda"], "detail-type": ["Lambda Function Invocation Result - Failure"]}
    events.put_rule(Name="failures", EventBusName="outcomes", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="failures", EventBusName="outcomes", Targets=[{"Id": "told", "Arn": f"{ARN}told"}])
    local.settings(DestinationConfig={"OnFailure": {"Destination": bus}})
    request_id = local.send({"raise": True})
    told = local.seen()
    assert told["resources"] == [bus, f"{ARN}orders:$LATEST"]
    assert_record(told["detail"], request_id, "RetriesExhausted", {"raise": True})


def test_a_bucket_is_told_of_failures(local):
    s3 = local.client("s3")
    s3.create_bucket(Bucket="failures")
    local.settings(DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::failures"}})
    request_id = local.send({"raise": True})
    (seen,) = local.wait_for(lambda: s3.list_objects_v2(Bucket="failures").get("Contents"))
    assert seen["Key"].startswith("aws/lambda/async/orders/20")
    told = json.loads(s3.get_object(Bucket="failures", Key=seen["Key"])["Body"].read())
    assert_record(told, request_id, "RetriesExhausted", {"raise": True})


@pytest.fixture
def buried(local: Local) -> Iterator[str]:
    url, arn = local.queue("dead-letters")
    local.settings()
    local.lambda_.update_function_configuration(FunctionName="orders", DeadLetterConfig={"TargetArn": arn})
    yield url
    local.lambda_.update_function_configuration(FunctionName="orders", DeadLetterConfig={})
    local.lambda_.delete_function_concurrency(FunctionName="orders")


def test_a_dead_letter_queue_gets_the_event_itself_and_why_in_attributes(local, buried):
    request_id = local.send({"raise": True, "é": "ü"})
    message = local.message(buried)
    assert json.loads(message["Body"]) == {"raise": True, "é": "ü"}
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "no" * 512}


def test_with_nothing_reserved_events_go_to_the_dead_letters_at_once(local, buried):
    local.lambda_.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)
    local.send({"a": 3})
    message = local.message(buried)
    assert json.loads(message["Body"]) == {"a": 3}
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"


def test_a_destination_that_is_not_there_is_named_in_the_log(local):
    missing = "arn:aws:sqs:us-east-1:123456789012:missing"
    local.settings(DestinationConfig={"OnSuccess": {"Destination": missing}})
    local.send({"a": 4})
    assert local.wait_for(lambda: f"{missing}: the outcome of" in local.log.read_text("utf-8"))

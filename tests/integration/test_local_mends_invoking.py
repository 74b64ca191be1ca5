"""What moto itself calls functions for runs in execution environments, and never fails whoever caused it."""

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
ARN = "arn:aws:lambda:us-east-1:123456789012:function:{}:live"
APP = """
import json
import boto3

def handler(event, context):
    boto3.client("s3").put_object(Bucket="seen", Key=context.aws_request_id, Body=json.dumps(event))
"""


class Local:
    """A cloud in which the function `told` writes every event into a bucket."""

    def __init__(self, running: cloud.Cloud) -> None:
        self._log = running.log
        self._variables = cloud.environ(running, ENV)

    def client(self, service: str) -> Any:
        variables = self._variables
        session = boto3.session.Session(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        once = Config(retries={"total_max_attempts": 1}, read_timeout=30)
        return session.client(service, region_name="us-east-1", endpoint_url=variables["AWS_ENDPOINT_URL"], config=once)

    def events(self) -> list[Any]:
        """Return what the function got, and forget it."""
        s3 = self.client("s3")
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket="seen").get("Contents", [])]
        events = [json.loads(s3.get_object(Bucket="seen", Key=key)["Body"].read()) for key in keys]
        for key in keys:
            s3.delete_object(Bucket="seen", Key=key)
        return events

    def event(self) -> Any:
        """Wait for the one event the function gets."""
        (event,) = self.wait_for(self.events)
        return event

    def logged(self, text: str) -> bool:
        return bool(self.wait_for(lambda: text in self._log.read_text("utf-8")))

    def wait_for(self, found: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 20
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
    functions = local.client("lambda")
    for name in ("told", "gone"):
        functions.create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.13",
            Handler="app.handler",
            Timeout=20,
            Code={"ZipFile": buffer.getvalue()},
            Publish=True,
        )
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    yield local
    cloud.stop(root)


def subscribe(local: Local, topic: str, function: str) -> str:
    sns = local.client("sns")
    arn: str = sns.create_topic(Name=topic)["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="lambda", Endpoint=ARN.format(function))
    return arn


def test_a_message_of_a_topic_reaches_its_function(local):
    arn = subscribe(local, "prices", "told")
    local.client("sns").publish(TopicArn=arn, Message="dearer", Subject="prices")
    assert local.event()["Records"][0]["Sns"]["Message"] == "dearer"


def test_an_object_of_a_bucket_reaches_its_function(local):
    s3 = local.client("s3")
    s3.create_bucket(Bucket="uploads")
    notification = {"LambdaFunctionArn": ARN.format("told"), "Events": ["s3:ObjectCreated:*"]}
    configuration = {"LambdaFunctionConfigurations": [notification]}
    s3.put_bucket_notification_configuration(Bucket="uploads", NotificationConfiguration=configuration)
    s3.put_object(Bucket="uploads", Key="a.csv", Body=b"1")
    assert local.event()["Records"][0]["s3"]["object"]["key"] == "a.csv"


def rule(local: Local, name: str, function: str, state: str = "ENABLED") -> None:
    events = local.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}), State=state)
    events.put_targets(Rule=name, Targets=[{"Id": "function", "Arn": ARN.format(function)}])


def put_event(local: Local, source: str) -> int:
    entry = {"Source": source, "DetailType": "paid", "Detail": json.dumps({"order": 1})}
    failed: int = local.client("events").put_events(Entries=[entry])["FailedEntryCount"]
    return failed


def test_an_event_that_fits_an_enabled_rule_reaches_its_function(local):
    rule(local, "payments", "told")
    rule(local, "quiet", "told", "DISABLED")
    assert [put_event(local, source) for source in ("quiet", "others", "payments")] == [0, 0, 0]
    event = local.event()
    assert (event["source"], event["detail-type"], event["detail"]) == ("payments", "paid", {"order": 1})


def test_who_sends_something_to_a_function_that_is_gone_is_not_told(local):
    arn = subscribe(local, "farewells", "gone")
    rule(local, "farewells", "gone")
    local.client("lambda").delete_function(FunctionName="gone")
    local.client("sns").publish(TopicArn=arn, Message="anybody?")
    assert put_event(local, "farewells") == 0
    assert local.logged("gone: a message of a topic was dropped")
    assert local.logged("gone:live: an event was dropped")


def test_a_stream_is_written_to_and_the_log_says_that_nothing_reads_it(local):
    kinesis, functions = local.client("kinesis"), local.client("lambda")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    table = local.client("dynamodb").create_table(
        TableName="stock",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]
    for arn in ("arn:aws:kinesis:us-east-1:123456789012:stream/clicks", table["LatestStreamArn"]):
        functions.create_event_source_mapping(
            EventSourceArn=arn, FunctionName=ARN.format("told"), StartingPosition="LATEST"
        )
    kinesis.put_record(StreamName="clicks", Data=b"{}", PartitionKey="1")
    local.client("dynamodb").put_item(TableName="stock", Item={"id": {"S": "1"}})
    assert local.logged("told:live: streams are not read yet")
    assert local.events() == []

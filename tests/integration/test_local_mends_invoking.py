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


def subscribe(local: Local, topic: str, function: str, **attributes: str) -> tuple[str, str]:
    """Subscribe a function to a topic that is made; return the ARNs of both."""
    sns = local.client("sns")
    arn: str = sns.create_topic(Name=topic)["TopicArn"]
    endpoint = ARN.format(function)
    made = sns.subscribe(TopicArn=arn, Protocol="lambda", Endpoint=endpoint, Attributes=attributes)
    return arn, made["SubscriptionArn"]


def test_a_message_of_a_topic_reaches_its_function_as_aws_documents_it(local):
    arn, subscription = subscribe(local, "prices", "told")
    attributes = {
        "kind": {"DataType": "String", "StringValue": "price"},
        "amount": {"DataType": "Number", "StringValue": "1.50"},
        "picture": {"DataType": "Binary", "BinaryValue": b"\x00"},
    }
    sns = local.client("sns")
    published = sns.publish(TopicArn=arn, Message="dearer", Subject="prices", MessageAttributes=attributes)
    (record,) = local.event()["Records"]
    notification = record.pop("Sns")
    assert record == {"EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription}
    assert notification.pop("Timestamp").endswith("Z")
    assert notification.pop("SigningCertUrl").startswith("https://sns.us-east-1.amazonaws.com/")
    assert notification == {
        "Type": "Notification",
        "MessageId": published["MessageId"],
        "TopicArn": arn,
        "Subject": "prices",
        "Message": "dearer",
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "UnsubscribeUrl": f"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription}",
        "MessageAttributes": {
            "kind": {"Type": "String", "Value": "price"},
            "amount": {"Type": "Number", "Value": "1.50"},
            "picture": {"Type": "Binary", "Value": "AA=="},
        },
    }
    sns.publish(TopicArn=arn, Message=json.dumps({"default": "all", "lambda": "functions"}), MessageStructure="json")
    notification = local.event()["Records"][0]["Sns"]
    assert (notification["Message"], notification["Subject"], notification["MessageAttributes"]) == (
        "functions",
        None,
        {},
    )


@pytest.mark.parametrize(
    ("scope", "policy"),
    [
        ("MessageAttributes", {"kind": ["price", {"prefix": "off"}], "amount": [{"numeric": [">", 1]}]}),
        ("MessageBody", {"price": {"kind": ["price"], "amount": [{"numeric": [">", 1, "<=", 2]}]}}),
    ],
)
def test_a_subscription_lets_through_what_its_filter_fits(local, scope, policy):
    arn, _ = subscribe(local, f"filtered-{scope}", "told", FilterPolicy=json.dumps(policy), FilterPolicyScope=scope)
    for kind, amount in (("price", 1), ("stock", 2), ("price", 2)):
        local.client("sns").publish(
            TopicArn=arn,
            Message=json.dumps({"price": {"kind": kind, "amount": amount}}),
            MessageAttributes={
                "kind": {"DataType": "String", "StringValue": kind},
                "amount": {"DataType": "Number", "StringValue": str(amount)},
            },
        )
    assert json.loads(local.event()["Records"][0]["Sns"]["Message"]) == {"price": {"kind": "price", "amount": 2}}
    assert local.events() == []


def notify(local: Local, bucket: str, *events: str, **rules: str) -> Any:
    """Make a bucket that tells of ``events``, where prefix and suffix fit; return S3's client."""
    s3 = local.client("s3")
    s3.create_bucket(Bucket=bucket)
    notification: dict[str, Any] = {"Id": "uploads", "LambdaFunctionArn": ARN.format("told"), "Events": list(events)}
    if rules:
        filters = [{"Name": name, "Value": value} for name, value in rules.items()]
        notification["Filter"] = {"Key": {"FilterRules": filters}}
    configuration = {"LambdaFunctionConfigurations": [notification]}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=configuration)
    return s3


def test_an_object_of_a_bucket_reaches_its_function_as_aws_documents_it(local):
    s3 = notify(local, "uploads", "s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    s3.put_object(Bucket="uploads", Key="new/a ü+.csv", Body=b"1")
    (record,) = local.event()["Records"]
    assert record.pop("eventTime").endswith("Z")
    assert set(record.pop("responseElements")) == {"x-amz-request-id", "x-amz-id-2"}
    created = record["s3"]["object"].pop("sequencer")
    assert record == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:123456789012"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "uploads",
            "bucket": {
                "name": "uploads",
                "ownerIdentity": {"principalId": "123456789012"},
                "arn": "arn:aws:s3:::uploads",
            },
            "object": {"key": "new/a+%C3%BC%2B.csv", "size": 1, "eTag": "c4ca4238a0b923820dcc509a6f75849b"},
        },
    }
    s3.delete_object(Bucket="uploads", Key="new/a ü+.csv")
    (record,) = local.event()["Records"]
    assert record["eventName"] == "ObjectRemoved:Delete"
    assert set(record["s3"]["object"]) == {"key", "sequencer"}
    assert record["s3"]["object"]["sequencer"] > created


def test_versions_and_delete_markers_are_told_with_their_ids(local):
    s3 = notify(local, "versions", "s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket="versions", Key="a", Body=b"1")["VersionId"]
    assert local.event()["Records"][0]["s3"]["object"]["versionId"] == version
    marker = s3.delete_object(Bucket="versions", Key="a")["VersionId"]
    told = local.event()["Records"][0]
    assert (told["eventName"], told["s3"]["object"]["versionId"]) == ("ObjectRemoved:DeleteMarkerCreated", marker)
    s3.delete_object(Bucket="versions", Key="a", VersionId=version)
    told = local.event()["Records"][0]
    assert (told["eventName"], told["s3"]["object"]["versionId"]) == ("ObjectRemoved:Delete", version)


@pytest.mark.parametrize("rules", [{"prefix": "in/"}, {"suffix": ".csv"}, {"prefix": "in/", "suffix": ".csv"}])
def test_a_bucket_tells_of_keys_that_fit_alone(local, rules):
    bucket = f"rules-{'-'.join(rules)}"
    s3 = notify(local, bucket, "s3:ObjectCreated:Put", **rules)
    for key in ("out/b.txt", "in/b.csv"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    s3.copy_object(Bucket=bucket, Key="in/copy.csv", CopySource={"Bucket": bucket, "Key": "in/b.csv"})
    assert local.event()["Records"][0]["s3"]["object"]["key"] == "in/b.csv"
    assert local.events() == []


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
    arn, _ = subscribe(local, "farewells", "gone")
    rule(local, "farewells", "gone")
    local.client("lambda").delete_function(FunctionName="gone")
    local.client("sns").publish(TopicArn=arn, Message="anybody?")
    assert put_event(local, "farewells") == 0
    assert local.logged("gone:live: an event was dropped")
    assert local.logged("gone:live was given up")

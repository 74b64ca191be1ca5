from dataclasses import replace

import pytest

from build.checks.statements import statements_of
from build.options import Asynchronous, FileSystem, Network, Options, Secret
from build.triggers import QueueTrigger, StreamTrigger, Triggers
from tests.builders import function_spec, make_workspace

HERE = "eu-central-1:123456789012"
KEY = f"arn:aws:kms:{HERE}:key/1"


@pytest.fixture
def granted(tmp_path):
    def run(triggers=None, **options):
        """Return (purpose, actions, resources) of every statement but that of logs."""
        spec = function_spec(tmp_path / "functions/f")
        spec = replace(spec, triggers=Triggers(**(triggers or {})), options=Options(**options))
        logs, *others = statements_of(spec, make_workspace(tmp_path, functions=(spec,)))
        assert logs.resources == (f"arn:aws:logs:{HERE}:log-group:/aws/lambda/shop-dev-f:*",)
        return [(each.purpose, " ".join(each.actions), each.resources) for each in others]

    return run


def test_a_function_without_triggers_and_settings_writes_its_logs(granted):
    assert granted() == []


def test_queues_are_read_whether_they_are_made_or_there(granted):
    there = QueueTrigger(name="b", arn="arn:aws:sqs:{region}:{account}:{name}-there")
    ((purpose, actions, resources),) = granted({"queue": (there, QueueTrigger(name="a", fifo=True))})
    assert (purpose, actions) == ("its queues", "sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage")
    assert resources == (f"arn:aws:sqs:{HERE}:shop-dev-f-a.fifo", f"arn:aws:sqs:{HERE}:shop-there")


def test_streams_are_read_and_what_is_given_up_is_sent_to_their_queues(granted):
    streams = (
        StreamTrigger(name="clicks", source="kinesis"),
        StreamTrigger(name="stock", source="dynamodb", partition_key="id", on_failure="arn:aws:s3:::given-up"),
    )
    kinesis, dynamodb, queues, buckets = granted({"stream": streams})
    assert kinesis[::2] == ("its streams", (f"arn:aws:kinesis:{HERE}:stream/shop-dev-f-clicks",))
    assert dynamodb[::2] == ("its streams", (f"arn:aws:dynamodb:{HERE}:table/shop-dev-f-stock/stream/*",))
    assert queues[1:] == ("sqs:SendMessage", (f"arn:aws:sqs:{HERE}:shop-dev-f-clicks-dead-letter",))
    assert buckets[1:] == ("s3:ListBucket s3:PutObject", ("arn:aws:s3:::given-up", "arn:aws:s3:::given-up/*"))


def test_each_destination_is_granted_once_by_its_service(granted):
    topic, bus = f"arn:aws:sns:{HERE}:t", f"arn:aws:events:{HERE}:event-bus/b"
    found = granted(asynchronous=Asynchronous(on_failure=topic, on_success=bus), dead_letter_arn=topic)
    assert [each[1:] for each in found] == [("sns:Publish", (topic,)), ("events:PutEvents", (bus,))]
    ((_, actions, resources),) = granted(asynchronous=Asynchronous(on_failure="queue"))
    assert (actions, resources) == ("sqs:SendMessage", (f"arn:aws:sqs:{HERE}:shop-dev-f-failures",))


def test_exactly_the_secrets_that_are_named_may_be_read(granted):
    parameter, secret = f"arn:aws:ssm:{HERE}:parameter/x", f"arn:aws:secretsmanager:{HERE}:secret:y-123456"
    secrets = {"A": Secret(arn=secret, kms_key_arn=KEY), "B": Secret(arn=parameter), "C": Secret(arn="{custom.z}")}
    assert [each[1:] for each in granted(secrets=secrets, kms_key_arn=KEY)] == [
        ("ssm:GetParameter", (parameter,)),
        ("secretsmanager:GetSecretValue", (secret, "{custom.z}")),
        ("kms:Decrypt", (KEY,)),
    ]


def test_network_interfaces_are_for_lambda_and_not_for_the_code(granted):
    network = Network(subnet_ids=("subnet-1",), security_group_ids=("sg-1",))
    assert [each[::2] for each in granted(network=network)] == [("", (f"arn:aws:ec2:{HERE}:*/*",)), ("", ("*",))]


def test_a_file_system_is_written_through_its_access_point_alone(tmp_path):
    files = FileSystem(arn="arn:aws:elasticfilesystem:{region}:{account}:access-point/fsap-1", mount="/mnt/x")
    spec = replace(function_spec(tmp_path / "functions/f"), options=Options(file_system=files))
    statement = statements_of(spec, make_workspace(tmp_path, functions=(spec,)))[-1].as_json()
    assert statement["Resource"] == [f"arn:aws:elasticfilesystem:{HERE}:file-system/*"]
    point = f"arn:aws:elasticfilesystem:{HERE}:access-point/fsap-1"
    assert statement["Condition"] == {"StringEquals": {"elasticfilesystem:AccessPointArn": point}}


def test_traces_may_be_sent_where_x_ray_follows(granted):
    assert [each[0] for each in granted(tracing=True)] == ["tracing"]

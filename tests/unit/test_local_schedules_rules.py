"""What rules and schedules send to their targets."""

import json
from datetime import UTC, datetime

import pytest

from build.local.sources.rules import RuleDelivery, event_of, input_of
from build.local.sources.schedules import ScheduleDelivery
from build.local.sources.targets import Call, Caller, call_of

RULE = "arn:aws:events:us-east-1:123456789012:rule/shop/paid"
EVENT = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "123456789012",
    "time": "2015-11-11T21:29:54Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-abcd1111"],
    "detail": {"instance-id": "i-0123456789", "state": "RUNNING", "disks": [{"gb": 8}, {"gb": 9}]},
}
PATHS = {"timestamp": "$.time", "instance": "$.detail.instance-id", "state": "$.detail.state", "no": "$.detail.no"}


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        # from https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
        ('"instance <instance> is in <state>"', "instance i-0123456789 is in RUNNING"),
        ('{"instance" : <instance>, "state": <state>}', {"instance": "i-0123456789", "state": "RUNNING"}),
        ('{"state": "<state>", "is": "a \\"<instance>\\""}', {"state": "RUNNING", "is": 'a "i-0123456789"'}),
        ('{"state": [9, <state>, true]}', {"state": [9, "RUNNING", True]}),
        (
            '{"arn": <aws.events.rule-arn>, "name": <aws.events.rule-name>, "event": <aws.events.event>}',
            {"arn": RULE, "name": "paid", "event": EVENT},
        ),
        ('"<aws.events.rule-name> triggered"', "paid triggered"),
        ('{"at": <aws.events.event.ingestion-time>}', {"at": "2015-11-11T21:29:54Z"}),
        ('{"no": <no>, "text": "<no>!"}', {"no": "", "text": "!"}),
        ('"<b><state></b>"', "<b>RUNNING</b>"),
    ],
)
def test_a_template_is_filled_in_as_aws_documents(template, wanted):
    target = {"InputTransformer": {"InputPathsMap": PATHS, "InputTemplate": template}}
    assert json.loads(input_of(target, EVENT, RULE)) == wanted


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        ({}, EVENT),
        ({"Input": '{"kind": "nightly"}'}, {"kind": "nightly"}),
        ({"InputPath": "$.detail"}, EVENT["detail"]),
        ({"InputPath": "$.detail.disks[1].gb"}, 9),
        ({"InputPath": "$.detail['instance-id']"}, "i-0123456789"),
    ],
)
def test_a_target_gets_the_event_a_part_of_it_or_something_else(target, wanted):
    assert json.loads(input_of(target, EVENT, RULE)) == wanted


def test_events_have_their_time_as_text_and_nothing_of_motos():
    motos = {**EVENT, "time": 1447277394.25, "ingestion-time": 1447277394.5}
    assert event_of(motos) == EVENT
    assert event_of({**EVENT, "replay-name": "again"})["replay-name"] == "again"


@pytest.mark.parametrize(
    ("target", "service", "parameters"),
    [
        (
            {"Arn": "arn:aws:lambda:eu-west-1:1:function:f:live"},
            "lambda:invoke",
            {"InvocationType": "Event", "Payload": "{}"},
        ),
        ({"Arn": "arn:aws:sqs:eu-west-1:1:q"}, "sqs:sendMessage", {"MessageBody": "{}"}),
        (
            {"Arn": "arn:aws:sqs:eu-west-1:1:q.fifo", "SqsParameters": {"MessageGroupId": "g"}},
            "sqs:sendMessage",
            {"MessageGroupId": "g"},
        ),
        ({"Arn": "arn:aws:sns:eu-west-1:1:t"}, "sns:publish", {"Message": "{}"}),
        (
            {"Arn": "arn:aws:kinesis:eu-west-1:1:stream/s", "KinesisParameters": {"PartitionKey": "k"}},
            "kinesis:putRecord",
            {"PartitionKey": "k"},
        ),
        ({"Arn": "arn:aws:states:eu-west-1:1:stateMachine:m"}, "sfn:startExecution", {"Input": "{}"}),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:dynamodb:putItem"}, "dynamodb:putItem", {}),
    ],
)
def test_every_kind_of_target_is_a_call_of_the_api(target, service, parameters):
    call = call_of(target, "{}", region="eu-west-1")
    assert call.arn == f"arn:aws:scheduler:::aws-sdk:{service}"
    assert call.region == "eu-west-1"
    assert parameters.items() <= call.parameters.items()


@pytest.mark.parametrize(
    ("service", "action", "parameters", "code", "passing"),
    [
        ("rocket", "launch", {}, "ValidationException", False),
        ("sqs", "launch", {}, "ValidationException", False),
        ("sqs", "sendMessage", {"Payload": 1}, "ValidationException", False),
        ("sqs", "sendMessage", {"QueueUrl": "http://x/1/q", "messageBody": "x"}, "EndpointConnectionError", True),
    ],
)
def test_a_call_that_nobody_answers_may_be_made_again_and_one_that_nobody_knows_may_not(
    service, action, parameters, code, passing
):
    call = Call(service=service, action=action, parameters=parameters, region="us-east-1")
    failure = Caller("http://127.0.0.1:9").make(call)
    assert failure is not None
    assert (failure.code, failure.passing) == (code, passing)


def test_a_bus_gets_the_event_of_a_rule_as_it_is():
    target = {"Arn": "arn:aws:events:eu-west-1:123456789012:event-bus/orders"}
    rule = RuleDelivery(
        source=RULE, target=target, since=datetime(2026, 1, 1, tzinfo=UTC), event=EVENT, region="us-east-1"
    )
    call = rule.call(1)
    (entry,) = call.parameters["Entries"]
    assert (call.region, entry["EventBusName"], entry["Source"]) == ("eu-west-1", target["Arn"], "aws.ec2")
    assert (json.loads(entry["Detail"]), entry["Resources"]) == (EVENT["detail"], EVENT["resources"])


def schedule(**target):
    arn = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/nightly"
    whole = {"Arn": "arn:aws:lambda:us-east-1:123456789012:function:orders", **target}
    return ScheduleDelivery(source=arn, target=whole, since=datetime(2026, 3, 29, 1, tzinfo=UTC))


def test_placeholders_in_the_input_of_a_schedule_are_filled_in():
    names = ("schedule-arn", "scheduled-time", "execution-id", "attempt-number")
    nightly = schedule(Input=json.dumps([f"<aws.scheduler.{name}>" for name in names]))
    arn, time, first, attempt = json.loads(nightly.call(1).parameters["Payload"])
    assert (arn, time, attempt) == (nightly.source, "2026-03-29T01:00:00Z", "1")
    assert len(first) == 16
    *_, second, attempt = json.loads(nightly.call(2).parameters["Payload"])
    assert (attempt, second != first) == ("2", True)


def test_a_schedule_without_input_sends_awss_own_event():
    event = json.loads(schedule().call(1).parameters["Payload"])
    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "123456789012",
        "time": "2026-03-29T01:00:00Z",
        "region": "us-east-1",
        "resources": ["arn:aws:scheduler:us-east-1:123456789012:schedule/default/nightly"],
        "detail": "{}",
    }

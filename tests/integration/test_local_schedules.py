"""Rules and schedules of the embedded cloud, made by boto3: they fire by its clock, and reach what they are for."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from botocore.exceptions import ClientError

from build.local import cloud
from build.local.sources.clock import Clock, Fired, advance, read
from build.testing import CloudUnderTest
from tests.checkout import wait_for
from tests.embedded import ARN, Account, repository

pytestmark = pytest.mark.slow

ROLE = "arn:aws:iam::123456789012:role/schedule"
RULE = "arn:aws:events:us-east-1:123456789012:rule/"
SCHEDULE = "arn:aws:scheduler:us-east-1:123456789012:schedule/default/"
APP = """
import json
import boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=QUEUE, MessageBody=json.dumps(event))
"""
DAY = timedelta(days=1)


class Local(Account):
    """A cloud in which the function `told` sends every event to a queue."""

    def queue(self, name: str) -> str:
        self.client("sqs").create_queue(QueueName=name)
        return f"arn:aws:sqs:us-east-1:123456789012:{name}"

    def messages(self, name: str, count: int = 1) -> list[Any]:
        """Wait for so many messages of a queue, and take all there are."""
        sqs, found = self.client("sqs"), []
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]

        def enough() -> bool:
            while taken := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
                "Messages"
            ):
                found.extend(taken)
                for message in taken:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= count

        wait_for(enough)
        return found

    def events(self, count: int = 1) -> list[Any]:
        """Wait for so many events that `told` got."""
        return [json.loads(message["Body"]) for message in self.messages("seen", count)]

    def letters(self, queue: str, count: int = 1) -> list[tuple[str, dict[str, str]]]:
        """Wait for so many messages; return body and attributes of each."""
        return [
            (message["Body"], {name: value["StringValue"] for name, value in message["MessageAttributes"].items()})
            for message in self.messages(queue, count)
        ]

    def schedule(self, name: str, expression: str, target: dict[str, Any], **settings: Any) -> None:
        self.client("scheduler").create_schedule(
            Name=name,
            ScheduleExpression=expression,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"RoleArn": ROLE, **target},
            **settings,
        )

    def rule(self, name: str, *targets: dict[str, Any], **settings: Any) -> None:
        events = self.client("events")
        pattern = {} if "ScheduleExpression" in settings else {"EventPattern": json.dumps({"source": [name]})}
        events.put_rule(Name=name, **pattern, **settings)
        events.put_targets(Rule=name, Targets=[{"Id": str(at), **each} for at, each in enumerate(targets)])

    def put(self, source: str, **entry: Any) -> int:
        entries = [{"Source": source, "DetailType": "paid", "Detail": json.dumps({"order": 1}), **entry}]
        failed: int = self.client("events").put_events(Entries=entries)["FailedEntryCount"]
        return failed

    def clock(self) -> Clock:
        return read(self.running.endpoint)

    def now(self) -> datetime:
        return datetime.fromisoformat(self.clock().now)

    def advance(self, by: timedelta, name: str) -> list[Fired]:
        """Advance the clock; return what of a rule or schedule fired."""
        fired = advance(self.running.endpoint, by).fired
        return [each for each in fired if each.arn.rpartition("/")[2] == name]


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    root = repository(tmp_path_factory.mktemp("schedules"))
    local = Local(cloud.ensure(root)[0])
    try:
        local.queue("seen")
        url = local.client("sqs").get_queue_url(QueueName="seen")["QueueUrl"]
        local.deploy("told", f"QUEUE = {url!r}\n{APP}")
        yield local
    finally:
        cloud.stop(root)


TOLD = {"Arn": f"{ARN}told:live"}


def at(moment: datetime) -> str:
    return f"at({moment.replace(tzinfo=None, microsecond=0).isoformat()})"


def test_a_rule_calls_its_function_at_every_time_that_comes(local):
    local.rule("hourly", TOLD, ScheduleExpression="rate(1 hour)")
    (coming,) = [each for each in local.clock().next if each.name == "hourly"]
    assert coming.targets == (TOLD["Arn"],)
    fired = local.advance(timedelta(minutes=150), "hourly")
    assert [(each.target, each.error) for each in fired] == [(TOLD["Arn"], None)] * 2
    events = sorted(local.events(2), key=lambda event: event["time"])
    assert [event["time"] for event in events] == [coming.at, fired[1].at]
    assert {**events[0], "id": "", "time": ""} == {
        "version": "0",
        "id": "",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "",
        "region": "us-east-1",
        "resources": [f"{RULE}hourly"],
        "detail": {},
    }
    local.client("events").disable_rule(Name="hourly")
    assert local.advance(timedelta(hours=2), "hourly") == []
    local.client("events").enable_rule(Name="hourly")
    (back,) = local.advance(timedelta(hours=1), "hourly")
    local.client("events").remove_targets(Rule="hourly", Ids=["0"])
    local.client("events").delete_rule(Name="hourly")
    assert local.advance(timedelta(hours=2), "hourly") == []
    assert [event["time"] for event in local.events()] == [back.at]


def test_a_rule_with_a_schedule_only_takes_no_events(local):
    queue = local.queue("timed")
    local.rule("timed", {"Arn": queue}, ScheduleExpression="cron(0 0 1 1 ? 2199)")
    local.rule("marked", {"Arn": queue})
    local.put("marked")
    assert [json.loads(message["Body"])["source"] for message in local.messages("timed")] == ["marked"]


def test_a_schedule_calls_its_function_in_its_time_zone_with_its_input(local):
    text = json.dumps(
        {"kind": "nightly", "at": "<aws.scheduler.scheduled-time>", "arn": "<aws.scheduler.schedule-arn>"}
    )
    settings = {"ScheduleExpressionTimezone": "Asia/Kathmandu"}
    local.schedule("nightly", "cron(30 3 * * ? *)", {**TOLD, "Input": text}, **settings)
    (fired,) = local.advance(DAY, "nightly")
    local_time = datetime.fromisoformat(fired.at).astimezone(ZoneInfo("Asia/Kathmandu"))
    assert (local_time.hour, local_time.minute) == (3, 30)
    assert local.events() == [{"kind": "nightly", "at": fired.at, "arn": f"{SCHEDULE}nightly"}]
    local.client("scheduler").delete_schedule(Name="nightly")
    assert local.advance(DAY, "nightly") == []


def test_a_schedule_between_two_dates_that_is_switched_on(local):
    queue, scheduler, now = local.queue("between"), local.client("scheduler"), local.now()
    dates = {"StartDate": now + 2 * DAY, "EndDate": now + 4 * DAY}
    local.schedule("off", "rate(1 day)", {"Arn": queue}, State="DISABLED")
    local.schedule("between", "rate(1 day)", {"Arn": queue}, ActionAfterCompletion="DELETE", **dates)
    fired = advance(local.running.endpoint, 10 * DAY).fired
    times = [each.at for each in fired if each.target == queue]
    assert times == [f"{now + days * DAY:%Y-%m-%dT%H:%M:%SZ}" for days in (2, 3)]
    events = [json.loads(message["Body"]) for message in local.messages("between", 2)]
    assert [(event["source"], event["time"], event["resources"]) for event in events] == [
        ("aws.scheduler", time, [f"{SCHEDULE}between"]) for time in times
    ]
    assert {each["Name"] for each in scheduler.list_schedules()["Schedules"]} == {"off"}
    scheduler.update_schedule(
        Name="off",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        Target={"RoleArn": ROLE, "Arn": queue, "Input": "on"},
    )
    assert [message["Body"] for message in local.messages("between")] == ["on"], "at once, without being advanced"
    scheduler.delete_schedule(Name="off")


def test_at_fires_once_by_itself_and_goes_if_it_was_to(local):
    queue, scheduler = local.queue("once"), local.client("scheduler")
    soon = local.now() + timedelta(seconds=2)
    local.schedule("once", at(soon), {"Arn": queue, "Input": "stays"})
    local.schedule("gone", at(soon), {"Arn": queue, "Input": "goes"}, ActionAfterCompletion="DELETE")
    local.schedule("past", at(soon - DAY), {"Arn": queue, "Input": "never"})
    assert {message["Body"] for message in local.messages("once", 2)} == {"stays", "goes"}
    assert local.advance(DAY, "once") == []
    assert {each["Name"] for each in scheduler.list_schedules()["Schedules"]} >= {"once", "past"}
    with pytest.raises(ClientError, match="gone does not exist"):
        scheduler.get_schedule(Name="gone")


def test_a_schedule_reaches_topics_buses_streams_state_machines_and_any_api(local):
    due, queue = at(local.now() + DAY), local.queue("reached")
    kinesis, dynamodb, states = local.client("kinesis"), local.client("dynamodb"), local.client("stepfunctions")
    topic = local.client("sns").create_topic(Name="reached")["TopicArn"]
    local.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    local.rule("reached", {"Arn": queue})
    kinesis.create_stream(StreamName="reached", ShardCount=1)
    stream = kinesis.describe_stream(StreamName="reached")["StreamDescription"]["StreamARN"]
    definition = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    machine = states.create_state_machine(name="reached", definition=definition, roleArn=ROLE)["stateMachineArn"]
    dynamodb.create_table(
        TableName="reached",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    bus = "arn:aws:events:us-east-1:123456789012:event-bus/default"
    item = json.dumps({"TableName": "reached", "Item": {"id": {"S": "<aws.scheduler.attempt-number>"}}})
    targets: list[dict[str, Any]] = [
        {"Arn": topic},
        {"Arn": bus, "EventBridgeParameters": {"DetailType": "paid", "Source": "reached"}},
        {"Arn": stream, "KinesisParameters": {"PartitionKey": "1"}},
        {"Arn": machine},
        {"Arn": "arn:aws:scheduler:::aws-sdk:dynamodb:putItem", "Input": item},
    ]
    for number, target in enumerate(targets):
        local.schedule(f"reached-{number}", due, {"Input": '{"n": 1}', **target})
    fired = [each for each in advance(local.running.endpoint, DAY).fired if "/reached-" in each.arn]
    assert [each.error for each in fired] == [None] * 5
    bodies = [json.loads(message["Body"]) for message in local.messages("reached", 2)]
    assert sorted(body.get("Message") or json.dumps(body["detail"]) for body in bodies) == ['{"n": 1}'] * 2
    (shard,) = kinesis.list_shards(StreamName="reached")["Shards"]
    reader = kinesis.get_shard_iterator(
        StreamName="reached", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )
    assert kinesis.get_records(ShardIterator=reader["ShardIterator"])["Records"][0]["Data"] == b'{"n": 1}'
    (execution,) = states.list_executions(stateMachineArn=machine)["executions"]
    assert states.describe_execution(executionArn=execution["executionArn"])["input"] == '{"n": 1}'
    assert dynamodb.get_item(TableName="reached", Key={"id": {"S": "1"}})["Item"]


def test_what_is_for_a_function_that_is_gone_is_a_dead_letter(local):
    dead = {"DeadLetterConfig": {"Arn": local.queue("dead")}}
    local.schedule("lost", at(local.now() + DAY), {"Arn": f"{ARN}nobody:live", "Input": '{"n": 1}', **dead})
    (fired,) = local.advance(DAY, "lost")
    assert (str(fired.error).partition(":")[0], fired.again) == ("ResourceNotFoundException", None)
    ((body, attributes),) = local.letters("dead")
    assert (body, attributes["SCHEDULE_ARN"], attributes["SCHEDULED_TIME"]) == ('{"n": 1}', f"{SCHEDULE}lost", fired.at)
    assert (attributes["ERROR_CODE"], attributes["RETRY_ATTEMPTS"]) == ("ResourceNotFoundException", "0")
    assert attributes["TARGET_ARN"] == "arn:aws:scheduler:::aws-sdk:lambda:invoke"
    assert "EXHAUSTED_RETRY_CONDITION" not in attributes

    missing = ("arn:aws:sqs:us-east-1:123456789012:nowhere", f"{ARN}nobody:live")
    local.rule("farewell", *({"Arn": each, **dead} for each in missing), {"Arn": local.queue("others")})
    assert local.put("farewell") == 0
    for target, (body, attributes) in zip(missing, local.letters("dead", 2), strict=True):
        assert (json.loads(body)["detail"], attributes["RULE_ARN"]) == ({"order": 1}, f"{RULE}farewell")
        assert (attributes["ERROR_CODE"], attributes["TARGET_ARN"]) == ("NO_RESOURCE", target)
    assert json.loads(local.messages("others")[0]["Body"])["detail"] == {"order": 1}
    assert "nobody:live was given up" in local.running.log.read_text("utf-8")


def test_what_is_throttled_is_tried_again_when_its_time_comes(local):
    functions = local.client("lambda")
    functions.put_function_concurrency(FunctionName="told", ReservedConcurrentExecutions=0)
    payload = '{"attempt": "<aws.scheduler.attempt-number>"}'
    call = {"FunctionName": TOLD["Arn"], "InvocationType": "RequestResponse", "Payload": payload}
    target = {"Arn": "arn:aws:scheduler:::aws-sdk:lambda:invoke", "Input": json.dumps(call)}
    local.schedule("stubborn", at(local.now() + DAY), target)
    first, *_ = local.advance(DAY, "stubborn")
    assert str(first.error).startswith("TooManyRequestsException")
    assert first.again
    functions.delete_function_concurrency(FunctionName="told")
    local.advance(timedelta(hours=1), "stubborn")
    (event,) = local.events()
    assert int(event["attempt"]) > 1


def test_a_rule_sends_events_to_queues_topics_and_buses_as_aws_does(local):
    plain, shaped, behind = local.queue("plain"), local.queue("shaped"), local.queue("behind")
    sns, events = local.client("sns"), local.client("events")
    topic = sns.create_topic(Name="paid")["TopicArn"]
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=local.queue("told-by-topic"), Attributes={"RawMessageDelivery": "true"}
    )
    bus = events.create_event_bus(Name="second")["EventBusArn"]
    events.put_rule(Name="behind", EventBusName="second", EventPattern='{"source": ["payments"]}')
    events.put_targets(Rule="behind", EventBusName="second", Targets=[{"Id": "queue", "Arn": behind}])
    template = {"InputPathsMap": {"order": "$.detail.order"}, "InputTemplate": '{"paid": <order>}'}
    local.rule(
        "payments",
        {"Arn": plain},
        {"Arn": shaped, "InputTransformer": template},
        {"Arn": topic, "InputPath": "$.detail"},
        {"Arn": bus},
        {"Arn": TOLD["Arn"], "Input": '{"constant": true}'},
    )
    moment = datetime(2026, 2, 1, 12, tzinfo=UTC)
    assert local.put("payments", Resources=["card"], Time=moment) == 0
    (event,) = [json.loads(message["Body"]) for message in local.messages("plain")]
    assert len(event.pop("id")) == 36
    assert event == {
        "version": "0",
        "detail-type": "paid",
        "source": "payments",
        "account": "123456789012",
        "time": "2026-02-01T12:00:00Z",
        "region": "us-east-1",
        "resources": ["card"],
        "detail": {"order": 1},
    }
    assert [json.loads(message["Body"]) for message in local.messages("shaped")] == [{"paid": 1}]
    assert [json.loads(message["Body"]) for message in local.messages("told-by-topic")] == [{"order": 1}]
    (forwarded,) = [json.loads(message["Body"]) for message in local.messages("behind")]
    assert {**forwarded, "id": ""} == {**event, "id": ""}
    assert local.events() == [{"constant": True}]


def test_a_rule_that_is_off_or_does_not_fit_sends_nothing(local):
    queue = local.queue("quiet")
    local.rule("off", {"Arn": queue}, State="DISABLED")
    local.rule("others", {"Arn": queue})
    local.rule("last", {"Arn": queue})
    assert [local.put(source) for source in ("off", "nobody", "last")] == [0, 0, 0]
    assert [json.loads(message["Body"])["source"] for message in local.messages("quiet")] == ["last"]


def test_tests_of_functions_can_advance_the_clock(local):
    queue = local.queue("reminders")
    local.schedule("reminder", at(local.now() + DAY), {"Arn": queue, "Input": "call Ada"})
    under_test = CloudUnderTest(local.running.endpoint, {})
    assert queue in [each.target for each in under_test.advance(DAY)]
    assert [message["Body"] for message in local.messages("reminders")] == ["call Ada"]


@pytest.mark.parametrize(
    ("expression", "settings"),
    [
        ("cron(0 25 * * ? *)", {}),
        ("every day", {}),
        ("rate(1 day)", {"ScheduleExpressionTimezone": "Europe/Atlantis"}),
    ],
)
def test_what_aws_would_not_take_is_refused_when_it_is_made(local, expression, settings):
    with pytest.raises(ClientError, match=r"ValidationException.*Invalid Schedule Expression"):
        local.schedule("wrong", expression, TOLD, **settings)
    if not settings:
        with pytest.raises(ClientError, match="ScheduleExpression is not valid"):
            local.client("events").put_rule(Name="wrong", ScheduleExpression=expression)

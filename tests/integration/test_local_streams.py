"""Streams and queues of the embedded cloud are read as Lambda reads them: real functions, through boto3."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from build.local import cloud, keeping
from tests.checkout import wait_for
from tests.embedded import ARN, Account, repository

pytestmark = pytest.mark.slow

ACCOUNT = "us-east-1:123456789012"
SHARD = f"shardId-{0:012}"
APP = """
import base64, json, time
import boto3

s3 = boto3.client("s3")

def text_of(record):
    if "kinesis" in record:
        return base64.b64decode(record["kinesis"]["data"]).decode()
    return record["body"] if "body" in record else record["dynamodb"]["Keys"]["id"]["S"]

def handler(event, context):
    records = event["Records"]
    source = records[0]["eventSourceARN"].split(":", 5)[5].split("/")[-1]
    if ":dynamodb:" in records[0]["eventSourceARN"]:
        source = records[0]["eventSourceARN"].split("/")[1]
    texts = [text_of(record) for record in records]
    s3.put_object(Bucket="seen", Key=f"{source}/{time.time_ns()}", Body=json.dumps([texts, event]))
    if any("slow" in text for text in texts):
        time.sleep(0.5)
    if any("poison" in text for text in texts):
        raise ValueError("no")
    if any("stumble" in text for text in texts) and records[0]["attributes"]["ApproximateReceiveCount"] == "1":
        raise ValueError("not the first time")
    number = lambda record: record.get("kinesis", {}).get("sequenceNumber") or record.get("messageId")
    failed = [number(record) for record, text in zip(records, texts) if "failing" in text]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in reversed(failed)]}
"""


class Local(Account):
    """A cloud in which the function `reader` writes down what it gets."""

    client = cache(Account.client)

    def stream(self, name: str, shards: int = 1) -> str:
        self.client("kinesis").create_stream(StreamName=name, ShardCount=shards)
        return f"arn:aws:kinesis:{ACCOUNT}:stream/{name}"

    def table(self, name: str) -> str:
        described = self.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        return str(described["TableDescription"]["LatestStreamArn"])

    def queue(self, name: str, **attributes: str) -> str:
        return str(self.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def read(self, source: str, function: str = "reader:live", **settings: Any) -> str:
        """Let a function read; return the mapping's UUID."""
        if ":sqs:" not in source:
            settings.setdefault("StartingPosition", "TRIM_HORIZON")
        functions = self.client("lambda")
        mapping = functions.create_event_source_mapping(EventSourceArn=source, FunctionName=ARN + function, **settings)
        return str(mapping["UUID"])

    def put(self, stream: str, *texts: str, key: str = "k") -> None:
        records = [{"Data": text.encode(), "PartitionKey": key} for text in texts]
        self.client("kinesis").put_records(StreamName=stream, Records=records)

    def events(self, source: str) -> list[tuple[list[str], Any]]:
        """Return what the function got of a stream or queue, in the order it began: texts of records, and the event."""
        s3 = self.client("s3")
        keys = sorted(
            each["Key"] for each in s3.list_objects_v2(Bucket="seen", Prefix=f"{source}/").get("Contents", [])
        )
        return [tuple(json.loads(s3.get_object(Bucket="seen", Key=key)["Body"].read())) for key in keys]

    def began(self, source: str) -> list[float]:
        """Return when the function began with each, in seconds since 1970."""
        found = self.client("s3").list_objects_v2(Bucket="seen", Prefix=f"{source}/").get("Contents", [])
        return sorted(int(each["Key"].rpartition("/")[2]) / 1e9 for each in found)

    def batches(self, source: str) -> list[list[str]]:
        return [texts for texts, _ in self.events(source)]

    def texts(self, source: str) -> list[str]:
        return [text for batch in self.batches(source) for text in batch]

    def message(self, url: str) -> Any:
        sqs = self.client("sqs")
        (message,) = wait_for(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return json.loads(message["Body"])

    def left(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(each) for each in attributes.values())


def to_queue(name: str) -> dict[str, Any]:
    return {"OnFailure": {"Destination": f"arn:aws:sqs:{ACCOUNT}:{name}"}}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    root = repository(tmp_path_factory.mktemp("repository"))
    local = Local(cloud.ensure(root)[0])
    local.client("s3").create_bucket(Bucket="seen")
    local.deploy("reader", APP)
    yield local
    cloud.stop(root)


# ── events ────────────────────────────────────────────────────────────────────────────────────


def test_a_record_of_kinesis_reaches_the_function_as_aws_documents_it(local):
    source = local.stream("clicks")
    local.read(source)
    local.client("kinesis").put_record(StreamName="clicks", Data=b"Hello, \xc3\xa4", PartitionKey="p-1")
    ((_, event),) = wait_for(lambda: local.events("clicks"))
    (record,) = event["Records"]
    arrived = record["kinesis"].pop("approximateArrivalTimestamp")
    assert abs(arrived - time.time()) < 60
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "p-1",
            "sequenceNumber": "1",
            "data": base64.b64encode("Hello, ä".encode()).decode(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{SHARD}:1",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/role",
        "awsRegion": "us-east-1",
        "eventSourceARN": source,
    }


def test_changes_of_a_table_reach_the_function_as_aws_documents_them(local):
    source = local.table("stock")
    local.read(source)
    dynamodb = local.client("dynamodb")
    item = {"id": {"S": "1"}, "parts": {"M": {"data": {"B": b"\x00"}, "sizes": {"NS": ["1"]}}}}
    dynamodb.put_item(TableName="stock", Item=item)
    dynamodb.put_item(TableName="stock", Item=item)
    added = {":n": {"N": "5"}}
    for key in ("1", "2"):
        expression = {"UpdateExpression": "SET amount = :n", "ExpressionAttributeValues": added}
        dynamodb.update_item(TableName="stock", Key={"id": {"S": key}}, **expression)
    dynamodb.delete_item(TableName="stock", Key={"id": {"S": "1"}})
    assert wait_for(lambda: len(local.texts("stock")) == 4)
    records = [record for _, event in local.events("stock") for record in event["Records"]]
    first = {"id": {"S": "1"}, "parts": {"M": {"data": {"B": "AA=="}, "sizes": {"NS": ["1"]}}}}
    second = {**first, "amount": {"N": "5"}}
    assert [(each["eventName"], images(each)) for each in records] == [
        ("INSERT", (first, None)),
        ("MODIFY", (second, first)),
        ("INSERT", ({"id": {"S": "2"}, "amount": {"N": "5"}}, None)),
        ("REMOVE", (None, second)),
    ]
    change = records[0].pop("dynamodb")
    assert records[0].pop("eventID")
    assert records[0] == {
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": source,
    }
    assert change["Keys"] == {"id": {"S": "1"}}
    assert change["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert isinstance(change["ApproximateCreationDateTime"], int)
    sequence = [int(each["dynamodb"]["SequenceNumber"]) for each in records[1:]]
    assert [int(change["SequenceNumber"]), *sequence] == sorted({int(change["SequenceNumber"]), *sequence})


def images(record: Any) -> tuple[Any, Any]:
    return record["dynamodb"].get("NewImage"), record["dynamodb"].get("OldImage")


def test_of_a_transaction_that_fails_nothing_is_told(local):
    local.read(local.table("accounts"))
    dynamodb = local.client("dynamodb")
    puts = [{"Put": {"TableName": "accounts", "Item": {"id": {"S": name}}}} for name in ("a", "b")]
    refused = {**puts[1]["Put"], "Item": {"id": {"S": "c"}}, "ConditionExpression": "attribute_exists(id)"}
    with pytest.raises(ClientError, match="TransactionCanceled"):
        dynamodb.transact_write_items(TransactItems=[*puts, {"Put": refused}])
    dynamodb.transact_write_items(TransactItems=puts[:1])
    dynamodb.put_item(TableName="accounts", Item={"id": {"S": "last"}})
    assert wait_for(lambda: "last" in local.texts("accounts"))
    assert local.texts("accounts") == ["a", "last"]


# ── where reading begins, and in which order ─────────────────────────────────────────────────


def test_reading_begins_where_the_mapping_says(local):
    for name in ("from-the-first", "from-now-on", "from-a-time"):
        local.stream(name)
        local.put(name, "past")
    time.sleep(1.1)  # boto3 sends whole seconds
    now = datetime.now(UTC)
    for name in ("from-the-first", "from-now-on", "from-a-time"):
        local.put(name, "recent")
    local.read(f"arn:aws:kinesis:{ACCOUNT}:stream/from-the-first")
    local.read(f"arn:aws:kinesis:{ACCOUNT}:stream/from-now-on", StartingPosition="LATEST")
    local.read(
        f"arn:aws:kinesis:{ACCOUNT}:stream/from-a-time", StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=now
    )
    for name in ("from-the-first", "from-now-on", "from-a-time"):
        local.put(name, "last")
    assert wait_for(
        lambda: all("last" in local.texts(name) for name in ("from-the-first", "from-now-on", "from-a-time"))
    )
    assert local.texts("from-the-first") == ["past", "recent", "last"]
    assert local.texts("from-now-on") == ["last"]
    assert local.texts("from-a-time") == ["recent", "last"]


def test_every_shard_is_read_in_its_order_in_batches_of_the_size_asked_for(local):
    local.read(local.stream("ordered", shards=3), BatchSize=4)
    for number in range(10):
        for key in "abcdef":
            local.client("kinesis").put_record(StreamName="ordered", Data=f"{key}{number}", PartitionKey=key)
    assert wait_for(lambda: len(local.texts("ordered")) == 60)
    events = local.events("ordered")
    assert max(len(texts) for texts, _ in events) <= 4
    shards = [{record["eventID"].partition(":")[0] for record in event["Records"]} for _, event in events]
    assert all(len(each) == 1 for each in shards)
    assert len(set.union(*shards)) == 3
    for key in "abcdef":
        assert [text for text in local.texts("ordered") if text[0] == key] == [f"{key}{number}" for number in range(10)]


def test_a_window_gathers_records_until_the_batch_is_full_or_time_is_up(local):
    local.read(local.stream("until-full"), MaximumBatchingWindowInSeconds=60, BatchSize=3)
    local.read(local.stream("until-late"), MaximumBatchingWindowInSeconds=2, BatchSize=3)
    began = time.time()
    for name in ("until-full", "until-late"):
        local.put(name, "1")
        local.put(name, "2")
    local.put("until-full", "3")
    assert wait_for(lambda: local.batches("until-full") == [["1", "2", "3"]])
    assert wait_for(lambda: local.batches("until-late") == [["1", "2"]])
    assert local.began("until-late")[0] - began >= 1.9


def test_with_a_parallelization_factor_keys_are_worked_on_at_once_and_each_in_its_order(local):
    local.read(local.stream("parallel"), ParallelizationFactor=10, BatchSize=1)
    for number in range(2):
        for key in "abcdefgh":
            local.put("parallel", f"slow {key}{number}", key=key)
    assert wait_for(lambda: len(local.texts("parallel")) == 16)
    began = local.began("parallel")
    assert min(after - before for before, after in pairwise(began)) < 0.4, "one after the other each takes 0.5 s"
    for key in "abcdefgh":
        assert [text for text in local.texts("parallel") if key in text[5:]] == [f"slow {key}0", f"slow {key}1"]


def test_nothing_is_lost_when_the_parallelization_factor_changes_meanwhile(local):
    uuid = local.read(local.stream("rearranged"), ParallelizationFactor=2, BatchSize=3)
    for number in range(12):
        for key in "abcdef":
            local.put("rearranged", f"{key}{number:02}" + (" slow" if number == 3 else ""), key=key)
        if number % 4 == 3:
            local.client("lambda").update_event_source_mapping(UUID=uuid, ParallelizationFactor=2 + number % 7)
    assert wait_for(lambda: len(set(local.texts("rearranged"))) == 72)
    first_seen = list(dict.fromkeys(text[:3] for text in local.texts("rearranged")))
    for key in "abcdef":
        assert [text for text in first_seen if text[0] == key] == [f"{key}{number:02}" for number in range(12)]


def test_the_children_of_a_shard_that_was_split_are_read_after_it(local):
    uuid = local.read(local.stream("growing"), Enabled=False)
    local.put("growing", "before")
    local.client("kinesis").split_shard(StreamName="growing", ShardToSplit=SHARD, NewStartingHashKey=str(2**127))
    local.put("growing", "after")
    local.client("lambda").update_event_source_mapping(UUID=uuid, Enabled=True)
    assert wait_for(lambda: len(local.texts("growing")) == 2)
    assert local.texts("growing") == ["before", "after"]
    shards = [event["Records"][0]["eventID"].partition(":")[0] for _, event in local.events("growing")]
    assert shards[0] == SHARD != shards[1]


# ── failures ──────────────────────────────────────────────────────────────────────────────────


def test_halving_finds_the_poison_and_everything_else_is_done_in_order(local):
    dead = local.queue("dead-clicks")
    source = local.stream("bisected")
    failures = {
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 1,
        "DestinationConfig": to_queue("dead-clicks"),
    }
    local.put("bisected", "0", "1", "2", "3", "poison", "5", "6", "7")
    local.read(source, **failures)
    assert wait_for(lambda: local.batches("bisected")[-1:] == [["6", "7"]])
    batches = local.batches("bisected")
    assert batches == [
        ["0", "1", "2", "3", "poison", "5", "6", "7"],
        ["0", "1", "2", "3"],
        ["poison", "5", "6", "7"],
        ["poison", "5"],
        ["poison"],
        ["poison"],
        ["5"],
        ["6", "7"],
    ]
    told = local.message(dead)
    arrived = [told["KinesisBatchInfo"].pop(f"approximateArrivalOf{each}Record") for each in ("First", "Last")]
    assert arrived[0] == arrived[1]
    assert arrived[0].endswith("Z")
    assert told.pop("timestamp").endswith("Z")
    assert told["requestContext"].pop("requestId")
    assert told == {
        "requestContext": {
            "functionArn": f"{ARN}reader:live",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": "5",
            "endSequenceNumber": "5",
            "batchSize": 1,
            "streamArn": source,
        },
    }


def test_without_halving_the_same_batch_comes_again_and_then_the_shard_goes_on(local):
    local.client("s3").create_bucket(Bucket="lost-changes")
    destination = {"OnFailure": {"Destination": "arn:aws:s3:::lost-changes"}}
    source = local.table("repeated")
    for key in ("fine", "poison"):
        local.client("dynamodb").put_item(TableName="repeated", Item={"id": {"S": key}})
    uuid = local.read(source, MaximumRetryAttempts=2, DestinationConfig=destination)
    (found,) = wait_for(lambda: local.client("s3").list_objects_v2(Bucket="lost-changes").get("Contents"))
    local.client("dynamodb").put_item(TableName="repeated", Item={"id": {"S": "next"}})
    assert wait_for(lambda: local.batches("repeated") == [["fine", "poison"]] * 3 + [["next"]])
    assert found["Key"].startswith(f"aws/lambda/{uuid}/shardId-")
    told = json.loads(local.client("s3").get_object(Bucket="lost-changes", Key=found["Key"])["Body"].read())
    assert told["requestContext"]["approximateInvokeCount"] == 3
    assert told["DDBStreamBatchInfo"]["batchSize"] == 2
    assert told["DDBStreamBatchInfo"]["streamArn"] == source
    payload = json.loads(told["payload"])
    assert [each["dynamodb"]["Keys"]["id"]["S"] for each in payload["Records"]] == ["fine", "poison"]


def test_a_report_takes_the_stream_back_to_the_first_record_that_failed(local):
    dead = local.queue("dead-reports")
    source = local.stream("reported")
    local.put("reported", "0", "1", "failing 2", "3", "failing 4")
    settings = {"FunctionResponseTypes": ["ReportBatchItemFailures"], "BisectBatchOnFunctionError": True}
    local.read(source, MaximumRetryAttempts=1, DestinationConfig=to_queue("dead-reports"), **settings)
    told = local.message(dead)
    assert local.batches("reported") == [["0", "1", "failing 2", "3", "failing 4"], ["failing 2", "3", "failing 4"]]
    assert told["responseContext"] == {"statusCode": 200, "executedVersion": "1"}
    assert told["KinesisBatchInfo"]["startSequenceNumber"] == "3"
    assert told["KinesisBatchInfo"]["batchSize"] == 3
    local.put("reported", "5")
    assert wait_for(lambda: local.batches("reported")[2:] == [["5"]])


def test_records_that_are_too_old_are_given_up_and_younger_ones_are_not(local):
    topic = local.client("sns").create_topic(Name="too-old")["TopicArn"]
    dead = local.queue("dead-old")
    local.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{ACCOUNT}:dead-old")
    source = local.stream("aging")
    local.put("aging", "old")
    time.sleep(10.2)
    local.put("aging", "young")
    local.read(source, MaximumRecordAgeInSeconds=10, DestinationConfig={"OnFailure": {"Destination": topic}})
    told = json.loads(local.message(dead)["Message"])
    assert told["requestContext"]["condition"] == "RecordAgeExceeded"
    assert told["requestContext"]["approximateInvokeCount"] == 0
    assert told["KinesisBatchInfo"]["endSequenceNumber"] == "1"
    assert wait_for(lambda: local.batches("aging") == [["young"]])


def test_throttles_and_a_function_that_is_missing_use_up_no_retry(local):
    functions = local.client("lambda")
    for name in ("busy", "missing"):
        local.deploy(name, APP)
        local.read(local.stream(f"for-{name}"), f"{name}:live", MaximumRetryAttempts=0)
    functions.put_function_concurrency(FunctionName="busy", ReservedConcurrentExecutions=0)
    functions.delete_alias(FunctionName="missing", Name="live")
    for name in ("busy", "missing"):
        local.put(f"for-{name}", "1")
    assert wait_for(lambda: "missing:live: a batch of 1 records waits" in local.running.log.read_text("utf-8"))
    time.sleep(0.5)
    functions.delete_function_concurrency(FunctionName="busy")
    functions.create_alias(FunctionName="missing", Name="live", FunctionVersion="1")
    assert wait_for(lambda: local.batches("for-busy") == [["1"]] == local.batches("for-missing"))


# ── mappings ──────────────────────────────────────────────────────────────────────────────────


def test_a_mapping_that_is_disabled_stops_and_goes_on_where_it_was_and_one_that_is_deleted_ends(local):
    functions = local.client("lambda")
    uuid = local.read(local.stream("switched"), StartingPosition="LATEST")
    local.put("switched", "1")
    assert wait_for(lambda: local.texts("switched") == ["1"])
    answer = functions.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert answer["State"] in {"Disabling", "Disabled"}
    local.put("switched", "2")
    time.sleep(0.7)
    assert local.texts("switched") == ["1"]
    functions.update_event_source_mapping(UUID=uuid, Enabled=True)
    assert wait_for(lambda: local.texts("switched") == ["1", "2"])
    assert functions.get_event_source_mapping(UUID=uuid)["State"] == "Enabled"
    functions.delete_event_source_mapping(UUID=uuid)
    local.put("switched", "3")
    time.sleep(0.7)
    assert local.texts("switched") == ["1", "2"]


def test_a_mapping_that_is_deleted_stops_to_try_again(local):
    uuid = local.read(local.stream("hopeless"))
    local.put("hopeless", "poison")
    assert wait_for(lambda: len(local.batches("hopeless")) >= 2)
    local.client("lambda").delete_event_source_mapping(UUID=uuid)
    time.sleep(1.5)
    tries = len(local.batches("hopeless"))
    time.sleep(2.5)
    assert len(local.batches("hopeless")) == tries


def test_two_functions_read_the_same_stream_each_on_its_own(local):
    local.deploy("second", APP.replace('f"{source}/', 'f"second-{source}/'))
    source = local.stream("shared")
    local.read(source)
    local.read(source, "second:live", BatchSize=1)
    local.put("shared", "1", "2")
    assert wait_for(lambda: local.texts("shared") == ["1", "2"] == local.texts("second-shared"))


def test_filters_pass_records_over_and_a_batch_has_only_what_fits(local):
    pattern = {"data": {"level": [{"anything-but": ["debug"]}]}}
    criteria = {"Filters": [{"Pattern": json.dumps(pattern)}, {"Pattern": json.dumps({"partitionKey": ["always"]})}]}
    local.read(local.stream("filtered"), FilterCriteria=criteria, BatchSize=2, MaximumBatchingWindowInSeconds=20)
    local.put("filtered", '{"level": "debug"}', '{"level": "error"}', "no JSON", '{"other": 1}')
    local.put("filtered", "no JSON either", key="always")
    assert wait_for(lambda: local.batches("filtered") == [['{"level": "error"}', "no JSON either"]])


def test_filters_of_a_table_see_images_and_kinds_of_changes(local):
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"price": {"N": [{"anything-but": ["0"]}]}}}}
    local.read(local.table("prices"), FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    for key, price in (("a", "0"), ("b", "5"), ("b", "6"), ("c", "7")):
        local.client("dynamodb").put_item(TableName="prices", Item={"id": {"S": key}, "price": {"N": price}})
    assert wait_for(lambda: local.texts("prices") == ["b", "c"])


def test_a_filter_that_aws_refuses_is_refused(local):
    source = local.stream("refused")
    for pattern in ('{"data": "error"}', '{"data": [{"like": "x"}]}', "{"):
        with pytest.raises(ClientError, match="Invalid filter pattern definition"):
            local.read(source, FilterCriteria={"Filters": [{"Pattern": pattern}]})


# ── queues ────────────────────────────────────────────────────────────────────────────────────


def test_messages_that_no_filter_fits_are_deleted(local):
    url = local.queue("sifted")
    pattern = {"body": {"kind": ["order"]}}
    settings = {"FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)}]}, "BatchSize": 2}
    local.read(f"arn:aws:sqs:{ACCOUNT}:sifted", MaximumBatchingWindowInSeconds=20, **settings)
    for body in ('{"kind": "order", "n": 1}', '{"kind": "ping"}', "text", '{"kind": "order", "n": 2}'):
        local.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    assert wait_for(lambda: local.batches("sifted") == [['{"kind": "order", "n": 1}', '{"kind": "order", "n": 2}']])
    assert wait_for(lambda: local.left(url) == 0)


def test_a_large_batch_of_a_queue_is_parted_where_an_event_would_grow_too_large(local):
    url = local.queue("large", VisibilityTimeout="60")
    uuid = local.read(f"arn:aws:sqs:{ACCOUNT}:large", BatchSize=1000, MaximumBatchingWindowInSeconds=1, Enabled=False)
    for number in range(30):
        local.client("sqs").send_message(QueueUrl=url, MessageBody=f"{number:02}" + "x" * 250_000)
    local.client("lambda").update_event_source_mapping(UUID=uuid, Enabled=True)
    assert wait_for(lambda: local.left(url) == 0)
    batches = local.batches("large")
    assert len(batches) == 2
    assert sorted(text[:2] for batch in batches for text in batch) == [f"{number:02}" for number in range(30)]


def test_groups_of_a_fifo_queue_stay_in_order_also_when_they_come_again(local):
    url = local.queue("line.fifo", FifoQueue="true", ContentBasedDeduplication="true", VisibilityTimeout="2")
    bodies = ["a0", "b0", "a1 stumble", "b1", "a2", "b2"]
    for body in bodies:
        local.client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body[0])
    local.read(f"arn:aws:sqs:{ACCOUNT}:line.fifo", FunctionResponseTypes=["ReportBatchItemFailures"])
    assert wait_for(lambda: local.left(url) == 0)
    for group in "ab":  # they need not come again in the same batch
        assert [text for text in local.texts("line.fifo") if text[0] == group] == [
            body for body in bodies * 2 if body[0] == group
        ]


def test_a_queue_has_no_more_batches_at_once_than_its_maximum_concurrency(local):
    url = local.queue("narrow", VisibilityTimeout="60")
    local.read(f"arn:aws:sqs:{ACCOUNT}:narrow", BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    began = time.monotonic()
    for number in range(6):
        local.client("sqs").send_message(QueueUrl=url, MessageBody=f"slow {number}")
    assert wait_for(lambda: local.left(url) == 0)
    assert time.monotonic() - began > 1.4, "two at once, half a second each"


# ── afterwards ────────────────────────────────────────────────────────────────────────────────


def test_a_cloud_that_is_kept_goes_on_reading_where_it_was(tmp_path):
    root = repository(tmp_path)
    keeping.keep(root)
    local = Local(cloud.ensure(root)[0])
    local.client("s3").create_bucket(Bucket="seen")
    local.deploy("reader", APP)
    local.read(local.stream("resumed"), StartingPosition="LATEST")
    local.put("resumed", "1")
    assert wait_for(lambda: local.texts("resumed") == ["1"])
    cloud.stop(root)
    local = Local(cloud.ensure(root)[0])
    local.put("resumed", "2")
    try:
        assert wait_for(lambda: len(local.texts("resumed")) == 2)
        assert local.texts("resumed") == ["1", "2"]
    finally:
        cloud.stop(root)

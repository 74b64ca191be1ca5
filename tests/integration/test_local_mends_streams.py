"""The mends for what queues, buckets, tables and streams tell, each twice: see test_local_mends.py."""

import json
import threading
import time

import pytest
from botocore.exceptions import ClientError

from tests.integration.test_local_mends_estate import ACCOUNT, moto, server

__all__ = ["moto", "server"]

pytestmark = pytest.mark.slow

SHARD = "shardId-{:012}"


def at_once(*calls):
    """Make all calls at the same time; return what each answered, or the code of its error."""
    answers = []

    def run(call):
        try:
            answers.append(call())
        except ClientError as refused:
            answers.append(refused.response["Error"]["Code"])

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def slow_down(monkeypatch, owner, name):
    """Let a method return late."""
    original = getattr(owner, name)

    def late(*arguments, **named):
        answer = original(*arguments, **named)
        time.sleep(0.2)
        return answer

    monkeypatch.setattr(owner, name, late)


def table_of(moto):
    dynamodb = moto.client("dynamodb")
    dynamodb.create_table(
        TableName="stock",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return dynamodb


def changes_of(moto):
    """Return what the stream of the table has: kinds and new images."""
    arn = moto.client("dynamodb").describe_table(TableName="stock")["Table"]["LatestStreamArn"]
    streams = moto.client("dynamodbstreams")
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    records = streams.get_records(ShardIterator=iterator)["Records"]
    assert len({each["dynamodb"]["SequenceNumber"] for each in records}) == len(records)
    return [(each["eventName"], each["dynamodb"].get("NewImage")) for each in records]


def test_of_two_conditional_puts_of_an_item_at_once_one_wins(moto, monkeypatch):
    from moto.dynamodb.models.table import Table

    dynamodb = table_of(moto)
    dynamodb.scan(TableName="stock")
    slow_down(monkeypatch, Table, "get_item")

    def put():
        condition = "attribute_not_exists(id)"
        dynamodb.put_item(TableName="stock", Item={"id": {"S": "1"}}, ConditionExpression=condition)
        return "won"

    moto.compare(
        ["ConditionalCheckFailedException", "won"], lambda: sorted(at_once(put, put)), "write_items_one_by_one"
    )


def test_an_item_that_an_update_makes_is_told_once_and_no_change_not_at_all(moto):
    dynamodb = table_of(moto)
    for _ in range(2):
        dynamodb.update_item(
            TableName="stock",
            Key={"id": {"S": "1"}},
            UpdateExpression="SET amount = :n",
            ExpressionAttributeValues={":n": {"N": "5"}},
        )
    dynamodb.delete_item(TableName="stock", Key={"id": {"S": "1"}})
    wanted = [("INSERT", {"id": {"S": "1"}, "amount": {"N": "5"}}), ("REMOVE", None)]
    moto.compare(wanted, lambda: changes_of(moto), "tell_of_each_change_once")


def test_a_table_whose_stream_was_switched_off_can_be_written_to(moto):
    dynamodb = table_of(moto)
    dynamodb.update_table(TableName="stock", StreamSpecification={"StreamEnabled": False})

    def written():
        dynamodb.put_item(TableName="stock", Item={"id": {"S": "1"}})
        return dynamodb.scan(TableName="stock")["Count"]

    moto.compare(1, written, "tell_of_each_change_once")


def records_of(moto):
    """Return the data of every shard."""
    kinesis = moto.client("kinesis")
    shards = kinesis.describe_stream(StreamName="clicks")["StreamDescription"]["Shards"]
    iterators = [
        kinesis.get_shard_iterator(StreamName="clicks", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
            "ShardIterator"
        ]
        for shard in shards
    ]
    return [[each["Data"] for each in kinesis.get_records(ShardIterator=one)["Records"]] for one in iterators]


def test_of_two_records_that_come_at_once_none_is_lost(moto, monkeypatch):
    from moto.kinesis.models import Shard

    kinesis = moto.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kinesis.put_record(StreamName="clicks", Data=b"0", PartitionKey="k")
    slow_down(monkeypatch, Shard, "get_max_sequence_number")
    at_once(*(lambda: kinesis.put_record(StreamName="clicks", Data=b"1", PartitionKey="k") for _ in range(2)))
    moto.compare([[b"0", b"1", b"1"]], lambda: records_of(moto), "keep_records_in_their_shards")


def test_records_stay_in_their_shard_and_new_ones_go_to_its_children(moto):
    kinesis = moto.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    kinesis.put_record(StreamName="clicks", Data=b"0", PartitionKey="k")
    kinesis.split_shard(StreamName="clicks", ShardToSplit=SHARD.format(0), NewStartingHashKey=str(2**127))
    kinesis.put_record(StreamName="clicks", Data=b"1", PartitionKey="k", ExplicitHashKey="0")
    kinesis.put_record(StreamName="clicks", Data=b"2", PartitionKey="k", ExplicitHashKey=str(2**127))
    kinesis.merge_shards(StreamName="clicks", ShardToMerge=SHARD.format(1), AdjacentShardToMerge=SHARD.format(2))
    kinesis.put_record(StreamName="clicks", Data=b"3", PartitionKey="k")
    moto.compare([[b"0"], [b"1"], [b"2"], [b"3"]], lambda: records_of(moto), "keep_records_in_their_shards")


def test_a_group_that_comes_again_comes_in_its_order(moto):
    sqs = moto.client("sqs")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true", "VisibilityTimeout": "1"}
    url = sqs.create_queue(QueueName="line.fifo", Attributes=attributes)["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=str(number), MessageGroupId="g")

    def received():
        return [each["Body"] for each in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])]

    assert received() == ["0", "1", "2"]
    assert received() == []
    time.sleep(1.1)
    moto.compare(["0", "1", "2"], received, "keep_order_of_groups")


def test_a_bucket_tells_of_delete_markers_and_of_every_version_that_is_deleted(moto):
    sqs, s3 = moto.client("sqs"), moto.client("s3")
    url = sqs.create_queue(QueueName="removals")["QueueUrl"]
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    versions = [s3.put_object(Bucket="bucket", Key="key", Body=body)["VersionId"] for body in (b"1", b"2")]
    notification = {"QueueArn": f"{ACCOUNT.format('sqs')}:removals", "Events": ["s3:ObjectRemoved:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="bucket", NotificationConfiguration={"QueueConfigurations": [notification]}
    )
    s3.delete_object(Bucket="bucket", Key="key")
    for version in versions:
        s3.delete_object(Bucket="bucket", Key="key", VersionId=version)

    def told():
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        bodies = [json.loads(each["Body"]) for each in messages]
        return [body["Records"][0]["eventName"] for body in bodies if "Records" in body]

    wanted = ["ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete", "ObjectRemoved:Delete"]
    moto.compare(wanted, told, "tell_all_of_buckets")

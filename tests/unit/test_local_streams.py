"""What functions get of streams, and what becomes of a batch that fails: values only."""

import base64
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from build.local.asynchronous import Answered
from build.local.deployment import Ending, Outcome
from build.local.sources.batches import LONGEST_DELAY_S, Batch, Record, Settings, after_failure, without_old
from build.local.sources.filters import passes
from build.local.sources.queues import batches_of
from build.local.sources.shards import lane_of
from build.local.sources.stream_records import filterable, given_up, of_kinesis, of_table, size_of

STREAM = "arn:aws:kinesis:us-east-2:123456789012:stream/clicks"
TABLE = "arn:aws:dynamodb:us-east-2:123456789012:table/stock/stream/2026-01-31T12:00:00.000"
FUNCTION = "arn:aws:lambda:us-east-2:123456789012:function:reader:live"


def batch(count, **values):
    records = [
        Record(index=each, sequence=str(each), arrived=1000.0 + each, key="k", text=json.dumps({"n": each}))
        for each in range(count)
    ]
    return Batch(records=tuple(records), **values)


def settings(**changed):
    values = {
        "batch_size": 100,
        "max_batch_window": None,
        "max_retry_attempts": None,
        "max_record_age": None,
        "bisect_on_error": None,
        "function_response_types": None,
        "parallelization_factor": None,
    }
    return Settings.of(SimpleNamespace(**{**values, **changed}))


def answered(error=None):
    outcome = Outcome(
        payload=b"null",
        error=error,
        ending=Ending.ERROR if error else Ending.SUCCESS,
        log_tail="",
        request_id="r-1",
        cold=False,
        init_ms=None,
        duration_ms=1.0,
        max_memory_mb=None,
    )
    return Answered("7", outcome)


FAILED = answered("Unhandled")


def sequences(batches):
    return [[record.sequence for record in each.records] for each in batches]


def test_records_go_to_the_function_as_one_event():
    assert json.loads(batch(2).event) == {"Records": [{"n": 0}, {"n": 1}]}


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_batch_is_tried_again_as_often_as_the_mapping_says(retries):
    waiting, given_up_at = batch(2), None
    for attempt in range(1, 10):
        again, lost = after_failure(waiting, FAILED, 0, settings(max_retry_attempts=retries))
        if lost:
            given_up_at = attempt
            assert (again, sequences([lost]), lost.tries) == ([], [["0", "1"]], attempt)
            break
        (waiting,) = again
    assert given_up_at == retries + 1


@pytest.mark.parametrize("said", [None, -1])
def test_without_a_limit_a_batch_is_tried_for_ever(said):
    (again,), lost = after_failure(batch(1, tries=10_000), FAILED, 0, settings(max_retry_attempts=said))
    assert (again.tries, lost) == (10_001, None)


def test_tries_wait_longer_and_longer_but_never_long():
    delays = [batch(1, tries=tries).delay_s for tries in range(2000)]
    assert delays[:3] == [0.0, 0.1, 0.2]
    assert max(delays) == LONGEST_DELAY_S
    assert batch(1, misses=1).delay_s == 0.1


@given(some.integers(1, 50), some.data())
def test_halving_finds_the_record_that_fails_and_uses_up_no_retry(count, data):
    poison = str(data.draw(some.integers(0, count - 1)))
    said = settings(bisect_on_error=True, max_retry_attempts=0)
    waiting, done, lost, calls = [batch(count)], [], [], 0
    while waiting:
        trial, calls = waiting.pop(0), calls + 1
        if [poison] and poison in sequences([trial])[0]:
            again, given = after_failure(trial, FAILED, 0, said)
            waiting[:0] = again
            lost += [given] if given else []
        else:
            done += sequences([trial])[0]
    assert sequences(lost) == [[poison]]
    assert done == [str(each) for each in range(count) if str(each) != poison], "and the order is kept"
    assert calls <= 2 * count.bit_length() + 1


def test_a_report_moves_on_to_the_first_record_that_failed_and_does_not_halve():
    said = settings(bisect_on_error=True, max_retry_attempts=1)
    (rest,), lost = after_failure(batch(4), answered(), 1, said)
    assert (sequences([rest]), rest.tries, lost) == ([["1", "2", "3"]], 1, None)
    (again,), lost = after_failure(rest, answered(), 1, said)
    assert (sequences([again]), again.tries, lost) == ([["2", "3"]], 1, None), (
        "another record failed for the first time"
    )
    nothing, lost = after_failure(again, answered(), 0, said)
    assert (nothing, sequences([lost])) == ([], [["2", "3"]])


def test_what_is_too_old_is_set_apart():
    old, rest = without_old(batch(4), 60.0, 1000.0 + 61.5)
    assert sequences([old, rest]) == [["0", "1"], ["2", "3"]]
    assert sequences(without_old(batch(2), settings(max_record_age=-1).max_age_s, 1e12)) == [[], ["0", "1"]]


def test_keys_are_spread_over_all_lanes():
    assert {lane_of(f"key-{number}", 4) for number in range(100)} == {0, 1, 2, 3}
    assert {lane_of(f"key-{number}", 1) for number in range(100)} == {0}


@pytest.mark.parametrize(
    ("keys", "new", "old", "size"),
    [
        # The three events of https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-example.html
        ({"Id": {"N": "101"}}, {"Message": {"S": "New item!"}, "Id": {"N": "101"}}, {}, 26),
        (
            {"Id": {"N": "101"}},
            {"Message": {"S": "This item has changed"}, "Id": {"N": "101"}},
            {"Message": {"S": "New item!"}, "Id": {"N": "101"}},
            59,
        ),
        ({"Id": {"N": "101"}}, {}, {"Message": {"S": "This item has changed"}, "Id": {"N": "101"}}, 38),
    ],
)
def test_a_change_has_the_size_that_aws_documents(keys, new, old, size):
    assert sum(map(size_of, (keys, new, old))) == size


def test_every_kind_of_attribute_has_its_size():
    attributes: dict[str, dict[str, Any]] = {
        "b": {"B": base64.b64encode(b"123").decode()},
        "t": {"BOOL": True},
        "n": {"NULL": True},
        "s": {"NS": ["1", "-2.50"]},
        "l": {"L": [{"S": "é"}]},
        "m": {"M": {"k": {"N": "0"}}},
    }
    assert size_of(attributes) == (1 + 3) + (1 + 1) + (1 + 1) + (1 + 2 + 2) + (1 + 3 + 1 + 2) + (1 + 3 + 1 + 1 + 1)


def change(**values):
    made = {
        "StreamViewType": "NEW_AND_OLD_IMAGES",
        "ApproximateCreationDateTime": 1700000000.75,
        "SequenceNumber": "111",
        "SizeBytes": 999,
        "Keys": {"Id": {"N": "101"}},
        "NewImage": {"Message": {"S": "New item!"}, "Id": {"N": "101"}},
    }
    return {"eventID": "e", "eventName": "INSERT", "dynamodb": {**made, **values}}


def test_a_change_of_a_table_has_lambdas_shape():
    assert of_table(change(), source=TABLE, region="us-east-2") == {
        "eventID": "e",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-2",
        "dynamodb": {**change()["dynamodb"], "ApproximateCreationDateTime": 1700000000, "SizeBytes": 26},
        "eventSourceARN": TABLE,
    }


def kinesis_record(data):
    record = SimpleNamespace(partition_key="p", sequence_number=5, data=data, created_at=1545084650.9876)
    return of_kinesis(record, shard="shardId-6", source=STREAM, region="us-east-2", role="arn:role")


def test_a_record_of_kinesis_has_lambdas_shape():
    assert kinesis_record("SGVsbG8=") == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "p",
            "sequenceNumber": "5",
            "data": "SGVsbG8=",
            "approximateArrivalTimestamp": 1545084650.988,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-6:5",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:role",
        "awsRegion": "us-east-2",
        "eventSourceARN": STREAM,
    }


@pytest.mark.parametrize(
    ("data", "pattern", "passing"),
    [
        # https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html
        (b'{"City": "Seattle"}', {"data": {"City": ["Seattle"]}}, True),
        (b'{"City": "Seattle"}', {"data": {"City": ["Boston"]}}, False),
        (b'{"City": "Seattle"}', {"partitionKey": ["p"], "data": {"City": ["Seattle"]}}, True),
        (b'{"City": "Seattle"}', {"partitionKey": ["q"]}, False),
        (b"no JSON", {"data": {"City": ["Seattle"]}}, False),
        (b"no JSON", {"partitionKey": ["p"]}, True),
        (b"\xff\xfe", {"data": {"City": ["Seattle"]}}, False),
        (b"\xff\xfe", {"partitionKey": ["p"]}, True),
    ],
)
def test_filters_see_the_data_of_kinesis_decoded(data, pattern, passing):
    record = kinesis_record(base64.b64encode(data).decode())
    assert passes([pattern], *filterable(record)) is passing


def test_filters_see_the_images_of_a_table_and_what_happened():
    record = of_table(change(), source=TABLE, region="us-east-2")
    assert passes([{"eventName": ["INSERT"], "dynamodb": {"Keys": {"Id": {"N": ["101"]}}}}], *filterable(record))
    assert passes([{"dynamodb": {"NewImage": {"Message": {"S": [{"prefix": "New"}]}}}}], *filterable(record))
    assert not passes([{"eventName": ["MODIFY", "REMOVE"]}], *filterable(record))


def test_what_was_given_up_is_told_in_lambdas_shape():
    lost = replace(batch(3, tries=2), last=FAILED)
    told = given_up(
        lost, "RetryAttemptsExhausted", function=FUNCTION, stream=STREAM, shard="shardId-1", request_id="unused"
    )
    assert told.pop("timestamp").endswith("Z")
    assert told == {
        "requestContext": {
            "requestId": "r-1",
            "functionArn": FUNCTION,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "7", "functionError": "Unhandled"},
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": "shardId-1",
            "startSequenceNumber": "0",
            "endSequenceNumber": "2",
            "approximateArrivalOfFirstRecord": "1970-01-01T00:16:40.000Z",
            "approximateArrivalOfLastRecord": "1970-01-01T00:16:42.000Z",
            "batchSize": 3,
            "streamArn": STREAM,
        },
    }
    told = given_up(batch(1), "RecordAgeExceeded", function=FUNCTION, stream=TABLE, shard="s", request_id="r-2")
    assert "responseContext" not in told
    assert told["requestContext"]["requestId"] == "r-2"
    assert told["DDBStreamBatchInfo"]["approximateArrivalOfFirstRecord"] == "1970-01-01T00:16:40Z"
    reported = given_up(
        replace(lost, last=answered()),
        "RetryAttemptsExhausted",
        function=FUNCTION,
        stream=TABLE,
        shard="s",
        request_id="",
    )
    assert reported["responseContext"] == {"statusCode": 200, "executedVersion": "7"}


@given(some.lists(some.text(max_size=20), min_size=1, max_size=30))
def test_messages_are_parted_where_an_event_would_grow_too_large(texts):
    records = {str(number): json.dumps(text) for number, text in enumerate(texts)}
    parted = list(batches_of(records, limit=100))
    assert [each for part in parted for each in part] == list(records)
    for part in parted:
        event = f'{{"Records": [{", ".join(records[each] for each in part)}]}}'
        assert json.loads(event)["Records"]
        assert len(event.encode()) <= 100 or len(part) == 1

import json
from types import SimpleNamespace

import pytest

from build.local.execution import checked
from build.local.function_names import FunctionName
from build.local.invoker import chosen_version
from build.local.refusals import NotJsonError, RequestTooLargeError
from build.local.sources.queues import failed_of, record

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"


@pytest.mark.parametrize(
    ("text", "qualifier", "arn"),
    [
        ("orders", None, ARN),
        ("orders", "live", f"{ARN}:live"),
        ("orders:7", None, f"{ARN}:7"),
        ("orders:$LATEST", None, f"{ARN}:$LATEST"),
        ("123456789012:function:orders", "7", f"{ARN}:7"),
        (f"{ARN}:live", None, f"{ARN}:live"),
        (f"{ARN}:live", "live", f"{ARN}:live"),
        (ARN.replace("us-east-1", "eu-west-1"), None, ARN.replace("us-east-1", "eu-west-1")),
    ],
)
def test_a_function_may_be_named_in_every_way_lambda_knows(text, qualifier, arn):
    name = FunctionName.parse(text, qualifier, region="us-east-1", account_id="123456789012")
    assert name
    assert name.arn == arn
    assert name.name == "orders"


@pytest.mark.parametrize("text", ["", "a b", "orders:live:more", "arn:aws:s3:::bucket"])
def test_what_names_no_function_is_told(text):
    assert FunctionName.parse(text, None, region="us-east-1", account_id="123456789012") is None


@pytest.mark.parametrize(
    ("draw", "version"), [(0.0, "8"), (0.09, "8"), (0.1, "9"), (0.29, "9"), (0.31, "7"), (0.99, "7")]
)
def test_an_alias_gives_each_version_its_share(draw, version):
    assert chosen_version("7", {"8": 0.1, "9": 0.2}, lambda: draw) == version


def test_an_event_that_is_not_json_is_refused():
    with pytest.raises(NotJsonError, match="Could not parse request body into json"):
        checked(b"{oops", limit=100)


def test_an_event_that_is_too_large_is_refused_with_both_sizes():
    with pytest.raises(RequestTooLargeError) as caught:
        checked(b"1" * 101, limit=100)
    assert "100 bytes" in caught.value.summary
    assert "got 101 bytes" in caught.value.facts


def test_no_event_is_an_empty_one():
    checked(b"", limit=100)


@pytest.mark.parametrize(
    ("payload", "failed"),
    [
        (b"", set()),
        (b"null", set()),
        (b"{}", set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": null}', set()),
        (b'"a string"', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "b"}]}', {"b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"item": "a"}]}', {"a", "b"}),
        (b'{"batchItemFailures": 5}', {"a", "b"}),
        (b"not json", {"a", "b"}),
    ],
)
def test_partial_batch_answers_are_read_as_lambda_reads_them(payload, failed):
    assert failed_of(payload, ["a", "b"]) == failed


def message(**changed):
    values = {
        "id": "m-1",
        "receipt_handle": "handle",
        "body": "{}",
        "body_md5": "99914b932bd37a50b983c5e7c90ae93b",
        "attribute_md5": "md5",
        "approximate_receive_count": 2,
        "sent_timestamp": 1700000000000,
        "sender_id": "sender",
        "approximate_first_receive_timestamp": 1700000000001,
        "group_id": None,
        "deduplication_id": None,
        "sequence_number": None,
        "system_attributes": {},
        "message_attributes": {},
    }
    return SimpleNamespace(**{**values, **changed})


def test_a_message_becomes_a_record_of_strings():
    got = record(message(), "arn:aws:sqs:us-east-1:123456789012:q", "us-east-1")
    assert json.loads(json.dumps(got)) == {
        "messageId": "m-1",
        "receiptHandle": "handle",
        "body": "{}",
        "attributes": {
            "ApproximateReceiveCount": "2",
            "SentTimestamp": "1700000000000",
            "SenderId": "sender",
            "ApproximateFirstReceiveTimestamp": "1700000000001",
        },
        "messageAttributes": {},
        "md5OfBody": "99914b932bd37a50b983c5e7c90ae93b",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q",
        "awsRegion": "us-east-1",
    }


def test_message_attributes_and_fifo_fields_are_passed_on():
    attributes = {"a": {"DataType": "String", "StringValue": "x"}, "b": {"DataType": "Binary", "BinaryValue": b"\x00"}}
    fifo = {"group_id": "g", "deduplication_id": "d", "sequence_number": "1"}
    got = record(message(message_attributes=attributes, **fifo), "arn", "us-east-1")
    assert got["messageAttributes"]["a"]["stringValue"] == "x"
    assert got["messageAttributes"]["b"]["binaryValue"] == "AA=="
    assert got["attributes"]["MessageGroupId"] == "g"
    assert got["attributes"]["SequenceNumber"] == "1"

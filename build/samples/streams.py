"""Streams: of Kinesis, and of a DynamoDB table's changes."""

import base64
import json
from decimal import Decimal
from typing import Any

from build.samples.about import EXAMPLE, TIME_MS, About, Event, object_of
from build.triggers import StreamTrigger

_SHARD = f"shardId-{0:012}"
_SEQUENCE = "49590338271490256608559692538361571095921575989136588898"


def kinesis(about: About, trigger: StreamTrigger | None) -> Event:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html."""
    record = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": EXAMPLE,
            "sequenceNumber": _SEQUENCE,
            "data": base64.b64encode(about.message.encode()).decode("ascii"),
            "approximateArrivalTimestamp": TIME_MS / 1000,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{_SHARD}:{_SEQUENCE}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": about.arn("iam", f"role/{about.function_name}", region=""),
        "awsRegion": about.region,
        "eventSourceARN": about.existing(trigger) or about.arn("kinesis", f"stream/{about.made(trigger)}"),
    }
    return {"Records": [record]}


def dynamodb(about: About, trigger: StreamTrigger | None) -> Event:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html: of an item that is new."""
    stream = f"table/{about.made(trigger)}/stream/2025-01-01T00:00:00.000"
    names = [name for name in (trigger.partition_key, trigger.sort_key) if name] if trigger else []
    keys = dict.fromkeys(names or ["id"], EXAMPLE)
    item = {
        name: _attribute(value) for name, value in {**keys, **object_of(about.message, parse_float=Decimal)}.items()
    }
    record = {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": about.region,
        "dynamodb": {
            "ApproximateCreationDateTime": TIME_MS // 1000,
            "Keys": {name: item[name] for name in keys},
            "NewImage": item,
            "SequenceNumber": "4421584500000000017450439091",
            "SizeBytes": len(json.dumps(item)),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": about.existing(trigger) or about.arn("dynamodb", stream),
    }
    return {"Records": [record]}


def _attribute(value: Any) -> dict[str, Any]:
    """Return ``value`` of JSON as DynamoDB has it."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case list():
            return {"L": [_attribute(each) for each in value]}
        case dict():
            return {"M": {name: _attribute(each) for name, each in value.items()}}
        case _:
            return {"S": value}

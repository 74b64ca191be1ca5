"""What functions get of streams, and destinations of what was given up, in the shapes that AWS documents. Values only.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html, https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from build.local.function_logs import timestamp
from build.local.sources.batches import Batch


def of_table(record: Mapping[str, Any], *, source: str, region: str) -> dict[str, Any]:
    """Return a change of an item as a function gets it; ``record`` is moto's, as JSON."""
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = int(change["ApproximateCreationDateTime"])
    change["SizeBytes"] = sum(size_of(change.get(name, {})) for name in ("Keys", "NewImage", "OldImage"))
    return {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": region,
        "dynamodb": change,
        "eventSourceARN": source,
    }


def of_kinesis(record: Any, *, shard: str, source: str, region: str, role: str) -> dict[str, Any]:
    """Return moto's ``record`` of ``shard`` as a function with ``role`` gets it."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key,
            "sequenceNumber": str(record.sequence_number),
            "data": record.data,
            "approximateArrivalTimestamp": round(record.created_at, 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{record.sequence_number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role,
        "awsRegion": region,
        "eventSourceARN": source,
    }


def filterable(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return what filters see of a stream's record, and where in it the data are.

    Of Kinesis that is what is below ``kinesis``, with the data decoded.
    """
    if "kinesis" not in record:
        return record, "dynamodb"
    data = base64.b64decode(record["kinesis"]["data"]).decode("utf-8", "replace")
    return {**record, **record["kinesis"], "data": data}, "data"


def given_up(
    batch: Batch, condition: str, *, function: str, stream: str, shard: str, request_id: str
) -> dict[str, Any]:
    """Return what a destination is told of ``batch`` of ``shard``; ``function`` and ``stream`` are ARNs."""
    is_kinesis = ":kinesis:" in stream
    told: dict[str, Any] = {
        "requestContext": {
            "requestId": batch.last.outcome.request_id if batch.last else request_id,
            "functionArn": function,
            "condition": condition,
            "approximateInvokeCount": batch.tries,
        }
    }
    if batch.last:
        told["responseContext"] = {"statusCode": 200, "executedVersion": batch.last.version}
        if batch.last.outcome.error:
            told["responseContext"]["functionError"] = batch.last.outcome.error
    first, last = batch.records[0], batch.records[-1]
    precision = "milliseconds" if is_kinesis else "seconds"
    return {
        **told,
        "version": "1.0",
        "timestamp": timestamp(),
        "KinesisBatchInfo" if is_kinesis else "DDBStreamBatchInfo": {
            "shardId": shard,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": _time(first.arrived, precision),
            "approximateArrivalOfLastRecord": _time(last.arrived, precision),
            "batchSize": len(batch.records),
            "streamArn": stream,
        },
    }


def size_of(attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the bytes that DynamoDB counts for ``attributes`` of an item.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _size(value) for name, value in attributes.items())


def _size(value: Mapping[str, Any]) -> int:
    ((kind, held),) = value.items()
    match kind:
        case "S":
            size = len(held.encode())
        case "N":  # a byte for two digits that count
            digits = held.lower().partition("e")[0].lstrip("+-").replace(".", "").strip("0")
            size = (len(digits) + 1) // 2 + 1
        case "B":
            size = len(base64.b64decode(held))
        case "SS" | "NS" | "BS":
            size = sum(_size({kind[0]: each}) for each in held)
        case "L":
            size = 3 + sum(1 + _size(each) for each in held)
        case "M":
            size = 3 + sum(1 + size_of({name: each}) for name, each in held.items())
        case _:  # true, false and null
            size = 1
    return size


def _time(seconds: float, precision: str) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=precision).replace("+00:00", "Z")

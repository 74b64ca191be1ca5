"""The shards of DynamoDB's and Kinesis' streams as moto holds them."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from build.local.function_names import FunctionName
from build.local.sources import stream_records
from build.local.sources.batches import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A shard, and how far it was written when we looked."""

    id: str
    key: str
    """Tells it from those of an earlier stream of the same name."""
    end: int
    """How many records were written to it."""
    read: Callable[[int], Record]
    """Returns a record by its index."""
    parents: tuple[str, ...] = ()
    is_open: bool = True

    def first_since(self, seconds: float) -> int:
        """Return the index of the first record that arrived at ``seconds`` since 1970 or later."""
        return next((index for index in range(self.end) if self.read(index).arrived >= seconds), self.end)


def shards_of(mapping: Any) -> list[Shard]:
    """Return the shards that ``mapping`` reads; none if its stream is gone."""
    return _of_table(mapping) if ":dynamodb:" in mapping.event_source_arn else _of_kinesis(mapping)


def starts(mapping: Any) -> dict[str, int]:
    """Return where ``mapping`` begins in each shard that there is now, by the shard's key; in later ones at 0."""
    return {shard.key: _start(mapping, shard) for shard in shards_of(mapping)}


def _start(mapping: Any, shard: Shard) -> int:
    match mapping.starting_position:
        case "LATEST":
            return shard.end
        case "AT_TIMESTAMP":
            return shard.first_since(float(mapping.starting_position_timestamp or 0))
        case _:
            return 0


def lane_of(key: str, lanes: int) -> int:
    """Return in which of ``lanes`` records with ``key`` are, so that their order is kept."""
    return zlib.crc32(key.encode()) % lanes


def _of_table(mapping: Any) -> list[Shard]:
    from moto.dynamodb.models import dynamodb_backends

    _, _, _, region, account_id, rest = mapping.event_source_arn.split(":", 5)
    backend = dynamodb_backends[account_id][region]
    _, name, _, label = rest.split("/", 3)
    with backend.writing:  # a transaction may yet take back what it wrote
        table = backend.tables.get(name)
        if table is None or table.latest_stream_label != label:
            return []
        shard = table.stream_shard
        items, end = shard.items, len(shard.items)
    read = partial(_change, items, mapping.event_source_arn, region)
    return [Shard(id=shard.id, key=shard.id, end=end, read=read)]


def _change(items: list[Any], source: str, region: str, index: int) -> Record:
    from moto.dynamodb.models.utilities import dynamo_json_dump

    record = json.loads(dynamo_json_dump(items[index].to_json()))
    value = stream_records.of_table(record, source=source, region=region)
    return Record(
        index=index,
        sequence=record["dynamodb"]["SequenceNumber"],
        arrived=record["dynamodb"]["ApproximateCreationDateTime"],
        key=json.dumps(record["dynamodb"]["Keys"], sort_keys=True),
        text=json.dumps(value),
    )


def _of_kinesis(mapping: Any) -> list[Shard]:
    from moto.kinesis.models import kinesis_backends

    _, _, _, region, account_id, rest = mapping.event_source_arn.split(":", 5)
    stream = kinesis_backends[account_id][region].streams.get(rest.partition("/")[2])
    if stream is None:
        return []
    role = _role_of(mapping)
    return [
        Shard(
            id=shard.shard_id,
            key=f"{shard.shard_id} {stream.creation_datetime.isoformat()}",
            end=len(shard.records),
            read=partial(_written, shard, mapping.event_source_arn, region, role),
            parents=tuple(filter(None, (shard.parent, shard.adjacent_parent))),
            is_open=shard.is_open,
        )
        for shard in list(stream.shards.values())
    ]


def _written(shard: Any, source: str, region: str, role: str, index: int) -> Record:
    record = shard.records[index + 1]  # moto numbers them from 1 on, and forgets none
    value = stream_records.of_kinesis(record, shard=shard.shard_id, source=source, region=region, role=role)
    return Record(
        index=index,
        sequence=str(record.sequence_number),
        arrived=record.created_at,
        key=record.partition_key,
        text=json.dumps(value),
    )


def _role_of(mapping: Any) -> str:
    """Return the ARN of the role of the function that ``mapping`` calls; empty if the function is gone."""
    from moto.awslambda.models import lambda_backends

    name = FunctionName.parse(mapping.function_arn, None, region=mapping.region, account_id=mapping.account_id)
    try:
        assert name
        found = lambda_backends[name.account_id][name.region].get_function(name.name, name.qualifier)
    except Exception:  # moto's own, and what it says of a function that is being deleted
        return ""
    return str(found.role)

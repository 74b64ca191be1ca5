"""What moto's DynamoDB and Kinesis do wrongly with what is written to them, mended: see `build.local.mends`."""

import copy
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from build.local.patching import Undo, replace


def write_items_one_by_one() -> Iterator[Undo]:
    """Moto looks at an item and then writes it: of two conditional PutItem at once both succeed.

    ``writing`` is held meanwhile; who holds it sees all of a transaction, or nothing of it.
    """
    from moto.dynamodb.models import DynamoDBBackend

    DynamoDBBackend.writing = threading.RLock()
    yield lambda: delattr(DynamoDBBackend, "writing")
    one_by_one = _holding(DynamoDBBackend.writing)
    writes = ("put_item", "update_item", "delete_item", "transact_write_items", "execute_statement")
    for name in (*writes, "query", "scan"):
        yield replace(DynamoDBBackend, name, one_by_one)


def tell_of_each_change_once() -> Iterator[Undo]:
    """Moto's streams tell of an item that UpdateItem makes twice, and of a change that changes nothing.

    And a table cannot be written to any more once its stream is switched off.
    """
    from moto.dynamodb.models.table import StreamShard

    def add(original: Any) -> Any:
        def add_change(self: Any, old: Any, new: Any) -> None:
            if not self.table.stream_specification.get("StreamEnabled"):
                return
            if old is not None and new is not None and old.to_json() == new.to_json():
                return
            begun = self.items[-1].record if self.items else None
            original(self, old, new)
            made = self.items[-1].record
            if begun and _made_item(begun) == _made_item(made) is not None:  # UpdateItem begins with the key alone
                made["dynamodb"]["SequenceNumber"] = begun["dynamodb"]["SequenceNumber"]
                del self.items[-2]

        return add_change

    yield replace(StreamShard, "add", add)


def keep_records_in_their_shards() -> Iterator[Undo]:
    """Moto gives two records of a shard one number when they come at once, and one of them is lost.

    It puts new ones into a shard that was split or merged, and puts those there were somewhere else.
    """
    from moto.kinesis.models import Stream

    writing = threading.RLock()

    def find(original: Any) -> Any:
        def get_shard_for_key(self: Any, *arguments: Any, **named: Any) -> Any:
            open_ones = copy.copy(self)
            open_ones.shards = {name: shard for name, shard in self.shards.items() if shard.is_open}
            return original(open_ones, *arguments, **named)

        return get_shard_for_key

    def reshard(original: Any) -> Any:
        def resharded(self: Any, *arguments: Any, **named: Any) -> Any:
            kept = [(shard, shard.records) for shard in self.shards.values()]
            for shard, _ in kept:
                shard.records = OrderedDict()
            try:
                return original(self, *arguments, **named)
            finally:
                for shard, records in kept:
                    shard.records = records

        return resharded

    yield replace(Stream, "get_shard_for_key", find)
    for name in ("split_shard", "merge_shards"):
        yield replace(Stream, name, reshard)
    for name in ("put_record", "split_shard", "merge_shards"):
        yield replace(Stream, name, _holding(writing))


def _made_item(record: dict[str, Any]) -> Any:
    """Return the key of the item that ``record`` says was made; None if it says something else."""
    return record["dynamodb"]["Keys"] if record["eventName"] == "INSERT" else None


def _holding(lock: Any) -> Callable[[Any], Any]:
    """Return what makes a method hold ``lock`` until it is done, for `replace`."""

    def make(original: Any) -> Any:
        def locked(self: Any, *arguments: Any, **named: Any) -> Any:
            with lock:
                return original(self, *arguments, **named)

        return locked

    return make

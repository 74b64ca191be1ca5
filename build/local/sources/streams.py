"""Event source mappings: read streams of DynamoDB and Kinesis as Lambda's pollers do, and hand batches to functions.

A mapping's ``checkpoints`` tell how far it has read: by the key of a shard, the index of the first record that is not
done. Not there: tumbling windows, and consumers with enhanced fan-out.
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

import json
import sys
import time
import traceback
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from build.local.asynchronous import Answered
from build.local.destinations import Sender
from build.local.function_names import FunctionName
from build.local.invoker import Invoker
from build.local.refusals import MAX_REQUEST_BYTES, TooManyRequestsError
from build.local.sources.batches import Batch, Record, Settings, after_failure, without_old
from build.local.sources.filters import Pattern, passes, patterns_of
from build.local.sources.polling import Poller, mappings
from build.local.sources.queues import failed_of
from build.local.sources.shards import Shard, lane_of, shards_of
from build.local.sources.stream_records import filterable, given_up


@dataclass(slots=True)
class _Lane:
    """Where a mapping is in a shard, or in its share of the shard's keys: there it has one batch after the other."""

    number: int
    lanes: int
    """Of how many it is one."""
    position: int
    """Index of the next record to look at."""
    gathered: list[Record] = field(default_factory=list)
    gathered_bytes: int = 0
    since: float = 0.0
    """When the first of them was gathered."""
    current: Batch | None = None
    """What the function has just now; until it is done, nobody else may touch the lane."""
    again: deque[Batch] = field(default_factory=deque)
    """What is to be tried again, in its order."""
    due: float = 0.0
    """When the first of these is."""

    @property
    def done(self) -> int:
        """Index of the first record that is not done."""
        current = self.current  # while there is one, another thread changes the rest
        if current or self.again:
            return (current or self.again[0]).records[0].index
        return self.gathered[0].index if self.gathered else self.position

    def take(self) -> Batch:
        """Return what was gathered, and gather anew."""
        batch = Batch(records=tuple(self.gathered))
        self.gathered, self.gathered_bytes = [], 0
        return batch


@dataclass(frozen=True, slots=True)
class _Reading:
    """One shard as one mapping reads it."""

    mapping: Any
    settings: Settings
    patterns: Sequence[Pattern]
    shard: Shard


class StreamReader:
    """Reads for all mappings."""

    def __init__(self, invoker: Invoker, sender: Sender) -> None:
        self.poller = Poller("streams", self._look)
        self._invoker = invoker
        self._sender = sender
        self._lanes: dict[tuple[str, str], list[_Lane]] = {}
        """By mapping and shard."""

    def _look(self) -> Iterator[float]:
        """Hand out what is ready; yield in how many seconds there will be something to look at."""
        known = set()
        for mapping in mappings("dynamodb", "kinesis"):
            shards = {shard.id: shard for shard in shards_of(mapping)}
            known |= {(mapping.uuid, shard.key) for shard in shards.values()}
            settings, patterns = Settings.of(mapping), patterns_of(mapping.filter_criteria)
            for shard in shards.values():
                parents = [shards[parent] for parent in shard.parents if parent in shards]
                if mapping.enabled and all(_is_read(mapping, parent) for parent in parents):
                    yield from self._read(_Reading(mapping, settings, patterns, shard))
        for gone in self._lanes.keys() - known:
            del self._lanes[gone]

    def _read(self, reading: _Reading) -> Iterator[float]:
        checkpoints, shard, wanted = _checkpoints(reading.mapping), reading.shard, reading.settings.parallel
        key = reading.mapping.uuid, shard.key
        lanes = self._lanes.get(key, [])
        if len(lanes) != wanted:
            if any(lane.current for lane in lanes):
                return  # once they are done, all begin anew where the last of them is
            start = min((lane.done for lane in lanes), default=checkpoints.get(shard.key, 0))
            lanes = self._lanes[key] = [_Lane(number, wanted, start) for number in range(wanted)]
        for lane in lanes:
            if not lane.current:
                yield from self._advance(reading, lane)
        checkpoints[shard.key] = min(lane.done for lane in lanes)

    def _advance(self, reading: _Reading, lane: _Lane) -> Iterator[float]:
        if lane.again:
            left_s = lane.due - time.monotonic()
        else:
            is_full = _gather(reading, lane)
            if not lane.gathered:
                return
            left_s = 0.0 if is_full else lane.since + reading.settings.window_s - time.monotonic()
        if left_s > 0:
            yield left_s
        else:
            lane.current = lane.again.popleft() if lane.again else lane.take()
            self.poller.submit(self._attempt, reading, lane, lane.current)

    def _attempt(self, reading: _Reading, lane: _Lane, batch: Batch) -> None:
        try:
            again = self._tried(reading, batch)
        except Exception:  # whatever it is, no record is to be lost by it
            traceback.print_exc()
            again = [replace(batch, misses=batch.misses + 1)]
        lane.again.extendleft(reversed(again))
        lane.due = time.monotonic() + (lane.again[0].delay_s if lane.again else 0.0)
        lane.current = None

    def _tried(self, reading: _Reading, batch: Batch) -> list[Batch]:
        """Give ``batch`` to the function once; return what is to be tried again."""
        old, batch = without_old(batch, reading.settings.max_age_s, time.time())
        if old.records:
            self._give_up(reading, old, "RecordAgeExceeded")
        if not batch.records:
            return []
        answered = self._answer(reading.mapping, batch)
        if answered is None:
            return [replace(batch, misses=batch.misses + 1)]
        first = _first_failed(batch, answered, reports=reading.settings.reports)
        if first is None:
            return []
        again, lost = after_failure(batch, answered, first, reading.settings)
        if lost:
            self._give_up(reading, lost, "RetryAttemptsExhausted")
        return again

    def _answer(self, mapping: Any, batch: Batch) -> Answered | None:
        """Return what the function answers; None if it was not reached, which uses up no retry."""
        function = FunctionName.parse(mapping.function_arn, None, region=mapping.region, account_id=mapping.account_id)
        assert function
        try:
            return self._invoker.invoke(function, batch.event)
        except TooManyRequestsError:
            return None
        except Exception as why:  # it is gone, or none that can run here
            if not batch.misses:
                _say(mapping, f"a batch of {len(batch.records)} records waits\n{why}")
            return None

    def _give_up(self, reading: _Reading, batch: Batch, condition: str) -> None:
        mapping, shard = reading.mapping, reading.shard
        first, last = batch.records[0].sequence, batch.records[-1].sequence
        _say(mapping, f"records {first} to {last} of {shard.id} were given up: {condition}")
        destination = ((mapping.destination_config or {}).get("OnFailure") or {}).get("Destination")
        if not destination:
            return
        told = given_up(
            batch,
            condition,
            function=mapping.function_arn,
            stream=mapping.event_source_arn,
            shard=shard.id,
            request_id=str(uuid.uuid4()),
        )
        if ":s3:" in destination:
            told["payload"] = batch.event.decode()
        self._sender.tell(destination, told, region=mapping.region, folder=f"{mapping.uuid}/{shard.id}")


def _gather(reading: _Reading, lane: _Lane) -> bool:
    """Add to what ``lane`` has gathered; tell whether that is as much as a batch may hold."""
    while lane.position < reading.shard.end and len(lane.gathered) < reading.settings.size:
        record = reading.shard.read(lane.position)
        if _is_wanted(reading, lane, record):
            size = len(record.text.encode()) + len(", ")
            if lane.gathered and lane.gathered_bytes + size > MAX_REQUEST_BYTES - len(Batch(records=()).event):
                return True
            if not lane.gathered:
                lane.since = time.monotonic()
            lane.gathered.append(record)
            lane.gathered_bytes += size
        lane.position += 1
    return len(lane.gathered) >= reading.settings.size


def _is_wanted(reading: _Reading, lane: _Lane, record: Record) -> bool:
    if lane_of(record.key, lane.lanes) != lane.number:
        return False
    return not reading.patterns or passes(reading.patterns, *filterable(json.loads(record.text)))


def _first_failed(batch: Batch, answered: Answered, *, reports: bool) -> int | None:
    """Return from which record of ``batch`` on the function failed; None if it did not."""
    if answered.outcome.error:
        return 0
    sequences = [record.sequence for record in batch.records]
    failed = failed_of(answered.outcome.payload, sequences) if reports else ()
    return next((index for index, sequence in enumerate(sequences) if sequence in failed), None)


def _is_read(mapping: Any, shard: Shard) -> bool:
    """Tell whether nothing of ``shard`` is left and nothing will come: its children are read after it."""
    return not shard.is_open and _checkpoints(mapping).get(shard.key, 0) >= shard.end


def _checkpoints(mapping: Any) -> dict[str, int]:
    return mapping.__dict__.setdefault("checkpoints", {})  # type: ignore[no-any-return]


def _say(mapping: Any, text: str) -> None:
    sys.stderr.write(f"{mapping.function_arn}: {text}\n")

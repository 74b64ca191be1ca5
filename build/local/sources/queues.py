"""Event source mappings: read SQS queues as Lambda's pollers do, and hand batches to functions.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import base64
import json
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from build.local.function_names import FunctionName
from build.local.invoker import Invoker
from build.local.refusals import MAX_REQUEST_BYTES
from build.local.sources.filters import passes, patterns_of
from build.local.sources.polling import Poller, mappings

SWEEP_S = 30.0
"""How often we look for idle environments when no queue needs it."""
CONCURRENT_BATCHES = 5
"""What Lambda begins with for a queue without a maximum concurrency."""


class QueueReader:
    """Reads for all mappings, and ends environments that are idle."""

    def __init__(self, invoker: Invoker) -> None:
        self.poller = Poller("queues", self._look)
        self._invoker = invoker
        self._lock = threading.Lock()
        self._in_flight: Counter[str] = Counter()
        self._waiting_since: dict[str, float] = {}
        self._swept = time.monotonic()

    def _look(self) -> Iterator[float]:
        """Hand out what is ready; yield in how many seconds there will be something to look at."""
        for mapping, queue, backend in _enabled():
            yield from self._read(mapping, queue, backend)
        if time.monotonic() - self._swept >= SWEEP_S:
            self._swept = math.inf  # one at a time
            self.poller.submit(self._sweep)  # extensions may take 2 s to end
        yield SWEEP_S

    def _sweep(self) -> None:
        try:
            self._invoker.sweep()
        finally:
            self._swept = time.monotonic()

    def _read(self, mapping: Any, queue: Any, backend: Any) -> Iterator[float]:
        limit = (mapping.scaling_config or {}).get("MaximumConcurrency", CONCURRENT_BATCHES)
        while self._in_flight[mapping.uuid] < limit:  # a delivery that ends wakes us
            with queue._messages_lock:  # noqa: SLF001 - moto has no other way
                _drop_unwanted(mapping, queue)
                visible = len(queue.messages)
                left_s = self._window_left(mapping, visible)
                messages = self._received(mapping, queue, backend) if visible and left_s <= 0 else []
            if visible and left_s > 0:
                yield left_s
            if not messages:
                break  # there are none, they went to the dead-letter queue, or wait for others of their group
            with self._lock:
                self._in_flight[mapping.uuid] += 1
            self.poller.submit(self._deliver, mapping, queue, backend, messages)
        yield from _due(queue)

    def _received(self, mapping: Any, queue: Any, backend: Any) -> list[Any]:
        self._waiting_since.pop(mapping.uuid, None)
        received: list[Any] = backend.receive_message(
            queue.name, mapping.batch_size, 0, queue.visibility_timeout, ["All"]
        )
        return received

    def _window_left(self, mapping: Any, visible: int) -> float:
        window_s = mapping.max_batch_window or 0
        if not visible:
            self._waiting_since.pop(mapping.uuid, None)  # who began the window was deleted, or taken by another
        if not window_s or not visible or visible >= mapping.batch_size:
            return 0.0
        since = self._waiting_since.setdefault(mapping.uuid, time.monotonic())
        return since + float(window_s) - time.monotonic()

    def _deliver(self, mapping: Any, queue: Any, backend: Any, messages: list[Any]) -> None:
        from moto.sqs.exceptions import QueueDoesNotExist, ReceiptHandleIsInvalid

        try:
            records = {message.id: json.dumps(record(message, queue.queue_arn, queue.region)) for message in messages}
            handles = {message.id: message.receipt_handle for message in messages}
            for batch in batches_of(records):
                done = self._handled(mapping, batch, records)
                for message_id in done:
                    with suppress(QueueDoesNotExist, ReceiptHandleIsInvalid):  # somebody was faster
                        backend.delete_message(queue.name, handles[message_id])
                if queue.fifo_queue and len(done) < len(batch):
                    break  # the rest may be of the same groups, and come again after what failed
        finally:
            with self._lock:
                self._in_flight[mapping.uuid] -= 1

    def _handled(self, mapping: Any, ids: list[str], records: dict[str, str]) -> frozenset[str]:
        """Return the ids of the messages the function is done with; the others reappear when their time is up."""
        function = FunctionName.parse(mapping.function_arn, None, region=mapping.region, account_id=mapping.account_id)
        assert function
        event = f'{{"Records": [{", ".join(records[each] for each in ids)}]}}'
        try:
            outcome = self._invoker.invoke(function, event.encode()).outcome
        except Exception as why:  # it is busy, gone, or none that can run here
            sys.stderr.write(f"{mapping.function_arn}: a batch of {len(ids)} messages was not taken\n{why}\n")
            return frozenset()
        if outcome.error:
            return frozenset()
        if "ReportBatchItemFailures" in (mapping.function_response_types or []):
            return frozenset(ids) - failed_of(outcome.payload, ids)
        return frozenset(ids)


def batches_of(records: dict[str, str], *, limit: int = MAX_REQUEST_BYTES) -> Iterator[list[str]]:
    """Yield the ids of ``records`` in their order, as many at a time as an event of ``limit`` bytes has room for."""
    room = limit - len('{"Records": []}')
    batch: list[str] = []
    for message_id, text in records.items():
        size = len(text.encode()) + len(", ")
        if batch and size > room:
            yield batch
            batch, room = [], limit - len('{"Records": []}')
        batch.append(message_id)
        room -= size
    yield batch


def failed_of(payload: bytes, ids: Iterable[str]) -> frozenset[str]:
    """Return which messages of the batch ``ids`` a function reports as failed; all of them if it reports nonsense.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    batch = frozenset(ids)
    try:
        answer = json.loads(payload or b"null")
        failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
        reported = frozenset(failure["itemIdentifier"] for failure in failures or [])
    except (ValueError, TypeError, KeyError):
        return batch
    return batch if reported - batch else reported


def record(message: Any, queue_arn: str, region: str) -> dict[str, Any]:
    """Return ``message`` as a function gets it."""
    attributes = {
        "ApproximateReceiveCount": str(message.approximate_receive_count),
        "SentTimestamp": str(message.sent_timestamp),
        "SenderId": message.sender_id,
        "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
    }
    optional = {
        "MessageGroupId": message.group_id,
        "MessageDeduplicationId": message.deduplication_id,
        "SequenceNumber": message.sequence_number,
        "AWSTraceHeader": (message.system_attributes.get("AWSTraceHeader") or {}).get("StringValue"),
    }
    attributes.update({name: str(value) for name, value in optional.items() if value})
    result = {
        "messageId": message.id,
        "receiptHandle": message.receipt_handle,
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": {name: _attribute(value) for name, value in message.message_attributes.items()},
        "md5OfBody": message.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }
    if message.message_attributes:
        result["md5OfMessageAttributes"] = message.attribute_md5
    return result


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
    if value.get("StringValue") is not None:
        result["stringValue"] = value["StringValue"]
    binary = value.get("BinaryValue")
    if binary is not None:
        data = binary if isinstance(binary, bytes) else str(binary).encode()
        result["binaryValue"] = base64.b64encode(data).decode("ascii")
    return result


def _enabled() -> Iterator[tuple[Any, Any, Any]]:
    """Yield every enabled mapping with its queue and that queue's SQS."""
    from moto.sqs.models import sqs_backends

    for mapping in mappings("sqs"):
        backend = sqs_backends[mapping.account_id][mapping.region]
        queue = backend.queues.get(mapping.event_source_arn.rpartition(":")[2])
        if queue and mapping.enabled:
            yield mapping, queue, backend


def _drop_unwanted(mapping: Any, queue: Any) -> None:
    """Delete visible messages that no filter of ``mapping`` fits, as Lambda does, before they count for a batch."""
    patterns = patterns_of(mapping.filter_criteria)
    if not patterns:
        return
    looked_through = f"{mapping.uuid} {json.dumps(patterns)}"
    for message in queue.messages:
        if getattr(message, "looked_through", "") == looked_through:
            continue
        message.looked_through = looked_through
        if not passes(patterns, record(message, queue.queue_arn, queue.region), "body"):
            queue._messages.remove(message)  # noqa: SLF001 - moto has no other way
            queue.pending_messages.discard(message)


def _due(queue: Any) -> Iterator[float]:
    """Yield in how many seconds each hidden message of ``queue`` becomes visible."""
    now_ms = time.time() * 1000
    for message in list(queue._messages):  # noqa: SLF001 - moto has no other way
        at_ms = max(message.visible_at, message.delayed_until)
        if at_ms > now_ms:
            yield (at_ms - now_ms) / 1000 + 0.001

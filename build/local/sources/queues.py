"""Event source mappings: read SQS queues as Lambda's pollers do, and hand batches to functions.

Not there yet: filter criteria, and sources other than SQS.
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import base64
import json
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from build.errors import SlipwayError
from build.local.function_names import FunctionName
from build.local.invoker import Invoker

SWEEP_S = 30.0
"""How often the poller looks for idle environments when no queue needs it."""
CONCURRENT_BATCHES = 5
"""What Lambda begins with for a queue without a maximum concurrency."""


class QueuePoller:
    """One thread for all mappings. It sleeps until a message is sent or one becomes visible."""

    def __init__(self, invoker: Invoker) -> None:
        self._invoker = invoker
        self._woken = threading.Event()
        self._stopped = False
        self._lock = threading.Lock()
        self._in_flight: Counter[str] = Counter()
        self._waiting_since: dict[str, float] = {}
        self._deliveries = ThreadPoolExecutor(max_workers=32, thread_name_prefix="queue")
        self._thread = threading.Thread(target=self._run, name="queue-poller", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the queues now."""
        self._woken.set()

    def stop(self) -> None:
        """Read no more. What was handed out may still be deleted or reappear."""
        self._stopped = True
        self.wake()
        self._deliveries.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        swept = time.monotonic()
        while not self._stopped:
            self._woken.clear()
            wait_s = SWEEP_S
            try:
                wait_s = min([SWEEP_S, *self._look()])
                if time.monotonic() - swept >= SWEEP_S:
                    swept = time.monotonic()
                    self._invoker.sweep()
            except Exception:  # whatever one mapping does, the thread that serves all of them lives on
                traceback.print_exc()
            self._woken.wait(max(wait_s, 0.0))

    def _look(self) -> Iterator[float]:
        """Hand out what is ready; yield in how many seconds there will be something to look at."""
        for mapping, queue, backend in _mappings():
            yield from self._read(mapping, queue, backend)

    def _read(self, mapping: Any, queue: Any, backend: Any) -> Iterator[float]:
        limit = (mapping.scaling_config or {}).get("MaximumConcurrency", CONCURRENT_BATCHES)
        while queue.messages:
            left_s = self._window_left(mapping, len(queue.messages))
            if left_s > 0:
                yield left_s
                break
            if self._in_flight[mapping.uuid] >= limit:
                break  # a delivery that ends wakes us
            messages = backend.receive_message(queue.name, mapping.batch_size, 0, queue.visibility_timeout, ["All"])
            self._waiting_since.pop(mapping.uuid, None)
            if not messages:
                break  # they went to the dead-letter queue, or wait for others of their group
            with self._lock:
                self._in_flight[mapping.uuid] += 1
            self._deliveries.submit(self._deliver, mapping, queue, backend, messages)
        yield from _due(queue)

    def _window_left(self, mapping: Any, visible: int) -> float:
        window_s = mapping.max_batch_window or 0
        if not window_s or visible >= mapping.batch_size:
            return 0.0
        since = self._waiting_since.setdefault(mapping.uuid, time.monotonic())
        return since + float(window_s) - time.monotonic()

    def _deliver(self, mapping: Any, queue: Any, backend: Any, messages: list[Any]) -> None:
        try:
            done = self._handled(mapping, queue, messages)
            for message in messages:
                if message.id in done and queue.name in backend.queues:
                    backend.delete_message(queue.name, message.receipt_handle)
        finally:
            with self._lock:
                self._in_flight[mapping.uuid] -= 1
            self.wake()

    def _handled(self, mapping: Any, queue: Any, messages: list[Any]) -> frozenset[str]:
        """Return the ids of the messages the function is done with; the others reappear when their time is up."""
        function = FunctionName.parse(mapping.function_arn, None, region=queue.region, account_id=queue.account_id)
        assert function
        ids = [message.id for message in messages]
        event = {"Records": [record(message, queue.queue_arn, queue.region) for message in messages]}
        try:
            outcome = self._invoker.invoke(function, json.dumps(event).encode()).outcome
        except SlipwayError as why:
            sys.stderr.write(f"{mapping.function_arn}: a batch of {len(ids)} messages was not taken\n{why}\n")
            return frozenset()
        if outcome.error:
            return frozenset()
        if "ReportBatchItemFailures" in (mapping.function_response_types or []):
            return frozenset(ids) - failed_of(outcome.payload, ids)
        return frozenset(ids)


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


def _mappings() -> Iterator[tuple[Any, Any, Any]]:
    """Yield every enabled mapping with its queue and that queue's SQS."""
    from moto.awslambda.models import lambda_backends
    from moto.sqs.models import sqs_backends

    for account_id, regions in list(lambda_backends.items()):
        for region, functions in list(regions.items()):
            for mapping in list(functions._event_source_mappings.values()):  # noqa: SLF001 - moto has no other way
                if not mapping.enabled or ":sqs:" not in mapping.event_source_arn:
                    continue
                backend = sqs_backends[account_id][region]
                queue = backend.queues.get(mapping.event_source_arn.rpartition(":")[2])
                if queue:
                    yield mapping, queue, backend


def _due(queue: Any) -> Iterator[float]:
    """Yield in how many seconds each hidden message of ``queue`` becomes visible."""
    now_ms = time.time() * 1000
    for message in list(queue._messages):  # noqa: SLF001 - moto has no other way
        at_ms = max(message.visible_at, message.delayed_until)
        if at_ms > now_ms:
            yield (at_ms - now_ms) / 1000 + 0.001

"""What moto itself would call functions for, in Docker: here it runs as everything does, with events like AWS's."""

import json
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from build.local.function_names import FunctionName
from build.local.invoker import Invoker
from build.local.patching import Undo, replace, then
from build.local.sources import notices
from build.local.sources.filters import patterns_of
from build.local.sources.shards import starts

_HandOver = Callable[[str, Any], None]


@contextmanager
def invoking(invoker: Invoker, wake_queues: Callable[[], None], wake_streams: Callable[[], None]) -> Iterator[None]:
    """Route what moto's services call functions for to ``invoker``, as events that nobody waits for.

    The Invoke API itself is answered by `build.local.front`. Who reads queues and streams (`build.local.sources.queues`
    and `streams`) is woken when one of them changes, or a mapping. Rules are mended in `build.local.sources.rules`.
    """

    def hand_over(arn: str, event: Any) -> None:
        try:
            _, _, _, region, account_id, _ = arn.split(":", 5)
            function = FunctionName.parse(arn, None, region=region, account_id=account_id)
            assert function
            invoker.invoke_later(function, json.dumps(event).encode(), request_id=str(uuid.uuid4()))
        except Exception as why:  # on AWS whoever caused the event is not told, either
            sys.stderr.write(f"{arn}: an event was dropped\n{why}\n")

    mends = (
        _mappings(wake_queues, wake_streams),
        _queues(wake_queues),
        _streams(wake_streams),
        _topics(hand_over),
        _notifications(hand_over),
    )
    with ExitStack() as stack:
        for mend in mends:
            for undo in mend:
                stack.callback(undo)
        yield


def _mappings(*wakes: Callable[[], None]) -> Iterator[Undo]:
    """Moto takes filters that Lambda refuses. Where a mapping begins to read a stream is settled when it is made."""
    from moto.awslambda.exceptions import InvalidParameterValueException
    from moto.awslambda.models import LambdaBackend

    def check(spec: dict[str, Any]) -> None:
        try:
            patterns_of(spec.get("FilterCriteria"))
        except ValueError as why:
            msg = f"Invalid filter pattern definition. {why}"
            raise InvalidParameterValueException(msg) from None

    def create(original: Any) -> Any:
        def create_event_source_mapping(self: Any, spec: dict[str, Any]) -> Any:
            check(spec)
            mapping = original(self, spec)
            if ":sqs:" not in mapping.event_source_arn:
                mapping.checkpoints = starts(mapping)
            return mapping

        return create_event_source_mapping

    def update(original: Any) -> Any:
        def update_event_source_mapping(self: Any, uuid: str, spec: dict[str, Any]) -> Any:
            check(spec)
            return original(self, uuid, spec)

        return update_event_source_mapping

    yield replace(LambdaBackend, "create_event_source_mapping", create)
    yield replace(LambdaBackend, "update_event_source_mapping", update)
    for name in ("create_event_source_mapping", "update_event_source_mapping"):
        for wake in wakes:
            yield replace(LambdaBackend, name, then(wake))


def _queues(wake: Callable[[], None]) -> Iterator[Undo]:
    from moto.sqs.models import Message, Queue

    yield replace(Queue, "add_message", _undelivered(lambda queue: queue))
    yield replace(Queue, "add_message", then(wake))
    yield replace(Message, "change_visibility", then(wake))


def _streams(wake: Callable[[], None]) -> Iterator[Undo]:
    from moto.dynamodb.models.table import StreamShard
    from moto.kinesis.models import Stream

    yield replace(StreamShard, "add", _undelivered(lambda shard: shard.table))
    yield replace(Stream, "put_record", _undelivered(lambda stream: stream))
    for owner, name in ((StreamShard, "add"), (Stream, "put_record")):
        yield replace(owner, name, then(wake))


def _undelivered(source: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Moto hands over what was written here and now, whatever its mapping says; ``source`` is what has mappings."""

    def make(original: Any) -> Any:
        def write(self: Any, *arguments: Any, **named: Any) -> Any:
            source(self).lambda_event_source_mappings = {}
            return original(self, *arguments, **named)

        return write

    return make


def _topics(hand_over: _HandOver) -> Iterator[Undo]:
    """Moto makes up half of what topics tell a function; whatever else of it calls functions runs a container."""
    from moto.awslambda.models import LambdaFunction
    from moto.sns.models import Subscription

    def run(_: Any) -> Any:
        def _invoke_lambda(self: Any, event: Any = None) -> tuple[str, bool, str]:
            unqualified = self.function_arn.removesuffix(f":{self.version}")
            hand_over(f"{unqualified}:{self.version}", event or {})
            return "null", False, ""

        return _invoke_lambda

    def publish(original: Any) -> Any:
        def publish_to(self: Any, message: str, message_id: str, **named: Any) -> None:
            if self.protocol != "lambda":
                original(self, message, message_id, **named)
                return
            attributes = named.get("message_attributes")
            matcher = self._filter_policy_matcher
            if matcher is None or matcher.matches(attributes, message):
                if named.get("message_structure") == "json":
                    message = self._parse_message_structure(message, self.protocol)
                event = notices.of_topic(self, message, message_id, named.get("subject"), attributes)
                hand_over(self.endpoint, event)

        return publish_to

    yield replace(LambdaFunction, "_invoke_lambda", run)
    yield replace(Subscription, "publish", publish)


def _notifications(hand_over: _HandOver) -> Iterator[Undo]:
    from moto.events import notifications as of_services
    from moto.s3 import notifications as of_buckets

    def of_bucket(_account_id: str, event_body: Any, fn_arn: str, _region_name: str) -> None:
        hand_over(fn_arn, event_body)

    def of_service(_account_id: str, fn_arn: str, event: Any) -> None:
        hand_over(fn_arn, event)

    yield replace(of_buckets, "_invoke_awslambda", lambda _: of_bucket)
    yield replace(of_services, "_invoke_lambda", lambda _: of_service)

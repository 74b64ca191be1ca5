"""What moto itself would call functions for, in Docker: here it runs as everything does, or is left alone."""

import copy
import json
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from build.local.function_names import FunctionName
from build.local.invoker import Invoker
from build.local.patching import Undo, replace

_HandOver = Callable[[str, Any], None]


@contextmanager
def invoking(invoker: Invoker, wake: Callable[[], None]) -> Iterator[None]:
    """Route what moto's services call functions for to ``invoker``, as events that nobody waits for.

    The Invoke API itself is answered by `build.local.front`. Queues are read by `build.local.sources.queues`: ``wake``
    is called when a queue or a mapping changes. Streams are not read yet, and the log says so.
    """

    def hand_over(arn: str, event: Any) -> None:
        try:
            _, _, _, region, account_id, _ = arn.split(":", 5)
            function = FunctionName.parse(arn, None, region=region, account_id=account_id)
            assert function
            invoker.invoke_later(function, json.dumps(event).encode(), request_id=str(uuid.uuid4()))
        except Exception as why:  # on AWS whoever caused the event is not told, either
            sys.stderr.write(f"{arn}: an event was dropped\n{why}\n")

    mends = (_queues(wake), _topics(hand_over), _rules(hand_over), _notifications(hand_over), _streams())
    with ExitStack() as stack:
        for mend in mends:
            for undo in mend:
                stack.callback(undo)
        yield


def _queues(wake: Callable[[], None]) -> Iterator[Undo]:
    from moto.awslambda.models import LambdaBackend
    from moto.sqs.models import Message, Queue

    def waking(original: Any) -> Any:
        def changed(self: Any, *arguments: Any, **named: Any) -> Any:
            result = original(self, *arguments, **named)
            wake()
            return result

        return changed

    def add(original: Any) -> Any:
        def add_message(self: Any, message: Any) -> None:
            self.lambda_event_source_mappings = {}  # moto would hand the message over here and now
            original(self, message)
            wake()

        return add_message

    yield replace(Queue, "add_message", add)
    for owner, name in (
        (LambdaBackend, "create_event_source_mapping"),
        (LambdaBackend, "update_event_source_mapping"),
        (Message, "change_visibility"),
    ):
        yield replace(owner, name, waking)


def _topics(hand_over: _HandOver) -> Iterator[Undo]:
    """Moto's topics, and whatever else of it calls functions, run a container."""
    from moto.awslambda.models import LambdaBackend, LambdaFunction

    def run(_: Any) -> Any:
        def _invoke_lambda(self: Any, event: Any = None) -> tuple[str, bool, str]:
            unqualified = self.function_arn.removesuffix(f":{self.version}")
            hand_over(f"{unqualified}:{self.version}", event or {})
            return "null", False, ""

        return _invoke_lambda

    def shield(original: Any) -> Any:
        def send_sns_message(self: Any, function_name: str, *arguments: Any, **given: Any) -> None:
            try:
                original(self, function_name, *arguments, **given)
            except Exception as why:  # on AWS the publisher does not fail with a function that is gone
                sys.stderr.write(f"{function_name}: a message of a topic was dropped\n{why}\n")

        return send_sns_message

    yield replace(LambdaFunction, "_invoke_lambda", run)
    yield replace(LambdaBackend, "send_sns_message", shield)


def _rules(hand_over: _HandOver) -> Iterator[Undo]:
    """Moto refuses the whole PutEvents when a rule's target is a function."""
    from moto.events.models import Rule

    def send(original: Any) -> Any:
        def send_to_targets(self: Any, original_event: Any, transform_input: bool = True) -> None:
            functions = [target["Arn"] for target in self.targets if ":lambda:" in target["Arn"]]
            others = copy.copy(self)
            others.targets = [target for target in self.targets if target["Arn"] not in functions]
            original(others, original_event, transform_input)
            if self.state == "ENABLED" and self.event_pattern.matches_event(original_event):
                for arn in functions:
                    hand_over(arn, original_event)

        return send_to_targets

    yield replace(Rule, "send_to_targets", send)


def _notifications(hand_over: _HandOver) -> Iterator[Undo]:
    from moto.events import notifications as of_services
    from moto.s3 import notifications as of_buckets

    def of_bucket(_account_id: str, event_body: Any, fn_arn: str, _region_name: str) -> None:
        hand_over(fn_arn, event_body)

    def of_service(_account_id: str, fn_arn: str, event: Any) -> None:
        hand_over(fn_arn, event)

    yield replace(of_buckets, "_invoke_awslambda", lambda _: of_bucket)
    yield replace(of_services, "_invoke_lambda", lambda _: of_service)


def _streams() -> Iterator[Undo]:
    """Moto pushes every single record, whatever its mapping says of batches, filters and whether it is enabled."""
    from moto.awslambda.models import LambdaBackend

    told: set[str] = set()

    def tell(function: str) -> None:
        if function not in told:
            told.add(function)
            sys.stderr.write(f"{function}: streams are not read yet, so it is not called\n")

    def of_kinesis(_: Any) -> Any:
        return lambda self, function_name, **record: tell(function_name)  # noqa: ARG005

    def of_dynamodb(_: Any) -> Any:
        return lambda self, function_arn, items, source: tell(function_arn)  # noqa: ARG005

    yield replace(LambdaBackend, "send_kinesis_message", of_kinesis)
    yield replace(LambdaBackend, "send_dynamodb_items", of_dynamodb)

"""Names: what a folder may be called, and what AWS will call it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from build.model import FunctionSpec, Workspace
from build.options import CODEDEPLOY
from build.rules import quotas
from build.rules.words import kebab_problem
from build.triggers import QueueTrigger

_PER_ARCHITECTURE = ("-arm64", "-x86-64")


def layer_name_problem(name: str) -> str | None:
    """Say what is wrong with ``name`` as a layer's name; None if nothing is."""
    for ending in _PER_ARCHITECTURE:
        if name.endswith(ending):
            return f"expected a name without the ending {ending}, which is kept for a layer's artifacts"
    return kebab_problem(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsName:
    """What AWS will call something, and how long it may be."""

    place: str
    """The folder or key it comes from."""
    service: str
    """Within which names differ."""
    what: str
    name: str
    most: int


def function_name(prefix: str, function: str) -> AwsName:
    """Return the name that the function called ``function`` shares with its role."""
    most = min(quotas.FUNCTION_NAME_CHARS, quotas.ROLE_NAME_CHARS)
    name = f"{prefix}-{function}"
    return AwsName(place=f"functions/{function}", service="lambda", what="function and role", name=name, most=most)


def queue_name(prefix: str, function: str, queue: QueueTrigger) -> str:
    """Return the name of the queue that is made for a trigger."""
    return f"{prefix}-{function}-{queue.name}{'.fifo' if queue.fifo else ''}"


def dead_letter_name(prefix: str, function: str, trigger: str, *, fifo: bool = False) -> str:
    """Return the name of the queue of what a trigger gave up."""
    return f"{prefix}-{function}-{trigger}-dead-letter{'.fifo' if fifo else ''}"


def failures_name(prefix: str, function: str) -> str:
    """Return the name of the queue of `asynchronous.on_failure = "queue"`."""
    return f"{prefix}-{function}-failures"


def aws_names(workspace: Workspace) -> Iterator[AwsName]:
    """Yield the names that ``workspace`` will have on AWS, but for shorter ones that follow from them."""
    for function in workspace.functions:
        yield function_name(workspace.prefix, function.name)
        yield from _queues(workspace, function)
        yield from _others(workspace, function)
        yield from _deployments(workspace, function)
    for layer in workspace.layers:
        longest = max((f"{workspace.prefix}-{layer.name}{ending}" for ending in _PER_ARCHITECTURE), key=len)
        yield AwsName(place=layer.identity, service="layer", what="layer", name=longest, most=quotas.LAYER_NAME_CHARS)


def _deployments(workspace: Workspace, function: FunctionSpec) -> Iterator[AwsName]:
    if function.options.rollout.by == CODEDEPLOY:
        name = f"{workspace.function_name(function.name)}.codedeploy"
        place = f"{function.identity}/function.toml: rollout.by"
        yield AwsName(place=place, service="role", what="role of CodeDeploy", name=name, most=quotas.ROLE_NAME_CHARS)


def _queues(workspace: Workspace, function: FunctionSpec) -> Iterator[AwsName]:
    prefix, triggers = workspace.prefix, function.triggers

    def queue(key: str, what: str, name: str) -> AwsName:
        place = f"{function.identity}/function.toml: {key}"
        return AwsName(place=place, service="sqs", what=what, name=name, most=quotas.QUEUE_NAME_CHARS)

    dead_letters = [("queue", each.name, each.fifo) for each in triggers.queue if each.arn is None]
    dead_letters += [("event", each.name, False) for each in triggers.event if each.dead_letter]
    dead_letters += [("schedule", each.name, False) for each in triggers.schedule if each.dead_letter]
    dead_letters += [("stream", each.name, False) for each in triggers.stream if each.on_failure is None]
    for each in triggers.queue:
        if each.arn is None:
            yield queue(f"triggers.queue `{each.name}`", "queue", queue_name(prefix, function.name, each))
    for kind, trigger, fifo in dead_letters:
        name = dead_letter_name(prefix, function.name, trigger, fifo=fifo)
        yield queue(f"triggers.{kind} `{trigger}`", "dead-letter queue", name)
    if function.options.asynchronous.on_failure == "queue":
        yield queue("asynchronous.on_failure", "queue of failures", failures_name(prefix, function.name))


def _others(workspace: Workspace, function: FunctionSpec) -> Iterator[AwsName]:
    """Each is made where the trigger has no ``arn``; rules, schedules and target groups always are."""
    triggers, account = function.triggers, workspace.env.account_id
    kinds: list[tuple[str, Iterable[Any], str, str, int]] = [
        ("topic", triggers.topic, "topic", "", quotas.TOPIC_NAME_CHARS),
        ("event", triggers.event, "rule", "", quotas.RULE_NAME_CHARS),
        ("schedule", triggers.schedule, "schedule's role", ".schedule", quotas.ROLE_NAME_CHARS),
        ("bucket", triggers.bucket, "bucket", f"-{account}", quotas.BUCKET_NAME_CHARS[1]),
        ("stream", [s for s in triggers.stream if s.source == "kinesis"], "stream", "", quotas.STREAM_NAME_CHARS),
        ("stream", [s for s in triggers.stream if s.source == "dynamodb"], "table", "", quotas.TABLE_NAME_CHARS),
        ("load_balancer", triggers.load_balancer, "target group", "", quotas.TARGET_GROUP_NAME_CHARS),
    ]
    for kind, made, what, ending, most in kinds:
        for each in made:
            if getattr(each, "arn", None) is None:
                place = f"{function.identity}/function.toml: triggers.{kind} `{each.name}`"
                name = f"{workspace.prefix}-{function.name}-{each.name}{ending}"
                yield AwsName(place=place, service=what, what=what, name=name, most=most)


def length_problem(aws: AwsName) -> str | None:
    """Say by how much ``aws`` is too long; None if it fits."""
    if len(aws.name) <= aws.most:
        return None
    return f"the AWS name of the {aws.what}: expected at most {aws.most} characters, got {len(aws.name)}: {aws.name}"

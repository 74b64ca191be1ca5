"""Every source of events that settings know, and a sample of each, filled for one function where its settings tell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build.errors import InputError
from build.model import FunctionSpec, Workspace
from build.rules.words import did_you_mean
from build.samples import messages, streams, web
from build.samples.about import About, Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What invokes functions in one way."""

    setting: str
    """Where settings name it."""
    body: str
    """What ``--body`` is put in; empty for nothing."""
    make: Callable[[About, Any], Event]
    triggers: Callable[[FunctionSpec], Sequence[Any]] = lambda _: ()
    """Of a function."""


def _streams(kind: str) -> Callable[[FunctionSpec], Sequence[Any]]:
    return lambda spec: [trigger for trigger in spec.triggers.stream if trigger.source == kind]


SOURCES: Mapping[str, Source] = {
    "http": Source(setting="triggers.http", body="the body", make=web.http, triggers=lambda spec: spec.triggers.http),
    "url": Source(
        setting="triggers.url",
        body="the body",
        make=web.url,
        triggers=lambda spec: [spec.triggers.url] if spec.triggers.url else [],
    ),
    "alb": Source(
        setting="triggers.load_balancer",
        body="the body",
        make=web.alb,
        triggers=lambda spec: spec.triggers.load_balancer,
    ),
    "sqs": Source(
        setting="triggers.queue", body="the message", make=messages.sqs, triggers=lambda spec: spec.triggers.queue
    ),
    "sns": Source(
        setting="triggers.topic", body="the message", make=messages.sns, triggers=lambda spec: spec.triggers.topic
    ),
    "eventbridge": Source(
        setting="triggers.event",
        body="the detail, JSON",
        make=messages.eventbridge,
        triggers=lambda spec: spec.triggers.event,
    ),
    "schedule": Source(
        setting="triggers.schedule",
        body="the input, JSON",
        make=messages.schedule,
        triggers=lambda spec: spec.triggers.schedule,
    ),
    "s3": Source(
        setting="triggers.bucket", body="the object's key", make=messages.s3, triggers=lambda spec: spec.triggers.bucket
    ),
    "dynamodb": Source(
        setting="triggers.stream", body="the item, JSON", make=streams.dynamodb, triggers=_streams("dynamodb")
    ),
    "kinesis": Source(setting="triggers.stream", body="the data", make=streams.kinesis, triggers=_streams("kinesis")),
    "authorizer": Source(setting="http_api.authorizers", body="", make=web.authorizer),
    "destination": Source(
        setting="asynchronous.on_failure, .on_success", body="the event it was about, JSON", make=messages.destination
    ),
    "codedeploy": Source(setting="rollout.before_hook, .after_hook", body="", make=messages.codedeploy),
}


def sample(name: str, workspace: Workspace, *, spec: FunctionSpec | None = None, body: str | None = None) -> Event:
    """Return an event of source ``name``, as the first such trigger of ``spec`` would bring it.

    Raises InputError for a source that there is not, and for a ``body`` that it does not carry.
    """
    source = SOURCES.get(name)
    if source is None:
        raise InputError(
            f"no source of events is called {name!r}{did_you_mean(name, SOURCES)}",
            facts=[f"expected one of: {', '.join(SOURCES)}"],
            hint="run `invoke event list`",
        )
    if body is not None and not source.body:
        raise InputError(
            f"an event of {name} carries nothing of yours",
            facts=[f"got --body {body}"],
            hint=f"run `invoke event {name}`",
        )
    trigger = next(iter(source.triggers(spec)), None) if spec else None
    return source.make(About(workspace=workspace, spec=spec, body=body), trigger)


def named(trigger: Any) -> str:
    """Return how settings name ``trigger``: a route, or its name."""
    return str(getattr(trigger, "route", getattr(trigger, "name", "yes")))

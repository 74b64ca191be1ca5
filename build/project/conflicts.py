"""Functions of one env that are in each other's way on AWS, where each alone is in order."""

import re
from collections.abc import Iterable, Iterator
from itertools import combinations

from build.http import HttpTrigger
from build.model import FunctionSpec, Workspace
from build.project import naming
from build.rules.words import did_you_mean
from build.triggers import BucketTrigger

_VARIABLE = re.compile(r"\{[^{}+]*(\+?)\}")


def conflicts(workspace: Workspace) -> Iterator[str]:
    """Yield a line for each conflict within what one env gets."""
    yield from _same_routes(workspace.functions)
    yield from _authorizers(workspace)
    yield from _same_names(workspace)
    yield from _same_buckets(workspace.functions)
    yield from _same_priorities(workspace.functions)
    yield from _hooks(workspace.functions)


def _same_routes(functions: Iterable[FunctionSpec]) -> Iterator[str]:
    owners: dict[tuple[str | None, str], tuple[FunctionSpec, str]] = {}
    for function in functions:
        for http in function.triggers.http:
            # GET /orders/{id} and GET /orders/{order} answer the same requests. Each stack has an API of its own.
            shape = (function.options.stack, _VARIABLE.sub(r"{\1}", http.route))
            if shape in owners:
                owner, route = owners[shape]
                taken = f"`{http.route}` is taken by `{route}` of {_of(owner, function)}"
                yield f"{function.identity}/function.toml: triggers.http: {taken}"
            else:
                owners[shape] = (function, http.route)


def _authorizers(workspace: Workspace) -> Iterator[str]:
    functions = {function.name: function for function in workspace.functions}
    for name, authorizer in workspace.http_api.authorizers.items():
        place = f"slipway.toml: http_api.authorizers.{name}"
        if name == "iam":
            yield f"{place}: expected another name, got iam, which routes use for signed requests"
        if authorizer.function and authorizer.function not in functions:
            near = did_you_mean(authorizer.function, functions)
            yield f"{place}.function: expected a folder under functions/, got `{authorizer.function}`{near}"
    for function in workspace.functions:
        for http in function.triggers.http:
            problem = _authorizer_problem(http, function, workspace)
            if problem:
                yield f"{function.identity}/function.toml: triggers.http `{http.route}`: {problem}"


def _authorizer_problem(http: HttpTrigger, function: FunctionSpec, workspace: Workspace) -> str | None:
    name, known = http.authorizer, workspace.http_api.authorizers
    if name is None or name == "iam":
        return None
    if name not in known:
        choices = ("iam", *known)
        return f"authorizer: expected one of {', '.join(choices)}, got {name}{did_you_mean(name, choices)}"
    decides = next((each for each in workspace.functions if each.name == known[name].function), None)
    if http.scopes and known[name].function:
        return f"scopes: expected an authorizer that reads tokens, got {name}, which asks a function"
    if decides and decides.options.stack != function.options.stack:
        expected = f"expected one whose function is of the same stack, {_stack(function)}"
        return f"authorizer: {expected}, got {name}, whose {decides.identity} is of {_stack(decides)}"
    return None


def _same_names(workspace: Workspace) -> Iterator[str]:
    owners: dict[tuple[str, str], naming.AwsName] = {}
    told = set()
    for aws in naming.aws_names(workspace):
        owner = owners.setdefault((aws.service, aws.name), aws)
        # Two triggers of one kind and name in one function are told as that.
        if owner.place != aws.place and (owner.place, aws.place) not in told:
            told.add((owner.place, aws.place))
            other = f"the {owner.what} of {owner.place.replace('/function.toml', '')}"
            on_aws = f"…{aws.name.removeprefix(workspace.prefix)}"
            yield f"{aws.place}: the AWS name of the {aws.what}: expected another than that of {other}, got {on_aws}"


def _same_buckets(functions: Iterable[FunctionSpec]) -> Iterator[str]:
    """S3 has one list of notifications for a bucket, and takes no two for one event of one object.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
    """
    named = [(function, bucket) for function in functions for bucket in function.triggers.bucket if bucket.arn]
    for (first, one), (second, other) in combinations(named, 2):
        if one.arn != other.arn:
            continue
        place = f"{second.identity}/function.toml: triggers.bucket `{other.name}`"
        same = f"`{one.name}` of {_of(first, second)}"
        if first.options.stack != second.options.stack:
            got = f"got {_stack(second)}, and {_stack(first)} for {same}"
            yield f"{place}: expected all functions of a bucket in one stack, which has its notifications, {got}"
        elif _overlap(one, other):
            yield f"{place}: expected other events, prefixes or suffixes than those of {same}, got some that both fit"


def _overlap(one: BucketTrigger, other: BucketTrigger) -> bool:
    events = [(a.removesuffix("*"), b.removesuffix("*")) for a in one.events for b in other.events]
    ends = (one.suffix[::-1], other.suffix[::-1])
    return any(map(_begin_alike, events)) and _begin_alike((one.prefix, other.prefix)) and _begin_alike(ends)


def _begin_alike(texts: tuple[str, str]) -> bool:
    return texts[0].startswith(texts[1]) or texts[1].startswith(texts[0])


def _same_priorities(functions: Iterable[FunctionSpec]) -> Iterator[str]:
    owners: dict[tuple[str, int], tuple[FunctionSpec, str]] = {}
    for function in functions:
        for rule in function.triggers.load_balancer:
            if not rule.listener_arn or not rule.priority:
                continue
            owner, name = owners.setdefault((rule.listener_arn, rule.priority), (function, rule.name))
            if (owner, name) != (function, rule.name):
                taken = f"priority {rule.priority} of the listener is taken by `{name}` of {_of(owner, function)}"
                yield f"{function.identity}/function.toml: triggers.load_balancer `{rule.name}`: {taken}"


def _hooks(functions: Iterable[FunctionSpec]) -> Iterator[str]:
    """Yield what is wrong with hooks, whose roles name the deployment groups they decide about: in the same state."""
    by_name = {function.name: function for function in functions}
    for function in by_name.values():
        for key, name in function.options.rollout.hooks.items():
            place, hook = f"{function.identity}/function.toml: rollout.{key}", by_name.get(name)
            if hook is None:
                yield f"{place}: expected a folder under functions/, got `{name}`{did_you_mean(name, by_name)}"
            elif hook is function:
                yield f"{place}: expected another function than the one it decides about, got `{name}`"
            elif hook.options.stack != function.options.stack:
                expected = f"expected one of the same stack, {_stack(function)}"
                yield f"{place}: {expected}, got `{name}` of {_stack(hook)}"


def _of(owner: FunctionSpec, reader: FunctionSpec) -> str:
    return "this function" if owner is reader else owner.identity


def _stack(function: FunctionSpec) -> str:
    return f"`{function.options.stack}`" if function.options.stack else "the env's own"

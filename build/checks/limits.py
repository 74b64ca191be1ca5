"""Rules about AWS's numbers, which are in `build.rules.quotas` with their sources."""

import json
from collections.abc import Iterator

from build.checks.problem import Problem
from build.checks.statements import Statement, statements_of
from build.model import Build, FunctionSpec, Workspace
from build.rules import quotas
from build.store.objects import Store

ADDED_ENVIRONMENT_BYTES = 256
"""Kept for the SLIPWAY_ variables of the hand-off, such as the artifact digest, whose value alone has 71."""


def layer_count(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse more layers than Lambda merges; in an image they are files like all others."""
    for function in workspace.functions:
        count = len(function.layers)
        if count > quotas.LAYERS and not function.is_image:
            yield Problem(
                subject=function.identity,
                message=f"expected at most {quotas.LAYERS} layers, got {count}: {', '.join(function.layers)}",
                hint="merge some of them into one layer, then run `invoke check`",
            )


def environment_size(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse more environment variables than Lambda stores."""
    for function in workspace.functions:
        size = environment_bytes(function, workspace)
        most = quotas.ENVIRONMENT_BYTES - ADDED_ENVIRONMENT_BYTES
        if size > most:
            largest = max(function.environment, key=lambda name: len(function.environment[name]), default="a secret")
            kept = f"{quotas.ENVIRONMENT_BYTES} less {ADDED_ENVIRONMENT_BYTES} for Slipway's own"
            yield Problem(
                subject=function.identity,
                message=f"expected at most {most} bytes of environment variables ({kept}), got {size}; "
                f"the largest is {largest}",
                hint="move large values into a file under src/ or into Parameter Store, then run `invoke check`",
            )


def policy_size(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse permissions that no role has room for."""
    for function in workspace.functions:
        size = policy_chars(function, workspace)
        if size > quotas.ROLE_POLICY_CHARS:
            yield Problem(
                subject=function.identity,
                message=f"expected at most {quotas.ROLE_POLICY_CHARS} characters of role policy, got {size} "
                f"from {len(function.options.permissions)} permissions and what Slipway grants",
                hint="name fewer resources, for example by a common prefix, then run `invoke check`",
            )


def http_timeout(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of a function that runs longer than its HTTP API waits."""
    for function in workspace.functions:
        if function.triggers.http and function.timeout_s > quotas.HTTP_TIMEOUT_S:
            yield Problem(
                subject=function.identity,
                message=f"expected a timeout_s of at most {quotas.HTTP_TIMEOUT_S} behind an HTTP route, "
                f"got {function.timeout_s}: the caller has had its 503 by then, and the function runs on",
                hint=f"set timeout_s = {quotas.HTTP_TIMEOUT_S - 1}, or put a queue between, then run `invoke check`",
            )


def queue_concurrency(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of queues that may start more invokes than are reserved: throttled messages become dead letters."""
    for function in workspace.functions:
        reserved = function.reserved_concurrency
        wanted = sum(queue.max_concurrency or 0 for queue in function.triggers.queue)
        if reserved is not None and wanted > reserved:
            yield Problem(
                subject=function.identity,
                message=f"expected the max_concurrency of its queues to add up to at most "
                f"reserved_concurrency {reserved}, got {wanted}",
                hint=f"set reserved_concurrency = {wanted} or more, then run `invoke check`",
            )


def environment_bytes(function: FunctionSpec, workspace: Workspace) -> int:
    """Return what Lambda counts: the variables as compact JSON, in UTF-8, with the ARNs of secrets."""
    secrets = {name: workspace.filled(secret.arn) for name, secret in function.options.secrets.items()}
    variables = {**function.environment, **secrets}
    return len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())


def policy_chars(function: FunctionSpec, workspace: Workspace) -> int:
    """Return the characters of the policy of the function's role, without white space."""
    own = (
        Statement(purpose="", actions=each.actions, resources=tuple(map(workspace.filled, each.resources)))
        for each in function.options.permissions
    )
    statements = [each.as_json() for each in (*statements_of(function, workspace), *own)]
    document = {"Version": "2012-10-17", "Statement": statements}
    return len("".join(json.dumps(document, ensure_ascii=False).split()))

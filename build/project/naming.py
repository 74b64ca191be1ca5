"""Names: what a folder may be called, what AWS will call it, and which known word was meant."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from build.model import Workspace
from build.project import quotas

REPOSITORY_NAME_CHARS = 20
"""Then the default artifact bucket, ``<name>-prod-artifacts-<12 digits>-ap-southeast-1``, has at most 63."""

KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PER_ARCHITECTURE = ("-arm64", "-x86-64")


def kebab_problem(name: str) -> str | None:
    """Say what is wrong with ``name`` as a kebab-case name; None if nothing is."""
    if KEBAB.fullmatch(name):
        return None
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    suggestion = re.sub(r"[^a-z0-9]+", "-", spaced.lower()).strip("-0123456789")
    meant = f"; did you mean `{suggestion}`?" if KEBAB.fullmatch(suggestion) else ""
    return f"expected kebab-case (a letter first, then a-z, 0-9 and single hyphens), got `{name}`{meant}"


def layer_name_problem(name: str) -> str | None:
    """Say what is wrong with ``name`` as a layer's name; None if nothing is."""
    for ending in _PER_ARCHITECTURE:
        if name.endswith(ending):
            return f"expected a name without the ending {ending}, which is kept for a layer's artifacts"
    return kebab_problem(name)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean `memory_mb`?`` for the nearest of ``known``; empty if none is near."""
    from difflib import get_close_matches  # here: most runs name everything right

    by_folded = {candidate.casefold(): candidate for candidate in known}
    near = get_close_matches(word.casefold(), by_folded, n=1)
    return f"; did you mean `{by_folded[near[0]]}`?" if near else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsName:
    """What AWS will call something, and how long it may be."""

    place: str
    """The folder or key it comes from."""
    what: str
    name: str
    most: int


def function_name(prefix: str, function: str) -> AwsName:
    """Return the name that the function called ``function`` shares with its role."""
    most = min(quotas.FUNCTION_NAME_CHARS, quotas.ROLE_NAME_CHARS)
    name = f"{prefix}-{function}"
    return AwsName(place=f"functions/{function}", what="function and role", name=name, most=most)


def queue_names(prefix: str, function: str, trigger: str) -> tuple[str, str]:
    """Return the names of a trigger's queue and of its dead-letter queue."""
    name = f"{prefix}-{function}-{trigger}"
    return name, f"{name}-dead-letter"


def aws_names(workspace: Workspace) -> Iterator[AwsName]:
    """Yield the names that ``workspace`` will have on AWS."""
    for function in workspace.functions:
        yield function_name(workspace.prefix, function.name)
        for queue in function.queues:
            place = f"{function.identity}/function.toml: triggers.queue `{queue.name}`"
            longest = queue_names(workspace.prefix, function.name, queue.name)[-1]
            yield AwsName(place=place, what="dead-letter queue", name=longest, most=quotas.QUEUE_NAME_CHARS)
    for layer in workspace.layers:
        longest = max((f"{workspace.prefix}-{layer.name}{ending}" for ending in _PER_ARCHITECTURE), key=len)
        yield AwsName(place=layer.identity, what="layer", name=longest, most=quotas.LAYER_NAME_CHARS)


def length_problem(aws: AwsName) -> str | None:
    """Say by how much ``aws`` is too long; None if it fits."""
    if len(aws.name) <= aws.most:
        return None
    return f"the AWS name of the {aws.what}: expected at most {aws.most} characters, got {len(aws.name)}: {aws.name}"

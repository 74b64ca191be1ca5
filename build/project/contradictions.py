"""Settings of one function that AWS takes one by one, and not together."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields

from build.model import FunctionSpec
from build.options import DOCKERFILE
from build.rules import quotas

_Problem = tuple[str, str]
"""A key of function.toml, and what is wrong with it."""


_ONLY_IMAGES = 'expected package = "image" beside it, got a zip'


def contradictions(function: FunctionSpec) -> Iterator[str]:
    """Yield a line for each contradiction in what one env gets of ``function``."""
    for rule in (_names, _sources, _variables, _failures, _file_system, _snap_start, _provisioned, _package):
        for key, problem in rule(function):
            yield f"{function.identity}/function.toml: {key}: {problem}"


def _names(function: FunctionSpec) -> Iterator[_Problem]:
    lists = {f"triggers.{each.name}": getattr(function.triggers, each.name) for each in fields(function.triggers)}
    if function.options.provisioned:
        lists["provisioned.schedules"] = function.options.provisioned.schedules
    for key, values in lists.items():
        if isinstance(values, tuple) and key != "triggers.http":
            for name, count in Counter(each.name for each in values).items():
                if count > 1:
                    yield key, f"expected each name once, got `{name}` {count} times"


def _sources(function: FunctionSpec) -> Iterator[_Problem]:
    """Lambda reads a source for a function once: a second event source mapping of both is a ResourceConflictException.

    https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
    """
    for kind in ("queue", "stream"):
        arns = Counter(each.arn for each in getattr(function.triggers, kind) if each.arn)
        yield from ((f"triggers.{kind}", f"expected each arn once, got {arn} twice") for arn in arns if arns[arn] > 1)


def _variables(function: FunctionSpec) -> Iterator[_Problem]:
    for name in sorted(function.environment.keys() & function.options.secrets.keys()):
        yield f"secrets.{name}", f"expected a name that [environment] has not, got {name}, which it has"


def _failures(function: FunctionSpec) -> Iterator[_Problem]:
    if function.options.dead_letter_arn and function.options.asynchronous.on_failure:
        yield "dead_letter_arn", "expected this or asynchronous.on_failure, which tells the reason too, got both"


def _file_system(function: FunctionSpec) -> Iterator[_Problem]:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-filesystem-efs.html."""
    if function.options.file_system and not function.options.network:
        yield "file_system", "expected [network] beside it, since EFS is reached inside a VPC, got none"


def _snap_start(function: FunctionSpec) -> Iterator[_Problem]:
    """https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html."""
    options = function.options
    if not options.snap_start:
        return
    runtime, storage_mb = function.target.runtime, function.ephemeral_storage_mb
    first, most_mb = quotas.SNAP_START_FROM, quotas.SNAP_START_STORAGE_MB
    against = {
        f"python3.{first} or later, got {runtime}": runtime.minor < first,
        "no [provisioned] beside it, got one": options.provisioned,
        "no [file_system] beside it, got one": options.file_system,
        f"an ephemeral_storage_mb of at most {most_mb}, got {storage_mb}": storage_mb > most_mb,
    }
    yield from (("snap_start", f"expected {problem}") for problem, holds in against.items() if holds)


def _provisioned(function: FunctionSpec) -> Iterator[_Problem]:
    """https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html."""
    provisioned, reserved = function.options.provisioned, function.reserved_concurrency
    if provisioned is None or reserved is None:
        return
    most = max(provisioned.max or provisioned.concurrency, *(each.max for each in provisioned.schedules), 0)
    if most > reserved:
        yield "reserved_concurrency", f"expected at least the {most} that [provisioned] may keep ready, got {reserved}"


def _package(function: FunctionSpec) -> Iterator[_Problem]:
    """https://docs.aws.amazon.com/lambda/latest/dg/images-create.html."""
    if not function.is_image:
        if function.base_image:
            yield "base_image", _ONLY_IMAGES
        if function.options.image_config:
            yield "image_config", _ONLY_IMAGES
        if function.dockerfile:
            yield "dockerfile", _ONLY_IMAGES
        return
    if function.dockerfile and not (function.folder / DOCKERFILE).is_file():
        yield "dockerfile", f"expected {function.identity}/{DOCKERFILE}, which it is for, got none"
    if function.foreign_layers:
        yield (
            "layers",
            f"expected folders under layers/, which an image can hold, got {', '.join(function.foreign_layers)}",
        )
    if function.options.snap_start:
        yield "snap_start", "expected a zip beside it, got an image"
    if function.options.code_signing_config_arn:
        yield (
            "code_signing_config_arn",
            "expected a zip beside it, got an image: Lambda checks the signatures of zips alone",
        )

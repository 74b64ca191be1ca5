"""Rules about the room artifacts take, with tables of what takes it."""

from collections.abc import Iterator, Sequence

from build.checks.problem import Problem
from build.model import Artifact, Build, FunctionSpec, Workspace
from build.rules import quotas
from build.store.objects import Store
from build.zips.archives import read_back

_SHOWN = 20
_NEAR = 0.9
"""Of the quota; from here on a function gets a warning."""
_EMPTY_ZIP_BYTES = 22
"""Of the record that ends a zip, which alone is left of one that holds nothing: PKWARE APPNOTE 6.3, 4.3.16."""


def empty_artifact(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse a zip without files: Lambda answers "Uploaded file must be a non-empty zip"."""
    images = {function.identity for function in workspace.functions if function.is_image}
    for artifact in build.artifacts:
        if artifact.size_bytes == _EMPTY_ZIP_BYTES and artifact.identity not in images:
            yield Problem(
                subject=artifact.identity,
                message="expected at least one file, got an empty zip: src/ holds none, and no distribution is locked",
                hint=f"put a module into {artifact.identity}/src/ or name a distribution in "
                f"{artifact.identity}/requirements.in, then run `invoke lock` and `invoke check`",
            )


def function_too_large(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse a function that is too large, unzipped, together with its layers."""
    for function in workspace.functions:
        parts = _parts(function, build)
        total = _total(function, parts, workspace)
        # A layer too large by itself has its own finding; all its functions need not repeat it.
        if parts and total > quotas.UNZIPPED_BYTES and not any(map(_too_large, parts[1:])):
            yield Problem(
                subject=function.identity,
                message=f"{_expected_got(total)} unzipped ({_sum(function, parts, workspace)})",
                hint=_way_out(parts),
                details=_tables(parts),
            )


def function_nearly_too_large(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of a function that has little room left, or may have none with layers of unknown size."""
    for function in workspace.functions:
        parts = _parts(function, build)
        total = _total(function, parts, workspace)
        if parts and _NEAR * quotas.UNZIPPED_BYTES < total <= quotas.UNZIPPED_BYTES:
            share = f"{100 * total / quotas.UNZIPPED_BYTES:.0f} %"
            yield Problem(
                subject=function.identity,
                message=f"{share} of {quotas.UNZIPPED_BYTES:,} bytes are used: {total:,} unzipped "
                f"({_sum(function, parts, workspace)})",
                hint=_way_out(parts),
                details=_tables(parts),
            )


def bytecode_left_out(_workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Warn where the quota left no room for some of the bytecode, so that a cold start compiles."""
    for artifact in build.artifacts:
        left_out = artifact.saved.get("bytecode", 0)
        if left_out:
            yield Problem(
                subject=artifact.identity,
                message=f"{_mb(left_out)} of bytecode stay out, for with it function and layers would pass "
                f"{_mb(quotas.UNZIPPED_BYTES)}: what the handler imports first has it, the rest compiles at cold start",
                hint="take out or replace a large distribution, run `invoke lock`, and see the rest with `invoke size`",
            )


def layer_too_large(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse a layer that is too large by itself, and so fits into no function."""
    names = {layer.identity for layer in workspace.layers}
    for artifact in build.layer_artifacts:
        if artifact.identity in names and _too_large(artifact):
            on = ", ".join(artifact.architectures)
            yield Problem(
                subject=artifact.identity,
                message=f"{_expected_got(artifact.unzipped_bytes)} unzipped on {on}",
                hint=_way_out((artifact,)),
                details=_tables((artifact,)),
            )


def _parts(function: FunctionSpec, build: Build) -> tuple[Artifact, ...]:
    """Return the function's artifact and its layers'; nothing before it is built, nor of an image."""
    if function.is_image or function.name not in build.functions:
        return ()
    return (build.functions[function.name], *build.layers_of(function))


def _total(function: FunctionSpec, parts: Sequence[Artifact], workspace: Workspace) -> int:
    known = sum(workspace.layer_sizes.get(layer, 0) for layer in function.layers)
    return known + sum(part.unzipped_bytes for part in parts)


def _sum(function: FunctionSpec, parts: Sequence[Artifact], workspace: Workspace) -> str:
    """Say what adds up to the total, and what is not in it."""
    terms = [f"{part.identity} {_mb(part.unzipped_bytes)}" for part in parts]
    arns = function.foreign_layers
    terms += [f"{arn} {_mb(workspace.layer_sizes[arn])}" for arn in arns if arn in workspace.layer_sizes]
    unknown = [arn for arn in arns if arn not in workspace.layer_sizes]
    terms += [f"{arn} of unknown size, which [layer_sizes] in slipway.toml may tell" for arn in unknown]
    return ", ".join(terms)


def _way_out(parts: Sequence[Artifact]) -> str:
    """Say where to begin: with the folder's own files, or with what it depends on."""
    own = max(parts, key=lambda part: part.source_bytes)
    largest = max((each.size_bytes for part in parts for each in part.distributions), default=0)
    if own.source_bytes > largest:
        return f"move large files out of {own.identity}/src/, for example to S3, then run `invoke check`"
    return "take out or replace a large distribution, run `invoke lock`, and see the rest with `invoke size`"


def _tables(parts: Sequence[Artifact]) -> tuple[str, ...]:
    distributions = [
        *((each.size_bytes, f"{each.name} {each.version}", part) for part in parts for each in part.distributions),
        *((part.source_bytes, "its own src/", part) for part in parts if part.source_bytes),
    ]
    there = [part for part in parts if part.path.is_file()]
    files = [(member.size_bytes, member.name, part) for part in there for member in read_back(part.path)]
    return (*_table("largest distributions", distributions), *_table("largest files", files))


def _table(title: str, rows: list[tuple[int, str, Artifact]]) -> Iterator[str]:
    """Yield lines of equal columns, which read the same on a terminal and in a log."""
    largest = sorted(rows, key=lambda row: (-row[0], row[1]))[:_SHOWN]
    width = max((len(name) for _, name, _ in largest), default=0)
    if largest:
        yield f"{title}:"
    for size, name, part in largest:
        yield f"{_mb(size):>10}  {name:<{width}}  {part.identity}"


def _too_large(artifact: Artifact) -> bool:
    return artifact.unzipped_bytes > quotas.UNZIPPED_BYTES


def _expected_got(size: int) -> str:
    most = quotas.UNZIPPED_BYTES
    return f"expected at most {most:,} bytes, got {size:,} ({_mb(size - most)} too much)"


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"

"""Rules about what an image says of itself: its manifest, its config, the room it takes.

Docker and other engines run what Lambda refuses, and Lambda refuses one thing at a time:
https://docs.aws.amazon.com/lambda/latest/dg/images-create.html.
"""

import json
from collections.abc import Iterator, Sequence

from build.checks.image_layers import images_in, is_of_aws, layers_in, start_of, starts_as_aws, unreadable
from build.checks.problem import Problem
from build.image import CONFIGS, LAYERS, Assembled
from build.images.assembled import layers_of
from build.images.manifests import ARCHITECTURES
from build.model import Build, FunctionSpec, Workspace
from build.rules import quotas
from build.store.objects import Store

CLIENT = "awslambdaric"
"""The runtime client for Python, on bases that are not AWS's: https://github.com/aws/aws-lambda-python-runtime-interface-client."""
_SMALLER = "take out or replace a large distribution, run `invoke lock`, and see the rest with `invoke size`"
_ALONE = "build one image for one platform, such as with `--provenance=false --sbom=false`"


def manifest(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse indexes, mixtures of Docker's and OCI's words, and kinds of layers that Lambda does not know."""
    for function in workspace.functions:
        made = build.images.get(function.name)
        wrong = _mistyped(made) if made else []
        if made and wrong:
            yield Problem(
                subject=function.identity,
                message=f"the manifest of its image: {'; '.join(wrong)}",
                hint=way_out(function, made, _ALONE),
            )


def _mistyped(made: Assembled) -> list[str]:
    image = made.image
    kind = str(image.said.get("mediaType", ""))
    if "manifests" in image.said:
        return [
            f"expected that of one image, got an index of {len(image.said['manifests'])}{f' ({kind})' * bool(kind)}"
        ]
    reason = unreadable(image)
    if reason:
        return [f"expected one that can be read, got {reason}"]
    kind = image.media_type
    if kind not in CONFIGS:
        return [f"expected {' or '.join(CONFIGS)}, got {kind}"]
    wanted = [("config", image.config_blob.media_type, CONFIGS[kind])]
    wanted += [(f"layer {number}", blob.media_type, LAYERS[kind]) for number, blob in enumerate(image.layers, 1)]
    return [f"{place}: expected {expected}, got {got}" for place, got, expected in wanted if got != expected]


def history(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse a config that tells of more or fewer layers than the manifest has."""
    for function, made in images_in(workspace, build):
        image = made.image
        rows = image.whole_config.get("history") or []
        told = {"diff_ids": len(image.diff_ids)}
        if rows:  # AWS's own bases have none
            told["rows of history that made a layer"] = sum(not row.get("empty_layer") for row in rows)
        wrong = [f"{count} {name}" for name, count in told.items() if count != len(image.layers)]
        if wrong:
            yield Problem(
                subject=function.identity,
                message=f"the config of its image: expected one of each for its {len(image.layers)} layers, "
                f"got {' and '.join(wrong)}",
                hint=way_out(function, made, "build it anew, with another builder if need be"),
            )


def architecture(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse an image for another machine or system."""
    for function, made in images_in(workspace, build):
        wanted = f"linux/{ARCHITECTURES[function.target.architecture]}"
        got = f"{made.image.whole_config.get('os') or 'no system'}/{made.image.architecture or 'no architecture'}"
        if got != wanted:
            yield Problem(
                subject=function.identity,
                message=f"its image: expected {wanted} for architecture {function.target.architecture}, got {got}",
                hint=way_out(function, made, f"build it FROM an image for {wanted}, or change `architecture`"),
            )


def command(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Require what Lambda starts, with the handler where the runtime client looks for it."""
    for function, made in images_in(workspace, build):
        for wrong, change in _miscalled(function, made):
            yield Problem(
                subject=function.identity,
                message=f"the config of its image: {wrong}",
                hint=way_out(function, made, change)
                if made.base is None or not function.options.image_config
                else f"correct `image_config` in {function.identity}/function.toml, then run `invoke check`",
            )


def _miscalled(function: FunctionSpec, made: Assembled) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with what is started, and what to change in a Dockerfile."""
    start, handler = start_of(function, made), (function.handler,)
    last = f'let it end with `CMD ["{function.handler}"]`, or change `handler` in {function.identity}/function.toml'
    if not start.entrypoint and start.command in {(), handler}:
        got = f"CMD {_shown(start.command)} alone"
        change = f'write `ENTRYPOINT ["python", "-m", "{CLIENT}"]`, and install that'
        yield f"expected an ENTRYPOINT that asks Lambda for work, got {got}", change
    elif starts_as_aws(function, made):
        if start.command != handler:
            yield f"expected CMD to be the handler, {_shown(handler)}, got {_shown(start.command)}", last
    elif CLIENT in start.words:
        called = start.words[start.words.index(CLIENT) + 1 :]
        if called != handler:
            yield f"expected {CLIENT} to get the handler, {_shown(handler)}, got {_shown(called)}", last
    for name, words in (("ENTRYPOINT", start.entrypoint), ("CMD", start.command)):
        if len(words) > quotas.IMAGE_WORDS:
            yield f"expected at most {quotas.IMAGE_WORDS:,} words in {name}, got {len(words):,}", f"shorten {name}"
    most = quotas.IMAGE_WORKDIR_CHARS
    if len(start.folder) > most:
        yield f"expected at most {most:,} characters in WORKDIR, got {len(start.folder):,}", "name a shorter WORKDIR"


def _shown(words: Sequence[str]) -> str:
    return json.dumps(words) if words else "none"


def size(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Refuse an image that is too large unpacked; of layers that are not here the compressed size is known."""
    for function, made in images_in(workspace, build):
        sizes = dict(_sizes(function, made, store))
        total = sum(sizes.values())
        if total > quotas.IMAGE_BYTES:
            largest = sorted(sizes.items(), key=lambda row: -row[1])
            yield Problem(
                subject=function.identity,
                message=f"expected at most {quotas.IMAGE_BYTES:,} bytes in all layers of its image, unpacked, "
                f"got {total:,}",
                hint=_SMALLER
                if made.base
                else way_out(function, made, "leave out what is not needed at run time, such as by a second stage"),
                details=("largest layers:", *(f"{count / 1e6:>10.1f} MB  {place}" for place, count in largest[:20])),
            )


def _sizes(function: FunctionSpec, made: Assembled, store: Store) -> Iterator[tuple[str, int]]:
    for layer in layers_in(function, made, store):
        yield str(layer), layer.survey.unpacked_bytes if layer.survey else layer.blob.size_bytes
    if made.base and is_of_aws(function, made):
        yield "AWS's base, compressed", made.base.size_bytes
    for part in made.parts:
        for own in layers_of(part, store):
            yield f"{own.title} ({own.digest.short})", own.unpacked_bytes


def way_out(function: FunctionSpec, made: Assembled, change: str) -> str:
    """Return the hint: a ``change`` for who writes the Dockerfile, another base for all others."""
    if made.base is None:
        return f"{change} ({function.identity}/Dockerfile); then run `invoke build`"
    if is_of_aws(function, made):
        return "pin AWS's base anew by `invoke image.pull-base`, then run `invoke build`"
    return f"name another `base_image` in {function.identity}/function.toml, or mend that one; then run `invoke build`"

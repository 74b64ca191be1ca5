"""Images of a function's own Dockerfile: built by a tool that is here, and taken in so that they are as ours.

The same content gives the same digest, whenever and by whichever tool it was built; what steps of a Dockerfile make of
the day, of the network or of chance is theirs. The base, too, is dated and compressed anew, and so pushed once into
each function's repository instead of being mounted.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from build.digest import Digest
from build.errors import FindingsError, InputError, ToolError
from build.image import Assembled, Image, Part
from build.images.adopting import Adopted, adopt
from build.images.assembled import layers_of
from build.images.builders import Builder, SecretMetError, Secrets, chosen, follow, needed_builder, secrets_of
from build.images.contexts import digest_of
from build.images.instructions import BASE, Instructions
from build.images.layouts import export_archive
from build.images.manifests import ARCHITECTURES, put_on, scratch
from build.model import FunctionSpec
from build.options import DOCKERFILE
from build.store.objects import Store, untouched

_FORMAT = 1
_NOTE = "dockerfile"
_TAG = re.compile(r":[\w.-]+(?=@sha256:)")
"""Before a digest: podman and buildah take one or the other."""
_SHORT = 16

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """An image that is wanted."""

    spec: FunctionSpec
    base: Image | None
    """What the argument BASE stands for; None where the Dockerfile does not ask for it, or the settings say it."""
    key: Digest
    """Of everything that enters the image, but for the values of secrets and what steps fetch from elsewhere."""

    @classmethod
    def of(cls, spec: FunctionSpec, base_of: Callable[[FunctionSpec], Image]) -> "_Order":
        text, settings = Instructions.of(spec.folder), spec.dockerfile
        assert settings, spec.identity
        base = base_of(spec) if wants_base(spec) else None
        said = [
            text.text,
            str(digest_of(spec.folder)),
            sorted(settings.arguments.items()),
            settings.target,
            sorted(settings.secrets.items()),
            spec.target.architecture,
            str(base.digest) if base else "",
            chosen(),
        ]
        return cls(spec=spec, base=base, key=Digest.of_bytes(json.dumps([_FORMAT, *said]).encode()))


def build_images(
    specs: Sequence[FunctionSpec],
    store: Store,
    *,
    base_of: Callable[[FunctionSpec], Image],
    own_layers: Callable[[FunctionSpec], Sequence[Part]],
    logs: Path,
    say: Say,
) -> dict[str, Assembled]:
    """Return the image of every one of ``specs``, by name, built from its Dockerfile or found in ``store``.

    ``base_of`` gives what stands for the argument BASE of Dockerfiles that declare it, and ``own_layers`` what is laid
    on top. What tools print goes to ``logs``. Where nothing changed, no tool is started. Raises InputError where there
    is no tool, or a secret is missing; ToolError where a build fails; FindingsError for a secret in an image.
    """
    orders = [_Order.of(spec, base_of) for spec in specs]
    made = store.recall_each(_NOTE, [order.key for order in orders], lambda note: Adopted.read(note, store))
    missing = {order.key: order for order in orders if order.key not in made}
    if missing:
        builder = needed_builder([order.spec for order in missing.values()])
        secrets = secrets_of([order.spec for order in missing.values()], builder)
        for (key, order), own in zip(missing.items(), secrets, strict=True):
            made[key] = _built(order, builder, own, store, logs=logs, say=say)
            if _Order.of(order.spec, base_of).key != key:  # one that says one thing must never lead to another
                raise ToolError(
                    f"{order.spec.identity} changed while its image was being built", hint="run the same command again"
                )
            store.remember(_NOTE, key, made[key].noted)
    return {order.spec.name: _laid_on(made[order.key], order.spec, own_layers(order.spec), store) for order in orders}


def wants_base(spec: FunctionSpec) -> bool:
    """Tell whether the image of ``spec`` stands on the base that is pinned; a Dockerfile may name its own."""
    if spec.dockerfile is None:
        return True
    return BASE not in spec.dockerfile.arguments and Instructions.of(spec.folder).wants_base


def is_known(spec: FunctionSpec, store: Store, *, base_of: Callable[[FunctionSpec], Image]) -> bool:
    """Tell whether `build_images` finds the image of ``spec`` in ``store``, and needs no tool."""
    return store.recall(_NOTE, _Order.of(spec, base_of).key, lambda note: Adopted.read(note, store)) is not None


def _built(order: _Order, builder: Builder, secrets: Secrets, store: Store, *, logs: Path, say: Say) -> Adopted:
    spec, settings = order.spec, order.spec.dockerfile
    assert settings, spec.identity
    log = logs / f"{spec.name}.log"

    def run(words: Sequence[str], doing: str, tell: Say = lambda _: None) -> None:
        what = f"{doing} {spec.identity}"
        say(what)
        follow(words, builder, doing=what, log=log, say=tell, secrets=secrets)

    wanted = ARCHITECTURES[spec.target.architecture]
    name = f"localhost/slipway/{spec.name}:{order.key.hex[:_SHORT]}"
    with store.scratch() as folder:
        logs.mkdir(parents=True, exist_ok=True)
        log.write_text("", "utf-8")
        arguments = dict(settings.arguments)
        if order.base:
            arguments[BASE] = _offered(
                order.base, spec, store, lambda archive: run(builder.load_words(archive), "bringing the base of")
            )
        words = builder.build_words(name, f"linux/{wanted}")
        for key, value in arguments.items():
            words += ["--build-arg", f"{key}={value}"]
        words += ["--target", settings.target] if settings.target else []
        run([*words, *secrets.words, "--file", str(spec.folder / DOCKERFILE), str(spec.folder)], "building", say)
        run(builder.save_words(name, folder / "image.tar"), "saving")
        made = _taken_in(folder / "image.tar", spec, store, secrets)
    if made.architecture != wanted:
        raise InputError(
            f"{spec.identity}/{DOCKERFILE} gives an image for another machine",
            facts=[f"expected {wanted}, got {made.architecture or 'nothing'}"],
            hint="take a base that is for both, and no --platform in FROM, then run `invoke build`",
        )
    return made


def _taken_in(archive: Path, spec: FunctionSpec, store: Store, secrets: Secrets) -> Adopted:
    try:
        return adopt(archive, store, watch=secrets.watch)
    except SecretMetError:
        raise FindingsError(
            f"a secret of {spec.identity}/{DOCKERFILE} is in its image",
            facts=["everybody who may pull the image may read it, in whatever layer it is"],
            hint="let the step that needs it read it from /run/secrets alone and write it nowhere, then run "
            "`invoke build`",
        ) from None


def _offered(base: Image, spec: FunctionSpec, store: Store, load: Callable[[Path], None]) -> str:
    """Return a name by which the tool finds ``base``: in the registry, or as it is here once it is loaded."""
    if not all(untouched(store.blob(layer.digest), layer.size_bytes) for layer in base.layers):
        return _TAG.sub("", spec.base_image)
    name = f"localhost/slipway/base:{base.digest.hex[:_SHORT]}"
    with store.scratch() as folder:
        export_archive(base, lambda blob: store.blob(blob.digest), folder / "base.tar", tag=name)
        load(folder / "base.tar")
    return name


def _laid_on(made: Adopted, spec: FunctionSpec, parts: Sequence[Part], store: Store) -> Assembled:
    """Return the image with Lambda layers on top; it runs what the Dockerfile says, or else the handler."""
    settings = dict(made.settings)
    layers = [*made.layers, *(layer for part in parts for layer in layers_of(part, store))]
    command = settings.pop("Cmd", None) or [spec.handler]
    image = put_on(scratch(made.architecture), layers, command=command, settings=settings)
    return Assembled(image=image, base=None, parts=tuple(parts))

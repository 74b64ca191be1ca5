"""What a function finds beside its zip and its layers: what the runtime brings, or in its place a base of one's own."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from build.checks.distributions import BUNDLED
from build.checks.image_layers import files_in, is_of_aws, layers_in, names_aws, start_of, starts_as_aws
from build.image import Assembled
from build.model import Build, FunctionSpec
from build.store.objects import Store

_PACKAGES = ("site-packages", "dist-packages")
_SUFFIXES = (".py", ".so", ".pyc")


@dataclass(frozen=True, slots=True)
class Beyond:
    """What there is besides zip, layers and standard library."""

    modules: frozenset[str]
    """At the top, whole."""
    unseen: tuple[str, ...]
    """What may hold more, though nobody looked into it: layers by ARN, base images that are not here."""


def modules_beyond(function: FunctionSpec, build: Build, store: Store) -> Beyond:
    """Return which modules ``function`` finds that neither it nor its layers bring, unless a Dockerfile says it."""
    made = build.images.get(function.name)
    if made is None or made.base is None or is_of_aws(function, made):
        return Beyond(BUNDLED, function.foreign_layers)
    layers = layers_in(function, made, store)
    if not all(layer.survey for layer in layers):
        return Beyond(frozenset(), (function.base_image,))
    files = files_in(made, layers)
    modules = {module for root in roots_of(function, made, files) for module in _modules_in(f"{root}/", files)}
    return Beyond(frozenset(modules).union(BUNDLED if starts_as_aws(function, made) else ()), ())


def libraries_beyond(function: FunctionSpec) -> tuple[str, ...]:
    """Return where libraries may be although nobody looks for them there."""
    if function.dockerfile:
        return (f"{function.identity}/Dockerfile",)
    return function.foreign_layers if names_aws(function) else (function.base_image,)


def roots_of(function: FunctionSpec, made: Assembled, files: Collection[str]) -> tuple[str, ...]:
    """Return the folders in which Python looks for modules of the function, relative; empty for the root."""
    variables = dict(str(each).partition("=")[::2] for each in made.image.settings.get("Env") or [])
    named = [start_of(function, made).folder, variables.get("LAMBDA_TASK_ROOT", "/var/task")]
    named += variables.get("PYTHONPATH", "").split(":")
    packages = (path for path in files if path.endswith(_PACKAGES) or path == "opt/python")
    return tuple(dict.fromkeys([*(each.strip("/") for each in named), *packages]))


def _modules_in(folder: str, files: Collection[str]) -> Iterator[str]:
    for path in files:
        first, slash, _ = path.removeprefix(folder).partition("/") if path.startswith(folder) else ("", "", "")
        if slash or first.endswith(_SUFFIXES):
            yield first.partition(".")[0]

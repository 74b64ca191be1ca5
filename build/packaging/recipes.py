"""Recipes: what each archive is made of, worked out before a byte of it is written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from build.digest import Digest
from build.errors import InputError
from build.model import Architecture, FunctionSpec, LayerSpec, Runtime, Target, Wheel, Workspace
from build.packaging.bytecode import FORMAT
from build.packaging.sources import SourceFile, read_source
from build.project.interpreters import release_of
from build.wheels.resolve import Resolved

_FUNCTION_MOUNT, _LAYER_MOUNT = "/var/task", "/opt"
"""Where Lambda unpacks them: https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Wheels that land in one folder of an archive, for one runtime."""

    folder: str
    """Below the archive's root; empty for a function."""
    runtime: Runtime
    compiled_by: str
    """Full version of the Python that makes the bytecode, such as ``3.13.0``."""
    wheels: tuple[Wheel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How much bytecode an archive may hold."""

    room_bytes: int
    roots: tuple[str, ...]
    """Modules, dotted, whose bytecode comes first, with that of what they import."""
    wanted_bytes: int
    """All there would be."""


@dataclass(frozen=True, kw_only=True)  # no slots: a cached property needs room
class Recipe:
    """Everything one archive is made of. Equal recipes give equal bytes."""

    identity: str
    mount: str
    """Where Lambda unpacks the archive."""
    parts: tuple[Part, ...]
    """One per runtime."""
    source: tuple[SourceFile, ...]
    source_folder: str
    """Where the folder's own src/ lands, below the archive's root."""
    keep: tuple[str, ...]
    """Slimming rules that are off."""
    limit: Limit | None = None
    """None where all bytecode ships."""

    @cached_property
    def key(self) -> Digest:
        """Of everything that enters the bytes."""
        source = [[file.path, file.executable, file.digest.hex] for file in self.source]
        return Digest.of_bytes(json.dumps([self.dependencies_key.hex, self.source_folder, source]).encode())

    @cached_property
    def dependencies_key(self) -> Digest:
        """Of everything that the archive begins with: recipes that agree in it share these bytes."""
        parts = [[part.folder, part.compiled_by, [w.digest.hex for w in part.wheels]] for part in self.parts]
        limit = [self.identity, self.limit.room_bytes, self.limit.roots] if self.limit else None
        return Digest.of_bytes(json.dumps([FORMAT, self.mount, parts, sorted(self.keep), limit]).encode())

    @property
    def wheels(self) -> tuple[Wheel, ...]:
        """Each wheel once, sorted by name."""
        by_name = {(wheel.name, wheel.digest): wheel for part in self.parts for wheel in part.wheels}
        return tuple(by_name[key] for key in sorted(by_name))

    def mounted(self, folder: str) -> str:
        """Return where ``folder`` of the archive is on Lambda."""
        return f"{self.mount}/{folder}" if folder else self.mount


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipes:
    """The recipes of a workspace."""

    functions: Mapping[str, Recipe]
    layers: Mapping[tuple[str, Architecture], Recipe]

    @property
    def all(self) -> tuple[Recipe, ...]:
        """Layers first."""
        return (*self.layers.values(), *self.functions.values())

    def limited(self, limits: Mapping[str | tuple[str, Architecture], Limit]) -> "Recipes":
        """Return the recipes with ``limits``, which are by name of a function, or by place of a layer."""
        return Recipes(
            functions={name: replace(recipe, limit=limits.get(name)) for name, recipe in self.functions.items()},
            layers={place: replace(recipe, limit=limits.get(place)) for place, recipe in self.layers.items()},
        )


def recipes_of(workspace: Workspace, resolved: Resolved) -> Recipes:
    """Return the recipes.

    Raises InputError with every file under a src/ that cannot ship; ToolError where there is no Python for a runtime.
    """
    sources = _sources(workspace)
    return Recipes(
        functions={s.name: _function_recipe(s, resolved, sources[s.identity]) for s in workspace.functions},
        layers={
            (s.name, a): _layer_recipe(s, a, resolved, sources[s.identity])
            for s in workspace.layers
            for a in s.architectures
        },
    )


def _sources(workspace: Workspace) -> dict[str, tuple[SourceFile, ...]]:
    """Return every src/ by identity, each read once."""
    sources: dict[str, tuple[SourceFile, ...]] = {}
    refusals: list[InputError] = []
    for spec in workspace.specs:
        try:
            sources[spec.identity] = read_source(spec.folder / "src", workspace.root)
        except InputError as refusal:
            refusals.append(refusal)
    if refusals:
        first = refusals[0]
        raise InputError(first.summary, facts=[fact for each in refusals for fact in each.facts], hint=first.hint)
    return sources


def _function_recipe(spec: FunctionSpec, resolved: Resolved, source: tuple[SourceFile, ...]) -> Recipe:
    """Leave out what the function's layers already hold."""
    held = {wheel.name for identity in _layers_of(spec) for wheel in resolved[identity, spec.target]}
    wheels = tuple(wheel for wheel in resolved[spec.identity, spec.target] if wheel.name not in held)
    return Recipe(
        identity=spec.identity,
        mount=_FUNCTION_MOUNT,
        parts=(_part("", spec.target.runtime, wheels),),
        source=source,
        source_folder="",
        keep=spec.keep,
    )


def _layer_recipe(
    spec: LayerSpec, architecture: Architecture, resolved: Resolved, source: tuple[SourceFile, ...]
) -> Recipe:
    """Put one runtime's wheels in python/, those of several in the folders that only one runtime reads."""
    alone = len(spec.runtimes) == 1
    return Recipe(
        identity=spec.identity,
        mount=_LAYER_MOUNT,
        parts=tuple(
            _part(
                "python" if alone else f"python/lib/{runtime}/site-packages",
                runtime,
                resolved[spec.identity, Target(runtime, architecture)],
            )
            for runtime in spec.runtimes
        ),
        source=source,
        source_folder="python",
        keep=spec.keep,
    )


def _part(folder: str, runtime: Runtime, wheels: tuple[Wheel, ...]) -> Part:
    return Part(folder=folder, runtime=runtime, compiled_by=release_of(runtime), wheels=wheels)


def _layers_of(spec: FunctionSpec) -> tuple[str, ...]:
    """Return the identities of the repository's own layers that ``spec`` uses."""
    return tuple(f"layers/{name}" for name in spec.own_layers)

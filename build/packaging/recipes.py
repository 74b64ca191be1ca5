"""Recipes: what each archive is made of, worked out before a byte of it is written."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from build.digest import Digest
from build.errors import InputError
from build.model import Architecture, FunctionSpec, LayerSpec, Runtime, Target, Wheel, Workspace
from build.packaging.resolve import Resolved
from build.packaging.trees import SourceFile, read_source

_FORMAT = 1
"""Raise it when the same inputs shall give other bytes."""

_FUNCTION_MOUNT, _LAYER_MOUNT = "/var/task", "/opt"
"""Where Lambda unpacks them: https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Wheels that land in one folder of an archive, for one runtime."""

    folder: str
    """Below the archive's root; empty for a function."""
    runtime: Runtime
    wheels: tuple[Wheel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
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

    @property
    def key(self) -> Digest:
        """Of everything that enters the bytes."""
        parts = [[part.folder, str(part.runtime), [w.digest.hex for w in part.wheels]] for part in self.parts]
        source = [[file.path, file.executable, Digest.of_bytes(file.data).hex] for file in self.source]
        return Digest.of_bytes(json.dumps([_FORMAT, self.mount, parts, self.source_folder, source]).encode())

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


def recipes_of(workspace: Workspace, resolved: Resolved) -> Recipes:
    """Return the recipes; raise InputError where a function and its layers hold different versions."""
    clashes = [clash for spec in workspace.functions for clash in _clashes(spec, resolved)]
    if clashes:
        raise InputError(
            "functions and their layers hold different versions",
            facts=clashes,
            hint="run `invoke lock`, which constrains a function by the locks of its layers",
        )
    return Recipes(
        functions={spec.name: _function_recipe(spec, resolved) for spec in workspace.functions},
        layers={(s.name, a): _layer_recipe(s, a, resolved) for s in workspace.layers for a in s.architectures},
    )


def _clashes(spec: FunctionSpec, resolved: Resolved) -> list[str]:
    clashes = []
    holders: dict[str, tuple[str, str]] = {}
    for identity in (*_own_layers(spec), spec.identity):
        for wheel in resolved[identity, spec.target]:
            version, holder = holders.setdefault(wheel.name, (wheel.version, identity))
            if version != wheel.version:
                clashes.append(
                    f"{spec.identity}: {wheel.name} is {version} in {holder} and {wheel.version} in {identity}"
                )
    return clashes


def _function_recipe(spec: FunctionSpec, resolved: Resolved) -> Recipe:
    """Leave out what the function's layers already hold."""
    held = {wheel.name for identity in _own_layers(spec) for wheel in resolved[identity, spec.target]}
    wheels = tuple(wheel for wheel in resolved[spec.identity, spec.target] if wheel.name not in held)
    return Recipe(
        identity=spec.identity,
        mount=_FUNCTION_MOUNT,
        parts=(Part(folder="", runtime=spec.target.runtime, wheels=wheels),),
        source=read_source(spec.folder / "src"),
        source_folder="",
    )


def _layer_recipe(spec: LayerSpec, architecture: Architecture, resolved: Resolved) -> Recipe:
    """Put one runtime's wheels in python/, those of several in the folders that only one runtime reads."""
    alone = len(spec.runtimes) == 1
    return Recipe(
        identity=spec.identity,
        mount=_LAYER_MOUNT,
        parts=tuple(
            Part(
                folder="python" if alone else f"python/lib/{runtime}/site-packages",
                runtime=runtime,
                wheels=resolved[spec.identity, Target(runtime, architecture)],
            )
            for runtime in spec.runtimes
        ),
        source=read_source(spec.folder / "src"),
        source_folder="python",
    )


def _own_layers(spec: FunctionSpec) -> tuple[str, ...]:
    """Return the identities of the repository's own layers that ``spec`` uses."""
    return tuple(f"layers/{name}" for name in spec.layers if not name.startswith("arn:"))

"""What a workspace needs of the store: all that the next build would look for, without making any of it."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from build.digest import Digest
from build.errors import InputError, ToolError
from build.image import Image
from build.images.dockerfile import wants_base
from build.locking.locks import Lock, targets_of
from build.model import FunctionSpec, Workspace
from build.packaging.assemble import build_workspace
from build.packaging.ingredients import prepare
from build.packaging.recipes import recipes_of
from build.store.objects import Store
from build.wheels.resolve import Request, resolve


class _NotHereError(Exception):
    """Something would have to be made."""


@dataclass(frozen=True, slots=True)
class _Watched(Store):
    """A store that gives what it has, notes what it is asked for, and makes nothing."""

    asked: set[Path] = field(default_factory=set)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        yield _nowhere()

    def wheel(self, digest: Digest, filename: str) -> Path:
        return self._noted(Store.wheel(self, digest, filename))

    def artifact(self, digest: Digest) -> Path:
        return self._noted(Store.artifact(self, digest))

    def blob(self, digest: Digest) -> Path:
        return self._noted(Store.blob(self, digest))

    def bytecode(self, key: Digest) -> Path:
        return self._noted(Store.bytecode(self, key))

    def note(self, subject: str, key: Digest) -> Path:
        return self._noted(Store.note(self, subject, key))

    def remember(self, subject: str, key: Digest, value: object) -> None:
        """Forget it."""

    def _noted(self, path: Path) -> Path:
        self.asked.add(path)
        return path


def _nowhere() -> Path:
    raise _NotHereError


def needs(
    workspace: Workspace,
    locks: Mapping[str, Lock],
    store: Store,
    *,
    on_progress: Callable[[str], None],
    bases: Callable[[Store], Callable[[FunctionSpec], Image]] | None = None,
) -> frozenset[Path]:
    """Return the paths in ``store`` that builds of ``workspace`` use: artifacts, wheels, bytecode, layers and notes.

    Looks at all of it, for layers follow from every function that uses them, and then at one function after the
    other: where one was never built here, the others' needs are known nevertheless.
    """
    watched = _Watched(store.root)
    base_of = bases(watched) if bases else None
    parts = [workspace, *([replace(workspace, functions=())] if workspace.layers else [])]
    for spec in workspace.functions:
        own = tuple(layer for layer in workspace.layers if layer.name in spec.own_layers)
        parts.append(replace(workspace, functions=(spec,), layers=own))
    for part in parts:
        on_progress(f"{workspace.env.name}: {', '.join(spec.name for spec in part.functions) or 'layers'}")
        for look in (_artifacts, _ingredients, _bases):
            with suppress(_NotHereError, ToolError, InputError):  # no Python of its runtime here, no base
                look(part, locks, watched, base_of)
    return frozenset(watched.asked)


def _bases(workspace: Workspace, _: object, store: Store, base_of: Callable[[FunctionSpec], Image] | None) -> None:
    """Ask for what images stand on, with the layers: whoever pushes one needs them."""
    for spec in workspace.functions:
        if base_of and spec.is_image and wants_base(spec):
            for layer in base_of(spec).layers:
                store.blob(layer.digest)


def _artifacts(
    workspace: Workspace,
    locks: Mapping[str, Lock],
    store: Store,
    base_of: Callable[[FunctionSpec], Image] | None,
) -> None:
    build_workspace(workspace, locks, store, on_progress=_ignored, base_of=base_of)


def _ingredients(workspace: Workspace, locks: Mapping[str, Lock], store: Store, _: object) -> None:
    requests = [Request(locks[spec.identity], target) for spec in workspace.specs for target in targets_of(spec)]
    recipes = recipes_of(workspace, resolve(requests, store, on_progress=_ignored))
    with ThreadPoolExecutor(2) as pool:
        prepare(recipes.all, store, pool, require=lambda _: None, on_progress=_ignored)


def _ignored(_: str) -> None:
    """Say nothing."""

"""From recipes to artifacts: compile, merge, write once, and know them again the next time."""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from os import cpu_count
from typing import Any

from build.digest import Digest
from build.errors import InputError
from build.locking.locks import Lock, targets_of
from build.model import Architecture, Artifact, Build, Distribution, Runtime, Workspace
from build.packaging.archives import write_archive
from build.packaging.bytecode import compile_source, compile_wheel, read_overlay
from build.packaging.recipes import Recipe, recipes_of
from build.packaging.resolve import Request, resolve
from build.packaging.trees import Tree, below, merge, pack
from build.packaging.wheels import read_tree
from build.store.objects import Store, untouched, verified


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A zip in the store, made from a recipe."""

    digest: Digest
    size_bytes: int
    unzipped_bytes: int
    source_bytes: int
    distributions: tuple[Distribution, ...]
    changed: bool


Bytecode = Mapping[tuple[str, Runtime], Tree]
"""Of every folder's own source, by identity and runtime."""


def build_workspace(
    workspace: Workspace, locks: Mapping[str, Lock], store: Store, *, on_progress: Callable[[str], None]
) -> Build:
    """Return every artifact of ``workspace``, built or found in ``store``."""
    requests = [Request(locks[spec.identity], target) for spec in workspace.specs for target in targets_of(spec)]
    recipes = recipes_of(workspace, resolve(requests, store, on_progress=on_progress))
    archives = _make(recipes.all, store, on_progress)
    layers = {place: archives[recipe.key] for place, recipe in recipes.layers.items()}
    return Build(
        functions={
            spec.name: _artifact(
                archives[recipes.functions[spec.name].key],
                store,
                identity=spec.identity,
                key=spec.name,
                architectures=(spec.target.architecture,),
            )
            for spec in workspace.functions
        },
        layers={place: _layer_artifact(place, layers, store) for place in layers},
    )


def _make(recipes: Iterable[Recipe], store: Store, on_progress: Callable[[str], None]) -> dict[Digest, Archive]:
    """Return an archive per recipe key; equal recipes are assembled once."""
    by_key = {recipe.key: recipe for recipe in recipes}
    made = {key: archive for key in by_key if (archive := store.recall("archive", key, partial(_known, store)))}
    missing = [recipe for key, recipe in by_key.items() if key not in made]
    with ThreadPoolExecutor(cpu_count() or 1) as pool:  # each compilation is a process of its own
        sources = _compile_sources(missing, store, pool)
        _compile_wheels(missing, store, pool, on_progress)
    for recipe in missing:
        on_progress(f"assembling {recipe.identity}")
        made[recipe.key] = _assemble(recipe, sources, store)
    return made


def _compile_sources(recipes: Iterable[Recipe], store: Store, pool: Executor) -> Bytecode:
    """Compile every src/ once for each runtime; raise InputError with all modules that do not compile."""
    jobs = {(recipe.identity, part.runtime): recipe for recipe in recipes for part in recipe.parts}

    def compile_one(job: tuple[str, Runtime]) -> tuple[Tree, Mapping[str, str]]:
        recipe, (owner, runtime) = jobs[job], job
        return compile_source(recipe.source, runtime, recipe.mounted(recipe.source_folder), store, owner=owner)

    made = dict(zip(jobs, pool.map(compile_one, jobs), strict=True))
    facts = [
        f"{owner}/src/{path}: {reason} ({runtime})"
        for (owner, runtime), (_, failed) in made.items()
        for path, reason in failed.items()
    ]
    if facts:
        raise InputError("source that does not compile", facts=facts, hint="mend it, then run `invoke build`")
    return {job: tree for job, (tree, _) in made.items()}


def _compile_wheels(
    recipes: Collection[Recipe], store: Store, pool: Executor, on_progress: Callable[[str], None]
) -> None:
    """Check every wheel once, and make the bytecode that the store lacks."""
    jobs = {
        (wheel, part.runtime, recipe.mounted(part.folder)): wheel.path.stat().st_size
        for recipe in recipes
        for part in recipe.parts
        for wheel in part.wheels
    }
    if not jobs:
        return
    # The largest first, so that no core idles while the last one works.
    ordered = sorted(jobs, key=lambda job: jobs[job], reverse=True)
    wheels = dict.fromkeys(wheel for wheel, _, _ in ordered)
    on_progress(f"checking and compiling {len(wheels)} wheels")
    for _ in pool.map(lambda wheel: verified(wheel.path, wheel.digest), wheels):
        pass
    for _ in pool.map(lambda job: compile_wheel(job[0], job[1], job[2], store), ordered):
        pass


def _assemble(recipe: Recipe, sources: Bytecode, store: Store) -> Archive:
    tree = _tree(recipe, sources, store)
    with store.scratch() as folder:
        draft = folder / "artifact.zip"
        digest, size_bytes = write_archive(tree, draft)
        store.keep(draft, store.artifact(digest))
    sizes = _sizes(tree)
    archive = Archive(
        digest=digest,
        size_bytes=size_bytes,
        unzipped_bytes=sum(entry.size_bytes for entry in tree),
        source_bytes=sizes.get(recipe.identity, 0),
        distributions=tuple(
            Distribution(
                name=wheel.name, version=wheel.version, size_bytes=sizes.get(wheel.name, 0), wheel=wheel.digest
            )
            for part in recipe.parts
            for wheel in part.wheels
        ),
        changed=True,
    )
    store.remember("archive", recipe.key, asdict(archive))
    return archive


def _tree(recipe: Recipe, sources: Bytecode, store: Store) -> Tree:
    pieces = [below(recipe.source_folder, pack(recipe.source, owner=recipe.identity))]
    for part in recipe.parts:
        mount = recipe.mounted(part.folder)
        for wheel in part.wheels:
            overlay = read_overlay(compile_wheel(wheel, part.runtime, mount, store), owner=wheel.name)
            pieces += [below(part.folder, read_tree(wheel)), below(part.folder, overlay)]
        pieces.append(below(recipe.source_folder, sources[recipe.identity, part.runtime]))
    return merge(*pieces)


def _sizes(tree: Tree) -> dict[str, int]:
    """Return unzipped bytes per owner."""
    owned = sorted(tree, key=lambda entry: entry.owner)
    return {owner: sum(e.size_bytes for e in entries) for owner, entries in groupby(owned, lambda e: e.owner)}


def _known(store: Store, note: Any) -> Archive | None:
    """Read a note of `_assemble`; None if the artifact is gone, or something wrote to it."""
    digest = Digest.parse(note["digest"]["hex"])
    if not untouched(store.artifact(digest)):
        return None
    distributions = tuple(
        Distribution(**{**row, "wheel": Digest.parse(row["wheel"]["hex"])}) for row in note["distributions"]
    )
    return Archive(**{**note, "digest": digest, "distributions": distributions, "changed": False})


def _layer_artifact(
    place: tuple[str, Architecture], layers: Mapping[tuple[str, Architecture], Archive], store: Store
) -> Artifact:
    """Name the artifact after its layer, and after its architecture where the bytes differ by it."""
    name, architecture = place
    archive = layers[place]
    of_layer = [other for other in layers if other[0] == name]
    same = tuple(a for n, a in of_layer if layers[n, a].digest == archive.digest)
    key = name if len(same) == len(of_layer) else f"{name}-{architecture.replace('_', '-')}"
    return _artifact(archive, store, identity=f"layers/{name}", key=key, architectures=same)


def _artifact(
    archive: Archive, store: Store, *, identity: str, key: str, architectures: tuple[Architecture, ...]
) -> Artifact:
    return Artifact(
        identity=identity,
        key=key,
        architectures=architectures,
        path=store.artifact(archive.digest),
        digest=archive.digest,
        size_bytes=archive.size_bytes,
        unzipped_bytes=archive.unzipped_bytes,
        source_bytes=archive.source_bytes,
        distributions=archive.distributions,
        changed=archive.changed,
    )

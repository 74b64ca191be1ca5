"""From recipes to artifacts: compile, merge, write once, and know them again the next time."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from os import cpu_count
from typing import Any, Self

from build.digest import Digest
from build.image import Assembled, Image, Part
from build.locking.locks import Lock, targets_of
from build.model import Architecture, Artifact, Build, Distribution, FunctionSpec, Wheel, Workspace
from build.packaging.budget import rooms, roots_of
from build.packaging.ingredients import Ingredients, prepare
from build.packaging.recipes import Limit, Recipe, Recipes, recipes_of
from build.rules.quotas import UNZIPPED_BYTES
from build.store.objects import Store, untouched
from build.wheels.resolve import Request, require, resolve
from build.zips.archives import Beginning, write_archive
from build.zips.spill import Spill
from build.zips.trees import Ground, Tree

_GROUPS_AT_ONCE = 16
"""Of archives that begin alike. What they begin with is held in memory, a megabyte for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A zip in the store, made from a recipe."""

    digest: Digest
    size_bytes: int
    unzipped_bytes: int
    source_bytes: int
    bytecode_bytes: int
    dependencies: int
    """How many of its members, from the first, distributions bring."""
    distributions: tuple[Distribution, ...]
    saved: Mapping[str, int]
    changed: bool


def build_workspace(
    workspace: Workspace,
    locks: Mapping[str, Lock],
    store: Store,
    *,
    on_progress: Callable[[str], None],
    base_of: Callable[[FunctionSpec], Image] | None = None,
) -> Build:
    """Return every artifact of ``workspace``, built or found in ``store``.

    ``base_of`` gives the base of a function that ships as an image.
    """
    requests = [Request(locks[spec.identity], target) for spec in workspace.specs for target in targets_of(spec)]
    recipes = recipes_of(workspace, resolve(requests, store, on_progress=on_progress))
    needed = partial(require, requests=requests, store=store, on_progress=on_progress)
    archives = _make(recipes.all, store, needed, on_progress)
    limits = _limits(workspace, recipes, archives)
    if limits:
        recipes = recipes.limited(limits)
        archives |= _make(recipes.all, store, needed, on_progress)
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
        images=_images(workspace, recipes, archives, store, base_of, on_progress=on_progress) if base_of else {},
    )


def _images(
    workspace: Workspace,
    recipes: Recipes,
    archives: Mapping[Digest, Archive],
    store: Store,
    base_of: Callable[[FunctionSpec], Image],
    *,
    on_progress: Callable[[str], None],
) -> dict[str, Assembled]:
    """Return an image of every function that ships as one: its Lambda layers, its distributions, its code.

    Where there is a Dockerfile: what that makes, with its Lambda layers on top.
    """
    specs = [spec for spec in workspace.functions if spec.is_image]
    if not specs:
        return {}
    from build.images.assembled import assemble, key_of, remember_zips
    from build.images.dockerfile import build_images

    def layers(spec: FunctionSpec) -> Iterator[Part]:
        for name in spec.own_layers:
            layer = archives[recipes.layers[name, spec.target.architecture].key]
            path, title = store.artifact(layer.digest), f"Lambda layer {name}"
            yield Part(archive=path, key=key_of(title, layer.digest), folder="opt", title=title)

    def parts(spec: FunctionSpec) -> Iterator[Part]:
        yield from layers(spec)
        recipe = recipes.functions[spec.name]
        archive = archives[recipe.key]
        path, folder, count = store.artifact(archive.digest), recipe.mount.lstrip("/"), archive.dependencies
        key = key_of("packages", recipe.dependencies_key)
        yield Part(archive=path, key=key, folder=folder, end=count, title="packages")
        yield Part(archive=path, key=key_of("code", archive.digest), folder=folder, start=count, title="code")

    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        images = {
            spec.name: assemble(base_of(spec), tuple(parts(spec)), store, pool, command=[spec.handler])
            for spec in specs
            if not spec.dockerfile
        }
    for made in images.values():
        *below, code = dict.fromkeys(Digest(part.archive.stem) for part in made.parts)
        remember_zips(made.image, [code, *below], store)
    return images | build_images(
        [spec for spec in specs if spec.dockerfile],
        store,
        base_of=base_of,
        own_layers=lambda spec: tuple(layers(spec)),
        logs=workspace.generated / "logs",
        say=on_progress,
    )


def _limits(
    workspace: Workspace, recipes: Recipes, archives: Mapping[Digest, Archive]
) -> dict[str | tuple[str, Architecture], Limit]:
    """Return the limits of functions and layers that are together too large for all their bytecode.

    A layer gives way to the functions of ``workspace``: with `build --only`, whose bytes are for nobody to deploy,
    one that is too large for other functions keeps more than in a full build.
    """
    limits: dict[str | tuple[str, Architecture], Limit] = {}
    for spec in workspace.functions:
        if spec.is_image:  # it has room for all
            continue
        function = recipes.functions[spec.name]
        layers = {(name, spec.target.architecture) for name in spec.own_layers}
        all_of_it: dict[str | tuple[str, Architecture], Recipe] = {
            spec.name: function,
            **{place: recipes.layers[place] for place in sorted(layers)},
        }
        made = {place: archives[recipe.key] for place, recipe in all_of_it.items()}
        quota = UNZIPPED_BYTES - sum(workspace.layer_sizes.get(layer, 0) for layer in spec.layers)
        left = rooms(quota, {place: (each.unzipped_bytes, each.bytecode_bytes) for place, each in made.items()})
        for place, room in left.items():
            before = limits.get(place)
            roots = (*(before.roots if before else ()), *roots_of(function.source, spec.handler))
            room_bytes = min(room, before.room_bytes if before else room)
            limits[place] = Limit(room_bytes=room_bytes, roots=roots, wanted_bytes=made[place].bytecode_bytes)
    return limits


def _make(
    recipes: Iterable[Recipe],
    store: Store,
    needed: Callable[[Collection[Wheel]], None],
    on_progress: Callable[[str], None],
) -> dict[Digest, Archive]:
    """Return an archive per recipe key; equal recipes are assembled once."""
    by_key = {recipe.key: recipe for recipe in recipes}
    made = store.recall_each("archive", by_key, partial(_known, store))
    missing = {key: recipe for key, recipe in by_key.items() if key not in made}
    if missing:
        with ThreadPoolExecutor(cpu_count() or 1) as pool:  # compilers are processes; large reads let others run
            shared = prepare(missing.values(), store, pool, require=needed, on_progress=on_progress)
            made.update(_assemble(missing, shared, store, pool, on_progress))
    return made


def _assemble(
    recipes: Mapping[Digest, Recipe],
    shared: Ingredients,
    store: Store,
    pool: Executor,
    on_progress: Callable[[str], None],
) -> Iterator[tuple[Digest, Archive]]:
    """Yield the archive of every recipe by key; what several begin with is put together once."""
    alike: dict[Digest, list[Digest]] = {}
    for key, recipe in recipes.items():
        alike.setdefault(recipe.dependencies_key, []).append(key)
    begun: dict[Digest, _Begun] = {}

    def make(key: Digest) -> Archive:
        recipe = recipes[key]
        on_progress(f"assembling {recipe.identity}")
        begin = begun.get(recipe.dependencies_key) or _Begun.of(shared.dependencies(recipe))
        archive, beginning = _write(recipe, begin, shared, store)
        if len(alike[recipe.dependencies_key]) > 1:
            begun[recipe.dependencies_key] = replace(begin, beginning=beginning)
        return archive

    def look(key: Digest) -> Archive | None:
        return store.recall("archive", key, partial(_known, store)) if store.remote else None

    groups = list(alike.values())
    for at in range(0, len(groups), _GROUPS_AT_ONCE):
        some = groups[at : at + _GROUPS_AT_ONCE]
        for keys in ([each[0] for each in some], [key for each in some for key in each[1:]]):
            yield from store.each_once(keys, pool, key=lambda key: key, look=look, make=make).items()
        begun.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """What archives that begin alike have in common."""

    ground: Ground
    sizes: Mapping[str, int]
    """Unzipped bytes by owner."""
    bytecode_bytes: int
    beginning: Beginning | None = None
    """Of the first one that was written."""

    @classmethod
    def of(cls, dependencies: Tree) -> Self:
        """Return what is to be known of ``dependencies``, before any archive is written."""
        return cls(ground=Ground(dependencies), sizes=_sizes(dependencies), bytecode_bytes=_bytecode(dependencies))


def _sizes(tree: Tree) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for entry in tree:
        sizes[entry.owner] += entry.size_bytes
    return sizes


def _bytecode(tree: Tree) -> int:
    return sum(entry.size_bytes for entry in tree if entry.path.endswith(".pyc"))


def _write(recipe: Recipe, begin: _Begun, shared: Ingredients, store: Store) -> tuple[Archive, Beginning]:
    """Write one archive into the store, and remember it."""
    with store.scratch() as folder:
        with Spill(folder / "spill") as spill:
            own = begin.ground.behind(shared.own(recipe, spill))
        draft = folder / "artifact.zip"
        written = write_archive(begin.beginning or begin.ground.tree, own, draft)
        final = store.keep(draft, store.artifact(written.digest))
    sizes = Counter(begin.sizes) + _sizes(own)
    bytecode = begin.bytecode_bytes + _bytecode(own)
    beyond = {"bytecode": recipe.limit.wanted_bytes - bytecode} if recipe.limit else {}
    archive = Archive(
        digest=written.digest,
        size_bytes=written.size_bytes,
        unzipped_bytes=sizes.total(),
        source_bytes=sizes[recipe.identity],
        bytecode_bytes=bytecode,
        dependencies=written.beginning.members,
        distributions=tuple(
            Distribution(
                name=wheel.name,
                version=wheel.version,
                size_bytes=sizes[wheel.path.name],
                wheel=wheel.digest,
                filename=wheel.path.name,
            )
            for wheel in recipe.wheels
        ),
        saved=dict(sorted({**shared.saved(recipe), **beyond}.items())),  # as the store gives it back
        changed=True,
    )
    store.remember("archive", recipe.key, asdict(archive))
    return archive, replace(written.beginning, path=final)


def _known(store: Store, note: Any) -> Archive | None:
    """Read a note of `_write`; None if the artifact is neither here nor in the remote store, as it was made."""
    digest = Digest.parse(note["digest"]["hex"])
    path = store.artifact(digest)
    if not (untouched(path, note["size_bytes"]) or store.bring(path, digest)):
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
        bytecode_bytes=archive.bytecode_bytes,
        distributions=archive.distributions,
        saved=archive.saved,
        changed=archive.changed,
    )

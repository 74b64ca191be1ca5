"""What the archives of one build are put together from: slimmed wheels and their bytecode, each made once."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

from build.digest import Digest
from build.errors import InputError
from build.model import Runtime, Wheel
from build.packaging.budget import thinned
from build.packaging.bytecode import compile_source, compile_wheel, source_key, wheel_key
from build.packaging.recipes import Part, Recipe
from build.packaging.slimming import slimmed
from build.packaging.sources import pack
from build.store.objects import Store
from build.wheels.surveys import surveyed
from build.zips.archives import read_back
from build.zips.directory import Member
from build.zips.spill import Spill
from build.zips.trees import Entry, Tree, below, merge


@dataclass(frozen=True, slots=True)
class _SlimWheel:
    wheel: Wheel
    tree: Tree
    """Where it installs, below site-packages."""
    saved: Mapping[str, int]


_Kept = tuple[Digest, tuple[str, ...]]
"""A wheel, and the slimming rules that are off."""
_Mounted = tuple[_Kept, Runtime, str]
"""The same compiled by a runtime, for a folder on Lambda."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """Wheels and bytecode of all recipes of a build."""

    wheels: Mapping[_Kept, _SlimWheel]
    overlays: Mapping[_Mounted, Tree]
    own_overlays: Mapping[tuple[str, Runtime], Path | None]
    """By identity and runtime; None where there is no module."""

    def dependencies(self, recipe: Recipe) -> Tree:
        """Return what the distributions of ``recipe`` bring, with bytecode."""
        pieces = []
        for part in recipe.parts:
            for wheel in part.wheels:
                kept = _kept(wheel, recipe)
                overlay = self.overlays[kept, part.runtime, recipe.mounted(part.folder)]
                pieces += [below(part.folder, self.wheels[kept].tree), below(part.folder, overlay)]
        tree = merge(*pieces)
        if recipe.limit is None:
            return tree
        own = sum(entry.size_bytes for overlay in self._own_overlays(recipe) for entry in overlay)
        return thinned(tree, max(0, recipe.limit.room_bytes - own), recipe.limit.roots)

    def own(self, recipe: Recipe, spill: Spill) -> Tree:
        """Return what the folder itself brings, with bytecode; its files are compressed into ``spill``."""
        packed = pack(recipe.source, spill, owner=recipe.identity)
        spill.close()  # what is thinned is read
        tree = merge(*(below(recipe.source_folder, tree) for tree in (packed, *self._own_overlays(recipe))))
        return thinned(tree, recipe.limit.room_bytes, recipe.limit.roots) if recipe.limit else tree

    def saved(self, recipe: Recipe) -> dict[str, int]:
        """Return slimming rule → unzipped bytes it left out of ``recipe``."""
        saved: Counter[str] = Counter()
        for part in recipe.parts:
            for wheel in part.wheels:
                saved.update(self.wheels[_kept(wheel, recipe)].saved)
        return dict(saved)

    def _own_overlays(self, recipe: Recipe) -> list[Tree]:
        paths = (self.own_overlays[recipe.identity, part.runtime] for part in recipe.parts)
        return [entries_of(read_back(path), path, recipe.identity) for path in paths if path]


def prepare(
    recipes: Collection[Recipe],
    store: Store,
    pool: Executor,
    *,
    require: Callable[[Collection[Wheel]], None],
    on_progress: Callable[[str], None],
) -> Ingredients:
    """Return what ``recipes`` need, made or found in ``store``; ``require`` sees to it that wheels are there.

    Raises InputError with all modules under a src/ that do not compile.
    """
    with ThreadPoolExecutor(1) as beside, store.impatient():
        compiling = beside.submit(_compile_sources, recipes, store, pool)
        wanted = {_kept(wheel, recipe): wheel for recipe in recipes for wheel in recipe.wheels}
        if wanted:
            on_progress(f"reading {len(wanted)} wheels")
            require(wanted.values())
        slim = pool.map(lambda kept: _slim(wanted[kept], kept[1], store), wanted)
        wheels = dict(zip(wanted, slim, strict=True))
        own = compiling.result()
    jobs = dict.fromkeys(job for recipe in recipes for part in recipe.parts for job in _jobs(recipe, part))
    # The largest first, so that no core idles while the last one works.
    ordered = sorted(jobs, key=lambda job: len(wheels[job[0]].tree), reverse=True)
    compiled = store.each_once(
        ordered,
        pool,
        key=lambda job: wheel_key(wheels[job[0]].wheel, wheels[job[0]].tree, *job[1:]),
        look=lambda job: _found(wheels[job[0]], job, store),
        make=lambda job: compile_wheel(wheels[job[0]].wheel, wheels[job[0]].tree, *job[1:], store),
    )
    overlays = {
        job: entries_of(read_back(path), path, wheels[job[0]].wheel.path.name) for job, path in compiled.items()
    }
    return Ingredients(wheels=wheels, overlays=overlays, own_overlays=own)


def entries_of(members: Iterable[Member], source: Path, owner: str) -> Tree:
    """Return ``members`` of the zip at ``source`` as entries."""
    columns = list(zip(*members, strict=True))
    return tuple(map(Entry, *columns[:6], repeat(source), columns[6], repeat(owner))) if columns else ()


def _kept(wheel: Wheel, recipe: Recipe) -> _Kept:
    return wheel.digest, recipe.keep


def _jobs(recipe: Recipe, part: Part) -> list[_Mounted]:
    return [(_kept(wheel, recipe), part.runtime, recipe.mounted(part.folder)) for wheel in part.wheels]


def _slim(wheel: Wheel, keep: tuple[str, ...], store: Store) -> _SlimWheel:
    slim = slimmed(surveyed(wheel, store), keep)
    return _SlimWheel(wheel, entries_of(slim.members, wheel.path, wheel.path.name), slim.saved)


def _found(slim: _SlimWheel, job: _Mounted, store: Store) -> Path | None:
    path = store.bytecode(wheel_key(slim.wheel, slim.tree, *job[1:]))
    return path if store.bring(path) else None


def _compile_sources(
    recipes: Iterable[Recipe], store: Store, pool: Executor
) -> Mapping[tuple[str, Runtime], Path | None]:
    """Compile every src/ once for each runtime; raise InputError with all modules that do not compile."""
    jobs = {(recipe.identity, part.runtime): recipe for recipe in recipes for part in recipe.parts}

    def compile_one(job: tuple[str, Runtime]) -> tuple[Path | None, Mapping[str, str]]:
        recipe, (owner, runtime) = jobs[job], job
        return compile_source(recipe.source, runtime, recipe.mounted(recipe.source_folder), store, owner=owner)

    def key(job: tuple[str, Runtime]) -> Digest:
        return source_key(jobs[job].source, job[1], jobs[job].mounted(jobs[job].source_folder))

    def look(job: tuple[str, Runtime]) -> tuple[Path | None, Mapping[str, str]] | None:
        path = store.bytecode(key(job))
        return (path, {}) if store.bring(path) else None

    made = store.each_once(jobs, pool, key=key, look=look, make=compile_one)
    facts = [
        f"{owner}/src/{path}: {reason} ({runtime})"
        for (owner, runtime), (_, failed) in made.items()
        for path, reason in failed.items()
    ]
    if facts:
        raise InputError("source that does not compile", facts=facts, hint="mend it, then run `invoke build`")
    return {job: path for job, (path, _) in made.items()}

"""What is watched, and what saved files mean: functions to build again, and what only a deploy brings."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from threading import Event

from build.model import LayerSpec, Spec, Workspace
from build.packaging.affected import places_of, touching
from build.project.pins import PINS

_QUIET_MS = 10
"""What is saved belongs together until nothing was for so long. Looking so often takes 0.5 % of a core."""
_TOGETHER_MS = 500
"""The longest that belongs together."""
_LOOK_MS = 250
"""How often files are looked at whose folders cannot be watched, for there is too much in them."""
_FOLDERS = ("functions", "layers", "terraform")
_FILES = ("slipway.toml", PINS)
_IGNORED = frozenset("__pycache__ .git .mypy_cache .pytest_cache .ruff_cache .hypothesis .venv node_modules".split())
_LEFT_BEHIND = ("~", ".pyc", ".swp", ".swx")
_VIM_TRIES = "4913"
"""The name of a file that Vim makes for a moment, to see whether it may."""
_TERRAFORM = frozenset({".tf", ".tfvars", ".hcl", ".json"})

Paths = frozenset[Path]


@dataclass(frozen=True, slots=True)
class Places:
    """What is watched."""

    folders: tuple[Path, ...]
    """With all that is in them."""
    files: tuple[Path, ...]
    """One by one."""
    of: Mapping[str, tuple[Path, ...]] = field(default_factory=dict, compare=False)
    """All that a function or layer is made of, by identity."""


def places(workspace: Workspace) -> Places:
    """Return what belongs to the repository, and what its functions and layers have elsewhere."""
    root = workspace.root
    folders = [path for name in _FOLDERS if (path := root / name).is_dir()]
    files = [root / name for name in _FILES]
    of = {spec.identity: tuple(places_of(spec, root)) for spec in workspace.specs}
    for path in dict.fromkeys(path for each in of.values() for path in each):
        if not any(path.is_relative_to(folder.resolve()) for folder in folders):
            (folders if path.is_dir() else files).append(path)
    return Places(tuple(folders), tuple(files), of)


def saves(now: Callable[[], Places], stop: Event) -> Iterator[Paths]:
    """Yield what was saved, as resolved paths, until ``stop``.

    Nothing is yielded once watching has begun, at first and whenever it begins anew because ``now`` says something
    else: anything may have changed before. Raises KeyboardInterrupt for Ctrl-C.
    """
    from watchfiles import watch

    while not stop.is_set():
        watched = now()
        seen, has_begun = _stats(watched.files), False
        for raw in watch(
            *watched.folders,
            watch_filter=None,
            debounce=_TOGETHER_MS,
            step=_QUIET_MS,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            stop_event=stop,
        ):
            if not has_begun:  # until now it was not watched
                has_begun = True
                yield frozenset()
            stats = _stats(watched.files)
            written = {path for path in watched.files if stats.get(path) != seen.get(path)}
            seen = stats
            if changed := counting([*(path for _, path in raw), *map(str, written)]):
                yield changed
                if now() != watched:
                    break


def counting(paths: Iterable[str]) -> Paths:
    """Return those of ``paths`` that may matter, resolved: not bytecode, caches, nor what editors leave behind."""
    found = (Path(os.path.realpath(path)) for path in paths)
    return frozenset(
        path
        for path in found
        if _IGNORED.isdisjoint(path.parts) and not path.name.endswith(_LEFT_BEHIND) and path.name != _VIM_TRIES
    )


def touched(workspace: Workspace, known: Places, changed: Collection[Path]) -> tuple[str, ...]:
    """Return the functions of ``workspace`` that ``changed`` files (resolved paths) touch, also by their layers.

    ``known`` are the places before they changed: what links to elsewhere since was changed itself.
    """

    def places_known(spec: Spec) -> tuple[Path, ...]:
        return known.of.get(spec.identity, (spec.folder.resolve(),))

    return tuple(touching([workspace], places_known, changed).functions)


def undeployed(before: Workspace, now: Workspace, changed: Collection[Path]) -> Iterator[str]:
    """Yield what only a deploy brings, such as ``functions/orders/function.toml changed``."""
    old, new = ({spec.identity: spec for spec in each.specs} for each in (before, now))
    for identity, spec in new.items():
        if identity not in old:
            yield f"{identity} is new"
        elif spec != old[identity]:
            own = "layer.toml" if isinstance(spec, LayerSpec) else "function.toml"
            is_own = (spec.folder / own).resolve() in changed
            yield f"{identity}/{own} changed" if is_own else f"the settings of {identity} changed"
    yield from (f"{identity} is gone" for identity in old if identity not in new)
    common = (each.name for each in fields(Workspace) if each.name not in {"functions", "layers"})
    if any(getattr(before, name) != getattr(now, name) for name in common):
        yield f"{_FILES[0]} changed"
    root = now.root.resolve()
    below = (path.relative_to(root) for path in sorted(changed) if path.is_relative_to(root / "terraform"))
    yield from (f"{path.as_posix()} changed" for path in below if _is_planned(path, now.env.name))


def saved_at(changed: Collection[Path]) -> float:
    """Return when the last of ``changed`` was written, in seconds since 1970; 0 if none is there."""
    return max((modified / 1e9 for modified, _ in _stats(changed).values()), default=0.0)


def _stats(paths: Iterable[Path]) -> Mapping[Path, tuple[int, int]]:
    found = {}
    for path in paths:
        try:
            status = path.stat()
        except OSError:
            continue
        found[path] = (status.st_mtime_ns, status.st_size)
    return found


def _is_planned(path: Path, env: str) -> bool:
    """Tell whether a file below terraform/ has a say in a plan of ``env``."""
    if "envs" in path.parts:
        return path.name.partition(".")[0] == env
    return path.suffix in _TERRAFORM and {"tests", "bootstrap"}.isdisjoint(path.parts)

"""Write locks: each folder's with the tool whose lock it has, uv where the choice is ours."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from build.errors import InputError, ToolError
from build.locking import formats, pipfile_lock, poetry_lock, pylock_toml, requirements_txt, tools
from build.locking.formats import Source
from build.locking.locks import constraints_of, targets_of
from build.locking.pyproject import is_poetrys
from build.locking.reading import Reading
from build.model import FunctionSpec, Spec, Target, Workspace
from build.rules.words import did_you_mean

WANTED, LOCKED = requirements_txt.WANTED, requirements_txt.LOCK


def write_locks(
    workspaces: Sequence[Workspace],
    identities: Iterable[str] = (),
    *,
    upgrade: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> dict[str, bool]:
    """Pin what every folder wants, for all platforms, layers first; return identity → whether its lock changed.

    ``workspaces`` are those of all envs: a lock must fit each. ``identities`` chooses folders; none
    means all. A function that uv locks for us is constrained by the locks of its layers, so both agree on versions.
    Pins that still fit stay, unless ``upgrade``. A `requirements.txt` that pins nothing becomes `requirements.in`,
    and ``on_progress`` is told so. Raises InputError with identities that do not exist and folders with several
    sources, and ToolError with the tool's reasons for every folder where nothing fits; the others are locked.
    """
    specs: dict[str, list[Spec]] = {}
    for spec in (spec for workspace in workspaces for spec in workspace.specs):
        specs.setdefault(spec.identity, []).append(spec)
    root = workspaces[0].root
    chosen = _chosen(specs, identities)
    sources = {identity: formats.source_of(specs[identity][0].folder, root) for identity in chosen}
    _refuse_several(sources)
    changed: dict[str, bool] = {}
    failures: dict[str, ToolError] = {}
    for identity, source in sources.items():
        folder = specs[identity][0].folder
        before = _content(folder, root)
        try:
            if not _write(root, specs[identity], source, upgrade=upgrade, on_progress=on_progress):
                continue
        except ToolError as failure:
            failures[identity] = failure
        else:
            changed[identity] = _content(folder, root) != before
    if failures:
        raise _failure(failures)
    return changed


def _failure(failures: Mapping[str, ToolError]) -> ToolError:
    if len(failures) == 1:
        ((identity, failure),) = failures.items()
        return ToolError(f"locking {identity} failed", facts=failure.facts, hint=failure.hint)
    return ToolError(
        f"locking {', '.join(failures)} failed",
        facts=[fact for failure in failures.values() for fact in failure.facts],
        hint="; ".join(dict.fromkeys(failure.hint for failure in failures.values())),
    )


def _refuse_several(sources: Mapping[str, Source]) -> None:
    problems = [f"{identity}/{problem}" for identity, source in sources.items() for problem in source.problems]
    if problems:
        raise InputError(
            "folders whose files do not belong together",
            facts=problems,
            hint="keep the files that are meant, then run `invoke lock`",
        )


def _chosen(known: Mapping[str, object], identities: Iterable[str]) -> list[str]:
    """Return the identities to lock, layers first."""
    wanted = set(identities)
    unknown = sorted(wanted - known.keys())
    if unknown:
        raise InputError(
            "no such folder",
            facts=[f"{identity}: expected a function or layer{did_you_mean(identity, known)}" for identity in unknown],
            hint="run `invoke lock` to lock all there are",
        )
    return sorted(wanted or known, key=lambda identity: (identity.startswith("functions/"), identity))


def _content(folder: Path, root: Path) -> bytes | None:
    path = formats.lock_path(folder, root, formats.source_of(folder, root))
    return path.read_bytes() if path and path.is_file() else None


def _write(
    root: Path, specs: Sequence[Spec], source: Source, *, upgrade: bool, on_progress: Callable[[str], None]
) -> bool:
    """Write the lock of the folder that ``specs`` describe for each env; return False if it has nothing to lock."""
    folder, identity = specs[0].folder, specs[0].identity
    hint = f"change {identity}/{source.wanted or WANTED}, then run `invoke lock`"
    if source.wanted is None:
        reading = formats.read(folder, root, ())
        if not reading.unpinned:
            return False
        _adopt(root, specs, reading, on_progress)
    elif source.wanted == pipfile_lock.WANTED:
        tools.lock_with_pipenv(folder, hint=hint)
    elif source.kind in {requirements_txt.LOCK, pylock_toml.LOCK} or source.wanted == WANTED:
        _compile(root, specs, source.wanted, folder / (source.lock or LOCKED), upgrade=upgrade)
    elif source.kind == poetry_lock.LOCK or (source.kind is None and is_poetrys(source.pyproject)):
        tools.lock_with_poetry(folder, upgrade=upgrade, hint=hint)
    else:
        tools.lock_with_uv(folder, upgrade=upgrade, hint=hint)
    return True


def _adopt(root: Path, specs: Sequence[Spec], reading: Reading, on_progress: Callable[[str], None]) -> None:
    """Make `requirements.txt` the `requirements.in`, and lock it; when that fails, all is as before."""
    folder = specs[0].folder
    if reading.problems:
        raise InputError(
            f"{LOCKED} cannot be read",
            facts=[f"{specs[0].identity}/{problem}" for problem in reading.problems],
            hint="mend what is listed, then run `invoke lock`",
        )
    (folder / LOCKED).replace(folder / WANTED)
    try:
        _compile(root, specs, WANTED, folder / LOCKED, upgrade=False)
    except BaseException:
        (folder / WANTED).replace(folder / LOCKED)
        raise
    on_progress(f"{specs[0].identity}: {LOCKED} said what is wanted; it is {WANTED} now, and {LOCKED} its lock")


def _compile(root: Path, specs: Sequence[Spec], wanted: str, lock: Path, *, upgrade: bool) -> None:
    """Lock one folder, which ``specs`` describe for each env: from its lowest runtime, held to all its layers."""
    folder, identity = specs[0].folder, specs[0].identity
    targets = [target for spec in specs for target in targets_of(spec)]
    layers = dict.fromkeys(layer for spec in specs if isinstance(spec, FunctionSpec) for layer in spec.own_layers)
    has_places = wanted == WANTED and requirements_txt.wanted_in(folder, wanted, root).has_places
    tools.compile_with_uv(
        folder / wanted,
        lock,
        lowest=min(targets).runtime,
        constraints=[path for layer in layers if (path := _constraints(root, layer, targets))],
        upgrade=upgrade,
        cwd=folder if has_places else root,
        hint=f"change {identity}/{wanted}, then run `invoke lock`",
    )
    if has_places and lock.name == LOCKED:
        requirements_txt.mend_places(folder, wanted, lock, root)


def _constraints(root: Path, layer: str, targets: Iterable[Target]) -> Path | None:
    """Return a file that holds a function to the versions of ``layer``: its lock, or one made from that."""
    folder = root / "layers" / layer
    lock = formats.source_of(folder, root).lock
    if lock == LOCKED or lock is None:
        return folder / LOCKED if lock else None
    made = root / ".artifacts" / "locks" / "layers" / f"{layer}.txt"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(constraints_of(formats.read(folder, root, targets).pins), encoding="utf-8")
    return made

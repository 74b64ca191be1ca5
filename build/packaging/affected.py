"""Which functions and layers a change touches: by their folders, layers, locks, and what all of them share."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from build import process
from build.errors import InputError
from build.locking.locks import Lock, beside
from build.model import FunctionSpec, Spec, Workspace
from build.project.pins import PINS
from build.rules.words import did_you_mean

_SHARED = ("slipway.toml", "requirements.txt", "build")
"""What every artifact depends on: settings, what Slipway runs on, Slipway itself with its runtime profiles."""
_KINDS = {"functions": "function.toml", "layers": "layer.toml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Affected:
    """What a change touches. Reasons are changed files; a layer's come with the functions that use it."""

    functions: Mapping[str, tuple[str, ...]]
    """Name to reasons."""
    layers: Mapping[str, tuple[str, ...]]
    deleted: tuple[str, ...]
    """Identities of folders that are gone."""


def changed_since(root: Path, revision: str) -> frozenset[Path]:
    """Return every file that differs from ``revision``, deleted and untracked ones too, as resolved paths.

    Of a submodule it is the folder alone. What counts is the working tree, whatever is committed of it. Raises
    InputError outside git, and for a revision that is not there.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None:
        raise InputError(
            f"{root} is no git repository, so nothing tells what changed",
            hint="run `invoke build`, which makes only what is not in the store",
        )
    folder = Path(top.strip()).resolve()
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise _unknown(folder, revision)
    options = ("--name-only", "--no-renames", "--no-relative", "--ignore-submodules=none", "-z")
    differing = _git(folder, "diff", *options, commit.strip(), "--") or ""
    untracked = _git(folder, "ls-files", "--others", "--exclude-standard", "-z") or ""
    return frozenset(folder / name for name in f"{differing}\0{untracked}".split("\0") if name)


def affected(workspaces: Sequence[Workspace], locks: Mapping[str, Lock], changed: Collection[Path]) -> Affected:
    """Return what ``changed`` files (resolved paths) touch in any of ``workspaces``, the repository's envs.

    ``locks`` are those of one env. What another one has beside its folders, for its targets, counts too.
    """
    root = workspaces[0].root
    return touching(workspaces, lambda spec: places_of(spec, root, locks[spec.identity].beside), changed)


def touching(
    workspaces: Sequence[Workspace], places: Callable[[Spec], Iterable[Path]], changed: Collection[Path]
) -> Affected:
    """Return what `affected` does; ``places`` gives the files and folders that something is made of."""
    root = workspaces[0].root.resolve()
    shared = tuple(_below([root / name for name in _SHARED], changed))
    bases = tuple(_below([root / PINS], changed))
    reasons: dict[str, dict[Path, None]] = {}
    for spec in (spec for workspace in workspaces for spec in workspace.specs):  # layers come first
        own = reasons.setdefault(spec.identity, {})
        own.update(dict.fromkeys((*shared, *_below(places(spec), changed))))
        if isinstance(spec, FunctionSpec):
            own.update(dict.fromkeys(bases) if spec.is_image else ())
            for layer in spec.own_layers:
                own.update(reasons[f"layers/{layer}"])
    told = {
        identity: tuple(sorted(_shown(path, root) for path in paths)) for identity, paths in reasons.items() if paths
    }
    return Affected(
        functions=_named("functions", told),
        layers=_named("layers", told),
        deleted=tuple(_deleted(root, changed, reasons)),
    )


def matrix(
    functions: Collection[str], workspace: Workspace, locks: Mapping[str, Lock], shares: int
) -> dict[str, list[dict[str, str]]]:
    """Return ``functions`` as a matrix for GitHub Actions: at most ``shares`` jobs, what is alike in one of them.

    Each job has ``only``, for `build --only`, and a ``name`` for people.
    """
    specs = [spec for spec in workspace.functions if spec.name in functions]
    specs.sort(key=lambda spec: (spec.own_layers, locks[spec.identity].digest, spec.name))
    count = min(max(shares, 1), len(specs))
    bounds = [number * len(specs) // count for number in range(count + 1)] if count else []
    groups = [[spec.name for spec in specs[low:high]] for low, high in pairwise(bounds)]
    return {"include": [{"name": _label(group), "only": ",".join(group)} for group in groups]}


def _label(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def places_of(spec: Spec, root: Path, others: Iterable[Path] = ()) -> Iterator[Path]:
    """Yield every file and folder that ``spec`` is made of: its own, those its lock brings, ``others``, with links."""
    yield spec.folder.resolve()
    for place in (spec.folder / "src", *dict.fromkeys((*others, *beside(spec, root)))):
        yield place.resolve()
        yield from (path.resolve() for path in place.rglob("*") if path.is_symlink())


def _below(places: Iterable[Path], changed: Collection[Path]) -> Iterator[Path]:
    wanted = frozenset(places)
    around = frozenset(parent for place in wanted for parent in place.parents)  # a submodule is told as its folder
    return (path for path in changed if path in wanted or path in around or not wanted.isdisjoint(path.parents))


def _named(kind: str, told: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {identity.partition("/")[2]: why for identity, why in told.items() if identity.startswith(f"{kind}/")}


def _deleted(root: Path, changed: Collection[Path], there: Collection[str]) -> Iterator[str]:
    """Yield the identities whose settings file is among what changed, and which are not there."""
    for path in sorted(changed):
        if path.is_relative_to(root) and not path.exists():
            match path.relative_to(root).parts:
                case [kind, name, file] if _KINDS.get(kind) == file and f"{kind}/{name}" not in there:
                    yield f"{kind}/{name}"


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()


def _unknown(folder: Path, revision: str) -> InputError:
    names = (_git(folder, "for-each-ref", "--format=%(refname:short)") or "").split()
    shallow = (_git(folder, "rev-parse", "--is-shallow-repository") or "").strip() == "true"
    why = "this clone is shallow: it has not all commits" if shallow else f"looked in {folder}"
    fetch = "git fetch --unshallow" if shallow else "git fetch --all"
    return InputError(
        f"no revision `{revision}`{did_you_mean(revision, names)}",
        facts=[why],
        hint=f"run `{fetch}` (with actions/checkout: `fetch-depth: 0`), or name another",
    )


def _git(folder: Path, *words: str) -> str | None:
    """Return what git prints; None if it says no."""
    done = process.run(["git", *words], cwd=folder)
    return done.stdout if done.code == 0 else None

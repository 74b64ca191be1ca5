"""Rules about imports: that everything a src/ imports is there on Lambda. Nothing is imported.

A function is judged by every module of its src/ and by what these import of its layers' src/; a layer by every
module of its own, for each of its targets. Left out are imports that may fail: under TYPE_CHECKING, where ImportError
is caught, for other platforms.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from packaging.utils import canonicalize_name

from build.checks.distributions import brings, in_dev_group, wanted_in
from build.checks.facts import Import
from build.checks.image_modules import Beyond, modules_beyond
from build.checks.modules import facts_in, own_modules
from build.checks.places import Kind, Space, space_of
from build.checks.problem import Problem
from build.checks.stdlib import SUCCESSORS, added_in, removed_in
from build.model import Build, FunctionSpec, LayerSpec, Runtime, Spec, Workspace
from build.packaging.sources import SourceFile
from build.rules.words import did_you_mean
from build.store.objects import Store

_SHOWN_PLACES = 3


@dataclass(frozen=True, slots=True)
class _Module:
    """A module of a src/."""

    name: str
    owner: Spec
    file: SourceFile

    @property
    def is_package(self) -> bool:
        return PurePosixPath(self.file.path).name == "__init__.py"


@dataclass(frozen=True, slots=True)
class _Gap:
    """An import that fails, and the first part of its name that is not there."""

    wanted: str
    missing: str
    place: str
    why: str = ""
    """Says more than that there is no such module."""


def import_missing(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Require every import of a function to resolve; what a Dockerfile installs is not known."""
    for function in workspace.functions:
        beyond = modules_beyond(function, build, store)
        for missing, alike in _grouped(_gaps_of(function, workspace, build, beyond)):
            if not _may_be_unseen(function, missing, build, beyond):
                yield _problem(function, missing, alike, build, beyond)


def import_unseen(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Warn of imports that only a foreign layer, or a base image that is not here, can hold."""
    for function in workspace.functions:
        beyond = modules_beyond(function, build, store)
        for missing, alike in _grouped(_gaps_of(function, workspace, build, beyond) if beyond.unseen else ()):
            arns = _may_be_unseen(function, missing, build, beyond)
            if arns:
                yield Problem(
                    subject=function.identity,
                    message=f"{_places(alike)} `{missing}`: expected it in {_where(function)}, got no such module; "
                    f"it may be in {', '.join(arns)}, whose content is not known",
                    hint=f"make sure by `invoke invoke -f {function.name}` in an env that has it, "
                    f"or add {_distribution(alike[0].wanted)} to {wanted_in(function)}",
                )


def layer_import_missing(workspace: Workspace, build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of imports that neither a layer, nor one used together with it, nor the runtime can serve."""
    for layer in workspace.layers:
        gaps = [gap for target in layer.targets for gap in _layer_gaps(layer, target.runtime, workspace, build)]
        for missing, alike in _grouped(dict.fromkeys(gaps)):
            runtimes = ", ".join(map(str, layer.runtimes))
            yield Problem(
                subject=layer.identity,
                message=f"{_places(alike)} `{missing}`: expected it in the layer, in one used together with it, or in "
                f"{runtimes}, got no such module; only functions that bring it themselves can import this",
                hint=_way_out(layer, missing, alike[0].wanted, runtimes=layer.runtimes),
            )


def is_test(path: str) -> bool:
    """Tell whether a file of a src/ is a test by its name or its folder."""
    *folders, name = PurePosixPath(path).parts
    return "tests" in folders or name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py")


# ── what cannot be imported ───────────────────────────────────────────────────────────────────


def _gaps_of(function: FunctionSpec, workspace: Workspace, build: Build, beyond: Beyond) -> list[_Gap]:
    artifact = build.functions.get(function.name)
    layers = build.layers_of(function)
    if artifact is None or len(layers) < len(function.own_layers) or function.dockerfile:
        return []
    specs = {layer.name: layer for layer in workspace.layers}
    beside = [module for name in function.own_layers if name in specs for module in _modules(specs[name], workspace)]
    own = _modules(function, workspace)
    known = {module.name: module for module in (*beside, *own)}
    roots = [module for module in own if not is_test(module.file.path)]
    runtime = function.target.runtime
    return _walk(roots, known, space_of(artifact, layers, runtime, beyond.modules), runtime)


def _layer_gaps(layer: LayerSpec, runtime: Runtime, workspace: Workspace, build: Build) -> list[_Gap]:
    """Judge a layer together with all that the build has beside it."""
    artifacts = [
        artifact for (_, architecture), artifact in build.layers.items() if architecture in layer.architectures
    ]
    if not any(artifact.identity == layer.identity for artifact in artifacts):
        return []
    own = _modules(layer, workspace)
    roots = [module for module in own if not is_test(module.file.path)]
    return _walk(roots, {module.name: module for module in own}, space_of(None, artifacts, runtime), runtime)


def _walk(roots: Iterable[_Module], known: Mapping[str, _Module], space: Space, runtime: Runtime) -> list[_Gap]:
    """Return the imports that fail in ``roots`` and in what they import of ``known``."""
    waiting = {module.name: module for module in roots}
    seen: dict[str, _Module] = dict(waiting)
    gaps = []
    while waiting:
        module = waiting.pop(next(iter(waiting)))
        facts = facts_in(module.file.place, runtime)
        resolve = partial(_resolve, module=module, known=known, space=space, runtime=runtime)
        for each in facts.imports if facts else ():
            wanted, gap = resolve(each)
            if gap and not _is_passed_over(each, resolve):
                gaps.append(gap)
            for name in _prefixes(wanted):
                if name in known and name not in seen:
                    seen[name] = waiting[name] = known[name]
    return gaps


def _is_passed_over(each: Import, resolve: Callable[[Import], tuple[str, _Gap | None]]) -> bool:
    """Tell whether what stands in ``try`` keeps an import in ``except`` or ``else`` from being come to."""

    def fails(tried: Import) -> bool:
        return resolve(tried)[1] is not None and not _is_passed_over(tried, resolve)

    return any(succeeds is any(map(fails, tried)) for succeeds, tried in each.when)


def _resolve(
    each: Import, module: _Module, known: Mapping[str, _Module], space: Space, runtime: Runtime
) -> tuple[str, _Gap | None]:
    """Return the dotted name that an import leads to, and how it fails, if it does."""
    place = f"{_source(module.owner)}/{module.file.path}:{each.line}"
    base = absolute(each, module.name, is_package=module.is_package)
    if base is None:
        dots = "." * each.level
        return "", _Gap(dots, f"{dots}{each.module}", place, "; the dots lead out of the package")
    missing = space.missing(base)
    if missing:
        return base, _Gap(base, missing, place)
    if not each.name or each.name == "*":
        return base, None
    below = f"{base}.{each.name}"
    why = None if below in known else _lack(base, each.name, known, space, runtime)
    return below, None if why is None else _Gap(below, below, place, why)


def _lack(base: str, name: str, known: Mapping[str, _Module], space: Space, runtime: Runtime) -> str | None:
    """Say why ``from base import name`` fails although ``base`` is there; None if it may succeed."""
    found = space.found(base)
    if found and found.kind is Kind.FOLDER:
        return "" if space.missing(f"{base}.{name}") else None
    facts = facts_in(known[base].file.place, runtime) if base in known else None
    if facts is None or name.startswith("__") or not facts.names.keys().isdisjoint((name, "*", "__getattr__")):
        return None
    if not space.missing(f"{base}.{name}"):
        return None
    of = known[base]
    return f"; {_source(of.owner)}/{of.file.path} has no `{name}`{did_you_mean(name, facts.names)}"


def absolute(each: Import, importer: str, *, is_package: bool) -> str | None:
    """Return the absolute name of the module an import names; None where dots lead out of the package."""
    if not each.level:
        return each.module
    parts = importer.split(".")
    up = each.level - 1 if is_package else each.level
    if up >= len(parts):
        return None
    return ".".join([*parts[: len(parts) - up], *([each.module] if each.module else [])])


def _modules(spec: Spec, workspace: Workspace) -> list[_Module]:
    return [_Module(name, spec, file) for name, file in own_modules(spec.folder, workspace.root).items()]


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _may_be_unseen(function: FunctionSpec, missing: str, build: Build, beyond: Beyond) -> tuple[str, ...]:
    """Return what nobody looked into that may hold ``missing``; nothing if what the zip has of it shuts that out."""
    arns = beyond.unseen
    artifact = build.functions.get(function.name)
    if not arns or not artifact or missing.startswith("."):
        return ()
    zip_alone = space_of(artifact, (), function.target.runtime, beyond.modules)
    above = zip_alone.found(missing.rpartition(".")[0]) if "." in missing else None
    return () if above and above.kind > Kind.FOLDER else arns


# ── how it is told ────────────────────────────────────────────────────────────────────────────


def _grouped(gaps: Iterable[_Gap]) -> list[tuple[str, list[_Gap]]]:
    groups: dict[str, list[_Gap]] = {}
    for gap in gaps:
        groups.setdefault(gap.missing, []).append(gap)
    return sorted(groups.items())


def _problem(function: FunctionSpec, missing: str, alike: Sequence[_Gap], build: Build, beyond: Beyond) -> Problem:
    runtime = function.target.runtime
    space = space_of(build.functions[function.name], build.layers_of(function), runtime, beyond.modules)
    why = alike[0].why or _story(missing, runtime) or _near(missing, alike[0].wanted, space)
    return Problem(
        subject=function.identity,
        message=f"{_places(alike)} `{missing}`: expected it in {_where(function)}, got no such module{why}",
        hint=_way_out(function, missing, alike[0].wanted, runtimes=[runtime], known=bool(alike[0].why)),
    )


def _places(alike: Sequence[_Gap]) -> str:
    places = list(dict.fromkeys(gap.place for gap in alike))
    beyond = f" and {len(places) - _SHOWN_PLACES} more" if len(places) > _SHOWN_PLACES else ""
    return f"{', '.join(places[:_SHOWN_PLACES])}{beyond} import{'s' if len(places) == 1 else ''}"


def _where(function: FunctionSpec) -> str:
    layers = "".join(f", layers/{name}" for name in function.own_layers)
    return f"its zip{layers} or {function.target.runtime}"


def _story(missing: str, runtime: Runtime) -> str:
    removed, added = removed_in(missing), added_in(missing)
    if removed and removed <= runtime.minor:
        return f"; Python 3.{removed} removed it from the standard library"
    if added and added > runtime.minor:
        return f"; it is in the standard library since Python 3.{added}"
    return ""


def _near(missing: str, wanted: str, space: Space) -> str:
    return "" if "." in missing or brings(wanted) else did_you_mean(missing, space.names)


def _distribution(wanted: str) -> str:
    return brings(wanted) or f"what brings `{wanted.partition('.')[0]}`"


def _way_out(spec: Spec, missing: str, wanted: str, *, runtimes: Sequence[Runtime], known: bool = False) -> str:
    """Say what to do about a missing module; ``known`` when the message itself says what is wrong."""
    if known or missing.startswith("."):
        return "correct it, then run `invoke check`"
    removed = removed_in(missing)
    if removed and any(runtime.minor >= removed for runtime in runtimes):
        successor = SUCCESSORS.get(missing)
        instead = f"add {successor} to {wanted_in(spec)} and run `invoke lock`" if successor else "replace it"
        return f"{instead}, or stay at python3.{removed - 1}; then run `invoke check`"
    distribution = brings(wanted) or canonicalize_name(wanted.partition(".")[0])
    group = in_dev_group(distribution, spec.folder)
    if group:
        return f"move {distribution} out of the dev group in {spec.identity}/{group}, then run `invoke lock`"
    if "." in missing and not brings(wanted):
        return f"correct the name, or pin a version of `{missing.partition('.')[0]}` that has it; run `invoke check`"
    return (
        f"add {_distribution(wanted)} to {wanted_in(spec)} and run `invoke lock`; "
        "if it may be missing, catch ImportError; then run `invoke check`"
    )


def _source(spec: Spec) -> str:
    return "src" if isinstance(spec, FunctionSpec) else f"{spec.identity}/src"

"""Rules about compiled code: that the runtime's loader takes every shared object, and finds what it needs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from posixpath import basename, dirname, normpath
from typing import NamedTuple

from build.checks.distributions import wanted_in
from build.checks.image_modules import libraries_beyond
from build.checks.modules import files_of
from build.checks.problem import Problem
from build.digest import Digest
from build.model import Artifact, Build, Distribution, LayerSpec, Spec, Target, Wheel, Workspace
from build.packaging.sources import SourceFile
from build.project.profiles import profile_of
from build.store.objects import Store
from build.wheels.elf import MAGIC, SharedObject, foreign, misfits, missing, module_of, read_shared_object, too_new

_LOADER_FOLDERS = ("/var/task", "/var/task/lib", "/opt/lib")
"""Those of LD_LIBRARY_PATH that artifacts fill: https://github.com/aws/aws-lambda-base-images, in each Dockerfile."""
_MACH_O = tuple(bytes.fromhex(magic) for magic in ("cffaedfe", "cefaedfe", "cafebabe"))
_LIBRARY_SUFFIXES = (".so", ".pyd", ".dylib")
_FOR_ANY_LINUX = ("-linux_x86_64.whl", "-linux_aarch64.whl")
"""How wheels end that somebody built without saying for which Linux; the public index takes none of them."""


class Placed(NamedTuple):
    """A shared object and where it is on Lambda."""

    owner: str
    """``numpy 2.2.6``, or ``src/fast`` for a package in the folder's own source."""
    wheel: str
    """File name; empty for own source."""
    path: str
    """On Lambda, absolute."""
    object: SharedObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What is judged together: a function with its layers around it, or a layer alone, on one target."""

    identity: str = field(compare=False)
    """Another one, with all else the same, is judged alike."""
    target: Target
    own: tuple[Placed, ...]
    beside: tuple[Placed, ...] = ()
    """In layers."""
    arns: tuple[str, ...] = ()
    """What nobody can look into: layers, bases of images."""
    own_base: bool = False
    """Of an image; `image_files.glibc` asks what glibc is there."""


class _Fault(NamedTuple):
    path: str
    """Below site-packages or src/."""
    text: str
    library: str = ""
    """The library that is not found."""


def unfit(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Refuse compiled code that cannot load: another machine or Python, newer symbols, libraries that are nowhere."""
    for audit, owner, faults in _judged(workspace, build, store, certain=True):
        yield _problem(audit, owner, faults, _hint(audit, owner, faults[0], store))


def doubtful(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Warn of compiled code that loads in part, or only with what is not seen: from a layer by ARN, loaded before."""
    hint = "if the code needs it, put what is lacking into src/lib, or a fitting version into the lock by `invoke lock`"
    for audit, owner, faults in _judged(workspace, build, store, certain=False):
        yield _problem(audit, owner, faults, hint)


def compiled_here(workspace: Workspace, build: Build, store: Store) -> Iterator[Problem]:
    """Warn of what was compiled here where other versions have a wheel: who made that knew what it is built with."""
    places = {spec.identity: wanted_in(spec) for spec in workspace.specs}
    for artifact in build.artifacts:
        for each in artifact.distributions:
            # `wheels.sdists.build_wheel` leaves the note.
            others = store.recall("compiled", each.wheel, tuple) if each.filename.endswith(_FOR_ANY_LINUX) else None
            if others:
                yield Problem(
                    subject=artifact.identity,
                    message=f"{each.name} {each.version} has no wheel that fits, so it was compiled here "
                    f"({each.filename}), perhaps without libraries that its wheels bring; other versions have one, "
                    f"such as {' and '.join(others)}",
                    hint=f"ask for {each.name} {others[0]} in {places[artifact.identity]}, then run `invoke lock`",
                )


_Faults = tuple[_Fault, ...]
_Names = Mapping[str, list[Placed]]
"""By file name and by soname."""


def _judged(
    workspace: Workspace, build: Build, store: Store, *, certain: bool
) -> Iterator[tuple[Audit, Placed, _Faults]]:
    told: set[tuple[str, str]] = set()
    for audit in audits(workspace, build, store):
        for first, errors, warnings in _verdicts(audit):
            faults = errors if certain else () if errors else warnings
            # A layer for several runtimes would say the same for each of them.
            if faults and (audit.identity, first.owner) not in told:
                told.add((audit.identity, first.owner))
                yield audit, first, faults


@lru_cache(64)
def _verdicts(audit: Audit) -> tuple[tuple[Placed, _Faults, _Faults], ...]:
    """Return each owner's first file, what certainly fails in its files, and what may."""
    names = _names_of([*audit.own, *audit.beside])
    groups = (tuple(objects) for _, objects in groupby(audit.own, key=lambda placed: placed.owner))
    return tuple((group[0], *_faults(group, audit, names)) for group in groups)


# ── what there is ─────────────────────────────────────────────────────────────────────────────


def audits(workspace: Workspace, build: Build, store: Store) -> Iterator[Audit]:
    """Yield what is judged together, as far as it is built."""
    layers: dict[tuple[str, Target], tuple[Placed, ...]] = {}
    for layer in workspace.layers:
        for target in layer.targets:
            artifact = build.layers.get((layer.name, target.architecture))
            if artifact:
                own = tuple(_contents(layer, artifact, target, workspace.root, store))
                layers[layer.name, target] = own
                yield Audit(identity=layer.identity, target=target, own=own)
    for function in workspace.functions:
        artifact = build.functions.get(function.name)
        if artifact:
            own = tuple(_contents(function, artifact, function.target, workspace.root, store))
            held = (layers.get((name, function.target), ()) for name in function.own_layers)
            beside, arns = tuple(placed for layer in held for placed in layer), libraries_beyond(function)
            about = Audit(identity=function.identity, target=function.target, own=own, beside=beside, arns=arns)
            yield replace(about, own_base=function.is_image and bool(arns))


def _contents(spec: Spec, artifact: Artifact, target: Target, root: Path, store: Store) -> Iterator[Placed]:
    """Yield what ``artifact`` holds for ``target``, each owner's together."""
    source, packages = "/var/task", "/var/task"
    if isinstance(spec, LayerSpec):
        source = packages = "/opt/python"
        if len(spec.runtimes) > 1:
            packages = f"{source}/lib/{target.runtime}/site-packages"
    for distribution in artifact.distributions:
        for wheel in _wheels_of(distribution, target, store):
            owner = f"{wheel.name} {wheel.version}"
            for shared in _shipped(wheel, spec.keep, store):
                yield Placed(owner, wheel.path.name, f"{packages}/{shared.path}", shared)
    for shared in sorted(_in_source(files_of(spec.folder, root)), key=_top):
        yield Placed(f"src/{_top(shared)}", "", f"{source}/{shared.path}", shared)


def _wheels_of(distribution: Distribution, target: Target, store: Store) -> Iterator[Wheel]:
    """Yield its wheel, if ``target`` takes it; another runtime of the layer may have another."""
    if _takes(target, distribution.filename):
        path = store.wheel(distribution.wheel, distribution.filename)
        yield Wheel(name=distribution.name, version=distribution.version, path=path, digest=distribution.wheel)


@cache
def _takes(target: Target, filename: str) -> bool:
    from packaging.utils import parse_wheel_filename

    return not parse_wheel_filename(filename)[3].isdisjoint(profile_of(target).tags)


@cache
def _shipped(wheel: Wheel, keep: tuple[str, ...], store: Store) -> tuple[SharedObject, ...]:
    from build.packaging.slimming import slimmed
    from build.wheels.surveys import surveyed

    try:
        survey = surveyed(wheel, store)
    except FileNotFoundError:  # neither it nor its wheel is to be had any more
        return ()
    if not survey.shared_objects:
        return ()
    shipped = {member.name for member in slimmed(survey, keep).members}
    return tuple(shared for shared in survey.shared_objects if shared.path in shipped)


def _top(shared: SharedObject) -> str:
    """Return the folder at the top that it is in, or empty: own source is judged package by package."""
    return shared.path.rpartition("/")[0].partition("/")[0]


def _in_source(files: Iterable[SourceFile]) -> Iterator[SharedObject]:
    for path, place in ((file.path, file.place) for file in files if not file.path.endswith(".py")):
        with place.open("rb") as stream:
            magic = stream.read(len(MAGIC))
            if magic == MAGIC:
                shared = read_shared_object(path, magic + stream.read())
                if shared:
                    yield shared
            elif path.endswith(_LIBRARY_SUFFIXES) and (magic in _MACH_O or magic.startswith(b"MZ")):
                system = "macOS" if magic in _MACH_O else "Windows"
                yield SharedObject(path=path, machine="", is_module=True, unreadable=f"one for {system}")


# ── what is wrong with it ─────────────────────────────────────────────────────────────────────


def _faults(group: tuple[Placed, ...], audit: Audit, there: _Names) -> tuple[_Faults, _Faults]:
    """Return what certainly fails in the files of one owner, and what may; the most telling first.

    ``there`` is everything that is there, in layers too.
    """
    fitting = tuple(placed for placed in group if not foreign(placed.object, audit.target))
    errors: list[_Fault] = []
    warnings: list[_Fault] = []
    for placed in _strangers(group, fitting):
        _list(placed, errors, warnings).append(_Fault(placed.object.path, foreign(placed.object, audit.target)))
    names = _names_of(group)
    lost: dict[str, list[str]] = {}
    loose: list[_Fault] = []
    for placed in fitting:
        shared, own = placed.object, names.keys()
        for text in too_new(shared, audit.target, own):
            (warnings if audit.own_base else _list(placed, errors, warnings)).append(_Fault(shared.path, text))
        wanted = [each for each in missing(shared, audit.target, own) if not _is_reached(each, placed, there)]
        lost[placed.path] = [library for library in wanted if library not in there]
        # The packages of some load it themselves, before their modules need it.
        strayed = (library for library in wanted if library in there)
        loose += (_lost(placed, library, "where the loader does not look") for library in strayed)
    beside = _names_of(fitting)
    loaded = [_loaded(root, beside) for root in _roots(fitting)]
    useless = all(any(lost[placed.path] for placed in each) for each in loaded)
    where = f"nowhere; it may be in {', '.join(audit.arns)}" if audit.arns else "nowhere"
    ordered = dict.fromkeys([*(placed for each in loaded for placed in each), *fitting])
    losses = [_lost(placed, library, where) for placed in ordered for library in lost[placed.path]]
    # A wheel may have modules that do more where a library happens to be, such as numba's for TBB.
    certain = not audit.arns and (useless or not group[0].wheel)
    (errors if certain else warnings).extend(losses)
    return tuple(errors), (*warnings, *loose)


def _list(placed: Placed, errors: list[_Fault], warnings: list[_Fault]) -> list[_Fault]:
    """Return where to put what is wrong with it: in a wheel for any machine, a library is a helper to do without."""
    return warnings if placed.wheel.endswith("-any.whl") and not placed.object.is_module else errors


def _strangers(group: tuple[Placed, ...], fitting: tuple[Placed, ...]) -> Iterator[Placed]:
    """Yield files for other machines or Pythons that nothing stands in for."""
    modules = {_module(placed) for placed in fitting}
    for placed in group:
        # Libraries for several machines side by side are chosen from when the code runs; broken files are test data.
        is_chosen_from = not placed.object.is_module and (fitting or (placed.wheel and placed.object.unreadable))
        if placed not in fitting and _module(placed) not in modules and not is_chosen_from:
            yield placed


def _module(placed: Placed) -> tuple[str, str]:
    return dirname(placed.path), module_of(placed.path)


def _names_of(group: Iterable[Placed]) -> dict[str, list[Placed]]:
    names: dict[str, list[Placed]] = {}
    for placed in group:
        for name in {basename(placed.path), placed.object.soname} - {""}:
            names.setdefault(name, []).append(placed)
    return names


def _is_reached(library: str, placed: Placed, there: _Names) -> bool:
    """Tell whether the loader, asked by ``placed``, comes upon ``library``."""
    origin = dirname(placed.path)
    searched = (folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for folder in placed.object.search)
    places = {f"{normpath(folder)}/{library}" for folder in (*searched, *_LOADER_FOLDERS)}
    return any(other.path in places for other in there.get(library, ()))


def _lost(placed: Placed, library: str, where: str) -> _Fault:
    return _Fault(placed.object.path, f"expected {library} beside it or in the runtime, got it {where}", library)


def _roots(fitting: tuple[Placed, ...]) -> tuple[Placed, ...]:
    """Return what is loaded first: extension modules or, where there are none, what no other file needs."""
    needed = {library for placed in fitting for library in placed.object.needed}
    loose = (p for p in fitting if needed.isdisjoint({basename(p.path), p.object.soname}))
    return tuple(p for p in fitting if p.object.is_module) or tuple(loose) or fitting


def _loaded(root: Placed, names: _Names) -> tuple[Placed, ...]:
    """Return ``root`` and what of its owner is loaded with it, in the loader's order: nearest first."""
    loaded = [root]
    seen = {root.path}
    for placed in loaded:
        fresh = [each for name in placed.object.needed for each in names.get(name, ()) if each.path not in seen]
        loaded += {each.path: each for each in fresh}.values()
        seen.update(each.path for each in fresh)
    return tuple(loaded)


# ── how it is said ────────────────────────────────────────────────────────────────────────────


def _problem(audit: Audit, owner: Placed, faults: tuple[_Fault, ...], hint: str) -> Problem:
    first = faults[0]
    place = f"{owner.owner} ({owner.wheel}): {first.path}" if owner.wheel else f"src/{first.path}"
    others = len({fault.path for fault in faults}) - 1
    libraries = sorted({fault.library for fault in faults if fault.library and fault.library != first.library})
    beside = f"; nor do {others} more files" if others > 1 else "; nor does 1 more file" if others else ""
    lacked = f"; lacking, too: {', '.join(libraries)}" if libraries else ""
    return Problem(
        subject=audit.identity,
        message=f"{place} does not load on {audit.target}: {first.text}{beside}{lacked}",
        hint=hint,
    )


def _hint(audit: Audit, owner: Placed, fault: _Fault, store: Store) -> str:
    if not owner.wheel:
        return f"build it for {audit.target} anew, or take it out of {audit.identity}/src; then run `invoke check`"
    name, _, version = owner.owner.partition(" ")
    fitting = _fitting(name, version, audit.target, store)
    if fitting:
        return f"pin {name} {fitting}, which fits, for {audit.identity}; then run `invoke lock`"
    if fault.library:
        in_source = f", or put {fault.library} into {audit.identity}/src/lib"
        return (
            f"take a variant of {name} that does without or brings it, such as one called -headless or -binary"
            f"{in_source if audit.identity.startswith('functions/') else ''}; then run `invoke lock`"
        )
    return f"pin another version of {name} for {audit.identity}, then run `invoke lock`"


def _fitting(name: str, version: str, target: Target, store: Store) -> str:
    """Return the newest other version in the store of which everything loads on ``target``; empty if there is none."""
    from packaging.utils import canonicalize_name, parse_wheel_filename

    from build.wheels.surveys import surveyed

    fitting = []
    for path in (store.root / "wheels").glob("*/*.whl"):
        found, number, _, tags = parse_wheel_filename(path.name)
        if canonicalize_name(found) == name and str(number) != version and not tags.isdisjoint(profile_of(target).tags):
            wheel = Wheel(name=name, version=str(number), path=path, digest=Digest(path.parent.name))
            objects = surveyed(wheel, store).shared_objects
            brought = {called for shared in objects for called in (basename(shared.path), shared.soname)}
            if not any(misfits(shared, target, brought) for shared in objects):
                fitting.append(number)
    return str(max(fitting, default=""))

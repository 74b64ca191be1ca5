"""Locks: read what a folder pins, and tell whether that still fits what it wants.

A lock is current when, for every target, each wish is met by a pin. Nothing is stamped into the file, so
Dependabot, Renovate and people may edit it. Pins that nothing wants any more are found when the wheels' METADATA
is walked (`resolve`). `formats` knows the kinds of locks, and `writing` makes them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build.digest import Digest
from build.errors import InputError
from build.locking import formats, requirements_txt, tools
from build.locking.places import Base, digest_of, is_at, is_local, masked, spot_of, wished_url
from build.locking.reading import Reading
from build.locking.requirements import SO, Pin
from build.model import Finding, FunctionSpec, Severity, Spec, Target, Workspace
from build.project.profiles import profile_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What one folder pins, for all its targets."""

    identity: str
    pins: tuple[Pin, ...]
    wanted: tuple[Requirement, ...] | None
    """None when the folder has only a lock: then everything pinned is wanted."""
    digest: Digest
    """Of all it was read from, local projects included: the same digest resolves to the same wheels."""
    overrides: frozenset[str] = frozenset()
    """Names that its owner decided on: what other distributions need of them does not count."""
    file: str = requirements_txt.LOCK
    """The lock's file name, for messages."""
    beside: tuple[Path, ...] = ()
    """Files and projects of the repository, outside the folder, that it was read from."""
    provisional: bool = False
    """True when nothing in the folder pins what it wants, so this machine chose."""

    def selected(self, target: Target) -> tuple[Pin, ...]:
        """Return the pins whose markers hold on ``target``, sorted by name."""
        return selected(self.pins, target)


def selected(pins: Iterable[Pin], target: Target) -> tuple[Pin, ...]:
    """Return those of ``pins`` whose markers hold on ``target``, sorted by name."""
    chosen = [pin for pin in pins if pin.marker is None or _holds(pin.marker, target)]
    return tuple(sorted(chosen, key=lambda pin: (pin.name, pin.version)))


@cache
def _holds(marker: Marker, target: Target) -> bool:
    return marker.evaluate(dict(profile_of(target).markers))


def targets_of(spec: Spec) -> tuple[Target, ...]:
    """Return every target ``spec`` is built for."""
    return (spec.target,) if isinstance(spec, FunctionSpec) else spec.targets


def read_locks(workspace: Workspace, *, strict: bool = False) -> dict[str, Lock]:
    """Return the lock of every function and layer by identity; raise InputError with all stale or broken ones.

    On env ``local`` a `requirements.txt` that pins nothing is locked on the spot into .artifacts/, once for each
    text, and `unpinned` tells of it; elsewhere, and with ``strict``, it is an error.
    """
    locks: dict[str, Lock] = {}
    problems: list[str] = []
    for spec in workspace.specs:
        if isinstance(spec, FunctionSpec) and spec.dockerfile:
            locks[spec.identity] = _nothing_of_ours(spec)
            continue
        reading = formats.read(spec.folder, workspace.root, targets_of(spec))
        if reading.unpinned and not reading.problems:
            if workspace.env.is_local and not strict:
                reading = _provisional(spec, reading, workspace, locks)
            else:
                first, *others = map(str, reading.wanted or ("nothing",))
                said = masked(first) + (f" and {len(others)} more" if others else "")
                problems.append(f"{spec.identity}/{reading.lock}: expected name==version with --hash, got {said}")
                reading = replace(reading, wanted=None)
        lock = locks[spec.identity] = _lock(spec, reading, workspace.root)
        found = [f"{spec.identity}/{problem}" for problem in reading.problems]
        problems += found or [*_twice(lock, targets_of(spec)), *_unmet(lock, spec, workspace.root)]
    problems += [clash for spec in workspace.functions for clash in _clashes(spec, locks)]
    if problems:
        first = "do what the lines say, then " if any(SO in problem for problem in problems) else ""
        raise InputError(
            "the locks do not fit what is wanted",
            facts=map(masked, problems),
            hint=f"{first}run `invoke lock` and commit the locks it writes",
        )
    return locks


def _nothing_of_ours(spec: FunctionSpec) -> Lock:
    """Return a lock of nothing: what is installed is its Dockerfile's business, whatever stands beside that."""
    return Lock(identity=spec.identity, pins=(), wanted=(), digest=Digest.of_bytes(b""))


def unpinned(locks: Mapping[str, Lock]) -> tuple[Finding, ...]:
    """Return a warning for each folder whose lock was made for this machine alone."""
    return tuple(
        Finding(
            rule="unpinned",
            severity=Severity.WARNING,
            subject=lock.identity,
            message=f"nothing pins what its {lock.file} wants, so another machine may build something else",
            hint="run `invoke lock` and commit the lock it writes",
        )
        for lock in locks.values()
        if lock.provisional
    )


def _lock(spec: Spec, reading: Reading, root: Path) -> Lock:
    contents = [
        f"{pin.name} {digest_of(pin.folder) if pin.folder else sorted(pin.sha256s)} {pin.marker}"
        for pin in reading.pins
        if is_local(pin)
    ]
    return Lock(
        identity=spec.identity,
        pins=reading.pins,
        wanted=reading.wanted,
        overrides=reading.overrides,
        digest=Digest.of_bytes("\0".join([reading.basis, *contents]).encode()),
        file=reading.lock,
        beside=_beside(reading, Base(spec.folder, root)),
        provisional=reading.unpinned,
    )


def beside(spec: Spec, root: Path) -> tuple[Path, ...]:
    """Return `Lock.beside` of what ``spec`` pins, be the lock right or wrong."""
    return _beside(formats.read(spec.folder, root, targets_of(spec)), Base(spec.folder, root))


def _beside(reading: Reading, base: Base) -> tuple[Path, ...]:
    places = (pin.folder or base.path(pin.url or "") for pin in reading.pins if is_local(pin))
    return (*reading.beside, *(path for path in places if path and not path.is_relative_to(base.folder)))


def _provisional(spec: Spec, reading: Reading, workspace: Workspace, locks: Mapping[str, Lock]) -> Reading:
    """Return ``reading`` with a lock of what it wants that is kept in .artifacts/ for as long as the text stays."""
    root, folder = workspace.root, spec.folder
    lowest = min(targets_of(spec)).runtime
    layers = [locks[f"layers/{layer}"] for layer in spec.own_layers] if isinstance(spec, FunctionSpec) else []
    held = constraints_of(pin for layer in layers for pin in layer.pins)
    key = Digest.of_bytes("\0".join([reading.basis, held, str(lowest)]).encode())
    place = workspace.generated / "locks" / spec.identity
    lock = place / f"{key.short}.txt"
    if not lock.is_file():
        place.mkdir(parents=True, exist_ok=True)
        hint = f"change {spec.identity}/{reading.lock}, then run `invoke build`"
        with TemporaryDirectory(dir=place) as scratch:  # two builds at once must not write one draft
            constraints, draft = Path(scratch, "constraints.txt"), Path(scratch, "lock.txt")
            constraints.write_text(held, encoding="utf-8")
            wanted = folder / reading.lock
            tools.compile_with_uv(wanted, draft, lowest=lowest, constraints=[constraints], cwd=folder, hint=hint)
            requirements_txt.mend_places(folder, reading.lock, draft, root)
            draft.replace(lock)
    return requirements_txt.read_provisional(reading, lock, folder, root)


def constraints_of(pins: Iterable[Pin]) -> str:
    """Return the lines that hold another folder to the versions of ``pins``."""
    return "".join(
        f"{pin.name}=={pin.version}{f' ; {pin.marker}' if pin.marker else ''}\n" for pin in pins if pin.version
    )


def _clashes(spec: FunctionSpec, locks: Mapping[str, Lock]) -> Iterator[str]:
    """Yield one line for each distribution that a function and its layers pin in different versions."""
    holders: dict[str, tuple[str, str]] = {}
    for identity in (*(f"layers/{layer}" for layer in spec.own_layers), spec.identity):
        for pin in locks[identity].selected(spec.target):
            version, holder = holders.setdefault(pin.name, (pin.version, identity))
            if version != pin.version and holder != identity:
                yield f"{spec.identity}: {pin.name} is {version} in {holder} and {pin.version} in {identity}"


def _twice(lock: Lock, targets: Iterable[Target]) -> Iterator[str]:
    """Yield one line for each distribution that is pinned more than once for a target: only one can be imported."""
    for target in targets:
        for name, pins in groupby(lock.selected(target), key=lambda pin: pin.name):
            versions = [pin.version for pin in pins]
            if len(versions) > 1:
                yield f"{lock.identity}/{lock.file}: expected one pin of {name} for {target}, got {', '.join(versions)}"


def _unmet(lock: Lock, spec: Spec, root: Path) -> list[str]:
    """Return one line for each wish that no pin meets on some target."""
    unmet: dict[str, None] = {}
    base = Base(spec.folder, root)
    for target in targets_of(spec):
        pins = {pin.name: pin for pin in lock.selected(target)}
        for wish in lock.wanted or ():
            if wish.marker is not None and not _holds(wish.marker, target):
                continue
            name = canonicalize_name(wish.name)
            pin = pins.get(name)
            if pin is None or not (name in lock.overrides or _meets(pin, wish, base)):
                got = _named(pin, wish, base) if pin else f"no pin for {target}"
                unmet[f"{lock.identity}/{lock.file}: expected {wish}, got {got}"] = None
    return list(unmet)


def _meets(pin: Pin, wish: Requirement, base: Base) -> bool:
    if wish.url:
        return is_at(pin, wish.url, base)
    return not pin.version or wish.specifier.contains(pin.version, prereleases=True)


def _named(pin: Pin, wish: Requirement, base: Base) -> str:
    if "#" in (wish.url or "") and pin.url:
        return wished_url(pin.url, pin.sha256s) or spot_of(pin, base)
    return (spot_of(pin, base) if wish.url else "") or f"{pin.name}=={pin.version}"

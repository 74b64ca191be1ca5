"""From locks to wheels on disk, for the target and never for the host.

pip picks wheels by the target's tags but evaluates markers on the host (pypa/pip#11664). So markers are
evaluated here, pip gets an explicit list of pins, and afterwards every wheel's METADATA is walked: what the
lock misses or holds too much for a target is an error.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from build.digest import Digest
from build.errors import FindingsError, InputError, ToolError
from build.locking.locks import Lock
from build.model import Target, Wheel
from build.project.profiles import profile_of
from build.store.objects import Store
from build.wheels.surveys import Survey, surveyed
from build.wheels.toolchain import RULES

if TYPE_CHECKING:  # what fetches and builds is needed only where a wheel is not known
    from build.wheels.fetch import Wanted


@dataclass(frozen=True, slots=True)
class Request:
    """One lock for one target."""

    lock: Lock
    target: Target

    @property
    def key(self) -> Digest:
        """Of everything the answer depends on."""
        return Digest.of_bytes(f"{self.lock.digest} {self.target} {profile_of(self.target)} {RULES}".encode())


Resolved = Mapping[tuple[str, Target], tuple[Wheel, ...]]
"""Wheels by identity and target, sorted by name."""


def resolve(requests: Iterable[Request], store: Store, *, on_progress: Callable[[str], None]) -> Resolved:
    """Return the wheels of every request, fetching what nothing is known about.

    What is known from an earlier build, here or elsewhere, is told without its files: `require` gets those that
    are needed. Raises InputError with every distribution that can be had neither as a wheel nor by a build, and
    with everything the locks miss or hold too much; ToolError when the package index cannot be reached.
    """
    requests = tuple(requests)
    known = store.recall_each("resolved", {request.key for request in requests}, lambda note: _read(note, store))
    if open_requests := [request for request in requests if request.key not in known]:
        known |= _resolved(open_requests, store, on_progress)
    return {(request.lock.identity, request.target): known[request.key] for request in requests}


def _resolved(
    requests: Collection[Request], store: Store, on_progress: Callable[[str], None]
) -> dict[Digest, tuple[Wheel, ...]]:
    """Fetch what ``requests`` want and walk it; return the wheels by the keys of requests."""
    from build.wheels.fetch import fetch_wheels

    fetched = fetch_wheels(_wanted(requests), store, on_progress=on_progress)
    surveys = {wheel: surveyed(wheel, store) for wheel in dict.fromkeys(fetched.values())}
    resolved: dict[Digest, tuple[Wheel, ...]] = {}
    problems: list[str] = []
    for request in requests:
        wheels = tuple(fetched[pin, request.target] for pin in request.lock.selected(request.target))
        found = _walk(request, {wheel.name: surveys[wheel] for wheel in wheels})
        problems += found
        if not found:
            store.remember("resolved", request.key, [[w.name, w.version, w.path.name, w.digest.hex] for w in wheels])
            resolved[request.key] = wheels
    _refuse(problems)
    return resolved


def walk_known(requests: Iterable[Request], store: Store) -> frozenset[str]:
    """Raise what `resolve` would for those of ``requests`` whose wheels are in ``store``; fetch and build nothing.

    Returns the identities of the others, of which only `resolve` can tell.
    """
    from build.wheels.fetch import held_wheels

    requests = tuple(requests)
    known = store.recall_each("resolved", {request.key for request in requests}, lambda note: _read(note, store))
    problems: dict[str, None] = {}
    untold: set[str] = set()
    for request in requests:
        if request.key in known:
            continue
        wanted = _wanted([request])
        try:
            held = held_wheels(wanted, store)
        except ToolError:  # no Python of its runtime here, so nothing built by one
            held = {}
        if held.keys() == wanted.keys():
            problems |= dict.fromkeys(_walk(request, {wheel.name: surveyed(wheel, store) for wheel in held.values()}))
        else:
            untold.add(request.lock.identity)
    _refuse(list(problems))
    return frozenset(untold)


def _refuse(problems: Collection[str]) -> None:
    if problems:
        raise InputError("the locks and the wheels' own METADATA disagree", facts=problems, hint="run `invoke lock`")


def require(
    wheels: Collection[Wheel], requests: Iterable[Request], store: Store, *, on_progress: Callable[[str], None]
) -> None:
    """Make sure that the file of each of ``wheels``, which `resolve` gave for ``requests``, is in ``store``.

    This is the one place where a wheel's file is asked for: here, in the remote store, of the package index again.
    Raises FindingsError with those that come out otherwise than they were, and what `resolve` raises.
    """
    if store.bring_each({wheel.path: wheel.digest for wheel in wheels}):
        return
    from build.wheels.fetch import fetch_wheels

    absent = [wheel for wheel in wheels if not wheel.path.is_file()]
    names = {wheel.name for wheel in absent}
    wanted = {want: lock for want, lock in _wanted(requests).items() if want[0].name in names}
    fetch_wheels(wanted, store, on_progress=on_progress)
    lost = [f"{w.name} {w.version}: expected {w.path.name}, {w.digest}" for w in absent if not w.path.is_file()]
    if lost:
        raise FindingsError(
            "the index gives other wheels than it did",
            facts=lost,
            hint=f"delete {store.root / 'notes' / 'resolved'}, then run the same command again",
        )


def _wanted(requests: Iterable[Request]) -> "dict[Wanted, str]":
    return {(pin, r.target): f"{r.lock.identity}/{r.lock.file}" for r in requests for pin in r.lock.selected(r.target)}


def _read(note: Any, store: Store) -> tuple[Wheel, ...]:
    return tuple(
        Wheel(name=name, version=version, path=store.wheel(digest, filename), digest=digest)
        for name, version, filename, sha256 in note
        for digest in [Digest.parse(sha256)]
    )


def _walk(request: Request, surveys: Mapping[str, Survey]) -> list[str]:
    """Follow Requires-Dist from what is wanted; return what is missing, unfit or surplus."""
    where = f"{request.lock.identity}/{request.lock.file}, {request.target}"
    environment = dict(profile_of(request.target).markers)
    problems = [f"{where}: {told}" for told in _unfit(surveys, environment["python_full_version"])]
    roots = request.lock.wanted
    if roots is None:
        roots = tuple(Requirement(f"{name}=={said.version}") for name, said in surveys.items())
    pending = [(wish, "the folder itself") for wish in roots if _applies(wish, environment, "")]
    reached: set[tuple[str, str]] = set()
    while pending:
        wish, wanted_by = pending.pop()
        name = canonicalize_name(wish.name)
        is_decided = name in request.lock.overrides
        if name not in surveys and is_decided:
            continue
        if name not in surveys:
            problems.append(f"{where}: {wish} is missing, wanted by {wanted_by}")
            continue
        said = surveys[name]
        if not (is_decided or wish.specifier.contains(said.version, prereleases=True)):
            problems.append(f"{where}: expected {wish} for {wanted_by}, got {said.version}")
        for extra in {"", *wish.extras} - {extra for reached_name, extra in reached if reached_name == name}:
            reached.add((name, extra))
            pending += [(needed, name) for needed in _requires(said, environment, extra)]
    surplus = surveys.keys() - {name for name, _ in reached}
    problems += [f"{where}: {name} {surveys[name].version} is locked, but nothing wants it" for name in surplus]
    return sorted(set(problems))


def _unfit(surveys: Mapping[str, Survey], python: str) -> list[str]:
    """Return a line for each wheel that is not for the runtime's Python, of which ``python`` is an early release."""
    unfit = []
    for name, said in surveys.items():
        try:
            fits = SpecifierSet(said.requires_python).contains(python, prereleases=True)
        except InvalidSpecifier:
            continue  # as pip does
        if not fits:
            unfit.append(f"{name} {said.version} needs Python {said.requires_python}, got {python}")
    return unfit


def _requires(said: Survey, environment: Mapping[str, str], extra: str) -> list[Requirement]:
    """Return what ``said`` needs on the target, for ``extra`` or (empty) without extras."""
    needed = []
    for line in said.requires:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # Old uploads have lines no tool can read; pip passes over them too.
        if _applies(requirement, environment, extra):
            needed.append(requirement)
    return needed


def _applies(requirement: Requirement, environment: Mapping[str, str], extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**environment, "extra": extra})

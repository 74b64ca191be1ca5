"""From locks to wheels on disk, for the target and never for the host.

pip picks wheels by the target's tags but evaluates markers on the host (pypa/pip#11664). So markers are
evaluated here, pip gets an explicit list of pins, and afterwards every wheel's METADATA is walked: what the
lock misses or holds too much for a target is an error.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from build.digest import Digest
from build.errors import InputError
from build.locking.locks import LOCKED, Lock
from build.model import Target, Wheel
from build.packaging.fetch import fetch_wheels
from build.packaging.wheels import Metadata, read_metadata
from build.project.profiles import profile_of
from build.store.objects import Store, trusted


@dataclass(frozen=True, slots=True)
class Request:
    """One lock for one target."""

    lock: Lock
    target: Target

    @property
    def key(self) -> Digest:
        """Of everything the answer depends on."""
        return Digest.of_bytes(f"{self.lock.digest} {self.target} {profile_of(self.target)}".encode())


Resolved = Mapping[tuple[str, Target], tuple[Wheel, ...]]
"""Wheels by identity and target, sorted by name."""


def resolve(requests: Iterable[Request], store: Store, *, on_progress: Callable[[str], None]) -> Resolved:
    """Return the wheels of every request, fetching those the store lacks.

    Raises InputError with every distribution that has no wheel for its target, and with everything
    the locks miss or hold too much; ToolError when the package index cannot be reached.
    """
    resolved: dict[tuple[str, Target], tuple[Wheel, ...]] = {}
    open_requests: list[Request] = []
    for request in requests:
        known = _recall(request, store)
        if known is None:
            open_requests.append(request)
        else:
            resolved[request.lock.identity, request.target] = known
    if not open_requests:
        return resolved

    fetched = fetch_wheels(
        {(pin, r.target): r.lock.identity for r in open_requests for pin in r.lock.selected(r.target)},
        store,
        on_progress=on_progress,
    )
    problems: list[str] = []
    for request in open_requests:
        wheels = tuple(fetched[pin, request.target] for pin in request.lock.selected(request.target))
        found = _walk(request, wheels)
        problems += found
        if not found:
            store.remember("resolved", request.key, [[w.name, w.version, w.path.name, w.digest.hex] for w in wheels])
            resolved[request.lock.identity, request.target] = wheels
    if problems:
        raise InputError("the locks and the wheels' own METADATA disagree", facts=problems, hint="run `invoke lock`")
    return resolved


def _recall(request: Request, store: Store) -> tuple[Wheel, ...] | None:
    def read(note: Any) -> tuple[Wheel, ...] | None:
        wheels = tuple(
            Wheel(name=name, version=version, path=store.wheel(digest, filename), digest=digest)
            for name, version, filename, sha256 in note
            for digest in [Digest.parse(sha256)]
        )
        return wheels if all(w.path.exists() and trusted(w.path, w.digest) for w in wheels) else None

    return store.recall("resolved", request.key, read)


def _walk(request: Request, wheels: tuple[Wheel, ...]) -> list[str]:
    """Follow Requires-Dist from what is wanted; return what is missing, unfit or surplus."""
    where = f"{request.lock.identity}/{LOCKED}, {request.target}"
    metadata = {wheel.name: read_metadata(wheel.path) for wheel in wheels}
    problems = [
        f"{where}: {wheel.path.name}: its METADATA says {said.name} {said.version}"
        for wheel in wheels
        if canonicalize_name((said := metadata[wheel.name]).name) != wheel.name
    ]
    environment = dict(profile_of(request.target).markers)
    roots = request.lock.wanted
    if roots is None:
        roots = tuple(Requirement(f"{wheel.name}=={wheel.version}") for wheel in wheels)
    pending = [(wish, "requirements.in") for wish in roots if _applies(wish, environment, "")]
    reached: set[tuple[str, str]] = set()
    while pending:
        wish, wanted_by = pending.pop()
        name = canonicalize_name(wish.name)
        if name not in metadata:
            problems.append(f"{where}: {wish} is missing, wanted by {wanted_by}")
            continue
        said = metadata[name]
        if not wish.specifier.contains(said.version, prereleases=True):
            problems.append(f"{where}: expected {wish} for {wanted_by}, got {said.version}")
        for extra in {"", *wish.extras} - {extra for reached_name, extra in reached if reached_name == name}:
            reached.add((name, extra))
            pending += [(needed, name) for needed in _requires(said, environment, extra)]
    surplus = metadata.keys() - {name for name, _ in reached}
    problems += [f"{where}: {name} {metadata[name].version} is locked, but nothing wants it" for name in surplus]
    return sorted(set(problems))


def _requires(said: Metadata, environment: Mapping[str, str], extra: str) -> list[Requirement]:
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

"""Locks: read what a folder pins, tell whether that still fits what it wants, and write it with uv.

A lock is current when, for every target, each wish of `requirements.in` is met by a pin. Nothing is
stamped into the file, so Dependabot, Renovate and people may edit it. Pins that nothing wants any
more are found when the wheels' METADATA is walked (`resolve`).
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build import process
from build.digest import Digest
from build.errors import InputError, ToolError
from build.locking.requirements import Pin, parse_lock, parse_wanted
from build.model import FunctionSpec, Spec, Target, Workspace
from build.project.naming import did_you_mean
from build.project.profiles import profile_of

WANTED, LOCKED = "requirements.in", "requirements.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What one folder pins, for all its targets."""

    identity: str
    pins: tuple[Pin, ...]
    wanted: tuple[Requirement, ...] | None
    """None when the folder has only a lock: then everything pinned is wanted."""
    digest: Digest
    """Of both files: the same digest resolves to the same wheels."""

    def selected(self, target: Target) -> tuple[Pin, ...]:
        """Return the pins whose markers hold on ``target``, sorted by name."""
        return selected(self.pins, target)


def selected(pins: Iterable[Pin], target: Target) -> tuple[Pin, ...]:
    """Return those of ``pins`` whose markers hold on ``target``, sorted by name."""
    environment = dict(profile_of(target).markers)
    chosen = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]
    return tuple(sorted(chosen, key=lambda pin: (pin.name, pin.version)))


def targets_of(spec: Spec) -> tuple[Target, ...]:
    """Return every target ``spec`` is built for."""
    return (spec.target,) if isinstance(spec, FunctionSpec) else spec.targets


def read_locks(workspace: Workspace) -> dict[str, Lock]:
    """Return the lock of every function and layer by identity; raise InputError with all stale or broken ones."""
    locks: dict[str, Lock] = {}
    problems: list[str] = []
    for spec in workspace.specs:
        lock, found = _read(spec)
        locks[spec.identity] = lock
        problems += found or [*_twice(lock, targets_of(spec)), *_unmet(lock, targets_of(spec))]
    problems += [clash for spec in workspace.functions for clash in _clashes(spec, locks)]
    if problems:
        raise InputError(
            "the locks do not fit what is wanted",
            facts=problems,
            hint="run `invoke lock` and commit the requirements.txt it writes",
        )
    return locks


def _read(spec: Spec) -> tuple[Lock, list[str]]:
    wanted_text = _text(spec.folder / WANTED)
    locked_text = _text(spec.folder / LOCKED)
    wanted = parse_wanted(wanted_text or "")
    locked = parse_lock(locked_text or "")
    problems = [f"{spec.identity}/{WANTED}:{p}" for p in wanted.problems]
    problems += [f"{spec.identity}/{LOCKED}:{p}" for p in locked.problems]
    if wanted.requirements and locked_text is None:
        problems.append(f"{spec.identity}/{LOCKED}: expected a lock of {WANTED}, got no file")
    lock = Lock(
        identity=spec.identity,
        pins=locked.pins,
        wanted=None if wanted_text is None else wanted.requirements,
        digest=Digest.of_bytes(f"{wanted_text}\0{locked_text}".encode()),
    )
    return lock, problems


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
                yield f"{lock.identity}/{LOCKED}: expected one pin of {name} for {target}, got {', '.join(versions)}"


def _unmet(lock: Lock, targets: Sequence[Target]) -> list[str]:
    """Return one line for each wish that no pin meets on some target."""
    unmet: dict[str, None] = {}
    for target in targets:
        environment = dict(profile_of(target).markers)
        pins = {pin.name: pin for pin in lock.selected(target)}
        for wish in lock.wanted or ():
            if wish.marker is not None and not wish.marker.evaluate(environment):
                continue
            pin = pins.get(canonicalize_name(wish.name))
            if pin is None or not wish.specifier.contains(pin.version, prereleases=True):
                got = f"{pin.name}=={pin.version}" if pin else f"no pin for {target}"
                unmet[f"{lock.identity}/{LOCKED}: expected {wish}, got {got}"] = None
    return list(unmet)


def write_locks(
    workspaces: Sequence[Workspace], identities: Iterable[str] = (), *, upgrade: bool = False
) -> dict[str, bool]:
    """Pin every `requirements.in` with uv for all platforms, layers first; return identity → whether it changed.

    ``workspaces`` are those of all envs: a lock must fit each. ``identities`` chooses folders; none
    means all. A function is constrained by the locks of its layers, so both agree on versions. Pins
    that still fit stay, unless ``upgrade``. Raises InputError with identities that do not exist,
    and ToolError with uv's reasons for every folder where nothing fits; the others are locked.
    """
    specs: dict[str, list[Spec]] = {}
    for spec in (spec for workspace in workspaces for spec in workspace.specs):
        specs.setdefault(spec.identity, []).append(spec)
    changed: dict[str, bool] = {}
    failures: dict[str, ToolError] = {}
    for identity in _chosen(specs, identities):
        folder = specs[identity][0].folder
        if not (folder / WANTED).is_file():
            continue
        before = _text(folder / LOCKED)
        try:
            _compile(workspaces[0].root, specs[identity], upgrade=upgrade)
        except ToolError as failure:
            failures[identity] = failure
        else:
            changed[identity] = _text(folder / LOCKED) != before
    if failures:
        raise ToolError(
            f"locking {', '.join(failures)} failed",
            facts=[fact for failure in failures.values() for fact in failure.facts],
            hint=f"change {', '.join(f'{identity}/{WANTED}' for identity in failures)}, then run `invoke lock`",
        )
    return changed


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


def _compile(root: Path, specs: Sequence[Spec], *, upgrade: bool) -> None:
    """Lock one folder, which ``specs`` describe for each env: from its lowest runtime, held to all its layers."""
    identity = specs[0].identity
    lowest = min(target.runtime for spec in specs for target in targets_of(spec))
    layers = dict.fromkeys(layer for spec in specs if isinstance(spec, FunctionSpec) for layer in spec.own_layers)
    locks = [f"layers/{layer}/{LOCKED}" for layer in layers if (root / "layers" / layer / LOCKED).is_file()]
    argv = [
        *(_uv(), "pip", "compile", f"{identity}/{WANTED}", "--output-file", f"{identity}/{LOCKED}"),
        *("--universal", "--generate-hashes", "--python-version", lowest.version, "--quiet"),
        *("--custom-compile-command", "invoke lock"),
        # Named, or uv asks every Python it finds who it is, which takes 7 s behind pyenv's shims.
        *("--python", sys.executable, "--no-python-downloads"),
        *(word for lock in locks for word in ("--constraints", lock)),
        *(["--upgrade"] if upgrade else []),
    ]
    process.checked(
        # uv brings certificates of its own; behind a proxy that a company trusts only the system's are right.
        process.run(argv, cwd=root, env={"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true", **os.environ}),
        doing=f"locking {identity}",
        hint=f"change {identity}/{WANTED}, then run `invoke lock`",
    )


def _uv() -> str:
    # Ours first: it is pinned, and another version may write the file differently.
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if not found:
        raise ToolError("uv is not installed", hint="run `pip install -r requirements.txt`")
    return found


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None

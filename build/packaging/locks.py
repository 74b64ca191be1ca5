"""Locks: read what a folder pins, tell whether that still fits what it wants, and write it with uv.

A lock is current when, for every target, each wish of `requirements.in` is met by a pin. Nothing is
stamped into the file, so Dependabot, Renovate and people may edit it. Pins that nothing wants any
more are found when the wheels' METADATA is walked (`resolve`).
"""

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from build import process
from build.digest import Digest
from build.errors import InputError, ToolError
from build.model import FunctionSpec, Spec, Target, Workspace
from build.packaging.requirements import Pin, parse_lock, parse_wanted
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
        problems += found or _unmet(lock, targets_of(spec))
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


def write_locks(workspace: Workspace, identities: Iterable[str] = (), *, upgrade: bool = False) -> dict[str, bool]:
    """Pin every `requirements.in` with uv for all platforms, layers first; return identity → whether it changed.

    A function is constrained by the locks of its layers, so both agree on versions. Pins that
    still fit stay, unless ``upgrade``. Raises ToolError with uv's reason when nothing fits.
    """
    chosen = set(identities)
    changed: dict[str, bool] = {}
    for spec in workspace.specs:
        if (chosen and spec.identity not in chosen) or not (spec.folder / WANTED).is_file():
            continue
        before = _text(spec.folder / LOCKED)
        _compile(workspace, spec, upgrade=upgrade)
        changed[spec.identity] = _text(spec.folder / LOCKED) != before
    return changed


def _compile(workspace: Workspace, spec: Spec, *, upgrade: bool) -> None:
    root = workspace.root
    lowest = min(target.runtime for target in targets_of(spec))
    constraints = []
    for layer in spec.layers if isinstance(spec, FunctionSpec) else ():
        if not layer.startswith("arn:") and (root / "layers" / layer / LOCKED).is_file():
            constraints += ["--constraints", f"layers/{layer}/{LOCKED}"]
    argv = [
        *(_uv(), "pip", "compile", f"{spec.identity}/{WANTED}", "--output-file", f"{spec.identity}/{LOCKED}"),
        *("--universal", "--generate-hashes", "--python-version", lowest.version, "--quiet"),
        *("--custom-compile-command", "invoke lock"),
        # Named, or uv asks every Python it finds who it is, which takes 7 s behind pyenv's shims.
        *("--python", sys.executable, "--no-python-downloads"),
        *constraints,
        *(["--upgrade"] if upgrade else []),
    ]
    process.checked(
        # uv brings certificates of its own; behind a proxy that a company trusts only the system's are right.
        process.run(argv, cwd=root, env={"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true", **os.environ}),
        doing=f"locking {spec.identity}",
        hint=f"change {spec.identity}/{WANTED}, then run `invoke lock`",
    )


def _uv() -> str:
    # Ours first: it is pinned, and another version may write the file differently.
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if not found:
        raise ToolError("uv is not installed", hint="run `pip install -r requirements.txt`")
    return found


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None

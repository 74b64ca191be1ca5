"""Fetch wheels with pip: explicit pins, wheels only, hashes required, tags of the target."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from build import process
from build.digest import Digest
from build.errors import FindingsError, InputError, SlipwayError, ToolError
from build.locking.requirements import Pin
from build.model import Target, Wheel
from build.project.profiles import profile_of
from build.store.objects import Store, trusted

Wanted = tuple[Pin, Target]

_UNREACHABLE = (
    "after connection broken by",
    "problem confirming the ssl certificate",
    "error: connection-failed",
    "error: connection-timeout",
    "error: proxy-connection-failed",
    "error: ssl-missing",
    "error: ssl-verification-failed",
    "ssl module in Python is not available",
)
"""What pip prints when it cannot reach the index. Whole phrases: a distribution may be called pyopenssl."""
_OTHER_FILES = ("DO NOT MATCH THE HASHES",)
"""What pip prints when the index has other files than the lock. A distribution may be called xxhash."""


def fetch_wheels(
    wanted: Mapping[Wanted, str], store: Store, *, on_progress: Callable[[str], None]
) -> dict[Wanted, Wheel]:
    """Return the wheel of every pin in ``wanted``, whose values say which folder asks.

    What the store has is not fetched again; the rest goes to pip in as few calls as the versions
    allow, and what was fetched before another pin failed is kept.
    """
    found = {want: wheel for want in wanted if (wheel := _recall(want, store) or _only_choice(want, store))}
    missing = [want for want in wanted if want not in found]
    failures: list[tuple[Wanted, SlipwayError]] = []
    for target, pins in _batches(missing):
        on_progress(f"fetching {len(pins)} wheels for {target}: {', '.join(p.name for p in pins)}")
        try:
            found.update(_fetch(pins, target, store))
        except ToolError as reason:
            # pip stops at its first problem, so ask for each alone: all of them shall be told.
            failures += _one_by_one(pins, target, store, found) if len(pins) > 1 else [((pins[0], target), reason)]
    if failures:
        raise _failure(failures, wanted)
    return found


def _one_by_one(
    pins: Sequence[Pin], target: Target, store: Store, found: dict[Wanted, Wheel]
) -> Iterator[tuple[Wanted, SlipwayError]]:
    for pin in pins:
        try:
            found.update(_fetch([pin], target, store))
        except ToolError as reason:
            yield (pin, target), reason
            if _is_unreachable(reason):
                return


def _batches(missing: Iterable[Wanted]) -> Iterator[tuple[Target, list[Pin]]]:
    """Group pins by target so that no group has two pins of one distribution."""
    groups: dict[tuple[Target, int], list[Pin]] = {}
    seen: dict[tuple[Target, str], int] = {}
    for pin, target in missing:
        number = seen[target, pin.name] = seen.get((target, pin.name), -1) + 1
        groups.setdefault((target, number), []).append(pin)
    for (target, _), pins in groups.items():
        yield target, pins


def _fetch(pins: Sequence[Pin], target: Target, store: Store) -> dict[Wanted, Wheel]:
    with store.scratch() as folder:
        lines = folder / "pins.txt"
        lines.write_text("".join(pin.line for pin in pins), encoding="utf-8")
        wheels = folder / "wheels"
        process.checked(
            process.run([*pip_for("download", target), "--dest", str(wheels), "--requirement", str(lines)]),
            doing=f"fetching wheels for {target}",
            hint="run `invoke build` again when the package index can be reached",
        )
        by_name: dict[str, Pin] = {pin.name: pin for pin in pins}
        return {(by_name[wheel.name], target): wheel for wheel in _take_in(wheels, by_name, target, store)}


def _take_in(folder: Path, by_name: Mapping[str, Pin], target: Target, store: Store) -> Iterator[Wheel]:
    """Move fetched wheels into the store, each checked against its pin and its target once more."""
    accepted = frozenset(profile_of(target).tags)
    for path in sorted(folder.iterdir()):
        name, version, _, tags = _parsed(path.name)
        pin, digest = by_name[name], Digest.of_file(path)
        if digest.hex not in pin.sha256s or accepted.isdisjoint(tags):
            raise FindingsError(
                f"{path.name} is not a file that the lock allows for {target}",
                facts=[f"got {digest}", f"expected one of {len(pin.sha256s)} locked digests and a fitting tag"],
                hint="run `invoke lock`",
            )
        final = store.keep(path, store.wheel(digest, path.name))
        store.remember("wheel", _key((pin, target)), [path.name, digest.hex])
        yield Wheel(name=pin.name, version=str(version), path=final, digest=digest)


def _recall(want: Wanted, store: Store) -> Wheel | None:
    def read(note: Any) -> Wheel | None:
        filename, digest = note[0], Digest.parse(note[1])
        path = store.wheel(digest, filename)
        if not path.exists():
            return None
        return Wheel(name=want[0].name, version=want[0].version, path=trusted(path, digest), digest=digest)

    return store.recall("wheel", _key(want), read)


def _only_choice(want: Wanted, store: Store) -> Wheel | None:
    """Return the wheel that another target brought, if the lock allows no other file.

    Among several files pip may know a better one for this target: what the store happens to hold must not decide.
    """
    pin, target = want
    if len(pin.sha256s) > 1:
        return None
    for digest in map(Digest, pin.sha256s):
        for path in store.wheel(digest, "").glob("*.whl"):
            if not _parsed(path.name)[3].isdisjoint(profile_of(target).tags):
                return Wheel(name=pin.name, version=pin.version, path=path, digest=digest)
    return None


def _key(want: Wanted) -> Digest:
    pin, target = want
    return Digest.of_bytes(f"{pin.name} {pin.version} {sorted(pin.sha256s)} {profile_of(target)}".encode())


def pip_for(verb: str, target: Target) -> list[str]:
    """Return pip's ``verb`` for exact, hashed pins: wheels only, and those of ``target``."""
    profile = profile_of(target)
    platforms = [word for platform in profile.platforms for word in ("--platform", platform)]
    minor = target.runtime.minor
    return [
        *(sys.executable, "-m", "pip", verb, "--no-deps", "--require-hashes", "--only-binary=:all:"),
        *("--implementation", "cp", "--python-version", f"3.{minor}", "--abi", f"cp3{minor}", *platforms),
        *("--disable-pip-version-check", "--no-input", "--progress-bar", "off"),
    ]


def _parsed(filename: str) -> tuple[str, object, object, frozenset[object]]:
    try:
        name, version, build_number, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as reason:
        raise InputError(str(reason), hint="pin another version in requirements.in, then run `invoke lock`") from None
    return canonicalize_name(name), version, build_number, frozenset(tags)


def _is_unreachable(reason: SlipwayError) -> bool:
    return _said(reason, _UNREACHABLE)


def _said(reason: SlipwayError, phrases: Iterable[str]) -> bool:
    """Say whether pip printed one of ``phrases``; the command line, which is the first fact, does not count."""
    printed = "\n".join(reason.facts[1:])
    return any(phrase in printed for phrase in phrases)


def _failure(failures: Sequence[tuple[Wanted, SlipwayError]], wanted: Mapping[Wanted, str]) -> SlipwayError:
    unreachable = next((reason for _, reason in failures if _is_unreachable(reason)), None)
    if unreachable:
        return unreachable
    facts = []
    for (pin, target), reason in failures:
        why = "no wheel for it that the lock allows" if _said(reason, _OTHER_FILES) else "no wheel for it"
        facts.append(f"{wanted[pin, target]}: {pin.name} {pin.version} on {target}: {why}")
    hint = "pin a version that has one in requirements.in, then run `invoke lock`"
    if any(_said(reason, _OTHER_FILES) for _, reason in failures):
        hint = "the index has other files than the lock allows: find out why, then run `invoke lock --upgrade`"
    return InputError("distributions without a wheel for their target", facts=facts, hint=hint)

"""From pins to wheels: out of the store, from the package index by pip, or built from source where there is no wheel.

pip gets explicit pins, wheels only, hashes required, tags of the target; several pips work at once.
"""

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name, parse_wheel_filename

from build import process
from build.digest import Digest
from build.errors import FindingsError, InputError, SlipwayError
from build.locking.requirements import Pin
from build.locking.tools import REACH
from build.model import Target, Wheel
from build.process import Completed
from build.project.profiles import profile_of
from build.store.objects import Store, trust
from build.wheels.pip import (
    blamed,
    is_unreachable,
    met_other_files,
    others_with_wheel,
    pip_for,
    refusal_of_wheel,
    run_pip,
)
from build.wheels.sdists import NoSourceError, build_wheel, content_of, is_source, known_build
from build.wheels.surveys import surveyed
from build.wheels.toolchain import RULES

Wanted = tuple[Pin, Target]
_Say = Callable[[str], None]
_NoWheel = dict[Wanted, str]
"""Why pip gave none."""

_AT_ONCE = 2
"""Programs. One that waits for the network leaves room for another; more would only share the line."""
_MOST_LOOKED_UP = 5
"""Of distributions without a wheel: each asks the index once more."""
_NONE, _OTHER_FILES = "no wheel for it", "no wheel for it that the lock allows"
_DOWNLOADED = re.compile(r"^\s*Downloading (?:\S*/)?(\S+\.whl)", re.MULTILINE)
_FROM_CACHE = re.compile(r"^\s*Using cached (?:\S*/)?(\S+\.whl)", re.MULTILINE)


def fetch_wheels(wanted: Mapping[Wanted, str], store: Store, *, on_progress: _Say) -> dict[Wanted, Wheel]:
    """Return the wheel of every pin in ``wanted``, whose values say which lock asks; its file is in ``store``.

    What the store has is not fetched again; the rest goes to pip in as few calls as the versions allow,
    and what was fetched before another pin failed is kept. What has no wheel is built. Raises InputError
    with all that can be had neither way, ToolError when the index cannot be reached.
    """
    contents, keys, wants = _keys(wanted)
    held = _held(wants, contents, store)
    found = {want: held[key] for key, want in wants.items() if key in held}
    missing = [want for want in wants.values() if want not in found]
    if missing:
        fetchable = {want: wanted[want] for want in missing if not is_source(want[0])}
        fetched, no_wheel = _fetch_all(fetchable, store, on_progress)
        without_source = [want for want, why in no_wheel.items() if want[0].url or why not in {_NONE, _OTHER_FILES}]
        to_build = [want for want in missing if want not in fetched and want not in without_source]
        built, failed = _build_all(to_build, contents, store, on_progress)
        if failed or without_source:
            raise _failure({**dict.fromkeys(without_source), **failed}, no_wheel, wanted)
        found.update({**fetched, **built})
    return {want: found[wants[key]] for want, key in keys.items()}


# ── what is there ─────────────────────────────────────────────────────────────────────────────


def held_wheels(wanted: Collection[Wanted], store: Store) -> dict[Wanted, Wheel]:
    """Return the wheels of those of ``wanted`` that `fetch_wheels` would neither fetch nor build."""
    contents, keys, wants = _keys(wanted)
    held = _held(wants, contents, store)
    return {want: held[key] for want, key in keys.items() if key in held}


def _keys(wanted: Collection[Wanted]) -> tuple[dict[Pin, Digest], dict[Wanted, Digest], dict[Digest, Wanted]]:
    """Return the content of each pin, and the key of each of ``wanted``, and the other way round."""
    contents = {pin: content_of(pin) for pin in dict.fromkeys(pin for pin, _ in wanted)}
    keys = {want: _key(contents[want[0]], want[1]) for want in wanted}
    return contents, keys, {key: want for want, key in keys.items()}  # folders may pin the same under other markers


def _held(wants: Mapping[Digest, Wanted], contents: Mapping[Pin, Digest], store: Store) -> dict[Digest, Wheel]:
    """Return the wheels whose files are in the store, or come from the remote one; all at once, and by key."""

    def read(note: Any) -> Wheel | None:
        filename, digest = note[0], Digest.parse(note[1])
        return _present(filename, digest, store)

    asked = [key for key, want in wants.items() if not is_source(want[0])]
    recalled = store.recall_each("wheel", asked, read)
    # Others may write to a remote store; the lock has the last word.
    held = {key: wheel for key, wheel in recalled.items() if wheel.digest.hex in wants[key][0].sha256s}
    for key, want in wants.items():
        if key not in held:
            pin, target = want
            is_built = is_source(pin) or store.recall("source", key, bool)
            wheel = known_build(pin, contents[pin], target, store) if is_built else _only_choice(want, store)
            if wheel:
                held[key] = wheel
    return held


def _present(filename: str, digest: Digest, store: Store) -> Wheel | None:
    name, version, _, _ = parse_wheel_filename(filename)
    path = store.wheel(digest, filename)
    wheel = Wheel(name=name, version=str(version), path=path, digest=digest)
    return wheel if store.bring(path, digest) else None


def _only_choice(want: Wanted, store: Store) -> Wheel | None:
    """Return the wheel that another target brought, if the lock allows no other file.

    Among several files pip may know a better one for this target: what the store happens to hold must not decide.
    """
    pin, target = want
    if len(pin.sha256s) != 1:
        return None
    for digest in map(Digest, pin.sha256s):
        for path in store.wheel(digest, "").glob("*.whl"):
            if not parse_wheel_filename(path.name)[3].isdisjoint(profile_of(target).tags):
                return _present(path.name, digest, store)
    return None


def _key(content: Digest, target: Target) -> Digest:
    return Digest.of_bytes(f"{content} {profile_of(target)}".encode())


# ── fetch ─────────────────────────────────────────────────────────────────────────────────────


def _fetch_all(missing: Mapping[Wanted, str], store: Store, say: _Say) -> tuple[dict[Wanted, Wheel], _NoWheel]:
    """Return what pip fetched, and why it did not fetch the rest; raise InputError with all wheels that cannot ship."""
    found: dict[Wanted, Wheel] = {}
    failed: _NoWheel = {}
    bad: list[InputError] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        batches = [pool.submit(_fetch, pins, target, missing, store, say) for target, pins in _batches(missing)]
        try:
            for batch in batches:
                fetched, refused, hostile = batch.result()
                found.update(fetched)
                failed.update(refused)
                bad += hostile
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    if bad:
        raise _together(bad)
    return found, failed


def _together(bad: Sequence[InputError]) -> InputError:
    """Return one error that tells of every wheel that cannot ship."""
    if len(bad) == 1:
        return bad[0]
    told = {each.summary: each.facts for each in sorted(bad, key=str)}
    facts = [line for summary, facts in told.items() for line in (summary, *(f"  {fact}" for fact in facts))]
    hints = dict.fromkeys(each.hint for each in bad)
    return InputError("wheels that cannot ship", facts=facts, hint="; ".join(sorted(hints)))


def _batches(missing: Iterable[Wanted]) -> Iterator[tuple[Target, list[Pin]]]:
    """Group pins by target so that no group has two pins of one distribution."""
    groups: dict[tuple[Target, int], list[Pin]] = {}
    seen: dict[tuple[Target, str], int] = {}
    for pin, target in missing:
        number = seen[target, pin.name] = seen.get((target, pin.name), -1) + 1
        groups.setdefault((target, number), []).append(pin)
    for (target, _), pins in groups.items():
        yield target, pins


def _fetch(
    pins: Sequence[Pin], target: Target, locks: Mapping[Wanted, str], store: Store, say: _Say
) -> tuple[dict[Wanted, Wheel], _NoWheel, list[InputError]]:
    """Fetch ``pins``, leaving out those that pip stops at until it gets through; tell of those that cannot ship."""
    failed: _NoWheel = {}
    bad: list[InputError] = []
    say(f"fetching {_count(pins)} for {target}: {', '.join(pin.name for pin in pins)}")
    while pins:
        with store.scratch() as folder:
            began = time.monotonic()
            completed = _download(pins, target, folder)
            if completed.code == 0:
                took = time.monotonic() - began
                by_name: dict[str, Pin] = {pin.name: pin for pin in pins}
                fetched: dict[Wanted, Wheel] = {}
                for path in sorted((folder / "wheels").iterdir()):
                    pin = by_name[canonicalize_name(parse_wheel_filename(path.name)[0])]
                    try:
                        fetched[pin, target] = _take_in(path, pin, target, locks[pin, target], store)
                    except InputError as reason:
                        bad.append(reason)
                if fetched:
                    say(f"fetched {_told([*fetched.values()], completed, took)} for {target}")
                return fetched, failed, bad
        if is_unreachable(completed):
            process.checked(completed, doing=f"fetching wheels for {target}", hint=REACH)
        # pip stops at its first problem, so go on without it: all of them shall be told.
        stopped_at = blamed(completed, pins) or (tuple(pins) if len(pins) == 1 else ())
        if not stopped_at:
            process.checked(
                completed, doing=f"fetching wheels for {target}", hint="mend what pip says, then run `invoke build`"
            )
        refused = refusal_of_wheel(completed)
        why = _OTHER_FILES if met_other_files(completed) else f"pip refuses its wheel: {refused}" if refused else _NONE
        failed.update(dict.fromkeys([(pin, target) for pin in stopped_at], why))
        pins = [pin for pin in pins if pin not in stopped_at]
    return {}, failed, bad


def _download(pins: Iterable[Pin], target: Target, folder: Path) -> Completed:
    lines = folder / "pins.txt"
    # Many pins name the same private index, and pip would ask it once for each.
    unique = dict.fromkeys(line for pin in pins for line in pin.line.splitlines(keepends=True))
    lines.write_text("".join(unique), encoding="utf-8")
    return run_pip([*pip_for("download", target), "--dest", str(folder / "wheels"), "--requirement", str(lines)])


def _take_in(fetched: Path, pin: Pin, target: Target, lock: str, store: Store) -> Wheel:
    """Move a fetched wheel into the store, checked against its pin and its target once more, and looked into."""
    _, version, _, tags = parse_wheel_filename(fetched.name)
    digest = Digest.of_file(fetched)
    if digest.hex not in pin.sha256s or tags.isdisjoint(profile_of(target).tags):
        raise FindingsError(
            f"{fetched.name} is not a file that {lock} allows for {target}",
            facts=[f"got {digest}", f"expected one of {len(pin.sha256s)} locked digests and a fitting tag"],
            hint="run `invoke lock`",
        )
    trust(fetched)  # or the survey would hash it again
    try:
        surveyed(Wheel(name=pin.name, version=str(version), path=fetched, digest=digest), store)
    except InputError as bad:
        raise InputError(bad.summary, facts=bad.facts, hint=_another(pin, lock)) from None
    final = store.keep(fetched, store.wheel(digest, fetched.name))
    store.remember("wheel", _key(content_of(pin), target), [final.name, digest.hex])
    return Wheel(name=pin.name, version=str(version), path=final, digest=digest)


def _told(wheels: Sequence[Wheel], completed: Completed, seconds: float) -> str:
    """Say how much came from where, and how fast."""
    downloaded, cached = (set(pattern.findall(completed.stdout)) for pattern in (_DOWNLOADED, _FROM_CACHE))
    from_index = [wheel.path.stat().st_size for wheel in wheels if wheel.path.name in downloaded]
    from_cache = sum(wheel.path.name in cached for wheel in wheels)
    from_folders = len(wheels) - len(from_index) - from_cache
    size = sum(from_index) / 1e6
    parts = [
        f"{len(from_index)} from the index ({size:.1f} MB, {size / seconds:.1f} MB/s)" if from_index else "",
        f"{from_cache} from pip's cache" if from_cache else "",
        f"{from_folders} from folders" if from_folders else "",
    ]
    return f"{_count(wheels)} in {seconds:.1f} s: {', '.join(filter(None, parts))}"


def _count(things: Sequence[object]) -> str:
    return f"{len(things)} wheel{'s' if len(things) != 1 else ''}"


def _another(pin: Pin, lock: str) -> str:
    return f"ask for another version of {pin.name} than {lock} has, then run `invoke lock`"


# ── build ─────────────────────────────────────────────────────────────────────────────────────


def _build_all(
    missing: Iterable[Wanted], contents: Mapping[Pin, Digest], store: Store, say: _Say
) -> tuple[dict[Wanted, Wheel], dict[Wanted, SlipwayError]]:
    """Return what was built, here or meanwhile by another runner, and why the rest was not."""
    # The architectures of one runtime in turn: a pure wheel of the first serves the second.
    jobs: dict[tuple[Pin, int], list[Target]] = {}
    for pin, target in missing:
        jobs.setdefault((pin, target.runtime.minor), []).append(target)

    def key(job: tuple[Pin, int]) -> Digest:
        return Digest.of_bytes(f"building {RULES} {contents[job[0]]} {job[1]}".encode())

    def known(pin: Pin, target: Target) -> Wheel | None:
        return known_build(pin, contents[pin], target, store)

    def look(job: tuple[Pin, int]) -> dict[Wanted, Wheel | SlipwayError] | None:
        there = {(job[0], target): known(job[0], target) for target in jobs[job]}
        return {want: wheel for want, wheel in there.items() if wheel} if all(there.values()) else None

    def make(job: tuple[Pin, int]) -> dict[Wanted, Wheel | SlipwayError]:
        pin, made = job[0], dict[Wanted, Wheel | SlipwayError]()
        for target in jobs[job]:
            try:
                made[pin, target] = known(pin, target) or build_wheel(
                    pin, contents[pin], target, store, on_progress=say
                )
            except InputError as reason:
                made[pin, target] = reason
        return made

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        made = store.each_once(jobs, pool, key=key, look=look, make=make).values()
    results = {want: result for some in made for want, result in some.items()}
    built = {want: result for want, result in results.items() if isinstance(result, Wheel)}
    for pin, target in built:
        store.remember("source", _key(contents[pin], target), True)
    return built, {want: result for want, result in results.items() if isinstance(result, SlipwayError)}


def _failure(
    failed: Mapping[Wanted, SlipwayError | None], no_wheel: _NoWheel, wanted: Mapping[Wanted, str]
) -> SlipwayError:
    """Return one error that tells of everything which can be had neither as a wheel nor by a build.

    The values of ``failed`` say what came of building it; None where there was nothing to build.
    """
    facts: list[str] = []
    hints: dict[str, None] = {}
    for (pin, target), reason in sorted(failed.items(), key=lambda each: (each[0][0].name, each[0][1])):
        lock, lacking = wanted[pin, target], no_wheel.get((pin, target), "")
        whys = [lacking] if lacking else []
        if reason and not (lacking and isinstance(reason, NoSourceError)):
            whys.append(f"its {'project' if pin.folder else 'sdist'} {reason.summary}")
        facts.append(f"{lock}: {pin.name} {pin.version} on {target}: {', and '.join(whys)}")
        facts += [f"  {line}" for line in reason.facts] if reason else []
        if lacking == _NONE and len(failed) <= _MOST_LOOKED_UP and (others := others_with_wheel(pin, target)):
            facts.append(f"  other versions have one, such as {' and '.join(others)}")
        mended = reason.hint if reason else _another(pin, lock)
        other_files = f"other files are there than {lock} allows: find out why, then run `invoke lock --upgrade`"
        hints[other_files if lacking == _OTHER_FILES else mended] = None
    return InputError("distributions without a wheel for their target", facts=facts, hint="; ".join(hints))

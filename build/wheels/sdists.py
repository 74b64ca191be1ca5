"""Wheels built here: from sdists that have no wheel for a target, and from projects of this repository.

A wheel is built only if the same source gives the same bytes tomorrow and elsewhere: in isolation, by one
version of each build backend, with a compiler that links against the runtime's own glibc or with none, and
rewritten in one form. Compiled code is accepted once its ELF facts fit the runtime; what cannot be
proved to be right is an error.
"""

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zipfile import BadZipFile

from packaging.utils import parse_wheel_filename

from build import process
from build.digest import Digest
from build.errors import InputError
from build.locking.places import digest_of, files_of
from build.locking.requirements import Pin
from build.locking.tools import REACH
from build.model import Target, Wheel
from build.process import Completed
from build.project.interpreters import interpreter_of, release_of
from build.project.profiles import profile_of
from build.store.objects import Store, trust
from build.wheels.canonical import write_canonical
from build.wheels.elf import misfits
from build.wheels.pip import PIP, QUIETLY, blamed, is_unreachable, met_other_files, others_with_wheel, run_pip
from build.wheels.surveys import Survey, surveyed
from build.wheels.toolchain import BACKENDS, RULES
from build.wheels.workshop import FOREIGN, Workshop, can_compile_for, compiler, open_workshop, telling

_UMASK = 0o022
_COPIED_AT_S = 315_532_800
"""1980-01-01. A checkout dates files in any order, and some builds make anew what is older than something else."""
_CONFLICT = "The user requested (constraint)"
_OUTPUT = re.compile(r"lines of output\]\n(.*?)\n\s*\[end of output\]", re.DOTALL)
_COMPILE_ERROR = ": error: "
_SHOWN_LINES = 4
"""Of a compiler's errors, and of the end of the output."""
_OUT = (
    "ask for a version that has a wheel, then run `invoke lock`; or take it from a Lambda layer by ARN that was "
    "built on Amazon Linux"
)


class NoSourceError(InputError):
    """There is no sdist to build."""


@dataclass(frozen=True, slots=True)
class _Built:
    """What one run of pip gave."""

    completed: Completed
    path: Path | None
    called: frozenset[str]


def is_source(pin: Pin) -> bool:
    """Say whether ``pin`` names source itself: a project, or the URL of an sdist."""
    return pin.folder is not None or (pin.url is not None and not urlsplit(pin.url).path.endswith(".whl"))


def content_of(pin: Pin) -> Digest:
    """Return the digest of what ``pin`` allows: a project's content, or the digests of a version's files."""
    content = digest_of(pin.folder) if pin.folder else sorted(pin.sha256s)
    return Digest.of_bytes(f"{pin.name} {pin.version} {content}".encode())


def known_build(pin: Pin, content: Digest, target: Target, store: Store) -> Wheel | None:
    """Return the wheel that was built from ``pin`` for ``target`` before, brought here if need be.

    ``content`` is its `content_of`.
    """

    def read(note: Any) -> Wheel | None:
        filename, version, digest = note[0], note[1], Digest.parse(note[2])
        path = store.wheel(digest, filename)
        wheel = Wheel(name=pin.name, version=version, path=path, digest=digest)
        return wheel if store.bring(path, digest) else None

    for key in (_pure_key(content, target), _compiled_key(content, target)):
        wheel = store.recall("built", key, read)
        if wheel:
            return wheel
    return None


def build_wheel(
    pin: Pin, content: Digest, target: Target, store: Store, *, on_progress: Callable[[str], None]
) -> Wheel:
    """Return the wheel that ``pin``'s source gives for ``target``, kept in ``store``; ``content`` is its `content_of`.

    Raises InputError with the reason where there is no source, it does not build, or what it gives
    cannot be proved to be right for ``target``; ToolError when the index cannot be reached.
    """
    what = f"{pin.name} {pin.version} for {target} from its {'project' if pin.folder else 'sdist'}"
    with store.scratch() as folder:
        with telling(f"building {what}", on_progress):
            built = tried = _run(pin, target, open_workshop(folder / "without", target, None))
        if tried.called:
            _refuse_unprovable(tried.called, target)
            zig = compiler(target, store, on_progress=on_progress)
            with telling(f"compiling {what}", on_progress):
                built = _run(pin, target, open_workshop(folder / "with", target, zig))
            _refuse_unprovable(built.called, target)
        path = _path(built, pin)
        draft = folder / path.name
        wheel, survey = _rewritten(path, draft, folder, pin, store)
        _refuse_unfit(wheel, survey, target)
        if tried.called and survey.shared_objects and not is_source(pin):
            store.remember("compiled", wheel.digest, others_with_wheel(pin, target))
        final = store.keep(draft, store.wheel(wheel.digest, draft.name))
        is_pure = not tried.called and not survey.shared_objects and draft.name.endswith("-any.whl")
        key = _pure_key(content, target) if is_pure else _compiled_key(content, target)
        store.remember("built", key, [final.name, wheel.version, wheel.digest.hex])
    return Wheel(name=pin.name, version=wheel.version, path=final, digest=wheel.digest)


def _pure_key(content: Digest, target: Target) -> Digest:
    """One wheel for both architectures; but a setup.py may ask which Python it meets."""
    return Digest.of_bytes(f"built {RULES} {content} {target.runtime}".encode())


def _compiled_key(content: Digest, target: Target) -> Digest:
    profile = profile_of(target)
    return Digest.of_bytes(f"built {RULES} {content} {profile} {release_of(target.runtime)}".encode())


def _run(pin: Pin, target: Target, workshop: Workshop) -> _Built:
    """Run pip once, or twice where the source refuses our versions of the build backends."""
    folder = workshop.folder
    argv = [
        *(*PIP, "--python", str(interpreter_of(target.runtime)), "wheel", "--no-deps", "--no-cache-dir"),
        *("--wheel-dir", str(folder / "wheels"), "--progress-bar", "off", *QUIETLY),
    ]
    if pin.folder:
        argv.append(str(_copied(pin.folder, folder / "project")))
    else:
        (folder / "pin.txt").write_text(pin.line, encoding="utf-8")
        argv += ["--require-hashes", "--no-binary", pin.name, "--requirement", str(folder / "pin.txt")]
    environment = workshop.environment(os.environ)
    completed = run_pip([*argv, "--build-constraint", str(BACKENDS)], environment, umask=_UMASK)
    if _CONFLICT in completed.stderr:
        completed = run_pip(argv, environment, umask=_UMASK)
    paths = list((folder / "wheels").glob("*.whl"))
    return _Built(completed, paths[0] if completed.code == 0 and paths else None, workshop.called)


def _copied(project: Path, place: Path) -> Path:
    """Copy ``project`` to build there, so that nothing is written into it: what its digest is of, and no more."""
    for path in files_of(project):
        copy = place / path.relative_to(project)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
        os.utime(copy, (_COPIED_AT_S, _COPIED_AT_S))
    return place


def _rewritten(path: Path, draft: Path, scratch: Path, pin: Pin, store: Store) -> tuple[Wheel, Survey]:
    """Rewrite what was built at ``path`` to ``draft``, and look at every byte of it."""
    try:
        digest = write_canonical(path, draft, scratch)
    except (BadZipFile, ValueError) as reason:
        raise _refusal(f"builds no wheel: {reason}") from None
    trust(draft)  # or the survey would hash it again
    version = str(parse_wheel_filename(path.name)[1])
    wheel = Wheel(name=pin.name, version=version, path=draft, digest=digest)
    try:
        survey = surveyed(wheel, store)
    except InputError as bad:
        raise _refusal("builds a wheel that cannot ship", bad.facts) from None
    if pin.version and not _is_same(pin.version, version):
        raise _refusal(f"builds {version} and not {pin.version}")
    return wheel, survey


def _refuse_unprovable(called: Iterable[str], target: Target) -> None:
    """Raise InputError if what a build asked for cannot be given to it here."""
    foreign = sorted({FOREIGN[name] for name in called if name in FOREIGN})
    if foreign:
        raise _refusal(f"needs {' and '.join(foreign)}, and what that fetches or links no lock pins")
    if not can_compile_for(target):
        raise _refusal(f"has compiled code, and only Linux on {profile_of(target).machine} can prove that it is right")


def _refuse_unfit(wheel: Wheel, survey: Survey, target: Target) -> None:
    tags = parse_wheel_filename(wheel.path.name)[3]
    if tags.isdisjoint(profile_of(target).tags):
        raise _refusal(f"builds {wheel.path.name}, which {target} does not accept")
    own = {name for each in survey.shared_objects for name in (each.soname, each.path.rpartition("/")[2]) if name}
    facts = [f"{each.path}: {why}" for each in survey.shared_objects for why in misfits(each, target, own)]
    if facts:
        raise _refusal(f"builds compiled code that {target} cannot load", facts)


def _path(built: _Built, pin: Pin) -> Path:
    """Return the wheel that was built; raise what kept it from being so."""
    if built.path:
        return built.path
    completed = built.completed
    if is_unreachable(completed):
        process.checked(completed, doing=f"building {pin.name}", hint=REACH)
    if blamed(completed, [pin]):
        raise NoSourceError("is not what the lock allows" if met_other_files(completed) else "is not there", hint=_OUT)
    outputs = _OUTPUT.findall(completed.stderr) or [completed.stderr]
    lines = [line.strip() for line in outputs[-1].splitlines() if line.strip()]
    compilers = [line for line in lines if _COMPILE_ERROR in line]
    raise _refusal("does not build", dict.fromkeys([*compilers[:_SHOWN_LINES], *lines[-_SHOWN_LINES:]]))


def _refusal(summary: str, facts: Iterable[str] = ()) -> InputError:
    return InputError(summary, facts=facts, hint=_OUT)


def _is_same(one: str, other: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other

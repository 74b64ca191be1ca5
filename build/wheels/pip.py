"""Run pip, understand what it prints, and show no credential of it."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from packaging.utils import canonicalize_name
from packaging.version import Version

from build import process
from build.locking.requirements import Pin
from build.model import Target
from build.process import Completed
from build.project.profiles import profile_of

PIP = (sys.executable, "-m", "pip")
QUIETLY = ("--disable-pip-version-check", "--no-input")

_USER_IN_URL = re.compile(r"(?<=://)[^\s/]*@")
_QUERY_OF_URL = re.compile(r"(?<=[?&])([^\s=&#]+)=[^\s&#]+")
"""Signed addresses carry their credential there."""
_BLAMED = (
    re.compile(r"^ERROR: No matching distribution found for (\S+?)[=@ ]", re.MULTILINE),
    re.compile(r"^\s+(\S+?)==\S+ from \S+ ", re.MULTILINE),
    re.compile(r"^\s+(\S+?)(?:\[\S+\])? @ \S+ ", re.MULTILINE),
    re.compile(r"^ERROR: (\S+?)-\S+\.whl is not a supported wheel", re.MULTILINE),
    re.compile(r"^ERROR: Wheel '(\S+)' located at ", re.MULTILINE),
    re.compile(r"^ERROR: (\S+) has an invalid wheel", re.MULTILINE),
    re.compile(r"^ERROR: Invalid wheel filename .*: '([^'-]+)", re.MULTILINE),
)
"""Where pip names the distribution that it stops at: not there, other bytes than the lock's, no wheel that it takes."""
_REFUSED = re.compile(
    r"^ERROR: (?!No matching)(.*(?:is not a supported wheel|Wheel '.*' located at .* is invalid|[Ii]nvalid wheel).*?)"
    r"(?: on this platform)?\.?$",
    re.MULTILINE,
)
_UNREACHABLE = (
    "after connection broken by",
    "problem confirming the ssl certificate",
    "error: connection-failed",
    "error: connection-timeout",
    "error: proxy-connection-failed",
    "error: incomplete-download",
    "error: ssl-missing",
    "error: ssl-verification-failed",
    "ssl module in Python is not available",
    " Error, Credentials not correct for ",
)
"""What pip prints when it cannot reach the index, or may not. Whole phrases: a distribution may be called pyopenssl."""
_OTHER_FILES = "DO NOT MATCH THE HASHES"
_LAST_WORDS = 20
"""Lines. What went wrong before them was got over by trying again."""


def pip_for(verb: str, target: Target) -> list[str]:
    """Return pip's ``verb`` for exact, hashed pins: wheels only, and those of ``target``.

    What a wheel says of Python versions is not asked here: a whole walk over METADATA tells it (`resolve`).
    """
    return [
        *(*PIP, verb, "--no-deps", "--require-hashes", "--ignore-requires-python"),
        *_wheels_of(target),
        *QUIETLY,
        *("--progress-bar", "off"),
    ]


def others_with_wheel(pin: Pin, target: Target) -> tuple[str, ...]:
    """Ask the index which other versions of ``pin``'s distribution have a wheel for ``target``.

    Returns the nearest to ``pin``'s, a newer one where there is any, and the newest; nothing if the index knows none
    or does not answer.
    """
    completed = run_pip([*PIP, "index", "versions", pin.name, "--json", *_wheels_of(target), *QUIETLY])
    if completed.code != 0:
        return ()
    own = Version(pin.version)
    known = sorted({*map(Version, json.loads(completed.stdout)["versions"])} - {own})
    newer = [version for version in known if version > own]
    return tuple(map(str, dict.fromkeys([*newer[:1], *known[-1:]])))


def _wheels_of(target: Target) -> list[str]:
    profile = profile_of(target)
    platforms = [word for platform in profile.platforms for word in ("--platform", platform)]
    minor = target.runtime.minor
    return [
        *("--only-binary=:all:", "--implementation", "cp", "--python-version", f"3.{minor}", "--abi", f"cp3{minor}"),
        *platforms,
    ]


def run_pip(argv: Sequence[str], env: Mapping[str, str] | None = None, *, umask: int = -1) -> Completed:
    """Run ``argv``, a pip, to its end; return what it printed without the credentials it knows.

    It has the environment, pip.conf and netrc of whoever runs us, so private indexes work as with pip itself.
    """
    completed = process.run(argv, env=env, umask=umask)
    return replace(completed, stdout=masked(completed.stdout), stderr=masked(completed.stderr))


def masked(text: str) -> str:
    """Return ``text`` with the user and the query of every address in it replaced."""
    return _QUERY_OF_URL.sub(r"\1=****", _USER_IN_URL.sub("****@", text))


def blamed(completed: Completed, pins: Iterable[Pin]) -> tuple[Pin, ...]:
    """Return those of ``pins`` that a failed pip says it stopped at; none if it names none."""
    names = {canonicalize_name(match) for pattern in _BLAMED for match in pattern.findall(completed.stderr)}
    return tuple(pin for pin in pins if pin.name in names)


def met_other_files(completed: Completed) -> bool:
    """Say whether a failed pip found files with other bytes than the lock's."""
    return _OTHER_FILES in completed.stderr


def refusal_of_wheel(completed: Completed) -> str:
    """Return what a failed pip says against a wheel that it found; empty if it is something else that it says."""
    said = _REFUSED.search(completed.stderr)
    return said[1] if said else ""


def is_unreachable(completed: Completed) -> bool:
    """Say whether a failed pip, or one that it started itself, did not reach the index."""
    end = "\n".join(completed.stderr.splitlines()[-_LAST_WORDS:])
    return any(phrase in end for phrase in _UNREACHABLE)

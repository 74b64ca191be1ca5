"""Requirements files: what is wanted (`requirements.in`) and what is locked (`requirements.txt`).

Pure: text in, frozen values or problems out. A lock line is ``name==version ; marker --hash=sha256:…``,
as uv and pip-tools write it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name

_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"--hash[= ](\S+)")
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One locked distribution."""

    name: NormalizedName
    version: str
    marker: Marker | None
    sha256s: frozenset[str]
    """Hex digests of every file of this version that the lock allows. Empty for a `folder`."""
    url: str | None = None
    """Where its one file is, if the lock names that itself and no index is asked."""
    folder: Path | None = None
    """Of a project in this repository that it is built from. Absolute, so no part of any key."""

    @property
    def line(self) -> str:
        """For pip, without the marker: pip would evaluate it on the host."""
        return f"{self.name}=={self.version} {' '.join(f'--hash=sha256:{each}' for each in sorted(self.sha256s))}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """A `requirements.in`, read."""

    requirements: tuple[Requirement, ...]
    problems: tuple[str, ...]
    """``12: numpy: …``, the line number first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """A `requirements.txt`, read."""

    pins: tuple[Pin, ...]
    problems: tuple[str, ...]
    """``12: numpy: …``, the line number first."""


def parse_wanted(text: str) -> Wishes:
    """Read a `requirements.in`; options such as ``-c`` and ``--index-url`` are uv's business and passed over.

    ``-r`` is a problem: uv would lock what the other file wants, and nothing here would know that it is wanted.
    """
    requirements, problems = [], []
    for number, line in _logical_lines(text):
        if line.startswith(("-r", "--requirement")):
            problems.append(f"{number}: {line}: expected what is wanted itself, got another file; copy its lines here")
        if line.startswith("-"):
            continue
        try:
            requirements.append(Requirement(line))
        except InvalidRequirement as reason:
            problems.append(f"{number}: {_first_line(reason)}")
    return Wishes(requirements=tuple(requirements), problems=tuple(problems))


def parse_lock(text: str) -> Pins:
    """Read a `requirements.txt` that must pin every line by version and sha256."""
    pins, problems = [], []
    for number, line in _logical_lines(text):
        if line.startswith("-"):
            if not line.startswith(("--index-url", "--extra-index-url", "--find-links", "-i ")):
                problems.append(f"{number}: expected name==version, got the option {line.split()[0]}")
            continue
        try:
            requirement = Requirement(_HASH.sub("", line).strip())
        except InvalidRequirement as reason:
            problems.append(f"{number}: {_first_line(reason)}")
            continue
        pin = _pin(requirement, _HASH.findall(line))
        if isinstance(pin, str):
            problems.append(f"{number}: {requirement.name}: {pin}")
        else:
            pins.append(pin)
    return Pins(pins=tuple(pins), problems=tuple(problems))


def _pin(requirement: Requirement, hashes: list[str]) -> Pin | str:
    """Return the pin, or what keeps the line from being one."""
    specifiers = list(requirement.specifier)
    if requirement.url:
        return "expected name==version, got a URL"
    if len(specifiers) != 1 or specifiers[0].operator not in {"==", "==="} or "*" in specifiers[0].version:
        return f"expected one exact version, got {str(requirement.specifier) or 'none'}"
    sha256s = frozenset(match[1] for value in hashes if (match := _SHA256.fullmatch(value)))
    torn = [value for value in hashes if value.startswith("sha256:") and not _SHA256.fullmatch(value)]
    if torn:
        return f"expected 64 hex digits, got {torn[0]}"
    if not sha256s:
        return "expected --hash=sha256:…, got none"
    return Pin(
        name=canonicalize_name(requirement.name),
        version=specifiers[0].version,
        marker=requirement.marker,
        sha256s=sha256s,
    )


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines without comments, continuations joined, with the number of their first line."""
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=1):
        line = _COMMENT.sub("", raw).strip()
        first = first if pending else number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        pending += line
        if pending.strip():
            yield first, pending.strip()
        pending = ""
    if pending.strip():
        yield first, pending.strip()


def _first_line(reason: Exception) -> str:
    return str(reason).splitlines()[0]

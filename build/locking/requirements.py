"""Requirements files: what is wanted (`requirements.in`) and what is locked (`requirements.txt`).

Pure: text in, frozen values or problems out. A lock line is ``name==version ; marker --hash=sha256:…``,
as uv and pip-tools write it, or says where one thing is: a URL, or a path that `places` looks up.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name

_COMMENT = re.compile(r"(^|\s)#.*$")
_HASH = re.compile(r"\s--hash[= ]\s*(\S+)")
_SHA256 = re.compile(r"sha256:([0-9a-fA-F]{64})")
_OPTIONS = re.compile(r"\s--?[A-Za-z].*")
"""Of one line, as pip tells them apart from what it asks for."""
_BLOCK = re.compile(
    r"^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)*)"
    r"(?: ; ([^\\#\n]+?))? \\\n"
    r"((?:[ \t]+--hash=sha256:[0-9a-f]{64} \\\n)*[ \t]+--hash=sha256:[0-9a-f]{64}(?:\n|\Z))",
    re.MULTILINE,
)
"""A pin as uv and pip-tools write it. Read in one go: locks are long, and packaging takes 50 times as long."""
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REFERENCE = re.compile(r"(?P<place>[^;]*?)(?:\[(?P<extras>[A-Za-z0-9._, -]+)\])?(?:\s+;(?P<marker>.*))?")

SO = ", so "
"""In a problem, before what a person has to do first, because locking again does not mend it."""
EDITABLE = ("-e", "--editable")
OTHER_FILE = ("-r", "--requirement")
CONSTRAINTS = ("-c", "--constraint")
SEARCH = {
    "-i": "--extra-index-url",
    "--index-url": "--extra-index-url",
    "--extra-index-url": "--extra-index-url",
    "-f": "--find-links",
    "--find-links": "--find-links",
    "--trusted-host": "--trusted-host",
}
"""Options that say where files are, and what pip is told: it fetches for many locks at once, so each only adds."""
_PASSED_OVER = (
    *("--no-index", "--pre", "--prefer-binary", "--only-binary", "--no-binary", "--require-hashes", "--use-feature"),
    *(*OTHER_FILE, *CONSTRAINTS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One locked distribution."""

    name: NormalizedName
    version: str
    """Empty when only a build tells it: some of those with a `url` or a `folder`."""
    marker: Marker | None
    sha256s: frozenset[str]
    """Hex digests of every file of this version that the lock allows. Empty for a `folder`."""
    url: str | None = None
    """Where its one file is, if the lock names that itself and no index is asked."""
    folder: Path | None = None
    """Of a project in this repository that it is built from. Absolute, so no part of any key."""
    options: tuple[str, ...] = ()
    """Lines for pip that say where else to look: ``--extra-index-url …``. Digests decide, so no part of any key."""

    @property
    def line(self) -> str:
        """For pip, without the marker: pip would evaluate it on the host. May hold credentials: never show it."""
        what = f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"
        hashes = " ".join(f"--hash=sha256:{each}" for each in sorted(self.sha256s))
        return "".join(f"{option}\n" for option in self.options) + f"{what} {hashes}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A line that names a place: ``./libs/shared[extra]``, ``-e ../x``, ``name @ file:../x``, a bare URL."""

    number: int
    place: str
    name: str
    """Empty if the line does not say it."""
    extras: frozenset[str]
    marker: Marker | None
    sha256s: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """A file of wishes, read."""

    requirements: tuple[Requirement, ...]
    problems: tuple[str, ...]
    """``12: numpy: …``, the line number first."""
    references: tuple[Reference, ...] = ()
    others: tuple[str, ...] = ()
    """Files that ``-r`` names, relative to this one."""
    constraints: tuple[str, ...] = ()
    """Files that ``-c`` names, relative to this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """A `requirements.txt`, read."""

    pins: tuple[Pin, ...]
    problems: tuple[str, ...]
    """``12: numpy: …``, the line number first."""
    references: tuple[Reference, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    """What `SEARCH` makes of its options, and their values."""
    hashed: bool = False
    """True when any line has a digest: then the file means to be a lock."""


@cache
def parse_wanted(text: str) -> Wishes:
    """Read a `requirements.in`; options such as ``-c`` and ``--index-url`` are uv's business and passed over."""
    requirements, references, others, constraints, problems = [], [], [], [], []
    for number, line in _logical_lines(text):
        option, value = _option(line)
        if option in OTHER_FILE:
            others.append(value)
        elif option in CONSTRAINTS:
            constraints.append(value)
        if option and option not in EDITABLE:
            continue
        found = _requirement(number, line, value)
        if isinstance(found, str):
            problems.append(found)
        elif isinstance(found, Reference):
            references.append(found)
        else:
            requirements.append(found)
    return Wishes(
        requirements=tuple(requirements),
        problems=tuple(problems),
        references=tuple(references),
        others=tuple(others),
        constraints=tuple(constraints),
    )


@cache
def parse_lock(text: str) -> Pins:
    """Read a `requirements.txt` that must pin every line by version and sha256, or name a place.

    Other files that it names are for the caller to read.
    """
    pins, references, problems, options, hashed = [], [], [], [], False
    for number, line in _lines_and_blocks(text):
        if isinstance(line, Pin):
            pins.append(line)
            hashed = True
            continue
        option, value = _option(line)
        if option in SEARCH:
            options.append((SEARCH[option], value))
        elif option and option not in (*EDITABLE, *_PASSED_OVER):
            problems.append(f"{number}: expected name==version, got the option {option}")
        if option and option not in EDITABLE:
            continue
        hashed = hashed or "sha256" in line
        found = _locked(number, line, value)
        if isinstance(found, str):
            problems.append(found)
        elif isinstance(found, Reference):
            references.append(found)
        else:
            pins.append(found)
    return Pins(
        pins=tuple(pins),
        problems=tuple(problems),
        references=tuple(references),
        options=tuple(options),
        hashed=hashed,
    )


@cache
def marker_of(text: str) -> Marker:
    """Return the marker, one object for each text; raise InvalidMarker."""
    return Marker(text)


def _option(line: str) -> tuple[str, str]:
    """Return the option a line begins with, and its value; both empty for a requirement."""
    if not line.startswith("-"):
        return "", ""
    # pip takes -rfile, -r file, --requirement file and --requirement=file.
    end = len(re.split(r"[= ]", line, maxsplit=1)[0]) if line.startswith("--") else 2
    value = line[end:].strip("= ")
    return line[:end], value[1:-1] if value[:1] == value[-1:] and value[:1] in {"'", '"'} else value


def _lines_and_blocks(text: str) -> Iterator[tuple[int, str | Pin]]:
    """Yield logical lines with their numbers, and a pin in place of those that are written as usual."""
    done, number = 0, 1
    for block in _BLOCK.finditer(text):
        between = text[done : block.start()]
        try:
            pin = _usual(block)
        except InvalidMarker:
            continue
        if between.rstrip().endswith("\\"):
            continue
        yield from _logical_lines(between, number)
        yield number, pin
        number += text.count("\n", done, block.end())
        done = block.end()
    yield from _logical_lines(text[done:], number)


def _locked(number: int, line: str, editable: str) -> Pin | Reference | str:
    """Return what a line pins, or what is wrong with it."""
    found = _requirement(number, line, editable)
    if not isinstance(found, Requirement):
        return found
    pin = _pin(found, _HASH.findall(line))
    return f"{number}: {found.name}: {pin}" if isinstance(pin, str) else pin


def _usual(block: re.Match[str]) -> Pin:
    return Pin(
        name=canonicalize_name(block[1]),
        version=block[2],
        marker=marker_of(block[3]) if block[3] else None,
        sha256s=frozenset(_DIGEST.findall(block[4])),
    )


def _requirement(number: int, line: str, editable: str) -> Requirement | Reference | str:
    """Return what a line asks for, or what is wrong with it."""
    bare = _OPTIONS.sub("", f" {editable or line}").strip()
    sha256s = frozenset(match[1].lower() for value in _HASH.findall(line) if (match := _SHA256.fullmatch(value)))
    try:
        requirement = Requirement(bare)
    except InvalidRequirement as reason:
        return _reference(number, bare, sha256s) or f"{number}: {_first_line(reason)}{SO}mend the line"
    if requirement.url is None and not editable and not _is_archive(bare):
        return requirement
    return Reference(
        number=number,
        place=requirement.url or bare,
        name=requirement.name if requirement.url else "",
        extras=frozenset(requirement.extras),
        marker=requirement.marker,
        sha256s=sha256s,
    )


def _reference(number: int, line: str, sha256s: frozenset[str]) -> Reference | None:
    match = _REFERENCE.fullmatch(line)
    if not match or not _is_place(match["place"]):
        return None
    try:
        marker = marker_of(match["marker"].strip()) if match["marker"] else None
    except InvalidMarker:
        return None
    extras = frozenset(extra.strip() for extra in (match["extras"] or "").split(",") if extra.strip())
    place = match["place"].strip()
    egg = _EGG.search(place)
    return Reference(
        number=number, place=place, name=egg[1] if egg else "", extras=extras, marker=marker, sha256s=sha256s
    )


def _is_place(text: str) -> bool:
    """Say whether ``text`` is a path or URL and no torn requirement, as pip tells them apart."""
    return (
        bool(text) and " " not in text.strip() and ("/" in text or text.startswith((".", "file:")) or _is_archive(text))
    )


def _is_archive(text: str) -> bool:
    return text.endswith((".whl", ".tar.gz", ".zip"))


def _pin(requirement: Requirement, hashes: list[str]) -> Pin | str:
    """Return the pin, or what keeps the line from being one."""
    specifiers = list(requirement.specifier)
    if len(specifiers) != 1 or specifiers[0].operator not in {"==", "==="} or "*" in specifiers[0].version:
        return f"expected one exact version, got {str(requirement.specifier) or 'none'}"
    sha256s = frozenset(match[1].lower() for value in hashes if (match := _SHA256.fullmatch(value)))
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


def _logical_lines(text: str, start: int = 1) -> Iterator[tuple[int, str]]:
    """Yield lines without comments, continuations joined, with the number of their first line."""
    pending, first = "", 0
    for number, raw in enumerate(text.splitlines(), start=start):
        line = (_COMMENT.sub("", raw) if "#" in raw else raw).strip()
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

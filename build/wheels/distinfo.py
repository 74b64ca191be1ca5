"""A wheel's ``.dist-info``: what METADATA, WHEEL and RECORD say, held against the file name and each other.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from io import StringIO
from typing import NamedTuple

from packaging.tags import parse_tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

TEXTS = ("METADATA", "WHEEL", "RECORD")
"""What every ``.dist-info`` has to have."""
_UNLISTED = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""What RECORD cannot list: itself and its signatures."""
_TRUSTED_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
_LINUX = re.compile(r"^(?:many|musl)linux(?:\d+|_\d+_\d+)_")
_MOST_TAGS = 1000
"""In a line, and lines. Both are multiplied, and some wheel would have a million."""
_SCHEMES = frozenset({"purelib", "platlib", "headers", "scripts", "data"})


class Row(NamedTuple):
    """What RECORD says of a file."""

    algorithm: str
    """Empty if it says none, or one that proves nothing today; pip does not look at it either."""
    digest: str
    """In base64 as URLs have it, without padding."""
    size: str
    """In bytes; may be empty."""


NO_ROW = Row("", "", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DistInfo:
    """What a ``.dist-info`` says."""

    name: str
    """Normalised."""
    version: str
    requires: tuple[str, ...]
    requires_python: str
    record: Mapping[str, Row]


def folders_of(names: Collection[str]) -> list[str]:
    """Return the ``.dist-info`` folders at the top of a wheel with the members ``names``."""
    return sorted({top for name in names for top, slash, _ in [name.partition("/")] if top.endswith(".dist-info")})


def read_dist_info(
    filename: str, folder: str, texts: Mapping[str, bytes], names: Collection[str], problems: list[str]
) -> DistInfo:
    """Return what ``texts`` (content of `TEXTS`) say; append what is wrong with it."""
    metadata, wheel = (HeaderParser().parsestr(texts[name].decode("utf-8", "replace")) for name in TEXTS[:2])
    name, version = str(metadata["Name"] or ""), str(metadata["Version"] or "").strip()
    record = _record(texts["RECORD"], problems)
    problems += _misnamed(filename, folder, name, version, wheel)
    problems += _misplaced(names)
    unlisted = {f"{folder}/{name}" for name in _UNLISTED}
    problems += [f"RECORD does not list {name!r}" for name in names if name not in record and name not in unlisted]
    problems += [f"RECORD lists {name!r}, which is not there" for name in record if name not in names]
    return DistInfo(
        name=canonicalize_name(name),
        version=version,
        requires=tuple(map(str, metadata.get_all("Requires-Dist", ()))),
        requires_python=str(metadata["Requires-Python"] or ""),
        record=record,
    )


def _record(text: bytes, problems: list[str]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    try:
        for line in csv.reader(StringIO(text.decode("utf-8"), newline="")):
            if not line:
                continue
            path, said, size = (*line, "", "")[:3]
            algorithm, _, digest = said.partition("=")
            row = Row(algorithm if algorithm in _TRUSTED_ALGORITHMS else "", digest.rstrip("="), size)
            if rows.setdefault(path, row) != row:
                problems.append(f"RECORD lists {path!r} twice, with different digests")
    except (UnicodeDecodeError, csv.Error) as reason:
        problems.append(f"RECORD cannot be read: {reason}")
    return rows


def _misnamed(filename: str, folder: str, name: str, version: str, wheel: Message) -> Iterator[str]:
    """Say where name, version and tags are not those of the file name."""
    try:
        expected_name, expected_version, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as reason:
        yield str(reason)
        return
    folder_name, _, folder_version = folder.removesuffix(".dist-info").rpartition("-")
    for where, got, got_version in ((folder, folder_name, folder_version), ("METADATA", name, version)):
        if canonicalize_name(got) != expected_name or _version(got_version) != expected_version:
            yield f"{where} is of {got or 'no name'} {got_version}, the file name of {expected_name} {expected_version}"
    if str(wheel["Wheel-Version"]).split(".")[0] != "1":
        yield f"WHEEL: expected Wheel-Version 1, got {wheel['Wheel-Version']}"
    said = sorted(set(_platforms(wheel)))
    if said and not any({tag.platform, _LINUX.sub("linux_", tag.platform), "any"}.intersection(said) for tag in tags):
        yield f"WHEEL: expected a Tag for the platform of the file name, got {', '.join(said)}"


def _platforms(wheel: Message) -> Iterator[str]:
    """Yield the platforms that WHEEL says; of its tags the only part that a maker who renames a wheel leaves true.

    xgboost-1.5.2-py3-none-manylinux2014_x86_64.whl says cp39-cp39-…, playwright's for Linux py3-none-any, catboost's
    of 2022 nothing at all.
    """
    for line in wheel.get_all("Tag", ())[:_MOST_TAGS]:
        with suppress(ValueError):
            yield from (tag.platform for tag in parse_tag(str(line).strip(), limit=_MOST_TAGS))


def _version(text: str) -> Version | None:
    try:
        return Version(text.replace("_", "-"))
    except ValueError:  # no version, or a number of more digits than Python reads
        return None


def _misplaced(names: Collection[str]) -> Iterator[str]:
    """Say what of the ``.data`` folder goes nowhere."""
    for name in names:
        top, _, rest = name.partition("/")
        if top.endswith(".data") and (rest.partition("/")[0] not in _SCHEMES or "/" not in rest):
            yield f"{name!r} is in none of the folders that a .data folder may have"

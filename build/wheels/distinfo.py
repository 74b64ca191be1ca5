"""A wheel's ``.dist-info``: what METADATA, WHEEL and RECORD say, held against the file name and each other.

https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from io import StringIO
from typing import NamedTuple

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

TEXTS = ("METADATA", "WHEEL", "RECORD")
"""What every ``.dist-info`` has to have."""
_UNLISTED = ("RECORD", "RECORD.jws", "RECORD.p7s")
"""What RECORD cannot list: itself and its signatures."""
_TRUSTED_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
_FORMATS = re.compile(r"[01](\.\d+)*")
"""Of wheels: 0.1 was the draft of 1.0."""
_MODULES = (".py", ".so")
_SCHEMES = frozenset({"purelib", "platlib", "headers", "scripts", "data"})


class Row(NamedTuple):
    """What RECORD says of a file."""

    algorithm: str
    """Empty if it says none, or one that proves nothing today; pip does not look at it either."""
    digest: str
    """In base64 as URLs have it, without padding; in hex, where uv of 2025 built the wheel."""
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
    metadata, wheel = (_message(name, texts[name], problems) for name in TEXTS[:2])
    name, version = str(metadata["Name"] or ""), str(metadata["Version"] or "").strip()
    record = _record(texts["RECORD"], problems)
    problems += _misnamed(filename, folder, name, version, wheel)
    problems += _misplaced(names)
    unlisted = {f"{folder}/{name}" for name in _UNLISTED}
    problems += [f"RECORD does not list {name!r}" for name in names if name not in record and name not in unlisted]
    # Folders are listed by some, and sources that the maker took out later: ddtrace 2.21 lists 220 of them.
    gone = [name for name in record if name not in names and name.endswith(_MODULES)]
    problems += [f"RECORD lists {name!r}, which is not there" for name in gone]
    return DistInfo(
        name=canonicalize_name(name),
        version=version,
        requires=tuple(map(str, metadata.get_all("Requires-Dist", ()))),
        requires_python=str(metadata["Requires-Python"] or ""),
        record=record,
    )


def _message(name: str, text: bytes, problems: list[str]) -> Message:
    try:
        return HeaderParser().parsestr(text.decode("utf-8"))
    except UnicodeDecodeError as reason:
        problems.append(f"{name} cannot be read: {reason}")
        return Message()


def _record(text: bytes, problems: list[str]) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    try:
        for line in csv.reader(StringIO(text.decode("utf-8"), newline="")):
            if not line:
                continue
            path, said, size = (*line, "", "")[:3]
            path = path.replace("\\", "/")  # old tools on Windows wrote it so
            algorithm, _, digest = said.partition("=")
            row = Row(algorithm if algorithm in _TRUSTED_ALGORITHMS else "", digest.rstrip("="), size)
            if rows.setdefault(path, row) != row:
                problems.append(f"RECORD lists {path!r} twice, with different digests")
    except (UnicodeDecodeError, csv.Error) as reason:
        problems.append(f"RECORD cannot be read: {reason}")
    return rows


def _misnamed(filename: str, folder: str, name: str, version: str, wheel: Message) -> Iterator[str]:
    """Say where name and version are not those of the file name, or the format is another."""
    try:
        expected_name, expected_version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename as reason:
        yield str(reason)
        return
    folder_name, _, folder_version = folder.removesuffix(".dist-info").rpartition("-")
    for where, got, got_version in ((folder, folder_name, folder_version), ("METADATA", name, version)):
        if canonicalize_name(got) != expected_name or _version(got_version) != expected_version:
            yield f"{where} is of {got or 'no name'} {got_version}, the file name of {expected_name} {expected_version}"
    if not _FORMATS.fullmatch(str(wheel["Wheel-Version"]).strip()):
        yield f"WHEEL: expected Wheel-Version 1, got {wheel['Wheel-Version']}"


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

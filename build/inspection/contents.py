"""What an artifact holds, read from its zip alone: its files, and the distribution that each came with.

A zip built here carries the METADATA and RECORD of every wheel in it, so neither the store nor a lock is needed,
and one that somebody downloaded from AWS is read as well.
"""

import csv
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name

from build.errors import InputError
from build.wheels.surveys import installed_path
from build.zips.archives import read_back
from build.zips.inflating import inflated

KINDS = (".so", ".py", ".pyc", "data")
"""Kinds of files, in the order they are shown."""

_METADATA = re.compile(r"(?:(python(?:/lib/python3\.\d+/site-packages)?)/)?[^/]+\.dist-info/METADATA")
"""Where Lambda's Python looks, and no deeper: what a distribution vendors is its own file."""
_BYTECODE = re.compile(r"(.*/|)__pycache__/([^/]+)\.cpython-\d+\.pyc")
_SHARED_OBJECT = re.compile(r"\.so(\.[0-9.]+)?$")
_LONGEST_LICENSE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A distribution that an artifact holds."""

    folder: str
    """Where it is installed, below the archive's root: empty for a function, ``python`` or deeper in a layer."""
    info: str
    """Its .dist-info folder in the archive."""
    name: str
    """Normalised (PEP 503)."""
    version: str
    requires: tuple[str, ...]
    """Its Requires-Dist lines."""
    licenses: tuple[str, ...]
    """One SPDX expression where METADATA has that, else what it says in words."""
    has_license_expression: bool


class File(NamedTuple):
    """A file of an artifact."""

    path: str
    size_bytes: int
    compressed_bytes: int
    crc32: int
    executable: bool
    owner: Held | None
    """None for the folder's own src/."""

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        if self.path.endswith((".py", ".pyi")):
            return ".py"
        if self.path.endswith(".pyc"):
            return ".pyc"
        return ".so" if _SHARED_OBJECT.search(self.path) else "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """An artifact, opened."""

    files: tuple[File, ...]
    """In the order of the zip."""
    distributions: tuple[Held, ...]
    """Sorted by folder and name."""
    size_bytes: int
    """Of the zip."""

    @property
    def unzipped_bytes(self) -> int:
        """What the 250 MB quota counts."""
        return sum(file.size_bytes for file in self.files)


def read_contents(path: Path) -> Contents:
    """Return what the zip at ``path`` holds; raise InputError if it is none."""
    with _opened(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        distributions = _distributions(archive.namelist(), archive.read)
        owners = {place: held for held in distributions for place in _recorded(archive, held)}
    folders = {held.info: held for held in distributions}
    return Contents(
        files=tuple(
            File(
                path=info.filename,
                size_bytes=info.file_size,
                compressed_bytes=info.compress_size,
                crc32=info.CRC,
                executable=bool(info.external_attr >> 16 & 0o100),
                owner=owners.get(_source_of(info.filename)) or folders.get(_info_of(info.filename)),
            )
            for info in infos
        ),
        distributions=distributions,
        size_bytes=path.stat().st_size,
    )


def read_distributions(path: Path) -> tuple[Held, ...]:
    """Return the distributions in the artifact at ``path``, sorted by folder and name; raise InputError if it is none.

    Quicker than `read_contents`, and for what this machine made.
    """
    members = {member.name: member for member in read_back(path, _METADATA.fullmatch)}
    with path.open("rb") as stream:
        return _distributions(members, lambda name: b"".join(inflated(stream, members[name])))


def bytes_by_kind(files: Iterable[File]) -> Mapping[str, int]:
    """Return unzipped bytes per kind, all kinds in their order."""
    found = dict.fromkeys(KINDS, 0)
    for file in files:
        found[file.kind] += file.size_bytes
    return found


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (OSError, zipfile.BadZipFile) as reason:
        raise InputError(
            f"{path} is no zip that can be read",
            facts=[str(reason)],
            hint="run `invoke build`, which makes artifacts below .artifacts/store/artifacts/",
        ) from None


def _distributions(names: Iterable[str], read: Callable[[str], bytes]) -> tuple[Held, ...]:
    found = (_held(match, read(name)) for name in names if (match := _METADATA.fullmatch(name)))
    return tuple(sorted(found, key=lambda held: (held.folder, held.name)))


def _held(match: re.Match[str], metadata: bytes) -> Held:
    """Return the distribution whose METADATA ``match`` found."""
    text, _, _ = metadata.decode("utf-8", "replace").partition("\n\n")
    headers = HeaderParser().parsestr(text)
    expression = str(headers.get("License-Expression", ""))
    return Held(
        folder=match[1] or "",
        info=match[0].removesuffix("/METADATA"),
        name=canonicalize_name(str(headers["Name"])),
        version=str(headers["Version"]),
        requires=tuple(str(line) for line in headers.get_all("Requires-Dist", ())),
        licenses=(expression,) if expression else _licenses_in_words(headers),
        has_license_expression=bool(expression),
    )


def _licenses_in_words(headers: Message) -> tuple[str, ...]:
    """Return the License header, unless somebody put the whole text there; else the classifiers' last words."""
    said = str(headers.get("License", "")).strip()
    if said and said.upper() != "UNKNOWN" and "\n" not in said and len(said) <= _LONGEST_LICENSE:
        return (said,)
    classifiers = [str(line) for line in headers.get_all("Classifier", ())]
    named = [line.split(" :: ")[-1] for line in classifiers if line.startswith("License :: ")]
    return tuple(name for name in dict.fromkeys(named) if name != "OSI Approved")


def _recorded(archive: zipfile.ZipFile, held: Held) -> Iterator[str]:
    """Yield the paths in the zip that the RECORD of ``held`` names, if it is there."""
    try:
        record = archive.read(f"{held.info}/RECORD").decode("utf-8", "replace")
    except KeyError:
        return
    for row in csv.reader(record.splitlines()):
        place = installed_path(row[0]) if row else None
        if place:
            yield f"{held.folder}/{place}" if held.folder else place


def _source_of(path: str) -> str:
    """Return the module that a ``.pyc`` was made from; any other path is itself."""
    match = _BYTECODE.fullmatch(path)
    return f"{match[1]}{match[2]}.py" if match else path


def _info_of(path: str) -> str:
    """Return the .dist-info folder that ``path`` is in; else something that is no folder."""
    return f"{path.partition('.dist-info/')[0]}.dist-info"

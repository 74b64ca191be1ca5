"""Making a survey: every member of a wheel inflated once, in bounded memory, and held against what the wheel says.

What this refuses goes by what the index refuses today, and by what no two installers would do alike. What real wheels
do and installers pass over is let be: RECORD lines without a digest or size, with a digest of an old kind, or of what
is no module and not there; tags of WHEEL, as the file name counts, and what shared objects say of themselves. Bytes
are pinned by the lock in any case.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO

from build.wheels.distinfo import NO_ROW, TEXTS, Row, folders_of, read_dist_info
from build.wheels.elf import MAGIC, SharedObject, look_into
from build.wheels.surveys import Survey, installed_path
from build.zips.directory import Member, read_directory, refusal
from build.zips.inflating import inflated
from build.zips.names import clashes

if TYPE_CHECKING:
    from hashlib import _Hash

_CACHED = re.compile(r"(^|/)__pycache__/[^/]*\.pyc$")
_LARGE, _TIGHTEST = 64 << 20, 50
"""What unpacks to more bytes than the first, and is so many times as large as the wheel, is a bomb.

The index takes no such wheel either. They shrink to a third, seldom to a twentieth; deflate can do 1,032 to 1.
"""
_LAMBDA_BYTES = 262_144_000
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
_MOST_IN_MEMORY = 16 << 20
_MOST_TEXT = 16 << 20
"""Bytes of METADATA, WHEEL or RECORD. The longest RECORD seen, of 20,000 files, has 2 MB."""

_IMPORT = re.compile(
    rb"^[ \t]*(?:from[ \t]+(\.*)(\w[\w.]*|(?<=\.))[ \t]+import[ \t]+(\([^)]*|[^\n]*)"
    rb"|import[ \t]+([^\n]*))",
    re.MULTILINE,
)
_TESTS = re.compile(r"(?:^|(?<=/))tests/")
_DEEPEST = 64
"""Packages below each other. Without a bound, a name of a million dots would keep us busy for days."""
_COMMENT = re.compile(rb"#[^\n]*")
_STUBS_READ = (b".pyi'", b'.pyi"', b"attach_stub(")


def survey(path: Path, scratch: Path) -> Survey:
    """Return what the wheel at ``path`` holds; large shared objects pass through the folder ``scratch``.

    Raises InputError with everything that is wrong: a bomb; content that is not what the directory or RECORD
    says; members that RECORD misses, and modules that it has too much; a name or version that is not the file name's;
    more than one ``.dist-info``; members that meet when they are installed.
    """
    members = read_directory(path)
    by_name = {member.name: member for member in members}
    if problems := [*_bombs(members, path.stat().st_size), *_incomplete(by_name)]:
        raise refusal(path, problems)
    (folder,) = folders_of(by_name)
    with path.open("rb") as stream:
        try:
            papers = {name: b"".join(inflated(stream, by_name[f"{folder}/{name}"])) for name in TEXTS}
        except ValueError as reason:
            raise refusal(path, [str(reason)]) from None
        info = read_dist_info(path.name, folder, papers, by_name, problems)
        reader = _Reader(stream, scratch, info.record, {f"{folder}/{name}": papers[name] for name in TEXTS}, by_name)
        for member in members:
            try:
                reader.read(member)
            except ValueError as reason:
                problems.append(str(reason))
    shipped = _shipped(members, folder, problems)
    if problems:
        raise refusal(path, problems)
    return Survey(
        name=info.name,
        version=info.version,
        requires=info.requires,
        requires_python=info.requires_python,
        members=shipped,
        left_out_bytes=sum(m.size_bytes for m in members) - sum(m.size_bytes for m in shipped),
        read_at_run_time=frozenset(reader.read_at_run_time),
        shared_objects=tuple(sorted(reader.shared_objects, key=lambda each: each.path)),
    )


def _shipped(members: Iterable[Member], folder: str, problems: list[str]) -> tuple[Member, ...]:
    """Return the members that ship, by their installed path; append what cannot be installed together."""
    installed = [member._replace(name=place) for member in members if (place := installed_path(member.name))]
    places = [member.name for member in installed]
    others = [other for other in folders_of(places) if other != folder]
    problems += clashes(places)
    problems += [f"it would install {other!r}, which is another distribution's" for other in others]
    return tuple(sorted(member for member in installed if not _CACHED.search(member.name)))


def _bombs(members: Collection[Member], wheel_bytes: int) -> Iterator[str]:
    size_bytes = sum(member.size_bytes for member in members)
    if size_bytes > _LARGE and size_bytes > _TIGHTEST * wheel_bytes:
        yield f"it is a bomb: {wheel_bytes} bytes that unpack to {size_bytes}"


def _incomplete(members: Mapping[str, Member]) -> Iterator[str]:
    folders = folders_of(members)
    if len(folders) != 1:
        yield f"expected one .dist-info folder, got {', '.join(folders) or 'none'}"
        return
    for path in (f"{folders[0]}/{name}" for name in TEXTS):
        if path not in members:
            yield f"it has no {path}"
        elif members[path].size_bytes > _MOST_TEXT:
            yield f"{path} has {members[path].size_bytes} bytes, expected at most {_MOST_TEXT}"


class _Reader:
    """Reads members one by one and gathers what is in them."""

    def __init__(
        self,
        stream: BinaryIO,
        scratch: Path,
        record: Mapping[str, Row],
        known: Mapping[str, bytes],
        names: Collection[str],
    ) -> None:
        self._stream, self._scratch, self._record, self._known = stream, scratch, record, known
        places = [installed_path(name) or "" for name in names if "tests/" in name]
        self._tests = {place[: found.end() - 1] for place in places for found in _TESTS.finditer(place)}
        self.shared_objects: list[SharedObject] = []
        self.read_at_run_time: set[str] = set()

    def read(self, member: Member) -> None:
        """Inflate ``member`` and look into it; raise ValueError if it is not what the directory and RECORD say."""
        row = self._record.get(member.name, NO_ROW)
        digest = hashlib.new(row.algorithm or "sha256")
        content = self._content(member, digest)
        if row.size and row.size != str(member.size_bytes):
            raise ValueError(f"{member.name!r}: RECORD says {row.size} bytes, got {member.size_bytes}")
        got = urlsafe_b64encode(digest.digest()).decode().rstrip("=")
        if row.algorithm and row.digest not in (got, digest.hexdigest()):
            raise ValueError(f"{member.name!r}: RECORD says {row.algorithm} {row.digest}, got {got}")
        place = installed_path(member.name)
        if not content or not place:
            return
        if content.startswith(MAGIC):
            self._look_into(place, BytesIO(content))
        elif "/tests/" not in f"/{place}":
            if b"tests" in content and not self._tests.isdisjoint(_imported(place, content)):
                self.read_at_run_time.add("tests")
            if any(sign in content for sign in _STUBS_READ):
                self.read_at_run_time.add("stubs")

    def _look_into(self, place: str | None, stream: BinaryIO) -> None:
        shared_object = look_into(place, stream) if place else None
        if shared_object:
            self.shared_objects.append(shared_object)

    def _content(self, member: Member, digest: "_Hash") -> bytes:
        """Return the content of modules and small ELF files, into which somebody looks; of others it only passes."""
        known = self._known.get(member.name)
        pieces = inflated(self._stream, member) if known is None else iter((known,))
        first = next(pieces, b"")
        digest.update(first)
        # What is larger than all of a function is not looked into: it never ships.
        is_elf = first.startswith(MAGIC) and member.size_bytes <= _LAMBDA_BYTES
        is_large = member.size_bytes > _MOST_IN_MEMORY
        if is_elf and is_large:
            with TemporaryFile(dir=self._scratch) as spill:
                spill.write(first)
                for piece in pieces:
                    digest.update(piece)
                    spill.write(piece)
                self._look_into(installed_path(member.name), spill)
                return b""
        kept = [first] if is_elf or (member.name.endswith(".py") and not is_large) else []
        for piece in pieces:
            digest.update(piece)
            if kept:
                kept.append(piece)
        return b"".join(kept)


def _imported(place: str, content: bytes) -> Iterator[str]:
    """Yield every ``tests`` package that the module at ``place`` may import from, as a path below site-packages.

    Imports in functions count, and what only looks like one in a text may: that keeps a few files too many.
    """
    for match in _IMPORT.finditer(_COMMENT.sub(b"", content)):
        dots, base, names, modules = (group.decode("ascii", "replace") for group in match.groups(b""))
        imported = re.findall(r"[\w.]+", modules)
        if not imported:
            above = place.split("/")[: -len(dots)] if dots else []
            imported = [".".join([*above, *filter(None, [base]), *re.findall(r"\btests\b", names)[:1]])]
        for parts in (name.split(".", _DEEPEST) for name in imported):
            yield from ("/".join(parts[: end + 1]) for end, part in enumerate(parts) if part == "tests")

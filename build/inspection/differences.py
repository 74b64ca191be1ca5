"""What changed between two artifacts: distributions, files, bytes. Pure: two contents in, what differs out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from build.inspection.contents import Contents, File

NOTHING = Contents(files=(), distributions=(), size_bytes=0)
"""What an artifact that is not there holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """A file that was added, removed, or has other bytes or another mode."""

    path: str
    owner: str
    """The distribution it belongs to; empty for the folder's own src/."""
    before_bytes: int | None
    """Unzipped; None if it was not there."""
    after_bytes: int | None
    """Unzipped; None if it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionChange:
    """A distribution that was added, removed, or has another version or other files."""

    name: str
    folder: str
    """Where it is installed, below the archive's root."""
    before: str | None
    """Version; None if it was not there."""
    after: str | None
    """Version; None if it is gone."""
    before_bytes: int
    """Unzipped, bytecode included."""
    after_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changed from one artifact to another."""

    distributions: tuple[DistributionChange, ...]
    """Sorted by folder and name."""
    files: tuple[FileChange, ...]
    """Sorted by path."""
    unzipped_bytes: tuple[int, int]
    """Before and after; what the 250 MB quota counts."""
    zip_bytes: tuple[int, int]
    """Before and after."""

    @property
    def is_empty(self) -> bool:
        """True when all files have the same bytes and modes."""
        return not self.files

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def difference(before: Contents, after: Contents) -> Difference:
    """Return what changed from ``before`` to ``after``; `NOTHING` stands for an artifact that is not there."""
    old, new = ({file.path: file for file in each.files} for each in (before, after))
    files = tuple(
        FileChange(
            path=path,
            owner=_owner(new.get(path) or old[path]),
            before_bytes=old[path].size_bytes if path in old else None,
            after_bytes=new[path].size_bytes if path in new else None,
        )
        for path in sorted(old.keys() | new.keys())
        if _bytes_of(old.get(path)) != _bytes_of(new.get(path))
    )
    return Difference(
        distributions=_distributions(before, after, old, new),
        files=files,
        unzipped_bytes=(before.unzipped_bytes, after.unzipped_bytes),
        zip_bytes=(before.size_bytes, after.size_bytes),
    )


def _distributions(
    before: Contents, after: Contents, old: Mapping[str, File], new: Mapping[str, File]
) -> tuple[DistributionChange, ...]:
    versions = [{(h.folder, h.name): h.version for h in each.distributions} for each in (before, after)]
    held = [_held(each) for each in (old, new)]
    return tuple(
        DistributionChange(
            name=key[1],
            folder=key[0],
            before=versions[0].get(key),
            after=versions[1].get(key),
            before_bytes=sum(file.size_bytes for file in held[0].get(key, ())),
            after_bytes=sum(file.size_bytes for file in held[1].get(key, ())),
        )
        for key in sorted({*versions[0], *versions[1]})
        if versions[0].get(key) != versions[1].get(key)
        or {(file.path, _bytes_of(file)) for file in held[0].get(key, ())}
        != {(file.path, _bytes_of(file)) for file in held[1].get(key, ())}
    )


def _held(files: Mapping[str, File]) -> dict[tuple[str, str], list[File]]:
    """Return the files of each distribution, by its folder and name."""
    held: dict[tuple[str, str], list[File]] = {}
    for file in files.values():
        if file.owner:
            held.setdefault((file.owner.folder, file.owner.name), []).append(file)
    return held


def _owner(file: File) -> str:
    return file.owner.name if file.owner else ""


def _bytes_of(file: File | None) -> tuple[int, int, bool] | None:
    """Return what tells files of one path apart; None for one that is not there."""
    return (file.crc32, file.size_bytes, file.executable) if file else None

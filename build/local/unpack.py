"""Unpack what Terraform deployed: code and layers, once for each digest, into ``.artifacts/local/``.

A folder appears whole under its final name or not at all, whoever is killed and however many unpack it at once.
"""

import io
import os
import shutil
import stat
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from build.digest import Digest
from build.errors import FindingsError

KEPT_S = 7 * 24 * 3600.0
"""How long unpacked code is kept after its last use."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip as AWS holds it."""

    digest: Digest
    data: bytes | Path
    """The zip, or where it is."""

    def opened(self) -> zipfile.ZipFile:
        """Return it ready to be read; raise FindingsError if it is no zip."""
        try:
            return zipfile.ZipFile(io.BytesIO(self.data) if isinstance(self.data, bytes) else self.data)
        except zipfile.BadZipFile as why:
            hint = "build and deploy it again with `invoke deploy`"
            raise FindingsError("deployed code is no zip archive", facts=[str(why)], hint=hint) from None


@dataclass(frozen=True, slots=True)
class Earlier:
    """Something similar that is unpacked already: what is alike becomes a hard link to it."""

    folder: Path
    archives: Sequence[Archive]

    def marks(self) -> Mapping[str, tuple[int, ...]]:
        """Return what tells whether a member is alike, by path; nothing if it is not unpacked after all."""
        marks: dict[str, tuple[int, ...]] = {}
        for archive in self.archives if self.folder.is_dir() else ():
            with suppress(FileNotFoundError), archive.opened() as source:  # the store may have been pruned
                marks.update((member.filename, _mark(member)) for member in source.infolist() if not _is_link(member))
        return marks


def task_root(generated: Path, code: Archive, *, like: Archive | None = None) -> Path:
    """Return the folder that holds ``code`` unpacked: what Lambda mounts at /var/task. ``like`` is of earlier code."""
    place = generated / "local" / "tasks"
    earlier = Earlier(place / like.digest.hex, (like,)) if like else None
    return once(place / code.digest.hex, partial(_extract_each, (code,), earlier))


def opt(generated: Path, layers: Sequence[Archive], *, like: Sequence[Archive] = ()) -> Path | None:
    """Return the folder that holds ``layers`` unpacked over each other, later ones winning, or None without layers.

    ``like`` are those that were there earlier.
    """
    if not layers:
        return None
    place = generated / "local" / "opt"
    return once(place / _combination(layers), partial(_extract_each, layers, Earlier(place / _combination(like), like)))


def _combination(layers: Sequence[Archive]) -> str:
    return Digest.of_bytes("\n".join(layer.digest.hex for layer in layers).encode()).hex


def _extract_each(archives: Sequence[Archive], earlier: Earlier | None, folder: Path) -> None:
    alike = earlier.marks() if earlier else {}
    for archive in archives:
        extract(archive, folder, earlier.folder if earlier else folder, alike)


def prune(generated: Path, *, now: float | None = None) -> None:
    """Remove what was not used for a week, and what a killed process left half-done."""
    oldest = (now or time.time()) - KEPT_S
    for kind in ("tasks", "opt", "roots", "image-layers"):
        for folder in sorted((generated / "local" / kind).glob("*")):
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)


def once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Return ``folder``, which ``fill`` filled now or earlier: it gets an empty one that is then renamed."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{folder.name[:12]}.part-", dir=folder.parent))
        try:
            fill(temporary)
            temporary.chmod(0o755)
            temporary.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another one was faster, with the same bytes
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    os.utime(folder)  # `prune` asks for the last use
    return folder


def extract(archive: Archive, folder: Path, earlier: Path, alike: Mapping[str, tuple[int, ...]]) -> None:
    """Unpack a zip over what is in ``folder``, keeping executable bits and symbolic links.

    Members that are ``alike`` are in ``earlier`` and only linked. Raises FindingsError if it is no zip, or, naming
    every bad member, if one would land outside ``folder``.
    """
    with archive.opened() as source:
        members = source.infolist()
        bad = [member.filename for member in members if not _stays_inside(source, member)]
        if bad:
            raise FindingsError(
                "the archive has members that lead out of it",
                facts=bad,
                hint="build it again with `invoke build`",
            )
        made = {""}
        for member in members:
            parent = member.filename.rpartition("/")[0]
            if parent not in made:
                folder.joinpath(parent).mkdir(parents=True, exist_ok=True)
                made.add(parent)
            if not member.is_dir():
                known = alike.get(member.filename) == _mark(member)
                _place(source, member, folder / member.filename, earlier / member.filename if known else None)


def _mark(member: zipfile.ZipInfo) -> tuple[int, ...]:
    return member.CRC, member.file_size, member.compress_size, member.external_attr


def _stays_inside(source: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(member.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in member.filename or not path.parts:
        return False
    if not _is_link(member):
        return True
    target = PurePosixPath(source.read(member).decode("utf-8", "replace"))
    depth = len(path.parent.parts)
    for part in target.parts:
        depth += {"..": -1, ".": 0}.get(part, 1)
        if depth < 0:
            return False
    return not target.is_absolute()


def _is_link(member: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(member.external_attr >> 16)


def _place(source: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, earlier: Path | None) -> None:
    """Write a file or a symbolic link, over what is there, or link it to ``earlier``."""
    try:
        if earlier:
            os.link(earlier, path)
        elif _is_link(member):
            path.symlink_to(source.read(member).decode("utf-8"))
        else:
            with source.open(member) as stream, path.open("xb") as target:
                shutil.copyfileobj(stream, target, 1 << 20)
            path.chmod(0o755 if (member.external_attr >> 16) & 0o111 else 0o644)
    except FileExistsError:
        path.unlink()
        _place(source, member, path, earlier)
    except OSError:
        if earlier is None:
            raise
        _place(source, member, path, None)  # that is gone, or has all the links that a file can have

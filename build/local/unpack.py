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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from build.digest import Digest
from build.errors import FindingsError

KEPT_S = 7 * 24 * 3600.0
"""How long unpacked code is kept after its last use."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip as AWS holds it."""

    digest: Digest
    data: bytes


def task_root(generated: Path, code: Archive) -> Path:
    """Return the folder that holds ``code`` unpacked: what Lambda mounts at /var/task."""
    return once(generated / "local" / "tasks" / code.digest.hex, lambda folder: extract(code.data, folder))


def opt(generated: Path, layers: Sequence[Archive]) -> Path | None:
    """Return the folder that holds ``layers`` unpacked over each other, later ones winning, or None without layers."""
    if not layers:
        return None
    combination = Digest.of_bytes("\n".join(layer.digest.hex for layer in layers).encode())

    def extract_each(folder: Path) -> None:
        for layer in layers:
            extract(layer.data, folder)

    return once(generated / "local" / "opt" / combination.hex, extract_each)


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


def extract(archive: bytes, folder: Path) -> None:
    """Unpack a zip over what is in ``folder``, keeping executable bits and symbolic links.

    Raises FindingsError if it is no zip, or, naming every bad member, if one would land outside ``folder``.
    """
    try:
        opened = zipfile.ZipFile(io.BytesIO(archive))
    except zipfile.BadZipFile as why:
        hint = "build and deploy it again with `invoke deploy`"
        raise FindingsError("deployed code is no zip archive", facts=[str(why)], hint=hint) from None
    with opened as source:
        members = source.infolist()
        bad = [member.filename for member in members if not _stays_inside(source, member)]
        if bad:
            raise FindingsError(
                "the archive has members that lead out of it",
                facts=bad,
                hint="build it again with `invoke build`",
            )
        for member in members:
            _write(source, member, folder)


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


def _write(source: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    path = folder.joinpath(*PurePosixPath(member.filename).parts)
    if member.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or path.exists():
        path.unlink()
    if _is_link(member):
        path.symlink_to(source.read(member).decode("utf-8"))
        return
    with source.open(member) as stream, path.open("wb") as target:
        shutil.copyfileobj(stream, target, 1 << 20)
    path.chmod(0o755 if (member.external_attr >> 16) & 0o111 else 0o644)

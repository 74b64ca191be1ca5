"""The root file system of an image, unpacked from its layers into ``.artifacts/local/``.

Every layer is unpacked once, whatever images hold it. A root is made of hard links to what is in its layers, so that a
change of code costs links, and no second copy of pandas. Nothing is followed outside of what is unpacked: an image may
be anybody's. https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md
"""

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from build.digest import Digest
from build.errors import FindingsError
from build.image import Blob, Image
from build.local.sandbox import MOUNT_POINTS, RESOLVER
from build.local.unpack import once

_HIDDEN = ".wh."
"""Before the name of what a layer takes away from those below it."""
_HIDDEN_ALL = ".wh..wh..opq"
"""Among the files of a folder of which nothing is left that layers below have in it."""
_HOSTS = "127.0.0.1 localhost\n"
_GZIP = b"\x1f\x8b"
_PIECE_BYTES = 1 << 20
_LATEST_S = 1 << 32
_DEEPEST = 256
_SHOWN = 20

Fetch = Callable[[Blob], AbstractContextManager[Path]]
"""Gives the file of a layer, for as long as it is read."""


def root_of(generated: Path, image: Image, fetch: Fetch) -> Path:
    """Return the folder that holds the file system of ``image``; unpacked, and asked for, is only what is not there.

    Raises FindingsError for a layer that cannot be read, or that has members which lead out of it.
    """
    layers = [layer.digest.hex for layer in image.layers]
    local = generated / "local"

    def fill(root: Path) -> None:
        for layer in image.layers:
            lay(once(local / "image-layers" / layer.digest.hex, partial(_fetched, layer, fetch)), root)
        for name in MOUNT_POINTS:
            _folder(root / name)
        _replaced(root / RESOLVER).touch()
        if not (root / "etc/hosts").is_file():
            _replaced(root / "etc/hosts").write_text(_HOSTS, "ascii")

    return once(local / "roots" / Digest.of_bytes("\n".join(layers).encode()).hex, fill)


def extract_layer(file: Path, folder: Path) -> None:
    """Unpack a layer, compressed or not, into the empty ``folder``; what it hides below keeps its mark.

    Owners are not kept: a file may be read and run by us if it may be by everybody, as Lambda's user is nobody special.
    Devices are left out. Raises FindingsError, naming the members, if some would land elsewhere, or it is no tar.
    """
    unpacking = _Unpacking(folder)
    try:
        with _opened(file) as stream, tarfile.open(fileobj=stream, mode="r|", bufsize=_PIECE_BYTES) as archive:
            for member in archive:
                unpacking.take(archive, member)
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError) as why:
        raise FindingsError(
            "a layer of an image is no tar that can be read here",
            facts=[str(why)],
            hint="build it with gzip or no compression, then run `invoke deploy`",
        ) from None
    if unpacking.refused:
        raise FindingsError(
            "a layer of an image has members that lead out of it, or through what is no folder",
            facts=[repr(name) for name in unpacking.refused[:_SHOWN]],
            hint="build the image with another tool, then run `invoke deploy`",
        )


def lay(layer: Path, root: Path) -> None:
    """Lay an unpacked layer over what is in ``root``: it wins, and what it hides is gone. Files become hard links."""
    waiting = [(layer, root)]
    while waiting:
        above, below = waiting.pop()
        entries = list(os.scandir(above))
        hidden = [entry.name for entry in entries if entry.name.startswith(_HIDDEN)]
        if _HIDDEN_ALL in hidden:
            hidden += [f"{_HIDDEN}{each.name}" for each in below.iterdir()]
        for name in hidden:
            _remove(below / name.removeprefix(_HIDDEN))
        for entry in entries:
            if entry.name.startswith(_HIDDEN):
                continue
            place = below / entry.name
            if entry.is_dir(follow_symlinks=False):
                _folder(place)
                waiting.append((Path(entry.path), place))
            else:
                _link(Path(entry.path), place)


class _Unpacking:
    """Into one folder, of one layer. What is a folder once stays one, so that no link can take its place."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folders: dict[tuple[str, ...], Path] = {(): folder}
        self.refused: list[str] = []

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Write a member, or note that it was refused."""
        try:
            parts = _parts(member.name)
            if member.isdir():
                self._below(parts)
            elif parts and not member.isdev():
                self._write(archive, member, parts)
        except (ValueError, FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError):
            self.refused.append(member.name)

    def _write(self, archive: tarfile.TarFile, member: tarfile.TarInfo, parts: tuple[str, ...]) -> None:
        place = self._below(parts[:-1]) / parts[-1]
        if parts in self._folders:
            raise IsADirectoryError
        place.unlink(missing_ok=True)  # the later one wins
        if member.issym():
            place.symlink_to(member.linkname)
        elif member.islnk():
            os.link(self._file(_parts(member.linkname)), place, follow_symlinks=False)
        elif stream := archive.extractfile(member):
            with place.open("xb") as target:
                shutil.copyfileobj(stream, target, _PIECE_BYTES)
            place.chmod(0o111 * (member.mode & 0o7))
            seconds = min(max(int(member.mtime), 0), _LATEST_S)
            os.utime(place, (seconds, seconds))  # bytecode may ask for it

    def _below(self, parts: tuple[str, ...]) -> Path:
        """Return the folder at ``parts``, made with all above it; raise FileExistsError for what is none."""
        if parts not in self._folders:
            made = self._below(parts[:-1]) / parts[-1]
            made.mkdir()
            self._folders[parts] = made
        return self._folders[parts]

    def _file(self, parts: tuple[str, ...]) -> Path:
        """Return where the file at ``parts`` is, or would be; raise FileNotFoundError for what is in no folder."""
        if not parts or parts in self._folders or parts[:-1] not in self._folders:
            raise FileNotFoundError
        return self._folders[parts[:-1]] / parts[-1]


def _parts(name: str) -> tuple[str, ...]:
    """Return the parts of a member's path, which may begin at the root; raise ValueError for what leads elsewhere."""
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    leading = {"", ".", ".."} & {*parts, *(part.removeprefix(_HIDDEN) for part in parts)}
    if leading or "\0" in name or len(parts) > _DEEPEST:
        raise ValueError(name)
    return parts


def _opened(file: Path) -> IO[bytes]:
    with file.open("rb") as stream:
        compressed = stream.read(2) == _GZIP
    return gzip.open(file) if compressed else file.open("rb")  # type: ignore[return-value]


def _fetched(layer: Blob, fetch: Fetch, folder: Path) -> None:
    with fetch(layer) as file:
        extract_layer(file, folder)


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place, follow_symlinks=False)
    except FileExistsError:
        _remove(place)
        os.link(source, place, follow_symlinks=False)


def _replaced(place: Path) -> Path:
    _remove(place)
    return place


def _folder(place: Path) -> None:
    """Make sure that ``place`` itself is a folder."""
    if place.is_symlink() or not place.is_dir():
        _remove(place)
        place.mkdir()


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        with suppress(FileNotFoundError):
            place.unlink()

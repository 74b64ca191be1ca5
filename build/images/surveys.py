"""What a layer that somebody else made is like, as far as Lambda minds. Of ours there is nothing to say.

Docker, RIE and containerd take what Lambda refuses, one complaint at a time and only when a function is created:
https://github.com/bazel-contrib/rules_oci/issues/645, https://github.com/bazel-contrib/rules_img/issues/258,
https://github.com/nlewo/nix2container/issues/54.
"""

import tarfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

GZIP, SEVERAL, ZSTD, NONE = "gzip", "gzip in several members", "zstd", "none"
"""How a layer is compressed."""

_MAGIC, _ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PIECE_BYTES = 1 << 20
_BUFFER_BYTES = 1 << 17
"""A multiple of a tar's blocks. With more of it tarfile is slower: it copies what is left of it at every read."""
_READ_BY_ALL, _SEARCHED_BY_ALL = 0o004, 0o005
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
"""What takes away a file of the layers below, or all of a folder: the image specification of OCI, layer.md."""


class Remark(NamedTuple):
    """What was found in one file of a layer."""

    path: str
    kind: str
    text: str


Look = Callable[[str, IO[bytes]], Iterable[tuple[str, str]]]
"""Gets the path of a file and its content, and gives kind and text of what is to be remarked; it need not read all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSurvey:
    """What there is to say of one layer. All paths are relative, in its own order."""

    compression: str
    """`GZIP`, `SEVERAL`, `ZSTD` or `NONE`; Lambda takes the first."""
    unpacked_bytes: int
    """Of the tar."""
    paths: tuple[str, ...]
    """Of everything in it: folders, and what takes files of lower layers away, as well."""
    orphans: tuple[str, ...]
    """What has no entry of its folder before it in the same layer: MissingParentDirectory."""
    unreadable: tuple[str, ...]
    """Files that not everybody may read, folders that not everybody may search: Lambda's user is nobody special."""
    remarks: tuple[Remark, ...]

    @classmethod
    def read(cls, note: Any) -> Self:
        """Read what `noted` gave; raise LookupError, TypeError or ValueError for anything else."""
        return cls(
            compression=note["compression"],
            unpacked_bytes=note["unpacked_bytes"],
            paths=tuple(note["paths"]),
            orphans=tuple(note["orphans"]),
            unreadable=tuple(note["unreadable"]),
            remarks=tuple(Remark(*row) for row in note["remarks"]),
        )

    @property
    def noted(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return asdict(self)


def survey_layer(path: Path, look: Look = lambda *_: ()) -> LayerSurvey:
    """Read the layer in the file at ``path`` once, from its beginning to its end.

    Raises ValueError for what is no tar, or is cut off.
    """
    survey = _Survey(look)
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        if start == _ZSTD_MAGIC:
            return survey.ended(ZSTD, 0)
        source = _Counted(stream) if start[:2] != _MAGIC else _Inflated(stream)
        try:
            with tarfile.open(fileobj=source, mode="r|", bufsize=_BUFFER_BYTES) as archive:  # type: ignore[call-overload]
                for each in archive:
                    survey.add(each, archive)
            source.exhaust()
        except (tarfile.TarError, zlib.error, EOFError) as reason:
            raise ValueError(f"no layer: {reason}") from None
    return survey.ended(source.compression, source.size_bytes)


def laid_over(surveys: Iterable[LayerSurvey]) -> dict[str, bool]:
    """Return every path that is left of layers laid over each other, the lowest first; whether everybody may read it.

    What of the folders above may not be searched has its own entry.
    """
    found: dict[str, bool] = {}
    for survey in surveys:
        gone: set[str] = set()
        for path in filter(is_whiteout, survey.paths):
            folder, _, name = path.rpartition("/")
            gone.add(f"{folder}/" if name == _OPAQUE else f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
        if gone:
            found = {path: readable for path, readable in found.items() if not _is_gone(path, gone)}
        closed = set(survey.unreadable)
        found.update((path, path not in closed) for path in survey.paths if not is_whiteout(path))
    return found


def is_whiteout(path: str) -> bool:
    """Tell whether an entry takes something of the layers below away."""
    return path.rpartition("/")[2].startswith(_WHITEOUT)


def _is_gone(path: str, gone: set[str]) -> bool:
    """Tell whether ``path``, a folder above it, or all that such a folder holds (with a slash behind it) is gone."""
    while path:
        above = path.rpartition("/")[0]
        if path in gone or f"{above}/" in gone:
            return True
        path = above
    return False


class _Survey:
    """A survey under way."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._folders = {""}
        self._paths: list[str] = []
        self._orphans: list[str] = []
        self._unreadable: list[str] = []
        self._remarks: list[Remark] = []

    def add(self, each: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        name = each.name.encode(errors="replace").decode()  # what is no UTF-8 could not be printed
        name = name.removeprefix("./").strip("/")
        if not name or name == ".":
            return
        self._paths.append(name)
        if name.rpartition("/")[0] not in self._folders:
            self._orphans.append(name)
        if each.isdir():
            self._folders.add(name)
        needed = _SEARCHED_BY_ALL if each.isdir() else _READ_BY_ALL
        if not each.issym() and not is_whiteout(name) and each.mode & needed != needed:
            self._unreadable.append(name)
        content = archive.extractfile(each) if each.isfile() else None
        if content:
            self._remarks += [Remark(name, *said) for said in self._look(name, content)]

    def ended(self, compression: str, unpacked_bytes: int) -> LayerSurvey:
        return LayerSurvey(
            compression=compression,
            unpacked_bytes=unpacked_bytes,
            paths=tuple(self._paths),
            orphans=tuple(self._orphans),
            unreadable=tuple(self._unreadable),
            remarks=tuple(self._remarks),
        )


class _Counted:
    """A stream that says how much there was of it."""

    compression = NONE

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.size_bytes = 0

    def read(self, count: int = -1) -> bytes:
        data = self._read(count)
        self.size_bytes += len(data)
        return data

    def exhaust(self) -> None:
        """Go on to the end: a tar may be followed by zeros."""
        while self.read(_PIECE_BYTES):
            pass

    def _read(self, count: int) -> bytes:
        return self._stream.read(count)


class _Inflated(_Counted):
    """What is in gzip members, one or several."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream)
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._waiting = b""
        self._members = 1

    @property
    def compression(self) -> str:  # type: ignore[override]
        """Say of how many members it was, so far."""
        return GZIP if self._members == 1 else SEVERAL

    def _read(self, count: int) -> bytes:
        data = b""
        while not data:
            packed = self._waiting or self._stream.read(_PIECE_BYTES)
            if not packed:
                if not self._inflater.eof:
                    raise EOFError("it is cut off")
                return b""
            if self._inflater.eof:
                self._inflater, self._members = zlib.decompressobj(zlib.MAX_WBITS | 16), self._members + 1
            data = self._inflater.decompress(packed, count)
            self._waiting = self._inflater.unconsumed_tail or self._inflater.unused_data
        return data

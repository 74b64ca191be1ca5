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
from typing import IO, Any, Self

from build.images.tar import BLOCK

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PIECE_BYTES = 1 << 20
_MOST_LOOKED_INTO = 1_000_000
"""Bytes of a file that is looked into; larger ones are data."""
_READ_BY_ALL, _SEARCHED_BY_ALL = 0o004, 0o005


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSurvey:
    """What there is to say of one layer. All paths are relative, in its own order."""

    compression: str
    """``gzip``, ``gzip in several members``, ``zstd`` or ``none``; Lambda takes the first."""
    unpacked_bytes: int
    """Of the tar."""
    orphans: tuple[str, ...]
    """What has no entry of its folder before it in the same layer: MissingParentDirectory."""
    unreadable: tuple[str, ...]
    """Files that not everybody may read, folders that not everybody may search: Lambda's user is nobody special."""
    secrets: tuple[str, ...]
    """What was found that must not ship, as ``path: what``."""

    @classmethod
    def read(cls, note: Any) -> Self:
        """Read what `noted` gave."""
        return cls(
            compression=note["compression"],
            unpacked_bytes=note["unpacked_bytes"],
            orphans=tuple(note["orphans"]),
            unreadable=tuple(note["unreadable"]),
            secrets=tuple(note["secrets"]),
        )

    @property
    def noted(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return asdict(self)


def survey_layer(path: Path, look: Callable[[str, bytes], Iterable[str]] = lambda *_: ()) -> LayerSurvey:
    """Read the layer in the file at ``path`` once, from its beginning to its end.

    ``look`` gets the path and the content of every file that is not large, and says what must not ship in it.
    Raises ValueError for what is no tar, or is cut off.
    """
    orphans: list[str] = []
    unreadable: list[str] = []
    secrets: list[str] = []
    folders = {""}
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        if start == _ZSTD:
            return LayerSurvey(compression="zstd", unpacked_bytes=0, orphans=(), unreadable=(), secrets=())
        source = _Counted(stream) if start[:2] != _GZIP else _Inflated(stream)
        try:
            with tarfile.open(fileobj=source, mode="r|", bufsize=_PIECE_BYTES - _PIECE_BYTES % BLOCK) as archive:  # type: ignore[call-overload]
                for each in archive:
                    name = each.name.removeprefix("./").strip("/")
                    if not name or name == ".":
                        continue
                    if name.rpartition("/")[0] not in folders:
                        orphans.append(name)
                    if each.isdir():
                        folders.add(name)
                    needed = _SEARCHED_BY_ALL if each.isdir() else _READ_BY_ALL
                    if not each.issym() and each.mode & needed != needed:
                        unreadable.append(name)
                    if each.isfile() and each.size <= _MOST_LOOKED_INTO:
                        content = archive.extractfile(each)
                        secrets += [f"{name}: {what}" for what in look(name, content.read() if content else b"")]
            source.exhaust()
        except (tarfile.TarError, zlib.error, EOFError) as reason:
            raise ValueError(f"no layer: {reason}") from None
    return LayerSurvey(
        compression=source.compression,
        unpacked_bytes=source.size_bytes,
        orphans=tuple(orphans),
        unreadable=tuple(unreadable),
        secrets=tuple(secrets),
    )


class _Counted:
    """A stream that says how much there was of it."""

    compression = "none"

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
        return "gzip" if self._members == 1 else "gzip in several members"

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

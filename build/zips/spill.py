"""A scratch file of what we compress ourselves, so that no archive's content has to fit into memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self

import deflate

from build.zips.trees import DEFLATED, STORED, Entry

_LEVEL = 6


class Spill:
    """Takes files one by one and gives their entries, which can be read once it is closed.

    libdeflate and not zlib: its bytes do not depend on what zlib Python was built with.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = path.open("wb")
        self._position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def store(self, path: str, chunks: Iterable[bytes], *, executable: bool = False, owner: str) -> Entry:
        """Return an entry that holds ``chunks`` as they are, for what is too large to be held in memory."""
        crc32, size_bytes, offset = 0, 0, self._position
        for chunk in chunks:
            crc32 = deflate.crc32(chunk, crc32)
            size_bytes += self._stream.write(chunk)
        self._position += size_bytes
        return Entry(path, executable, STORED, crc32, size_bytes, size_bytes, self._path, offset, owner)

    def close(self) -> None:
        """Finish the file."""
        self._stream.close()

    def add(self, path: str, data: bytes, *, executable: bool = False, owner: str) -> Entry:
        """Return an entry that holds ``data``, compressed where that saves anything."""
        packed: bytes | bytearray = deflate.deflate_compress(data, _LEVEL)
        method = DEFLATED
        if len(packed) >= len(data):
            packed, method = data, STORED
        crc32, offset = deflate.crc32(data), self._position
        self._stream.write(packed)
        self._position += len(packed)
        return Entry(path, executable, method, crc32, len(packed), len(data), self._path, offset, owner)

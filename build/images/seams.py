"""Where a raw deflate stream begins its last block and where it ends, bit by bit, so that another may follow it.

Python's zlib does not say it; the C library below does, with Z_BLOCK (https://zlib.net/manual.html, `inflate`).
"""

import ctypes
import ctypes.util
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from build.errors import ToolError

_BLOCK = 5
_OK = 0
_UNUSED, _IN_LAST, _AT_BORDER = 7, 64, 128
"""Parts of `data_type` once `inflate` returned."""
_PIECE_BYTES = 1 << 18


class Seam(NamedTuple):
    """What is to be known of a deflate stream to put another behind it."""

    last_block: int
    """The bit at which its last block begins, counted from the first byte's lowest; it is 1 there."""
    unused: int
    """Bits of its last byte that are not part of it, 0 to 7; the highest ones."""


class _Stream(ctypes.Structure):
    """`z_stream` of zlib.h."""

    _fields_ = (
        ("next_in", ctypes.c_void_p),
        ("avail_in", ctypes.c_uint),
        ("total_in", ctypes.c_ulong),
        ("next_out", ctypes.c_void_p),
        ("avail_out", ctypes.c_uint),
        ("total_out", ctypes.c_ulong),
        ("msg", ctypes.c_char_p),
        ("state", ctypes.c_void_p),
        ("zalloc", ctypes.c_void_p),
        ("zfree", ctypes.c_void_p),
        ("opaque", ctypes.c_void_p),
        ("data_type", ctypes.c_int),
        ("adler", ctypes.c_ulong),
        ("reserved", ctypes.c_ulong),
    )


class Inflater:
    """Inflates raw deflate streams one after the other, and says where each may be continued. For one thread."""

    def __init__(self) -> None:
        self._library = _library()
        self._stream = _Stream()
        self._output = memoryview(bytearray(_PIECE_BYTES))
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._output))
        code = self._library.inflateInit2_(
            ctypes.byref(self._stream), -zlib.MAX_WBITS, _version(self._library), ctypes.sizeof(_Stream)
        )
        if code != _OK:
            raise _unusable(f"inflateInit2 gave {code}")

    def __del__(self) -> None:
        if self._stream.state:
            self._library.inflateEnd(ctypes.byref(self._stream))

    def inflate(self, packed: bytes, take: Callable[[memoryview], object]) -> Seam:
        """Give the content of ``packed`` to ``take``, in pieces that hold until it returns; return its seam.

        Raises ValueError if ``packed`` is not exactly one deflate stream.
        """
        stream, output = self._stream, self._output
        step, reference = self._library.inflate, ctypes.byref(stream)
        self._library.inflateReset(reference)
        held = ctypes.c_char_p(packed)
        stream.next_in, stream.avail_in = ctypes.cast(held, ctypes.c_void_p), len(packed)
        last_block = 0
        while True:
            stream.next_out, stream.avail_out = self._address, _PIECE_BYTES
            code = step(reference, _BLOCK)
            if code != _OK:
                raise ValueError(f"no whole deflate stream: inflate gave {code}")
            if stream.avail_out < _PIECE_BYTES:
                take(output[: _PIECE_BYTES - stream.avail_out])
            if stream.data_type & _AT_BORDER:
                used = len(packed) - stream.avail_in
                unused = stream.data_type & _UNUSED
                if stream.data_type & _IN_LAST:
                    if stream.avail_in:
                        raise ValueError(f"{stream.avail_in} bytes behind the end of the deflate stream")
                    return Seam(last_block, unused)
                last_block = used * 8 - unused


def joined(first: int, second: int, size_bytes: int) -> int:
    """Return the CRC of two pieces, one behind the other, from the CRC of each and the size of the second."""
    return int(_library().crc32_combine(first, second, size_bytes))


@cache
def _library() -> ctypes.CDLL:
    for name in _names():
        try:
            library = ctypes.CDLL(name)
            library.inflateReset  # noqa: B018  # whether it is zlib's
        except (AttributeError, OSError):
            continue
        library.zlibVersion.restype = ctypes.c_char_p
        library.inflate.argtypes = (ctypes.c_void_p, ctypes.c_int)
        library.inflateReset.argtypes = library.inflateEnd.argtypes = (ctypes.c_void_p,)
        library.inflateInit2_.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
        library.crc32_combine.restype = ctypes.c_ulong
        library.crc32_combine.argtypes = (ctypes.c_ulong, ctypes.c_ulong, ctypes.c_long)
        return library
    raise _unusable("there is none")


def _names() -> Iterator[str | None]:
    """Yield where it may be: a library of the system, or within Python itself, which needs it as well."""
    yield from {"darwin": ("libz.dylib",), "win32": ("zlib1.dll",)}.get(sys.platform, ("libz.so.1",))
    yield getattr(zlib, "__file__", None)
    yield None  # whatever this process has loaded
    if found := ctypes.util.find_library("z"):  # starts a compiler, so last
        yield found


def _version(library: ctypes.CDLL) -> bytes:
    return bytes(library.zlibVersion())


def _unusable(reason: str) -> ToolError:
    return ToolError(
        f"images need the C library zlib: {reason}",
        hint="install it (Debian: `apt-get install zlib1g`), then run `invoke doctor`",
    )

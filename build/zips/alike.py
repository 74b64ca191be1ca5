"""Whether two files that land in one place may: those of the same bytes, and those that only declare a namespace."""

import ast
import hashlib
from collections.abc import Iterator

from build.syntax import parsed
from build.zips.directory import Member
from build.zips.inflating import inflated
from build.zips.trees import Entry

_DECLARATIONS = frozenset(
    {
        "from pkgutil import extend_path",
        "import pkgutil",
        "import pkg_resources",
        "__path__ = extend_path(__path__, __name__)",
        "__path__ = pkgutil.extend_path(__path__, __name__)",
        "__path__ = __import__('pkgutil').extend_path(__path__, __name__)",
        "pkg_resources.declare_namespace(__name__)",
        "__import__('pkg_resources').declare_namespace(__name__)",
        "try:",
        "except ImportError:",
    }
)
"""Statements as `ast.unparse` writes them."""
_MOST_BYTES = 4096
"""Of a module that does nothing else; the longest seen has 263."""


def are_equal(one: Entry, other: Entry) -> bool:
    """Say whether both hold the same bytes. Both are read: to make another file of the same CRC is easy."""
    if (one.crc32, one.size_bytes) != (other.crc32, other.size_bytes):
        return False
    return (one.source, one.offset) == (other.source, other.offset) or _sha256(one) == _sha256(other)


def only_declare(one: Entry, other: Entry) -> bool:
    """Say whether both are the ``__init__.py`` of a namespace package, so that either will do.

    Its distributions bring one each, and word it differently: backports.tarfile and backports.zstd, for example.
    """
    return one.path.endswith("__init__.py") and _only_declares(one) and _only_declares(other)


def _only_declares(entry: Entry) -> bool:
    if entry.size_bytes > _MOST_BYTES:
        return False
    try:
        module = parsed(b"".join(_content(entry)))
    except (SyntaxError, ValueError):
        return False
    body = module.body[1:] if ast.get_docstring(module, clean=False) is not None else module.body
    lines = [line.strip() for node in body for line in ast.unparse(node).splitlines()]
    return bool(lines) and _DECLARATIONS.issuperset(lines)


def _sha256(entry: Entry) -> bytes:
    sha256 = hashlib.sha256()
    for piece in _content(entry):
        sha256.update(piece)
    return sha256.digest()


def _content(entry: Entry) -> Iterator[bytes]:
    with entry.source.open("rb") as stream:
        yield from inflated(stream, Member(*entry[:6], entry.offset))

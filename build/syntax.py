"""Python source as a tree, from any thread."""

import ast
from threading import Lock

_ALONE = Lock()
"""Until 3.12 threads that parse share a counter, which goes wrong (SystemError) where one is switched away while it
builds its tree, as by a finalizer: https://github.com/python/cpython/issues/106905."""


def parsed(source: bytes) -> ast.Module:
    """Return the tree of ``source``; raise what `ast.parse` raises."""
    with _ALONE:
        return ast.parse(source)

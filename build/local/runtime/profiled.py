"""Does what bootstrap.py does, and notes of every call of the handler which functions were called, and how long.

Its text and a call of `main` are run as ``python -X importtime -c <text> <nothing>``, with bootstrap.py's arguments
behind, on the function's own interpreter, 3.10 or later. The log gets `BEGIN` before the import of the handler's
module, which ``-X importtime`` does not tell of itself, `IMPORTED` with its ns after it, and after each call `CALLS`
with a tree as JSON: ``name``, ``file`` and ``line`` (of a function in C its module, and 0), ``calls``, ``ns`` (its own,
without what it called) and ``inside``.
"""

import json
import os
import sys
import types
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

BEGIN, IMPORTED, CALLS = "slipway: the handler is imported", "slipway imported: ", "slipway called: "
_DEEPEST = 150
"""What is called from further down counts as its caller's: browsers nest 512 elements, json 1,000 dictionaries."""
_IMPORTING = "<frozen importlib"
"""What Python does for an import counts as its caller's."""
_SMALLEST = 2000
"""Of the whole: the part below which a function counts as its caller's."""


class Node:
    """A function in one place of the tree."""

    __slots__ = ("calls", "inside", "key", "ns")

    def __init__(self, key: Any) -> None:
        self.key = key
        """Its code; of a function in C, module and name."""
        self.ns = 0
        self.calls = 0
        self.inside: dict[Any, Node] = {}


class Tracer:
    """Is told by the interpreter of every call and return. The time it takes itself does not count."""

    def __init__(self) -> None:
        self.whole = self._at = Node(("", ""))
        self._above: list[Node] = []
        self._since = perf_counter_ns()

    def __call__(self, frame: types.FrameType, event: str, about: Any) -> None:
        """Take one event."""
        self._at.ns += perf_counter_ns() - self._since
        if event == "call" or event == "c_call":  # noqa: PLR1714 - a tuple takes longer
            self._above.append(self._at)
            code = frame.f_code
            key = code if event == "call" else _named(about)
            if len(self._above) < _DEEPEST and not (key is code and code.co_filename.startswith(_IMPORTING)):
                inside = self._at.inside
                if key not in inside:
                    inside[key] = Node(key)
                self._at = inside[key]
                self._at.calls += 1
        elif self._above:
            self._at = self._above.pop()
        self._since = perf_counter_ns()


def _named(function: Any) -> tuple[str, str]:
    return getattr(function, "__module__", None) or "builtins", getattr(function, "__qualname__", "")


def _tree(node: Node, smallest: float) -> tuple[dict[str, Any], int]:
    """Return ``node`` as JSON, and its whole ns; what takes less than ``smallest`` is its caller's."""
    ns, total, inside = node.ns, node.ns, []
    for each in node.inside.values():
        told, took = _tree(each, smallest)
        total += took
        if took >= smallest:
            inside.append(told)
        else:
            ns += took
    if isinstance(node.key, tuple):
        module, name = node.key
        what = {"name": name if module == "builtins" else f"{module}.{name}", "file": module, "line": 0}
    else:
        code = node.key
        name = getattr(code, "co_qualname", code.co_name)
        what = {"name": name, "file": code.co_filename, "line": code.co_firstlineno}
    return {**what, "calls": node.calls, "ns": ns, "inside": inside}, total


def _whole(node: Node) -> int:
    return node.ns + sum(map(_whole, node.inside.values()))


def _log(text: str) -> None:
    """Write ``text`` as awslambdaric does: in a frame, which can stand between lines (see `function_logs.Splitter`)."""
    message = text.encode()
    rest = b"\xa5\x5a\x00\x03" + len(message).to_bytes(4, "big") + bytes(8) + message
    while rest:
        rest = rest[os.write(1, rest) :]


def _traced(handler: Callable[[Any, Any], Any], file: str) -> Callable[[Any, Any], Any]:
    """Return ``handler`` to be called from ``file``, so that tracebacks begin where they always do."""

    def call(event: Any, context: Any) -> Any:
        tracer = Tracer()
        sys.setprofile(tracer)
        try:
            return handler(event, context)
        finally:
            sys.setprofile(None)
            tree, _ = _tree(tracer.whole, _whole(tracer.whole) / _SMALLEST)
            _log(CALLS + json.dumps(tree, separators=(",", ":")))

    call.__code__ = call.__code__.replace(co_filename=file)
    return call


def main() -> None:
    """Serve events."""
    sys.path[0] = os.environ["LAMBDA_RUNTIME_DIR"]
    import bootstrap  # type: ignore[import-not-found,unused-ignore]

    del sys.modules["bootstrap"]  # a function may have one of that name
    bootstrap.prepare(*bootstrap.arguments(sys.argv[2:]))
    sys.argv = [bootstrap.__file__]
    import awslambdaric.bootstrap as serving  # type: ignore[import-not-found,unused-ignore]

    get_handler = serving._get_handler  # noqa: SLF001 - awslambdaric is pinned, and has no other way

    def get_traced_handler(name: str) -> Callable[[Any, Any], Any]:
        _log(BEGIN)
        since = perf_counter_ns()
        try:
            return _traced(get_handler(name), serving.__file__)
        finally:
            _log(f"{IMPORTED}{perf_counter_ns() - since}")

    serving._get_handler = get_traced_handler  # noqa: SLF001
    bootstrap.serve()

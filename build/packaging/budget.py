"""Which bytecode ships where all of it would pass Lambda's 250 MB: that of what handlers import first.

Bytecode only saves time, so a function that is too large with it is still right without some of it.
"""

import ast
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeVar

from build.packaging.sources import SourceFile
from build.syntax import parsed
from build.zips.trees import DEFLATED, Entry, Tree

_Name = TypeVar("_Name")


def rooms(quota: int, whole: Mapping[_Name, tuple[int, int]]) -> dict[_Name, int]:
    """Return how many bytes of bytecode each archive of a function may hold, where not all of it fits.

    ``whole`` has the function first, then its layers: name → unzipped bytes, and how many of them are
    bytecode. Empty if everything fits ``quota``, or if it would not even without bytecode. The function
    gives way first, for others may share its layers.
    """
    over = sum(size for size, _ in whole.values()) - quota
    if over <= 0 or over > sum(bytecode for _, bytecode in whole.values()):
        return {}
    left = {}
    for name, (_, bytecode) in whole.items():
        cut = min(over, bytecode)
        if cut:
            left[name] = bytecode - cut
        over -= cut
    return left


def thinned(tree: Tree, room: int, roots: Iterable[str]) -> Tree:
    """Return ``tree`` with at most ``room`` bytes of bytecode.

    First comes that of ``roots``, dotted names of modules, and of what they import, as soon as it is
    imported; then the rest, packages before what is in them.
    """
    by_path = {entry.path: entry for entry in tree}
    compiled: dict[str, list[Entry]] = {}
    modules: dict[str, list[str]] = {}
    for path, entry in by_path.items():
        if path.endswith(".pyc") and "__pycache__/" in path:
            compiled.setdefault(_source_of(path), []).append(entry)  # one for each runtime of a layer
        elif path.endswith(".py"):
            modules.setdefault(_dotted(path), []).append(path)
    others = sorted(compiled, key=lambda path: (path.count("/"), path))
    dropped = set()
    for source in dict.fromkeys([*_imported(roots, modules, by_path), *others]):
        for entry in compiled.get(source, ()):
            if entry.size_bytes <= room:
                room -= entry.size_bytes
            else:
                dropped.add(entry.path)
    return tuple(entry for entry in tree if entry.path not in dropped)


def roots_of(files: Iterable[SourceFile], handler: str) -> tuple[str, ...]:
    """Return the module of ``handler`` and what the modules among ``files`` import, its own imports first."""
    first = handler.rpartition(".")[0]
    modules = {_dotted(file.path): file for file in files if file.path.endswith(".py")}
    names = [first]
    for module in sorted(modules, key=lambda module: (module != first, module)):
        file = modules[module]
        names += imports_in(file.place.read_bytes(), module, is_package=file.path.endswith("__init__.py"))
    return tuple(dict.fromkeys(names))


def imports_in(source: bytes, module: str, *, is_package: bool) -> Iterator[str]:
    """Yield the dotted names that ``module`` imports when it is imported; nothing if it does not parse.

    ``from a import b`` gives both ``a`` and ``a.b``: which of them is a module, the caller knows.
    """
    try:
        pending: list[ast.AST] = [parsed(source)]
    except (SyntaxError, ValueError, RecursionError):
        return
    package = module if is_package else module.rpartition(".")[0]
    while pending:
        node = pending.pop()
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom():
                parts = package.split(".") if node.level else []
                base = ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                pass
            case _:
                pending.extend(reversed([*ast.iter_child_nodes(node)]))


def _imported(
    roots: Iterable[str], modules: Mapping[str, Sequence[str]], by_path: Mapping[str, Entry]
) -> Iterator[str]:
    """Yield the paths of modules in the order in which they are first met, breadth first."""
    pending, seen = deque(roots), set[str]()
    while pending:
        parts = pending.popleft().split(".")
        for count in range(1, len(parts) + 1):  # importing a.b.c runs a and a.b before
            module = ".".join(parts[:count])
            if module in seen or module not in modules:
                continue
            seen.add(module)
            for path in modules[module]:
                yield path
                source = _text(by_path[path])
                pending.extend(imports_in(source, module, is_package=path.endswith("__init__.py")))


def _dotted(path: str) -> str:
    """Return the module that ``path`` is, wherever in a function or layer it stands."""
    parts = PurePosixPath(path).with_suffix("").parts
    if "site-packages" in parts:
        parts = parts[parts.index("site-packages") + 1 :]
    elif parts[0] == "python":
        parts = parts[1:]
    return ".".join(parts[:-1] if parts[-1:] == ("__init__",) else parts)


def _source_of(bytecode: str) -> str:
    """Return ``a/b.py`` for ``a/__pycache__/b.cpython-313.pyc``."""
    folder, _, name = bytecode.rpartition("__pycache__/")
    return f"{folder}{name.split('.')[0]}.py"


def _text(entry: Entry) -> bytes:
    with Path(entry.source).open("rb") as stream:
        stream.seek(entry.offset)
        data = stream.read(entry.compressed_bytes)
    return zlib.decompress(data, -zlib.MAX_WBITS) if entry.method == DEFLATED else data

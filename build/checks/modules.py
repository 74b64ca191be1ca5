"""The modules of a src/ folder, each read once in a run."""

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from build import process
from build.checks import facts
from build.checks.facts import Definition, Facts, Import
from build.model import Runtime
from build.packaging.sources import SourceFile, read_source
from build.project.interpreters import interpreter_of


@cache
def files_of(folder: Path, root: Path) -> tuple[SourceFile, ...]:
    """Return what ships of the src/ in ``folder``."""
    return read_source(folder / "src", root)


def own_modules(folder: Path, root: Path) -> Mapping[str, SourceFile]:
    """Return the modules of the src/ in ``folder`` by dotted name; a package goes before a module of its name."""
    modules: dict[str, SourceFile] = {}
    for file in files_of(folder, root):
        parts = file.path.removesuffix(".py").split("/")
        if file.path.endswith(".py") and all(map(str.isidentifier, parts)):
            is_package = parts[-1] == "__init__" and len(parts) > 1
            name = ".".join(parts[:-1] if is_package else parts)
            if is_package or name not in modules:
                modules[name] = file
    return modules


@lru_cache(1024)
def facts_in(path: Path, runtime: Runtime) -> Facts | None:
    """Return what the module at ``path`` says to ``runtime``'s Python; None for a syntax error, which the build tells.

    Where this Python is too old for its syntax, or runs out of stack, the runtime's own is asked.
    """
    try:
        return facts.facts_of(path.read_bytes(), runtime.minor)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        argv = [str(interpreter_of(runtime)), "-I", facts.__file__, str(path), str(runtime.minor)]
        asked = process.run(argv)
        return parsed(asked.stdout) if asked.code == 0 else None


def parsed(text: str) -> Facts:
    """Read what `facts` prints as a program."""
    imports, names = json.loads(text)
    defined = {name: Definition(*row)._replace(of=_import(row[-1]) if row[-1] else None) for name, row in names.items()}
    return Facts(tuple(map(_import, imports)), defined)


def _import(row: list[Any]) -> Import:
    when = tuple((succeeds, tuple(map(_import, rows))) for succeeds, rows in row[-1])
    return Import(*row)._replace(when=when)


def forget() -> None:
    """Read everything anew: files may have changed since."""
    files_of.cache_clear()
    facts_in.cache_clear()

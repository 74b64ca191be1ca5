"""Rules about source files."""

import sys
from collections.abc import Iterator
from pathlib import Path

from build.checks.problem import Problem
from build.model import Build, FunctionSpec, LayerSpec, Workspace


def stdlib_shadowed(workspace: Workspace, _build: Build) -> Iterator[Problem]:
    """Warn of modules at the top of a src/ that stand before the standard library on Lambda's sys.path."""
    folders: tuple[FunctionSpec | LayerSpec, ...] = (*workspace.functions, *workspace.layers)
    for folder in folders:
        for path in _top_level_modules(folder.folder / "src"):
            name = path.name.partition(".")[0]
            if name in sys.stdlib_module_names:
                yield Problem(
                    subject=folder.identity,
                    message=f"src/{path.name} takes the place of the standard library's `{name}`, "
                    "for every distribution that imports it, too",
                    hint="give it another name, then run `invoke check`",
                )


def _top_level_modules(src: Path) -> Iterator[Path]:
    if not src.is_dir():
        return
    for path in sorted(src.iterdir()):
        # A folder without __init__.py is a namespace package, which the real one precedes.
        if path.suffix == ".py" or (path / "__init__.py").is_file():
            yield path

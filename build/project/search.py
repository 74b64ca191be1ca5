"""Where Pythons may be: light to import, for what asks whether anything changed there."""

import os
from pathlib import Path


def searched() -> tuple[Path, ...]:
    """Return the folders that `interpreters.interpreter_of` looks into: when one changes, its answer may."""
    on_path = (Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry)
    versions = [root / "versions" for root in pyenv_roots()]
    installed = (version for root in versions if root.is_dir() for version in root.iterdir())
    return tuple(dict.fromkeys([*on_path, *versions, *installed]))


def pyenv_roots() -> tuple[Path, ...]:
    """Return where pyenv may be: where it says, in the home folder, beside its shims on PATH."""
    said = os.environ.get("PYENV_ROOT")
    on_path = (Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry)
    shims = [entry.parent for entry in on_path if entry.name == "shims"]
    return tuple(dict.fromkeys([*([Path(said)] if said else []), Path.home() / ".pyenv", *shims]))

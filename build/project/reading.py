"""Read every settings file of the repository, and list what is wrong with any of them.

Importing this module imports pydantic: do so inside functions.
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from build.options import DOCKERFILE
from build.project import problems, settings
from build.project.naming import layer_name_problem
from build.project.settings import FunctionTable, LayerTable, SlipwayTable
from build.rules.words import kebab_problem

SETTINGS = "slipway.toml"
FUNCTIONS = "functions"
LAYERS = "layers"

_AT = re.compile(r"(?P<what>.*) \(at (?P<place>line \d+, column \d+|end of document)\)", re.DOTALL)

_Table = TypeVar("_Table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The settings files that are in order, as they stand: no defaults, nothing merged."""

    slipway: SlipwayTable | None
    functions: Mapping[str, FunctionTable]
    """By folder name, sorted."""
    layers: Mapping[str, LayerTable]
    """By folder name, sorted."""
    layer_folders: tuple[str, ...]
    """Every folder under layers/, also one whose layer.toml is not in order."""


def read(root: Path) -> tuple[Repository, list[str]]:
    """Read slipway.toml and each function.toml and layer.toml below ``root``.

    Returns what is in order, and a line for each problem.
    """
    found: list[str] = []
    function_folders = _folders(root / FUNCTIONS, "function.toml", found)
    found += [
        f"{FUNCTIONS}/{name}: no src/ folder; everything that ships stands there"
        for name in function_folders
        if not ((root / FUNCTIONS / name / "src").is_dir() or (root / FUNCTIONS / name / DOCKERFILE).is_file())
    ]
    layer_folders = _folders(root / LAYERS, "layer.toml", found)
    repository = Repository(
        slipway=_table(root, SETTINGS, settings.SLIPWAY, found),
        functions=_tables(root, f"{FUNCTIONS}/{{}}/function.toml", function_folders, settings.FUNCTION, found),
        layers=_tables(root, f"{LAYERS}/{{}}/layer.toml", layer_folders, settings.LAYER, found),
        layer_folders=layer_folders,
    )
    return repository, found


def _folders(parent: Path, settings_file: str, found: list[str]) -> tuple[str, ...]:
    """Return the names of the folders in ``parent`` that are functions or layers, sorted."""
    if not parent.is_dir():
        return ()
    name_problem: Callable[[str], str | None] = layer_name_problem if parent.name == LAYERS else kebab_problem
    names = []
    for entry in sorted(os.scandir(parent), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.name == "__pycache__" or not entry.is_dir():
            continue
        if (parent / entry.name / settings_file).exists():
            names.append(entry.name)
            problem = name_problem(entry.name)
            if problem:
                found.append(f"{parent.name}/{entry.name}: folder name: {problem}")
        elif not _is_left_over(Path(entry.path)):
            found.append(f"{parent.name}/{entry.name}: no {settings_file}; write one, or move the folder away")
    return tuple(names)


def _is_left_over(folder: Path) -> bool:
    """Say whether only bytecode and hidden files are left, as git leaves a folder of another branch."""
    for _, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        if any(not name.startswith(".") for name in files):
            return False
    return True


def _tables(
    root: Path, file: str, names: tuple[str, ...], adapter: TypeAdapter[_Table], found: list[str]
) -> dict[str, _Table]:
    tables = ((name, _table(root, file.format(name), adapter, found)) for name in names)
    return {name: table for name, table in tables if table is not None}


def _table(root: Path, file: str, adapter: TypeAdapter[_Table], found: list[str]) -> _Table | None:
    try:
        # utf-8-sig: some editors on Windows begin a file with a byte order mark, which tomllib refuses.
        raw = tomllib.loads((root / file).read_bytes().decode("utf-8-sig"))
        return adapter.validate_python(raw)
    except FileNotFoundError:
        found.append(f"{file}: missing")
    except OSError as reason:
        found.append(f"{file}: cannot be read: {reason.strerror}")
    except UnicodeDecodeError as reason:
        found.append(f"{file}: expected UTF-8, got byte 0x{reason.object[reason.start]:02x} at {reason.start}")
    except tomllib.TOMLDecodeError as reason:
        found.append(f"{file}: {_syntax(str(reason))}")
    except ValidationError as reason:
        found.extend(problems.lines(file, reason, _schema_of(adapter)))
    return None


@cache
def _schema_of(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    return adapter.json_schema()


def _syntax(message: str) -> str:
    at = _AT.fullmatch(message)
    return f"{at['place']}: {at['what']}" if at else message

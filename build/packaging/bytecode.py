"""Bytecode that is valid on arrival: hash-based ``.pyc`` made by the runtime's own minor version.

A ``.pyc`` that carries a time is stale as soon as a zip gives every file the same date, and Python then
compiles anew at each cold start. One that is trusted unchecked loads at once: pandas 0.31 s instead of
1.22 s. A folder's own source is checked, so that a hot fix in the AWS console takes effect. Paths inside
are those on Lambda, so the bytes do not tell where they were made.
"""

import json
import marshal
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from build import process
from build.digest import Digest
from build.model import Runtime, Wheel
from build.packaging.compiler import ANY_PYTHON
from build.packaging.sources import SourceFile, pack
from build.project.interpreters import interpreter_of, release_of
from build.store.objects import Store
from build.zips.archives import write_archive
from build.zips.spill import Spill
from build.zips.trees import DEFLATED, Entry, Tree, merge

FORMAT = 5
"""Of bytecode and artifacts, part of their keys. Raise it when the same inputs shall give other bytes."""

_File = TypeVar("_File", Entry, SourceFile)
_COMPILER = Path(__file__).with_name("compiler.py")


def wheel_key(wheel: Wheel, tree: Tree, runtime: Runtime, mount: str) -> Digest:
    """Return the key of what `compile_wheel` makes."""
    chosen = Digest.of_bytes("\n".join(entry.path for entry in _modules(tree)).encode())
    return Digest.of_bytes(f"{FORMAT} {wheel.digest} {chosen} {release_of(runtime)} {mount}".encode())


def source_key(files: Iterable[SourceFile], runtime: Runtime, mount: str) -> Digest:
    """Return the key of what `compile_source` makes."""
    told = [[file.path, file.digest.hex] for file in _modules(files)]
    return Digest.of_bytes(json.dumps([FORMAT, "checked", release_of(runtime), mount, told]).encode())


def compile_wheel(wheel: Wheel, tree: Tree, runtime: Runtime, mount: str, store: Store) -> Path:
    """Return an overlay zip in ``store`` with unchecked bytecode of the modules in ``tree``, what ships of ``wheel``.

    ``mount`` is where Lambda will have them. What does not compile is passed over, as pip does: wheels
    ship templates and test data for other Pythons.
    """
    final = store.bytecode(wheel_key(wheel, tree, runtime, mount))
    if not store.bring(final):
        _compile(_modules(tree), runtime, mount, store, final, owner=wheel.name, checked=False)
    return final


def compile_source(
    files: Iterable[SourceFile], runtime: Runtime, mount: str, store: Store, *, owner: str
) -> tuple[Path | None, Mapping[str, str]]:
    """Return an overlay with checked bytecode of the modules among ``files``, and path → reason of failures.

    The overlay is None where there is no module, or where one does not compile.
    """
    modules = _modules(files)
    if not modules:
        return None, {}
    final = store.bytecode(source_key(modules, runtime, mount))
    if store.bring(final):
        return final, {}
    with store.scratch() as folder, Spill(folder / "spill") as spill:
        tree = pack(modules, spill, owner=owner)
        spill.close()
        failed = _compile(tree, runtime, mount, store, final, owner=owner, checked=True)
    return (None if failed else final), failed


def _modules(files: Iterable[_File]) -> list[_File]:
    return [file for file in files if file.path.endswith(".py")]


def _compile(
    modules: Iterable[Entry],
    runtime: Runtime,
    mount: str,
    store: Store,
    final: Path,
    *,
    owner: str,
    checked: bool,
) -> Mapping[str, str]:
    """Keep the overlay of ``modules`` at ``final``, unless own source does not compile; return path → reason."""
    wanted = [(e.path, str(e.source), e.offset, e.compressed_bytes, e.method == DEFLATED) for e in modules]
    # Not -I or -E, which ignore PYTHONHASHSEED: before 3.11 a set in a constant is written in the order of its hashes.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with store.scratch() as folder:
        made, overlay = folder / "made", folder / "overlay.zip"
        made.mkdir()
        (made / "order").write_bytes(marshal.dumps((mount, checked, wanted), ANY_PYTHON))
        argv = [str(interpreter_of(runtime)), "-s", "-S", str(_COMPILER), str(made)]
        process.checked(
            process.run(argv, env={**env, "PYTHONHASHSEED": "0"}),
            doing=f"compiling {owner} for {runtime}",
            hint="run `invoke doctor` to check the interpreters",
        )
        index: tuple[dict[str, str], dict[str, str]] = marshal.loads((made / "index").read_bytes())  # noqa: S302 (ours)
        compiled, failed = index
        if checked and failed:
            return failed
        with Spill(folder / "spill") as spill:
            tree = merge(spill.add(path, (made / name).read_bytes(), owner=owner) for path, name in compiled.items())
        write_archive(tree, (), overlay)
        store.keep(overlay, final)
    return {}

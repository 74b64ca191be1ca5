"""Bytecode that is valid on arrival: hash-based ``.pyc`` made by the runtime's own minor version.

A ``.pyc`` that carries a time is stale as soon as a zip gives every file the same date, and Python then
compiles anew at each cold start. One that is trusted unchecked loads at once: pandas 0.31 s instead of
1.22 s. A folder's own source is checked, so that a hot fix in the AWS console takes effect. Paths inside
are those on Lambda, so the bytes do not tell where they were made.
"""

import json
import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from build import process
from build.digest import Digest
from build.model import Runtime, Wheel
from build.packaging.archives import write_archive
from build.packaging.trees import SourceFile, Tree, entry_of, merge
from build.packaging.wheels import installed_path, read_members
from build.project.interpreters import interpreter_of, release_of
from build.store.objects import FORMAT, Store, untouched

_COMPILER = Path(__file__).with_name("compiler.py")


def bytecode_key(wheel: Wheel, runtime: Runtime, mount: str) -> Digest:
    """Return the key of the bytecode of ``wheel`` for ``runtime``, mounted at ``mount`` (``/var/task``)."""
    return Digest.of_bytes(f"{FORMAT} {wheel.digest} {release_of(runtime)} {mount}".encode())


def compile_wheel(wheel: Wheel, runtime: Runtime, mount: str, store: Store) -> Path:
    """Return an overlay zip in ``store`` with unchecked bytecode of every module of ``wheel``.

    What does not compile is passed over, as pip does: wheels ship templates and test data for other Pythons.
    """
    final = store.bytecode(bytecode_key(wheel, runtime, mount))
    if untouched(final):
        return final
    with store.scratch() as folder:
        tree, _ = _compile(wheel.path, _modules(wheel), runtime, mount, folder, owner=wheel.name, checked=False)
        overlay = folder / "overlay.zip"
        write_archive(tree, overlay)
        return store.keep(overlay, final)


def compile_source(
    files: Iterable[SourceFile], runtime: Runtime, mount: str, store: Store, *, owner: str
) -> tuple[Tree, Mapping[str, str]]:
    """Return checked bytecode of the modules among ``files``, and path → reason of those that do not compile."""
    modules = [file for file in files if file.path.endswith(".py")]
    if not modules:
        return (), {}
    with store.scratch() as folder:
        source = folder / "source"
        for module in modules:
            place = source / module.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(module.data)
        places = {module.path: module.path for module in modules}
        return _compile(source, places, runtime, mount, folder, owner=owner, checked=True)


def read_overlay(path: Path, *, owner: str) -> Tree:
    """Return what the overlay zip at ``path`` adds."""
    return tuple(read_members(path, owner=owner))


def _modules(wheel: Wheel) -> Mapping[str, str]:
    """Return member name → installed path of the wheel's modules."""
    with zipfile.ZipFile(wheel.path) as archive:
        places = {name: installed_path(name) for name in archive.namelist() if name.endswith(".py")}
    return {name: place for name, place in places.items() if place}


def _compile(
    source: Path, modules: Mapping[str, str], runtime: Runtime, mount: str, folder: Path, *, owner: str, checked: bool
) -> tuple[Tree, Mapping[str, str]]:
    """Return the bytecode, and path → reason of what did not compile."""
    order = {"source": str(source), "modules": dict(sorted(modules.items())), "mount": mount, "checked": checked}
    out = folder / "made"
    out.mkdir()
    # Not -I or -E, which ignore PYTHONHASHSEED: before 3.11 a set in a constant is written in the order of its hashes.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    argv = [str(interpreter_of(runtime)), "-s", "-S", str(_COMPILER), str(out)]
    process.checked(
        process.run(argv, stdin=json.dumps(order), env={**env, "PYTHONHASHSEED": "0"}),
        doing=f"compiling {owner} for {runtime}",
        hint="run `invoke doctor` to check the interpreters",
    )
    index: dict[str, dict[str, str]] = json.loads((out / "index.json").read_text(encoding="utf-8"))
    tree = merge(
        entry_of(path, (out / name).read_bytes(), executable=False, owner=owner) for path, name in index["made"].items()
    )
    return tree, index["failed"]

"""Bytecode that is valid on arrival: unchecked-hash ``.pyc`` made by the runtime's own minor version.

A ``.pyc`` that carries a time is stale as soon as a zip gives every file the same date, and Python then
compiles anew at each cold start. One that is trusted unchecked loads at once: pandas 0.31 s instead of
1.22 s. Paths inside are those on Lambda, so the bytes do not tell where they were made.
"""

import json
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from build import process
from build.digest import Digest
from build.errors import InputError
from build.model import Runtime, Wheel
from build.packaging.archives import write_archive
from build.packaging.store import Store
from build.packaging.trees import SourceFile, Tree, entry_of, merge
from build.packaging.wheels import installed_path, read_members
from build.project.interpreters import interpreter_of

_COMPILER = Path(__file__).with_name("compiler.py")
_FORMAT = 1
"""Raise it when the same input shall give other bytecode."""


def bytecode_key(wheel: Wheel, runtime: Runtime, mount: str) -> Digest:
    """Return the key of the bytecode of ``wheel`` for ``runtime``, mounted at ``mount`` (``/var/task``)."""
    return Digest.of_bytes(f"{_FORMAT} {wheel.digest} {runtime} {mount}".encode())


def compile_wheel(wheel: Wheel, runtime: Runtime, mount: str, store: Store) -> Path:
    """Return an overlay zip in ``store`` with the bytecode of every module of ``wheel``.

    What does not compile is passed over, as pip does: wheels ship templates and test data for other Pythons.
    """
    final = store.bytecode(bytecode_key(wheel, runtime, mount))
    if final.exists():
        return final
    with store.scratch() as folder:
        tree, _ = _compile(wheel.path, _modules(wheel), runtime, mount, folder, owner=wheel.name)
        overlay = folder / "overlay.zip"
        write_archive(tree, overlay)
        return store.keep(overlay, final)


def compile_source(files: Iterable[SourceFile], runtime: Runtime, mount: str, store: Store, *, owner: str) -> Tree:
    """Return the bytecode of the modules among ``files``; raise InputError with all that do not compile."""
    modules = [file for file in files if file.path.endswith(".py")]
    if not modules:
        return ()
    with store.scratch() as folder:
        source = folder / "source"
        for module in modules:
            place = source / module.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(module.data)
        tree, failed = _compile(source, {m.path: m.path for m in modules}, runtime, mount, folder, owner=owner)
    if failed:
        raise InputError(
            f"{owner} does not compile for {runtime}",
            facts=[f"{owner}/src/{path}: {reason}" for path, reason in failed.items()],
            hint="mend what is listed, then run `invoke build`",
        )
    return tree


def read_overlay(path: Path, *, owner: str) -> Tree:
    """Return what the overlay zip at ``path`` adds."""
    return tuple(read_members(path, owner=owner))


def _modules(wheel: Wheel) -> Mapping[str, str]:
    """Return member name → installed path of the wheel's modules."""
    with zipfile.ZipFile(wheel.path) as archive:
        places = {name: installed_path(name) for name in archive.namelist() if name.endswith(".py")}
    return {name: place for name, place in places.items() if place}


def _compile(
    source: Path, modules: Mapping[str, str], runtime: Runtime, mount: str, folder: Path, *, owner: str
) -> tuple[Tree, Mapping[str, str]]:
    """Return the bytecode, and path → reason of what did not compile."""
    order = json.dumps({"source": str(source), "modules": dict(sorted(modules.items())), "mount": mount})
    out = folder / "made"
    out.mkdir()
    process.checked(
        process.run([str(interpreter_of(runtime)), "-I", "-S", str(_COMPILER), str(out)], stdin=order),
        doing=f"compiling {owner} for {runtime}",
        hint="run `invoke doctor` to check the interpreters",
    )
    index: dict[str, dict[str, str]] = json.loads((out / "index.json").read_text(encoding="utf-8"))
    tree = merge(
        entry_of(path, (out / name).read_bytes(), executable=False, owner=owner) for path, name in index["made"].items()
    )
    return tree, index["failed"]

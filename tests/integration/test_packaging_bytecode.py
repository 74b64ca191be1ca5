"""Bytecode by the interpreters of every runtime."""

import zipfile

import pytest

from build.model import Architecture, Runtime
from build.packaging.bytecode import compile_wheel
from build.packaging.ingredients import entries_of
from build.store.objects import Store
from build.zips.directory import read_directory
from tests.builders import lock_line, make_wheel, make_workspace
from tests.unit.test_packaging_assemble import built, layer, names

pytestmark = pytest.mark.slow


def tree_of(wheel):
    return entries_of(read_directory(wheel.path), wheel.path, wheel.name)


@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_every_runtimes_own_python_makes_the_same_bytes_twice(tmp_path, minor, monkeypatch):
    # Before 3.11 sets are written in the order of their hashes; that of None is its address, and nothing can fix it.
    some = "'a', 'b', 'c', 'd'" if minor == 10 else "'a', 'b', 'c', 'd', None"
    files = {
        f"demo/m{i}.py": f"class C:\n    x: int = {i}\n    def f(self):\n        return self.x in {{{some}, {i}}}\n"
        for i in range(20)
    }
    made = []
    for store, seed in (("s1", "1"), ("s2", "2")):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        wheel = make_wheel(tmp_path / store, "demo", files=files)
        at = Store(tmp_path / store / "store")
        made.append(compile_wheel(wheel, tree_of(wheel), Runtime(minor), "/var/task", at).read_bytes())
    assert made[0] == made[1]


def test_a_layer_of_several_runtimes_keeps_them_apart(tmp_path, package_index):
    pure = make_wheel(package_index, "pure")
    data = layer(
        tmp_path,
        files={"requirements.txt": lock_line(pure), "src/shared.py": "x = 1\n"},
        runtimes=(Runtime(12), Runtime(13)),
        architectures=(Architecture.X86_64,),
    )
    artifact = built(make_workspace(tmp_path, layers=(data,))).layers["data", Architecture.X86_64]
    assert names(artifact) == {
        "python/shared.py",
        "python/lib/python3.12/site-packages/pure/__init__.py",
        "python/lib/python3.13/site-packages/pure/__init__.py",
    }
    with zipfile.ZipFile(artifact.path) as archive:
        assert {f"python/__pycache__/shared.cpython-3{m}.pyc" for m in (12, 13)} <= set(archive.namelist())

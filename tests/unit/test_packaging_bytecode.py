import importlib.util
import struct
import subprocess
import sys
import zipfile

from build.model import Runtime
from build.packaging import bytecode
from build.packaging.bytecode import compile_source, compile_wheel
from build.packaging.ingredients import entries_of
from build.packaging.sources import read_source
from build.store.objects import Store
from build.zips.directory import read_directory
from tests.builders import make_wheel, write_files

HERE = Runtime(sys.version_info.minor)
TAG = sys.implementation.cache_tag


def overlay_of(tmp_path, wheel, mount="/var/task", store="store"):
    return compile_wheel(wheel, tree_of(wheel), HERE, mount, Store(tmp_path / store))


def tree_of(wheel):
    return entries_of(read_directory(wheel.path), wheel.path, wheel.name)


def source_of(tmp_path, files):
    return read_source(write_files(tmp_path / "src", files), tmp_path)


def test_every_module_has_bytecode_that_python_trusts_unchecked(tmp_path):
    wheel = make_wheel(tmp_path, "demo", files={"demo/__init__.py": "x = 41 + 1\n", "demo/sub/mod.py": "y = 2\n"})
    with zipfile.ZipFile(overlay_of(tmp_path, wheel)) as overlay:
        assert overlay.namelist() == [f"demo/__pycache__/__init__.{TAG}.pyc", f"demo/sub/__pycache__/mod.{TAG}.pyc"]
        data = overlay.read(f"demo/__pycache__/__init__.{TAG}.pyc")
    magic, flags = data[:4], struct.unpack("<L", data[4:8])[0]
    assert magic == importlib.util.MAGIC_NUMBER
    assert flags == 0b01, "hash-based, and never checked against the source"
    assert data[8:16] == importlib.util.source_hash(b"x = 41 + 1\n")


def test_paths_inside_are_those_on_lambda(tmp_path):
    wheel = make_wheel(tmp_path, "demo")
    with zipfile.ZipFile(overlay_of(tmp_path, wheel, "/opt/python")) as overlay:
        data = overlay.read(overlay.namelist()[0])
    assert b"/opt/python/demo/__init__.py" in data
    assert str(tmp_path).encode() not in data


def test_two_folders_give_the_same_bytes(tmp_path):
    files = {
        f"demo/m{i}.py": f"import os\nNAME = 'm{i}'\ndef f(a, b={i}):\n    return os.sep, NAME, a, b\n"
        for i in range(30)
    }
    one = overlay_of(tmp_path, make_wheel(tmp_path / "one", "demo", files=files), store="s1").read_bytes()
    two = overlay_of(tmp_path, make_wheel(tmp_path / "two", "demo", files=files), store="s2").read_bytes()
    assert one == two


def test_python_imports_it_without_compiling(tmp_path):
    """The source is replaced by another: Python must still run the bytecode, which is what unchecked means."""
    wheel = make_wheel(tmp_path, "demo", files={"demo.py": "VALUE = 'bytecode'\n"})
    with zipfile.ZipFile(overlay_of(tmp_path, wheel)) as overlay:
        overlay.extractall(tmp_path / "task")
    (tmp_path / "task" / "demo.py").write_text("VALUE = 'source'\n")
    run = [sys.executable, "-B", "-c", "import demo; print(demo.VALUE)"]
    assert subprocess.run(run, cwd=tmp_path / "task", capture_output=True, text=True, check=True).stdout == "bytecode\n"


def test_what_does_not_compile_is_passed_over(tmp_path):
    wheel = make_wheel(
        tmp_path, "demo", files={"demo/ok.py": "x = 1\n", "demo/template.py": "{{ not python }}\nprint 1\n"}
    )
    with zipfile.ZipFile(overlay_of(tmp_path, wheel)) as overlay:
        assert overlay.namelist() == [f"demo/__pycache__/ok.{TAG}.pyc"]


def test_a_wheel_without_modules_gives_an_empty_overlay(tmp_path):
    wheel = make_wheel(tmp_path, "demo", files={"demo.txt": "x"})
    assert read_directory(overlay_of(tmp_path, wheel)) == ()


def test_it_is_made_once(tmp_path):
    wheel = make_wheel(tmp_path, "demo")
    first = overlay_of(tmp_path, wheel)
    before = first.stat().st_mtime_ns
    assert overlay_of(tmp_path, wheel).stat().st_mtime_ns == before


def test_a_damaged_overlay_is_made_anew(tmp_path):
    wheel = make_wheel(tmp_path, "demo")
    first = overlay_of(tmp_path, wheel)
    right = first.read_bytes()
    first.write_bytes(right[:-5])
    assert overlay_of(tmp_path, wheel).read_bytes() == right


def test_a_functions_own_source_is_compiled_too(tmp_path):
    files = source_of(tmp_path, {"app.py": "x = 1\n", "data.json": "{}"})
    overlay, failed = compile_source(files, HERE, "/var/task", Store(tmp_path / "store"), owner="functions/x")
    assert overlay is not None
    assert not failed
    assert [member.name for member in read_directory(overlay)] == [f"__pycache__/app.{TAG}.pyc"]


def test_own_source_that_does_not_compile_is_told_and_leaves_nothing(tmp_path):
    files = source_of(tmp_path, {"app.py": "x = 1\n", "bad.py": "def f(:\n"})
    overlay, failed = compile_source(files, HERE, "/var/task", Store(tmp_path / "store"), owner="functions/x")
    assert (overlay, list(failed)) == (None, ["bad.py"])
    assert not (tmp_path / "store/bytecode").exists()


def test_a_hot_fix_of_a_functions_own_source_takes_effect(tmp_path):
    """As in the AWS console: the source is replaced, the bytecode beside it stays."""
    files = source_of(tmp_path, {"app.py": "VALUE = 'shipped'\n"})
    overlay, _ = compile_source(files, HERE, "/var/task", Store(tmp_path / "store"), owner="functions/x")
    assert overlay is not None
    with zipfile.ZipFile(overlay) as archive:
        archive.extractall(tmp_path / "task")
    (tmp_path / "task" / "app.py").write_text("VALUE = 'fixed'\n")
    run = [sys.executable, "-B", "-c", "import app; print(app.VALUE)"]
    assert subprocess.run(run, cwd=tmp_path / "task", capture_output=True, text=True, check=True).stdout == "fixed\n"


def test_another_patch_release_makes_other_bytecode(tmp_path, monkeypatch):
    wheel, places = make_wheel(tmp_path, "demo"), set()
    for release in ("3.13.0", "3.13.1"):
        monkeypatch.setattr(bytecode, "release_of", lambda _, release=release: release)
        places.add(overlay_of(tmp_path, wheel))
    assert len(places) == 2

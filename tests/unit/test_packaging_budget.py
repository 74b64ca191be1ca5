import pytest

from build.packaging.budget import imports_in, rooms, thinned
from build.zips.spill import Spill
from build.zips.trees import merge


def tree_of(tmp_path, files):
    with Spill(tmp_path / "spill") as spill:
        return merge(spill.add(path, text.encode(), owner="x") for path, text in files.items())


def compiled(tree):
    return {entry.path for entry in tree if entry.path.endswith(".pyc")}


def pyc(*modules, size=100):
    return {
        f"{'/'.join(m.split('/')[:-1])}/__pycache__/{m.split('/')[-1]}.cpython-313.pyc".lstrip("/"): "b" * size
        for m in modules
    }


@pytest.mark.parametrize(
    ("whole", "left"),
    [
        ({"f": (90, 20)}, {}),
        ({"f": (110, 20)}, {"f": 10}),
        ({"f": (60, 20), "l": (70, 30)}, {"f": 0, "l": 20}),
        ({"f": (130, 20)}, {}),
    ],
    ids=["fits", "function gives way", "then its layers", "too large in any case"],
)
def test_bytecode_gives_way_where_not_all_fits(whole, left):
    assert rooms(100, whole) == left


def test_what_the_handler_imports_ships_compiled_first(tmp_path):
    files = {
        "app.py": "import big.used\ndef handler(event, context):\n    import big.late\n",
        "big/__init__.py": "from . import core\n",
        "big/core.py": "",
        "big/used.py": "from big.deep import thing\n",
        "big/deep.py": "",
        "big/late.py": "",
        "big/a_never.py": "",
    }
    tree = tree_of(tmp_path, {**files, **pyc(*(path.removesuffix(".py") for path in files))})
    assert compiled(thinned(tree, 500, ["app"])) == set(pyc("app", "big/__init__", "big/core", "big/used", "big/deep"))
    assert compiled(thinned(tree, 700, ["app"])) == compiled(tree)
    assert compiled(thinned(tree, 99, ["app"])) == set()


def test_nothing_but_bytecode_is_ever_left_out(tmp_path):
    tree = tree_of(tmp_path, {"a.py": "", "data.bin": "x" * 500, "sourceless.pyc": "x", **pyc("a")})
    assert [entry.path for entry in thinned(tree, 0, [])] == ["a.py", "data.bin", "sourceless.pyc"]


def test_modules_of_layers_are_known_by_their_dotted_names(tmp_path):
    place = "python/lib/python3.13/site-packages"
    files = {f"{place}/pkg/__init__.py": "", f"{place}/other.py": "", "python/shared.py": ""}
    tree = tree_of(tmp_path, {**files, **pyc(f"{place}/pkg/__init__", f"{place}/other", "python/shared")})
    kept = compiled(thinned(tree, 200, ["shared", "pkg"]))
    assert kept == set(pyc(f"{place}/pkg/__init__", "python/shared"))


def test_a_layer_of_two_runtimes_keeps_within_its_room_and_favours_neither(tmp_path):
    files = {f"python/lib/python3.{m}/site-packages/{n}.py": "" for m in (12, 13) for n in ("other", "wanted")}
    bytecode = {
        f"python/lib/python3.{m}/site-packages/__pycache__/{n}.cpython-3{m}.pyc": "b" * 100
        for m in (12, 13)
        for n in ("other", "wanted")
    }
    shared = {"python/own.py": "", **{f"python/__pycache__/own.cpython-3{m}.pyc": "b" * 100 for m in (12, 13)}}
    tree = tree_of(tmp_path, {**files, **bytecode, **shared})
    assert compiled(thinned(tree, 200, ["wanted"])) == {path for path in bytecode if "wanted" in path}
    for room in (0, 100, 300, 600):
        kept = [entry for entry in thinned(tree, room, []) if entry.path.endswith(".pyc")]
        assert sum(entry.size_bytes for entry in kept) == room


def test_imports_are_those_that_run_on_import():
    source = b"""
import a.b, c
from . import sibling
from ..up import x
try:
    from d import e
except ImportError:
    import f
class K:
    import g
def later():
    import never
"""
    assert list(imports_in(source, "pkg.sub.mod", is_package=False)) == [
        *("a.b", "c", "pkg.sub", "pkg.sub.sibling", "pkg.up", "pkg.up.x", "d", "d.e", "f", "g")
    ]
    assert list(imports_in(b"from . import x\n", "pkg", is_package=True)) == ["pkg", "pkg.x"]
    assert list(imports_in(b"def (", "pkg", is_package=True)) == []

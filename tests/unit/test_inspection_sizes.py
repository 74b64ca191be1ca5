"""What takes the room, as a tree."""

import pytest

from build.inspection.contents import read_contents
from build.inspection.sizes import OWN_SOURCE, shown_bytes, size_tree, sizes_of
from build.rules.quotas import UNZIPPED_BYTES
from tests.artifacts import make_artifact
from tests.builders import make_wheel


def tree_of(artifact, inside=()):
    return size_tree(artifact.identity, read_contents(artifact.path), inside)


def by_name(node):
    return {child.name: child for child in node.children}


def test_distributions_stand_the_largest_first_beside_the_own_source(tmp_path):
    small = make_wheel(tmp_path, "small")
    large = make_wheel(tmp_path, "large", "2.0", files={"large.py": "x" * 9000})
    artifact = make_artifact(tmp_path / "a.zip", wheels=[small, large], src={"app.py": "y" * 4000})
    tree = tree_of(artifact)
    assert [(child.name, child.version) for child in tree.children] == [
        ("large", "2.0"),
        (OWN_SOURCE, ""),
        ("small", "1.0"),
    ]
    assert tree.size_bytes == artifact.unzipped_bytes == sum(child.size_bytes for child in tree.children)


def test_the_tree_tells_kinds_at_every_level(tmp_path):
    files = {"lib/fast.so": "x" * 5, "lib/a.py": "x" * 3, "lib/__pycache__/a.cpython-313.pyc": "x" * 7}
    wheel = make_wheel(tmp_path, "lib", files=files)
    (lib,) = tree_of(make_artifact(tmp_path / "a.zip", wheels=[wheel])).children
    assert (lib.kinds[".so"], lib.kinds[".py"], lib.kinds[".pyc"]) == (5, 3, 7)
    assert sum(lib.kinds.values()) == lib.size_bytes


def test_folders_begin_two_levels_deep_and_bytecode_stands_beside_its_module(tmp_path):
    files = {
        "lib/core/a.py": "aaaa",
        "lib/core/__pycache__/a.cpython-313.pyc": "aaa",
        "lib/core/deep/b.py": "bb",
        "lib/top.py": "t",
    }
    (lib,) = tree_of(make_artifact(tmp_path / "a.zip", wheels=[make_wheel(tmp_path, "lib", files=files)])).children
    assert set(by_name(lib)) == {"lib/core", "lib", "lib-1.0.dist-info"}
    core = by_name(lib)["lib/core"]
    assert [child.name for child in core.children] == ["a.py", "a.cpython-313.pyc", "deep"]
    assert [child.name for child in by_name(lib)["lib"].children] == ["top.py"]


def test_a_layer_goes_without_its_folder_and_stands_inside_its_function(tmp_path):
    data = make_artifact(
        tmp_path / "l.zip",
        "layers/data",
        wheels=[make_wheel(tmp_path, "lib", files={"lib/core/a.py": "aaaa"})],
        folder="python",
        src={"own.py": "x"},
        saved={"tests": 10},
    )
    orders = make_artifact(tmp_path / "f.zip", src={"app.py": "y"}, saved={"tests": 5, "stubs": 40})
    sizes = sizes_of(orders, [data], read_contents)
    layer = by_name(sizes.tree)["layers/data"]
    assert "lib/core" in by_name(by_name(layer)["lib"])
    assert [child.name for child in by_name(layer)[OWN_SOURCE].children] == ["own.py"]
    assert sizes.tree.size_bytes == orders.unzipped_bytes + data.unzipped_bytes
    assert sizes.share == sizes.tree.size_bytes / UNZIPPED_BYTES
    assert list(sizes.saved.items()) == [("stubs", 40), ("tests", 15)]


def test_a_layer_for_several_runtimes_tells_whose_distribution_it_is(tmp_path):
    folders = [f"python/lib/python3.{minor}/site-packages" for minor in (12, 13)]
    wheel = make_wheel(tmp_path, "lib", files={})
    parts = [make_artifact(tmp_path / f"{n}.zip", wheels=[wheel], folder=f) for n, f in enumerate(folders)]
    contents = [read_contents(part.path) for part in parts]
    both = type(contents[0])(
        files=contents[0].files + contents[1].files,
        distributions=contents[0].distributions + contents[1].distributions,
        size_bytes=1,
    )
    assert {child.name for child in size_tree("layers/data", both).children} == {
        "lib (python3.12)",
        "lib (python3.13)",
    }


def test_json_has_as_many_levels_as_are_asked_for(tmp_path):
    sizes = sizes_of(make_artifact(tmp_path / "a.zip", src={"pkg/app.py": "y" * 10}), [], read_contents)
    shallow, deep = sizes.to_json(1), sizes.to_json(2)
    assert shallow["unzipped_bytes"] == 10
    assert shallow["holds"] == [
        {"name": OWN_SOURCE, "unzipped_bytes": 10, "kinds": {".so": 0, ".py": 10, ".pyc": 0, "data": 0}}
    ]
    assert [row["name"] for row in deep["holds"][0]["holds"]] == ["pkg"]


def test_an_empty_artifact_has_an_empty_tree(tmp_path):
    tree = tree_of(make_artifact(tmp_path / "a.zip"))
    assert (tree.size_bytes, tree.children, sum(tree.kinds.values())) == (0, (), 0)


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (99_999, "100 kB"), (12_345_678, "12.3 MB")]
)
def test_bytes_are_shown_for_people(count, shown):
    assert shown_bytes(count) == shown

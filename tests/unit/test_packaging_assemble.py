import os
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from build.digest import Digest
from build.errors import InputError
from build.locking.locks import read_locks
from build.model import Architecture, Runtime, Target
from build.packaging import assemble, ingredients, recipes
from build.packaging.assemble import build_workspace
from build.packaging.sources import read_source
from build.store.objects import Store
from build.wheels.surveys import surveyed
from tests.builders import function_spec, layer_spec, lock_line, make_wheel, make_workspace, stock, write_files

HERE = Runtime(sys.version_info.minor)  # its interpreter is certainly there
X86, ARM = Target(HERE, Architecture.X86_64), Target(HERE, Architecture.ARM64)
CP = f"cp3{HERE.minor}"


def built(workspace, store=None):
    store = store or Store(workspace.root / "store")
    locks = read_locks(workspace)
    if "PIP_FIND_LINKS" in os.environ and not (store.root / "wheels").exists():
        stock(store, Path(os.environ["PIP_FIND_LINKS"]), workspace, locks)
    return build_workspace(workspace, locks, store, on_progress=lambda _: None)


def names(artifact):
    with zipfile.ZipFile(artifact.path) as archive:
        assert archive.testzip() is None
        return {name for name in archive.namelist() if "__pycache__" not in name and "dist-info" not in name}


def function(root, name="orders", *, files=None, layers=(), target=X86):
    folder = write_files(
        root / "functions" / name, {"src/app.py": "def handler(event, context): ...\n", **(files or {})}
    )
    return function_spec(folder, layers=layers, target=target)


def layer(root, name="data", *, files=None, **settings):
    return layer_spec(write_files(root / "layers" / name, files or {}), **{"runtimes": (HERE,), **settings})


def test_a_function_ships_its_source_its_wheels_and_their_bytecode(tmp_path, package_index):
    six = make_wheel(package_index, "six", "1.16.0", files={"six.py": "x = 1\n"})
    spec = function(
        tmp_path, files={"requirements.txt": lock_line(six), "tests/test_app.py": "", "events/a.json": "{}"}
    )
    artifact = built(make_workspace(tmp_path, functions=(spec,))).functions["orders"]
    assert names(artifact) == {"app.py", "six.py"}
    with zipfile.ZipFile(artifact.path) as archive:
        bytecode = [n for n in archive.namelist() if n.endswith(".pyc")]
        assert bytecode == [f"__pycache__/{m}.cpython-3{HERE.minor}.pyc" for m in ("six", "app")]
        assert artifact.unzipped_bytes == sum(info.file_size for info in archive.infolist())
    (six_row,) = artifact.distributions
    assert six_row.size_bytes + artifact.source_bytes == artifact.unzipped_bytes


def test_what_a_layer_holds_at_the_same_version_does_not_ship_twice(tmp_path, package_index):
    six = make_wheel(package_index, "six", "1.16.0", files={"six.py": ""})
    data = layer(tmp_path, files={"requirements.txt": lock_line(six), "src/shared.py": "x = 1\n"})
    spec = function(tmp_path, files={"requirements.txt": lock_line(six)}, layers=("data",))
    done = built(make_workspace(tmp_path, functions=(spec,), layers=(data,)))
    assert names(done.functions["orders"]) == {"app.py"}
    assert names(done.layers["data", Architecture.X86_64]) == {"python/six.py", "python/shared.py"}


def test_another_version_in_a_layer_is_an_error(tmp_path, package_index):
    old, new = make_wheel(package_index, "six", "1.16.0"), make_wheel(package_index, "six", "1.17.0")
    data = layer(tmp_path, files={"requirements.txt": lock_line(old)})
    spec = function(tmp_path, files={"requirements.txt": lock_line(new)}, layers=("data",))
    with pytest.raises(InputError, match="the locks do not fit") as caught:
        built(make_workspace(tmp_path, functions=(spec,), layers=(data,)))
    assert caught.value.facts == ("functions/orders: six is 1.16.0 in layers/data and 1.17.0 in functions/orders",)


def test_a_pure_layer_is_one_artifact_for_both_architectures(tmp_path, package_index):
    pure = make_wheel(package_index, "pure")
    done = built(make_workspace(tmp_path, layers=(layer(tmp_path, files={"requirements.txt": lock_line(pure)}),)))
    (artifact,) = done.artifacts
    assert (artifact.key, artifact.architectures) == ("data", (Architecture.X86_64, Architecture.ARM64))


def test_a_compiled_layer_is_one_artifact_per_architecture(tmp_path, package_index):
    wheels = [
        make_wheel(package_index, "fast", tag=f"{CP}-{CP}-manylinux2014_{m}", files={"fast.so": m})
        for m in ("x86_64", "aarch64")
    ]
    done = built(make_workspace(tmp_path, layers=(layer(tmp_path, files={"requirements.txt": lock_line(*wheels)}),)))
    assert [a.key for a in done.artifacts] == ["data-arm64", "data-x86-64"]


def test_a_second_build_changes_nothing_and_one_touched_line_only_its_function(tmp_path):
    one, two = function(tmp_path, "one"), function(tmp_path, "two")
    workspace = make_workspace(tmp_path, functions=(one, two))
    first = built(workspace)
    assert all(artifact.changed for artifact in first.artifacts)
    again = built(workspace)
    assert not any(artifact.changed for artifact in again.artifacts)
    write_files(one.folder, {"src/app.py": "def handler(event, context): return 1\n"})
    third = built(workspace)
    assert {name: artifact.changed for name, artifact in third.functions.items()} == {"one": True, "two": False}
    assert third.functions["two"].digest == first.functions["two"].digest


def test_two_checkouts_in_different_folders_give_equal_digests(tmp_path, package_index):
    six = make_wheel(package_index, "six", "1.16.0")
    digests = []
    for root in (tmp_path / "a", tmp_path / "deeper" / "b"):
        data = layer(root, files={"requirements.txt": lock_line(six)})
        spec = function(root, files={"requirements.txt": lock_line(six)})
        digests.append(
            [artifact.digest for artifact in built(make_workspace(root, functions=(spec,), layers=(data,))).artifacts]
        )
    assert digests[0] == digests[1]


def test_a_vanished_artifact_is_made_again(tmp_path):
    workspace = make_workspace(tmp_path, functions=(function(tmp_path),))
    first = built(workspace).functions["orders"]
    first.path.unlink()
    assert replace(built(workspace).functions["orders"], changed=True) == first


def test_an_artifact_that_something_wrote_to_is_made_anew(tmp_path):
    workspace = make_workspace(tmp_path, functions=(function(tmp_path),))
    first = built(workspace).functions["orders"]
    right = first.path.read_bytes()
    first.path.write_bytes(bytes(len(right)))
    again = built(workspace).functions["orders"]
    assert (again.changed, again.digest, again.path.read_bytes()) == (True, first.digest, right)


def test_notes_of_another_shape_are_forgotten(tmp_path, package_index):
    six = make_wheel(package_index, "six", "1.16.0")
    workspace = make_workspace(tmp_path, functions=(function(tmp_path, files={"requirements.txt": lock_line(six)}),))
    first = built(workspace).functions["orders"]
    notes = list((tmp_path / "store/notes").rglob("*.json"))
    assert {note.parent.name for note in notes} == {"archive", "resolved", "survey", "wheel"}
    for note in notes:
        note.write_text('{"digest": [[1]]}')
    assert built(workspace).functions["orders"].digest == first.digest


def test_another_patch_release_of_a_runtimes_python_is_another_recipe(tmp_path, monkeypatch):
    workspace = make_workspace(tmp_path, functions=(function(tmp_path),))
    assert [built(workspace).functions["orders"].changed for _ in range(2)] == [True, False]
    monkeypatch.setattr(recipes, "release_of", lambda _: "3.99.0")
    assert built(workspace).functions["orders"].changed


def test_modules_of_all_folders_that_do_not_compile_are_told_at_once(tmp_path):
    one = function(tmp_path, "one", files={"src/app.py": "def f(:\n", "src/pkg/b.py": "x = 1\nprint 1\n"})
    data = layer(tmp_path, files={"src/shared.py": "class\n"})
    with pytest.raises(InputError, match="does not compile") as caught:
        built(make_workspace(tmp_path, functions=(one,), layers=(data,)))
    assert [fact.split(": ")[:2] for fact in caught.value.facts] == [
        ["layers/data/src/shared.py", "line 1"],
        ["functions/one/src/app.py", "line 1"],
        ["functions/one/src/pkg/b.py", "line 2"],
    ]
    assert caught.value.facts[0].endswith(f"({HERE})")


def test_files_of_all_folders_that_cannot_ship_are_told_at_once(tmp_path):
    specs = tuple(function(tmp_path, name) for name in ("one", "two"))
    for spec in specs:
        (spec.folder / "src/gone.py").symlink_to("nowhere")
    with pytest.raises(InputError, match="cannot ship") as caught:
        built(make_workspace(tmp_path, functions=specs))
    assert [fact.split(":")[0] for fact in caught.value.facts] == [
        "functions/one/src/gone.py",
        "functions/two/src/gone.py",
    ]


def test_a_wheel_that_many_share_is_read_once(tmp_path, package_index, monkeypatch):
    six = make_wheel(package_index, "six", "1.16.0")
    files, seen = {"requirements.txt": lock_line(six)}, []
    specs = tuple(function(tmp_path, name, files={**files, "src/app.py": f"# {name}\n"}) for name in ("one", "two"))

    def noted(wheel, store):
        seen.append(wheel.digest)
        return surveyed(wheel, store)

    monkeypatch.setattr(ingredients, "surveyed", noted)
    built(make_workspace(tmp_path, functions=specs, layers=(layer(tmp_path, files=files),)))
    assert seen == [six.digest]


def test_functions_with_the_same_distributions_differ_only_behind_them(tmp_path, package_index):
    big = make_wheel(package_index, "big", files={"big/data.bin": os.urandom(2_000_000)})
    files = {"requirements.txt": lock_line(big)}
    specs = tuple(
        function(tmp_path, name, files={**files, "src/app.py": f"NAME = {name!r}\n"}) for name in ("one", "two")
    )
    made = built(make_workspace(tmp_path, functions=specs)).functions
    for name, artifact in made.items():
        assert Digest.of_file(artifact.path) == artifact.digest
        with zipfile.ZipFile(artifact.path) as archive:
            assert archive.testzip() is None
            assert archive.read("app.py").decode() == f"NAME = {name!r}\n"
    one, two = (made[name].path.read_bytes()[:2_000_000] for name in ("one", "two"))
    assert one == two


def test_what_no_function_needs_to_run_is_left_out_and_counted(tmp_path, package_index):
    shipped = {"fat/__init__.py": "", "fat/data.txt": ""}
    fat = make_wheel(
        package_index,
        "fat",
        files={**shipped, "fat/tests/test_x.py": "assert 1\n", "fat/x.pyi": "x: int\n", "fat/x.c": ""},
    )
    spec = function(tmp_path, files={"requirements.txt": lock_line(fat)})
    slim = built(make_workspace(tmp_path, functions=(spec,))).functions["orders"]
    assert names(slim) == {"app.py", *shipped}
    assert slim.saved == {"tests": len("assert 1\n"), "stubs": len("x: int\n")}
    kept = built(make_workspace(tmp_path, functions=(replace(spec, keep=("stubs", "tests")),))).functions["orders"]
    assert names(kept) == {"app.py", *shipped, "fat/tests/test_x.py", "fat/x.pyi"}


def test_data_in_a_folder_called_tests_ships(tmp_path, package_index):
    """As dbt has its generic tests: SQL, and no module beside it."""
    files = {"dbt/__init__.py": "", "dbt/include/tests/generic/builtin.sql": "select 1", "dbt/tests/test_x.py": ""}
    dbt = make_wheel(package_index, "dbt", files={**files, "dbt/tests/data.json": "{}"})
    spec = function(tmp_path, files={"requirements.txt": lock_line(dbt)})
    shipped = names(built(make_workspace(tmp_path, functions=(spec,))).functions["orders"])
    assert shipped == {"app.py", "dbt/__init__.py", "dbt/include/tests/generic/builtin.sql"}


def test_tests_that_a_distribution_itself_imports_ship(tmp_path, package_index):
    files = {"odd/__init__.py": "from odd.tests import tools\n", "odd/tests/__init__.py": "", "odd/tests/tools.py": ""}
    odd = make_wheel(package_index, "odd", files=files)
    spec = function(tmp_path, files={"requirements.txt": lock_line(odd)})
    assert names(built(make_workspace(tmp_path, functions=(spec,))).functions["orders"]) == {"app.py", *files}


def test_a_layers_source_is_read_once_for_both_architectures(tmp_path, monkeypatch):
    read = []

    def noted(folder, root):
        read.append(folder)
        return read_source(folder, root)

    monkeypatch.setattr(recipes, "read_source", noted)
    data = layer(tmp_path, files={"src/shared.py": "x = 1\n"})
    built(make_workspace(tmp_path, layers=(data,)))
    assert read == [data.folder / "src"]


def test_a_wheel_with_bytecode_of_its_own_ships_ours(tmp_path, package_index):
    stale = f"demo/__pycache__/__init__.{sys.implementation.cache_tag}.pyc"
    demo = make_wheel(package_index, "demo", files={"demo/__init__.py": "x = 1\n", stale: "stale"})
    spec = function(tmp_path, files={"requirements.txt": lock_line(demo)})
    with zipfile.ZipFile(built(make_workspace(tmp_path, functions=(spec,))).functions["orders"].path) as archive:
        assert archive.read(stale) != b"stale"


def test_a_source_file_that_clashes_with_a_wheel_is_an_error(tmp_path, package_index):
    clash = make_wheel(package_index, "clash", files={"app.py": "other\n"})
    spec = function(tmp_path, files={"requirements.txt": lock_line(clash)})
    with pytest.raises(InputError, match="two owners"):
        built(make_workspace(tmp_path, functions=(spec,)))


def test_bytecode_that_would_not_fit_stays_out_but_for_what_the_handler_imports_first(
    tmp_path, package_index, monkeypatch
):
    body = "".join(f"def f{i}(a, b=({i}, 'x')):\n    return a, b, {i}\n" for i in range(200))
    big = make_wheel(package_index, "big", files={f"big/{m}.py": body for m in ("__init__", "a_never", "used", "z")})
    spec = function(
        tmp_path,
        files={
            "requirements.txt": lock_line(big),
            "src/app.py": "import big.used\ndef handler(e, c): ...\n" + "# long enough to be compressed\n" * 9,
        },
    )
    workspace = make_workspace(tmp_path, functions=(spec,))
    whole = built(workspace).functions["orders"]
    quota = whole.unzipped_bytes - 1
    monkeypatch.setattr(assemble, "UNZIPPED_BYTES", quota)
    limited = built(workspace).functions["orders"]
    assert limited.unzipped_bytes <= quota
    assert limited.saved["bytecode"] == whole.bytecode_bytes - limited.bytecode_bytes > 0
    with zipfile.ZipFile(limited.path) as archive:
        compiled = {name.split("/")[-1].split(".")[0] for name in archive.namelist() if name.endswith(".pyc")}
    assert compiled == {"app", "__init__", "used", "a_never"}
    assert not built(workspace).functions["orders"].changed


def test_a_layer_gives_way_where_a_functions_own_bytecode_is_not_enough(tmp_path, package_index, monkeypatch):
    body = "".join(f"def f{i}(a):\n    return a, {i}\n" for i in range(200))
    big = make_wheel(package_index, "big", files={f"big/{m}.py": body for m in ("__init__", "other")})
    data = layer(tmp_path, files={"requirements.txt": lock_line(big)}, architectures=(Architecture.X86_64,))
    spec = function(tmp_path, files={"src/app.py": "import big\ndef handler(e, c): ...\n"}, layers=("data",))
    workspace = make_workspace(tmp_path, functions=(spec,), layers=(data,))
    whole = built(workspace)
    quota = sum(artifact.unzipped_bytes - artifact.bytecode_bytes for artifact in whole.artifacts) + 8_000
    monkeypatch.setattr(assemble, "UNZIPPED_BYTES", quota)
    made = built(workspace)
    assert sum(artifact.unzipped_bytes for artifact in made.artifacts) <= quota
    with zipfile.ZipFile(made.layers["data", Architecture.X86_64].path) as archive:
        compiled = [name for name in archive.namelist() if name.endswith(".pyc")]
    assert len(compiled) < 2

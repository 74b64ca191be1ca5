"""Functions that ship as images, from their folders to what is in each layer."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from build.image import Blob
from build.images.assembled import content_of, zips_of
from build.locking.locks import read_locks
from build.model import IMAGE, Build, FunctionSpec, Workspace
from build.packaging.assemble import build_workspace
from build.store.objects import Store
from tests.builders import lock_line, make_wheel, make_workspace, stock
from tests.unit.test_images_assembled import base
from tests.unit.test_images_layers import content
from tests.unit.test_packaging_assemble import function, layer


def image_of(spec: FunctionSpec) -> FunctionSpec:
    return replace(spec, package=IMAGE)


def built(workspace: Workspace, index: Path, store: Store) -> Build:
    locks = read_locks(workspace)
    stock(store, index, workspace, locks)
    return build_workspace(workspace, locks, store, on_progress=lambda _: None, base_of=lambda _: base())


def nobody(blob: Blob) -> Path:
    raise AssertionError(blob)


def files(build: Build, store: Store, name: str = "orders") -> list[set[str]]:
    """What is in each layer, without bytecode and metadata."""
    found = content_of(build.images[name], store, nobody)
    held = [content(found(each)) for each in build.images[name].image.layers]
    return [
        {
            path
            for path, data in each.items()
            if data is not None and not {"__pycache__", "six-1.0.dist-info"} & {*path.split("/")}
        }
        for each in held
    ]


def test_an_image_holds_layers_then_distributions_then_code(tmp_path, package_index):
    six, tea = (make_wheel(package_index, name, files={f"{name}.py": "x = 1\n"}) for name in ("six", "tea"))
    data = layer(tmp_path, files={"requirements.txt": lock_line(tea), "src/shared.py": "x = 1\n"})
    spec = image_of(function(tmp_path, files={"requirements.txt": lock_line(six)}, layers=("data",)))
    store = Store(tmp_path / "store")
    build = built(make_workspace(tmp_path, functions=(spec,), layers=(data,)), package_index, store)
    opt, dependencies, code = files(build, store)
    assert {"opt/python/tea.py", "opt/python/shared.py"} <= opt
    assert dependencies == {"var/task/six.py"}
    assert code == {"var/task/app.py"}
    assert build.images["orders"].image.settings["Cmd"] == ["app.handler"]


def test_a_function_that_is_no_image_has_none(tmp_path, package_index):
    build = built(make_workspace(tmp_path, functions=(function(tmp_path),)), package_index, Store(tmp_path / "store"))
    assert build.images == {}


def test_a_change_of_code_changes_the_last_layer_alone(tmp_path, package_index):
    six = make_wheel(package_index, "six", files={"six.py": "x = 1\n"})
    store, images = Store(tmp_path / "store"), []
    for text in ("def handler(e, c): ...\n", "def handler(e, c): return 1\n"):
        spec = image_of(function(tmp_path, files={"requirements.txt": lock_line(six), "src/app.py": text}))
        images.append(built(make_workspace(tmp_path, functions=(spec,)), package_index, store).images["orders"].image)
    before, after = images
    assert before.layers[:-1] == after.layers[:-1]
    assert before.layers[-1] != after.layers[-1]


def test_the_same_folder_elsewhere_gives_the_same_image(tmp_path, package_index):
    six = make_wheel(package_index, "six", files={"six.py": "x = 1\n"})
    digests = set()
    for place in ("here", "there"):
        root = tmp_path / place
        spec = image_of(function(root, files={"requirements.txt": lock_line(six)}))
        build = built(make_workspace(root, functions=(spec,)), package_index, Store(root / "store"))
        digests.add(build.images["orders"].image.digest)
    assert len(digests) == 1


def test_what_is_too_large_for_a_zip_keeps_its_bytecode_in_an_image(tmp_path, package_index, monkeypatch):
    monkeypatch.setattr("build.packaging.assemble.UNZIPPED_BYTES", 100)
    six = make_wheel(package_index, "six", files={"six.py": "x = 1\n" * 50})
    spec = image_of(function(tmp_path, files={"requirements.txt": lock_line(six)}))
    build = built(make_workspace(tmp_path, functions=(spec,)), package_index, Store(tmp_path / "store"))
    assert "bytecode" not in build.functions["orders"].saved
    assert build.functions["orders"].bytecode_bytes > 0


def test_the_content_of_a_layer_comes_from_the_store_is_made_again_or_is_pulled(tmp_path, package_index):
    six = make_wheel(package_index, "six", files={"six.py": "x = 1\n"})
    spec = image_of(function(tmp_path, files={"requirements.txt": lock_line(six)}))
    store = Store(tmp_path / "store")
    assembled = built(make_workspace(tmp_path, functions=(spec,)), package_index, store).images["orders"]
    found: Callable[[Blob], Path] = content_of(assembled, store, nobody)
    for layer_blob in assembled.image.layers:
        data = store.blob(layer_blob.digest).read_bytes()
        store.blob(layer_blob.digest).unlink()
        assert found(layer_blob).read_bytes() == data
    assert found(assembled.image.config_blob).read_bytes() == assembled.image.config


def test_what_an_image_was_made_of_is_known_by_its_digest_the_code_first_then_layers_in_their_order(
    tmp_path, package_index
):
    layers = tuple(layer(tmp_path, name, files={f"src/{name}.py": "x = 1\n"}) for name in ("below", "above"))
    spec = image_of(function(tmp_path, layers=("below", "above")))
    store = Store(tmp_path / "store")
    build = built(make_workspace(tmp_path, functions=(spec,), layers=layers), package_index, store)
    below, above = build.layers_of(spec)
    assert below.key.startswith("below")
    expected = (build.functions["orders"].digest, below.digest, above.digest)
    assert zips_of(build.images["orders"].image.digest, store) == expected
    assert zips_of(build.functions["orders"].digest, store) == ()

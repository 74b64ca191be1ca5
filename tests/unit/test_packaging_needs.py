import shutil
from dataclasses import replace

import pytest

from build.images.bases import Bases
from build.locking.locks import read_locks
from build.model import IMAGE
from build.packaging.assemble import build_workspace
from build.packaging.needs import needs
from build.rules.references import Reference
from build.store.objects import Store
from build.store.upkeep import contents, prune
from tests.builders import function_spec, layer_spec, lock_line, make_wheel, make_workspace, stock, write_files
from tests.tiny_images import layer, make_image
from tests.unit.test_images_dockerfile import calls, fake, function  # noqa: F401  # fixtures


@pytest.fixture
def workspace(tmp_path, package_index):
    one, two = make_wheel(package_index, "one"), make_wheel(package_index, "two")
    write_files(tmp_path / "functions" / "orders", {"src/app.py": "", "requirements.txt": lock_line(one)})
    write_files(tmp_path / "functions" / "stock", {"src/app.py": "X = 1", "requirements.txt": ""})
    write_files(tmp_path / "layers" / "data", {"requirements.txt": lock_line(two)})
    functions = tuple(function_spec(tmp_path / "functions" / name, layers=("data",)) for name in ("orders", "stock"))
    return make_workspace(tmp_path, functions=functions, layers=(layer_spec(tmp_path / "layers" / "data"),))


@pytest.fixture
def locks(workspace):
    return read_locks(workspace)


@pytest.fixture
def store(workspace, locks, tmp_path, package_index):
    """One that has made everything."""
    store = Store(tmp_path / "store")
    stock(store, package_index, workspace, locks)
    build_workspace(workspace, locks, store, on_progress=nobody)
    return store


def nobody(_):
    pass


def test_a_workspace_needs_everything_that_its_build_made_and_nothing_else(workspace, locks, store):
    made = {each.path for each in contents(store) if each.kind != "notes"}
    other = store.root / "artifacts" / f"{'0' * 64}.zip"
    other.write_bytes(b"of another branch")
    before = {each.path for each in contents(store)}
    needed = needs(workspace, locks, store, on_progress=nobody)
    assert made <= needed
    assert other not in needed
    assert {each.path for each in contents(store)} == before, "nothing is made to find that out"
    subjects = {path.parent.name for path in needed & before if path.suffix == ".json"}
    assert subjects >= {"archive", "resolved", "survey"}


def test_where_one_function_was_never_built_the_others_needs_are_known(workspace, locks, store):
    write_files(workspace.functions[1].folder, {"src/app.py": "X = 2"})
    needed = needs(workspace, locks, store, on_progress=nobody)
    artifacts = [each.path for each in contents(store) if each.kind == "artifacts"]
    assert len([path for path in artifacts if path in needed]) == len(artifacts) - 1


def test_an_empty_store_gives_nothing_and_stays_empty(workspace, locks, tmp_path):
    store = Store(tmp_path / "store")
    needs(workspace, locks, store, on_progress=nobody)
    assert list(contents(store)) == []
    shutil.rmtree(store.root, ignore_errors=True)


# ── images ────────────────────────────────────────────────────────────────────────────────────


class Shop:
    """A repository with images, whose functions are changed between builds."""

    def __init__(self, root, index):
        self.root, self.index, self.store = root, index, Store(root / "store")
        self.base = make_image(self.store, layer({"etc/os-release": "1"}))
        said = {"manifest": self.base.manifest.decode(), "config": self.base.config.decode()}
        self.store.remember("base", self.base.digest, said)
        self.pin = f"registry.example.invalid/base:1@{self.base.digest}"

    def bases(self, store):
        return lambda spec: Bases(store).image(Reference.parse(spec.base_image))

    def build(self, *functions):
        workspace = make_workspace(self.root, functions=functions)
        locks = read_locks(workspace)
        stock(self.store, self.index, workspace, locks)
        base_of = self.bases(self.store)
        return build_workspace(workspace, locks, self.store, on_progress=nobody, base_of=base_of).images

    def prune(self, *functions):
        """Return what is left where all is old."""
        workspace = make_workspace(self.root, functions=functions)
        needed = needs(workspace, read_locks(workspace), self.store, on_progress=nobody, bases=self.bases)
        prune(self.store, needed, keep_s=0, dry_run=False, on_wait=lambda: None, on_found=nobody)
        return self.held()

    def held(self):
        """Return what is there, without notes of how wheels came."""
        found = {each.path.relative_to(self.store.root).as_posix() for each in contents(self.store)}
        return {name for name in found if not name.startswith("notes/wheel/")}


@pytest.fixture
def shop(tmp_path, package_index):
    return Shop(tmp_path, package_index)


@pytest.fixture
def assembled(shop, package_index):
    """A function as an image on the base."""
    six = make_wheel(package_index, "six", files={"six.py": "x = 1\n"})
    write_files(shop.root / "functions/orders", {"src/app.py": "", "requirements.txt": lock_line(six)})
    return replace(function_spec(shop.root / "functions/orders"), package=IMAGE, base_image=shop.pin)


@pytest.fixture
def of_dockerfile(shop, fake):  # noqa: F811
    """A function whose Dockerfile stands on the base."""
    fake("buildah")
    return replace(function(shop.root, "ARG BASE\nFROM ${BASE}\n", name="native"), base_image=shop.pin)


def subjects(held):
    return {name.split("/")[1] for name in held if name.startswith("notes/")}


def test_what_an_image_is_assembled_of_stays_and_its_base_with_all_layers(shop, assembled):
    images = shop.build(assembled)
    before = shop.held()
    assert shop.prune(assembled) == before
    assert {f"blobs/{each.digest.hex}" for each in images["orders"].image.layers} <= before
    assert {"base", "image", "layer"} <= subjects(before)


def test_what_a_dockerfile_made_stays_so_that_no_tool_is_started(shop, of_dockerfile, tmp_path):
    images, asked = shop.build(of_dockerfile), calls(tmp_path)
    before = shop.held()
    assert shop.prune(of_dockerfile) == before
    assert {"base", "dated-layer", "dockerfile"} <= subjects(before)
    assert (shop.build(of_dockerfile), calls(tmp_path)) == (images, asked)


def test_images_of_functions_that_are_gone_go_with_their_bases(shop, assembled, of_dockerfile):
    shop.build(assembled, of_dockerfile)
    left = shop.prune()
    assert not [name for name in left if name.startswith("blobs/")]
    assert subjects(left).isdisjoint({"base", "dated-layer", "dockerfile", "image", "layer"})


def test_of_an_image_that_changed_since_it_was_built_its_base_stays(shop, of_dockerfile, tmp_path):
    (image,) = (made.image for made in shop.build(of_dockerfile).values())
    log = tmp_path / ".artifacts/logs/native.log"
    log.write_text("said")
    write_files(of_dockerfile.folder, {"src/app.py": "x = 2\n"})
    asked, left = calls(tmp_path), shop.prune(of_dockerfile)
    assert f"blobs/{shop.base.layers[0].digest.hex}" in left
    assert f"blobs/{image.layers[0].digest.hex}" not in left
    assert (calls(tmp_path), log.read_text()) == (asked, "said"), "nothing is built to find that out"


def test_what_a_store_lacks_is_not_made_to_find_out_what_is_needed(shop, assembled):
    shop.build(assembled)
    shutil.rmtree(shop.store.root / "notes/image")
    before = shop.held()
    assert shop.prune(assembled) == before

import os
from pathlib import Path

import pytest

from build.digest import Digest
from build.model import Architecture, Artifact, Build
from build.store.exposed import expose
from build.store.objects import Store
from tests.builders import make_workspace, write_files

X86, ARM = Architecture.X86_64, Architecture.ARM64


@pytest.fixture
def workspace(tmp_path):
    write_files(
        tmp_path,
        {
            "functions/orders/function.toml": "",
            "functions/greeting/function.toml": "",
            "layers/data/layer.toml": "",
        },
    )
    return make_workspace(tmp_path)


def artifact(workspace, key, content=b"zip", *, kind="functions", architectures=(X86,)):
    store = Store(workspace.generated / "store")
    with store.scratch() as folder:
        (folder / "draft").write_bytes(content)
        path = store.keep(folder / "draft", store.artifact(Digest.of_bytes(content)))
    return Artifact(
        identity=f"{kind}/{key}",
        key=key,
        architectures=architectures,
        path=path,
        digest=Digest.of_bytes(content),
        size_bytes=len(content),
        unzipped_bytes=0,
        source_bytes=0,
        bytecode_bytes=0,
        distributions=(),
        saved={},
        changed=True,
    )


def functions(workspace, **contents):
    made = {name: artifact(workspace, name, content) for name, content in contents.items()}
    return Build(functions=made, layers={})


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_artifacts_appear_under_the_names_of_their_folders(workspace):
    layer = artifact(workspace, "data", b"layer", kind="layers")
    build = Build(functions=functions(workspace, orders=b"zip").functions, layers={("data", X86): layer})
    folder = expose(build, workspace)
    assert folder == workspace.generated / "build"
    assert names(folder) == ["functions/orders.zip", "layers/data.zip"]
    assert (folder / "functions/orders.zip").read_bytes() == b"zip"
    assert (folder / "functions/orders.zip").samefile(build.functions["orders"].path), "no second copy on the disk"


def test_nothing_is_written_where_everything_is_right(workspace):
    build = functions(workspace, orders=b"zip")
    folder = expose(build, workspace) / "functions"
    before = folder.stat().st_mtime_ns, (folder / "orders.zip").stat().st_ctime_ns
    expose(build, workspace)
    assert (folder.stat().st_mtime_ns, (folder / "orders.zip").stat().st_ctime_ns) == before


def test_a_new_artifact_takes_the_old_ones_place_and_leaves_it_in_the_store(workspace):
    old = functions(workspace, orders=b"old")
    expose(old, workspace)
    folder = expose(functions(workspace, orders=b"new"), workspace)
    assert (folder / "functions/orders.zip").read_bytes() == b"new"
    assert old.functions["orders"].path.read_bytes() == b"old"
    assert names(folder) == ["functions/orders.zip"]


def test_without_hard_links_there_are_copies(workspace, monkeypatch):
    def refuse(*_):
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    build = functions(workspace, orders=b"zip")
    place = expose(build, workspace) / "functions/orders.zip"
    assert place.read_bytes() == b"zip"
    assert not place.samefile(build.functions["orders"].path)
    before = place.stat().st_ino
    expose(build, workspace)
    assert place.stat().st_ino == before, "an equal copy stays"


def test_zips_of_folders_that_are_gone_go(workspace):
    folder = expose(functions(workspace, orders=b"1", greeting=b"2"), workspace)
    (workspace.root / "functions/greeting/function.toml").unlink()
    expose(functions(workspace, orders=b"1"), workspace)
    assert names(folder) == ["functions/orders.zip"]


def test_a_build_of_some_functions_leaves_the_others_zips(workspace):
    folder = expose(functions(workspace, orders=b"1", greeting=b"2"), workspace)
    expose(functions(workspace, orders=b"3"), workspace)
    assert names(folder) == ["functions/greeting.zip", "functions/orders.zip"]


def test_a_layer_that_splits_by_architecture_leaves_no_zip_of_both(workspace):
    one = artifact(workspace, "data", b"both", kind="layers", architectures=(X86, ARM))
    folder = expose(Build(functions={}, layers={("data", X86): one, ("data", ARM): one}), workspace)
    assert names(folder) == ["layers/data.zip"]
    x86 = artifact(workspace, "data-x86-64", b"x86", kind="layers")
    arm = artifact(workspace, "data-arm64", b"arm", kind="layers", architectures=(ARM,))
    expose(Build(functions={}, layers={("data", X86): x86, ("data", ARM): arm}), workspace)
    assert names(folder) == ["layers/data-arm64.zip", "layers/data-x86-64.zip"]
    expose(functions(workspace, orders=b"1"), workspace)
    assert len(names(folder)) == 3, "layers that this build does not hold stay"
    (workspace.root / "layers/data/layer.toml").unlink()
    expose(functions(workspace, orders=b"1"), workspace)
    assert names(folder) == ["functions/orders.zip"]


def test_what_a_killed_build_left_is_removed_after_a_while_and_not_before(workspace, monkeypatch):
    folder = expose(functions(workspace, orders=b"1"), workspace)
    (folder / "functions/.greeting.zip.77").write_bytes(b"half")
    expose(functions(workspace, orders=b"1"), workspace)
    assert len(names(folder)) == 2
    monkeypatch.setattr("build.store.exposed._HALF_MADE_AFTER_S", -1)
    expose(functions(workspace, orders=b"1"), workspace)
    assert names(folder) == ["functions/orders.zip"]

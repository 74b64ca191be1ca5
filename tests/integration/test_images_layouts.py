"""Images on disk, as the tools of others read them; and podman, which reads all that we make."""

import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from build.errors import InputError
from build.image import DOCKER, OCI, Image
from build.images.layouts import Layout, export_archive, export_layout
from build.images.manifests import as_oci
from tests import containers
from tests.integration.test_images_pushing import base, content_of, function, push, server, store  # noqa: F401  # fixtures

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", [OCI, DOCKER], ids=["oci", "docker"])
def test_umoci_and_skopeo_read_an_exported_layout(store, base, tmp_path, kind):  # noqa: F811
    image = function(base(kind), tmp_path, store, b"x = 1\n")
    export_layout(image, content_of(image, store), tmp_path / "layout", tag="one")
    told = json.loads(containers.run("skopeo", "inspect", f"oci:{tmp_path / 'layout'}:one"))
    assert told["Layers"] == [str(layer.digest) for layer in image.layers]
    assert (told["Digest"] == str(image.digest)) == (kind == OCI)
    containers.run("umoci", "unpack", "--rootless", "--image", f"{tmp_path / 'layout'}:one", tmp_path / "bundle")
    assert (tmp_path / "bundle/rootfs/var/task/app.py").read_bytes() == b"x = 1\n"


def test_skopeo_reads_an_archive_as_docker_load_does(store, base, tmp_path):  # noqa: F811
    image = function(base(OCI), tmp_path, store, b"x = 1\n")
    export_archive(image, content_of(image, store), tmp_path / "image.tar", tag="report:latest")
    told = json.loads(
        containers.run("skopeo", "inspect", "--config", f"docker-archive:{tmp_path / 'image.tar'}:report:latest")
    )
    assert told["config"]["Cmd"] == ["app.handler"]
    assert told["rootfs"]["diff_ids"] == [str(each) for each in image.diff_ids]
    copied = tmp_path / "copied"
    containers.run("skopeo", "--insecure-policy", "copy", f"docker-archive:{tmp_path / 'image.tar'}", f"dir:{copied}")
    assert (copied / "manifest.json").is_file()


def test_several_images_share_what_they_have_in_common(store, base, tmp_path):  # noqa: F811
    layout = Layout(tmp_path / "layout")
    first = function(base(OCI), tmp_path / "1", store, b"1\n")
    second = function(base(OCI), tmp_path / "2", store, b"2\n")
    for tag, image in (("first", first), ("second", second), ("second", second)):
        layout.write(image, content_of(image, store), tag=tag)
    assert layout.read("first") == first
    assert layout.read(str(second.digest)) == second
    assert layout.read("third") is None
    files = [path for path in layout.root.rglob("*") if path.is_file()]
    assert len(files) == 2 + len({*first.layers, *second.layers}) + 4


def test_a_tag_that_is_written_again_names_the_new_image(store, base, tmp_path):  # noqa: F811
    layout = Layout(tmp_path / "layout")
    first, second = (function(base(OCI), tmp_path / str(each), store, b"%d\n" % each) for each in (1, 2))
    for image in (first, second):
        layout.write(image, content_of(image, store), tag="live")
    assert layout.read("live") == second


def test_what_is_there_is_not_written_over(store, base, tmp_path):  # noqa: F811
    image = base(OCI)
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="is there already"):
        export_layout(image, content_of(image, store), tmp_path / "there", tag="one")
    with pytest.raises(InputError, match="is there already"):
        export_archive(image, content_of(image, store), tmp_path / "there", tag="one")


def test_an_export_that_fails_leaves_nothing(store, base, tmp_path):  # noqa: F811
    image = base(OCI)

    missing: Path = tmp_path / "nowhere"

    def nowhere(_: object) -> Path:
        return missing

    with pytest.raises(OSError):  # noqa: PT011
        export_layout(image, nowhere, tmp_path / "out/layout", tag="one")
    (tmp_path / "flat").mkdir()
    with pytest.raises(FileNotFoundError):
        export_archive(image, nowhere, tmp_path / "flat/image.tar", tag="one")
    assert not list((tmp_path / "flat").iterdir())
    assert not (tmp_path / "out/layout").exists()


def test_the_archive_is_the_same_each_time(store, base, tmp_path):  # noqa: F811
    image = base(OCI)
    for name in ("a.tar", "b.tar"):
        export_archive(image, content_of(image, store), tmp_path / name, tag="one:latest")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert {member.mtime for member in archive} == {315_532_800}


class TestPodman:
    """Holds every image against what podman makes of it, each time in an empty storage."""

    @pytest.fixture
    def podman(self, tmp_path: Path) -> Callable[..., str]:
        env = containers.builder("podman", tmp_path / "podman", path=os.defpath)
        return lambda *args: containers.run("podman", *args, env=env)

    @pytest.fixture(params=[OCI, DOCKER], ids=["oci", "docker"])
    def image(self, request, store, base, tmp_path) -> Image:  # noqa: F811
        return function(base(request.param), tmp_path, store, b"x = 1\n")

    def seen(self, podman: Callable[..., str], name: str, image: Image, folder: Path) -> str:
        """Require that what podman calls ``name`` is ``image`` with its files; return the manifest that it keeps."""
        (told,) = json.loads(podman("image", "inspect", name))
        assert told["RootFS"]["Layers"] == [str(each) for each in image.diff_ids]
        assert told["Id"] == image.config_blob.digest.hex
        assert told["Config"]["Cmd"] == ["app.handler"]
        podman("cp", f"{podman('create', name).strip()}:/var/task", folder / "task")
        assert (folder / "task/app.py").read_bytes() == b"x = 1\n"
        assert {str(path.relative_to(folder / "task")) for path in folder.glob("task/**/*.so")} == {"heavy/core.so"}
        return str(told["Digest"])

    def test_pulls_what_we_push(self, server, store, image, tmp_path, podman):  # noqa: F811
        push(image, server, f"podman/{len(image.media_type)}", store)
        name = f"{server}/podman/{len(image.media_type)}@{image.digest}"
        podman("pull", "--tls-verify=false", name)
        assert self.seen(podman, name, image, tmp_path) == str(image.digest)

    def test_loads_what_is_exported_for_docker(self, store, image, tmp_path, podman):  # noqa: F811
        export_archive(image, content_of(image, store), tmp_path / "image.tar", tag="loaded:latest")
        podman("load", "--input", tmp_path / "image.tar")
        self.seen(podman, "localhost/loaded:latest", image, tmp_path)  # under a manifest that podman makes

    def test_takes_an_exported_layout(self, store, image, tmp_path, podman):  # noqa: F811
        export_layout(image, content_of(image, store), tmp_path / "layout", tag="one")
        name = podman("pull", f"oci:{tmp_path / 'layout'}:one").split()[-1]
        assert self.seen(podman, name, image, tmp_path) == str(as_oci(image).digest)

"""Images in the CNCF's registry, as the tools of others read them."""

import hashlib
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from build.errors import ToolError
from build.image import DOCKER, OCI, Blob, Image, Part
from build.images.assembled import assemble, key_of, make_layers
from build.images.manifests import put_on
from build.images.pushing import pull_image, push_image
from build.images.registry import Registry
from build.store.objects import Store
from build.zips.archives import write_archive
from tests import containers
from tests.faults import Faults, reset
from tests.unit.test_images_assembled import tree_of

pytestmark = pytest.mark.slow

DEPENDENCIES = {"heavy/core.so": random.Random(4).randbytes(6_000_000), "six.py": b"x = 1\n" * 50}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with containers.registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def base(tmp_path: Path, store: Store) -> Callable[[str], Image]:
    """An image of one layer, of the kind that is asked for."""
    part = part_of(tmp_path / "base", {"etc/os-release": b"NAME=tests\n"}, "")
    nothing = b'{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'

    def made(kind: str) -> Image:
        blank = Image(f'{{"mediaType":"{kind}","config":{{}},"layers":[]}}'.encode(), nothing)
        return put_on(blank, make_layers(part, store), command=[], settings={"WorkingDir": "/var/task"})

    return made


def part_of(folder: Path, files: dict[str, bytes], place: str = "var/task") -> Part:
    write_archive(tree_of(folder, files), (), folder / "a.zip")
    return Part(archive=folder / "a.zip", key=key_of(sorted(files.items()), place), folder=place)


def function(base: Image, folder: Path, store: Store, code: bytes) -> Image:
    parts = [part_of(folder / "dependencies", DEPENDENCIES), part_of(folder / "code", {"app.py": code})]
    with ThreadPoolExecutor(2) as pool:
        return assemble(base, parts, store, pool, command=["app.handler"]).image


def content_of(image: Image, store: Store) -> Callable[[Blob], Path]:
    """Where the blobs of ``image`` are."""
    store.blob(image.config_blob.digest).write_bytes(image.config)
    return lambda blob: store.blob(blob.digest)


def push(image: Image, host: str, repository: str, store: Store, **named) -> bool:
    registry = Registry(host, plain=True, sleep=lambda _: None)
    with ThreadPoolExecutor(4) as pool:
        return push_image(image, registry, repository, content=content_of(image, store), pool=pool, **named)


@pytest.mark.parametrize("kind", [OCI, DOCKER], ids=["oci", "docker"])
def test_skopeo_copies_and_umoci_unpacks_what_we_push(server, store, base, tmp_path, kind):
    name = f"pushed/{len(kind)}"
    image = function(base(kind), tmp_path, store, b"def handler(event, context): ...\n")
    assert push(image, server, name, store)
    place = f"docker://{server}/{name}:{image.digest.hex}"
    containers.run(
        "skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", place, f"oci:{tmp_path / 'layout'}:one"
    )
    containers.run("umoci", "unpack", "--rootless", "--image", f"{tmp_path / 'layout'}:one", tmp_path / "bundle")
    root = tmp_path / "bundle/rootfs"
    for path, data in DEPENDENCIES.items():
        unpacked = (root / "var/task" / path).read_bytes()
        assert hashlib.sha256(unpacked).digest() == hashlib.sha256(data).digest()
    assert (root / "var/task/app.py").read_bytes() == b"def handler(event, context): ...\n"
    assert (root / "etc/os-release").is_file()


def test_the_same_image_is_not_sent_again(server, store, base, tmp_path):
    image = function(base(OCI), tmp_path, store, b"")
    assert push(image, server, "again", store)
    said: list[str] = []
    assert not push(image, server, "again", store, say=said.append)
    assert said == []


def test_a_change_of_code_sends_the_code_alone(server, store, base, tmp_path):
    push(function(base(OCI), tmp_path / "1", store, b"1\n"), server, "code", store)
    asked: list[Blob] = []
    image = function(base(OCI), tmp_path / "2", store, b"2\n")
    held = content_of(image, store)
    registry = Registry(server, plain=True)

    def content(blob: Blob) -> Path:
        asked.append(blob)
        return held(blob)

    with ThreadPoolExecutor(1) as pool:
        push_image(image, registry, "code", content=content, pool=pool)
    assert asked == [image.layers[-1], image.config_blob]
    assert image.layers[-1].size_bytes < 1000


def test_the_base_is_mounted_from_where_it_is(server, store, base, tmp_path):
    below = base(OCI)
    push(below, server, "base", store)
    image = function(below, tmp_path, store, b"")
    store.blob(below.layers[0].digest).unlink()
    assert push(image, server, "mounted", store, mount="base")
    registry = Registry(server, plain=True)
    assert pull_image(registry, "mounted", image.digest.hex, tmp_path) == image


def test_it_says_how_far_it_is(server, store, base, tmp_path):
    said: list[str] = []
    push(function(base(OCI), tmp_path, store, b"said"), server, "said", store, say=said.append)
    assert said[-1].startswith("said: layer ")
    assert said[-1].endswith("6.0 of 6.0 MB")
    assert len(said) <= 40


def test_until_everything_has_come_there_is_no_tag(server, store, base, tmp_path):
    image = function(base(OCI), tmp_path, store, b"cut")
    between = Faults(f"http://{server}")
    between.on("PUT .*/manifests/", reset, times=100)
    with pytest.raises(ToolError, match="does not answer"):
        push(image, urlsplit(between.endpoint).netloc, "cut", store)
    between.close()
    registry = Registry(server, plain=True)
    assert not registry.has_manifest("cut", image.digest.hex)
    assert push(image, server, "cut", store)
    assert registry.has_manifest("cut", str(image.digest))


def test_a_layer_whose_bytes_are_others_than_the_manifest_says_is_refused_and_there_is_no_tag(
    server, store, base, tmp_path
):
    image = function(base(OCI), tmp_path, store, b"wrong")
    store.blob(image.layers[-1].digest).write_bytes(b"other")
    with pytest.raises(ToolError, match="did not take the blob"):
        push(image, server, "wrong", store)
    assert not Registry(server, plain=True).has_manifest("wrong", image.digest.hex)

"""Base images out of the CNCF's registry: found by their tags, fetched once by their digests, kept."""

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from build.digest import Digest
from build.errors import InputError, ToolError
from build.image import Image
from build.images import bases
from build.images.bases import Bases
from build.images.pushing import push_image
from build.images.registry import Registry
from build.imaging import Grounds
from build.model import Architecture, Runtime, Target
from build.project.discovery import discover
from build.project.pins import PINS, read_pins
from build.report import Reporter
from build.rules.references import Reference
from build.store.objects import Store
from build.verbs.image import pull_base
from tests import containers
from tests.builders import write_files
from tests.faults import Answer, Faults, Request
from tests.integration.test_images_pushing import content_of
from tests.tiny_images import layer, make_image

pytestmark = pytest.mark.slow

INDEX = "application/vnd.oci.image.index.v1+json"
LARGE = random.Random(5).randbytes(2_000_000)
GO = {Architecture.X86_64: "amd64", Architecture.ARM64: "arm64"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with containers.registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@dataclass(frozen=True)
class Gallery:
    """A repository that no other test uses, what listens in before it, and a store that is empty."""

    server: str
    between: Faults
    name: str
    folder: Path

    @property
    def host(self) -> str:
        return urlsplit(self.between.endpoint).netloc

    @property
    def store(self) -> Store:
        return Store(self.folder / "store")

    @property
    def bases(self) -> Bases:
        return Bases(self.store)

    @property
    def tagged(self) -> Reference:
        return Reference.parse(f"{self.host}/{self.name}:1")

    def pinned(self, digest: Digest) -> Reference:
        return Reference(self.host, self.name, "1", digest)

    def put(self, architecture: str = "amd64", system: str = "") -> Image:
        """Push an image of two layers, one of them large; it is tagged with its digest."""
        theirs = Store(self.folder / "theirs")
        layers = (layer({"lib/large": LARGE}), layer({"etc/os-release": f"{system} {architecture}"}))
        image = make_image(theirs, *layers, config={"architecture": architecture})
        registry = Registry(self.server, plain=True)
        with ThreadPoolExecutor(1) as pool:
            push_image(image, registry, self.name, content=content_of(image, theirs), pool=pool)
        return image

    def tag(self, body: bytes, media_type: str, to: str = "1") -> Digest:
        Registry(self.server, plain=True).put_manifest(self.name, to, media_type, body)
        return Digest.of_bytes(body)

    def tag_index(self, *images: Image, more: tuple[dict[str, object], ...] = (), to: str = "1") -> Digest:
        """Tag an index of ``images``, and of ``more`` before them."""
        rows = [
            {**row_of(image), "platform": {"os": "linux", "architecture": image.architecture, "variant": "v8"}}
            for image in images
        ]
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [*more, *rows]}).encode()
        return self.tag(body, INDEX, to)


@pytest.fixture
def gallery(server: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Gallery]:
    between = Faults(f"http://{server}")
    yield Gallery(server, between, f"tests/{Digest.of_bytes(request.node.name.encode()).hex[:20]}", tmp_path)
    between.close()


def row_of(image: Image) -> dict[str, object]:
    return {"mediaType": image.media_type, "digest": str(image.digest), "size": len(image.manifest)}


def whole(bases: Bases, reference: Reference) -> Image:
    with ThreadPoolExecutor(2) as pool:
        return bases.pull(reference, pool)


# ── what a tag names ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("architecture", list(Architecture))
def test_of_an_index_it_is_the_image_of_the_architecture(gallery, architecture):
    images = {each: gallery.put(GO[each]) for each in Architecture}
    gallery.tag_index(*images.values())
    found = gallery.bases.newest(gallery.tagged, architecture)
    assert found == gallery.pinned(images[architecture].digest)
    assert Reference.parse(str(found)) == found


def test_attestations_in_an_index_are_passed_over(gallery):
    image = gallery.put()
    nobodys = ({**row_of(image), "platform": {"os": "unknown", "architecture": "unknown"}}, row_of(image))
    gallery.tag_index(image, more=nobodys)
    found = gallery.bases.newest(gallery.tagged, Architecture.X86_64)
    assert found.digest == image.digest


def test_a_manifest_that_is_in_no_index_is_taken_as_it_is(gallery):
    image = gallery.put()
    gallery.tag(image.manifest, image.media_type)
    found = gallery.bases.newest(gallery.tagged, Architecture.X86_64)
    assert found == gallery.pinned(image.digest)


def test_an_architecture_that_an_index_lacks_is_told_with_those_that_it_has(gallery):
    gallery.tag_index(gallery.put())
    with pytest.raises(InputError, match="has no image for arm64") as raised:
        gallery.bases.newest(gallery.tagged, Architecture.ARM64)
    assert raised.value.facts == ("expected linux/arm64, got linux/amd64",)
    assert "base_image" in raised.value.hint


def test_a_tag_that_is_not_there_is_told(gallery):
    with pytest.raises(ToolError, match="has no manifest 9"):
        gallery.bases.newest(replace(gallery.tagged, tag="9"), Architecture.ARM64)


# ── what is fetched ───────────────────────────────────────────────────────────────────────────


def test_an_image_is_known_before_its_layers_are_here(gallery):
    image = gallery.put()
    reference = gallery.pinned(image.digest)
    assert gallery.bases.known(reference) is None
    assert not gallery.bases.is_here(reference)
    assert gallery.bases.image(reference) == image
    assert gallery.bases.known(reference) == image
    assert not gallery.bases.is_here(reference)
    assert [row for row in gallery.between.seen if str(image.layers[0].digest) in row.what] == []


def test_a_layer_is_fetched_alone(gallery):
    image = gallery.put()
    reference = gallery.pinned(image.digest)
    path = gallery.bases.layer(reference, image.layers[1])
    assert path == gallery.store.blob(image.layers[1].digest)
    assert Digest.of_file(path) == image.layers[1].digest
    assert not gallery.store.blob(image.layers[0].digest).exists()


def test_what_is_pulled_is_here_and_asks_nobody_the_second_time(gallery):
    image = gallery.put()
    reference = gallery.pinned(image.digest)
    assert whole(gallery.bases, reference) == image
    assert gallery.bases.is_here(reference)
    assert all(Digest.of_file(gallery.store.blob(each.digest)) == each.digest for each in image.layers)
    gallery.between.clear()
    later = gallery.bases
    assert later.is_here(reference)
    assert whole(later, reference) == image
    assert gallery.between.seen == []


def test_a_layer_that_is_gone_or_was_written_to_is_fetched_again(gallery):
    image = gallery.put()
    reference = gallery.pinned(image.digest)
    whole(gallery.bases, reference)
    gallery.store.blob(image.layers[0].digest).unlink()
    gallery.store.blob(image.layers[1].digest).write_bytes(b"other")
    assert not gallery.bases.is_here(reference)
    whole(gallery.bases, reference)
    assert gallery.bases.is_here(reference)
    assert all(Digest.of_file(gallery.store.blob(each.digest)) == each.digest for each in image.layers)


def test_it_says_whom_it_asks_and_how_far_it_is(gallery):
    image = gallery.put()
    said: list[str] = []
    whole(replace(gallery.bases, say=said.append), gallery.pinned(image.digest))
    assert said[0] == f"asking {gallery.host} for {gallery.name}"
    assert f"{gallery.name}: 2.0 of 2.0 MB of a layer" in said
    assert len(said) <= 1 + 10 + 10


def test_who_logged_in_is_asked_for_by_host(gallery):
    image = gallery.put()
    asked: list[str] = []

    def credentials(host: str) -> None:
        asked.append(host)

    whole(replace(gallery.bases, credentials=credentials), gallery.pinned(image.digest))
    assert asked == [gallery.host]


# ── what goes wrong ───────────────────────────────────────────────────────────────────────────


def test_a_digest_that_nobody_has_is_told_and_nothing_is_kept(gallery):
    reference = gallery.pinned(Digest("5" * 64))
    with pytest.raises(ToolError, match="has no manifest sha256:555"):
        gallery.bases.image(reference)
    assert gallery.bases.known(reference) is None


def test_the_digest_of_an_index_is_told_with_those_of_its_images(gallery):
    images = [gallery.put(each) for each in ("amd64", "arm64")]
    index = gallery.tag_index(*images)
    with pytest.raises(InputError, match="is no image") as raised:
        gallery.bases.image(gallery.pinned(index))
    assert raised.value.facts == (
        f"expected one for one architecture, got {INDEX}",
        f"in it, for linux/amd64: {images[0].digest}",
        f"in it, for linux/arm64: {images[1].digest}",
    )
    assert gallery.bases.known(gallery.pinned(index)) is None


def cut(request: Request, faults: Faults) -> Answer:
    """Answer with the first half of the bytes, and end."""
    answer = faults.forward(request)
    return replace(answer, body=answer.body[: len(answer.body) // 2], promised=len(answer.body))


def other(request: Request, faults: Faults) -> Answer:
    """Answer with as many bytes, but others."""
    answer = faults.forward(request)
    return replace(answer, body=bytes(len(answer.body)))


def test_a_layer_that_is_cut_in_the_middle_goes_on_from_there(gallery):
    image = gallery.put()
    digest = image.layers[0].digest
    rule = gallery.between.on(f"GET .*/blobs/{digest}", cut)
    whole(gallery.bases, gallery.pinned(image.digest))
    assert rule.struck == 1
    assert Digest.of_file(gallery.store.blob(digest)) == digest
    first, second = (each.headers.get("range") for each in gallery.between.requests if str(digest) in each.target)
    assert first is None
    assert second
    assert int(second.removeprefix("bytes=").removesuffix("-")) > len(LARGE) // 2 - 100_000


def test_a_layer_of_other_bytes_is_refused_and_not_kept(gallery):
    image = gallery.put()
    digest, reference = image.layers[0].digest, gallery.pinned(image.digest)
    gallery.between.on(f"GET .*/blobs/{digest}", other)
    with pytest.raises(ToolError, match="gave other bytes than it was asked for") as raised:
        whole(gallery.bases, reference)
    assert f"expected {digest}" in raised.value.facts
    assert not gallery.store.blob(digest).exists()
    assert not gallery.bases.is_here(reference)
    whole(gallery.bases, reference)
    assert gallery.bases.is_here(reference)


@pytest.mark.parametrize("what", ["manifests", "blobs"], ids=["manifest", "config"])
def test_a_manifest_or_config_of_other_bytes_is_refused_and_not_kept(gallery, what):
    image = gallery.put()
    reference = gallery.pinned(image.digest)
    gallery.between.on(f"GET .*/{what}/", other)
    with pytest.raises(ToolError, match="gave other bytes than it was asked for"):
        gallery.bases.image(reference)
    assert gallery.bases.known(reference) is None


# ── the verb ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def root(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose images stand on what AWS has for python3.13, and one on a base of its own."""
    monkeypatch.setattr(bases, "GALLERY", f"{gallery.host}/{gallery.name}")
    own = Reference(gallery.host, gallery.name, "own", gallery.put("amd64", "own").digest)
    image = 'description = "x"\nruntime = "python3.13"\npackage = "image"\n'
    env = '[env.dev]\nregion = "eu-central-1"\naccount_id = "123456789012"\n'
    return write_files(
        gallery.folder / "clone",
        {
            "slipway.toml": f'name = "shop"\n{env}[defaults]\narchitecture = "x86_64"\n',
            "functions/one/function.toml": image,
            "functions/two/function.toml": f'{image}[env.dev]\narchitecture = "arm64"\n',
            "functions/own/function.toml": f'{image}base_image = "{own}"\n',
            **{f"functions/{name}/src/app.py": "" for name in ("one", "two", "own")},
        },
    )


def published(gallery: Gallery, system: str) -> dict[Target, str]:
    """Let the tag of python3.13 name new images, and return what is to be pinned."""
    images = {each: gallery.put(GO[each], system) for each in Architecture}
    gallery.tag_index(*images.values(), to="3.13")
    return {
        Target(Runtime(13), each): f"{gallery.host}/{gallery.name}:3.13@{image.digest}"
        for each, image in images.items()
    }


def test_bases_are_pinned_once_and_stay_until_they_are_to_move_on(gallery, root, capsys):
    first = published(gallery, "first")
    pull_base(root, upgrade=False)
    assert read_pins(root) == (first, [])
    shown = capsys.readouterr()
    assert shown.out.count("pinned") == 3
    assert f"commit {PINS}" in shown.err
    held = Bases(Store(root / ".artifacts/store"))
    assert all(held.is_here(Reference.parse(pin)) for pin in first.values())

    second = published(gallery, "second")
    gallery.between.clear()
    pull_base(root, upgrade=False)
    assert read_pins(root) == (first, [])
    assert gallery.between.seen == [], "all of it is here"
    assert "moved on" not in capsys.readouterr().out

    pull_base(root, upgrade=True)
    assert read_pins(root) == (second, [])
    assert capsys.readouterr().out.count("moved on") == 2


def test_a_base_that_a_function_names_is_fetched_and_pinned_nowhere_else(gallery, root, capsys):
    published(gallery, "first")
    pull_base(root, upgrade=True)
    (own,) = (spec.base_image for spec in discover(root, "dev").functions if spec.name == "own")
    assert Bases(Store(root / ".artifacts/store")).is_here(Reference.parse(own))
    assert own not in (root / PINS).read_text("utf-8")
    assert f"named by a function.toml  {own}" in capsys.readouterr().out


def test_where_one_base_cannot_be_had_none_is_pinned(gallery, root):
    gallery.tag_index(gallery.put("amd64"), to="3.13")
    with pytest.raises(InputError, match="has no image for arm64"):
        pull_base(root, upgrade=False)
    assert not (root / PINS).exists()


def test_what_is_pinned_is_what_images_of_the_env_are_made_on(gallery, root):
    pins = published(gallery, "first")
    pull_base(root, upgrade=False)
    workspace = discover(root, "dev")
    grounds = Grounds(workspace, Store(root / ".artifacts/store"), Reporter())
    gallery.between.clear()
    found = {spec.name: str(grounds.base_of(spec).digest) for spec in workspace.functions if spec.name != "own"}
    assert found == {
        "one": pins[Target(Runtime(13), Architecture.X86_64)].partition("@")[2],
        "two": pins[Target(Runtime(13), Architecture.ARM64)].partition("@")[2],
    }
    assert gallery.between.seen == []

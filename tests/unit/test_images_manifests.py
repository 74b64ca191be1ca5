"""What an image is, apart from the bytes of its layers."""

import json
from dataclasses import replace

import pytest

from build.digest import Digest
from build.errors import InputError
from build.image import CONFIGS, DOCKER, LAYERS, OCI, Blob, Image, Layer
from build.images.manifests import put_on

GOLDEN = "sha256:a5d103dae15a499ad2190ea3193fc344ef8db90ae1b340bc53ee0dbf817dfbaf"
OWN = Layer(Digest.of_bytes(b"packed"), 6, Digest.of_bytes(b"tar"), 3)


def base(kind: str = OCI, *, history: object = ({"created_by": "somebody"},) * 2, **config) -> Image:
    """An image of two layers, as AWS's are: an entrypoint, no command."""
    body = json.dumps(
        {
            "architecture": "arm64",
            "os": "linux",
            "config": {
                "Entrypoint": ["/lambda-entrypoint.sh"],
                "Env": ["TZ=:/etc/localtime"],
                "WorkingDir": "/var/task",
            },
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of_bytes(b"1")), str(Digest.of_bytes(b"2"))]},
            "history": history,
            **config,
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": Blob(CONFIGS.get(kind, ""), Digest.of_bytes(body), len(body)).told,
        "layers": [Blob(LAYERS.get(kind, ""), Digest.of_bytes(data), 1).told for data in (b"a", b"b")],
    }
    return Image.read(json.dumps(manifest).encode(), body)


def made(below: Image, **settings) -> Image:
    return put_on(below, [OWN], command=["app.handler"], settings=settings)


@pytest.mark.parametrize("kind", [OCI, DOCKER])
def test_an_image_is_its_base_with_more_on_top_in_the_words_of_the_base(kind):
    below, image = base(kind), made(base(kind))
    assert image.layers == (*below.layers, Blob(LAYERS[kind], OWN.digest, OWN.size_bytes))
    assert image.diff_ids == (*below.diff_ids, OWN.diff_id)
    assert (image.media_type, image.config_blob.media_type) == (kind, CONFIGS[kind])
    assert image.config_blob.digest == Digest.of_bytes(image.config)
    assert Image.read(image.manifest, image.config) == image


def test_it_starts_as_the_base_says_but_for_the_command():
    below, image = base(), made(base())
    assert image.settings == {**below.settings, "Cmd": ["app.handler"]}
    assert image.architecture == "arm64"
    assert made(base(), WorkingDir="/srv").settings["WorkingDir"] == "/srv"


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_the_history_has_a_row_for_each_layer(rows):
    image = made(base(history=[{"created_by": "somebody"}] * rows))
    assert sum(not row.get("empty_layer") for row in image.whole_config["history"]) == len(image.layers) == 3


def test_steps_that_made_no_layer_stay_in_the_history():
    rows = [{"created_by": "ENV"}, {"created_by": "CMD", "empty_layer": True}, {"created_by": "RUN"}]
    image = made(base(history=rows))
    assert image.whole_config["history"][:3] == rows
    assert len(image.whole_config["history"]) == 4


def test_who_made_the_base_and_when_does_not_enter():
    one = base(created="2026-01-01T00:00:00Z", container="1", docker_version="24")
    other = base(created="2026-02-02T00:00:00Z", container="2", docker_version="25")
    assert one.digest != other.digest
    assert made(one) == made(other)


def test_the_bytes_of_one_fixed_image_never_change():
    assert str(made(base()).digest) == GOLDEN


def test_a_config_of_another_image_is_refused():
    with pytest.raises(ValueError, match="expected the config sha256:"):
        Image.read(base().manifest, base(history=[]).config)


@pytest.mark.parametrize("manifest", [b"{}", b"[]", b'{"config": {"digest": "sha256:1"}}', b"nonsense"])
def test_what_is_no_manifest_is_refused(manifest):
    with pytest.raises(ValueError, match="no manifest of an image"):
        Image.read(manifest, b"{}")


def test_a_base_of_neither_kind_is_refused():
    below = base()
    manifest = below.manifest.replace(OCI.encode(), b"application/vnd.docker.distribution.manifest.v1+json")
    with pytest.raises(InputError, match="neither Docker's nor OCI's"):
        made(replace(below, manifest=manifest))


def test_oci_may_leave_its_media_type_out():
    said = base().said
    said.pop("mediaType")
    assert Image.read(json.dumps(said).encode(), base().config).media_type == OCI

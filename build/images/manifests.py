"""Manifests and configs: what an image is, apart from the bytes of its layers.

One manifest for one architecture, in the words of its base: Lambda takes Docker's (v2, schema 2) and OCI's, but no
index, and no mixture. https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from build.digest import Digest
from build.errors import InputError
from build.images.layers import Layer
from build.images.tar import MTIME_S
from build.model import Architecture

OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
CONFIGS = {
    OCI: "application/vnd.oci.image.config.v1+json",
    DOCKER: "application/vnd.docker.container.image.v1+json",
}
LAYERS = {
    OCI: "application/vnd.oci.image.layer.v1.tar+gzip",
    DOCKER: "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
ARCHITECTURES = {Architecture.X86_64: "amd64", Architecture.ARM64: "arm64"}
"""As images call them: those of Go."""
_CREATED = datetime.fromtimestamp(MTIME_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
"""No clock may enter the digest."""


@dataclass(frozen=True, slots=True)
class Blob:
    """What a manifest says of a config or a layer."""

    media_type: str
    digest: Digest
    size_bytes: int

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self:
        """Read a descriptor; raise LookupError, TypeError or ValueError for what is none."""
        return cls(str(said["mediaType"]), Digest.parse(said["digest"]), int(said["size"]))

    @property
    def told(self) -> dict[str, Any]:
        """The descriptor."""
        return {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size_bytes}


@dataclass(frozen=True, slots=True)
class Image:
    """One image for one architecture."""

    manifest: bytes
    config: bytes

    @classmethod
    def read(cls, manifest: bytes, config: bytes) -> Self:
        """Return the image of both; raise ValueError where they do not belong together or cannot be read."""
        image = cls(manifest, config)
        try:
            wanted = Blob.read(image.said["config"]).digest
            image.layers, image.diff_ids, image.settings  # noqa: B018  # whether they can be read
        except (LookupError, TypeError, AttributeError, ValueError) as reason:
            raise ValueError(f"no manifest of an image: {reason!r}") from None
        if wanted != Digest.of_bytes(config):
            raise ValueError(f"expected the config {wanted}, got {Digest.of_bytes(config)}")
        return image

    @property
    def digest(self) -> Digest:
        """What it is deployed by."""
        return Digest.of_bytes(self.manifest)

    @property
    def said(self) -> dict[str, Any]:
        """The manifest."""
        return dict(json.loads(self.manifest))

    @property
    def media_type(self) -> str:
        """Of the manifest; OCI's may leave it out."""
        return str(self.said.get("mediaType") or OCI)

    @property
    def config_blob(self) -> Blob:
        """What the manifest says of the config."""
        return Blob.read(self.said["config"])

    @property
    def layers(self) -> tuple[Blob, ...]:
        """The lowest first."""
        return tuple(map(Blob.read, self.said["layers"]))

    @property
    def whole_config(self) -> dict[str, Any]:
        """The config: architecture, layers, history, and the settings."""
        return dict(json.loads(self.config))

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        """Digests of the layers as tars, the lowest first."""
        return tuple(map(Digest.parse, self.whole_config["rootfs"]["diff_ids"]))

    @property
    def settings(self) -> dict[str, Any]:
        """What a container starts with: Env, Entrypoint, Cmd, WorkingDir, User."""
        return dict(self.whole_config.get("config") or {})

    @property
    def architecture(self) -> str:
        """As images call it: amd64, arm64."""
        return str(self.whole_config.get("architecture", ""))

    @property
    def size_bytes(self) -> int:
        """Of all layers, compressed."""
        return sum(layer.size_bytes for layer in self.layers)


def put_on(base: Image, layers: Sequence[Layer], *, command: Sequence[str], settings: Mapping[str, Any]) -> Image:
    """Return ``base`` with ``layers`` on top, which runs ``command``; ``settings`` replace the base's own.

    The same from the same: no time, no name, no host. Raises InputError for a base of which Lambda takes no image.
    """
    kind = base.media_type
    if kind not in CONFIGS:
        raise InputError(
            f"the base image {base.digest.short} is neither Docker's nor OCI's",
            facts=[f"expected one of {', '.join(CONFIGS)}, got {kind}"],
            hint="name another base image, then run `invoke build`",
        )
    told = base.whole_config
    below = len(base.diff_ids)
    config = {
        **told,
        "created": _CREATED,
        "config": {**base.settings, **settings, "Cmd": list(command)},
        "rootfs": {"type": "layers", "diff_ids": [*map(str, base.diff_ids), *(str(each.diff_id) for each in layers)]},
        "history": [*_history(told.get("history") or [], below), *({"created": _CREATED} for _ in layers)],
    }
    for private in ("container", "container_config", "docker_version", "id", "parent"):  # of whoever made the base
        config.pop(private, None)
    body = _json(config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": Blob(CONFIGS[kind], Digest.of_bytes(body), len(body)).told,
        "layers": [
            *(each.told for each in base.layers),
            *(Blob(LAYERS[kind], each.digest, each.size_bytes).told for each in layers),
        ],
    }
    return Image(_json(manifest), body)


def as_oci(image: Image) -> Image:
    """Return ``image`` in OCI's words, layers and config as they are: layouts take no others. Its digest is another."""
    if image.media_type == OCI:
        return image
    said = image.said
    config = {**said["config"], "mediaType": CONFIGS[OCI]}
    layers = [{**each, "mediaType": LAYERS[OCI]} for each in said["layers"]]
    return Image(_json({**said, "mediaType": OCI, "config": config, "layers": layers}), image.config)


def _history(rows: Sequence[Mapping[str, Any]], layers: int) -> list[Mapping[str, Any]]:
    """Return ``rows`` with exactly one for each layer, besides those of steps that made none: Lambda counts them.

    AWS's own bases say nothing of theirs.
    """
    missing = layers - sum(not row.get("empty_layer") for row in rows)
    return (
        [*rows, *({"created": _CREATED} for _ in range(missing))] if missing >= 0 else [{"created": _CREATED}] * layers
    )


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

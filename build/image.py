"""The words of container images: what an image is, apart from the bytes of its layers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from build.digest import Digest

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


class Layer(NamedTuple):
    """A layer as a manifest and a config speak of it."""

    digest: Digest
    """Of the compressed bytes."""
    size_bytes: int
    diff_id: Digest
    """Of the tar."""
    unpacked_bytes: int
    """Of the tar: what Lambda's quota of an image counts."""
    title: str = ""
    """What it holds, for the history of the image."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of an archive of the store, to be laid on an image."""

    archive: Path
    key: Digest
    """Of everything that enters its bytes."""
    folder: str
    """Where it lands in the image, such as ``var/task``."""
    start: int = 0
    end: int | None = None
    """Which of the archive's members it is; to the last."""
    title: str = ""
    """What it is; large packages in it are called by their own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """An image, and what it is made of."""

    image: Image
    base: Image | None
    """What it is made on; None where a Dockerfile made it: then all its layers are in the store."""
    parts: tuple[Part, ...]

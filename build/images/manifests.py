"""Manifests and configs: what an image is, apart from the bytes of its layers.

One manifest for one architecture, in the words of its base: Lambda takes Docker's (v2, schema 2) and OCI's, but no
index, and no mixture. https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from build.digest import Digest
from build.errors import InputError
from build.image import CONFIGS, LAYERS, OCI, Blob, Image, Layer
from build.images.tar import MTIME_S
from build.model import Architecture

ARCHITECTURES = {Architecture.X86_64: "amd64", Architecture.ARM64: "arm64"}
"""As images call them: those of Go."""
_CREATED = datetime.fromtimestamp(MTIME_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
"""No clock may enter the digest."""


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
        "history": [*_history(told.get("history") or [], below), *map(_step, layers)],
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


def scratch(architecture: str) -> Image:
    """Return an image without layers and settings, to be `put_on`; ``architecture`` as images call it."""
    config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
    return Image(_json({"mediaType": OCI, "layers": []}), _json(config))


def as_oci(image: Image) -> Image:
    """Return ``image`` in OCI's words, layers and config as they are: layouts take no others. Its digest is another."""
    if image.media_type == OCI:
        return image
    said = image.said
    config = {**said["config"], "mediaType": CONFIGS[OCI]}
    layers = [{**each, "mediaType": LAYERS[OCI]} for each in said["layers"]]
    return Image(_json({**said, "mediaType": OCI, "config": config, "layers": layers}), image.config)


def _step(layer: Layer) -> Mapping[str, Any]:
    return {"created": _CREATED, **({"created_by": layer.title} if layer.title else {})}


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

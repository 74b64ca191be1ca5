"""Images of a few bytes, with whatever is wrong with them."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from build.digest import Digest
from build.image import CONFIGS, LAYERS, OCI, Blob, Image
from build.store.objects import Store

Member = tuple[str, int, bytes | None]
"""Path, mode, content; None for a folder."""
PINNED = "@sha256:" + "5" * 64
AWS_START = ("/lambda-entrypoint.sh",)
PYTHON_START = ("/usr/local/bin/python", "-m", "awslambdaric")


def tar(members: Sequence[Member]) -> bytes:
    """Return a tar of exactly these, in this order."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, mode, content in members:
            info = tarfile.TarInfo(name)
            info.mode, info.size = mode, len(content or b"")
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            archive.addfile(info, io.BytesIO(content or b""))
    return held.getvalue()


def tree(files: Mapping[str, str | bytes]) -> list[Member]:
    """Return ``files`` with their folders before them, as everybody may read them."""
    members: dict[str, Member] = {}
    for path, text in files.items():
        above = path.split("/")[:-1]
        for count in range(1, len(above) + 1):
            folder = "/".join(above[:count])
            members.setdefault(folder, (folder, 0o755, None))
        members[path] = (path, 0o644, text.encode() if isinstance(text, str) else text)
    return list(members.values())


def layer(files: Mapping[str, str | bytes]) -> bytes:
    """Return a layer of ``files`` that nothing is wrong with."""
    return gzip.compress(tar(tree(files)), mtime=0)


def make_image(
    store: Store | None,
    *layers: bytes,
    settings: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    kind: str = OCI,
    types: Mapping[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Image:
    """Return an image of ``layers``, which are put into ``store`` if there is one.

    ``config`` replaces what the config says, ``types`` its media types (``config``, ``layer``), ``more`` what the
    manifest says.
    """
    body = {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Entrypoint": list(AWS_START),
            "Cmd": ["app.handler"],
            "WorkingDir": "/var/task",
            **(settings or {}),
        },
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of_bytes(data)) for data in layers]},
        **(config or {}),
    }
    written = json.dumps(body).encode()
    named = {"config": CONFIGS[OCI], "layer": LAYERS[OCI]} if kind not in CONFIGS else {}
    named = {"config": CONFIGS.get(kind, ""), "layer": LAYERS.get(kind, ""), **named, **(types or {})}
    blobs = [Blob(named["layer"], Digest.of_bytes(data), len(data)).told for data in layers]
    told = Blob(named["config"], Digest.of_bytes(written), len(written)).told
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": told, "layers": blobs, **(more or {})}
    for data in layers if store else ():
        assert store
        with store.scratch() as folder:
            (folder / "layer").write_bytes(data)
            store.keep(folder / "layer", store.blob(Digest.of_bytes(data)))
    return Image(json.dumps(manifest).encode(), written)

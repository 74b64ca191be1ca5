"""Images made by hand, member by member: what no builder of ours writes."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from build.digest import Digest
from build.image import CONFIGS, LAYERS, OCI, Blob, Image
from build.images.manifests import ARCHITECTURES
from build.project.profiles import host_architecture

Member = tuple[str, bytes | str | None] | tuple[str, bytes | str | None, dict[str, Any]]


def tar(*members: Member) -> bytes:
    """Return a tar; a member is its name, its content (None: a folder) and whatever else its header is to say."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content, *rest in members:
            info = tarfile.TarInfo(name)
            data = content.encode() if isinstance(content, str) else content or b""
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.mode, info.size = (0o755 if content is None else 0o644), len(data)
            for key, value in (rest[0] if rest else {}).items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def symlink(name: str, target: str) -> Member:
    """Return a symbolic link."""
    return name, b"", {"type": tarfile.SYMTYPE, "linkname": target}


def hardlink(name: str, target: str) -> Member:
    """Return a hard link."""
    return name, b"", {"type": tarfile.LNKTYPE, "linkname": target}


class Crafted:
    """An image and where its layers lie."""

    def __init__(self, folder: Path, *layers: bytes, **settings: Any) -> None:
        """Make it of tars, the lowest first; ``settings`` are Env, Cmd and so on."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        blobs = []
        for layer in layers:
            packed = gzip.compress(layer, mtime=0)
            blobs.append(Blob(LAYERS[OCI], Digest.of_bytes(packed), len(packed)))
            (folder / blobs[-1].digest.hex).write_bytes(packed)
        config = json.dumps(
            {
                "architecture": ARCHITECTURES[host_architecture()],
                "os": "linux",
                "config": settings,
                "rootfs": {
                    "type": "layers",
                    "diff_ids": [f"sha256:{hashlib.sha256(each).hexdigest()}" for each in layers],
                },
            }
        ).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": Blob(CONFIGS[OCI], Digest.of_bytes(config), len(config)).told,
            "layers": [blob.told for blob in blobs],
        }
        self.image = Image.read(json.dumps(manifest).encode(), config)
        self.asked: list[Blob] = []

    @property
    def content(self) -> Callable[[Blob], Path]:
        """What a push asks for the files of layers and the config."""
        (self._folder / self.image.config_blob.digest.hex).write_bytes(self.image.config)
        return lambda blob: self._folder / blob.digest.hex

    @contextmanager
    def fetch(self, blob: Blob) -> Iterator[Path]:
        """Give the file of a layer, and remember that it was asked for."""
        self.asked.append(blob)
        yield self._folder / blob.digest.hex

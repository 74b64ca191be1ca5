"""Images on disk: OCI layouts, which take what a registry takes, and archives for `docker load`.

https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
"""

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.digest import Digest
from build.errors import InputError
from build.image import OCI, Blob, Image
from build.images.manifests import as_oci
from build.images.tar import MTIME_S

_NAME = "org.opencontainers.image.ref.name"
_MARK = json.dumps({"imageLayoutVersion": "1.0.0"})


@dataclass(frozen=True, slots=True)
class Layout:
    """A folder of images. Several may be in it, each under a tag."""

    root: Path

    def write(self, image: Image, content: Callable[[Blob], Path], *, tag: str) -> None:
        """Put ``image`` into it under ``tag``; what is there already stays as it is, and the index comes last.

        ``content`` gives the file of a layer. Where it can be, that is a hard link and no copy.
        """
        (self.root / "blobs/sha256").mkdir(parents=True, exist_ok=True)
        for layer in dict.fromkeys(image.layers):
            place = self.blob(layer.digest)
            if not place.is_file():
                _linked(content(layer), place)
        for data in (image.config, image.manifest):
            _written(self.blob(Digest.of_bytes(data)), data)
        _written(self.root / "oci-layout", _MARK.encode())
        rows = [row for row in self._rows() if row.get("annotations", {}).get(_NAME) != tag]
        told = Blob(image.media_type, image.digest, len(image.manifest)).told
        rows.append({**told, "annotations": {_NAME: tag}})
        index = {"schemaVersion": 2, "manifests": rows}
        _written(self.root / "index.json", json.dumps(index, indent=1).encode())

    def read(self, name: str) -> Image | None:
        """Return the image that ``name``, a tag or a digest, names, or None; its layers are at `blob`."""
        for row in self._rows():
            if name in (row["digest"], row.get("annotations", {}).get(_NAME)):
                manifest = self.blob(Digest.parse(row["digest"])).read_bytes()
                config = self.blob(Image(manifest, b"").config_blob.digest).read_bytes()
                return Image.read(manifest, config)
        return None

    def blob(self, digest: Digest) -> Path:
        """Return where the layer, config or manifest with ``digest`` is, or would be."""
        return self.root / "blobs/sha256" / digest.hex

    def _rows(self) -> list[dict[str, Any]]:
        index = self.root / "index.json"
        return list(json.loads(index.read_bytes())["manifests"]) if index.is_file() else []


def export_layout(image: Image, content: Callable[[Blob], Path], folder: Path, *, tag: str) -> None:
    """Write ``image`` as an OCI layout to the new ``folder``, whole or not at all, in OCI's words whatever its own.

    Raises InputError if the folder is there.
    """
    _refuse_old(folder)
    draft = folder.with_name(f".{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        Layout(draft).write(as_oci(image), content, tag=tag)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def export_archive(image: Image, content: Callable[[Blob], Path], file: Path, *, tag: str) -> None:
    """Write ``image`` to the new ``file`` so that `docker load` and `podman load` take it, whole or not at all.

    It is a layout as well, in a tar. ``tag`` is what they call it, such as ``report:latest``.
    Raises InputError if the file is there.
    """
    _refuse_old(file)
    draft = file.with_name(f".{file.name}.draft")
    paths = {layer: f"blobs/sha256/{layer.digest.hex}" for layer in image.layers}
    legacy = [
        {"Config": f"blobs/sha256/{image.config_blob.digest.hex}", "RepoTags": [tag], "Layers": [*paths.values()]}
    ]
    told = {**Blob(image.media_type, image.digest, len(image.manifest)).told, "annotations": {_NAME: tag}}
    texts = {
        "oci-layout": _MARK.encode(),
        "index.json": json.dumps({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [told]}).encode(),
        "manifest.json": json.dumps(legacy).encode(),
        f"blobs/sha256/{image.digest.hex}": image.manifest,
        f"blobs/sha256/{image.config_blob.digest.hex}": image.config,
    }
    try:
        with tarfile.open(draft, "w", format=tarfile.PAX_FORMAT) as archive:
            for name, data in texts.items():
                archive.addfile(_member(name, len(data)), io.BytesIO(data))
            for layer, name in paths.items():
                with content(layer).open("rb") as stream:
                    archive.addfile(_member(name, layer.size_bytes), stream)
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


_INDEX = OCI.replace("manifest", "index")


def _member(name: str, size_bytes: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size_bytes, MTIME_S, 0o644
    return member


def _refuse_old(place: Path) -> None:
    if place.exists():
        raise InputError(
            f"{place} is there already", hint="name a place where nothing is, or remove it, then run the command again"
        )


def _linked(source: Path, place: Path) -> None:
    draft = place.with_name(f".{place.name}.draft")
    draft.unlink(missing_ok=True)
    try:
        draft.hardlink_to(source)
    except OSError:  # another file system
        shutil.copyfile(source, draft)
    draft.replace(place)


def _written(place: Path, data: bytes) -> None:
    if place.is_file() and place.read_bytes() == data:
        return
    draft = place.with_name(f".{place.name}.draft")
    draft.write_bytes(data)
    draft.replace(place)

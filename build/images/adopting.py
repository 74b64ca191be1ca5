"""Images that another tool built, made ours: what follows from their content stays, all else goes.

Gone are times, names of hosts and containers, labels of the tool, history, and how layers were compressed. What remains
is one OCI manifest, one layer of gzip for each of the tool's, and in the config what a container starts with.
"""

import gzip
import json
import shutil
import tarfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from build.digest import Digest
from build.errors import ToolError
from build.image import Layer
from build.images.dating import Seconds, dated, modules_in
from build.images.layers import FORMAT, write_tar
from build.store.objects import Store, untouched

_FORMAT = 1
_NOTE = "dated-layer"
_SETTINGS = tuple("User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal".split())
_OF_THE_TOOL = "io.buildah."
"""What labels begin with that say which tool it was."""
_GZIP = b"\x1f\x8b"

Watch = Callable[[Iterator[bytes]], Iterator[bytes]]
"""Passes on what it is given, and raises for what must not ship."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What another tool built; the bytes of its layers are in the store."""

    architecture: str
    """As images call it: amd64, arm64."""
    settings: dict[str, Any]
    """What a container starts with."""
    layers: tuple[Layer, ...]
    """The lowest first."""
    keys: tuple[Digest, ...]
    """What each of them is remembered by."""

    @property
    def noted(self) -> dict[str, Any]:
        """The same as JSON has it."""
        return {
            "architecture": self.architecture,
            "settings": self.settings,
            "layers": list(map(str, self.keys)),
        }

    @classmethod
    def read(cls, note: Any, store: Store) -> "Adopted | None":
        """Read what `noted` gave; None where bytes of a layer are gone."""
        keys = tuple(map(Digest.parse, note["layers"]))
        found = [_recalled(key, store) for key in keys]
        layers = tuple(layer for layer in found if layer)
        if len(layers) < len(keys):
            return None
        return cls(architecture=note["architecture"], settings=note["settings"], layers=layers, keys=keys)


def adopt(archive: Path, store: Store, *, watch: Watch) -> Adopted:
    """Take in the image in ``archive``, which is as `docker save` writes it, and put its layers into ``store``.

    ``watch`` sees every layer and the config. Raises ToolError for what cannot be read.
    """
    try:
        with tarfile.open(archive, mode="r:") as opened:
            told = json.load(_member(opened, "manifest.json"))[0]
            config = json.load(_member(opened, told["Config"]))
            keys = _keys(config["rootfs"]["diff_ids"])
            layers = tuple(_layers(opened, told["Layers"], keys, store, watch))
    except (tarfile.TarError, EOFError, LookupError, TypeError, ValueError, gzip.BadGzipFile, zlib.error) as reason:
        raise ToolError(
            "what the tool wrote is no image as `docker save` writes it",
            facts=[repr(reason)],
            hint="run `invoke build` with another tool, such as SLIPWAY_CONTAINER_BUILDER=buildah",
        ) from None
    settings = {key: value for key, value in config.get("config", {}).items() if key in _SETTINGS and value}
    labels = {key: value for key, value in settings.pop("Labels", {}).items() if not key.startswith(_OF_THE_TOOL)}
    settings |= {"Labels": labels} if labels else {}
    tuple(watch(iter([json.dumps(settings, ensure_ascii=False).encode()])))
    return Adopted(architecture=str(config.get("architecture", "")), settings=settings, layers=layers, keys=keys)


def _keys(diff_ids: list[str]) -> tuple[Digest, ...]:
    """Return the key of each layer: what becomes of one follows from it and from those below it."""
    said = [(_FORMAT, FORMAT, *diff_ids[:number]) for number in range(1, len(diff_ids) + 1)]
    return tuple(Digest.of_bytes(" ".join(map(str, words)).encode()) for words in said)


def _layers(
    archive: tarfile.TarFile, names: list[str], keys: tuple[Digest, ...], store: Store, watch: Watch
) -> Iterator[Layer]:
    """Yield the layers, dated."""
    modules: Seconds = {}
    for name, key in zip(names, keys, strict=True):
        with store.scratch() as folder, _unpacked(_member(archive, name), folder / "tar") as stream:
            modules |= modules_in(stream)
            pieces = watch(dated(stream, modules))
            known = _recalled(key, store)
            if known:
                deque(pieces, maxlen=0)  # what must not ship may be something else than it was then
                yield known
                continue
            layer = write_tar(pieces, folder / "layer")
            store.keep(folder / "layer", store.blob(layer.digest))
        row = [str(layer.digest), layer.size_bytes, str(layer.diff_id), layer.unpacked_bytes]
        store.remember(_NOTE, key, row)
        yield layer


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise LookupError(name)
    return found


def _unpacked(stream: IO[bytes], place: Path) -> IO[bytes]:
    """Return a tar that can be read at any place; one of gzip goes to ``place`` first."""
    start = stream.read(2)
    stream.seek(0)
    if start != _GZIP:
        return stream
    with gzip.open(stream) as packed, place.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked, 1 << 20)
    return place.open("rb")


def _recalled(key: Digest, store: Store) -> Layer | None:
    """Return the layer that was remembered by ``key``; None where its bytes are gone."""
    layer = store.recall(_NOTE, key, _layer)
    return layer if layer and untouched(store.blob(layer.digest), layer.size_bytes) else None


def _layer(note: Any) -> Layer:
    digest, size_bytes, diff_id, unpacked_bytes = note
    return Layer(Digest.parse(digest), int(size_bytes), Digest.parse(diff_id), int(unpacked_bytes))

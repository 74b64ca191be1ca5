"""Base images: named by digest, fetched once, kept in the store. The layers come when somebody needs their bytes."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from build.digest import Digest
from build.errors import InputError
from build.image import Blob, Image
from build.images.manifests import ARCHITECTURES
from build.images.pushing import pull_image
from build.images.registry import INDEXES, Fetched, Registry
from build.model import Architecture, Runtime
from build.rules.references import Reference
from build.store.objects import Store, untouched

GALLERY = "public.ecr.aws/lambda/python"
"""Where AWS publishes its bases: https://docs.aws.amazon.com/lambda/latest/dg/python-image.html."""
_NOTE = "base"

Credentials = Callable[[str], Callable[[], tuple[str, str]] | None]
"""Gives for a host what gives name and password; None for a host that wants none."""


@dataclass(slots=True)
class Bases:
    """The way to base images. Threads may share it."""

    store: Store
    credentials: Credentials = lambda _: None
    say: Callable[[str], None] = lambda _: None
    _registries: dict[str, Registry] = field(init=False, default_factory=dict)
    _lock: Lock = field(init=False, default_factory=Lock)

    def known(self, reference: Reference) -> Image | None:
        """Return the image if it was fetched before; its layers need not be here."""
        return self.store.recall(_NOTE, _key(reference), _read)

    def image(self, reference: Reference) -> Image:
        """Return the image of a pinned ``reference``.

        Raises ToolError where it cannot be had, InputError for what is no image, such as an index of several.
        """
        known = self.known(reference)
        if known:
            return known
        self.say(f"asking {reference.host} for {reference.repository}")
        registry = self._registry(reference)
        with self.store.scratch() as folder:
            try:
                image = pull_image(registry, reference.repository, str(reference.digest), folder)
            except (LookupError, TypeError, ValueError):
                raise _no_image(reference, registry.manifest(reference.repository, str(reference.digest))) from None
        self.store.remember(
            _NOTE, _key(reference), {"manifest": image.manifest.decode(), "config": image.config.decode()}
        )
        return image

    def layer(self, reference: Reference, blob: Blob) -> Path:
        """Return the file of a layer, fetched if it is not here."""
        path = self.store.blob(blob.digest)
        if untouched(path, blob.size_bytes):
            return path
        passed = 0

        def tell(count: int) -> None:
            nonlocal passed
            before, passed = passed, passed + count
            if passed * 10 // blob.size_bytes > before * 10 // blob.size_bytes:
                self.say(f"{reference.repository}: {passed / 1e6:.1f} of {blob.size_bytes / 1e6:.1f} MB of a layer")

        with self.store.scratch() as folder:
            self._registry(reference).pull(reference.repository, blob.digest, folder / "layer", tell=tell)
            return self.store.keep(folder / "layer", path)

    def is_here(self, reference: Reference) -> bool:
        """Tell whether the image is here with all its layers."""
        known = self.known(reference)
        layers = known.layers if known else ()
        return known is not None and all(untouched(self.store.blob(each.digest), each.size_bytes) for each in layers)

    def pull(self, reference: Reference, pool: Executor) -> Image:
        """Fetch the image with all its layers, as far as they are not here."""
        image = self.image(reference)
        tuple(pool.map(lambda blob: self.layer(reference, blob), dict.fromkeys(image.layers)))
        return image

    def newest(self, reference: Reference, architecture: Architecture) -> Reference:
        """Return what the tag of ``reference`` names for ``architecture`` now, by the digest of its manifest."""
        registry = self._registry(reference)
        found = registry.manifest(reference.repository, reference.tag)
        if found.media_type not in INDEXES:
            return Reference(reference.host, reference.repository, reference.tag, found.digest)
        wanted = f"linux/{ARCHITECTURES[architecture]}"
        offered = _offered(found)
        for platform, digest in offered:
            if platform == wanted:
                return Reference(reference.host, reference.repository, reference.tag, Digest.parse(digest))
        raise InputError(
            f"{reference} has no image for {architecture}",
            facts=[f"expected {wanted}, got {', '.join(platform for platform, _ in offered) or 'none'}"],
            hint="set `base_image` in the function.toml to one that has, then run `invoke build`",
        )

    def _registry(self, reference: Reference) -> Registry:
        host = reference.host
        with self._lock:  # its connections and tokens are shared
            if host not in self._registries:
                self._registries[host] = Registry(host, self.credentials(host), plain=reference.is_on_loopback)
            return self._registries[host]


def of_aws(runtime: Runtime) -> Reference:
    """Return what AWS calls the newest base of ``runtime``."""
    return Reference.parse(f"{GALLERY}:{runtime.version}")


def _key(reference: Reference) -> Digest:
    assert reference.digest, "pinned, as settings are checked"
    return reference.digest


def _offered(index: Fetched) -> list[tuple[str, str]]:
    """Return OS/ARCHITECTURE and digest of every image of an index; of what is none, nothing."""
    rows = json.loads(index.body).get("manifests", ()) if index.media_type in INDEXES else ()
    platforms = [row.get("platform") or {} for row in rows]
    return [
        (f"{platform.get('os')}/{platform.get('architecture')}", str(row["digest"]))
        for platform, row in zip(platforms, rows, strict=True)
    ]


def _no_image(reference: Reference, found: Fetched) -> InputError:
    return InputError(
        f"{reference} is no image",
        facts=[f"expected one for one architecture, got {found.media_type}"]
        + [f"in it, for {platform}: {digest}" for platform, digest in _offered(found)],
        hint="pin the digest of one image in `base_image` of the function.toml, then run `invoke image.pull-base`",
    )


def _read(note: Mapping[str, str]) -> Image:
    return Image.read(note["manifest"].encode(), note["config"].encode())

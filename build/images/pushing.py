"""Bring an image to a registry: what is not there yet, several layers at once, and the manifest last."""

from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from build.image import Blob, Image
from build.images.registry import Registry

_WORTH_TELLING_BYTES = 1_000_000


def push_image(
    image: Image,
    registry: Registry,
    repository: str,
    *,
    content: Callable[[Blob], Path],
    pool: Executor,
    mount: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> bool:
    """Make sure that ``repository`` has ``image``, tagged with its own digest; tell whether anything had to be sent.

    ``content`` gives the file that holds a layer; it is asked for no layer that is there, or that the repository
    ``mount`` has. Until everything has come, there is neither manifest nor tag.
    """
    tag = image.digest.hex
    if registry.has_manifest(repository, tag):
        return False
    layers = dict.fromkeys(image.layers)

    def push(blob: Blob) -> None:
        passed = 0

        def tell(count: int) -> None:
            nonlocal passed
            before, passed = passed, passed + count
            tenth = max(blob.size_bytes // 10, 1)
            if blob.size_bytes >= _WORTH_TELLING_BYTES and passed // tenth > before // tenth:
                say(f"{repository}: layer {blob.digest.short}: {passed / 1e6:.1f} of {blob.size_bytes / 1e6:.1f} MB")

        registry.push(repository, blob.digest, lambda: content(blob), mount=mount, tell=tell)

    tuple(pool.map(push, sorted(layers, key=lambda blob: -blob.size_bytes)))
    config = image.config_blob
    registry.push(repository, config.digest, lambda: content(config))
    registry.put_manifest(repository, tag, image.media_type, image.manifest)
    return True


def pull_image(registry: Registry, repository: str, reference: str, folder: Path) -> Image:
    """Return the image that ``reference``, a tag or a digest, names, without its layers; ``folder`` is for a moment."""
    found = registry.manifest(repository, reference)
    config = Blob.read(Image(found.body, b"").said["config"])
    registry.pull(repository, config.digest, folder / "config")
    return Image.read(found.body, (folder / "config").read_bytes())

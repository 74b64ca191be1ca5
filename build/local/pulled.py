"""Images that functions of the embedded cloud run, unpacked: each is looked up once, and several are so at a time."""

import threading
from pathlib import Path

from build.errors import SlipwayError
from build.image import Image
from build.local.images import Depot
from build.local.refusals import NotRunnableError
from build.local.roots import root_of
from build.rules.references import Reference


class Images:
    """The way from an image's URI to its file system. Any number of threads may ask."""

    def __init__(self, depot: Depot, generated: Path) -> None:
        self._depot = depot
        self._generated = generated
        self._known: dict[str, Image] = {}
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def of(self, uri: str) -> tuple[Image, Path]:
        """Return the image at ``uri``, whatever its host is called, and its file system.

        A tag is looked up every time, where Lambda stays with what it named when the function was updated.
        Raises NotRunnableError where there is none, and SlipwayError for one that cannot be unpacked.
        """
        try:
            reference = Reference.parse(uri)
        except ValueError as why:
            raise _missing(uri, str(why)) from None
        with self._lock:
            lock = self._locks.setdefault(reference.repository, threading.Lock())
        with lock:
            image = self._known.get(uri) or self._depot.read(reference.repository, reference.name)
            if image is None:
                raise _missing(uri, f"looked for in {self._depot.kept_in}")
            if reference.digest:
                self._known[uri] = image
            return image, root_of(self._generated, image, lambda layer: self._depot.layer(reference.repository, layer))


def _missing(uri: str, why: str) -> SlipwayError:
    return NotRunnableError(
        f"the embedded cloud does not have the image {uri}",
        facts=[why],
        hint="run `invoke deploy --env local`, which pushes it",
    )

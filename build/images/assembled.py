"""Images without a Dockerfile: a base, the distributions, and the folder's own code last.

Lambda flattens an image once and shares blocks of 512 KiB between all that have them at the same place
(https://arxiv.org/abs/2305.13162), so that what many functions have in common comes in the same order and the same
layers everywhere: large packages alone, the rest together, code in a layer of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

from build.digest import Digest
from build.image import Assembled, Blob, Image, Layer, Part
from build.images.layers import FORMAT, write_layer
from build.images.manifests import put_on
from build.store.objects import Store, untouched
from build.zips.archives import read_back
from build.zips.trees import Entry, Tree

LARGE_BYTES = 5_000_000
"""Compressed. A package from this size on has a layer of its own, which others that hold it share."""
MOST_ALONE = 6
"""Layers of large packages in one part: each is a request or two at every push, and Lambda's dedup needs none."""
_NOTE = "layer"
_ZIPS = "image"


def content_of(made: Assembled, store: Store, pull: Callable[[Blob], Path]) -> Callable[[Blob], Path]:
    """Return what gives the file of a layer or the config: from ``store``, made again, or of the base, pulled."""
    below = set(made.base.layers) if made.base else set()
    wanted = made.image.config_blob

    def found(blob: Blob) -> Path:
        path = store.blob(blob.digest)
        if untouched(path, blob.size_bytes):
            return path
        if blob == wanted:
            return _kept(made.image.config, store)
        if blob in below:
            return pull(blob)
        for part in made.parts:
            if any(layer.digest == blob.digest for layer in layers_of(part, store)):
                make_layers(part, store)
        return path

    return found


def assemble(base: Image, parts: Sequence[Part], store: Store, pool: Executor, *, command: Sequence[str]) -> Assembled:
    """Return ``base`` with every one of ``parts`` on it; what is not known yet is made, several layers at once."""
    layers = [layer for part in parts for layer in layers_of(part, store, pool)]
    return Assembled(image=put_on(base, layers, command=command, settings={}), base=base, parts=tuple(parts))


def layers_of(part: Part, store: Store, pool: Executor | None = None) -> tuple[Layer, ...]:
    """Return the layers of ``part``, in their order; made if nobody made them before. Their bytes need not be here."""
    return store.recall(_NOTE, part.key, _read) or make_layers(part, store, pool)


def make_layers(part: Part, store: Store, pool: Executor | None = None) -> tuple[Layer, ...]:
    """Make the layers of ``part``, put their bytes into ``store``, and remember what they are.

    With ``pool`` several at once, the largest first: begun last it would be waited for alone.
    """
    pieces = dict(split(tree_of(part)))

    def make(package: str) -> Layer:
        with store.scratch() as folder:
            layer = write_layer(pieces[package], part.folder, folder / "layer")
            if not untouched(store.blob(layer.digest), layer.size_bytes):
                store.keep(folder / "layer", store.blob(layer.digest))
        return layer._replace(title=package or part.title)

    by_size = sorted(pieces, key=lambda package: -sum(entry.size_bytes for entry in pieces[package]))
    layers = dict(zip(by_size, (pool.map if pool else map)(make, by_size), strict=True))
    made = tuple(layers[package] for package in pieces)
    rows = [[str(each.digest), each.size_bytes, str(each.diff_id), each.unpacked_bytes, each.title] for each in made]
    store.remember(_NOTE, part.key, rows)
    return made


def remember_zips(image: Image, zips: Sequence[Digest], store: Store) -> None:
    """Remember what ``image`` was made of: the zip of the code, and those of its Lambda layers."""
    if zips_of(image.digest, store) != tuple(zips):
        store.remember(_ZIPS, image.digest, list(map(str, zips)))


def zips_of(image: Digest, store: Store) -> tuple[Digest, ...]:
    """Return what the image with this digest was made of, as far as anybody knows: nothing, or the code's zip first."""
    return store.recall(_ZIPS, image, lambda note: tuple(map(Digest.parse, note))) or ()


def tree_of(part: Part) -> Tree:
    """Return the entries of ``part``, sorted by path."""
    members = read_back(part.archive)[part.start : part.end]
    return tuple(sorted(Entry(*member[:6], part.archive, member[6], "") for member in members))


def split(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield ``tree`` in layers: large packages alone, by their names, then all the rest, which has none."""
    packages: dict[str, list[Entry]] = {}
    for entry in tree:
        packages.setdefault(_package(entry.path), []).append(entry)
    sizes = {name: sum(entry.compressed_bytes for entry in entries) for name, entries in packages.items()}
    large = sorted((name for name in packages if name and sizes[name] >= LARGE_BYTES), key=lambda name: -sizes[name])
    alone = sorted(large[:MOST_ALONE])
    yield from ((name, tuple(packages.pop(name))) for name in alone)
    rest = tuple(sorted(entry for entries in packages.values() for entry in entries))
    if rest:
        yield "", rest


def key_of(*words: object) -> Digest:
    """Return the key of a part that follows from ``words``, and from the format of layers."""
    return Digest.of_bytes(" ".join(map(str, ("layers", FORMAT, LARGE_BYTES, MOST_ALONE, *words))).encode())


def _package(path: str) -> str:
    """Return the top folder of ``path``, or in a Lambda layer the one below ``python``; empty for a file there.

    Shared libraries that auditwheel puts beside a package belong to it: ``numpy.libs`` to ``numpy``.
    """
    folders = path.split("/")[:-1]
    below = folders[1:] if folders[:1] == ["python"] else folders
    return below[0].removesuffix(".libs") if below else ""


def _kept(data: bytes, store: Store) -> Path:
    with store.scratch() as folder:
        (folder / "blob").write_bytes(data)
        return store.keep(folder / "blob", store.blob(Digest.of_bytes(data)))


def _read(note: list[list[object]]) -> tuple[Layer, ...]:
    return tuple(
        Layer(Digest.parse(str(digest)), int(str(size)), Digest.parse(str(diff_id)), int(str(unpacked)), str(title))
        for digest, size, diff_id, unpacked, title in note
    )

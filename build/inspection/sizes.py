"""What takes the room in an artifact: a tree of distributions, folders and files with their unzipped bytes."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from build.inspection.contents import Contents, File, bytes_by_kind
from build.model import Artifact
from build.rules.quotas import UNZIPPED_BYTES

OWN_SOURCE = "its own src/"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Something that takes room."""

    name: str
    version: str = ""
    """Of a distribution."""
    size_bytes: int
    """Unzipped."""
    kinds: Mapping[str, int]
    """Unzipped bytes per kind of file (`contents.KINDS`)."""
    children: tuple["Node", ...] = ()
    """The largest first; a file has none."""

    def to_json(self, depth: int) -> dict[str, Any]:
        """Return it as JSON, with ``depth`` levels of what is inside."""
        row: dict[str, Any] = {"name": self.name}
        if self.version:
            row["version"] = self.version
        row |= {"unzipped_bytes": self.size_bytes, "kinds": dict(self.kinds)}
        if depth and self.children:
            row["holds"] = [child.to_json(depth - 1) for child in self.children]
        return row


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What takes the room in a function with its layers, or in a layer."""

    tree: Node
    zip_bytes: int
    """Of its zip, without those of its layers."""
    saved: Mapping[str, int]
    """Slimming rule to unzipped bytes that it left out, layers included."""

    @property
    def share(self) -> float:
        """Of AWS's quota, which counts function and layers together; above 1 it is refused."""
        return self.tree.size_bytes / UNZIPPED_BYTES

    def to_json(self, depth: int) -> dict[str, Any]:
        """Return it as JSON, with ``depth`` levels of what is inside."""
        totals = {"zip_bytes": self.zip_bytes, "quota_bytes": UNZIPPED_BYTES, "saved_bytes": dict(self.saved)}
        return {**totals, **self.tree.to_json(depth)}


def sizes_of(artifact: Artifact, layers: Sequence[Artifact], read: Callable[[Path], Contents]) -> Sizes:
    """Return the sizes of ``artifact`` and its ``layers``, whose zips ``read`` opens."""
    inside = [size_tree(layer.place, read(layer.path)) for layer in layers]
    saved: Counter[str] = Counter()
    for each in (artifact, *layers):
        saved.update(each.saved)
    return Sizes(
        tree=size_tree(artifact.place, read(artifact.path), inside),
        zip_bytes=artifact.size_bytes,
        saved=dict(saved.most_common()),
    )


def shown_bytes(size_bytes: int) -> str:
    """Return ``12.3 MB``, ``45 kB`` or ``6 B``."""
    if size_bytes >= 100_000:
        return f"{size_bytes / 1e6:.1f} MB"
    return f"{size_bytes / 1e3:.0f} kB" if size_bytes >= 1000 else f"{size_bytes} B"


def size_tree(name: str, contents: Contents, inside: Iterable[Node] = ()) -> Node:
    """Return the tree of an artifact: its distributions and own source, and the trees ``inside``, those of its layers.

    Below a distribution stand its folders, the first two levels of them as one.
    """
    by_owner = _grouped(contents.files, lambda file: file.owner)
    several = len({held.folder for held in contents.distributions}) > 1
    parts = []
    for held, files in by_owner.items():
        folder = held.folder if held else _source_folder(contents)
        folders = _folders(files, f"{folder}/" if folder else "")
        if held is None:
            parts.append(_node(OWN_SOURCE, folders))
            continue
        # A layer for several runtimes may hold a distribution for each.
        of_runtime = f" ({held.folder.split('/')[2]})" if several else ""
        parts.append(_node(f"{held.name}{of_runtime}", folders, version=held.version))
    return _node(name, [*parts, *inside])


def _folders(files: Iterable[File], prefix: str, levels: int = 2) -> list[Node]:
    """Return ``files`` below ``prefix`` by folder: the first ``levels`` of them as one, deeper ones one by one."""

    def folder(file: File) -> str:
        return "/".join(_place(file).removeprefix(prefix).split("/")[:-1][:levels])

    nodes = []
    for name, inside in _grouped(files, folder).items():
        if name:
            nodes.append(_node(name, _folders(inside, f"{prefix}{name}/", levels=1)))
        else:
            nodes += [_leaf(file) for file in inside]
    return nodes


def _place(file: File) -> str:
    """Return its path; bytecode stands beside its module."""
    return file.path.replace("__pycache__/", "")


def _leaf(file: File) -> Node:
    return Node(name=file.path.rpartition("/")[2], size_bytes=file.size_bytes, kinds=bytes_by_kind([file]))


def _node(name: str, children: Iterable[Node], *, version: str = "") -> Node:
    ordered = tuple(sorted(children, key=lambda child: (-child.size_bytes, child.name)))
    kinds: dict[str, int] = {}
    for child in ordered:
        for kind, count in child.kinds.items():
            kinds[kind] = kinds.get(kind, 0) + count
    return Node(
        name=name,
        version=version,
        size_bytes=sum(child.size_bytes for child in ordered),
        kinds=kinds or bytes_by_kind(()),
        children=ordered,
    )


def _grouped(files: Iterable[File], key: Callable[[File], _T]) -> dict[_T, list[File]]:
    groups: dict[_T, list[File]] = {}
    for file in files:
        groups.setdefault(key(file), []).append(file)
    return groups


def _source_folder(contents: Contents) -> str:
    """Return where the artifact's own source is: below python/ in a layer."""
    return "python" if contents.files and all(file.path.startswith("python/") for file in contents.files) else ""

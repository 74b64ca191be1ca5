"""Names of members: which of them lead out of their folder, and which cannot be there together."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

_LONGEST, _LONGEST_PART_BYTES = 1024, 255
"""Characters of a name. Linux takes 4,096 for a whole path; the longest name in 200 wheels had 148."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co"})
"""Unicode categories that nobody sees, such as what turns the writing around. Not Cn, which differs by Python."""


def unsafe(names: Sequence[str]) -> Iterator[str]:
    """Say which of ``names`` lead out of their folder, or are read in several ways."""
    names = [name.removesuffix("/") for name in names]
    everything = f"/{'/'.join(names)}/"
    # Quick for what is all right: this looks at some hundred kilobytes a few times, and not at every name.
    doubtful = any(part in everything for part in ("//", "/./", "/../", "\\", ":"))
    most = _LONGEST_PART_BYTES if everything.isascii() else _LONGEST_PART_BYTES // 4
    if everything.isprintable() and not doubtful and max(map(len, names), default=0) <= most:
        return
    for name in names:
        parts = name.split("/")
        if len(name) > _LONGEST:
            yield f"{name[:40]!r}… is {len(name)} characters long, expected at most {_LONGEST}"
        elif max(len(part.encode()) for part in parts) > _LONGEST_PART_BYTES:
            yield f"{name[:40]!r}… has a part that no file system takes, of more than {_LONGEST_PART_BYTES} bytes"
        elif not name or name.startswith("/") or ".." in parts or name[1:2] == ":":
            yield f"{name!r} points outside the wheel"
        elif "\\" in name or "" in parts or "." in parts or not _UNSEEN.isdisjoint(map(unicodedata.category, name)):
            yield f"{name!r} is no plain path"


def clashes(names: Sequence[str]) -> Iterator[str]:
    """Say which of ``names`` cannot be installed together, also where case or normal forms do not count.

    A name that ends in ``/`` is a folder's.
    """
    names = [name for name in names if len(name) <= _LONGEST]  # or the folders of one would take forever
    folded = [name.casefold() if name.isascii() else _folded(name) for name in names]
    if len(set(folded)) != len(folded):
        groups: dict[str, list[str]] = {}
        for key, name in zip(folded, names, strict=True):
            groups.setdefault(key, []).append(name)
        for group in groups.values():
            yield from (f"{name!r} is there {times} times" for name, times in Counter(group).items() if times > 1)
            if len(set(group)) > 1:
                yield f"{' and '.join(map(repr, dict.fromkeys(group)))} differ only in case or normal form"
    folders = {name.rpartition("/")[0] for name in names} - {""}
    pending = folders
    while pending := {folder.rpartition("/")[0] for folder in pending} - folders - {""}:
        folders |= pending
    yield from (f"{name!r} is a file, and a folder of other members" for name in sorted(folders.intersection(names)))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())

"""The outcome of the last build of an env, to be told again while nothing it read or made has changed."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from build.project.snapshot import Snapshot, snapshot
from build.store.objects import untouched

_SHAPE = 2
"""Of the file. Another shape counts as no outcome."""


def unchanged_outcome(root: Path, env: str) -> Mapping[str, Any] | None:
    """Return what `remember_outcome` kept for ``env``; None if anything may have changed since.

    Costs one look at every file's metadata; none is opened but the outcome itself.
    """
    try:
        kept = json.loads(_place(root, env).read_bytes())
        same = kept["shape"] == _SHAPE and kept["snapshot"] == snapshot(root, kept["beside"]).digest
        if same and all(
            untouched(Path(path), size) and Path(path).stat().st_ino == inode for path, size, inode in kept["files"]
        ):
            return dict(kept["outcome"])
    except (OSError, LookupError, TypeError, ValueError):  # none yet, or a torn one
        return None
    return None


def remember_outcome(
    root: Path,
    env: str,
    outcome: Mapping[str, Any],
    *,
    before: Snapshot,
    beside: Iterable[str],
    files: Iterable[Path],
) -> None:
    """Keep ``outcome`` (JSON) of a build that saw the repository as ``before`` and made ``files``.

    ``beside`` are projects of the repository outside functions/ and layers/ that it read, relative to ``root``.
    """
    beside = list(beside)
    now = snapshot(root, beside)
    if (snapshot(root) if beside else now).digest != before.digest or not now.was_settled_at(before.taken_ns):
        return  # somebody is at work: the next build looks again
    kept = {
        "shape": _SHAPE,
        "snapshot": now.digest,
        "beside": beside,
        "files": [[str(path), (status := path.stat()).st_size, status.st_ino] for path in files],
        "outcome": outcome,
    }
    place = _place(root, env)
    with suppress(OSError):  # it only saves time
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = place.with_name(f"{place.name}.{os.getpid()}")  # two builds may end at once
        draft.write_text(json.dumps(kept), encoding="utf-8")
        draft.replace(place)


def _place(root: Path, env: str) -> Path:
    return root / ".artifacts" / env / "built.json"

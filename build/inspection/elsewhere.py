"""A build with everything changed that must not matter. Run by `verify` in a copy of the checkout.

    python build/inspection/elsewhere.py ENV

prints JSON: the path of every artifact by its name. Folders are listed backwards and new files are for their
owner alone; what else is changed, the environment of the process can say.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

_scandir, _listdir = os.scandir, os.listdir


class _Backwards:
    """What `os.scandir` gives, in the opposite order."""

    def __init__(self, *where: Any) -> None:
        with _scandir(*where) as found:
            self._entries = iter(sorted(found, key=lambda entry: entry.name, reverse=True))

    def __iter__(self) -> Iterator[Any]:
        return self._entries

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> "_Backwards":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: everything was listed at once."""


def _main() -> None:
    backwards: Callable[..., list[Any]] = lambda *where: sorted(_listdir(*where), reverse=True)  # noqa: E731
    os.listdir, os.scandir = backwards, _Backwards  # type: ignore[assignment]
    os.umask(0o077)
    root = Path.cwd()
    sys.path[0] = str(root)  # not this folder, whose modules have names of their own
    from build.locking.locks import read_locks
    from build.packaging.assemble import build_workspace
    from build.project.discovery import discover
    from build.store.objects import Store

    workspace = discover(root, sys.argv[1])
    # No remote store: what others made is not what this one makes.
    store = Store(workspace.generated / "store")
    made = build_workspace(workspace, read_locks(workspace), store, on_progress=lambda _: None)
    json.dump({artifact.place: str(artifact.path) for artifact in made.artifacts}, sys.stdout)


if __name__ == "__main__":
    _main()

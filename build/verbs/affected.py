"""Tell what a change touches: `affected`."""

import json
import sys
from pathlib import Path

from build import report
from build.locking.locks import read_locks
from build.packaging.affected import affected, changed_since, matrix
from build.project.discovery import discover_all


def show(root: Path, *, since: str, as_json: bool, shares: int) -> None:
    """Print the functions and layers that changed since a revision, or the matrix of jobs that build them."""
    workspaces = discover_all(root)
    locks = read_locks(workspaces[0])
    found = affected(workspaces, locks, changed_since(root, since))
    if as_json:  # one line, as GITHUB_OUTPUT wants it
        sys.stdout.write(json.dumps(matrix(found.functions, workspaces[0], locks, shares)) + "\n")
    elif found.functions or found.layers:
        rows = [(f"layers/{name}", why) for name, why in found.layers.items()]
        rows += [(f"functions/{name}", why) for name, why in found.functions.items()]
        report.print_table(("what", "because of"), ((what, _short(why)) for what, why in rows))
    show = report.Reporter()
    show.note(f"{len(found.functions)} functions and {len(found.layers)} layers are touched since {since}")
    if found.deleted:
        show.note(f"deleted since: {', '.join(found.deleted)}")


def _short(why: tuple[str, ...]) -> str:
    return why[0] if len(why) == 1 else f"{why[0]} and {len(why) - 1} more"

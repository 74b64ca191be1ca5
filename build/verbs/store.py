"""Look after the store: `store.show`, `store.verify`, `store.prune`."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from build import report
from build.digest import Digest
from build.errors import FindingsError
from build.image import Image
from build.imaging import Grounds
from build.model import FunctionSpec, Workspace
from build.project.discovery import discover_all
from build.store import upkeep
from build.store.objects import Store
from build.store.upkeep import KINDS, Stored

_DAY_S = 24 * 3600
_WHAT = {
    "wheels": "wheels",
    "bytecode": "bytecode of wheels and sources",
    "artifacts": "artifacts",
    "blobs": "layers of images",
    "notes": "notes",
    "tools": "tools",
    "tmp": "being made, or left by a build that was killed",
}


def show(root: Path, *, as_json: bool) -> None:
    """Print what the store holds, kind by kind."""
    stored = list(upkeep.contents(_store(root)))
    if as_json:
        report.print_json({"folder": str(_store(root).root), "kinds": _kinds(stored)})
    else:
        _print(stored)


def verify(root: Path) -> None:
    """Look at every byte of the store; end with exit code 1 if something was damaged, which is removed by then."""
    reporter = report.Reporter()
    store = _store(root)
    with reporter.stage("verify"):
        problems = upkeep.verify(store, on_progress=reporter.say)
    if problems:
        raise FindingsError(
            f"{len(problems)} {'object' if len(problems) == 1 else 'objects'} of the store damaged",
            facts=problems,
            hint="run `invoke build`: what is needed is fetched or made anew. If it happens again, mistrust the disk",
        )
    reporter.note(f"all of {store.root} is as it was made")


def prune(root: Path, *, keep_days: int, dry_run: bool) -> None:
    """Show what nothing needs any more, and remove it."""
    from build.checks.image_layers import NOTE, key_of
    from build.locking.locks import read_locks
    from build.packaging.needs import needs

    reporter, store, needed = report.Reporter(), _store(root), set[Path]()
    with reporter.stage("look"):
        for workspace in discover_all(root):
            bases = partial(_bases, workspace, reporter)
            needed |= needs(workspace, read_locks(workspace), store, on_progress=reporter.say, bases=bases)
        blobs = [Digest(path.name) for path in needed if path.parent == store.root / "blobs"]
        needed |= {store.note(NOTE, key_of(layer)) for layer in blobs}
    with reporter.stage("prune"):
        freed_bytes = upkeep.prune(
            store,
            needed,
            keep_s=keep_days * _DAY_S,
            dry_run=dry_run,
            on_wait=lambda: reporter.say("waiting for a build that runs"),
            on_found=_print,
        )
    freed = f"{'would free' if dry_run else 'freed'} {report.megabytes(freed_bytes)}"
    reporter.note(f"{freed}; what this repository needs stays, and what is younger than {keep_days} days")


def _print(stored: Iterable[Stored]) -> None:
    kinds = _kinds(stored)
    rows = [
        (_WHAT[kind], str(row["count"]), report.megabytes(row["size_bytes"]), f"{row['oldest_days']} days")
        for kind, row in kinds.items()
    ]
    total = (sum(row["count"] for row in kinds.values()), sum(row["size_bytes"] for row in kinds.values()))
    rows.append(("all", str(total[0]), report.megabytes(total[1]), ""))
    report.print_table(("what", "objects", "size", "oldest"), rows, right=("objects", "size", "oldest"))


def _kinds(stored: Iterable[Stored]) -> dict[str, dict[str, int]]:
    by_kind: dict[str, list[Stored]] = defaultdict(list)
    for each in stored:
        by_kind[each.kind].append(each)
    return {
        kind: {
            "count": len(by_kind[kind]),
            "size_bytes": sum(each.size_bytes for each in by_kind[kind]),
            "oldest_days": int(max((each.age_s for each in by_kind[kind]), default=0) // _DAY_S),
        }
        for kind in KINDS
    }


def _bases(workspace: Workspace, reporter: report.Reporter, store: Store) -> Callable[[FunctionSpec], Image]:
    return Grounds(workspace, store, reporter).base_of


def _store(root: Path) -> Store:
    return Store(root / ".artifacts" / "store")

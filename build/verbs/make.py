"""Lock and check: `lock`, `check`."""

from pathlib import Path

from build import report
from build.project.discovery import discover, discover_all


def lock(root: Path, *, check: bool, upgrade: bool, function: str, layer: str) -> None:
    """Write the locks, or only tell whether they are current; they must fit the targets of every env."""
    from build.locking.locks import read_locks, targets_of
    from build.locking.writing import write_locks
    from build.store.objects import Store
    from build.wheels.resolve import Request, walk_known

    show, workspaces = report.Reporter(), discover_all(root)
    if not check:
        chosen = [*([f"functions/{function}"] if function else []), *([f"layers/{layer}"] if layer else [])]
        for identity, changed in write_locks(workspaces, chosen, upgrade=upgrade, on_progress=show.note).items():
            show.note(f"{identity}: {'locked anew' if changed else 'unchanged'}")
    untold: set[str] = set()
    for workspace in workspaces:
        locks = read_locks(workspace, strict=True)
        requests = [Request(locks[spec.identity], target) for spec in workspace.specs for target in targets_of(spec)]
        untold |= walk_known(requests, Store(workspace.generated / "store"))
    show.note(f"the locks of {len(workspaces[0].specs)} folders pin what they want, in every env")
    if untold:
        show.note(f"whether they pin all that this needs, and no more, `invoke build` tells for {len(untold)} of them")


def check(root: Path, env: str, *, import_handlers: bool = False) -> None:
    """Build, and end with exit code 1 if there are errors among the findings; maybe import every handler, too."""
    from build import making

    show = report.Reporter()
    built = making.build(discover(root, env), show)
    show.note(f"{len(built.build.artifacts)} artifacts, {len(built.findings)} warnings, no errors")
    if import_handlers:
        from build.verbs import importing

        importing.import_handlers(built, show)

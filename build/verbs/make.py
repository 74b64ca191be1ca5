"""Make and check artifacts: `lock`, `build`, `check`, `size`."""

from pathlib import Path

from build import report
from build.model import Artifact
from build.project.discovery import discover, discover_all
from build.verbs.choosing import function_named


def lock(root: Path, *, check: bool, upgrade: bool, function: str, layer: str) -> None:
    """Write the locks, or only tell whether they are current; they must fit the targets of every env."""
    from build.locking.locks import read_locks, write_locks

    show, workspaces = report.Reporter(), discover_all(root)
    if not check:
        chosen = [*([f"functions/{function}"] if function else []), *([f"layers/{layer}"] if layer else [])]
        for identity, changed in write_locks(workspaces, chosen, upgrade=upgrade).items():
            show.note(f"{identity}: {'locked anew' if changed else 'unchanged'}")
    for workspace in workspaces:
        read_locks(workspace)
    show.note(f"the locks of {len(workspaces[0].specs)} folders fit what they want, in every env")


def build(root: Path, env: str, *, as_json: bool) -> None:
    """Make every artifact."""
    from build import pipeline

    workspace, show = discover(root, env), report.Reporter()
    made = pipeline.build(workspace, show).build
    if as_json:
        report.print_json(
            {
                "functions": [report.artifact_json(made.functions[name]) for name in sorted(made.functions)],
                "layers": [report.artifact_json(each) for each in made.layer_artifacts],
            }
        )
        return
    report.print_table(
        ("artifact", "architecture", "size", "unzipped", "digest", ""),
        (
            (
                f"{each.identity.partition('/')[0]}/{each.key}",
                ", ".join(each.architectures),
                report.megabytes(each.size_bytes),
                report.megabytes(each.unzipped_bytes),
                each.digest.short,
                "built" if each.changed else "unchanged",
            )
            for each in made.artifacts
        ),
        right=("size", "unzipped"),
    )


def check(root: Path, env: str) -> None:
    """Build, and end with exit code 1 if there are errors among the findings."""
    from build import pipeline

    show = report.Reporter()
    built = pipeline.build(discover(root, env), show)
    show.note(f"{len(built.build.artifacts)} artifacts, {len(built.findings)} warnings, no errors")


def size(root: Path, env: str, function: str) -> None:
    """Show the distributions of every artifact, largest first."""
    from build import pipeline

    workspace = discover(root, env)
    if function:
        function_named(workspace, function)
    made = pipeline.build(workspace, report.Reporter()).build
    rows = []
    for artifact in made.artifacts:
        if function and artifact.identity != f"functions/{function}":
            continue
        rows.append((artifact.identity, "all, unzipped", "", report.megabytes(artifact.unzipped_bytes)))
        rows += [("", name, version, report.megabytes(count)) for name, version, count in _sizes(artifact)]
    report.print_table(("artifact", "distribution", "version", "unzipped"), rows, right=("unzipped",))


def _sizes(artifact: Artifact) -> list[tuple[str, str, int]]:
    rows = [(each.name, each.version, each.size_bytes) for each in artifact.distributions]
    return sorted([*rows, ("its own src/", "", artifact.source_bytes)], key=lambda row: row[2], reverse=True)

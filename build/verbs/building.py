"""`build`: told again while nothing changed, which asks for nothing but file system metadata; else made."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build.project.snapshot import snapshot
from build.store.outcomes import remember_outcome, unchanged_outcome


def build(root: Path, env: str, *, as_json: bool, only: str = "") -> None:
    """Make every artifact, or those of the functions ``only``, and show them."""
    outcome = dict((None if only else unchanged_outcome(root, env)) or _made(root, env, only))
    from build import report

    for warning in outcome.pop("warnings"):
        sys.stderr.write(f"{warning}\n")
    if as_json:
        report.print_json(outcome)
    else:
        _print(outcome)


def _made(root: Path, env: str, only: str) -> dict[str, Any]:
    """Build; return what there is to tell, and keep it for the next time with everything marked unchanged."""
    before = snapshot(root)
    from build.project.discovery import discover
    from build.project.interpreters import look_ahead

    workspace = discover(root, env)
    look_ahead(function.target.runtime for function in workspace.functions)  # and import the rest meanwhile
    from build import making, report
    from build.inspection.sbom import bill_of
    from build.verbs.choosing import narrowed

    if only:
        workspace = narrowed(workspace, only)
    built = making.build(workspace, report.Reporter(), narrowed=bool(only))
    made = built.build
    outcome = {
        "functions": [report.artifact_json(made.shipped(name)) for name in sorted(made.functions)],
        "layers": [report.artifact_json(each) for each in made.layer_artifacts],
    }
    kept = {kind: [{**row, "changed": False} for row in rows] for kind, rows in outcome.items()}
    files = [artifact.path for artifact in made.artifacts]
    files += [workspace.generated / "build" / f"{artifact.place}.zip" for artifact in made.artifacts]
    files += [bill_of(artifact, workspace) for artifact in made.artifacts]
    warnings = [report.warning_of(finding) for finding in built.findings]
    if not only and built.workspace.functions == workspace.functions:  # what is skipped may change with this machine
        remember_outcome(root, env, {**kept, "warnings": warnings}, before=before, beside=built.beside, files=files)
    return {**outcome, "warnings": []}  # the pipeline has shown them


def _print(outcome: Mapping[str, Any]) -> None:
    from build import report

    report.print_table(
        ("artifact", "architecture", "size", "unzipped", "digest", ""),
        (
            (
                f"{kind}/{row['name']}",
                ", ".join(row["architectures"]),
                report.megabytes(row["size_bytes"]),
                report.megabytes(row["unzipped_bytes"]),
                row["digest"].removeprefix("sha256:")[:12],
                "built" if row["changed"] else "unchanged",
            )
            for kind in ("layers", "functions")
            for row in outcome[kind]
        ),
        right=("size", "unzipped"),
    )

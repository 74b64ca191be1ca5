"""`event`: a realistic event of whatever invokes a function."""

from pathlib import Path

from build import report
from build.project.discovery import discover
from build.samples.sources import SOURCES, named, sample
from build.verbs.choosing import function_named

LIST = "list"


def event(root: Path, source: str, env: str, function: str, body: str | None) -> None:
    """Print a sample event of ``source`` as JSON, or for `LIST` which sources there are."""
    workspace = discover(root, env)
    spec = function_named(workspace, function) if function else None
    if source != LIST:
        report.print_json(sample(source, workspace, spec=spec, body=body))
        return
    columns = ("source", "setting", "--body is", *([spec.identity] if spec else []))
    report.print_table(
        columns,
        (
            (name, each.setting, each.body, *([", ".join(map(named, each.triggers(spec)))] if spec else []))
            for name, each in SOURCES.items()
        ),
    )

"""How releasing goes: `metrics`."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill

from build import report
from build.metrics.words import compared, headlines
from build.project.discovery import discover
from build.release.figures import Figures, figures_of, spoken
from build.release.lookup import named
from build.release.verifications import recorded

_MOST_INCIDENTS = 20
_WIDTH = 110


def metrics(root: Path, env: str, *, since: str, as_json: bool, as_html: bool) -> None:
    """Show the figures of an env's releases, what each is made of, and what it means."""
    from build import pipeline, recording

    workspace, show = discover(root, env), report.Reporter()
    ledger = recording.ledger(workspace, pipeline.reach(workspace))
    with show.stage("ledger"):
        rows = ledger.rows()
        moment = named(rows, since, env).release if since else None
        figures = figures_of(rows, recorded(ledger), now=datetime.now(UTC), since=moment)
    if as_html:
        from build.metrics.page import page

        place = workspace.env_folder / "metrics.html"
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.write_text(page(figures, workspace.name, env), encoding="utf-8")
        show.note(f"wrote {place}")
    if as_json:
        report.print_json(figures.to_json())
    elif not as_html:
        _print(figures)


def _print(figures: Figures) -> None:
    for each in headlines(figures):
        indent = " " * 4
        meaning = fill(each.meaning, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
        sys.stdout.write(f"{each.title}: {each.value}\n{meaning}\n")
    if figures.stages:
        _line("\nStages")
        sides = (f"before {figures.since}", f"since {figures.since}") if figures.since else ()
        report.print_table(
            ("stage", "median", "deploys", *sides),
            (
                (each.name, spoken(each.median), str(len(each.seconds)), *(compared(each) if sides else ()))
                for each in figures.stages
            ),
            right=("median", "deploys", *sides),
        )
    if figures.incidents:
        _line(f"\nIncidents, the newest of {len(figures.incidents)} first")
        report.print_table(
            ("release", "began", "lasted", "restored by", "why"),
            (
                (
                    each.release,
                    each.at[:16].replace("T", " "),
                    "not restored" if each.seconds is None else spoken(each.seconds),
                    each.restored_by,
                    each.why,
                )
                for each in figures.incidents[::-1][:_MOST_INCIDENTS]
            ),
            right=("lasted",),
        )


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")

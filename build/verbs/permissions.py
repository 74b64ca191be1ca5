"""Compare what functions call with what they are granted: `permissions`."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from build import report
from build.checks.actions import Models
from build.checks.grants import Comparison, compare, lines_for
from build.errors import FindingsError
from build.project.discovery import discover
from build.verbs.choosing import function_named


def permissions(root: Path, env: str, function: str, *, as_json: bool) -> None:
    """Show what one function, or every one, calls and is granted; exit code 1 if one calls what it is not granted."""
    workspace, show = discover(root, env), report.Reporter()
    chosen = [function_named(workspace, function)] if function else workspace.functions
    models = Models()
    found = [compare(spec, workspace, models.needs_of) for spec in chosen]
    if as_json:
        report.print_json({"env": env, "functions": {each.function.name: _as_json(each) for each in found}})
    elif rows := [row for each in found for row in _rows(each)]:
        report.print_table(("function", "action", "verdict", "where"), rows)
    else:
        show.note("nothing is called and nothing is granted")
    if any(each.unused for each in found):
        show.note("never called is a hint only: distributions may call it, or a service that acts for the function")
    lacking = [each for each in found if each.missing]
    if lacking:
        raise FindingsError(
            f"{', '.join(each.function.identity for each in lacking)}: what is called is not granted",
            facts=[
                f"{each.function.identity}: expected {_shown(need.actions)} for {_few(need.places)}, got no grant"
                for each in lacking
                for need in each.missing
            ],
            hint="\n".join(_hint(lacking, env)),
        )


def _rows(found: Comparison) -> Iterator[tuple[str, str, str, str]]:
    name = found.function.name
    for each in found.needed:
        verdict = f"granted by {each.granted_by}" if each.granted_by else "NOT GRANTED"
        yield name, _shown(each.actions), verdict, _few(each.places)
    for action in found.unused:
        yield name, action, "never called", f"{found.function.identity}/function.toml"
    for unclear in found.unclear:
        yield name, "cannot tell", unclear.why, unclear.place


def _hint(lacking: Iterable[Comparison], env: str) -> Iterator[str]:
    yield f"run `invoke permissions --env {env}` again after adding, with the resources filled in:"
    for each in lacking:
        yield ""
        yield f"# {each.function.identity}/function.toml"
        yield from lines_for(each.missing)


def _as_json(found: Comparison) -> dict[str, Any]:
    return {
        "called": [
            {"actions": list(each.actions), "places": list(each.places), "granted_by": each.granted_by}
            for each in found.needed
        ],
        "never_called": list(found.unused),
        "cannot_tell": [{"place": each.place, "why": each.why} for each in found.unclear],
    }


def _shown(actions: Iterable[str]) -> str:
    return " or ".join(actions)


def _few(places: tuple[str, ...]) -> str:
    return places[0] if len(places) == 1 else f"{places[0]} and {len(places) - 1} more"

"""How stages, findings and results are shown: rich on a terminal, plain lines in a pipe, JSON for programs.

stdout carries results only; how the work goes is on stderr.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from build.model import Artifact, Finding
    from build.results import Answer, ResourceChange

_SHOWN_CHANGES = 40
_SHOWN_ANSWER_CHARS = 400


class Reporter:
    """Shows the stages of one verb on stderr."""

    def __init__(self) -> None:
        self._console = _terminal(sys.stderr)
        self._stage = ""
        self._said = ""
        self._status: Status | None = None
        self.seconds: dict[str, float] = {}
        """What every stage has taken until now."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show that stage ``name`` runs, what it says meanwhile, and how long it took."""
        started = time.monotonic()
        self._stage, self._said = name, ""
        try:
            if self._console:
                with self._console.status(f"{name} …") as self._status:
                    yield
            else:
                yield
        finally:
            self._status = None
            took_s = time.monotonic() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + took_s
        if not self._console:
            self.note(f"{name:<9} {took_s:6.1f} s")
            return
        took = f"{took_s:6.1f} s  {_escaped(self._said)}"
        done = f"[green]✓[/green] {name:<9} [dim]{took}[/dim]"
        self._console.print(done, no_wrap=True, overflow="ellipsis")

    def say(self, text: str) -> None:
        """Say what the stage that runs is doing."""
        self._said = text
        if self._status:
            self._status.update(f"{self._stage} … [dim]{_escaped(text)}[/dim]")
        else:
            self.note(f"  {self._stage}: {text}")

    def note(self, text: str) -> None:
        """Say ``text`` on stderr."""
        if self._console:
            self._console.print(text, markup=False, soft_wrap=True)
        else:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def findings(self, findings: "Iterable[Finding]") -> None:
        """Show warnings; errors end the verb and are shown by its error."""
        from build.model import Severity  # here: an unchanged build tells its warnings without the words of the house

        for finding in findings:
            if finding.severity is Severity.WARNING:
                self.note(warning_of(finding))

    def plan(self, changes: "Sequence[ResourceChange]") -> None:
        """Show what applying a plan would change."""
        for line in plan_lines(changes):
            self.note(line)


def warning_of(finding: "Finding") -> str:
    """Return ``finding`` as it is shown: what, where, and what to do."""
    what = f"warning: {finding.subject}: {finding.message} ({finding.rule})"
    return "\n".join([what, *(f"  {line}" for line in finding.details), f"hint: {finding.hint}"])


def plan_lines(changes: "Sequence[ResourceChange]") -> list[str]:
    """Return a line for each of ``changes``, deletes first; of many the rest is counted, but for deletes."""
    if not changes:
        return ["nothing to change: what is deployed is what is here"]
    deletes = [change for change in changes if change.deletes]
    others = [change for change in changes if not change.deletes]
    lines = []
    for change in (*deletes, *others[:_SHOWN_CHANGES]):
        sign = (
            "±"
            if len(change.actions) > 1
            else {"create": "+", "update": "~", "delete": "-"}.get(change.actions[0], "±")
        )
        what = f"  ({', '.join(change.changed)})" if change.changed and sign != "+" else ""
        lines.append(f"  {sign} {change.address}{what}")
    if len(others) > _SHOWN_CHANGES:
        lines.append(f"  … and {len(others) - _SHOWN_CHANGES} more")
    return lines


def print_json(value: object) -> None:
    """Print ``value`` to stdout for a program to read."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def print_lines(lines: Iterable[str], draw: "Callable[[Console], None]") -> None:
    """Print a page to stdout: drawn on a terminal, as plain ``lines`` in a pipe."""
    console = _terminal(sys.stdout)
    if console:
        draw(console)
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))


def print_table(columns: Iterable[str], rows: Iterable[Iterable[str]], *, right: Iterable[str] = ()) -> None:
    """Print a table to stdout; the columns named in ``right`` are numbers."""
    console = _terminal(sys.stdout)
    if not console:
        columns = list(columns)
        _write_plain([columns, *([*row] for row in rows)], [column in set(right) for column in columns])
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    right = set(right)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_escaped(cell) for cell in row))
    console.print(table)


def print_answers(answers: "Iterable[Answer]") -> None:
    """Print what each function said to its event."""
    for answer in answers:
        failed = "FAILED " if answer.error else ""
        sys.stdout.write(f"{answer.name} ← {answer.event}\n  {failed}{shortened(answer.payload)}\n")


def shortened(payload: str) -> str:
    """Return ``payload`` cut to a length people read."""
    return payload if len(payload) <= _SHOWN_ANSWER_CHARS else f"{payload[:_SHOWN_ANSWER_CHARS]} …"


def megabytes(size_bytes: int) -> str:
    """Return ``12.3 MB`` or ``4.5 kB``."""
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.1f} kB"


def artifact_json(artifact: "Artifact") -> dict[str, Any]:
    """Return what ``build --json`` says of one artifact."""
    return {
        "name": artifact.key,
        "digest": str(artifact.digest),
        "size_bytes": artifact.size_bytes,
        "unzipped_bytes": artifact.unzipped_bytes,
        "architectures": [str(architecture) for architecture in artifact.architectures],
        "distributions": {each.name: each.version for each in artifact.distributions},
        "path": str(artifact.path),
        "changed": artifact.changed,
    }


def parsed(payload: str) -> Any:
    """Return ``payload`` as JSON, or as the text it is."""
    try:
        return json.loads(payload)
    except ValueError:
        return payload


def _write_plain(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    """Write ``rows``, the first of which names the columns, in columns as wide as they need."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows = [rows[0], ["─" * width for width in widths], *rows[1:]]
    for row in rows:
        cells = zip(row, widths, right, strict=True)
        line = "  ".join(cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in cells)
        sys.stdout.write(f" {line.rstrip()}\n")


def _terminal(stream: TextIO) -> "Console | None":
    """Return what draws on the terminal that ``stream`` is; None if it is a pipe or a file, or wants no drawing."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return None
    from rich.console import Console  # here: 60 ms that a pipe need not pay

    return Console(file=stream, highlight=False)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)

"""The review on a terminal: rich where a console is given, else plain lines."""

import re
from typing import TYPE_CHECKING

from build.review.sections import Section, headline, sections_of, summary_of
from build.review.words import Review, Verdict

if TYPE_CHECKING:
    from rich.console import Console

_MOST = 40
"""Lines shown of a section that is not vital."""
_COLOURS = {Verdict.SAFE: "green", Verdict.LOOK: "yellow", Verdict.DANGEROUS: "red"}


def lines(review: Review) -> tuple[str, ...]:
    """Return plain lines without control characters; one for a plan that changes nothing."""
    said = [printable(headline(review))]
    if review.is_empty and not review.reasons:
        return tuple(said)
    width = max(len(name) for name, _ in summary_of(review))
    said += [f"  {name:<{width}}  {printable(value)}" for name, value in summary_of(review)[1:]]
    for section in _shown(review):
        said += ["", section.title, *(f"  {printable(line)}" for line in _cut(section))]
    return tuple(said)


def show(review: Review, console: "Console") -> None:
    """Draw the review on a terminal."""
    from rich.markup import escape
    from rich.table import Table

    colour = _COLOURS[review.verdict]
    console.print(f"[bold {colour}]{escape(printable(headline(review)))}[/]", soft_wrap=True)
    if review.is_empty and not review.reasons:
        return
    table = Table.grid(padding=(0, 2))
    for name, value in summary_of(review)[1:]:
        table.add_row(f"  [dim]{name}[/]", escape(printable(value)))
    console.print(table)
    for section in _shown(review):
        console.print(f"\n[bold {_colour(section)}]{section.title}[/]")
        for line in _cut(section):
            console.print(f"  {escape(printable(line))}", soft_wrap=True)


def printable(text: str) -> str:
    """Return ``text`` without what would steer a terminal: control and format characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", "�", text)


def _shown(review: Review) -> list[Section]:
    """Return the sections for a terminal: details only where they are short."""
    sections = sections_of(review)
    return [each for each in sections if not each.is_detail or each.is_code or len(each.lines) <= _MOST]


def _cut(section: Section) -> tuple[str, ...]:
    more = len(section.lines) - _MOST
    if section.is_vital or more <= 0:
        return section.lines
    return (*section.lines[:_MOST], f"… and {more} more; --json has them")


def _colour(section: Section) -> str:
    names = {str(verdict).capitalize(): colour for verdict, colour in _COLOURS.items()}
    return names.get(section.title, "red" if section.title == "Destroyed or replaced" else "default")

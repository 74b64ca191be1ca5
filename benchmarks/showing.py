"""Results on a terminal, and as files."""

import os
from pathlib import Path

from benchmarks.plot import plot
from benchmarks.results import Results
from benchmarks.tables import Cell, left_out, markdown, peer_wins, sheets

PAGE, DATA, IMAGE = "results.md", "results.json", "results.svg"


def show(results: Results) -> None:
    """Print every table to stdout."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    for sheet in sheets(results):
        table = Table(
            title=escape(sheet.title),
            title_justify="left",
            title_style="bold",
            caption=escape(sheet.note) if sheet.note else None,
            caption_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for number, column in enumerate(sheet.columns):
            table.add_column(escape(column), justify="right" if number else "left")
        for row in sheet.rows:
            table.add_row(*(_rich(cell) for cell in row))
        console.print(table)
    for title, sentences in (("Where a peer wins", peer_wins(results)), ("What did not run", left_out(results))):
        for number, sentence in enumerate(sentences):
            console.print(f"[bold]{title}[/bold]" if not number else "", end="" if number else "\n")
            console.print(f"  {escape(sentence)}", soft_wrap=True)
    if results.machine.is_busy:
        console.print("[yellow]The machine was busy just before: the numbers may be too high.[/yellow]")


def write(results: Results, folder: Path) -> list[Path]:
    """Write the page, the data and the plot into ``folder``, each whole or not at all; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {PAGE: markdown(results, IMAGE), DATA: results.to_json(), IMAGE: plot(results)}
    for name, text in texts.items():
        draft = folder / f".{name}.{os.getpid()}"
        draft.write_text(text, encoding="utf-8")
        draft.replace(folder / name)
    return [folder / name for name in texts]


def _rich(cell: Cell) -> str:
    from rich.markup import escape

    colour = {True: "green", False: "red", None: ""}[cell.good]
    text = f"[{colour}]{escape(cell.text)}[/{colour}]" if colour else escape(cell.text)
    return f"{text}\n[dim]{escape(cell.small)}[/dim]" if cell.small else text

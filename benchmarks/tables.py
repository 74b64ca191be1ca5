"""Results as tables: the same ones for a terminal and for Markdown."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.results import OURS, Product, Race, Results, Spread, State
from benchmarks.targets import targets


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A value, and in small print what it rests on."""

    text: str
    small: str = ""
    good: bool | None = None
    """True: ours, or a promise kept. False: a peer's win, or a promise broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table with its heading."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def sheets(results: Results) -> Iterator[Sheet]:
    """Yield every table that ``results`` have something for, the promises first."""
    yield _promises(results)
    for workload, title in results.workloads.items():
        if any(race.workload == workload for race in results.races):
            yield _workload(results, workload, title)
    if results.floors:
        yield _floors(results)
    if results.imports:
        yield _imports(results)
    if results.scales:
        yield _scales(results)


def seconds(value: float) -> str:
    """Return ``0.052 s``, ``0.52 s``, ``5.2 s`` or ``52 s``."""
    digits = 3 if value < 0.1 else 2 if value < 1 else 1 if value < 10 else 0
    return f"{value:.{digits}f} s"


def megabytes(size_bytes: float) -> str:
    """Return ``0.7 MB`` or ``35 MB``."""
    return f"{size_bytes / 1e6:.{1 if size_bytes < 9.95e6 else 0}f} MB"


def times(ratio: float) -> str:
    """Return ``0.02 ×``, ``5.2 ×`` or ``52 ×``."""
    digits = 0 if ratio >= 9.95 else 1 if ratio >= 0.95 else 2
    return f"{ratio:.{digits}f} ×"


def peer_wins(results: Results) -> Iterator[str]:
    """Yield a sentence for every race that a peer won, by time, memory of a warm build, or size of its zips."""
    for theirs, ours in results.pairs():
        who = f"{results.entrants[theirs.entrant]} on {theirs.workload}, {theirs.state}"
        if theirs.wall.middle < ours.wall.middle:
            yield f"{who}: {seconds(theirs.wall.middle)} against {seconds(ours.wall.middle)}"
        if theirs.state is State.WARM and theirs.peak.middle < ours.peak.middle:
            yield f"{who}: {megabytes(theirs.peak.middle)} of memory against {megabytes(ours.peak.middle)}"
    ours_made = {product.workload: product for product in results.products if product.entrant == OURS}
    for made in results.products:
        mine = ours_made.get(made.workload)
        if mine and made.zip_bytes < mine.zip_bytes:
            sizes = f"{megabytes(made.zip_bytes)} against {megabytes(mine.zip_bytes)}"
            who = f"{results.entrants[made.entrant]} on {made.workload}"
            kinds = f"; bytecode: {made.bytecode} and {mine.bytecode}" if made.bytecode else ""
            yield f"{who}: {'zips' if kinds else 'layers'} of {sizes}{kinds}"


def left_out(results: Results) -> Iterator[str]:
    """Yield a sentence for everything that did not run, with the reason."""
    yield from (f"{name}: {reason}" for name, reason in results.refused.items())
    reasons: dict[tuple[str, str], dict[str, None]] = {}
    for race in results.races:
        if race.refused:
            reasons.setdefault((race.entrant, race.refused), {})[f"{race.workload}, {race.state}"] = None
    for (entrant, reason), places in reasons.items():
        yield f"{results.entrants[entrant]} ({'; '.join(places)}): {reason}"


def _promises(results: Results) -> Sheet:
    words = {True: "kept", False: "not kept", None: ""}
    rows = [
        (Cell(text=t.promise), Cell(text=t.wanted), Cell(text=t.got), Cell(text=words[t.kept], good=t.kept))
        for t in targets(results)
    ]
    return Sheet(title="What Slipway promises", columns=("promise", "wanted", "measured", ""), rows=tuple(rows))


def _workload(results: Results, workload: str, title: str) -> Sheet:
    columns = ("", *State, "CPU, warm", "peak memory, warm", "zips", "same bytes", "bytecode")
    races = {(race.entrant, race.state): race for race in results.races if race.workload == workload}
    products = {product.entrant: product for product in results.products if product.workload == workload}
    rows = []
    for entrant, name in results.entrants_of(workload).items():
        walls = [_wall(races.get((entrant, state)), races.get((OURS, state))) for state in State]
        costs = _costs(races.get((entrant, State.WARM)))
        rows.append((Cell(text=name), *walls, *costs, *_product(products.get(entrant))))
    return Sheet(title=f"{workload}: {title}", columns=columns, rows=tuple(rows))


def _wall(race: Race | None, ours: Race | None) -> Cell:
    if not race or not race.samples:
        return Cell(text="–")
    wall = race.wall
    small = f"±{wall.percent:.0f} %, n {wall.n}"
    if race.entrant == OURS or not ours or not ours.samples:
        return Cell(text=seconds(wall.middle), small=small)
    ratio = wall.middle / ours.wall.middle
    text = f"{seconds(wall.middle)} · {times(ratio)}"
    return Cell(text=text, small=small, good=False if ratio < 1 else None)


def _costs(race: Race | None) -> tuple[Cell, Cell]:
    if not race or not race.samples:
        return Cell(text="–"), Cell(text="–")
    return Cell(text=seconds(race.cpu.middle)), Cell(text=megabytes(race.peak.middle))


def _product(product: Product | None) -> tuple[Cell, Cell, Cell]:
    if not product:
        return Cell(text="–"), Cell(text="–"), Cell(text="–")
    same = {True: "yes", False: "no", None: "–"}[product.identical]
    return Cell(text=megabytes(product.zip_bytes)), Cell(text=same), Cell(text=product.bytecode or "–")


def _floors(results: Results) -> Sheet:
    rows = []
    for floor in results.floors:
        took, least = Spread.of(floor.assemble_s), Spread.of(floor.floor_s)
        race = results.race(floor.workload, State.WARM)
        rows.append(
            (
                Cell(text=floor.workload),
                _spread(least),
                _spread(took),
                Cell(text=times(took.middle / least.middle)),
                _spread(Spread.of(floor.check_s)),
                Cell(text=seconds(race.wall.middle) if race else "–"),
            )
        )
    return Sheet(
        title="How near to the physical floor",
        columns=("", "floor", "build stage, warm", "ratio", "check stage", "whole process, warm"),
        rows=tuple(rows),
        note="Floor: reading the same wheels, writing as many bytes as the zips have, and their sha256. "
        "A repository may stay below it: what functions share is hashed once.",
    )


def _imports(results: Results) -> Sheet:
    variants = {"none": "no bytecode", "stale": "stale bytecode", "slipway": "Slipway's bytecode"}
    found = {(each.workload, each.variant): Spread.of(each.seconds) for each in results.imports}
    workloads = dict.fromkeys(each.workload for each in results.imports)
    rows = []
    for workload in workloads:
        spreads = [found[workload, variant] for variant in variants]
        faster = Cell(text=times(spreads[0].middle / spreads[-1].middle))
        rows.append((Cell(text=workload), *(_spread(spread) for spread in spreads), faster))
    return Sheet(
        title="How long the result takes to import, in a fresh interpreter",
        columns=("", *variants.values(), "none against Slipway's"),
        rows=tuple(rows),
        note="Stale is what dated bytecode becomes in a zip whose files all have one date: read, refused, made again.",
    )


def _scales(results: Results) -> Sheet:
    spreads = {scale.functions: Spread.of(sample.wall_s for sample in scale.samples) for scale in results.scales}
    rows = [
        (Cell(text=f"{count:,}"), _spread(spread), Cell(text=f"{spread.middle / count * 1000:.1f} ms"))
        for count, spread in spreads.items()
    ]
    return Sheet(
        title="How it grows: nothing changed",
        columns=("functions", "whole process", "per function"),
        rows=tuple(rows),
    )


def _spread(spread: Spread) -> Cell:
    return Cell(text=seconds(spread.middle), small=f"±{spread.percent:.0f} %, n {spread.n}")


def markdown(results: Results, image: str) -> str:
    """Return the page of ``results``; ``image`` is the plot beside it."""
    lines = [
        "# Benchmark",
        "",
        f"{results.machine}. Depth: {results.depth}.",
        "What the words mean, and how to run it: [how to benchmark](../how-to/benchmark.md).",
        "Every single run: [results.json](results.json).",
        "",
        *(["**The machine was busy just before: the numbers may be too high.**", ""] * results.machine.is_busy),
        f"![Slipway and its peers]({image})",
        "",
        "A cell has the median, how many times longer that is than Slipway's, half the distance",
        "between the extremes, and the number of runs.",
        "",
    ]
    for sheet in sheets(results):
        lines += [f"## {sheet.title}", "", *_markdown_table(sheet), "", *([sheet.note, ""] if sheet.note else [])]
    for title, sentences in (
        ("Where a peer wins", peer_wins(results)),
        ("What did not run, and why", left_out(results)),
    ):
        lines += [f"## {title}", "", *(f"- {sentence}" for sentence in list(sentences) or ["Nothing."]), ""]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_table(sheet: Sheet) -> Iterable[str]:
    yield f"| {' | '.join(sheet.columns)} |"
    yield f"|{'|'.join(['---', *(['--:'] * (len(sheet.columns) - 1))])}|"
    for row in sheet.rows:
        yield f"| {' | '.join(_markdown_cell(cell) for cell in row)} |"


def _markdown_cell(cell: Cell) -> str:
    text = f"**{cell.text}**" if cell.good is False else cell.text
    return f"{text}<br><sub>{cell.small}</sub>" if cell.small else text

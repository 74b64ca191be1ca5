"""How what is inside artifacts is printed: trees, chains, differences."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from build.inspection.contents import KINDS
from build.inspection.differences import Difference, DistributionChange, FileChange
from build.inspection.reasons import Step, Why
from build.inspection.sizes import Node, Sizes, shown_bytes

_BAR = 30
_PIPE_WIDTH = 160
_COLOURS = {".so": "blue", ".py": "yellow", ".pyc": "bright_yellow", "data": "green"}
_MOST = 12
"""Rows of an artifact, and of anything inside it."""
_MOST_FILES = 20
"""Of a folder's own that changed."""
_WORTH_SHOWING = 0.01
"""Of the whole; smaller folders are counted together."""


def print_sizes(sizes: Sequence[Sizes], *, in_depth: bool) -> None:
    """Print a tree for each; ``in_depth`` with what is inside distributions and layers."""
    console = _console()
    trees = [list(_rows(each.tree.children, each.tree.size_bytes, depth=1 if in_depth else 0)) for each in sizes]
    width = max((name.cell_len for tree in trees for name, _ in tree), default=0)
    names = max((len(each.tree.name) for each in sizes), default=0)
    for each, tree in zip(sizes, trees, strict=True):
        total = each.tree.size_bytes
        facts = f"{shown_bytes(total):>8} of 250 MiB, {each.share:>4.0%}"
        zipped = (f"  zip {shown_bytes(each.zip_bytes)}", "dim")
        console.print()
        console.print(Text.assemble((each.tree.name.ljust(names), "bold"), f"  {facts}  ", *_bar(each), zipped))
        table = Table(box=None, pad_edge=False, header_style="", padding=(0, 1, 0, 0))
        table.add_column("", min_width=width)
        for column in ("unzipped", "share", *KINDS):
            table.add_column(Text(column, _COLOURS.get(column, "dim")), justify="right", min_width=8)
        for name, node in tree:
            share = f"{node.size_bytes / total:.1%}" if total else ""
            kinds = (shown_bytes(node.kinds[kind]) if node.kinds[kind] else "" for kind in KINDS)
            table.add_row(name, shown_bytes(node.size_bytes), share, *kinds)
        console.print(table)
        if each.saved:
            rules = ", ".join(f"{rule} {shown_bytes(count)}" for rule, count in each.saved.items())
            console.print(Text(f"left out: {rules}", "dim"))


def _bar(sizes: Sizes) -> Iterator[tuple[str, str]]:
    """Yield the quota as a bar, in the colours of the kinds."""
    total = sizes.tree.size_bytes
    full = max(1, min(round(sizes.share * _BAR), _BAR))
    done = seen = 0
    for kind in KINDS:
        seen += sizes.tree.kinds[kind]
        cells = round(full * seen / total) - done if total else 0
        yield "█" * cells, "red" if sizes.share > 1 else _COLOURS[kind]
        done += cells
    yield "░" * (_BAR - done), "dim"


def _rows(nodes: Sequence[Node], total: int, *, depth: int, stem: str = "") -> Iterator[tuple[Text, Node]]:
    """Yield what is shown of ``nodes`` with its place in the tree; of many small ones only the sum."""
    least = 0 if depth else _WORTH_SHOWING * total
    large = [node for node in nodes[:_MOST] if node.size_bytes >= least]
    rest = nodes[len(large) :]
    shown = [*large, *([_sum_of(rest)] if len(rest) > 1 else rest)]
    for node in shown:
        last = node is shown[-1]
        is_layer = node.name.startswith("layers/")
        style = "" if node.version or is_layer else "dim"
        yield Text.assemble((f"{stem}{'└─' if last else '├─'} ", "dim"), (node.name, style), f" {node.version}"), node
        inside = depth - (not is_layer)
        if inside >= 0 and node.size_bytes >= _WORTH_SHOWING * total:
            yield from _rows(node.children, total, depth=inside, stem=f"{stem}{'   ' if last else '│  '}")


def _sum_of(nodes: Sequence[Node]) -> Node:
    return Node(
        name=f"{len(nodes)} more",
        size_bytes=sum(node.size_bytes for node in nodes),
        kinds={kind: sum(node.kinds[kind] for node in nodes) for kind in KINDS},
    )


def print_why(why: Why) -> None:
    """Print where a distribution is and what brings it."""
    console = _console()
    for artifact, version in why.found.items():
        console.print(Text.assemble((f"{why.distribution} {version}", "bold"), f" is in {artifact}, for {why.target}"))
    if why.in_runtime and not why.found:
        console.print(f"{why.distribution} comes with the runtime, for {why.target}; no artifact brings another")
    for chain in (chain for reasons in why.reasons.values() for chain in reasons.chains):
        console.print()
        for level, step in enumerate(chain):
            stem = f"{'   ' * (level - 1)}└─ " if level else ""
            console.print(Text.assemble((stem, "dim"), *_said(step)))
    passed_over = dict.fromkeys(step for reasons in why.reasons.values() for step in reasons.passed_over)
    if passed_over:
        console.print()
    for step in passed_over:
        console.print(Text.assemble(("does not hold here: ", "dim"), *_said(step)))


def _said(step: Step) -> Iterator[str | tuple[str, str]]:
    """Yield a step as text with styles: ``requests[socks] 2.34 wants PySocks>=1.5 ; marker``."""
    name, _, version = step.by.partition(" ")
    yield f"{name}[{step.extra}] {version}" if step.extra else step.by
    yield " wants ", "dim"
    yield step.requirement, "bold"
    if step.marker:
        yield f" ; {step.marker}", "dim"


def print_differences(differences: Mapping[str, Difference], since: str) -> None:
    """Print what changed in each artifact ``since`` something, in words."""
    console = _console()
    changed = {name: each for name, each in differences.items() if not each.is_empty}
    console.print(Text(f"since {since}", "dim") if changed else f"nothing changed since {since}")
    for name, each in changed.items():
        (before, after), (zip_before, zip_after) = each.unzipped_bytes, each.zip_bytes
        facts = f"{_arrow(before, after)} ({_signed(after - before)}), zip {_arrow(zip_before, zip_after)}"
        console.print(Text.assemble((name, "bold"), f"  {facts}"))
        for distribution in each.distributions:
            inside = sum(file.owner == distribution.name for file in each.files)
            console.print(Text.assemble("  ", *_said_of(distribution, inside)))
        own = [file for file in each.files if not file.owner]
        told = [file for file in own if not file.path.endswith(".pyc")][:_MOST_FILES]
        for file in told:
            console.print(Text.assemble("  ", *_said_of_file(file)))
        if len(own) > len(told):
            console.print(Text(f"    and {len(own) - len(told)} more of its own files, bytecode included", "dim"))


def _said_of(change: DistributionChange, files: int) -> Iterator[str | tuple[str, str]]:
    where = f" in {change.folder}" if "/" in change.folder else ""
    versions = dict.fromkeys(version for version in (change.before, change.after) if version)
    yield _sign(before=change.before is not None, after=change.after is not None)
    yield f" {change.name}{where} {' → '.join(versions)}"
    size = _signed(change.after_bytes - change.before_bytes)
    yield f"  {size}, {files} {'file' if files == 1 else 'files'}", "dim"


def _said_of_file(change: FileChange) -> Iterator[str | tuple[str, str]]:
    yield _sign(before=change.before_bytes is not None, after=change.after_bytes is not None)
    yield f" {change.path}"
    yield f"  {_signed((change.after_bytes or 0) - (change.before_bytes or 0))}", "dim"


def _sign(*, before: bool, after: bool) -> tuple[str, str]:
    return ("~", "yellow") if before and after else ("+", "green") if after else ("−", "red")


def _arrow(before: int, after: int) -> str:
    return f"{shown_bytes(before)} → {shown_bytes(after)}"


def _signed(count: int) -> str:
    return f"{'−' if count < 0 else '+'}{shown_bytes(abs(count))}"


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console

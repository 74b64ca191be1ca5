"""The page of `invoke size --html`: a squarified treemap of every artifact, in one file that loads nothing.

Everything is placed here, in shares of the box around it, so the page needs no script: a box that is followed
(``:target``) fills the map, and labels show where there is room (container queries).
Squarified: Bruls, Huizing and van Wijk, "Squarified Treemaps", 2000.
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import count
from pathlib import Path
from string import Template

from build.inspection.contents import KINDS
from build.inspection.sizes import Node, Sizes, shown_bytes

_PAGE = Path(__file__).with_name("treemap.html")
_WIDTH, _HEIGHT = 1200.0, 660.0
"""What the map is laid out for, in CSS pixels; shown in any size."""
_HEADER, _GAP = 22.0, 2.0
_SMALLEST = 400.0
"""Square pixels: what would be smaller is shown together."""
_MOST_MAPS = 60
"""More would make a page that browsers are slow to open."""
_HEADED = (46.0, 40.0)
"""Width and height from which on a box with something inside has a header."""

Place = tuple[float, float, float, float]
"""Left, top, width, height."""
Room = tuple[float, float]
"""Width, height."""


def page(title: str, artifacts: Sequence[Sizes]) -> str:
    """Return the page as HTML, the first artifact opened."""
    shown = "".join(_section(each, number) for number, each in enumerate(artifacts))
    legend = "".join(f'<span class="key"><i class="{_css(kind)}"></i>{kind}</span>' for kind in KINDS)
    template = Template(_PAGE.read_text(encoding="utf-8"))
    return template.substitute(title=escape(title), legend=legend, sections=shown)


def squarified(sizes: Sequence[float], place: Place) -> list[Place]:
    """Return a rectangle in ``place`` for each of ``sizes`` (the largest first, none zero), as square as can be."""
    left, top, width, height = place
    scale = width * height / sum(sizes) if sizes else 0
    areas = [size * scale for size in sizes]
    places: list[Place] = []
    while areas:
        side = min(width, height)
        if side <= 0:
            return [*places, *((left, top, 0.0, 0.0) for _ in areas)]
        row = 1
        while row < len(areas) and _worst(areas[: row + 1], side) <= _worst(areas[:row], side):
            row += 1
        depth = sum(areas[:row]) / side
        along = 0.0
        for area in areas[:row]:
            length = area / depth
            places.append((left, top + along, depth, length) if width >= height else (left + along, top, length, depth))
            along += length
        if width >= height:
            left, width = left + depth, width - depth
        else:
            top, height = top + depth, height - depth
        areas = areas[row:]
    return places


def _worst(row: Sequence[float], side: float) -> float:
    """Return the worst ratio of sides in a row of areas, laid along ``side``."""
    total = sum(row)
    return max(side * side * max(row) / (total * total), total * total / (side * side * min(row)))


def _section(sizes: Sizes, number: int) -> str:
    tree, share, anchor = sizes.tree, sizes.share, f"m{number}"
    drawn = f"<p>Run <code>invoke size -f {escape(tree.name.rpartition('/')[2])} --html</code> for its map."
    if number < _MOST_MAPS:
        boxes = "".join(_Map(tree, anchor).boxes(tree, (_WIDTH, _HEIGHT)))
        drawn = f'<div class=map>{boxes}<a class=out href="#{anchor}">× all of {escape(tree.name)}</a></div>'
    rules = ", ".join(f"{rule} {shown_bytes(count)}" for rule, count in sizes.saved.items())
    saved = f" · left out: {escape(rules)}" if rules else ""
    rows = "".join(
        f"<tr><th scope=row>{escape(child.name)}<td>{escape(child.version)}<td class=n>{shown_bytes(child.size_bytes)}"
        f"<td class=n>{_percent(child.size_bytes, tree.size_bytes)}"
        + "".join(f"<td class=n>{shown_bytes(child.kinds[kind]) if child.kinds[kind] else ''}" for kind in KINDS)
        for child in tree.children
    )
    heads = "".join(f"<th scope=col class=n>{kind}" for kind in KINDS)
    return (
        f'<details class=artifact id="{anchor}"{"" if number else " open"}><summary><b>{escape(tree.name)}</b>'
        f'<span class="bar{" over" if share > 1 else ""}">{_bar(tree, share)}</span>'
        f"<span>{shown_bytes(tree.size_bytes)} · {share:.0%} of the quota</span>"
        f"<small>zip {shown_bytes(sizes.zip_bytes)}{saved}</small></summary>"
        f"{drawn}<details class=rows><summary>The same as a table</summary><table><thead><tr><th scope=col>distribution"
        f"<th scope=col>version<th scope=col class=n>unzipped<th scope=col class=n>share{heads}</thead>"
        f"<tbody>{rows}</tbody></table></details></details>"
    )


class _Map:
    """The boxes of one artifact."""

    def __init__(self, root: Node, anchor: str) -> None:
        self._root = root
        self._anchors = (f"{anchor}-{number}" for number in count(1))

    def boxes(self, node: Node, room: Room) -> Iterator[str]:
        """Yield the boxes of what is in ``node``, in shares of ``room``."""
        width, height = room
        children = [child for child in node.children if child.size_bytes]
        total = sum(child.size_bytes for child in children)
        if not total or width < _GAP or height < _GAP:
            return
        shown = _gathered(children, _SMALLEST * total / (width * height))
        places = squarified([child.size_bytes for child in shown], (0.0, 0.0, width, height))
        for child, place in zip(shown, places, strict=True):
            yield self._box(child, place, room)

    def _box(self, node: Node, place: Place, room: Room) -> str:
        left, top, width, height = place
        style = (
            f"left:{left / room[0]:.3%};top:{top / room[1]:.3%};"
            f"width:{width / room[0]:.3%};height:{height / room[1]:.3%}"
        )
        name, size = escape(f"{node.name} {node.version}".strip()), shown_bytes(node.size_bytes)
        share = f"{_percent(node.size_bytes, self._root.size_bytes)} of {self._root.name}"
        title = f"{name}\n{size}, {escape(share)}\n{_kinds(node)}"
        if not node.children or width < _HEADED[0] or height < _HEADED[1]:
            css = _css(_kind_of(node))
            return f'<div class="leaf {css}" style="{style}" title="{title}"><b>{name}</b><s>{size}</s></div>'
        target = next(self._anchors)
        inside = "".join(self.boxes(node, (width - 2 * _GAP, height - _HEADER - 2 * _GAP)))
        return (
            f'<section class=box id="{target}" style="{style}"><a href="#{target}" title="{title}"><b>{name}</b>'
            f"<s>{size}</s></a><div class=in>{inside}</div></section>"
        )


def _bar(tree: Node, share: float) -> str:
    """Return the filled part of the quota's bar, in the colours of the kinds."""
    filled = min(share, 1) / tree.size_bytes if tree.size_bytes else 0
    return "".join(f'<i class="{_css(kind)}" style="width:{tree.kinds[kind] * filled:.2%}"></i>' for kind in KINDS)


def _gathered(children: Sequence[Node], smallest: float) -> list[Node]:
    """Return ``children`` with the smallest put together, by what they mostly are."""
    large = [child for child in children if child.size_bytes >= smallest]
    small: dict[str, list[Node]] = {}
    for child in children[len(large) :]:
        small.setdefault(_kind_of(child), []).append(child)
    gathered = [group[0] if len(group) == 1 else _together(group, kind) for kind, group in small.items()]
    return sorted([*large, *gathered], key=lambda node: -node.size_bytes)


def _together(nodes: Sequence[Node], kind: str) -> Node:
    return Node(
        name=f"{len(nodes)} small, mostly {kind}" if any(node.children for node in nodes) else f"{len(nodes)} {kind}",
        size_bytes=sum(node.size_bytes for node in nodes),
        kinds={each: sum(node.kinds[each] for node in nodes) for each in KINDS},
    )


def _kind_of(node: Node) -> str:
    """Return what most of it is."""
    return max(KINDS, key=lambda kind: node.kinds[kind])


def _kinds(node: Node) -> str:
    return ", ".join(f"{kind} {shown_bytes(node.kinds[kind])}" for kind in KINDS if node.kinds[kind])


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0%"


def _css(kind: str) -> str:
    return kind.lstrip(".")

"""The page of `invoke invoke --profile`: one file that loads nothing and needs no script.

Everything is placed here, in shares of the frame around it. Each frame is a choice of its graph (``:checked``): the one
that is chosen, and all around it, take the whole width.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from string import Template

from build.profiling.frames import Frame, Origin, longest
from build.review.page_markup import Html, fold, joined, many, row, section, table, tag, text

_PAGE = Path(__file__).with_name("page.html")
_STYLE = Path(__file__).with_name("page.css")
_ROW_PX = 22
_MOST_ROWS = 20
_CSS = {Origin.OWN: "own", Origin.DEPENDENCY: "dependency", Origin.RUNTIME: "runtime", Origin.PYTHON: "python"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One of the page."""

    title: str
    about: str
    frame: Frame


def page(title: str, about: str, graphs: Sequence[Graph]) -> str:
    """Return the page as HTML: the same for the same graphs."""
    legend = (tag("span", tag("i", class_=css), str(origin), class_="key") for origin, css in _CSS.items())
    return Template(_PAGE.read_text(encoding="utf-8")).substitute(
        title=text(title),
        about=text(about),
        legend=joined(legend),
        style=_STYLE.read_text(encoding="utf-8"),
        main=joined((_section(each, f"g{number}") for number, each in enumerate(graphs))),
    )


def spoken(microseconds: float) -> str:
    """Return ``1.23 s``, ``45.6 ms`` or ``0.078 ms``."""
    ms = microseconds / 1000
    return f"{ms / 1000:.2f} s" if ms >= 1000 else f"{ms:.1f} ms" if ms >= 1 else f"{ms:.3f} ms"


def _section(graph: Graph, anchor: str) -> Html:
    frame = graph.frame
    drawn = joined(_Drawing(frame, anchor).all())
    label = f"{graph.title}: choose a frame to widen it"
    box = tag(
        "div", drawn, class_="graph", role="radiogroup", aria_label=label, style=f"height:{frame.depth * _ROW_PX}px"
    )
    found = longest(frame, _MOST_ROWS)
    are_calls = any(each.place for each in found)
    heads = ("What", "By itself", "Whose", *(("Calls", "Where") if are_calls else ()))
    rows = [
        row(
            each.name,
            spoken(each.own_us),
            str(each.origin),
            *((str(each.calls), tag("code", each.place)) if are_calls else ()),
        )
        for each in found
    ]
    listed = table(f"{graph.title}: what takes longest by itself", heads, rows)
    return section(
        anchor,
        graph.title,
        tag("p", graph.about, class_="soft"),
        tag("div", box, class_="scroll"),
        fold("What takes longest by itself, as a table", tag("div", listed, class_="scroll")),
    )


class _Drawing:
    """The frames of one graph."""

    def __init__(self, whole: Frame, anchor: str) -> None:
        self._whole = whole
        self._total_us = whole.total_us or 1.0
        self._anchor = anchor
        self._numbers = count()

    def all(self) -> Iterator[Html]:
        """Yield the whole of it, opened."""
        yield self._drawn(self._whole, 0.0, 1.0)

    def _drawn(self, frame: Frame, left: float, width: float) -> Html:
        total_us, number = frame.total_us, next(self._numbers)
        inside, at = [], 0.0
        for each in frame.inside:
            share = each.total_us / total_us if total_us else 0.0
            inside.append(self._drawn(each, at, share))
            at += share
        shown = spoken(total_us)
        chosen = tag("input", type="radio", name=self._anchor, checked=number == 0)
        return tag(
            "div",
            tag("label", chosen, tag("b", frame.name), " ", tag("span", shown), class_=_CSS[frame.origin]),
            *inside,
            class_="f",
            style=f"left:{left:.4%};width:{width:.4%}",
            data_told=self._told(frame),
        )

    def _told(self, frame: Frame) -> str:
        share = f"{frame.total_us / self._total_us:.1%}"
        times = f" · {many(frame.calls, 'call')}" if frame.place or frame.calls > 1 else ""
        where = f" · {frame.place}" if frame.place else ""
        own = f", by itself {spoken(frame.own_us)}" if frame.inside else ""
        return f"{frame.name} · {spoken(frame.total_us)} ({share}){own}{times} · {frame.origin}{where}"

"""Plots as inline SVG: no script, no colour alone to tell things apart, the numbers beside each in a table."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from build.release.figures import Share, Week, spoken
from build.review.page_markup import Html, joined, tag

_WIDTH, _HEIGHT = 340, 150
"""What plots are drawn in; shown as wide as there is room."""
_LEFT, _TOP, _BOTTOM = 48, 14, 22
_MOST_POINTS = 40
"""Of a line: more become medians of neighbours."""
_MANY = 60
"""Dots from which on they are small."""
_TIMES_S = (
    0.5,
    1,
    2,
    5,
    10,
    20,
    40,
    60,
    120,
    240,
    600,
    1200,
    2400,
    3600,
    7200,
    14_400,
    28_800,
    86_400,
    172_800,
    604_800,
)
_COUNTS = (2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400, 1000)
"""Where an axis may end, so that half of it is a number that people say."""


def weekly(weeks: Sequence[Week], values: Sequence[tuple[int, int]], words: tuple[str, str]) -> Html:
    """Return a bar for each week, in which the second number of its ``values`` stands, hatched, on the first."""
    top = _ceiling(max(map(sum, values), default=0), _COUNTS)
    step = (_WIDTH - _LEFT) / len(weeks)
    marks: list[str] = [*_grid(top, lambda value: f"{value:.0f}")]
    for number, (week, (first, second)) in enumerate(zip(weeks, values, strict=True)):
        left, middle = _LEFT + number * step + 2, _LEFT + (number + 0.5) * step
        heights = [_y(0, top), _y(first, top), _y(first + second, top)]
        marks.append(_bar("good", left, step - 4, heights[0], heights[1]))
        marks.append(_bar("bad", left, step - 4, heights[1], heights[2]))
        if first + second:
            marks.append(_label(middle, heights[2] - 3, str(first + second)))
        if number % 3 == 0 or number == len(weeks) - 1:
            marks.append(_label(middle, _HEIGHT - 6, week.begins[5:]))
    totals = (sum(each) for each in zip(*values, strict=True))
    said = ", ".join(f"{total} {word}" for total, word in zip(totals, words, strict=True) if word)
    return _svg(f"{said} in {len(weeks)} weeks", marks)


def dots(values: Sequence[float], split: int, what: str) -> Html:
    """Return a dot for each of ``values``, seconds in the order of time, with medians before and from ``split`` on."""
    top = _ceiling(max(values), _TIMES_S)
    step = (_WIDTH - _LEFT - 8) / max(len(values) - 1, 1)
    places = [_LEFT + 4 + number * step for number in range(len(values))]
    marks: list[str] = [*_grid(top, spoken)]
    size = "3" if len(values) <= _MANY else "1.6"
    for x, value in zip(places, values, strict=True):
        marks.append(tag("circle", class_="dot", cx=f"{x:.1f}", cy=f"{_y(value, top):.1f}", r=size))
    medians = []
    for begin, end in ((0, split), (split, len(values))):
        if begin < end:
            middle = median(values[begin:end])
            medians.append(spoken(middle))
            marks.append(_line("median", places[begin] - 4, _y(middle, top), places[end - 1] + 4, _y(middle, top)))
    if 0 < split < len(values):
        x = places[split] - step / 2
        marks.append(_line("split", x, _TOP, x, _HEIGHT - _BOTTOM))
    marks += [_label(_LEFT, _HEIGHT - 6, "older", "start"), _label(_WIDTH, _HEIGHT - 6, "newer", "end")]
    return _svg(f"{len(values)} {what}, median {', then '.join(medians)}", marks)


def spark(values: Sequence[float]) -> Html:
    """Return ``values``, in the order of time, as a line one word high, from zero."""
    points = _thinned([*values] * 2 if len(values) == 1 else values)
    top, step = max(points) or 1.0, 96 / (len(points) - 1)
    drawn = " ".join(f"{2 + number * step:.1f},{20 - 18 * value / top:.1f}" for number, value in enumerate(points))
    return tag(
        "svg", tag("polyline", class_="median", points=drawn), class_="spark", viewBox="0 0 100 22", aria_hidden="true"
    )


def strip(share: Share) -> Html:
    """Return the part that ``share`` is, as a strip; nothing of nothing."""
    if not share.of:
        return Html()
    part = tag("rect", class_="part", width=f"{100 * share.count / share.of:.1f}", height="8") if share.count else ""
    whole = tag("rect", class_="rest", width="100", height="8")
    inside = joined([whole, part])
    return tag("svg", inside, class_="strip", viewBox="0 0 100 8", preserveAspectRatio="none", aria_hidden="true")


def _svg(said: str, marks: Sequence[str]) -> Html:
    return tag("svg", *marks, class_="plot", viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=said)


def _grid(top: float, words: Callable[[float], str]) -> Iterator[Html]:
    for value in (0.0, top / 2, top):
        yield _line("grid", _LEFT, _y(value, top), _WIDTH, _y(value, top))
        yield _label(_LEFT - 6, _y(value, top) + 4, words(value) if value else "0", "end")


def _bar(css: str, left: float, width: float, bottom: float, top: float) -> Html:
    if bottom <= top:
        return Html()
    place = {"x": f"{left:.1f}", "y": f"{top:.1f}", "width": f"{width:.1f}", "height": f"{bottom - top:.1f}"}
    return tag("rect", class_=css, **place)


def _line(css: str, x1: float, y1: float, x2: float, y2: float) -> Html:
    return tag("line", class_=css, x1=f"{x1:.1f}", y1=f"{y1:.1f}", x2=f"{x2:.1f}", y2=f"{y2:.1f}")


def _label(x: float, y: float, words: str, anchor: str = "middle") -> Html:
    return tag("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / top


def _ceiling(largest: float, steps: Sequence[float]) -> float:
    """Return the first of ``steps`` that is not below ``largest``; beyond the last, that number."""
    return next((step for step in steps if step >= largest), largest)


def _thinned(values: Sequence[float]) -> Sequence[float]:
    if len(values) <= _MOST_POINTS:
        return values
    size = -(-len(values) // _MOST_POINTS)
    return [median(values[begin : begin + size]) for begin in range(0, len(values), size)]

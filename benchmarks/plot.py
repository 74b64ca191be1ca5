"""Results as one SVG that reads well on light and on dark pages, small enough to be written by hand."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from benchmarks.results import OURS, Race, Results, Scale, Spread, State
from benchmarks.tables import seconds, times

_WIDTH, _MARGIN, _NAMES = 1016, 28, 196
_BAR, _ROW, _HEAD = 150, 23, 46
"""Room for the longest bar; height of a bar's row and of a workload's heading."""
_SHOWN = (State.WARM, State.SAME, State.EDITED)
_STYLE = """
.page{fill:#fff;stroke:#d0d7de}.text{fill:#1f2328}.quiet{fill:#59636e}.grid{stroke:#d8dee4}
.bar{fill:#afb8c1}.ours{fill:#0969da}.line{stroke:#0969da}.faster{fill:#bc4c00;font-weight:600}
text{font:12px -apple-system,"Segoe UI",Helvetica,Arial,sans-serif}.h1{font-size:18px;font-weight:600}
.h2{font-size:13px;font-weight:600}.h3{font-size:12px;font-style:italic}.strong{font-weight:600}.small{font-size:10.5px}
@media(prefers-color-scheme:dark){.page{fill:#0d1117;stroke:#30363d}.text{fill:#e6edf3}.quiet{fill:#9198a1}
.grid{stroke:#2a313a}.bar{fill:#4b535d}.ours{fill:#4493f8}.line{stroke:#4493f8}.faster{fill:#f0883e}}
"""


def plot(results: Results) -> str:
    """Return the SVG: a row of bars on one log scale for every workload, and the growth of a repository."""
    parts: list[str] = []
    top = float(_MARGIN + 48)
    walls = [race.wall.middle for race in results.races if race.samples and race.state in _SHOWN]
    if walls:
        scale = _Scale(low=math.floor(math.log10(min(walls)) - 0.2), high=math.ceil(math.log10(max(walls))))
        for workload, title in results.workloads.items():
            races = {(r.entrant, r.state): r for r in results.races if r.workload == workload and r.state in _SHOWN}
            if any(race.samples for race in races.values()):
                parts += _row(results.entrants_of(workload), f"{workload}: {title}", races, scale, top)
                top += _HEAD + _ROW * len(results.entrants_of(workload)) + 36
    if len(results.scales) > 1:
        parts += _growth(results.scales, top)
        top += 236
    height = top + 4
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" role="img">',
            "<title>How long Slipway and its peers take to build</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="page" x=".5" y=".5" width="{_WIDTH - 1}" height="{height - 1:.0f}" rx="8"/>',
            _text(_MARGIN, _MARGIN + 10, "Seconds to build, log scale: shorter is better", "text h1"),
            _text(_MARGIN, _MARGIN + 28, str(results.machine), "quiet small"),
            *parts,
            "</svg>\n",
        ]
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """From 10 to the power of ``low`` to that of ``high``, over `_BAR` units."""

    low: int
    high: int

    def at(self, value: float) -> float:
        return _BAR * (math.log10(value) - self.low) / (self.high - self.low)


def _row(
    entrants: Mapping[str, str], title: str, races: Mapping[tuple[str, State], Race], scale: _Scale, top: float
) -> Iterator[str]:
    """Draw one workload: names once, then a panel for each state."""
    yield _text(_MARGIN, top + 14, title, "text h2")
    for number, (entrant, name) in enumerate(entrants.items()):
        style = "text" if entrant == OURS else "quiet"
        yield _text(_MARGIN + _NAMES - 10, top + _HEAD + _ROW * number + 13, name, style, anchor="end")
    for column, state in enumerate(_SHOWN):
        left = _MARGIN + _NAMES + column * (_WIDTH - 2 * _MARGIN - _NAMES) / len(_SHOWN)
        bottom = top + _HEAD + _ROW * len(entrants)
        yield _text(left, top + 36, state, "quiet h3")
        for decade in range(scale.low, scale.high + 1):
            x = left + scale.at(10.0**decade)
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top + _HEAD - 4:.1f}" y2="{bottom:.1f}"/>'
            yield _text(x, bottom + 13, f"{10.0**decade:g}", "quiet small", anchor="middle")
        for number, entrant in enumerate(entrants):
            race = races.get((entrant, state))
            y = top + _HEAD + _ROW * number
            if race and race.samples:
                yield from _bar(race, races.get((OURS, state)), left, y, scale)
            else:
                yield _text(left + 6, y + 13, "did not run", "quiet small")


def _bar(race: Race, ours: Race | None, left: float, y: float, scale: _Scale) -> Iterator[str]:
    wall, least = race.wall.middle, ours.wall.middle if ours and ours.samples else None
    is_ours = race.entrant == OURS
    length = scale.at(wall)
    value = seconds(wall) if is_ours or not least else f"{seconds(wall)} · {times(wall / least)}"
    tone = "text strong" if is_ours else "faster" if least and wall < least else "quiet"
    style = "ours" if is_ours else "bar"
    yield f'<rect class="{style}" x="{left:.1f}" y="{y:.1f}" width="{length:.1f}" height="17" rx="2"/>'
    yield _text(left + length + 6, y + 13, value, tone)


def _growth(scales: Sequence[Scale], top: float) -> Iterator[str]:
    """Draw seconds against functions, both linear: what is linear looks so."""
    points = [(s.functions, Spread.of(sample.wall_s for sample in s.samples)) for s in scales]
    left, right, bottom, height = _MARGIN + 30, _WIDTH - _MARGIN - 40, top + 196, 150
    most = max(spread.high for _, spread in points)
    step = next(unit for unit in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if most <= 4 * unit or unit == 100)
    highest = step * math.ceil(most / step)

    def at(functions: float, value: float) -> tuple[float, float]:
        return left + 30 + (right - left - 30) * functions / points[-1][0], bottom - height * value / highest

    yield _text(_MARGIN, top + 14, "Nothing changed, by number of functions: seconds, linear scale", "text h2")
    for number in range(round(highest / step) + 1):
        _, y = at(0, number * step)
        yield f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(left - 8, y + 4, f"{number * step:g}", "quiet small", anchor="end")
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(count, spread.middle) for count, spread in points))
    yield f'<polyline class="line" fill="none" stroke-width="2" points="{path}"/>'
    for count, spread in points:
        x, y = at(count, spread.middle)
        (_, up), (_, down) = at(count, spread.high), at(count, spread.low)
        yield f'<line class="line" x1="{x:.1f}" x2="{x:.1f}" y1="{up:.1f}" y2="{down:.1f}"/>'
        yield f'<circle class="ours" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
        yield _text(x, y - 10, seconds(spread.middle), "text", anchor="middle")
        yield _text(x, bottom + 16, f"{count:,}", "quiet small", anchor="middle")


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'

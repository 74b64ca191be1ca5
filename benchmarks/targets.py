"""What Slipway promises about its speed, as numbers that one benchmark can show to be kept or not."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from benchmarks.peers import PEERS
from benchmarks.results import Results, Scale, Spread, State

DATA, REPOSITORY, IMAGE = "data", "monorepo", "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One promise; ``kept`` is None where this benchmark did not measure it."""

    promise: str
    wanted: str
    got: str = "not measured"
    kept: bool | None = None


def targets(results: Results) -> tuple[Target, ...]:
    """Hold ``results`` against every promise."""
    return (
        *_floors(results),
        *_nothing_changed(results),
        *_ratios(results),
        *_sizes(results),
        *_images(results),
        *_scales(results),
    )


def _floors(results: Results) -> Iterator[Target]:
    promise, wanted = "A pandas function, warm: build stage against the physical floor", "≤ 2 ×"
    floor = next((floor for floor in results.floors if floor.workload == DATA), None)
    if not floor:
        yield Target(promise=promise, wanted=wanted)
        return
    took, least = Spread.of(floor.assemble_s).middle, Spread.of(floor.floor_s).middle
    got = f"{took / least:.1f} × ({took:.3f} s against {least:.3f} s)"
    yield Target(promise=promise, wanted=wanted, got=got, kept=took <= 2 * least)


def _nothing_changed(results: Results) -> Iterator[Target]:
    same, edited = results.race(REPOSITORY, State.SAME), results.race(REPOSITORY, State.EDITED)
    promise, wanted = "30 functions, nothing changed: whole process", "≤ 0.5 s"
    if same:
        took = same.wall.middle
        yield Target(promise=promise, wanted=wanted, got=f"{took:.2f} s", kept=took <= 0.5)
    else:
        yield Target(promise=promise, wanted=wanted)
    promise, wanted = "30 functions, one line changed: on top of that", "≤ 0.2 s"
    if same and edited:
        more = edited.wall.middle - same.wall.middle
        yield Target(promise=promise, wanted=wanted, got=f"{more:.2f} s", kept=more <= 0.2)
    else:
        yield Target(promise=promise, wanted=wanted)


def _ratios(results: Results) -> Iterator[Target]:
    for entrant, name, least in (("uv", "uv + zip", 30), ("sam", "sam build --cached --parallel", 60)):
        promise, wanted = f"30 functions with a warm store, against {name}", f"≥ {least} × faster"
        ratio = results.ratio(REPOSITORY, State.WARM, entrant)
        if ratio is None:
            yield Target(promise=promise, wanted=wanted)
        else:
            yield Target(promise=promise, wanted=wanted, got=f"{ratio:.0f} ×", kept=ratio >= least)


def _sizes(results: Results) -> Iterator[Target]:
    peak = results.peak_bytes
    promise, wanted = "Peak memory of the largest process, over all runs", "≤ 120 MB"
    if peak:
        yield Target(promise=promise, wanted=wanted, got=f"{peak / 1e6:.0f} MB", kept=peak <= 120e6)
    else:
        yield Target(promise=promise, wanted=wanted)
    same = [p.identical for p in results.products if p.entrant == "slipway" and p.identical is not None]
    promise, wanted = "Two builds from nothing, in two folders", "the same bytes"
    if same:
        yield Target(promise=promise, wanted=wanted, got=f"{sum(same)} of {len(same)} workloads", kept=all(same))
    else:
        yield Target(promise=promise, wanted=wanted)


def _images(results: Results) -> Iterator[Target]:
    images = [PEERS[key] for key in sorted(PEERS) if PEERS[key].is_for_images]
    peers = [(peer.key, peer.name) for peer in images]
    for (state, least), (entrant, name) in product(((State.WARM, 5), (State.EDITED, 15)), peers):
        promise, wanted = f"An image, {state}: built and pushed, against {name}", f"≥ {least} × faster"
        ratio = results.ratio(IMAGE, state, entrant)
        if ratio is None:
            yield Target(promise=promise, wanted=wanted)
        else:
            yield Target(promise=promise, wanted=wanted, got=f"{ratio:.1f} ×", kept=ratio >= least)
    promise, wanted = "An image: its layers against the same tars by zlib, level 6", "≤ 8 % larger"
    packed = next((each for each in results.packed if each.workload == IMAGE), None)
    if packed:
        more = 100 * (packed.layer_bytes / packed.zlib_bytes - 1)
        got = f"{more:.1f} % ({packed.layer_bytes / 1e6:.1f} MB against {packed.zlib_bytes / 1e6:.1f} MB)"
        yield Target(promise=promise, wanted=wanted, got=got, kept=100 * packed.layer_bytes <= 108 * packed.zlib_bytes)
    else:
        yield Target(promise=promise, wanted=wanted)


def _scales(results: Results) -> Iterator[Target]:
    promise, wanted = "1,000 functions, nothing changed", "≤ 2 s"
    largest = next((scale for scale in results.scales if scale.functions == 1000), None)
    if largest:
        took = Spread.of(sample.wall_s for sample in largest.samples).middle
        yield Target(promise=promise, wanted=wanted, got=f"{took:.2f} s", kept=took <= 2)
    else:
        yield Target(promise=promise, wanted=wanted)
    promise, wanted = "Each further function costs no more than those before", "≤ 1.5 × as much"
    slopes = list(_slopes(results.scales)) if largest else []
    if slopes:
        growth = slopes[-1] / slopes[0]
        got = f"{growth:.1f} × ({slopes[0] * 1000:.2f} ms, then {slopes[-1] * 1000:.2f} ms)"
        yield Target(promise=promise, wanted=wanted, got=got, kept=growth <= 1.5)
    else:
        yield Target(promise=promise, wanted=wanted)


def _slopes(scales: tuple[Scale, ...]) -> Iterator[float]:
    """Yield the seconds that a function costs between the smallest size and the middle one, and from there on."""
    if len(scales) < 3:
        return
    medians = [Spread.of(sample.wall_s for sample in scale.samples).middle for scale in scales]
    for first, last in ((0, -2), (-2, -1)):
        cost = (medians[last] - medians[first]) / (scales[last].functions - scales[first].functions)
        yield max(cost, 1e-6)

"""`invoke bench`: install the peers, race, show and write the results."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from benchmarks.dock import Dock
from benchmarks.entrants import Entrant, InstalledPeer
from benchmarks.environments import installed
from benchmarks.images import ImagePeer, SlipwayImages, packed_of
from benchmarks.machine import this_machine
from benchmarks.measure import RunFailedError
from benchmarks.peers import PEERS
from benchmarks.race import FULL, QUICK, Clock, Contest, Depth
from benchmarks.results import Floor, Import, Packed, Product, Race, Results, Scale
from benchmarks.scaling import floor_of, imports_of, scales_of
from benchmarks.slipway import Slipway
from benchmarks.workloads import WORKLOADS, Workload
from build.errors import InputError

_T = TypeVar("_T")
SCALE = "scale"
"""The name of the growing repository among the workloads."""
_FOR_SCALE, _ALONE = 0.3, 0.2
"""How much of the time the growing repository gets, where a workload gets 1; and Slipway alone, of what is left."""
_RUN, _ABANDONED_AFTER_S = "run-", 24 * 3600
NOBODY = "none"
"""Said for ``peers``: Slipway alone."""


def bench(root: Path, *, quick: bool, only: str, peers: str, publish: bool) -> None:
    """Race Slipway of ``root`` against its peers; print the tables, and write them below .artifacts/bench/.

    ``only`` and ``peers`` choose by name, with commas; empty means all of that depth. ``publish`` writes to
    docs/benchmarks/, too. Raises InputError for names that do not exist.
    """
    if os.name != "posix":
        raise InputError("the peers are told what to do in sh", hint="run `invoke bench` on Linux, macOS or in WSL")
    depth = QUICK if quick else FULL
    chosen = _chosen(only, [*WORKLOADS, SCALE], "workload") or [*depth.workloads, SCALE]
    rivals = [] if peers == NOBODY else _chosen(peers, list(PEERS), "peer") or list(depth.peers)
    place = root / ".artifacts/bench"
    place.mkdir(parents=True, exist_ok=True)
    _sweep(place)
    # Not in a temporary folder of the system: that may be in memory, and is no place for what is built.
    with tempfile.TemporaryDirectory(prefix=_RUN, dir=place) as scratch:
        results = _raced(root, depth, chosen, rivals, Path(scratch))
    from benchmarks.showing import show, write

    show(results)
    for folder in [place, *([root / "docs/benchmarks"] if publish else [])]:
        say(f"written: {', '.join(str(path.relative_to(root)) for path in write(results, folder))}")


def say(text: str) -> None:
    """Say ``text`` on stderr."""
    print(text, file=sys.stderr, flush=True)


def _raced(root: Path, depth: Depth, chosen: list[str], rivals: list[str], scratch: Path) -> Results:
    machine, clock, slipway = this_machine(), Clock(depth.limit_s), Slipway.as_it_is(root, scratch / "machinery")
    workloads = [WORKLOADS[name] for name in chosen if name != SCALE]
    peers, refused = _peers(rivals, workloads, root / ".artifacts/bench/peers")
    for name in [*PEERS, *WORKLOADS]:
        if name not in [*rivals, *chosen]:
            refused[name if name in PEERS else f"the workload {name}"] = "not asked for"
    titles: dict[str, str] = {}
    found: list[Race | Product | Floor | Import | Packed | Scale] = []
    for left, workload in zip(range(len(workloads), 0, -1), workloads, strict=True):
        part, place = clock.part(1 / (left + _FOR_SCALE)), scratch / workload.name
        try:
            with _lanes(workload, slipway, peers, root, scratch / "dock") as lanes:
                titles |= {lane.key: lane.title for lane in lanes}
                contest = Contest(workload, lanes, place=place, depth=depth, clock=part, say=say)
                contest.run()
                found += [*contest.races, *contest.products]
                found += _alone(lanes[0], contest, depth, clock.part(_ALONE))
        except RunFailedError as reason:
            refused[f"the workload {workload.name}"] = str(reason)
            say(f"{workload.name}: {reason}\n{reason.tail}".rstrip())
        shutil.rmtree(place, ignore_errors=True)
    if SCALE in chosen:
        found += scales_of(slipway, scratch, depth, clock, say)
    return Results(
        machine=machine,
        depth=depth.name,
        entrants=titles or {slipway.key: slipway.title},
        refused=refused,
        workloads={workload.name: workload.title for workload in workloads},
        races=_of(Race, found),
        products=_of(Product, found),
        floors=_of(Floor, found),
        imports=_of(Import, found),
        scales=_of(Scale, found),
        packed=_of(Packed, found),
    )


def _sweep(place: Path) -> None:
    """Remove what a benchmark that was killed left behind."""
    for leftover in place.glob(f"{_RUN}*"):
        if leftover.stat().st_mtime < time.time() - _ABANDONED_AFTER_S:
            shutil.rmtree(leftover, ignore_errors=True)


def _of(kind: type[_T], found: Iterable[object]) -> tuple[_T, ...]:
    return tuple(each for each in found if isinstance(each, kind))


@contextmanager
def _lanes(
    workload: Workload, slipway: Slipway, peers: Iterable[InstalledPeer], root: Path, place: Path
) -> Iterator[list[Entrant]]:
    """Yield who takes part in ``workload``. Raises RunFailedError where images have nowhere to go."""
    fitting = [peer for peer in peers if peer.peer.is_for_images == workload.is_image]
    if not workload.is_image:
        yield [slipway, *fitting]
        return
    with Dock(root, place, root / ".artifacts/bench/base", say) as dock:
        yield [SlipwayImages(slipway=slipway, dock=dock), *(ImagePeer(installed=peer, dock=dock) for peer in fitting)]


def _alone(ours: Entrant, contest: Contest, depth: Depth, clock: Clock) -> Iterator[Floor | Import | Packed]:
    """Measure what concerns Slipway alone, where the contest left it, if there is time."""
    site = contest.our_site
    if not site or clock.left_s <= 0:
        return
    try:
        if not isinstance(ours, Slipway):
            say(f"{site.workload.name}: the same tars by zlib")
            yield packed_of(site.workload, ours.zips(site).values())
            return
        say(f"{site.workload.name}: the physical floor")
        yield floor_of(ours, site, depth.rounds, clock)
        if site.workload.imports and site.workload.runs_here and clock.left_s > 0:
            say(f"{site.workload.name}: importing the result")
            yield from imports_of(ours, site, depth.rounds, clock)
    except RunFailedError as reason:
        say(f"{site.workload.name}: {reason}\n{reason.tail}".rstrip())


def _peers(
    rivals: Iterable[str], workloads: Sequence[Workload], place: Path
) -> tuple[list[InstalledPeer], dict[str, str]]:
    """Return every peer of ``workloads`` that could be installed, and why the others could not."""
    peers: list[InstalledPeer] = []
    refused: dict[str, str] = {}
    sets = {workload.functions[0].wants for workload in workloads if not workload.is_many}
    for peer in (PEERS[key] for key in rivals):
        if not any(workload.is_image == peer.is_for_images for workload in workloads):
            continue
        name = f"{peer.name} {peer.version}".rstrip()
        say(f"installing {name}, unless it is there")
        try:
            peers.append(installed(peer, sets, place))
        except RunFailedError as reason:
            refused[name] = str(reason)
            say(f"{name} {reason}\n{reason.tail}".rstrip())
    return peers, refused


def _chosen(said: str, known: Iterable[str], kind: str) -> list[str]:
    names = [name.strip() for name in said.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(
            f"no such {kind}",
            facts=[f"got {name}: expected one of {', '.join(known)}" for name in unknown],
            hint="run `invoke --help bench`",
        )
    return names

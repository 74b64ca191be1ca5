"""The order of runs: state by state, and in each the entrants in turns (A B A B), so that all meet the same weather."""

import hashlib
import shutil
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.entrants import Entrant, Site
from benchmarks.measure import RunFailedError, TooSlowError, measured, settle
from benchmarks.results import OURS, Product, Race, Sample, State
from benchmarks.workloads import Workload

Say = Callable[[str], None]
_OURS_AT_LEAST_S = 20
"""What the first run of Slipway in a state may take when the time is up: all others are compared with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much is run."""

    name: str
    workloads: tuple[str, ...]
    peers: tuple[str, ...]
    rounds: int
    """How often everybody runs in each state, at most."""
    enough_s: float
    """Who has run for so long in one state is not run again in it: slow programs need no fifth time."""
    timeout_s: float
    scales: tuple[int, ...]
    limit_s: float = float("inf")
    """Of everything together."""
    briefly: tuple[str, ...] | None = None
    """If told: who of the peers builds the repository, which they do not cold then, nor are asked for its zips."""


_LAYERED = ("buildah-copy-layers", "buildah-pip-layers")

QUICK = Depth(
    name="quick",
    workloads=("data", "image", "monorepo"),
    peers=("uv", "sam", *_LAYERED),
    rounds=3,
    enough_s=5,
    timeout_s=120,
    scales=(10, 100, 300),
    limit_s=385,
    briefly=("uv",),
)
FULL = Depth(
    name="full",
    workloads=("pure", "data", "web", "arm64", "large", "image", "monorepo"),
    peers=("pip", "uv", "sam", "chalice", "zappa", "pex", "buildah-copy", "buildah-pip", *_LAYERED),
    rounds=7,
    enough_s=240,
    timeout_s=1800,
    scales=(10, 100, 300, 1000),
)


class Clock:
    """What is left of the time that the whole benchmark may take."""

    def __init__(self, limit_s: float) -> None:
        self._end = time.monotonic() + limit_s

    @property
    def left_s(self) -> float:
        """Seconds; may be negative, or infinite."""
        return self._end - time.monotonic()

    def part(self, share: float) -> "Clock":
        """Return a clock for the next ``share`` (0 to 1) of what is left, so that others get theirs."""
        return Clock(share * self.left_s)


@dataclass(slots=True)
class _Lane:
    """What one entrant has done on this workload so far."""

    entrant: Entrant
    sites: list[Site]
    """Two folders, taken in turns for builds that begin with nothing made."""
    at: Site
    """Where it ran last."""
    samples: dict[State, list[Sample]] = field(default_factory=dict)
    refused: dict[State, str] = field(default_factory=dict)
    digests: dict[Path, str] = field(default_factory=dict)
    zip_bytes: int = 0
    bytecode: str = ""
    out: str = ""
    """Why it takes no further part."""

    def expected_s(self, state: State) -> float:
        """How long the next run may take. Cold tells nothing about Slipway's other states."""
        known = [self.samples.get(state, [])] if self.entrant.key == OURS else self.samples.values()
        return 1.5 * max((sample.wall_s for samples in known for sample in samples), default=0.0)

    def took_s(self, state: State) -> float:
        return sum(sample.wall_s for sample in self.samples.get(state, []))


class Contest:
    """One workload: all entrants in all states."""

    def __init__(
        self, workload: Workload, entrants: list[Entrant], *, place: Path, depth: Depth, clock: Clock, say: Say
    ) -> None:
        """Prepare; ``place`` is an empty folder, and must outlive what is asked of us."""
        self._workload, self._depth, self._clock, self._say = workload, depth, clock, say
        self._place = place
        self._lanes = [self._lane(entrant) for entrant in entrants]

    def run(self) -> None:
        """Run everybody in every state; images not cold, which the network decides: zips show it."""
        if self._workload.is_image:
            self._fill_all()
        else:
            self._begin()
        self._rounds(State.WARM, self._forget)
        self._rounds(State.SAME, lambda lane, _: lane.at)
        self._rounds(State.EDITED, self._edit)

    @property
    def races(self) -> tuple[Race, ...]:
        """What was measured."""
        return tuple(
            Race(
                workload=self._workload.name,
                state=state,
                entrant=lane.entrant.key,
                samples=tuple(lane.samples.get(state, ())),
                refused="" if lane.samples.get(state) else lane.refused.get(state) or lane.out,
            )
            for state in State
            for lane in self._lanes
        )

    @property
    def products(self) -> tuple[Product, ...]:
        """What came of it."""
        return tuple(
            Product(
                workload=self._workload.name,
                entrant=lane.entrant.key,
                zip_bytes=lane.zip_bytes,
                identical=len(set(lane.digests.values())) == 1 if len(lane.digests) > 1 else None,
                bytecode=lane.bytecode,
            )
            for lane in self._lanes
            if lane.digests
        )

    @property
    def our_site(self) -> Site | None:
        """Where Slipway ran last, everything made; None if it failed."""
        return next((lane.at for lane in self._lanes if lane.entrant.key == OURS and not lane.out), None)

    def _lane(self, entrant: Entrant) -> _Lane:
        folder = self._place / entrant.key
        sites = [
            Site(folder=folder / name / "project", caches=folder / "caches", workload=self._workload)
            for name in ("here", "elsewhere")
        ]
        return _Lane(entrant=entrant, sites=sites, at=sites[0], out=entrant.refuses(self._workload))

    def _begin(self) -> None:
        """Run cold, twice where that is soon done: caches are full afterwards. Or only fill them."""
        for lane in self._lanes if self._is_brief else ():
            if lane.entrant.key == OURS:
                del lane.sites[1:]
            elif lane.entrant.key in (self._depth.briefly or ()):
                lane.refused[State.COLD] = f"left out of --{self._depth.name}"
            else:
                lane.out = lane.out or f"left out of --{self._depth.name}"
        cold = [lane for lane in self._lanes if State.COLD not in lane.refused]
        for number in range(2):
            for lane in cold:
                # The store of Slipway is in the folder it builds: a second one has to be filled as the first.
                is_needed = number == 0 or lane.entrant.key == OURS or lane.took_s(State.COLD) < self._depth.enough_s
                if lane.out or number >= len(lane.sites) or not is_needed:
                    continue
                site = lane.sites[number]
                shutil.rmtree(site.caches, ignore_errors=True)
                with self._guard(lane):
                    lane.entrant.lay_out(site)
                    self._measure(lane, State.COLD, site)
        for lane in self._lanes:
            if State.COLD in lane.refused and not lane.out:
                small = replace(self._workload, title="", functions=self._workload.sets)
                folder = lane.sites[0].folder.with_name("fill")
                self._fill(lane, Site(folder=folder, caches=lane.sites[0].caches, workload=small))

    def _fill_all(self) -> None:
        for lane in self._lanes:
            del lane.sites[1:]
            self._fill(lane, lane.sites[0])

    def _fill(self, lane: _Lane, site: Site) -> None:
        with self._guard(lane):
            lane.entrant.lay_out(site)
            self._say(f"{self._workload.name}, filling the caches of {lane.entrant.title}")
            self._run(lane, site, State.COLD)

    def _rounds(self, state: State, prepare: Callable[[_Lane, int], Site]) -> None:
        for number in range(self._depth.rounds):
            for lane in self._lanes:
                if lane.out or lane.took_s(state) > self._depth.enough_s:
                    continue
                is_ours_first = lane.entrant.key == OURS and not number
                if self._clock.left_s < lane.expected_s(state) and not is_ours_first:
                    lane.refused[state] = self._no_time
                    continue
                with self._guard(lane):
                    self._measure(lane, state, prepare(lane, number))

    def _measure(self, lane: _Lane, state: State, site: Site) -> None:
        lane.at = site
        samples = lane.samples.setdefault(state, [])
        self._say(f"{self._workload.name}, {state}: {lane.entrant.title}, run {len(samples) + 1}")
        settle()
        samples.append(self._run(lane, site, state))
        is_asked = not self._is_brief or lane.entrant.key == OURS
        if is_asked and state in (State.COLD, State.WARM) and site.folder not in lane.digests:
            self._look(lane, site)

    def _look(self, lane: _Lane, site: Site) -> None:
        zips = lane.entrant.zips(site)
        lane.digests[site.folder] = digest_of(zips)
        lane.zip_bytes = sum(path.stat().st_size for path in zips.values())
        lane.bytecode = "" if site.workload.is_image else bytecode_of(zips[site.workload.functions[-1].name])

    def _forget(self, lane: _Lane, number: int) -> Site:
        done = len(lane.samples.get(State.COLD, ()))
        site = lane.sites[(number + done) % len(lane.sites)]
        lane.entrant.forget(site)
        return site

    def _edit(self, lane: _Lane, number: int) -> Site:
        lane.entrant.edit(lane.at, number + 1)
        return lane.at

    def _run(self, lane: _Lane, site: Site, state: State) -> Sample:
        log = self._place / f"{lane.entrant.key}.log"
        least_s = _OURS_AT_LEAST_S if lane.entrant.key == OURS else 0.0
        timeout_s = min(self._depth.timeout_s, max(self._clock.left_s, least_s))
        if timeout_s > 0:
            with suppress(TooSlowError) if timeout_s < self._depth.timeout_s else nullcontext():
                return measured(lane.entrant.command(site, state), timeout_s=timeout_s, log=log)
        raise RunFailedError(self._no_time)

    @property
    def _is_brief(self) -> bool:
        return self._workload.is_many and self._depth.briefly is not None

    @property
    def _no_time(self) -> str:
        return f"no time was left for it in --{self._depth.name}"

    @contextmanager
    def _guard(self, lane: _Lane) -> Iterator[None]:
        """Let a failure end one entrant's part, and nobody else's."""
        try:
            yield
        except RunFailedError as reason:
            lane.out = str(reason)
            self._say(f"{self._workload.name}: {lane.entrant.title} {reason}\n{reason.tail}".rstrip())


def digest_of(zips: dict[str, Path]) -> str:
    """Return one sha256 for the bytes of all ``zips``, by name."""
    together = hashlib.sha256()
    for name, path in sorted(zips.items()):
        with path.open("rb") as file:
            together.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return together.hexdigest()


def bytecode_of(archive: Path) -> str:
    """Say which kind of ``.pyc`` most modules of ``archive`` come with: none, dated, checked or unchecked (PEP 552)."""
    kinds = {0: "dated", 1: "unchecked", 3: "checked"}
    with zipfile.ZipFile(archive) as opened:
        names = [name for name in opened.namelist() if name.endswith(".pyc")]
        modules = sum(name.endswith(".py") for name in opened.namelist())
        counted = Counter(kinds.get(int.from_bytes(opened.open(name).read(8)[4:], "little"), "odd") for name in names)
    if len(names) * 2 < modules or not counted:  # a wheel may bring one by mistake
        return "none"
    return counted.most_common(1)[0][0]

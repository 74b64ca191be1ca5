"""Slipway alone: how near it is to the physical floor, what its bytecode is worth, what growth costs."""

import json
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.entrants import Site
from benchmarks.environments import python_of_runtime
from benchmarks.measure import PROBES, RunFailedError, answered, measured, settle
from benchmarks.race import Clock, Depth, Say
from benchmarks.results import Floor, Import, Scale, State
from benchmarks.slipway import Slipway
from benchmarks.workloads import repository_of

_DATED = (0).to_bytes(4, "little") + (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
"""What follows the magic number in a ``.pyc`` whose source had another date: flags, time and size."""


def floor_of(slipway: Slipway, site: Site, rounds: int, clock: Clock) -> Floor:
    """Measure, in turns, the floor and the build stage on a warm store."""
    sizes = [path.stat().st_size for path in slipway.zips(site).values()]
    order = json.dumps({"wheels": [str(path) for path in slipway.wheels(site)], "sizes": sizes})
    floor_s: list[float] = []
    stages: list[dict[str, float]] = []
    for _ in _while(clock, rounds):
        with tempfile.TemporaryDirectory(dir=site.caches) as out:
            settle()
            argv = [sys.executable, "-I", "-S", str(PROBES / "floor.py"), out]
            floor_s.append(float(answered(argv, cwd=site.folder, stdin=order)))
        slipway.forget(site)
        settle()
        stages.append(slipway.stages_s(site))
    return Floor(
        workload=site.workload.name,
        floor_s=tuple(floor_s),
        assemble_s=tuple(took_s["build"] for took_s in stages),
        check_s=tuple(took_s["check"] for took_s in stages),
    )


def imports_of(slipway: Slipway, site: Site, rounds: int, clock: Clock) -> tuple[Import, ...]:
    """Time, in turns, the import of a workload's packages: without bytecode, with stale, and as Slipway ships it."""
    workload, python = site.workload, python_of_runtime()
    zips = slipway.zips(site)
    archive = zips[workload.functions[0].name]
    with tempfile.TemporaryDirectory(dir=site.caches) as scratch:
        variants = {name: Path(scratch) / name for name in ("none", "stale", "slipway")}
        for name, folder in variants.items():
            _unpack(archive, folder, name)
        seconds: dict[str, list[float]] = {name: [] for name in variants}
        for _ in _while(clock, rounds):
            for name, folder in variants.items():
                argv = [str(python), "-I", "-B", str(PROBES / "importing.py"), str(folder), *workload.imports]
                seconds[name].append(float(answered(argv, cwd=site.folder)))
    return tuple(Import(workload=workload.name, variant=name, seconds=tuple(each)) for name, each in seconds.items())


def scales_of(slipway: Slipway, place: Path, depth: Depth, clock: Clock, say: Say) -> tuple[Scale, ...]:
    """Measure the second build of ever larger repositories; what does not fit into the time is left out."""
    scales: list[Scale] = []
    folder, caches = place / "scale/project", place / "scale/caches"
    done = 0
    for count in depth.scales:
        if clock.left_s <= 0:
            say(f"{count} functions: no time was left in --{depth.name}")
            break
        workload = repository_of(count)
        site = Site(folder=folder, caches=caches, workload=workload)
        if done:
            slipway.add(site, workload.functions[done:])
        else:
            slipway.lay_out(site)
        done = count
        say(f"{count} functions, nothing changed: Slipway")
        log = place / "scale.log"
        try:
            timeout_s = max(1.0, min(depth.timeout_s, clock.left_s))
            measured(slipway.command(site, State.WARM), timeout_s=timeout_s, log=log)
            samples = []
            for _ in _while(clock, depth.rounds):
                settle()
                samples.append(measured(slipway.command(site, State.SAME), timeout_s=depth.timeout_s, log=log))
        except RunFailedError as reason:
            say(f"{count} functions: Slipway {reason}\n{reason.tail}".rstrip())
            break
        scales.append(Scale(functions=count, samples=tuple(samples)))
    shutil.rmtree(place / "scale", ignore_errors=True)
    return tuple(scales)


def _while(clock: Clock, rounds: int) -> Iterator[int]:
    """Count ``rounds``, or until the time is up; at least one."""
    for number in range(rounds):
        if number and clock.left_s <= 0:
            return
        yield number


def _unpack(archive: Path, folder: Path, bytecode: str) -> None:
    """Unpack with bytecode as ``slipway`` ships it, ``stale``, or ``none``."""
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            if not name.endswith(".pyc"):
                opened.extract(name, folder)
            elif bytecode != "none":
                path = Path(opened.extract(name, folder))
                if bytecode == "stale":
                    data = path.read_bytes()
                    path.write_bytes(data[:4] + _DATED + data[16:])

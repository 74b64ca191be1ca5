"""How the benchmark races images: Slipway and buildah, each with a registry of its own."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.bench import _raced
from benchmarks.dock import Dock
from benchmarks.entrants import Entrant, InstalledPeer, Site
from benchmarks.images import ImagePeer, SlipwayImages
from benchmarks.measure import RunFailedError, measured
from benchmarks.peers import BUILDAH_COPY
from benchmarks.race import Clock, Contest, Depth
from benchmarks.results import State
from benchmarks.slipway import Slipway
from benchmarks.workloads import Function, Workload
from build.images.assembled import make_layers
from build.images.manifests import put_on, scratch
from tests import containers
from tests.checkout import ROOT
from tests.integration.test_images_pushing import part_of

pytestmark = pytest.mark.slow

WORKLOAD = Workload(name="image", title="", functions=(Function(name="image", wants=""),), is_image=True)
DEPTH = Depth(name="tiny", workloads=("image",), peers=(), rounds=1, enough_s=30, timeout_s=60, scales=())


@pytest.fixture
def dock(tmp_path, monkeypatch) -> Iterator[Dock]:
    """A dock whose base has one file."""
    containers.builder("buildah", tmp_path / "asked", path=os.defpath)  # skips where it cannot work
    for name in ("docker-registry", "buildah"):
        monkeypatch.setenv("PATH", str(containers.tool(name).parent), prepend=os.pathsep)

    def base(_root, _runtime, store, *, say):
        layers = make_layers(part_of(tmp_path / "base", {"etc/os-release": b"NAME=tests\n"}, ""), store)
        return put_on(scratch("amd64"), layers, command=[], settings={"Entrypoint": ["/lambda-entrypoint.sh"]})

    monkeypatch.setattr("benchmarks.dock.stand_in", base)
    monkeypatch.setattr("benchmarks.race.settle", lambda: None)
    with Dock(ROOT, tmp_path / "dock", tmp_path / "kept", lambda _: None) as made:
        yield made


@pytest.fixture
def lanes(dock, tmp_path) -> list[Entrant]:
    here = InstalledPeer(peer=BUILDAH_COPY, folders={"": Path(sys.prefix)})
    ours = SlipwayImages(slipway=Slipway.as_it_is(ROOT, tmp_path / "machinery"), dock=dock)
    return [ours, ImagePeer(installed=here, dock=dock)]


def test_all_build_and_push_with_nothing_with_everything_and_with_one_line_changed(lanes, tmp_path):
    contest = Contest(WORKLOAD, lanes, place=tmp_path / "race", depth=DEPTH, clock=Clock(120), say=print)
    contest.run()
    ran = {(race.entrant, race.state): len(race.samples) for race in contest.races if race.state is not State.COLD}
    assert ran == {(lane.key, state): 1 for lane in lanes for state in (State.WARM, State.SAME, State.EDITED)}
    sizes = {product.entrant: product.zip_bytes for product in contest.products}
    assert all(100 < size < 10_000 for size in sizes.values()), sizes


@pytest.mark.parametrize("which", [0, 1], ids=["slipway", "buildah"])
def test_a_change_of_code_changes_the_last_layer_and_forgetting_empties_the_registry(lanes, dock, tmp_path, which):
    def run(lane: Entrant, state: State) -> list[str]:
        measured(lane.command(sites[lane.key], state), timeout_s=60, log=tmp_path / "log")
        return list(lane.zips(sites[lane.key])) if state is not State.COLD else []

    sites = {
        lane.key: Site(folder=tmp_path / lane.key / "here", caches=tmp_path / lane.key / "caches", workload=WORKLOAD)
        for lane in lanes
    }
    for each in lanes[: which + 1]:  # buildah takes what Slipway made
        each.lay_out(sites[each.key])
        run(each, State.COLD)
    lane = lanes[which]
    before = run(lane, State.WARM)
    lane.edit(sites[lane.key], 1)
    after = run(lane, State.EDITED)
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]
    lane.forget(sites[lane.key])
    with pytest.raises(ValueError, match="empty"):
        dock.layers(sites[lane.key])


def test_without_a_registry_the_image_is_left_out_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)
    found = _raced(ROOT, DEPTH, ["image"], [], tmp_path)
    assert found.refused["the workload image"] == "needs docker-registry, which is not on PATH"
    assert found.refused["sam"] == found.refused["the workload web"] == "not asked for"
    assert found.races == ()


def test_a_registry_that_does_not_start_is_told(tmp_path, monkeypatch, dock):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker-registry").write_text("#!/bin/sh\necho out of order >&2; exit 1\n")
    (tmp_path / "bin/docker-registry").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    with pytest.raises(RunFailedError, match="does not start") as raised:
        dock.renew(Site(folder=tmp_path / "x", caches=tmp_path / "y", workload=WORKLOAD))
    assert "out of order" in raised.value.tail

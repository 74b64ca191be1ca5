"""What the benchmark makes of images: promises, who is in which table, sizes."""

import gzip
import random
import zlib

import pytest

from benchmarks.images import packed_of
from benchmarks.peers import PEERS
from benchmarks.race import FULL, QUICK
from benchmarks.results import Packed, Product, Race, Results, State
from benchmarks.tables import left_out, peer_wins, sheets
from benchmarks.targets import IMAGE, targets
from benchmarks.workloads import WORKLOADS
from tests.unit.test_benchmarks_results import MACHINE, race


def results(*races: Race, **more) -> Results:
    entrants = {"slipway": "Slipway 1", "uv": "uv + zip 2", "buildah-copy": "buildah COPY 3"}
    workloads = {"data": "pandas", IMAGE: "pandas in an image"}
    return Results(
        machine=MACHINE, depth="quick", entrants=entrants, refused={}, workloads=workloads, races=races, **more
    )


def kept(found: Results, words: str) -> bool | None:
    return next(target.kept for target in targets(found) if words in target.promise)


@pytest.mark.parametrize(
    ("state", "theirs_s", "expected"),
    [(State.WARM, 4.9, False), (State.WARM, 5.0, True), (State.EDITED, 14.9, False), (State.EDITED, 15.0, True)],
)
def test_an_image_is_promised_by_state(state, theirs_s, expected):
    found = results(
        race("slipway", 1.0, state=state, workload=IMAGE),
        race("buildah-copy", theirs_s, state=state, workload=IMAGE),
    )
    assert kept(found, f"{state}: built and pushed, against buildah COPY") is expected
    assert kept(found, f"{state}: built and pushed, against buildah RUN pip") is None


@pytest.mark.parametrize(("layer_bytes", "expected"), [(108, True), (109, False)])
def test_layers_may_be_somewhat_larger_than_those_of_zlib(layer_bytes, expected):
    found = results(packed=(Packed(workload=IMAGE, layer_bytes=layer_bytes, zlib_bytes=100),))
    assert kept(found, "by zlib") is expected
    assert Results.from_json(found.to_json()) == found


def test_zlib_is_given_what_is_in_the_layers(tmp_path):
    data = [random.Random(number).randbytes(3_000_000) + bytes(5_000_000) for number in range(2)]
    layers = [tmp_path / str(number) for number in range(2)]
    for layer, tar in zip(layers, data, strict=True):
        layer.write_bytes(gzip.compress(tar, 1))
    found = packed_of(WORKLOADS[IMAGE], layers)
    assert found.layer_bytes == sum(layer.stat().st_size for layer in layers)
    assert found.zlib_bytes == pytest.approx(sum(len(zlib.compress(tar, 6)) for tar in data), abs=100)
    assert found.zlib_bytes < found.layer_bytes


def test_a_table_has_those_who_make_what_it_is_about():
    found = results(
        race("slipway", 1.0, workload="data"),
        race("uv", 1.0, workload="data"),
        race("slipway", 1.0, workload=IMAGE),
        race("buildah-copy", workload=IMAGE, refused="was stopped after 5 s"),
    )
    names = {sheet.title: [row[0].text for row in sheet.rows] for sheet in sheets(found)}
    assert names["data: pandas"] == ["Slipway 1", "uv + zip 2"]
    assert names["image: pandas in an image"] == ["Slipway 1", "buildah COPY 3"]
    assert list(left_out(found)) == ["buildah COPY 3 (image, warm): was stopped after 5 s"]


def test_smaller_layers_of_a_peer_are_told():
    made = [
        Product(workload=IMAGE, entrant=entrant, zip_bytes=size, identical=None, bytecode="")
        for entrant, size in (("slipway", 3_000_000), ("buildah-copy", 2_000_000))
    ]
    found = results(race("slipway", 1.0, workload=IMAGE), products=tuple(made))
    assert list(peer_wins(found)) == ["buildah COPY 3 on image: layers of 2.0 MB against 3.0 MB"]


def test_every_depth_has_the_image_and_who_makes_one():
    with_layers = {"buildah-copy-layers", "buildah-pip-layers"}
    for depth, makers in ((QUICK, with_layers), (FULL, {"buildah-copy", "buildah-pip", *with_layers})):
        assert IMAGE in depth.workloads
        assert {key for key in depth.peers if PEERS[key].is_for_images} == makers

"""The plot of the benchmark."""

import re
from xml.etree import ElementTree

from benchmarks.plot import plot
from benchmarks.results import Results, Sample, Scale, State
from tests.unit.test_benchmarks_results import MACHINE, race

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*races, scales=(), peer="uv & zip"):
    return plot(
        Results(
            machine=MACHINE,
            depth="full",
            entrants={"slipway": "Slipway", "uv": peer, "sam": "sam build"},
            refused={},
            workloads={"data": "pandas"},
            races=races,
            scales=scales,
        )
    )


def bars(svg):
    rects = [each for each in ElementTree.fromstring(svg).iter(f"{SVG}rect") if each.get("class") != "page"]
    return {each.attrib["class"]: float(each.attrib["width"]) for each in rects}


def texts(svg):
    return [each.text for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_bar_is_as_long_as_the_logarithm_of_its_time():
    svg = drawn(race("slipway", 0.1, workload="data"), race("uv", 10.0, workload="data"))
    found = bars(svg)
    assert found["bar"] > found["ours"] > 0
    assert {"uv & zip", "10 s · 100 ×", "0.10 s"} <= set(texts(svg))


def test_a_peer_that_did_not_run_is_there_without_a_bar():
    svg = drawn(race("slipway", 0.1, workload="data"), race("sam", workload="data", refused="no"))
    assert "bar" not in bars(svg)
    assert {"sam build", "did not run"} <= set(texts(svg))


def test_a_peer_that_wins_stands_out():
    svg = drawn(race("slipway", 0.5, workload="data"), race("uv", 0.02, workload="data"))
    assert re.search(r'class="faster"[^>]*>0\.020 s · 0\.04 ×<', svg)


def test_growth_is_drawn_from_two_sizes_on():
    def scale(count, wall):
        return Scale(functions=count, samples=(Sample(wall_s=wall, cpu_s=wall, peak_bytes=1),))

    assert "polyline" not in drawn(scales=(scale(10, 0.2),))
    svg = drawn(scales=(scale(10, 0.2), scale(1000, 1.2)))
    line = next(ElementTree.fromstring(svg).iter(f"{SVG}polyline"))
    heights = [float(point.split(",")[1]) for point in line.attrib["points"].split()]
    assert heights[0] > heights[1]
    assert "1,000" in texts(svg)


def test_nothing_measured_is_an_empty_page_and_no_error():
    assert ElementTree.fromstring(drawn()).tag == f"{SVG}svg"


def test_it_stays_on_its_page():
    races = [race(e, 5.0, state=s, workload="data") for s in State for e in ("slipway", "uv", "sam")]
    root = ElementTree.fromstring(drawn(*races, peer="buildah RUN pip --layers 1.28.2"))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for each in root.iter(f"{SVG}text"):
        x, long = float(each.attrib["x"]), 6.2 * len(each.text or "")
        begin = x - {"start": 0, "middle": long / 2, "end": long}[each.attrib["text-anchor"]]
        assert 0 <= begin <= begin + long <= width, each.text
        assert 0 <= float(each.attrib["y"]) <= height

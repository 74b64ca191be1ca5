"""What the benchmark makes of its samples: medians, ratios, promises, tables, JSON."""

from dataclasses import replace

import pytest

from benchmarks.machine import Machine, this_machine
from benchmarks.results import Floor, Import, Product, Race, Results, Sample, Scale, Spread, State
from benchmarks.tables import left_out, markdown, peer_wins, seconds, sheets, times
from benchmarks.targets import targets

MACHINE = Machine(processor="A Processor", cores=2, memory_bytes=8 << 30, system="Linux 6.1", python="3.13.0", load=0.1)


def race(entrant, *walls_s, state=State.WARM, workload="monorepo", peak_bytes=50_000_000, refused=""):
    samples = tuple(Sample(wall_s=wall, cpu_s=wall, peak_bytes=peak_bytes) for wall in walls_s)
    return Race(workload=workload, state=state, entrant=entrant, samples=samples, refused=refused)


def results(*races, **more):
    entrants = {"slipway": "Slipway 1", "uv": "uv + zip 2", "sam": "sam build 3"}
    workloads = {"data": "pandas", "monorepo": "30 functions"}
    return Results(
        machine=MACHINE, depth="quick", entrants=entrants, refused={}, workloads=workloads, races=races, **more
    )


def promise(found, words):
    return next(target for target in targets(found) if words in target.promise)


def text_of(found):
    return markdown(found, "plot.svg")


def test_a_median_is_of_the_middle_and_the_spread_of_the_extremes():
    spread = Spread.of([9.0, 1.0, 2.0])
    assert (spread.n, spread.middle, spread.low, spread.high) == (3, 2.0, 1.0, 9.0)
    assert spread.percent == pytest.approx(200)
    assert Spread.of([3.0]).percent == 0


def test_a_ratio_needs_runs_of_both():
    found = results(race("slipway", 1.0, 3.0, 2.0), race("uv", 60.0), race("sam", refused="could not be installed"))
    assert found.ratio("monorepo", State.WARM, "uv") == 30
    assert found.ratio("monorepo", State.WARM, "sam") is None
    assert found.ratio("monorepo", State.COLD, "uv") is None


def test_json_gives_back_what_was_measured():
    found = results(
        race("slipway", 1.0),
        race("sam", refused="was stopped after 5 s"),
        products=(Product(workload="data", entrant="uv", zip_bytes=7, identical=None, bytecode="none"),),
        floors=(Floor(workload="data", floor_s=(0.1,), assemble_s=(0.2, 0.3), check_s=(0.1,)),),
        imports=(Import(workload="data", variant="none", seconds=(1.0,)),),
        scales=(Scale(functions=10, samples=(Sample(wall_s=0.3, cpu_s=0.2, peak_bytes=1),)),),
    )
    assert Results.from_json(found.to_json()) == found


def test_json_of_another_format_is_refused():
    with pytest.raises(ValueError, match="format 1"):
        Results.from_json('{"format": 0}')


@pytest.mark.parametrize(
    ("uv_s", "kept"),
    [(29.0, False), (30.0, True)],
)
def test_a_promise_is_kept_from_its_number_on(uv_s, kept):
    assert promise(results(race("slipway", 1.0), race("uv", uv_s)), "uv + zip").kept is kept


def test_what_was_not_measured_is_neither_kept_nor_broken():
    assert {target.kept for target in targets(results())} == {None}
    assert {target.got for target in targets(results())} == {"not measured"}


def test_one_line_changed_is_judged_by_what_it_costs_more():
    same, edited = race("slipway", 0.4, state=State.SAME), race("slipway", 0.65, state=State.EDITED)
    target = promise(results(same, edited), "one line changed")
    assert (target.got, target.kept) == ("0.25 s", False)


def test_the_peak_is_of_every_run_and_of_slipway_alone():
    found = results(race("slipway", 1.0, peak_bytes=80_000_000), race("uv", 1.0, peak_bytes=900_000_000))
    assert promise(found, "Peak memory").got == "80 MB"
    large = Scale(functions=1000, samples=(Sample(wall_s=1, cpu_s=1, peak_bytes=130_000_000),))
    assert promise(replace(found, scales=(large,)), "Peak memory").kept is False


def test_growth_is_linear_if_the_last_functions_cost_what_the_first_did():
    def growing(*points):
        return tuple(
            Scale(functions=count, samples=(Sample(wall_s=wall, cpu_s=wall, peak_bytes=1),)) for count, wall in points
        )

    linear = results(scales=growing((10, 0.31), (100, 0.4), (300, 0.6), (1000, 1.3)))
    square = results(scales=growing((10, 0.3), (100, 0.31), (300, 0.4), (1000, 1.9)))
    assert promise(linear, "further function").kept is True
    assert promise(square, "further function").kept is False
    assert promise(linear, "1,000 functions").kept is True


def test_where_a_peer_wins_the_page_says_so():
    found = results(
        race("slipway", 0.5),
        race("uv", 0.05, peak_bytes=40_000_000),
        products=(
            Product(workload="monorepo", entrant="slipway", zip_bytes=3_000_000, identical=True, bytecode="unchecked"),
            Product(workload="monorepo", entrant="uv", zip_bytes=2_000_000, identical=False, bytecode="none"),
        ),
    )
    assert list(peer_wins(found)) == [
        "uv + zip 2 on monorepo, warm: 0.050 s against 0.50 s",
        "uv + zip 2 on monorepo, warm: 40 MB of memory against 50 MB",
        "uv + zip 2 on monorepo: zips of 2.0 MB against 3.0 MB; bytecode: none and unchecked",
    ]
    assert "**0.050 s · 0.10 ×**" in text_of(found)


def test_nobody_is_left_out_silently():
    found = replace(
        results(race("slipway", 1.0), race("sam", refused="ended with exit code 1")),
        refused={"pex 1": "could not be installed from the package index"},
    )
    assert list(left_out(found)) == [
        "pex 1: could not be installed from the package index",
        "sam build 3 (monorepo, warm): ended with exit code 1",
    ]
    assert all(f"- {sentence}" in text_of(found) for sentence in left_out(found))


def test_a_busy_machine_is_named_as_such():
    assert "too high" not in text_of(results(race("slipway", 1.0)))
    assert "too high" in text_of(replace(results(race("slipway", 1.0)), machine=replace(MACHINE, load=1.0)))


def test_a_table_has_only_what_was_measured():
    assert [sheet.title for sheet in sheets(results(race("slipway", 1.0)))] == [
        "What Slipway promises",
        "monorepo: 30 functions",
    ]


def test_every_row_is_as_wide_as_its_table():
    found = results(
        race("slipway", 1.0),
        race("uv", 2.0),
        race("slipway", 1.0, state=State.COLD),
        race("uv", state=State.COLD, refused="left out of --quick"),
        *(race(entrant, 1.0, state=state) for state in (State.SAME, State.EDITED) for entrant in ("slipway", "uv")),
        imports=tuple(Import(workload="data", variant=v, seconds=(1.0,)) for v in ("none", "stale", "slipway")),
        floors=(Floor(workload="monorepo", floor_s=(0.1,), assemble_s=(0.2, 0.3), check_s=(0.1,)),),
    )
    for sheet in sheets(found):
        assert {len(row) for row in sheet.rows} == {len(sheet.columns)}, sheet.title


def test_numbers_have_as_many_digits_as_they_deserve():
    assert [seconds(value) for value in (0.0523, 0.523, 5.23, 52.3)] == ["0.052 s", "0.52 s", "5.2 s", "52 s"]
    assert [times(value) for value in (0.053, 1.26, 52.3)] == ["0.05 ×", "1.3 ×", "52 ×"]


def test_this_machine_is_told_without_a_name_or_a_path():
    machine = this_machine()
    assert machine.cores > 0
    assert machine.memory_bytes > 1 << 28
    assert machine.processor
    assert "/" not in machine.python + machine.system.replace("GNU/Linux", "")

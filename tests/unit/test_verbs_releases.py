"""What `releases.show`, `releases.diff` and `metrics` print."""

import re
from dataclasses import replace

from build.inspection.differences import Difference, DistributionChange, FileChange
from build.release.comparing import compare
from build.release.lookup import named
from build.release.rows import FAILED, Applied, Author, Pointed, Release
from build.verbs.shown_releases import print_comparison, print_release
from tests.releases import live, old_row, recorded, timed

FULL = timed(
    42,
    day=0,
    took_s=90,
    dirty=True,
    by=Author(arn="arn:aws:sts::123456789012:assumed-role/deploy/x", run="https://ci.invalid/1", actor="ada"),
    of="41",
    verdict="look",
    review="sha256:" + "9" * 64,
    artifacts={"functions/orders": recorded("b", six="1.17.0"), "layers/data": recorded("c", numpy="2.0", six="1")},
    stacks={"orders": "shop"},
    plans={"": Applied(digest="", changes=0), "shop": Applied(digest="sha256:" + "d" * 64, changes=3)},
    locks={"functions/orders": "sha256:" + "f" * 64},
    tools={"terraform": "1.11.4"},
    durations={"plan": 30.0, "apply": 60.0, "lock": 0.01},
    versions={"orders": "3"},
    live={"orders": "2"},
    before={"orders": Pointed(version="2", weights={"1": 0.1})},
)
BEFORE = timed(41, day=-1, **live("1", "2"), artifacts={"functions/orders": recorded("a", six="1.16.0")})
OLD = Release.from_json(old_row("20260104T120000Z-1a2b3c4d", orders="e"))
ROWS = (OLD, BEFORE, FULL)


def shown(capsys, wanted):
    print_release(named(ROWS, wanted, "prod"), ROWS)
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_release_is_shown_with_all_that_its_row_tells(capsys):
    lines = shown(capsys, "42")
    assert lines[0] == "release 42 of dev: deploy, finished"
    for line in (
        "began 2026-01-05 09:00:00 UTC, over by 2026-01-05 09:01:30 UTC",
        "by ada (arn:aws:sts::123456789012:assumed-role/deploy/x)",
        "run https://ci.invalid/1",
        f"commit {'a' * 40}, with changes that no commit holds",
        "because of release 41",
        "verdict look",
        f"review sha256:{'9' * 64}",
        "orders 2, 10% version 1 2 (of release 41) 3 bbbbbbbbbbbb 1 2.0 kB shop",
        "data cccccccccccc 2 2.0 kB",
        "the env's own 0",
        "shop 3 dddddddddddd",
        "functions/orders ffffffffffff",
        "terraform 1.11.4",
        "all 1.5 min",
    ):
        assert line in lines


def test_stages_are_drawn_as_long_as_they_took_in_their_order(capsys):
    bars = {line.split()[0]: line.count("█") for line in shown(capsys, "42") if "█" in line}
    assert bars == {"lock": 1, "plan": 15, "apply": 30}
    assert [*bars] == ["lock", "plan", "apply"]


def test_by_a_digest_it_is_told_where_the_artifact_is_and_in_which_other_releases(capsys):
    again = replace(BEFORE, id="43", at=FULL.at)
    print_release(named((*ROWS, again), "aaaa", "prod"), ROWS)
    out = capsys.readouterr().out
    assert f"asked for   sha256:{'a' * 64}, functions/orders\n" in out
    assert "also in     releases 41\n" in out


def test_of_a_release_of_the_first_schema_and_of_one_that_failed_early_only_what_is_known_is_shown(capsys):
    lines = shown(capsys, "20260104")
    assert "orders 1 1 eeeeeeeeeeee 2.0 kB" in lines
    assert not any(line.startswith(("stage", "tool", "lock of", "by ")) for line in lines)
    early = timed(1, day=0, outcome=FAILED, error="apply failed", durations={})
    print_release(named([early], "1", "prod"), [early])
    out = capsys.readouterr().out
    assert re.search(r"^  error +apply failed$", out, re.MULTILINE)
    assert "█" not in out


def compared(capsys, old, new, files=None):
    print_comparison(compare(old, new), files or {}, ROWS, "prod")
    return capsys.readouterr().out.splitlines()


def test_what_differs_is_printed_by_what_it_belongs_to(capsys):
    inside = Difference(
        distributions=(),
        files=(
            FileChange(path="app.py", owner="", before_bytes=10, after_bytes=22),
            FileChange(path="gone.py", owner="", before_bytes=5, after_bytes=None),
            FileChange(path="__pycache__/app.pyc", owner="", before_bytes=1, after_bytes=2),
            FileChange(path="six.py", owner="six", before_bytes=1, after_bytes=2),
        ),
        unzipped_bytes=(0, 0),
        zip_bytes=(0, 0),
    )
    assert compared(capsys, BEFORE, FULL, {"functions/orders": inside}) == [
        "release 41 → 42 of prod",
        "",
        "functions/orders changed, artifact aaaaaaaaaaaa → bbbbbbbbbbbb",
        "  ~ six 1.16.0 → 1.17.0",
        "  ~ app.py  +12 B",
        "  − gone.py  −5 B",
        "  and 2 more, those of distributions and bytecode included",
        "",
        "layers/data added, artifact cccccccccccc",
        "  2 distributions",
        "",
        "stacks",
        "  + orders shop",
    ]


def test_where_a_zip_is_gone_that_is_said_and_the_rest_is_still_compared(capsys):
    lines = compared(capsys, BEFORE, FULL, {"functions/orders": None})
    assert "  ~ six 1.16.0 → 1.17.0" in lines
    assert any("cannot be compared" in line for line in lines)


def test_distributions_that_an_old_row_does_not_know_are_read_from_the_zips(capsys):
    six = DistributionChange(name="six", folder="", before="1.16.0", after="1.17.0", before_bytes=1, after_bytes=1)
    inside = Difference(distributions=(six,), files=(), unzipped_bytes=(0, 0), zip_bytes=(0, 0))
    assert "  ~ six 1.16.0 → 1.17.0" in compared(capsys, OLD, BEFORE, {"functions/orders": inside})


def test_a_version_that_callers_went_back_to_is_told_with_its_release(capsys):
    gone_back = replace(FULL, id="43", live={"orders": "1"})
    lines = compared(capsys, FULL, gone_back)
    assert lines == [
        "release 42 → 43 of prod",
        "",
        "callers reach version",
        f"  ~ orders 2 → 1, of release {OLD.id}",
    ]


def test_nothing_that_differs_is_one_line(capsys):
    assert compared(capsys, FULL, FULL) == ["release 42 → 42 of prod: nothing differs"]


def test_configuration_is_printed_with_signs_and_without_values(capsys):
    value = "hunter" + "2"
    function = {"memory_mb": 512, "environment": {"KEY": value}, "layers": [], "triggers": {"queue": {}}}
    permissions = [{"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::x/*"]}]
    other = {
        **function,
        "memory_mb": 1024,
        "environment": {"KEY": f"{value}!", "NEW": value},
        "layers": ["data"],
        "triggers": {"queue": {"incoming": {"batch_size": 5}}},
        "permissions": permissions,
    }
    rows = [replace(FULL, handoff={"functions": {"orders": each}}) for each in (function, other)]
    lines = compared(capsys, *rows)
    assert lines[2:] == [
        "functions/orders changed, same code",
        "  ~ memory_mb 512 → 1024",
        "  ~ environment KEY",
        "  + environment NEW",
        "  + trigger queue incoming",
        "  + may s3:GetObject on arn:aws:s3:::x/*",
        "  + layer data",
    ]
    assert value not in "".join(lines)

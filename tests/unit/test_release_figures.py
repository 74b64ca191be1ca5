"""How releasing goes, in figures: from rows alone."""

import json
from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build.release.figures import DEFINITIONS, WEEKS, Share, figures_of, in_order, spoken
from build.release.rows import (
    DEPLOY,
    DRIFTED,
    FAILED,
    FINISHED,
    RESTORE,
    RETURNED,
    ROLLBACK,
    UNFINISHED,
    WATCH,
    Release,
)
from build.release.verifications import Verification
from tests.releases import BEGIN, live, old_row, recorded, timed

NOW = BEGIN + timedelta(days=3)
GOOD, BAD = timed(1, day=0, **live("", "1")), timed(2, day=1, **live("1", "2"))


def figures(*rows, verifications=(), now=NOW, since=None):
    return figures_of(rows, verifications, now=now, since=since)


def back(number, *, day, of, took_s=3, kind=ROLLBACK, was="2", now="1", **given):
    return timed(number, day=day, took_s=took_s, kind=kind, of=of, **{**live(was, now, was), **given})


def ended(*rows):
    """Return what ended which incident."""
    return {each.release: (each.restored_by, each.seconds) for each in figures(*rows).incidents}


def test_a_watch_is_no_release():
    watched = timed(3, day=1.5, kind=WATCH, outcome=DRIFTED, error="watched: orders at version 3", **live("2", "3"))
    assert figures(GOOD, BAD, watched) == figures(GOOD, BAD)


class TestIncidents:
    def test_a_deploy_that_was_taken_back_lasts_from_its_begin_to_the_end_of_the_rollback(self):
        assert ended(GOOD, BAD, back(3, day=1.5, of="1")) == {"2": ("3", 43_203)}

    def test_a_failure_lasts_until_the_next_release_that_finishes(self):
        failed = timed(2, day=1, outcome=FAILED, error="apply failed", **live("1", "1"))
        again = timed(3, day=1.1, outcome=RETURNED, **live("1", "1", "2"))
        assert ended(GOOD, failed, again, timed(4, day=1.25, **live("1", "3"))) == {
            "2": ("4", 21_660),
            "3": ("3", 60),
        }
        assert figures(GOOD, failed).incidents[0].why == "failed: apply failed"

    def test_a_roll_out_that_went_back_restored_the_env_by_itself(self):
        returned = timed(2, day=1, took_s=90, outcome=RETURNED, error="an alarm", **live("1", "1", "2"))
        assert ended(GOOD, returned) == {"2": ("2", 90)}

    def test_what_nobody_has_restored_counts_but_has_no_time(self):
        found = figures(GOOD, timed(2, day=1, outcome=FAILED, **live("1", "1")))
        assert [(each.restored_by, each.seconds) for each in found.incidents] == [("", None)]
        assert found.to_restore is None
        assert str(found.failures) == "1 of 2"

    def test_a_rollback_takes_back_every_deploy_since_its_target(self):
        rows = (GOOD, BAD, timed(3, day=1.5, **live("2", "3")), back(4, day=2, of="1", was="3"))
        assert ended(*rows).keys() == {"2", "3"}
        assert str(figures(*rows).rollbacks) == "1 of 4"

    def test_the_first_rollback_ends_an_incident_and_a_second_one_is_counted_for_itself(self):
        rows = (GOOD, BAD, back(3, day=1.5, of="1"), back(4, day=2, of="1", was="1"))
        assert ended(*rows)["2"][0] == "3"

    def test_a_rollback_of_one_function_takes_no_deploy_of_others_back(self):
        both, other, prices = (
            {"orders": "1", "prices": "7"},
            {"orders": "2", "prices": "7"},
            {"orders": "2", "prices": "8"},
        )
        rows = [timed(n, day=n / 3, versions=each, live=each) for n, each in enumerate((both, other, prices), start=1)]
        only_orders = {"orders": "1", "prices": "8"}
        assert ended(*rows, back(4, day=2, of="1", versions=prices, live=only_orders)).keys() == {"2"}

    def test_going_forward_again_takes_nothing_back(self):
        rows = (GOOD, BAD, back(3, day=1.5, of="1"), back(4, day=2, of="2", was="1", now="2"))
        assert ended(*rows).keys() == {"2"}
        assert str(figures(*rows).rollbacks) == "1 of 4"

    def test_a_rollback_that_failed_restored_nothing(self):
        rows = (GOOD, BAD, replace(back(3, day=1.5, of="1"), outcome=FAILED), back(4, day=2, of="1"))
        assert ended(*rows)["2"][0] == "4"

    def test_a_restore_takes_back_whatever_was_configured_since(self):
        same_version = timed(2, day=1, **live("1", "1"))
        assert ended(GOOD, same_version, back(3, day=2, of="1", kind=RESTORE, was="1")) == {"2": ("3", 86_403)}

    def test_a_restore_that_was_resumed_goes_back_to_what_the_first_one_meant(self):
        first = replace(back(3, day=1.5, of="1", kind=RESTORE), outcome=FAILED)
        assert ended(GOOD, BAD, first, back(4, day=2, of="3", kind=RESTORE))["2"][0] == "4"

    def test_a_target_that_is_gone_and_one_that_is_itself_take_nothing_back(self):
        assert ended(GOOD, BAD, back(3, day=2, of="77")) == {}
        assert ended(GOOD, BAD, replace(back(3, day=2, of="3"), outcome=FAILED)) == {}

    def test_clocks_that_disagree_make_no_time_negative(self):
        assert ended(GOOD, BAD, back(3, day=0.5, of="1")) == {"2": ("3", 0)}

    def test_the_median_is_of_those_that_are_over(self):
        rows = [
            GOOD,
            timed(2, day=1, took_s=100, outcome=RETURNED),
            timed(3, day=1.1, took_s=300, outcome=RETURNED),
            timed(4, day=2, outcome=FAILED),
        ]
        assert figures(*rows).to_restore == 200


class TestShares:
    @pytest.mark.parametrize(
        ("count", "of", "said"), [(0, 0, "none yet"), (3, 3, "3 of 3"), (1, 9, "1 of 9"), (5, 40, "5 of 40 (12%)")]
    )
    def test_a_share_of_few_has_no_percent(self, count, of, said):
        assert str(Share(count=count, of=of)) == said

    def test_what_has_not_ended_is_no_deploy_yet(self):
        assert figures(GOOD, replace(BAD, outcome=UNFINISHED)).failures == Share(count=0, of=1)


class TestWeeks:
    def test_deploys_count_in_the_week_they_began_in(self):
        sunday, monday = timed(1, day=6.5), timed(2, day=7)
        failed = timed(3, day=8, outcome=FAILED)
        found = figures(sunday, monday, failed, now=BEGIN + timedelta(days=13))
        assert len(found.weeks) == WEEKS
        assert [(each.begins, each.finished, each.failed) for each in found.weeks[-2:]] == [
            ("2026-01-05", 1, 0),
            ("2026-01-12", 1, 1),
        ]
        assert sum(each.finished for each in found.weeks[:-2]) == 0

    def test_what_is_older_than_all_of_them_is_in_none(self):
        found = figures(GOOD, now=BEGIN + timedelta(weeks=WEEKS))
        assert [each.finished for each in found.weeks] == [0] * WEEKS

    def test_weeks_are_those_of_utc(self):
        late = replace(timed(1, day=0), at="2026-01-12T00:30:00+02:00")
        assert [each.finished for each in figures(late, now=BEGIN + timedelta(days=8)).weeks[-2:]] == [1, 0]


class TestPins:
    def of(self, *artifacts, locks=None, **given):
        rows = [
            timed(number, day=number / 10, artifacts=each, locks=locks[number - 1] if locks else {}, **given)
            for number, each in enumerate(artifacts, start=1)
        ]
        found = figures(*rows)
        return str(found.pins), found.distributions

    def test_a_version_that_changes_in_several_artifacts_counts_once(self):
        old = {place: recorded("a", six="1.16.0") for place in ("functions/orders", "functions/prices")}
        new = {place: recorded("b", six="1.17.0") for place in old}
        assert self.of(old, new, new) == ("1 of 2", 1)

    def test_what_came_and_what_went_are_changes_of_distributions_but_not_of_functions(self):
        old = {"functions/orders": recorded("a", six="1.16.0")}
        new = {"functions/orders": recorded("b", httpx="0.28"), "functions/prices": recorded("c", numpy="2.0")}
        assert self.of(old, new) == ("1 of 1", 2)
        assert self.of(old, {**old, "functions/prices": recorded("c", numpy="2.0")}) == ("0 of 1", 0)

    def test_another_lock_is_a_change_even_where_no_version_is_another(self):
        same = {"functions/orders": recorded("a", six="1.16.0")}
        assert self.of(same, same, locks=[{"functions/orders": "1"}, {"functions/orders": "2"}]) == ("1 of 1", 0)

    def test_only_rows_that_tell_are_compared(self):
        old = Release.from_json(old_row("20260104T120000Z-1a2b3c4d", orders="a"))
        first = timed(1, day=1, artifacts={"functions/orders": recorded("a", six="1.16.0")})
        rolled_back = back(2, day=2, of="1", artifacts={"functions/orders": recorded("b", six="1.0")})
        assert figures(old, first, rolled_back).pins == Share(count=0, of=0)


class TestDurations:
    def test_before_and_since_a_release_are_told_with_how_many_tell(self):
        rows = [timed(n, day=n / 10, took_s=took) for n, took in enumerate((30, 60, 90, 12), start=1)]
        plan, apply = figures(*rows, since=rows[2]).stages
        assert (plan.name, plan.before, plan.after, plan.counts) == ("plan", 15, 17, (2, 2))
        assert apply.median == 30

    def test_before_the_first_there_is_nothing(self):
        plan, _ = figures(GOOD, since=GOOD).stages
        assert (plan.before, plan.after, plan.counts) == (None, 20, (0, 1))

    def test_only_deploys_that_finished_have_a_duration(self):
        failed = timed(2, day=1, took_s=7, outcome=FAILED)
        rolled = back(3, day=2, of="1", took_s=7)
        found = figures(GOOD, failed, rolled, since=rolled)
        assert found.deploys == (("1", 60),)
        assert found.split == 1

    def test_stages_stand_in_their_order_and_unknown_ones_at_the_end(self):
        assert in_order(["warm up", "record", "apply", "build"]) == ["build", "apply", "record", "warm up"]

    def test_a_stage_that_only_some_had_is_of_those(self):
        rows = [replace(GOOD, durations={"apply": 3, "review": 1}), replace(BAD, durations={"apply": 5})]
        review, apply = figures(*rows).stages
        assert (review.seconds, apply.seconds) == ((1,), (3, 5))

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [
            *[(0, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1.0 min"), (5940, "99 min")],
            *[(5999, "1.7 h"), (172_799, "48 h"), (200_000, "2.3 days")],
        ],
    )
    def test_seconds_are_said_in_the_unit_that_people_use(self, seconds, said):
        assert spoken(seconds) == said


def verified(commit, *, digest="a", dirty=False, **differences):
    return Verification(
        at="2026-01-05T12:00:00+00:00",
        env="prod",
        commit=commit,
        dirty=dirty,
        platform="Linux-x86_64",
        pythons=("3.13.1", "3.12"),
        artifacts={"functions/orders": recorded(digest).digest},
        differences=differences,
    )


class TestVerifications:
    MADE = timed(1, day=0, commit="1" * 40, artifacts={"functions/orders": recorded("a")})

    def shares(self, *verifications, rows=(MADE,)):
        found = figures(*rows, verifications=verifications)
        return str(found.verified), str(found.rebuilt)

    def test_who_builds_the_commit_of_a_release_again_gets_its_digests_or_not(self):
        assert self.shares(verified("1" * 40)) == ("1 of 1", "1 of 1")
        assert self.shares(verified("1" * 40, digest="b")) == ("1 of 1", "0 of 1")
        assert self.shares(verified("1" * 40), verified("1" * 40, digest="b")) == ("2 of 2", "0 of 1")

    def test_a_difference_counts_against_the_run_that_found_it(self):
        assert self.shares(verified("2" * 40, orders="app.py: mode")) == ("0 of 1", "none yet")

    def test_what_no_commit_holds_says_nothing_of_a_release(self):
        assert self.shares(verified("1" * 40, dirty=True)) == ("1 of 1", "none yet")
        assert self.shares(verified("1" * 40), rows=[replace(self.MADE, dirty=True)]) == ("1 of 1", "none yet")
        assert self.shares(verified(None), rows=[replace(self.MADE, commit=None)]) == ("1 of 1", "none yet")

    def test_the_first_schema_is_judged_by_its_hand_off(self):
        old = Release.from_json({**old_row("20260104T120000Z-1a2b3c4d", orders="a"), "commit": "1" * 40})
        assert self.shares(verified("1" * 40), rows=[old]) == ("1 of 1", "1 of 1")


def test_an_empty_ledger_has_figures_of_nothing():
    found = figures()
    assert (found.releases, found.incidents, found.stages, found.deploys, found.first) == (0, (), (), (), "")
    assert {str(each) for each in (found.failures, found.rollbacks, found.pins, found.verified)} == {"none yet"}
    assert len(found.weeks) == WEEKS


def test_json_has_every_figure_and_what_it_means():
    found = json.loads(json.dumps(figures(GOOD, BAD, back(3, day=2, of="1")).to_json()))
    assert found["to_restore"] == 86_403
    assert found["failures"] == {"count": 1, "of": 2}
    assert found["stages"][0]["median"] == 20
    assert found["definitions"].keys() == DEFINITIONS.keys()


KINDS = st.sampled_from([DEPLOY, DEPLOY, ROLLBACK, RESTORE])
OUTCOMES = st.sampled_from([FINISHED, FINISHED, FAILED, RETURNED, UNFINISHED])


@settings(max_examples=60)
@given(st.lists(st.tuples(KINDS, OUTCOMES, st.integers(0, 30), st.integers(1, 4)), max_size=25))
def test_any_ledger_gives_figures_that_fit_together(told):
    rows = [
        timed(number, day=number / 3, kind=kind, outcome=outcome, of=str(of), **live("1", str(version)))
        for number, (kind, outcome, of, version) in enumerate(told, start=1)
    ]
    found = figures_of(rows, (), now=BEGIN.astimezone(UTC) + timedelta(days=9), since=rows[-1] if rows else None)
    deploys = {row.id for row in rows if row.kind == DEPLOY}
    assert {each.release for each in found.incidents} <= deploys
    assert len({each.release for each in found.incidents}) == len(found.incidents)
    assert found.failures.count == len(found.incidents) <= found.failures.of
    assert found.rollbacks.count <= found.rollbacks.of
    assert all(each.seconds is None or each.seconds >= 0 for each in found.incidents)
    assert all((each.seconds is None) == (not each.restored_by) for each in found.incidents)
    assert 0 <= found.split <= len(found.deploys)
    assert all(sum(each.counts) == len(each.seconds) for each in found.stages)

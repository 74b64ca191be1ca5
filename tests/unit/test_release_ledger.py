"""The ledger, its journal and the lease on an env, against moto: the real boto3, no server."""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from moto import mock_aws

from build.errors import ToolError
from build.local import mends, storage_mends
from build.release.journal import Journal, kept
from build.release.lease import KEY, leased
from build.release.ledger import Ledger
from build.release.rows import FAILED, FINISHED, RETURNED, UNFINISHED, Applied, Author, Pointed, Recorded, Release
from tests.aws import client_of
from tests.checkout import wait_for
from tests.releases import ROW, release

BUCKET = "shop-artifacts"
OLD = "20260131T120000Z-1a2b3c4d"


@pytest.fixture
def s3(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    few = [storage_mends.put_conditionally_in_one_step, storage_mends.let_objects_be_read_to_their_end]
    monkeypatch.setattr(mends, "MENDS", few)  # all of them take seconds
    with mock_aws(), mends.installed():
        client = client_of("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


@pytest.fixture
def ledger(s3):
    return Ledger(s3=s3, bucket=BUCKET, owner="123456789012")


def put_old(s3, name=OLD, **given):
    """Write a row as the first schema did: once, when all was done."""
    row = {**ROW, "id": name, "versions": {"orders": "1"}, "live": {"orders": "1"}, **given}
    s3.put_object(Bucket=BUCKET, Key=f"releases/{name}.json", Body=json.dumps(row).encode())


class TestTheLedger:
    def test_a_release_that_began_is_there_before_it_ended(self, ledger):
        begun = ledger.begin(release(outcome=UNFINISHED))
        assert [row.outcome for row in ledger.rows()] == [UNFINISHED]
        assert ledger.newest() is None
        ledger.end(replace(begun, outcome=FINISHED, live={"orders": "1"}))
        assert ledger.newest() == replace(begun, outcome=FINISHED, live={"orders": "1"})

    def test_everything_that_is_written_is_read_back(self, ledger):
        full = release(
            by=Author(arn="arn:aws:sts::123456789012:assumed-role/deploy/x", run="https://ci.invalid/1", actor="ada"),
            locks={"functions/orders": "sha256:1"},
            artifacts={
                "functions/orders": Recorded(digest="sha256:2", key="k", size_bytes=3, distributions={"six": "1.17.0"})
            },
            stacks={"orders": "shop"},
            plans={"": Applied(digest="sha256:4", changes=5)},
            before={"orders": Pointed(version="1", weights={"2": 0.1})},
            tools={"terraform": "1.11.4"},
            durations={"apply": 1.5},
            versions={"orders": "2"},
            live={"orders": "2"},
        )
        begun = ledger.begin(full)
        ledger.end(begun)
        assert ledger.rows() == (begun,)
        assert begun.id == "1"

    def test_deploys_at_the_same_time_get_numbers_of_their_own(self, ledger):
        with ThreadPoolExecutor(8) as pool:
            ids = [row.id for row in pool.map(lambda n: ledger.begin(release(commit=str(n))), range(8))]
        assert sorted(map(int, ids)) == [*range(1, 9)]
        assert {row.commit for row in ledger.rows()} == set("01234567")

    def test_rows_are_in_the_order_of_time_also_after_the_ninth(self, ledger):
        for number in range(1, 12):
            ledger.end(ledger.begin(release(live={"orders": str(number)})))
        assert [row.id for row in ledger.rows()] == [str(number) for number in range(1, 12)]
        assert [row.id for row in ledger.rows(last=2)] == ["10", "11"]
        assert ledger.newest().live == {"orders": "11"}

    def test_how_it_ended_is_written_once(self, ledger):
        begun = ledger.begin(release())
        ledger.end(begun)
        ledger.end(replace(begun, outcome=FAILED))
        assert ledger.newest().outcome == FINISHED

    def test_a_request_that_was_sent_twice_takes_no_second_number(self, ledger):
        class Twice:
            """Sends every write twice, as botocore does when an answer is lost."""

            def __init__(self, s3):
                self.s3 = s3

            def put_object(self, **given):
                self.s3.put_object(**given)
                return self.s3.put_object(**given)

            def __getattr__(self, name):
                return getattr(self.s3, name)

        twice = Ledger(s3=Twice(ledger.s3), bucket=BUCKET, owner="123456789012")
        assert twice.begin(release()).id == "1"
        assert len(ledger.rows()) == 1

    def test_rows_of_the_first_schema_come_first_and_stay_readable(self, s3, ledger):
        put_old(s3)
        put_old(s3, "20260201T000000Z-ffffffff", live={"orders": "2"})
        assert ledger.newest().live == {"orders": "2"}
        ledger.end(ledger.begin(release(live={"orders": "3"})))
        assert [(row.id, row.schema) for row in ledger.rows()] == [(OLD, 1), ("20260201T000000Z-ffffffff", 1), ("1", 2)]
        assert {row.outcome for row in ledger.rows()} == {FINISHED}
        assert ledger.newest().live == {"orders": "3"}

    def test_a_row_of_a_later_version_is_read_as_far_as_it_is_understood(self, s3, ledger):
        body = {**release("1").to_json(), "schema": 9, "colour": "blue"}
        s3.put_object(Bucket=BUCKET, Key="releases/000001/started.json", Body=json.dumps(body).encode())
        assert ledger.newest().commit == "a" * 40

    def test_what_else_is_in_the_folder_is_no_row(self, s3, ledger):
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"{}")
        assert ledger.rows() == ()
        assert ledger.begin(release()).id == "1"

    def test_the_newest_that_counts_is_of_a_release_that_ended_well_or_went_back(self, ledger):
        for outcome in (FINISHED, RETURNED, FAILED):
            ledger.end(ledger.begin(release(outcome=outcome)))
        ledger.begin(release(outcome=UNFINISHED))
        assert ledger.newest().outcome == RETURNED

    def test_what_was_taken_back_is_known(self):
        row = release(versions={"orders": "2", "prices": "3"}, live={"orders": "1", "prices": "3"})
        assert row.taken_back == {"orders": "2"}


def keep(ledger, seen=lambda: {"orders": "1"}):
    return kept(ledger, release(outcome=UNFINISHED), seconds=lambda: {"apply": 1.23456}, seen=seen)


class TestTheJournal:
    def interrupted(self, ledger, reason, **given):
        with keep(ledger, **given) as journal:
            journal.begin()
            raise reason

    def test_what_never_begins_leaves_nothing(self, ledger):
        with keep(ledger):
            pass
        with pytest.raises(ToolError), keep(ledger):
            raise ToolError("no plan", hint="run `invoke plan`")
        assert ledger.rows() == ()

    def test_what_ends_well_is_finished_with_what_its_stages_took(self, ledger):
        with keep(ledger) as journal:
            journal.begin()
            journal.end(FINISHED, versions={"orders": "2"}, live={"orders": "2"})
        row = ledger.newest()
        assert (row.durations, row.live, row.ended_at > row.at) == ({"apply": 1.235}, {"orders": "2"}, False)

    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            (ToolError("apply failed", hint="run `invoke plan`"), "apply failed"),
            (KeyboardInterrupt(), "stopped"),
            (SystemExit(143), "stopped"),
            (ZeroDivisionError("x"), "ZeroDivisionError: x"),
        ],
    )
    def test_whatever_ends_it_early_is_a_failure_that_tells_why_and_what_runs(self, ledger, reason, words):
        with pytest.raises(type(reason)):
            self.interrupted(ledger, reason)
        (row,) = ledger.rows()
        assert (row.outcome, row.error, row.live) == (FAILED, words, {"orders": "1"})

    def test_a_release_that_cannot_even_tell_how_it_ended_stays_unfinished(self, ledger):
        def nobody():
            raise ToolError("no network", hint="run it again")

        with pytest.raises(KeyboardInterrupt):
            self.interrupted(ledger, KeyboardInterrupt(), seen=nobody)
        assert [row.outcome for row in ledger.rows()] == [UNFINISHED]

    def test_the_next_release_closes_what_was_interrupted(self, ledger):
        ledger.end(ledger.begin(release()))
        ledger.begin(release(outcome=UNFINISHED))
        journal = Journal(ledger=ledger, release=release(outcome=UNFINISHED), seconds=dict)
        journal.begin()
        journal.begin()
        first, left, now = ledger.rows()
        assert (first.outcome, left.outcome, now.outcome) == (FINISHED, FAILED, UNFINISHED)
        assert left.error == "interrupted; release 3 began after it"


PLACE = {"Bucket": BUCKET, "ExpectedBucketOwner": "123456789012"}


def lease(s3, *, verb="deploy", **given):
    given = {"lease_s": 1.0, "say": lambda _: None, "env": "prod", "arn": "arn:aws:iam::123456789012:user/ada", **given}
    return leased(s3, PLACE, verb=verb, **given)


class TestTheLease:
    def test_a_second_run_is_told_who_is_at_work(self, s3):
        with lease(s3, run="https://ci.invalid/7"), pytest.raises(ToolError) as caught, lease(s3, lease_s=2.0):
            pass
        assert "another run is at work on env prod" in str(caught.value)
        assert "`deploy` since" in caught.value.facts[0]
        assert caught.value.facts[1] == "https://ci.invalid/7"

    def test_the_next_has_it_at_once(self, s3):
        for _ in range(3):
            with lease(s3, lease_s=60):
                pass

    def test_one_that_nobody_renews_is_waited_for_and_taken(self, s3):
        dead = lease(s3, lease_s=60.0)  # renews after 15 s
        dead.__enter__()
        said: list[str] = []
        began = time.monotonic()
        with lease(s3, lease_s=2.0, say=said.append) as mine:
            mine.check()
        assert time.monotonic() - began < 8
        assert "or died" in said[0]

    def test_on_one_machine_a_dead_process_holds_nothing(self, s3, monkeypatch):
        with monkeypatch.context() as patched:
            patched.setattr(os, "getpid", lambda: 2**22 + 1)  # above every kernel's largest pid
            lease(s3, lease_s=60.0).__enter__()
        with lease(s3, lease_s=60.0, one_machine=True):
            pass

    def test_who_loses_it_learns_that_before_the_next_step(self, s3):
        with lease(s3, lease_s=0.2) as first, lease(s3, verb="rollback", over=True):
            wait_for(lambda: first.is_lost, limit_s=5)
            with pytest.raises(ToolError, match="another run has taken over env prod"):
                first.check()
        with lease(s3):
            pass

    def test_of_many_at_once_one_has_it(self, s3):
        inside, most, guard = 0, 0, threading.Lock()

        def work(_: int) -> bool:
            nonlocal inside, most
            try:
                with lease(s3, lease_s=4.0):
                    with guard:
                        inside += 1
                        most = max(most, inside)
                    time.sleep(0.5)
                    with guard:
                        inside -= 1
            except ToolError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            done = [*pool.map(work, range(4))]
        assert any(done)
        assert most == 1


def test_the_ending_and_the_beginning_are_the_whole_row():
    row = release("7", live={"orders": "1"})
    assert Release.from_json({**row.begun(), **row.ended()}) == row

"""What verifications leave beside the releases, against moto: the real boto3, no server."""

import json
from dataclasses import asdict, replace

import pytest
from moto import mock_aws

from build.errors import AwsError
from build.local import mends
from build.release.ledger import Ledger
from build.release.rows import Author
from build.release.verifications import VERIFIED, Verification, record, recorded
from tests.aws import client_of
from tests.releases import release

FOUND = Verification(
    at="2026-01-31T12:00:00+00:00",
    env="prod",
    commit="a" * 40,
    dirty=False,
    platform="Linux-x86_64",
    pythons=("3.13.1", "3.12"),
    artifacts={"functions/orders": "sha256:" + "b" * 64},
    differences={"functions/orders": "app.py: mode: 0100644 and 0100755"},
    by=Author(arn="arn:aws:sts::123456789012:assumed-role/deploy/x", run="https://ci.invalid/1", actor="ada"),
)


@pytest.fixture
def ledger(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws(), mends.installed():
        client_of("s3").create_bucket(Bucket="shop-artifacts")
        yield Ledger(s3=client_of("s3"), bucket="shop-artifacts", owner="123456789012")


def test_what_is_recorded_is_read_back_in_the_order_of_time(ledger):
    later = replace(FOUND, at="2026-02-01T12:00:00+00:00", differences={})
    keys = [record(ledger, each) for each in (later, FOUND)]
    assert recorded(ledger) == (FOUND, later)
    assert keys[1].startswith(f"{VERIFIED}20260131T120000Z-")


def test_two_machines_at_the_same_second_write_two_records_and_one_that_sends_twice_one(ledger):
    other = replace(FOUND, platform="Darwin-arm64")
    assert len({record(ledger, each) for each in (FOUND, other, FOUND)}) == 2
    assert len(recorded(ledger)) == 2


def test_no_record_is_a_row_of_the_ledger_and_no_row_a_record(ledger):
    assert recorded(ledger) == ()
    record(ledger, FOUND)
    assert ledger.rows() == ()
    ledger.end(ledger.begin(release()))
    assert [row.id for row in ledger.rows()] == ["1"]
    assert recorded(ledger) == (FOUND,)


def test_a_record_of_a_newer_slipway_is_read_as_far_as_it_is_understood(ledger):
    row = {**asdict(replace(FOUND, commit=None)), "colour": "blue"}
    del row["by"]
    ledger.s3.put_object(Bucket="shop-artifacts", Key=f"{VERIFIED}x.json", Body=json.dumps(row).encode())
    (found,) = recorded(ledger)
    assert (found.commit, found.pythons, found.by) == (None, FOUND.pythons, Author())


def test_a_bucket_that_refuses_is_told_with_what_to_run(ledger):
    strangers = Ledger(s3=ledger.s3, bucket="no-such-bucket", owner="123456789012")
    for doing, ask in (("recording", lambda: record(strangers, FOUND)), ("reading", lambda: recorded(strangers))):
        with pytest.raises(AwsError, match=doing) as caught:
            ask()
        assert "run the same command again" in caught.value.hint

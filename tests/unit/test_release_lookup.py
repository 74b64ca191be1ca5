"""Which release somebody means, what it is made of, and what of it may be shown."""

import json

import pytest

from build.errors import InputError
from build.release.lookup import HIDDEN, artifacts_of, masked, named, origin_of
from build.release.rows import FAILED, Release
from tests.releases import live, old_row, recorded, release

OLD = Release.from_json(old_row("20260131T120000Z-1a2b3c4d", orders="e"))
ROWS = (
    OLD,
    release(1, artifacts={"functions/orders": recorded("a")}),
    release(2, artifacts={"functions/orders": recorded("b"), "layers/data": recorded("c")}),
    release(3, artifacts={"functions/orders": recorded("b")}, outcome=FAILED),
    release(1111, artifacts={"functions/orders": recorded("d")}),
)


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        *[("1", "1"), ("#2", "2"), ("000003", "3"), ("latest", "1111"), ("LATEST", "1111"), (" 1111 ", "1111")],
        *[("20260131", OLD.id), ("20260131t12", OLD.id), (OLD.id, OLD.id)],
    ],
)
def test_a_release_is_named_by_its_number_and_an_old_one_by_how_it_begins(wanted, number):
    found = named(ROWS, wanted, "prod")
    assert (found.release.id, found.digest, found.also) == (number, "", ())


@pytest.mark.parametrize("wanted", ["bbbb", "sha256:bbbbb", "B" * 64, "sha256:" + "b" * 64])
def test_what_runs_is_found_by_how_its_digest_begins_in_the_newest_release_that_has_it(wanted):
    found = named(ROWS, wanted, "prod")
    assert (found.release.id, found.digest, found.also) == ("3", "sha256:" + "b" * 64, ("2",))


def test_the_first_schema_tells_its_digests_in_the_hand_off():
    assert artifacts_of(OLD)["functions/orders"].digest == "sha256:" + "e" * 64
    assert named(ROWS, "eeee", "prod").release is OLD


def test_a_number_that_also_begins_a_digest_is_the_number():
    both = (release(1111), release(2, artifacts={"functions/orders": recorded("1")}))
    assert named(both, "1111", "prod").release.id == "1111"
    assert named(both, "11111", "prod").release.id == "2"
    assert named(both, "sha256:1111", "prod").release.id == "2"


@pytest.mark.parametrize("wanted", ["4", "bbb", "ffff", "sha256:", "", "²", "orders", "b" * 65])
def test_what_nobody_can_mean_is_refused_with_what_is_expected(wanted):
    with pytest.raises(InputError, match="no release is meant by") as caught:
        named(ROWS, wanted, "prod")
    assert caught.value.facts[0].startswith("expected one of 5 releases: a number, latest, or four")
    assert caught.value.hint == "run `invoke releases --env prod`"


def test_an_empty_ledger_has_no_latest():
    with pytest.raises(InputError, match="no release is meant by 'latest'"):
        named((), "latest", "prod")


def test_a_beginning_of_several_digests_is_refused_with_all_of_them():
    near = [recorded("a", digest="abcd" + digit * 60) for digit in "12"]
    rows = [release(n, artifacts={"functions/orders": each}) for n, each in enumerate(near, start=1)]
    with pytest.raises(InputError, match="more than one is meant by abcd") as caught:
        named(rows, "abcd", "prod")
    assert caught.value.facts == tuple(each.digest for each in near)
    assert named(rows, "abcd1", "prod").release is rows[0]


def test_a_beginning_of_several_old_ids_is_refused_with_some_of_them():
    rows = [Release.from_json(old_row(f"20260131T1200{n:02}Z-1a2b3c4d", orders="e")) for n in range(12)]
    with pytest.raises(InputError, match="more than one") as caught:
        named(rows, "2026", "prod")
    assert len(caught.value.facts) == 11
    assert caught.value.facts[-1] == "and 2 more"


def test_the_release_that_a_version_comes_from_is_the_first_that_had_it():
    rows = [release(1, **live("", "1")), release(2, **live("1", "2")), release(3, **live("2", "1", "2"))]
    assert [origin_of(rows, "orders", version) for version in "123"] == ["1", "2", ""]
    assert origin_of(rows, "prices", "1") == ""


def test_no_value_of_an_environment_variable_is_shown():
    value = "hunter" + "2"
    function = {"environment": {"PASSWORD": value, "SLIPWAY_ARTIFACT_DIGEST": "sha256:1"}, "memory_mb": 128}
    row = masked(release(1, handoff={"functions": {"orders": function, "prices": {}}, "layers": {}}))
    assert value not in json.dumps(row)
    variables = {"PASSWORD": HIDDEN, "SLIPWAY_ARTIFACT_DIGEST": "sha256:1"}
    assert row["handoff"]["functions"]["orders"] == {"environment": variables, "memory_mb": 128}
    assert row["id"] == "1"


def test_an_image_in_an_old_hand_off_is_found_by_its_digest():
    uri = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop-dev/orders@sha256:" + "9" * 64
    row = release(1, handoff={"functions": {"orders": {"artifact": None, "image_uri": uri}}, "layers": {}})
    (found,) = artifacts_of(row).values()
    assert (found.digest, found.key) == ("sha256:" + "9" * 64, uri)
    assert named([row], "9999", "prod").release is row

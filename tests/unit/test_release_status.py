"""What runs, and whether it is what the ledger says: of rows, and of what Lambda answers."""

import base64

import pytest

from build.release.deployed import LATEST, Deployed, Version
from build.release.rows import FAILED, FINISHED, RETURNED, ROLLBACK, UNFINISHED, Pointed
from build.release.status import functions_of, status_of
from build.release.strays import CODE, GONE, MOVED, SHARED, differing
from tests.releases import release


def hex_of(code):
    return f"{code:x}" * 64


def row(number, code, version, live=None, **given):
    """A release of orders whose code is one digit, 1 to f."""
    artifact = {"digest_hex": hex_of(code), "key": f"functions/orders/{hex_of(code)}.zip"}
    handoff = {"functions": {"orders": {"artifact": artifact}}, "layers": {}}
    at = f"2026-01-{number:02}T12:00:00+00:00"
    versions, live = ({"orders": version} if version else {}), {"orders": live or version}
    given.setdefault("commit", f"{number:040}")
    return release(number, handoff=handoff, versions=versions, live=live, at=at, **given)


def orders(live, *codes, latest=None, **weights):
    """The function as it is: versions from 1 on, with these codes."""
    numbered = {str(number): code for number, code in enumerate(codes, start=1)} | {LATEST: latest or codes[-1]}
    versions = {
        number: Version(code=base64.b64encode(bytes.fromhex(hex_of(code))).decode(), size_bytes=1, at="")
        for number, code in numbered.items()
    }
    alias = Pointed(version=live, weights={number.removeprefix("v"): share for number, share in weights.items()})
    return {"orders": Deployed(versions=versions, aliases={"live": alias})}


def image_row(number, code, version):
    """A release of orders as an image whose digest is one digit."""
    uri = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop-dev/orders@sha256:{hex_of(code)}"
    handoff = {"functions": {"orders": {"artifact": None, "image_uri": uri}}, "layers": {}}
    return release(number, handoff=handoff, versions={"orders": version}, live={"orders": version})


def images(live, *codes, latest=None):
    """The function as it is, an image: Lambda tells its digests in hex."""
    numbered = {str(number): code for number, code in enumerate(codes, start=1)} | {LATEST: latest or codes[-1]}
    versions = {number: Version(code=hex_of(code), size_bytes=0, at="") for number, code in numbered.items()}
    return {"orders": Deployed(versions=versions, aliases={"live": Pointed(version=live)})}


ROWS = (row(1, 1, "1"), row(2, 2, "2"), row(3, 2, "2"))


def found(rows, now):
    return [(each.place, each.what) for each in differing(rows, now)]


def test_what_runs_is_told_with_the_release_that_brought_it():
    (status,) = status_of(ROWS, ["orders"], orders("2", 1, 2))
    assert (status.live, status.release, status.by, status.since[:10]) == ("2", "2", "2", "2026-01-02")
    assert status.commit == f"{2:040}"
    assert status.digest == hex_of(2)
    assert status.otherwise == ()
    assert status.in_checkout
    assert not status.is_older


def test_after_a_rollback_it_is_the_older_release_again():
    back = row(4, 2, "2", live="1", kind=ROLLBACK, of="1", commit="b" * 40)
    (status,) = status_of((*ROWS, back), ["orders"], orders("1", 1, 2))
    assert (status.release, status.by, status.since[:10]) == ("1", "4", "2026-01-04")
    assert status.commit == f"{1:040}"
    assert status.digest == hex_of(1)
    assert status.otherwise == ()


def test_what_the_oldest_row_has_already_may_be_older():
    (status,) = status_of(ROWS[2:], ["orders"], orders("2", 1, 2))
    assert status.is_older
    assert status.commit is None
    (first,) = status_of(ROWS[:1], ["orders"], orders("1", 1))
    assert not first.is_older


def test_a_function_that_left_the_checkout_and_one_that_never_came_are_told_of():
    assert functions_of(ROWS, ["prices"]) == ("orders", "prices")
    gone, new = status_of(ROWS, ["prices"], orders("2", 1, 2))
    assert (gone.in_checkout, gone.live) == (False, "2")
    assert (new.in_checkout, new.live, new.otherwise) == (True, "", ())


def test_what_runs_without_a_release_is_not_taken_for_released():
    (status,) = status_of((), ["orders"], orders("1", 1))
    assert status.otherwise == ("no release says so",)


def test_an_alias_that_somebody_moved_is_named_with_both_versions():
    now = orders("1", 1, 2)
    assert found(ROWS, now) == [("orders:live", MOVED)]
    (moved,) = differing(ROWS, now)
    assert moved.text == "moved by hand: release 3 left version 2, got 1"
    (status,) = status_of(ROWS, ["orders"], now)
    assert status.otherwise == (f"live {moved.text}",)
    assert (status.since, status.release) == ("", "1")


@pytest.mark.parametrize("outcome", [FAILED, UNFINISHED])
def test_what_a_release_moved_that_did_not_end_well_was_not_moved_by_hand(outcome):
    last = row(4, 3, "", live="3", outcome=outcome)
    (moved,) = differing((*ROWS, last), orders("3", 1, 2, 3, latest=2))
    assert moved.text == f"moved by release 4, which is {outcome}: release 3 left version 2, got 3"


def test_code_that_was_edited_in_the_console_is_found_where_it_is():
    assert found(ROWS, orders("2", 1, 2, latest=15)) == [("orders:$LATEST", CODE)]
    (edited,) = differing(ROWS, orders("2", 1, 2, latest=15))
    assert "expected CodeSha256 IiIi" in edited.text
    assert "got //" in edited.text


def test_an_image_that_was_put_there_by_hand_is_found_and_one_that_was_released_is_not():
    rows = (image_row(1, 1, "1"), image_row(2, 2, "2"))
    assert found(rows, images("2", 1, 2)) == []
    assert found(rows, images("2", 1, 2, latest=15)) == [("orders:$LATEST", CODE)]
    (edited,) = differing(rows, images("2", 1, 2, latest=15))
    assert edited.text == f"code differs: expected CodeSha256 {hex_of(2)}, got {hex_of(15)}"


def test_a_zip_in_place_of_the_image_that_was_released_is_found():
    assert found((image_row(1, 1, "1"),), orders("1", 1)) == [("orders:1", CODE), ("orders:$LATEST", CODE)]


def test_a_version_that_holds_other_code_than_was_released_is_found():
    assert found(ROWS, orders("2", 1, 15, latest=2)) == [("orders:2", CODE)]


def test_the_code_after_a_rollback_is_held_against_the_release_gone_back_to():
    back = row(4, 2, "2", live="1", kind=ROLLBACK, of="1")
    assert found((*ROWS, back), orders("1", 1, 2)) == []
    assert found((*ROWS, back), orders("1", 15, 2)) == [("orders:1", CODE)]


def test_what_went_back_during_its_roll_out_is_as_it_was_left():
    returned = row(4, 3, "3", live="2", outcome=RETURNED)
    assert found((*ROWS, returned), orders("2", 1, 2, 3)) == []


def test_a_share_of_the_callers_elsewhere_is_found():
    (shared,) = differing(ROWS, orders("2", 1, 2, v1=0.1))
    assert (shared.what, shared.text) == (
        SHARED,
        "a shift is under way, or was left: 10% of callers have version 1",
    )


def test_a_function_or_an_alias_that_is_gone_is_found():
    assert found(ROWS, {}) == [("orders:live", GONE)]
    without = {"orders": Deployed(versions={}, aliases={})}
    assert found(ROWS, without) == [("orders:live", GONE)]


def test_where_nothing_was_released_nothing_can_differ():
    assert differing((), orders("1", 1)) == ()
    assert differing((row(1, 1, "", outcome=FAILED),), orders("1", 1)) == ()


def test_code_of_which_no_row_tells_is_not_judged():
    kept = row(3, 2, "2", live="1", outcome=FINISHED)
    assert found((kept,), orders("1", 15, 2)) == []

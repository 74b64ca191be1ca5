"""Two plans are the same change, or they are not."""

import json
from copy import deepcopy
from typing import Any

import pytest

from build.review.identity import change_digest
from tests.unit.test_review_plans import ALL, document

CODE = document("code")["plan"]


def changed(plan: dict[str, Any]) -> dict[str, Any]:
    """Return the one resource that changes in ``plan``, to be changed in place."""
    (entry,) = [each for each in plan["resource_changes"] if each["change"]["actions"] != ["no-op"]]
    change: dict[str, Any] = entry["change"]
    return change


def test_the_digest_is_of_64_hex_digits_and_nothing_else():
    digest = change_digest({"": CODE})
    assert len(digest) == 64
    assert int(digest, 16)


def test_every_plan_of_another_change_has_another_digest():
    assert len({change_digest({"": document(name)["plan"]}) for name in ALL}) == len(ALL)


def test_the_order_times_drift_and_what_stays_say_nothing():
    other = deepcopy(CODE)
    other["resource_changes"].reverse()
    other["resource_drift"] = document("drift")["plan"]["resource_drift"]
    other["timestamp"] = "2030-01-01T00:00:00Z"
    other["resource_changes"] = [each for each in other["resource_changes"] if each["change"]["actions"] != ["no-op"]]
    change = changed(other)
    change["before"]["last_modified"] = "2030-01-01T00:00:00.000+0000"
    change["before"]["version"] = "41"
    change["before"] = dict(reversed(change["before"].items()))
    assert change_digest({"": other}) == change_digest({"": CODE})


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_masked_value_that_differs_is_another_change(side):
    other = deepcopy(CODE)
    changed(other)[side]["environment"][0]["variables"]["GREETING"] = "canary-env-value-9"
    assert change_digest({"": other}) != change_digest({"": CODE})


@pytest.mark.parametrize(
    "edit",
    [
        lambda change: change["after"].update(memory_size=129),
        lambda change: change.update(actions=["delete", "create"]),
        lambda change: change["after_unknown"].update(memory_size=True),
        lambda change: change["after"].update(s3_key="functions/greeting/other.zip"),
        lambda change: change.update(replace_paths=[["package_type"]]),
    ],
)
def test_anything_else_that_differs_is_another_change(edit):
    other = deepcopy(CODE)
    edit(changed(other))
    assert change_digest({"": other}) != change_digest({"": CODE})


def test_a_secret_of_another_resource_counts_as_well():
    plan = document("custom")["plan"]
    text = json.dumps(plan)
    assert "canary-secret-token-2" in text
    other = json.loads(text.replace("canary-secret-token-2", "canary-secret-token-3"))
    assert change_digest({"": other}) != change_digest({"": plan})


def test_a_stack_without_changes_says_nothing_and_one_with_changes_says_its_name():
    assert change_digest({"a": CODE, "b": document("nothing")["plan"]}) == change_digest({"a": CODE})
    assert change_digest({"a": CODE}) != change_digest({"b": CODE})

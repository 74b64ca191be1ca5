"""What real plans are told to do.

tests/golden/plans/ has documents of the real Terraform and AWS provider, planned against the embedded cloud for two
functions and a team's own resources, each after one thing was changed; trimmed to what may matter.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from build.review.changes import Change
from build.review.reviewing import review_of
from build.review.rules import fails
from build.review.words import Direction, Review, Verdict

PLANS = Path(__file__).parents[1] / "golden" / "plans"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
ALL = sorted(path.stem for path in PLANS.glob("*.json"))


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((PLANS / f"{name}.json").read_text("utf-8"))
    return loaded


def ledger() -> dict[str, Any]:
    return {
        "id": "20260131T120000Z-1a2b3c4d",
        "at": "2026-01-31T12:00:00Z",
        "commit": "a" * 40,
        "dirty": False,
        "handoff": document("first")["after"],
        "versions": {"greeting": "1", "orders": "1"},
        "live": {"greeting": "1", "orders": "1"},
    }


def review(name: str, **settings: Any) -> Review:
    read = document(name)
    given = {"plans": {"": read["plan"]}, "after": read["after"], "before": None if name == "first" else ledger()}
    return review_of(**{"at": "2026-02-03T10:11:12Z", **given, **settings})


def told(given: Review, rule: str) -> list[str]:
    return [f"{each.subject}: {each.text}" for each in given.reasons if each.rule == rule]


def rules(given: Review) -> set[str]:
    return {each.rule for each in given.reasons if each.verdict is not Verdict.SAFE}


def test_a_plan_without_changes_is_empty_and_what_a_refresh_always_finds_is_no_drift():
    nothing = review("nothing")
    assert document("nothing")["plan"]["resource_drift"], "the provider reports some, each time"
    assert nothing.is_empty
    assert (nothing.verdict, nothing.reasons, nothing.drift, nothing.functions) == (Verdict.SAFE, (), (), ())
    assert nothing.unchanged == 2


def test_more_memory_is_said_in_the_words_of_function_toml_with_what_it_costs():
    memory = review("memory")
    (orders,) = memory.functions
    assert [each.text for each in orders.settings] == [
        "memory_mb 512 → 1024",
        "reserved_concurrency 5 → 2",
        "timeout_s 30 → 60",
    ]
    assert (orders.live, orders.code, memory.unchanged) == ("1", None, 1)
    (cost,) = memory.costs.items
    assert (cost.direction, memory.costs.direction) == (Direction.UP, Direction.UP)
    assert (cost.before_usd, cost.after_usd) == pytest.approx((8.5488, 16.8822), abs=0.001)
    assert told(memory, "interruption") == [
        "functions/orders: reserved_concurrency 5 → 2: invocations beyond it are throttled"
    ]
    assert memory.verdict is Verdict.LOOK


def test_new_code_has_both_digests_and_the_names_of_environment_variables_but_no_value():
    code = review("code")
    (greeting,) = code.functions
    assert greeting.code
    assert (greeting.code.before_digest, greeting.code.after_digest) == (
        ledger()["handoff"]["functions"]["greeting"]["artifact"]["digest_hex"],
        document("code")["after"]["functions"]["greeting"]["artifact"]["digest_hex"],
    )
    assert [each.text for each in greeting.environment] == ["GREETING changed", "NEW added"], "the digest goes unsaid"
    assert rules(code) == {"environment", "code-unknown"}


def test_a_layer_that_changes_is_said_once_with_the_functions_that_use_it_and_destroys_nothing():
    layer = review("layer")
    (data,) = layer.layers
    assert (data.name, data.change, data.functions) == ("data", Change.CHANGED, ("orders",))
    (orders,) = layer.functions
    assert [each.text for each in orders.layers] == ["data changed"]
    assert layer.losses == ()


def test_a_widened_permission_is_caught_with_the_reason_that_was_written_for_it():
    permission = review("permission")
    assert permission.verdict is Verdict.DANGEROUS
    assert told(permission, "wildcard-gained") == [
        "functions/orders: may now s3:* on everything (*); the reason given: reads whatever bucket the event names"
    ]
    assert told(permission, "iam-gained") == [f"functions/orders: may now dynamodb:GetItem on table orders ({TABLE})"]
    gained = [grant for grant in permission.grants if grant.gained]
    assert {grant.actions for grant in gained} == {("s3:*",), ("dynamodb:GetItem",)}, "PutItem it could before"


def test_a_deleted_queue_is_caught_with_what_is_lost():
    queue = review("queue")
    assert queue.verdict is Verdict.DANGEROUS
    assert told(queue, "data-lost")[0] == (
        "functions/orders: queue slipway-local-orders-incoming is destroyed, and with it the messages in it and its URL"
        " (no longer in the configuration)"
    )
    assert [each.text for each in queue.functions[0].triggers] == ["queue incoming removed"]
    assert {grant.gained for grant in queue.grants} == {False}


def test_a_route_that_asks_nobody_for_credentials_is_public_and_its_function_is_named():
    route = review("route")
    assert told(route, "made-public") == ["functions/greeting: the route GET /hello asks nobody for credentials"]
    assert told(route, "trigger-added") == ["functions/greeting: http GET /hello added"]


def test_a_removed_function_takes_its_versions_logs_and_rights_with_it():
    removed = review("removed")
    (orders,) = removed.functions
    assert (orders.change, removed.count(Change.REMOVED), removed.unchanged) == (Change.REMOVED, 16, 1)
    assert [each.kind for each in removed.losses if each.loses_data and each.subject == "functions/orders"] == [
        "log group",
        "alias",
        "function",
        "queue",
        "queue",
    ]
    assert told(removed, "address-lost")


def test_a_function_made_anew_loses_its_versions_and_says_which_setting_is_to_blame():
    image = review("image")
    (lost,) = image.losses
    assert (lost.replaced, lost.why) == (True, ("package_type cannot be changed in place",))
    assert rules(image) >= {"versions-lost", "interruption", "setting", "code-unknown"}


def test_a_shorter_retention_loses_lines_and_another_architecture_costs_less():
    settings = review("settings")
    assert told(settings, "retention-shortened")[0] == (
        "functions/orders: log group: retention_in_days 30 → 7, what is older goes"
    )
    assert settings.costs.direction is Direction.DOWN


def test_what_a_team_changes_by_its_own_terraform_is_judged_as_well():
    custom = review("custom")
    dangerous = [each for each in custom.reasons if each.verdict is Verdict.DANGEROUS]
    assert [(each.rule, each.subject) for each in dangerous] == [
        ("data-lost", "aws_dynamodb_table.orders"),
        ("made-public", "aws_s3_bucket_public_access_block.files"),
        ("made-public", "aws_sns_topic_policy.news"),
        ("made-public", "functions/greeting"),
        ("wildcard-gained", "functions/greeting"),
    ]
    assert custom.drift == (), "a role shows the policies that other resources attach"


def test_triggers_of_every_kind_are_said_in_our_words():
    triggers = review("triggers")
    (orders,) = triggers.functions
    assert [each.text for each in orders.triggers] == [
        "bucket uploads changed: prefix none → new/",
        "event paid changed: pattern changed",
        "schedule nightly changed: expression cron(0 3 * * ? *) → rate(7 minutes)",
        "url live changed: auth NONE → AWS_IAM",
    ]
    assert triggers.drift == ()
    assert {each.gained for each in triggers.grants} == {False}


def test_what_only_moves_is_safe():
    moved = review("moved")
    assert told(moved, "moved") == ["aws_sns_topic.moved: aws_sns_topic.news becomes aws_sns_topic.moved"]


def test_a_whole_file_of_terraform_that_goes_is_dangerous():
    gone = review("gone")
    assert rules(gone) >= {"data-lost", "address-lost", "trigger-removed"}
    assert gone.public == (), "the block of public access goes with its bucket"


def test_what_changed_outside_is_shown_apart_and_tampered_code_is_caught_by_name():
    drift = review("drift")
    (code,) = told(drift, "code-outside")
    assert code.startswith(
        "functions/orders: function slipway-local-orders was changed outside Terraform (code_sha256)"
    )
    assert told(drift, "access-outside") == [
        "functions/orders: functions/orders may now do anything (*) on everything (*), by somebody outside Terraform"
    ]
    assert "queue slipway-local-orders-incoming was deleted outside" in " ".join(told(drift, "deleted-outside"))
    greeting = next(each for each in drift.drift if each.subject == "functions/greeting")
    assert "memory_size" in greeting.attributes
    assert greeting.is_undone


def test_code_that_was_changed_outside_is_still_seen_when_a_refresh_has_forgotten_it():
    plan = document("drift")["plan"] | {"resource_drift": []}
    forgotten = review("drift", plans={"": plan})
    assert [(each.subject, each.attributes) for each in forgotten.drift] == [("functions/orders", ("code_sha256",))]


def test_tampered_bytes_in_the_bucket_are_caught_by_name_though_the_plan_failed():
    tampered = review("tampered")
    assert tampered.verdict is Verdict.DANGEROUS
    assert told(tampered, "check-failed") == [
        "functions/greeting: the artifact bucket does not hold the bytes that were built: somebody put others there"
    ]
    assert told(tampered, "plan-incomplete")


def test_a_plan_made_for_another_hand_off_is_caught_by_name():
    other = review("memory", after=document("code")["after"])
    assert told(other, "other-handoff") == [
        "functions/greeting: the plan was made for another hand-off than this one",
        "functions/orders: the plan was made for another hand-off than this one",
    ]
    assert "other-handoff" not in rules(review("memory"))


def test_a_first_deploy_is_all_new_and_its_own_log_lines_are_no_right_worth_a_look():
    first = review("first")
    assert {each.change for each in first.functions} == {Change.ADDED}
    assert first.running is None
    assert not any("logs:" in each for each in told(first, "iam-gained"))
    assert told(first, "function-added") == [
        "functions/greeting: the function is new",
        "functions/orders: the function is new",
    ]


@pytest.mark.parametrize("name", ALL)
def test_the_verdict_is_the_worst_reason_and_every_change_has_one(name):
    given = review(name)
    assert given.verdict is max((each.verdict for each in given.reasons), key=lambda v: v.rank, default=Verdict.SAFE)
    assert bool(given.reasons) is not given.is_empty or given.drift
    assert [each.verdict.rank for each in given.reasons] == sorted(
        (r.verdict.rank for r in given.reasons), reverse=True
    )
    touched = {each.subject for each in given.resources}
    assert touched <= {each.subject for each in given.reasons}


def test_a_gate_stops_at_what_it_was_told_to():
    assert not fails(review("nothing"), "safe")
    assert fails(review("memory"))
    assert not fails(review("memory"), "dangerous")
    assert fails(review("queue"), "dangerous")
    with pytest.raises(ValueError, match="never"):
        fails(review("queue"), "never")


def test_links_lead_to_the_commits_and_to_what_lies_between():
    given = review("memory", commit="b" * 40, repository_url="https://github.com/example/shop/")
    assert given.running
    assert given.running.url == f"https://github.com/example/shop/commit/{'a' * 40}"
    assert given.compare_url == f"https://github.com/example/shop/compare/{'a' * 40}...{'b' * 40}"
    assert review("memory", commit="b" * 40).compare_url is None


def test_stacks_are_read_together_and_named():
    plans = {name: document(name)["plan"] for name in ("memory", "code")}
    given = review("memory", plans=plans)
    assert given.stacks == ("code", "memory")
    assert {(each.name, each.stack) for each in given.functions} == {("greeting", "code"), ("orders", "memory")}
    assert {each.stack for each in given.resources} == {"code", "memory"}


def test_a_function_that_was_taken_back_and_changes_again_is_worth_a_look():
    row = ledger()
    changed = "greeting"
    back = {**row, "versions": {**row["versions"], changed: "8"}, "live": {**row["live"], changed: "7"}}
    after = {**row["handoff"], "functions": {**row["handoff"]["functions"]}}
    assert told(review("nothing", before=back, after=after), "taken-back") == []
    after["functions"][changed] = {**after["functions"][changed], "memory_mb": 9000}
    assert told(review("nothing", before=back, after=after), "taken-back") == [
        "functions/greeting: version 8 was taken back, callers have 7: the deploy brings it forward again"
    ]

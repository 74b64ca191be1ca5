"""Every rule of the verdict, each by a plan that breaks it; plans are as Terraform writes them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from build.inspection.differences import Difference, DistributionChange, FileChange
from build.review.changes import Change
from build.review.reviewing import review_of
from build.review.rules import RULES
from build.review.words import Review, Verdict

ROOT = Path(__file__).parents[2]
ARN = "arn:aws:lambda:eu-central-1:123456789012"
RULE = "aws:sourcearn is like arn:aws:events:eu-central-1:123456789012:rule/nightly"
TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders"


def resource(kind: str, before: Any = None, after: Any = None, *, at: str = "", **more: Any) -> dict[str, Any]:
    """Return an entry of resource_changes; equal sides are one that stays."""
    actions = (
        ["no-op"] if before == after else ["create"] if before is None else ["delete"] if after is None else ["update"]
    )
    address = at or f"{kind}.this"
    change = {"actions": more.pop("actions", actions), "before": before, "after": after, "after_unknown": {}}
    change |= {
        name: more.pop(name) for name in [*more] if name.endswith(("unknown", "sensitive", "paths", "importing"))
    }
    return {"address": address, "mode": "managed", "type": kind, "change": change, **more}


def function(**more: Any) -> dict[str, Any]:
    return {"function_name": "shop-prod-orders", "memory_size": 512, "architectures": ["arm64"], "timeout": 30, **more}


def orders(before: Any, after: Any, **more: Any) -> dict[str, Any]:
    return resource(
        "aws_lambda_function", before, after, at='module.lambda_function["orders"].aws_lambda_function.this', **more
    )


def role_policy(*statements: Any) -> dict[str, Any]:
    return {"name": "execution", "role": "shop-prod-orders", "policy": json.dumps({"Statement": list(statements)})}


def allow(actions: Any, resources: Any = TABLE, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def granted(old: Any, new: Any, **settings: Any) -> Review:
    at = 'module.execution_role["orders"].aws_iam_role_policy.this'
    return review(resource("aws_iam_role_policy", old, new, at=at), **settings)


def handoff(**of_orders: Any) -> dict[str, Any]:
    return {
        "name": "shop",
        "env": "prod",
        "layers": {},
        "functions": {"orders": {"permissions": [], "layers": [], **of_orders}},
    }


def review(*changes: dict[str, Any], drift: Any = (), plan: Any = None, after: Any = None, **settings: Any) -> Review:
    shown = {"resource_changes": list(changes), "resource_drift": list(drift), **(plan or {})}
    return review_of(plans={"": shown}, after=after or handoff(), before=None, at="2026-02-03T10:11:12Z", **settings)


def rules(given: Review) -> set[str]:
    return {each.rule for each in given.reasons}


def worst(given: Review) -> list[tuple[str, str, str]]:
    return [(each.rule, each.subject, each.text) for each in given.reasons if each.verdict is given.verdict]


# ── the table ─────────────────────────────────────────────────────────────────────────────────


def test_the_documentation_has_every_rule_with_its_verdict_and_when_it_holds():
    text = (ROOT / "docs/reference/plan-review.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+) \|$", text, re.MULTILINE)
    assert rows == [(name, str(rule.verdict), rule.when) for name, rule in RULES.items()]


def test_rules_go_from_dangerous_to_safe():
    ranks = [rule.verdict.rank for rule in RULES.values()]
    assert ranks == sorted(ranks, reverse=True)


# ── rights ────────────────────────────────────────────────────────────────────────────────────


def test_a_right_on_a_named_resource_is_worth_a_look():
    gained = granted(role_policy(), role_policy(allow("dynamodb:PutItem")))
    assert worst(gained) == [("iam-gained", "functions/orders", f"may now dynamodb:PutItem on table orders ({TABLE})")]
    assert [each.sentence for each in gained.grants] == [
        f"functions/orders may now dynamodb:PutItem on table orders ({TABLE})"
    ]


def test_a_right_that_is_narrowed_is_lost_in_part():
    (grant,) = granted(role_policy(allow("dynamodb:*")), role_policy(allow("dynamodb:PutItem"))).grants
    assert (grant.gained, grant.text) == (
        False,
        f"may no longer dynamodb:* on table orders ({TABLE}), but still a part of it",
    )


def test_a_right_lost_is_safe():
    lost = granted(role_policy(allow("dynamodb:PutItem")), role_policy())
    assert (lost.verdict, rules(lost)) == (Verdict.SAFE, {"permissions-lost"})


@pytest.mark.parametrize(
    "statement", [allow("*"), allow("dynamodb:*"), allow("dynamodb:PutItem", "*"), allow("s3:Get?bject")]
)
def test_a_wildcard_without_a_reason_is_dangerous(statement):
    assert {each[0] for each in worst(granted(role_policy(), role_policy(statement)))} == {"wildcard-gained"}


def test_everything_stays_dangerous_whatever_reason_is_given():
    after = handoff(permissions=[{"actions": ["s3:*"], "resources": ["*"], "reason": "it is easier"}])
    given = granted(role_policy(), role_policy(allow("s3:*", "*")), after=after)
    assert worst(given) == [
        ("wildcard-gained", "functions/orders", "may now s3:* on everything (*); the reason given: it is easier")
    ]


def test_a_wildcard_below_a_name_is_worth_a_look_and_its_reason_is_shown():
    arn = "arn:aws:ssm:eu-central-1:123456789012:parameter/shop-prod/*"
    after = handoff(permissions=[{"actions": ["ssm:GetParameter"], "resources": [arn], "reason": "one each"}])
    given = granted(role_policy(), role_policy(allow("ssm:GetParameter", arn)), after=after)
    ((rule, _, text),) = worst(given)
    assert (rule, given.verdict) == ("wildcard-explained", Verdict.LOOK)
    assert text.endswith("; the reason given: one each")


def test_an_action_that_knows_no_resource_may_have_a_star():
    after = handoff(permissions=[{"actions": ["sts:GetCallerIdentity"], "resources": ["*"], "reason": "it knows none"}])
    given = granted(role_policy(), role_policy(allow("sts:GetCallerIdentity", "*")), after=after)
    assert rules(given) == {"wildcard-explained"}


def test_what_lambda_itself_needs_for_a_network_is_no_danger():
    interfaces = {"ArnNotEquals": {"lambda:SourceFunctionArn": f"{ARN}:function:shop-prod-orders"}}
    statement = allow(["ec2:CreateNetworkInterface"], "arn:aws:ec2:eu-central-1:123456789012:*/*", Condition=interfaces)
    assert granted(role_policy(), role_policy(statement)).verdict is Verdict.LOOK


def test_the_role_of_a_schedule_is_not_taken_for_that_of_its_function():
    module = 'module.schedule_trigger["orders/nightly"]'
    given = review(
        resource(
            "aws_iam_role",
            None,
            {"name": "shop-prod-orders-nightly.schedule"},
            at=f"{module}.aws_iam_role.this",
            module_address=module,
        ),
        resource(
            "aws_iam_role_policy",
            None,
            {"name": "schedule", "policy": role_policy(allow("lambda:InvokeFunction", f"{ARN}:function:x"))["policy"]},
            at=f"{module}.aws_iam_role_policy.this",
            module_address=module,
            after_unknown={"role": True},
        ),
    )
    assert [(each.subject, each.who) for each in given.grants] == [
        ("functions/orders", "the role shop-prod-orders-nightly.schedule")
    ]


def test_a_statement_that_moves_from_one_policy_of_a_role_to_another_is_no_right():
    one = resource("aws_iam_role_policy", role_policy(allow("a:B")), role_policy(), at="aws_iam_role_policy.one")
    other = resource("aws_iam_role_policy", None, role_policy(allow("a:B")), at="aws_iam_role_policy.other")
    assert review(one, other).grants == ()


def test_policies_that_a_role_has_in_itself_count_as_well():
    inline = [{"name": "x", "policy": role_policy(allow("s3:*", "*"))["policy"]}]
    given = review(resource("aws_iam_role", role(), role(inline_policy=inline)))
    assert worst(given) == [("wildcard-gained", "functions/orders", "may now s3:* on everything (*)")]
    arns = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    assert {each[0] for each in worst(review(resource("aws_iam_role", None, role(managed_policy_arns=arns))))} == {
        "wildcard-gained"
    }


def test_a_deny_that_goes_is_a_right_gained():
    deny = {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}
    (grant,) = granted(role_policy(allow("s3:GetObject"), deny), role_policy(allow("s3:GetObject"))).grants
    assert (grant.gained, grant.text) == (True, "is no longer denied iam:* on everything (*)")


def test_a_policy_that_nobody_can_read_yet_is_worth_a_look():
    entry = resource(
        "aws_iam_role_policy", None, {"name": "x", "role": "shop-prod-orders"}, after_unknown={"policy": True}
    )
    assert worst(review(entry)) == [
        (
            "permissions-unclear",
            "functions/orders",
            "may get permissions that nobody can see here: its policy is known after apply",
        )
    ]


def test_a_sensitive_policy_is_worth_a_look_and_stays_secret():
    entry = resource(
        "aws_iam_role_policy",
        role_policy(),
        role_policy(allow("s3:*", "arn:aws:s3:::canary")),
        at="aws_iam_role_policy.x",
        after_sensitive={"policy": True},
    )
    given = review(entry)
    assert rules(given) == {"permissions-unclear"}
    assert "canary" not in str(given)


@pytest.mark.parametrize(
    ("arn", "rule"),
    [
        ("AWSXRayDaemonWriteAccess", "iam-gained"),
        ("AdministratorAccess", "wildcard-gained"),
        ("AmazonS3FullAccess", "wildcard-gained"),
    ],
)
def test_a_managed_policy_is_judged_by_how_broad_it_is(arn, rule):
    attached = {"role": "shop-prod-orders", "policy_arn": f"arn:aws:iam::aws:policy/{arn}"}
    given = review(resource("aws_iam_role_policy_attachment", None, attached))
    assert worst(given)[0][:2] == (rule, "functions/orders")
    assert review(resource("aws_iam_role_policy_attachment", attached, None)).verdict is Verdict.LOOK


def role(**more: Any) -> dict[str, Any]:
    return {"name": "shop-prod-orders", "assume_role_policy": trust({"Service": "lambda.amazonaws.com"}), **more}


def trust(principal: Any) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}]})


def test_a_boundary_that_goes_is_dangerous_and_another_one_worth_a_look():
    bound = "arn:aws:iam::123456789012:policy/shop-prod.boundary"
    gone = review(resource("aws_iam_role", role(permissions_boundary=bound), role()))
    other = review(resource("aws_iam_role", role(permissions_boundary=bound), role(permissions_boundary=f"{bound}2")))
    assert {each[0] for each in worst(gone)} == {"boundary-removed"}
    assert {each[0] for each in worst(other)} == {"boundary-changed"}


@pytest.mark.parametrize(
    ("principal", "rule"),
    [
        ({"Service": ["lambda.amazonaws.com", "scheduler.amazonaws.com"]}, "iam-gained"),
        ({"AWS": "arn:aws:iam::123456789012:root"}, "trust-widened"),
        ({"Federated": "accounts.example.invalid"}, "trust-widened"),
        ("*", "made-public"),
    ],
)
def test_whoever_may_take_a_role_from_now_on_is_named(principal, rule):
    given = review(resource("aws_iam_role", role(), role(assume_role_policy=trust(principal))))
    assert {each[0] for each in worst(given)} == {rule}


def test_a_new_role_that_lambda_may_take_is_nothing_new():
    assert review(resource("aws_iam_role", None, role())).grants == ()


def test_a_deny_for_everybody_that_goes_makes_nothing_public_by_itself():
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "*",
        "Condition": {"Bool": {"a:b": "false"}},
    }
    bucket = {"bucket": "files", "policy": json.dumps({"Statement": [deny]})}
    given = review(resource("aws_s3_bucket_policy", bucket, None))
    assert "made-public" not in rules(given)
    assert "access-gained" in rules(given)


def test_what_somebody_opened_outside_is_dangerous():
    closed = {"bucket": "files", "block_public_policy": True}
    opened = resource("aws_s3_bucket_public_access_block", closed, {**closed, "block_public_policy": False})
    assert {each[0] for each in worst(review(drift=[opened]))} == {"access-outside"}


def test_what_a_refresh_writes_out_as_false_is_no_drift():
    before, after = {"bucket": "b", "rule": [{"key": None}]}, {"bucket": "b", "rule": [{"key": False}]}
    assert review(drift=[resource("aws_s3_bucket_server_side_encryption_configuration", before, after)]).drift == ()


def test_who_may_invoke_a_function_is_told_with_where_from():
    permission = {
        "function_name": "shop-prod-orders",
        "qualifier": "live",
        "action": "lambda:InvokeFunction",
        "principal": "events.amazonaws.com",
        "source_arn": "arn:aws:events:eu-central-1:123456789012:rule/nightly",
    }
    given = review(resource("aws_lambda_permission", None, permission))
    assert [each.sentence for each in given.grants] == [
        f"events.amazonaws.com may now lambda:InvokeFunction on function shop-prod-orders:live if {RULE}"
    ]
    assert rules(given) == {"access-gained"}


def test_anyone_who_may_invoke_a_function_url_makes_it_public():
    permission = {
        "function_name": "shop-prod-orders",
        "action": "lambda:InvokeFunctionUrl",
        "principal": "*",
        "function_url_auth_type": "NONE",
    }
    assert review(resource("aws_lambda_permission", None, permission)).verdict is Verdict.DANGEROUS
    iam = review(resource("aws_lambda_permission", None, {**permission, "principal_org_id": "o-1"}))
    assert iam.verdict is Verdict.LOOK


@pytest.mark.parametrize(
    "kind", ["aws_sqs_queue_policy", "aws_sns_topic_policy", "aws_s3_bucket_policy", "aws_kms_key"]
)
def test_a_policy_that_lets_anyone_in_is_public(kind):
    closed, opened = (
        {"policy": json.dumps({"Statement": [allow("x:Y", Principal={"AWS": who})]})} for who in ("123456789012", "*")
    )
    assert {each[0] for each in worst(review(resource(kind, closed, opened)))} == {"made-public"}
    assert rules(review(resource(kind, opened, closed))) == {"permissions-lost"}, "the account had what anyone had"


# ── public, unprotected, interrupted ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("aws_lambda_function_url", {"authorization_type": "AWS_IAM"}, {"authorization_type": "NONE"}),
        (
            "aws_apigatewayv2_route",
            {"authorization_type": "JWT", "route_key": "GET /"},
            {"authorization_type": "NONE", "route_key": "GET /"},
        ),
        ("aws_s3_bucket_public_access_block", {"block_public_acls": True}, None),
        ("aws_s3_bucket_acl", {"acl": "private"}, {"acl": "public-read"}),
        ("aws_db_instance", {"publicly_accessible": False}, {"publicly_accessible": True}),
        ("aws_vpc_security_group_ingress_rule", None, {"cidr_ipv4": "0.0.0.0/0"}),
        ("aws_security_group", {"ingress": []}, {"ingress": [{"cidr_blocks": ["0.0.0.0/0"]}]}),
    ],
)
def test_what_anyone_reaches_from_now_on_is_dangerous(kind, before, after):
    assert "made-public" in {each[0] for each in worst(review(resource(kind, before, after)))}


def test_the_reason_for_a_public_url_is_shown_beside_it():
    url = resource("aws_lambda_function_url", None, {"function_name": "shop-prod-orders", "authorization_type": "NONE"})
    given = review(url, after=handoff(triggers={"url": {"auth": "none", "reason": "a webhook, signed"}}))
    assert [each.text for each in given.public] == [
        "its function URL asks nobody for credentials; the reason given: a webhook, signed"
    ]


def test_what_was_public_before_is_not_said_again():
    was = {"authorization_type": "NONE", "route_key": "GET /", "operation_name": "a"}
    assert review(resource("aws_apigatewayv2_route", was, {**was, "operation_name": "b"})).public == ()


def test_a_route_behind_an_authorizer_is_worth_a_look():
    after = handoff(triggers={"http": {"GET /": {}}})
    given = review(
        resource("aws_apigatewayv2_route", None, {"authorization_type": "JWT", "route_key": "GET /"}), after=after
    )
    assert worst(given) == [("trigger-added", "functions/orders", "http GET / added")]


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("aws_sqs_queue", {"kms_master_key_id": "k"}, {"kms_master_key_id": None, "sqs_managed_sse_enabled": False}),
        ("aws_sqs_queue", {"sqs_managed_sse_enabled": True}, {"sqs_managed_sse_enabled": False}),
        ("aws_lambda_function", {"kms_key_arn": "k"}, {"kms_key_arn": ""}),
        ("aws_lambda_function", {"code_signing_config_arn": "c"}, {"code_signing_config_arn": ""}),
        ("aws_s3_bucket_server_side_encryption_configuration", {"bucket": "b"}, None),
        ("aws_dynamodb_table", {"deletion_protection_enabled": True}, {"deletion_protection_enabled": False}),
        (
            "aws_s3_bucket_versioning",
            {"versioning_configuration": [{"status": "Enabled"}]},
            {"versioning_configuration": [{"status": "Suspended"}]},
        ),
    ],
)
def test_protection_that_goes_is_dangerous(kind, before, after):
    assert "protection-removed" in {each[0] for each in worst(review(resource(kind, before, after)))}


def test_another_key_is_no_loss_of_encryption():
    given = review(
        resource(
            "aws_sqs_queue",
            {"sqs_managed_sse_enabled": True},
            {"kms_master_key_id": "k", "sqs_managed_sse_enabled": False},
        )
    )
    assert "protection-removed" not in rules(given)


def test_a_function_without_concurrency_left_is_said_to_stand_still():
    given = review(orders(function(reserved_concurrent_executions=-1), function(reserved_concurrent_executions=0)))
    assert [each.text for each in given.interruptions] == [
        "reserved_concurrency none → 0: every invocation is throttled"
    ]


def test_a_layer_version_that_stays_on_aws_is_no_loss_and_one_that_goes_is():
    kept = {"layer_name": "shop-prod-data", "s3_key": "a", "skip_destroy": True}
    after = {**handoff(), "layers": {"data": {}}}
    replaced = resource("aws_lambda_layer_version", kept, {**kept, "s3_key": "b"}, actions=["delete", "create"])
    assert review(replaced, after=after).losses == ()
    lost = resource("aws_lambda_layer_version", {**kept, "skip_destroy": False}, None)
    assert worst(review(lost, after=after))[0][:2] == ("versions-lost", "layers/data")


# ── what functions are made of ────────────────────────────────────────────────────────────────


def code(*distributions: DistributionChange, files: tuple[FileChange, ...] = ()) -> Difference:
    return Difference(distributions=distributions, files=files, unzipped_bytes=(10, 20), zip_bytes=(5, 6))


def distribution(name: str, before: str | None, after: str | None) -> DistributionChange:
    return DistributionChange(name=name, folder="", before=before, after=after, before_bytes=1, after_bytes=2)


def changed_code(difference: Difference) -> Review:
    hashes = ["97e0c1f2" * 5 + "97e=", "a0aad0b7" * 5 + "a0a="]
    before, after = (function(source_code_hash=each) for each in hashes)
    return review(orders(before, after), code={"functions/orders": difference})


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("2.32.3", "2.32.5", "dependency"),
        ("2.31", "2.32", "dependency"),
        ("1.10.22", "2.0", "dependency-major"),
        ("2.32.5", "2.32.3", "dependency-major"),
        ("2024a", "not a version", "dependency-major"),
        (None, "1.0", "dependency-added"),
        ("1.0", None, "dependency"),
        ("1.0", "1.0", "dependency"),
    ],
)
def test_a_dependency_is_judged_by_how_far_it_goes(before, after, rule):
    given = changed_code(code(distribution("requests", before, after)))
    assert rules(given) == {rule}
    assert given.reasons[0].text.startswith("requests ")


def test_own_files_are_counted_and_bytecode_and_what_distributions_bring_are_not():
    files = (
        FileChange(path="app.py", owner="", before_bytes=1, after_bytes=2),
        FileChange(path="__pycache__/app.cpython-313.pyc", owner="", before_bytes=1, after_bytes=2),
        FileChange(path="requests/api.py", owner="requests", before_bytes=1, after_bytes=2),
        FileChange(path="new.py", owner="", before_bytes=None, after_bytes=2),
    )
    given = changed_code(code(files=files))
    assert worst(given) == [("code", "functions/orders", "own files: 1 added, 1 changed")]
    assert given.functions[0].code
    assert [each.path for each in given.functions[0].code.files] == ["app.py", "new.py"]


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ({"memory_size": 512}, {"memory_size": 1024}, "memory_mb 512 → 1024"),
        ({"timeout": 3}, {"timeout": 60}, "timeout_s 3 → 60"),
        ({"runtime": "python3.12"}, {"runtime": "python3.13"}, "runtime python3.12 → python3.13"),
        (
            {"snap_start": []},
            {"snap_start": [{"apply_on": "PublishedVersions"}]},
            "snap_start none → PublishedVersions",
        ),
        (
            {"reserved_concurrent_executions": -1},
            {"reserved_concurrent_executions": 5},
            "reserved_concurrency none → 5",
        ),
        (
            {"image_config": [{"command": ["a"]}]},
            {"image_config": [{"command": ["b"]}]},
            "image_config.command a → b",
        ),
    ],
)
def test_a_setting_is_said_in_the_words_of_function_toml(before, after, text):
    given = review(orders(function(**before), function(**after)))
    assert ("setting", "functions/orders", text) in worst(given)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"description": "a"}, {"description": "b"}),
        ({"tracing_config": [{"mode": "PassThrough"}]}, {"tracing_config": [{"mode": "Active"}]}),
    ],
)
def test_a_setting_that_decides_nothing_is_safe(before, after):
    given = review(orders(function(**before), function(**after)))
    assert (given.verdict, rules(given)) == (Verdict.SAFE, {"harmless-setting"})


def test_tags_are_safe():
    before, after = (function(tags={"a": each}, tags_all={"a": each}) for each in ("b", "c"))
    assert worst(review(orders(before, after))) == [("resource", "functions/orders", "tags.a changed")]


def test_a_trigger_that_reads_a_queue_tells_its_settings_in_our_words():
    source = {
        "event_source_arn": "arn:aws:sqs:eu-central-1:123456789012:shop-prod-orders-incoming",
        "function_name": f"{ARN}:function:shop-prod-orders:live",
        "batch_size": 10,
        "scaling_config": [],
    }
    after = {**source, "batch_size": 100, "scaling_config": [{"maximum_concurrency": 5}]}
    at = 'module.queue_trigger["orders/incoming"].aws_lambda_event_source_mapping.this'
    given = review(resource("aws_lambda_event_source_mapping", source, after, at=at))
    assert (
        "trigger-changed",
        "functions/orders",
        "queue incoming changed: batch_size 10 → 100, max_concurrency none → 5",
    ) in worst(given)
    assert "interruption" in rules(given)


def test_each_function_is_told_its_own_part_of_the_notifications_of_a_bucket():
    def block(name: str, prefix: str) -> dict[str, Any]:
        arn = f"{ARN}:function:shop-prod-{name}:live"
        return {"lambda_function_arn": arn, "events": ["s3:ObjectCreated:*"], "filter_prefix": prefix}

    before = {"bucket": "files", "lambda_function": [block("orders", "a/"), block("refunds", "r/")]}
    after = {"bucket": "files", "lambda_function": [block("orders", "b/"), block("refunds", "r/")]}
    at = 'module.bucket_trigger["arn:aws:s3:::files"].aws_s3_bucket_notification.this'
    both = handoff()
    both["functions"]["refunds"] = both["functions"]["orders"]
    given = review(resource("aws_s3_bucket_notification", before, after, at=at), after=both)
    told = {each.name: [trigger.text for trigger in each.triggers] for each in given.functions}
    assert told == {"orders": ["bucket files changed: prefix a/ → b/"]}


def test_an_environment_that_is_all_secret_is_said_to_change():
    before, after = (function(environment=[{"variables": {"TOKEN": each}}]) for each in ("canary-1", "canary-2"))
    flags = {"before_sensitive": {"environment": True}, "after_sensitive": {"environment": True}}
    assert worst(review(orders(before, after, **flags))) == [
        ("environment", "functions/orders", "environment (sensitive) changed")
    ]


def test_a_leftover_of_an_earlier_apply_is_named_as_such():
    entry = {**orders(function(), None), "deposed": "1a2b3c4d"}
    given = review(orders(function(), function()), entry)
    assert [each.address.endswith(" (deposed)") for each in given.losses] == [True]


def test_a_foreign_layer_with_another_version_is_worth_a_look():
    arn = "arn:aws:lambda:eu-central-1:123456789012:layer:Powertools"
    given = review(orders(function(layers=[f"{arn}:1"]), function(layers=[f"{arn}:2"])))
    assert worst(given) == [("foreign-layer", "functions/orders", f"layer {arn} changed")]


def test_an_unknown_type_appears_with_the_paths_that_change_and_without_values():
    before, after = ({"deep": [{"er": {"still": each}}], "id": each} for each in ("canary-1", "canary-2"))
    given = review(resource("aws_mystery_thing", before, after))
    assert worst(given) == [
        ("other-resource", "aws_mystery_thing.this", "aws_mystery_thing changed (deep[0].er.still)")
    ]
    assert "canary" not in str(given)


def test_what_terraform_forgets_or_takes_charge_of_is_worth_a_look():
    thing = {"name": "news"}
    forgotten = review(resource("aws_sns_topic", thing, None, actions=["forget"]))
    imported = review(resource("aws_sns_topic", thing, thing, importing={"id": "arn"}))
    assert [each.resources[0].change for each in (forgotten, imported)] == [Change.FORGOTTEN, Change.IMPORTED]
    assert rules(forgotten) == rules(imported) == {"adopted"}
    assert forgotten.losses == ()


def test_only_outputs_are_safe():
    given = review(plan={"output_changes": {"url": {"actions": ["update"], "before": "a", "after": "b"}}})
    assert (given.is_empty, given.verdict, rules(given)) == (False, Verdict.SAFE, {"output"})


def test_the_live_alias_that_the_roll_out_moved_is_no_drift():
    moved = resource(
        "aws_lambda_alias", {"name": "live", "function_version": "1"}, {"name": "live", "function_version": "2"}
    )
    assert review(drift=[moved]).drift == ()


def test_environments_that_scaling_keeps_ready_are_no_drift():
    ready = {"function_name": "shop-prod-orders", "provisioned_concurrent_executions": 2}
    module = {"module_address": 'module.provisioned_concurrency["orders"]'}
    kind = "aws_lambda_provisioned_concurrency_config"
    moved = resource(kind, ready, {**ready, "provisioned_concurrent_executions": 5}, **module)
    scaling = resource("aws_appautoscaling_target", {"max_capacity": 9}, {"max_capacity": 9}, **module)
    assert review(scaling, drift=[moved]).drift == ()
    assert review(drift=[moved]).drift != ()


def test_a_policy_that_somebody_attached_outside_is_drift():
    mirror = "inline_policy"
    before, after = role(**{mirror: []}), role(**{mirror: [{"name": "foreign", "policy": "{}"}]})
    assert [each.subject for each in review(drift=[resource("aws_iam_role", before, after)]).drift] == [
        "functions/orders"
    ]


def test_provisioned_concurrency_costs_the_same_every_month_and_more_memory_makes_it_dearer():
    ready = {"function_name": "shop-prod-orders", "provisioned_concurrent_executions": 2, "qualifier": "live"}
    at = 'module.provisioned["orders"].aws_lambda_provisioned_concurrency_config.this'
    kept = resource("aws_lambda_provisioned_concurrency_config", ready, ready, at=at)
    given = review(orders(function(), function(memory_size=1024)), kept)
    assert given.costs.monthly_usd == pytest.approx((8.7600, 17.5201), abs=0.001)
    added = review(
        orders(function(), function()), {**kept, "change": {**kept["change"], "actions": ["create"], "before": None}}
    )
    assert added.costs.monthly_usd == pytest.approx((0, 8.76), abs=0.001)


def test_an_alarm_costs_ten_cents_a_month():
    alarm = {"alarm_name": "errors", "dimensions": {"FunctionName": "shop-prod-orders"}}
    (cost,) = review(resource("aws_cloudwatch_metric_alarm", None, alarm)).costs.items
    assert (cost.subject, cost.text, cost.after_usd, cost.per) == ("functions/orders", "alarm 0 → 1", 0.1, "month")

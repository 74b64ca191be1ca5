"""IAM policies are compared by what they allow."""

import pytest

from build.review.policies import Right, gained, is_wide_action, is_wide_resource, rights_of

TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders"


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions, resources=TABLE, **more):
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def gains(before, after):
    return [(each.action, each.resource) for each in gained(rights_of(before), rights_of(after))]


def test_statements_reordered_split_joined_or_spelled_otherwise_are_no_change():
    one = policy(allow(["dynamodb:PutItem", "dynamodb:GetItem"], [TABLE]))
    other = policy(allow("dynamodb:getitem"), {"Sid": "b", **allow(["dynamodb:PutItem"])})
    assert gains(one, other) == gains(other, one) == []


def test_a_statement_that_is_no_list_is_read_as_one():
    assert rights_of({"Statement": allow("s3:GetObject")}) == rights_of(policy(allow(["s3:GetObject"])))


def test_what_a_wildcard_covered_before_is_not_gained_and_is_lost_only_when_the_wildcard_goes():
    wide, narrow = policy(allow("dynamodb:*", "*")), policy(allow("dynamodb:PutItem"))
    assert gains(wide, narrow) == []
    assert gains(narrow, wide) == [("dynamodb:*", "*")]


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [("s3:Get*", "s3:GetObject"), ("s3:Get*", "s3:Get?bject"), ("s3:Get??????", "s3:GetObject"), ("*", "s3:Get*")],
)
def test_a_wildcard_covers_what_is_narrower(pattern, covered):
    assert gains(policy(allow(pattern)), policy(allow(covered))) == []


@pytest.mark.parametrize(
    ("pattern", "more"), [("s3:Get?", "s3:Get*"), ("s3:GetObject", "s3:Get*"), ("s3:G.t*", "s3:Got")]
)
def test_a_wildcard_covers_nothing_wider_and_a_dot_is_a_dot(pattern, more):
    assert gains(policy(allow(pattern)), policy(allow(more))) == [(more, TABLE)]


def test_a_condition_that_goes_is_a_right_gained_and_one_that_comes_is_none():
    bound = policy(allow("s3:GetObject", Condition={"Bool": {"aws:SecureTransport": "true"}}))
    free = policy(allow("s3:GetObject"))
    assert gains(bound, free) == [("s3:GetObject", TABLE)]
    assert gains(free, bound) == []


def test_conditions_are_equal_in_any_order_and_with_one_value_as_a_list():
    one = {"StringEquals": {"aws:SourceAccount": ["2", "1"]}, "Bool": {"aws:SecureTransport": True}}
    other = {"Bool": {"AWS:SecureTransport": ["True"]}, "StringEquals": {"aws:sourceaccount": ["1", "2"]}}
    assert gains(policy(allow("a:B", Condition=one)), policy(allow("a:B", Condition=other))) == []


def test_denies_are_told_from_allows():
    deny = policy({"Effect": "Deny", "Action": "*", "Resource": "*"})
    assert gains(policy(allow("*", "*")), deny) == [("*", "*")]


def test_not_action_and_not_principal_are_one_right_that_only_the_same_or_everything_covers():
    but = policy({"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"})
    assert gains(policy(allow("s3:*", "*")), but) == [("!iam:*", "*")]
    assert gains(policy(allow("*", "*")), but) == []
    assert gains(but, but) == []


def everyone(**more):
    (right,) = rights_of(policy(allow("sqs:SendMessage", Principal="*", **more)))
    return right


def test_anyone_is_anyone_unless_a_condition_names_who():
    assert everyone().is_anyones
    assert everyone(Condition={"Bool": {"aws:SecureTransport": "true"}}).is_anyones
    assert not everyone(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}).is_anyones
    assert not everyone(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:news"}}).is_anyones


@pytest.mark.parametrize("operator", ["StringNotEquals", "StringEqualsIfExists", "ForAllValues:StringEquals", "Null"])
def test_a_condition_that_holds_for_strangers_binds_nobody(operator):
    assert everyone(Condition={operator: {"aws:PrincipalOrgID": "o-1"}}).is_anyones


def test_an_account_is_one_however_it_is_written():
    accounts = ["123456789012", "arn:aws:iam::123456789012:root"]
    rights = {each for name in accounts for each in rights_of(policy(allow("a:B", Principal={"AWS": name})))}
    assert [each.principal for each in rights] == ["account 123456789012"]


@pytest.mark.parametrize("action", ["*", "s3:*", "s*:GetObject", "!iam:*"])
def test_all_of_a_service_is_wide(action):
    assert is_wide_action(action)


@pytest.mark.parametrize("action", ["s3:Get*", "s3:GetObject"])
def test_some_of_a_service_is_not(action):
    assert not is_wide_action(action)


@pytest.mark.parametrize(
    "resource",
    ["*", "arn:aws:s3:::*", "arn:aws:dynamodb:*:*:table/*", "arn:aws:iam::123456789012:user/*", "arn:aws:sqs:*:*:*"],
)
def test_a_resource_without_a_name_is_wide(resource):
    assert is_wide_resource(resource)


@pytest.mark.parametrize(
    "resource",
    ["arn:aws:s3:::shop/*", TABLE, f"{TABLE}/index/*", "arn:aws:ssm:eu-central-1:123456789012:parameter/shop-prod/*"],
)
def test_a_wildcard_below_a_name_is_not(resource):
    assert not is_wide_resource(resource)


def test_garbage_is_no_policy():
    assert rights_of(None) == rights_of([]) == rights_of({"Statement": []}) == frozenset()


def test_rights_have_an_order():
    rights = rights_of(policy(allow(["b:C", "a:B"], ["y", "x"])))
    assert [(each.action, each.resource) for each in sorted(rights)] == [
        ("a:B", "x"),
        ("a:B", "y"),
        ("b:C", "x"),
        ("b:C", "y"),
    ]
    assert min(rights) == Right(effect="Allow", principal="", action="a:B", resource="x")

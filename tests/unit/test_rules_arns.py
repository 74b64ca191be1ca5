import re

import pytest

from build.options import Secret
from build.rules import arns
from build.rules.rule import Rule, arn_of

QUEUE = "arn:{partition}:sqs:{region}:{account}:{name}-{env}-x"
LAYER = "arn:aws:lambda:eu-central-1:123456789012:layer:theirs:7"
PARAMETER = "arn:aws:ssm:{region}:{account}:parameter/orders/token"
SECRET = "arn:{partition}:secretsmanager:{region}:{account}:secret:orders/token1-AbCdEf"


@pytest.mark.parametrize("value", [QUEUE, "arn:aws:sns:eu-central-1:123456789012:x", "{custom.queue_arn}"])
def test_an_arn_of_one_of_the_services_is_taken_and_so_is_an_output_of_the_teams_own_terraform(value):
    assert arns.arn("sqs", "sns")(value) is None
    assert re.search(arn_of("sqs", "sns").json["pattern"], value)


@pytest.mark.parametrize("value", ["incoming", "arn:aws:sqs:x", "arn:aws:s3:::photos", "{custom.Queue}", "{region}"])
def test_anything_else_is_told_with_the_services_it_may_be_of(value):
    assert (arns.arn("sqs", "sns")(value) or "").startswith("expected an ARN of sqs or sns, or {custom.NAME}, got")
    assert not re.search(arn_of("sqs", "sns").json["pattern"], value)


def test_an_unknown_placeholder_is_told_with_the_known_ones():
    assert arns.arn("sqs")("arn:aws:sqs:{region}:{acount}:x") == (
        "expected one of the placeholders {account}, {env}, {name}, {partition}, {region}, {custom.NAME}, "
        "got {acount}; did you mean `account`?"
    )


@pytest.mark.parametrize(
    ("check", "taken", "refused"),
    [
        (arns.identifier("subnet"), ["subnet-0a1b", "{custom.subnet}"], ["subnet", "sg-0a1b", "subnet-XY", ""]),
        (arns.bus, ["default", "acme/orders", "{custom.bus}", QUEUE.replace("sqs", "events")], ["", "a b", QUEUE]),
        (arns.destination, ["queue", QUEUE, "{custom.bus}"], ["topic", "arn:aws:s3:::photos"]),
        (
            arns.managed_policy,
            ["AWSXRayDaemonWriteAccess", "service-role/AWSLambdaKinesisExecutionRole", "{custom.policy}"],
            ["", "arn:aws:s3:::x", "a b"],
        ),
        (arns.layer, ["data", LAYER, "{custom.layer}"], [LAYER.removesuffix(":7"), "{custom.layer}:7", "{region}"]),
        (
            arns.secret,
            [PARAMETER, SECRET, "{custom.token}", SECRET.replace("-AbCdEf", "{custom.ending}")],
            ["token", SECRET[:-7], SECRET[:-1], SECRET + "*", SECRET + ":key", SECRET.replace("AbCdEf", "??????")],
        ),
    ],
    ids=["subnet", "bus", "destination", "managed policy", "layer", "secret"],
)
def test_references_that_aws_would_refuse_are_refused(check, taken, refused):
    assert [value for value in taken if check(value) is not None] == []
    assert [value for value in refused if check(value) is None] == []


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (SECRET, True),
        (PARAMETER, True),
        ("{custom.token}", True),
        (SECRET.replace("-AbCdEf", "{custom.ending}"), True),
        (SECRET.removesuffix("-AbCdEf"), False),
        ("arn:aws:s3:::x", False),
    ],
)
def test_an_editor_takes_the_same_secrets_as_the_rule(value, fits):
    (rule,) = [each for each in Secret.__annotations__["arn"].__metadata__ if isinstance(each, Rule)]
    assert (arns.secret(value) is None, bool(re.search(rule.json["pattern"], value))) == (fits, fits)


def test_a_secret_without_its_ending_is_told_how_to_find_the_whole_arn():
    assert arns.secret(SECRET.removesuffix("-AbCdEf")) == (
        'expected the whole ARN of a secret, ending in "-" and six characters '
        '(`aws secretsmanager describe-secret --secret-id NAME --query ARN` tells it), got "secret:orders/token1"'
    )

import re

import pytest

from build.rules import arns
from build.rules.rule import arn_of

QUEUE = "arn:{partition}:sqs:{region}:{account}:{name}-{env}-x"


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
    ],
    ids=["subnet", "bus", "destination", "managed policy"],
)
def test_references_that_aws_would_refuse_are_refused(check, taken, refused):
    assert [value for value in taken if check(value) is not None] == []
    assert [value for value in refused if check(value) is None] == []

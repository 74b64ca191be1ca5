"""Things that carry our tags and are in no state: moto tells of them, and of whether they are there."""

from types import SimpleNamespace

import boto3
import pytest
from moto import mock_aws

from build.errors import AwsError
from build.release.strays import Stray, strays

TAGS = {"slipway": "shop", "env": "dev"}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:{}"
GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/{}"


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        yield


def client(service):
    return boto3.client(service, "us-east-1")


def state(*resources):
    """What `terraform show -json` gives of a plan whose prior state holds ``resources``."""
    inside = [{"mode": "managed", "values": each} for each in resources]
    module = {"resources": [], "child_modules": [{"resources": inside}]}
    return {"prior_state": {"values": {"root_module": module}}}


def make_queue(name, **tags):
    client("sqs").create_queue(QueueName=name, tags=TAGS | tags)


def listing(*arns):
    """Clients of which the one for tags lists ``arns``, as AWS does of things for hours after they were deleted."""
    pages = [{"ResourceTagMappingList": [{"ResourceARN": arn} for arn in arns]}]
    tagging = SimpleNamespace(get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: pages))
    return lambda service: tagging if service == "resourcegroupstaggingapi" else client(service)


def test_what_is_in_no_state_is_found_and_what_is_in_one_is_not():
    make_queue("ours")
    make_queue("stray")
    client("logs").create_log_group(logGroupName="/aws/lambda/stray", tags=TAGS)
    states = [state({"arn": QUEUE.format("ours")}), state()]
    assert strays(TAGS, states, (), client) == (
        Stray(arn=GROUP.format("stray"), is_sure=True),
        Stray(arn=QUEUE.format("stray"), is_sure=True),
    )


def test_what_carries_the_tags_of_another_env_or_only_one_of_ours_is_not_ours():
    make_queue("other", env="prod")
    client("sqs").create_queue(QueueName="half", tags={"slipway": "shop"})
    assert strays(TAGS, [state()], (), client) == ()


def test_what_terraform_only_reads_is_in_no_state():
    make_queue("read")
    plan = state({"arn": QUEUE.format("read")})
    plan["prior_state"]["values"]["root_module"]["child_modules"][0]["resources"][0]["mode"] = "data"
    assert [each.arn for each in strays(TAGS, [plan], (), client)] == [QUEUE.format("read")]


def test_what_bootstrap_made_is_none():
    arns = ["arn:aws:s3:::shop-artifacts", "arn:aws:iam::123456789012:policy/shop-dev.boundary"]
    more = ["arn:aws:s3:::shop-artifacts-2"]
    own = ["arn:aws:s3:::shop-artifacts", "arn:aws:iam::123456789012:policy/shop-dev."]
    assert [each.arn for each in strays(TAGS, [], own, listing(*arns, *more))] == more


def test_what_is_listed_but_gone_is_none():
    gone = ["lambda:us-east-1:123456789012:function:gone", "sns:us-east-1:123456789012:gone"]
    arns = [QUEUE.format("gone"), *(f"arn:aws:{each}" for each in gone)]
    assert strays(TAGS, [], (), listing(*arns)) == ()


def test_what_cannot_be_asked_for_may_be_gone():
    rule = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/a/b/c/d"
    assert strays(TAGS, [], (), listing(rule)) == (Stray(arn=rule, is_sure=False),)


def test_what_ec2_made_for_something_of_ours_is_known_by_its_id():
    volume = "arn:aws:ec2:us-east-1:123456789012:volume/vol-0123456789abcdef0"
    instance = {"arn": "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"}
    known = state({**instance, "root_block_device": [{"volume_id": "vol-0123456789abcdef0"}]})
    assert strays(TAGS, [known], (), listing(volume)) == ()
    assert strays(TAGS, [state(instance)], (), listing(volume)) == (Stray(arn=volume, is_sure=False),)


def test_a_role_that_may_not_ask_is_told_which_right_it_takes(monkeypatch):
    tagging = client("resourcegroupstaggingapi")
    from botocore.awsrequest import AWSResponse

    refused = {"Error": {"Code": "AccessDeniedException", "Message": "no"}, "ResponseMetadata": {}}
    answer = AWSResponse("", 400, {}, None), refused
    tagging.meta.events.register("before-call.resource-groups-tagging-api.GetResources", lambda **_: answer)
    with pytest.raises(AwsError) as caught:
        strays(TAGS, [], (), lambda _: tagging)
    assert "tag:GetResources" in caught.value.hint

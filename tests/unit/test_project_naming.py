from dataclasses import replace

import pytest

from build.http import LoadBalancerTrigger
from build.options import Asynchronous, Options, Shifting
from build.project.naming import aws_names, length_problem
from build.triggers import (
    BucketTrigger,
    EventTrigger,
    QueueTrigger,
    ScheduleTrigger,
    StreamTrigger,
    TopicTrigger,
    Triggers,
)
from tests.builders import function_spec, make_workspace

ARN = "arn:aws:sqs:eu-central-1:123456789012:there"


def names(root, triggers, options=None):
    """Return what AWS will call what is made for the function ``f`` of shop-dev, by what it is."""
    spec = replace(function_spec(root / "functions/f"), triggers=triggers, options=options or Options())
    return {aws.what: aws for aws in aws_names(make_workspace(root, functions=(spec,)))}


@pytest.mark.parametrize(
    ("what", "triggers", "most", "around"),
    [
        ("dead-letter queue", lambda name: Triggers(queue=(QueueTrigger(name=name),)), 80, "shop-dev-f--dead-letter"),
        (
            "dead-letter queue",
            lambda name: Triggers(queue=(QueueTrigger(name=name, fifo=True),)),
            80,
            "shop-dev-f--dead-letter.fifo",
        ),
        (
            "dead-letter queue",
            lambda name: Triggers(stream=(StreamTrigger(name=name, source="kinesis"),)),
            80,
            "shop-dev-f--dead-letter",
        ),
        ("topic", lambda name: Triggers(topic=(TopicTrigger(name=name),)), 94, "shop-dev-f-"),
        (
            "rule",
            lambda name: Triggers(event=(EventTrigger(name=name, pattern="{}", dead_letter=False),)),
            64,
            "shop-dev-f-",
        ),
        (
            "schedule's role",
            lambda name: Triggers(schedule=(ScheduleTrigger(name=name, expression="rate(1 day)"),)),
            64,
            "shop-dev-f-.schedule",
        ),
        ("bucket", lambda name: Triggers(bucket=(BucketTrigger(name=name),)), 63, "shop-dev-f--123456789012"),
        (
            "stream",
            lambda name: Triggers(stream=(StreamTrigger(name=name, source="kinesis", on_failure=ARN),)),
            128,
            "shop-dev-f-",
        ),
        (
            "table",
            lambda name: Triggers(stream=(StreamTrigger(name=name, source="dynamodb", partition_key="id"),)),
            255,
            "shop-dev-f-",
        ),
        (
            "target group",
            lambda name: Triggers(load_balancer=(LoadBalancerTrigger(name=name),)),
            32,
            "shop-dev-f-",
        ),
    ],
)
def test_a_name_may_be_as_long_as_aws_takes_it_and_no_longer(tmp_path, what, triggers, most, around):
    fits, more = ("x" * (most - len(around) + extra) for extra in (0, 1))
    assert length_problem(names(tmp_path, triggers(fits))[what]) is None
    too_long = names(tmp_path, triggers(more))[what]
    problem = length_problem(too_long)
    assert problem == (
        f"the AWS name of the {what}: expected at most {most} characters, got {most + 1}: {too_long.name}"
    )
    assert too_long.name.replace(more, "") == around


def test_what_exists_gets_no_name(tmp_path):
    triggers = Triggers(
        queue=(QueueTrigger(name="q", arn=ARN),),
        topic=(TopicTrigger(name="t", arn="arn:aws:sns:eu-central-1:123456789012:t"),),
        bucket=(BucketTrigger(name="b", arn="arn:aws:s3:::b"),),
        event=(EventTrigger(name="e", pattern="{}", dead_letter=False),),
    )
    assert set(names(tmp_path, triggers)) == {"function and role", "rule"}


def test_a_queue_of_failures_is_made_where_it_is_asked_for(tmp_path):
    options = Options(asynchronous=Asynchronous(on_failure="queue"))
    assert names(tmp_path, Triggers(), options)["queue of failures"].name == "shop-dev-f-failures"
    assert set(names(tmp_path, Triggers())) == {"function and role"}


def test_codedeploys_role_is_named_after_the_function_and_no_longer_than_a_role_may_be(tmp_path):
    made = names(tmp_path, Triggers(), Options(rollout=Shifting(by="codedeploy")))["role of CodeDeploy"]
    assert (made.name, made.most) == ("shop-dev-f.codedeploy", 64)
    assert "role of CodeDeploy" not in names(tmp_path, Triggers(), Options(rollout=Shifting(strategy="canary")))

"""Samples of events, judged by the models that functions read events with."""

import json
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from aws_lambda_powertools.utilities.data_classes import (
    ALBEvent,
    APIGatewayProxyEventV2,
    CodeDeployLifecycleHookEvent,
    DynamoDBStreamEvent,
    EventBridgeEvent,
    KinesisStreamEvent,
    LambdaFunctionUrlEvent,
    S3Event,
    SNSEvent,
    SQSEvent,
)
from aws_lambda_powertools.utilities.data_classes.api_gateway_authorizer_event import APIGatewayAuthorizerEventV2
from aws_lambda_powertools.utilities.parser import models
from moto.events.models import EventPattern
from pydantic import BaseModel

from build.errors import InputError
from build.http import Authorizer, HttpApi, HttpTrigger, LoadBalancerTrigger, UrlTrigger
from build.samples.sources import SOURCES, sample
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

HERE = "eu-central-1:123456789012"
MODELS: dict[str, type[BaseModel]] = {
    "http": models.APIGatewayProxyEventV2Model,
    "url": models.LambdaFunctionUrlModel,
    "alb": models.AlbModel,
    "sqs": models.SqsModel,
    "sns": models.SnsModel,
    "eventbridge": models.EventBridgeModel,
    "s3": models.S3Model,
    "dynamodb": models.DynamoDBStreamModel,
    "kinesis": models.KinesisDataStreamModel,
}
DETAIL = {"detail": {"state": ["running", "stopped"], "size": [{"numeric": [">", 5]}], "name": [{"prefix": "a"}]}}
PATTERN = {"source": ["shop"], "detail-type": ["Paid"], "resources": ["arn:aws:x"], **DETAIL}
EVERY_TRIGGER = Triggers(
    http=(HttpTrigger(route="GET /orders/{id}/{rest+}", authorizer="staff", scopes=("read",)),),
    url=UrlTrigger(auth="iam"),
    queue=(QueueTrigger(name="incoming", fifo=True), QueueTrigger(name="other")),
    topic=(TopicTrigger(name="prices", arn="arn:{partition}:sns:{region}:{account}:prices"),),
    event=(EventTrigger(name="paid", pattern=json.dumps(PATTERN)),),
    schedule=(ScheduleTrigger(name="nightly", expression="rate(1 day)", input='{"job": "clean"}'),),
    bucket=(BucketTrigger(name="uploads", events=("s3:ObjectRemoved:*",), prefix="in/", suffix=".csv"),),
    stream=(
        StreamTrigger(name="clicks", source="kinesis"),
        StreamTrigger(name="stock", source="dynamodb", partition_key="sku", sort_key="at"),
    ),
    load_balancer=(LoadBalancerTrigger(name="shop"),),
)


@pytest.fixture
def plain():
    """A repository, and a function that settings say nothing of."""
    spec = function_spec(Path("/repository/functions/orders"))
    return make_workspace(Path("/repository"), functions=(spec,)), spec


@pytest.fixture
def full(plain):
    """The same, with a trigger of every kind."""
    workspace, spec = plain
    tokens = Authorizer(issuer="https://id.example.com/", audience=("shop",))
    return replace(workspace, http_api=HttpApi(authorizers={"staff": tokens})), replace(spec, triggers=EVERY_TRIGGER)


def test_there_is_a_source_for_every_trigger_that_settings_know(plain):
    settings = {f"triggers.{name}" for name in Triggers.__dataclass_fields__}
    assert settings <= {source.setting for source in SOURCES.values()}


@pytest.mark.parametrize("name", SOURCES)
def test_every_sample_is_json_and_the_same_each_time(plain, name):
    workspace, spec = plain
    event = sample(name, workspace, spec=spec)
    assert json.loads(json.dumps(event)) == event == sample(name, workspace, spec=spec)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("which", ["plain", "full"])
def test_the_parser_takes_every_sample(request, which, name):
    workspace, spec = request.getfixturevalue(which)
    for each in (None, spec):
        MODELS[name].model_validate(sample(name, workspace, spec=each))


def test_an_authorizer_and_a_hook_read_what_they_need(full):
    workspace, _ = full
    asked = APIGatewayAuthorizerEventV2(sample("authorizer", workspace))
    assert asked.parsed_arn.arn == f"arn:aws:execute-api:{HERE}:example/$default/GET/example"
    assert asked.identity_source == ["Bearer example"] == [asked.headers["authorization"]]
    hook = CodeDeployLifecycleHookEvent(sample("codedeploy", workspace))
    assert hook.deployment_id
    assert hook.lifecycle_event_hook_execution_id


def test_a_route_is_called_with_its_method_path_variables_and_what_its_authorizer_tells(full):
    workspace, spec = full
    event = APIGatewayProxyEventV2(sample("http", workspace, spec=spec))
    assert (event.route_key, event.http_method) == ("GET /orders/{id}/{rest+}", "GET")
    assert event.raw_path == "/orders/example/example"
    assert event.path_parameters == {"id": "example", "rest": "example"}
    assert event.body is None
    claims = event.request_context.authorizer.jwt_claim
    assert (claims["iss"], claims["aud"]) == ("https://id.example.com/", "shop")
    assert event.request_context.authorizer.jwt_scopes == ["read"]


def test_a_body_makes_a_request_that_has_one(full):
    workspace, spec = full
    anything = replace(spec, triggers=Triggers(http=(HttpTrigger(route="ANY /orders"),)))
    event = APIGatewayProxyEventV2(sample("http", workspace, spec=anything, body="Grüße"))
    assert (event.http_method, event.body, event.headers["content-length"]) == ("POST", "Grüße", "7")


def test_a_url_tells_who_signed_where_callers_must(full):
    workspace, spec = full
    signed = LambdaFunctionUrlEvent(sample("url", workspace, spec=spec)).request_context
    assert signed.authorizer
    assert signed.authorizer.iam
    assert signed.authorizer.iam.user_arn == "arn:aws:iam::123456789012:user/example"
    assert sample("url", workspace)["requestContext"]["accountId"] == "anonymous"


def test_a_load_balancer_gives_lists_where_settings_say_so(full):
    workspace, spec = full
    assert ALBEvent(sample("alb", workspace, spec=spec)).resolved_query_string_parameters == {"name": ["value"]}
    lists = Triggers(load_balancer=(LoadBalancerTrigger(name="shop", multi_value_headers=True),))
    event = sample("alb", workspace, spec=replace(spec, triggers=lists))
    assert event["multiValueQueryStringParameters"] == {"name": ["value"]}
    assert "headers" not in event
    assert ":targetgroup/shop-dev-orders-shop/" in event["requestContext"]["elb"]["targetGroupArn"]


def test_messages_come_from_what_terraform_makes_or_from_what_is_there(full):
    workspace, spec = full
    (message,) = SQSEvent(sample("sqs", workspace, spec=spec, body="hi")).records
    assert message.event_source_arn == f"arn:aws:sqs:{HERE}:shop-dev-orders-incoming.fifo"
    assert (message.body, message.md5_of_body) == ("hi", "49f68a5c8493ec2c0bf489821c21fc3b")
    assert message.attributes.message_group_id == "example"
    told = SNSEvent(sample("sns", workspace, spec=spec, body="hi"))
    assert told.sns_message == "hi"
    assert told.record.sns.topic_arn == f"arn:aws:sns:{HERE}:prices"


def test_an_arn_that_only_own_terraform_knows_is_left_out(full):
    workspace, spec = full
    unknown = replace(spec, triggers=Triggers(queue=(QueueTrigger(name="far", arn="{custom.queue}"),)))
    (message,) = sample("sqs", workspace, spec=unknown)["Records"]
    assert message["eventSourceARN"] == f"arn:aws:sqs:{HERE}:shop-dev-orders-far"


@pytest.mark.parametrize(
    "pattern",
    [
        PATTERN,
        {"source": [{"prefix": "shop."}], "detail": {"a": {"b": [1]}}},
        {"detail": {"here": [{"exists": True}], "gone": [{"exists": False}], "not": [{"anything-but": ["x"]}]}},
    ],
    ids=["exact", "prefix", "bounds"],
)
def test_an_event_fits_the_pattern_of_its_rule(full, pattern):
    workspace, spec = full
    rule = Triggers(event=(EventTrigger(name="paid", pattern=json.dumps(pattern)),))
    event = sample("eventbridge", workspace, spec=replace(spec, triggers=rule))
    assert EventPattern.load(json.dumps(pattern)).matches_event(event)
    assert EventBridgeEvent(event).account == "123456789012"


def test_a_schedule_brings_its_input(full):
    workspace, spec = full
    assert sample("schedule", workspace, spec=spec) == {"job": "clean"}
    assert sample("schedule", workspace, spec=spec, body='{"job": "other"}') == {"job": "other"}


def test_a_bucket_tells_of_an_object_that_its_settings_let_through(full):
    workspace, spec = full
    record = S3Event(sample("s3", workspace, spec=spec)).record
    assert record.event_name == "ObjectRemoved:Delete"
    assert record.s3.bucket.name == "shop-dev-orders-uploads-123456789012"
    assert record.s3.get_object.key == "in/example.csv"
    named = S3Event(sample("s3", workspace, spec=spec, body="in/a b.csv"))
    assert (named.object_key, named.record.s3.get_object.key) == ("in/a b.csv", "in/a+b.csv")


def test_streams_carry_records_and_items(full):
    workspace, spec = full
    (record,) = KinesisStreamEvent(sample("kinesis", workspace, spec=spec, body="hi")).records
    assert record.kinesis.data_as_text() == "hi"
    assert record.event_source_arn == f"arn:aws:kinesis:{HERE}:stream/shop-dev-orders-clicks"
    item = '{"sku": "t-1", "count": 1.5, "tags": ["a", null, true]}'
    (change,) = DynamoDBStreamEvent(sample("dynamodb", workspace, spec=spec, body=item)).records
    assert change.dynamodb
    assert change.dynamodb.keys == {"sku": "t-1", "at": "example"}
    new = change.dynamodb.new_image or {}
    assert (float(new["count"]), new["tags"]) == (1.5, ["a", None, True])
    assert str(change.event_source_arn).startswith(f"arn:aws:dynamodb:{HERE}:table/shop-dev-orders-stock/stream/")


def test_a_destination_gets_the_event_it_is_about(full):
    workspace, _ = full
    told = sample("destination", workspace, body='{"a": 1}')
    assert told["requestPayload"] == {"a": 1}
    assert told["responseContext"]["functionError"] == "Unhandled"


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("sq", None, "did you mean `sqs`?"),
        ("codedeploy", "x", "carries nothing of yours"),
        ("dynamodb", "x", "a JSON object"),
        ("eventbridge", "[1]", "a JSON object"),
        ("schedule", "x", "a JSON object"),
        ("destination", "x", "a JSON object"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_say_instead(full, name, body, words):
    workspace, spec = full
    with pytest.raises(InputError) as caught:
        sample(name, workspace, spec=spec, body=body)
    assert words in str(caught.value)
    assert "--body" in str(caught.value) or "invoke event" in caught.value.hint


def test_data_of_kinesis_are_in_base64(plain):
    workspace, _ = plain
    (record,) = sample("kinesis", workspace)["Records"]
    assert json.loads(b64decode(record["kinesis"]["data"])) == {"message": "hello"}

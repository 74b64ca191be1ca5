"""What calls need of IAM, and what comes of comparing it with what is granted."""

import tomllib
from dataclasses import replace

import pytest

from build.checks.actions import Models
from build.checks.clients import Call
from build.checks.grants import compare, lines_for, matches
from build.options import Network, Options, Permission
from build.triggers import QueueTrigger, Triggers
from tests.builders import function_spec, layer_spec, make_workspace, write_files

MODELS = Models()
NOTHING = Triggers()
QUEUE = Triggers(queue=(QueueTrigger(name="q"),))


def needs(service, path, *, is_resource=False):
    call = Call(service=service, path=tuple(path.split()), is_resource=is_resource, place="app.py:1")
    found = MODELS.needs_of(call)
    return None if found is None else " ".join("|".join(need) for need in found)


@pytest.mark.parametrize(
    ("service", "method", "actions"),
    [
        ("ssm", "get_parameter", "ssm:GetParameter"),
        ("s3", "head_object", "s3:GetObject"),
        ("s3", "list_objects_v2", "s3:ListBucket"),
        ("s3", "copy_object", "s3:GetObject s3:PutObject"),
        ("s3", "delete_objects", "s3:DeleteObject"),
        ("s3", "upload_fileobj", "s3:PutObject"),
        ("s3", "download_file", "s3:GetObject"),
        ("s3", "upload_part", "s3:PutObject"),
        ("s3", "get_waiter bucket_exists", "s3:ListBucket"),
        ("s3", "delete_bucket_lifecycle", "s3:PutLifecycleConfiguration"),
        ("s3", "get_bucket_encryption", "s3:GetEncryptionConfiguration"),
        ("lambda", "invoke", "lambda:InvokeFunction"),
        ("dynamodb", "batch_write_item", "dynamodb:BatchWriteItem"),
        ("dynamodb", "transact_get_items", "dynamodb:GetItem"),
        (
            "dynamodb",
            "transact_write_items",
            "dynamodb:PutItem|dynamodb:UpdateItem|dynamodb:DeleteItem|dynamodb:ConditionCheckItem",
        ),
        ("dynamodbstreams", "get_records", "dynamodb:GetRecords"),
        ("events", "put_events", "events:PutEvents"),
        ("logs", "start_query", "logs:StartQuery"),
        ("cloudwatch", "put_metric_data", "cloudwatch:PutMetricData"),
        ("sqs", "send_message_batch", "sqs:SendMessage"),
        ("sts", "get_caller_identity", ""),
        ("sts", "assume_role", "sts:AssumeRole"),
        ("cognito-idp", "sign_up", ""),
        ("apigatewaymanagementapi", "post_to_connection", "execute-api:ManageConnections"),
        ("apigateway", "get_rest_apis", "apigateway:GET"),
        ("sesv2", "send_email", "ses:SendEmail"),
        ("stepfunctions", "start_execution", "states:StartExecution"),
        ("iot-data", "publish", "iot:Publish"),
        ("bedrock-runtime", "converse", "bedrock:InvokeModel"),
    ],
)
def test_methods_of_clients_need_what_iam_calls_it(service, method, actions):
    assert needs(service, method) == actions


@pytest.mark.parametrize(
    ("service", "path", "actions"),
    [
        ("dynamodb", "Table", ""),
        ("dynamodb", "Table put_item", "dynamodb:PutItem"),
        ("dynamodb", "Table item_count", "dynamodb:DescribeTable"),
        ("dynamodb", "Table name", ""),
        ("dynamodb", "Table get_item get", ""),
        ("dynamodb", "Table batch_writer", "dynamodb:BatchWriteItem"),
        ("dynamodb", "Table batch_writer put_item", ""),
        ("dynamodb", "create_table", "dynamodb:CreateTable"),
        ("dynamodb", "create_table wait_until_exists", "dynamodb:DescribeTable"),
        ("s3", "Bucket objects filter", "s3:ListBucket"),
        ("s3", "Bucket objects all size", ""),
        ("s3", "Bucket objects all delete", "s3:ListBucket s3:DeleteObject"),
        ("s3", "Bucket upload_file", "s3:PutObject"),
        ("s3", "Object get", "s3:GetObject"),
        ("sqs", "get_queue_by_name", "sqs:GetQueueUrl"),
        ("sqs", "get_queue_by_name receive_messages body", ""),
        ("sqs", "get_queue_by_name receive_messages delete", "sqs:DeleteMessage"),
    ],
)
def test_resources_need_what_their_last_attribute_asks_for(service, path, actions):
    assert needs(service, path, is_resource=True) == actions


@pytest.mark.parametrize(
    ("service", "path", "is_resource"),
    [("ssm", "get_parametre", False), ("no-such", "get", False), ("ssm", "Thing", True), ("s3", "Bucket paint", True)],
)
def test_what_no_model_knows_is_not_guessed(service, path, is_resource):
    assert needs(service, path, is_resource=is_resource) is None


@pytest.mark.parametrize(
    ("pattern", "action", "does"),
    [
        ("*", "s3:GetObject", True),
        ("s3:Get*", "s3:GetObject", True),
        ("S3:getobject", "s3:GetObject", True),
        ("s3:GetObjec?", "s3:GetObject", True),
        ("s3:Get", "s3:GetObject", False),
        ("s3:Get.*", "s3:GetObject", False),
        ("ssm:*", "s3:GetObject", False),
    ],
)
def test_patterns_are_matched_as_iam_does(pattern, action, does):
    assert matches(pattern, action) is does


@pytest.fixture
def compared(tmp_path):
    def run(source, *granted, triggers=NOTHING, layer="", **options):
        write_files(tmp_path / "functions/orders", {"src/app.py": f"import boto3\n{source}\n"})
        write_files(tmp_path / "layers/data", {"src/data/__init__.py": f"import boto3\n{layer}\n"})
        permissions = (Permission(actions=granted, resources=("arn:x",), reason="why"),) if granted else ()
        spec = function_spec(tmp_path / "functions/orders", layers=("data", "arn:aws:lambda:x:1:layer:y:1"))
        spec = replace(spec, options=Options(permissions=permissions, **options), triggers=triggers)
        workspace = make_workspace(tmp_path, functions=(spec,), layers=(layer_spec(tmp_path / "layers/data"),))
        return compare(spec, workspace, MODELS.needs_of)

    return run


def test_what_is_called_and_granted_is_in_order(compared):
    found = compared("boto3.client('s3').head_object()", "s3:Get*")
    assert (found.missing, found.unused, found.unclear) == ((), (), ())
    assert [each.granted_by for each in found.needed] == ["s3:Get*"]


def test_what_is_called_and_not_granted_is_missing_with_every_place(compared):
    found = compared("s3 = boto3.client('s3')\ns3.get_object()\ns3.head_object()", "s3:PutObject")
    (missing,) = found.missing
    assert missing.actions == ("s3:GetObject",)
    assert missing.places == ("functions/orders/src/app.py:3", "functions/orders/src/app.py:4")
    assert found.unused == ("s3:PutObject",)


def test_one_of_the_actions_of_a_transaction_is_enough_and_none_is_unused(compared):
    found = compared("boto3.client('dynamodb').transact_write_items()", "dynamodb:DeleteItem", "dynamodb:PutItem")
    assert (found.missing, found.unused) == ((), ())


def test_layers_of_its_own_call_for_the_function(compared):
    found = compared("import data", layer="boto3.client('ssm').get_parameter()")
    assert [each.places for each in found.missing] == [("layers/data/src/data/__init__.py:2",)]


def test_what_slipway_grants_is_granted_and_never_unused(compared):
    source = "boto3.client('logs').put_log_events()\nboto3.client('sqs').delete_message()"
    assert [each.actions for each in compared(source).missing] == [("sqs:DeleteMessage",)]


def test_what_slipway_grants_for_queues_is_granted_and_never_unused(compared):
    found = compared("boto3.client('sqs').delete_message()", "sqs:ReceiveMessage", triggers=QUEUE)
    assert (found.missing, found.unused) == ((), ())


def test_what_slipway_grants_says_what_for(compared):
    found = compared("boto3.client('sqs').delete_message()", triggers=QUEUE)
    assert [each.granted_by for each in found.needed] == ["Slipway, for its queues"]


def test_a_managed_policy_of_aws_grants_what_it_allows(compared):
    source = "boto3.client('kinesis').get_records()\nboto3.client('s3').get_object()"
    found = compared(source, managed_policies=("service-role/AWSLambdaKinesisExecutionRole",))
    assert [each.granted_by for each in found.needed] == ["service-role/AWSLambdaKinesisExecutionRole", None]
    assert found.unclear == ()


def test_a_managed_policy_of_ones_own_may_grant_anything_and_that_is_told(compared):
    policy = "arn:aws:iam::123456789012:policy/orders"
    found = compared("boto3.client('s3').get_object()", "s3:PutObject", managed_policies=(policy,))
    assert [each.granted_by for each in found.needed] == [f"{policy}, perhaps"]
    (unclear,) = found.unclear
    assert (unclear.place, unclear.why) == (
        "functions/orders/function.toml",
        f"what the managed policy {policy} allows is",
    )


def test_what_only_lambda_may_do_with_the_role_is_not_granted_to_the_code(compared):
    network = Network(subnet_ids=("subnet-1",), security_group_ids=("sg-1",))
    found = compared("boto3.client('ec2').describe_subnets()", network=network)
    assert [each.actions for each in found.missing] == [("ec2:DescribeSubnets",)]


def test_a_name_for_two_clients_has_the_methods_of_both(compared):
    source = "c = boto3.client('s3')\nc.get_object()\nc = boto3.client('sqs')\nc.send_message()"
    found = compared(source, "s3:GetObject", "sqs:SendMessage")
    assert (found.missing, found.unused, found.unclear) == ((), (), ())


def test_a_method_that_does_not_exist_is_unclear(compared):
    (unclear,) = compared("boto3.client('ssm').get_parametre()").unclear
    assert unclear.why == "what `get_parametre` of the client `ssm` is"


def test_tests_beside_the_source_call_nothing(tmp_path):
    files = {"src/app.py": "", "src/tests/test_app.py": "import boto3\nboto3.client('s3').create_bucket()\n"}
    spec = function_spec(write_files(tmp_path / "functions/orders", files))
    assert compare(spec, make_workspace(tmp_path, functions=(spec,)), MODELS.needs_of).needed == ()


def test_the_lines_to_add_are_toml_that_wants_resources(compared):
    source = "boto3.client('ssm').get_parameter()\nboto3.client('s3').copy_object()"
    tables = tomllib.loads("\n".join(lines_for(compared(source).missing)))["permissions"]
    assert tables == [
        {"actions": ["s3:GetObject", "s3:PutObject"], "resources": []},
        {"actions": ["ssm:GetParameter"], "resources": []},
    ]


def test_where_any_of_several_actions_is_enough_the_lines_ask_for_a_choice(compared):
    lines = lines_for(compared("boto3.client('dynamodb').execute_statement()").missing)
    assert lines[1].endswith('"dynamodb:PartiQLDelete"]  # keep those that it uses')

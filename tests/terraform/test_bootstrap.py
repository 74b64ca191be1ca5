"""`bootstrap` sets the embedded cloud up as it would an account; what its roles may do is read from the plan."""

import dataclasses
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from build import process
from build.errors import AwsError, InputError
from build.infra.binary import terraform_binary
from build.local import cloud as embedded
from build.project.discovery import discover
from build.release.aws import Aws
from build.verbs import bootstrap
from tests.builders import write_files
from tests.terraform.conftest import ROOT

pytestmark = pytest.mark.slow

ARTIFACTS, STATE = "shop-local-artifacts-123456789012-us-east-1", "slipway-local-terraform-state-123456789012"
ROLE = "arn:aws:iam::123456789012:role"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:shop-local-orders"
SCHEDULE = "arn:aws:scheduler:us-east-1:123456789012:schedule/shop-local-orders-nightly"
UPLOADS = "arn:aws:s3:::shop-local-orders-uploads-123456789012"
GROUPS = "arn:aws:codedeploy:us-east-1:123456789012:deploymentgroup:shop-local"
CONFIGS = "arn:aws:codedeploy:us-east-1:123456789012:deploymentconfig"
IMAGES = "arn:aws:ecr:us-east-1:123456789012:repository/shop-local/orders"
BOUNDARY = "arn:aws:iam::123456789012:policy/shop-local.boundary"
SETTINGS = f"""
name = "shop"
[github]
repository = "acme/shop"
[env.prod]
region = "eu-central-1"
account_id = "{"9" * 12}"
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    root: Path
    aws: Aws

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def bootstrap(self, env: str = "local") -> tuple[str, str]:
        """Run the verb; return what it wrote to stdout and stderr."""
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            bootstrap.bootstrap(self.root, env)
        return out.getvalue(), err.getvalue()

    def planned(self) -> dict[str, Any]:
        """Return the last plan's values by address."""
        folder = self.root / ".artifacts" / "local" / "bootstrap"
        argv = [str(terraform_binary(self.root, os.environ)), "show", "-json", str(folder / "plan.tfplan")]
        environ = {
            **self.aws.environ,
            "TF_DATA_DIR": str(folder / "terraform"),
            "TF_CLI_CONFIG_FILE": str(self.root / ".artifacts" / "terraform.tfrc"),
        }
        shown = process.run(argv, cwd=self.root / "terraform" / "bootstrap", env=environ)
        resources = json.loads(shown.stdout)["planned_values"]["root_module"]["resources"]
        return {each["address"]: each["values"] for each in resources}


@dataclasses.dataclass(frozen=True, slots=True)
class Runs:
    account: Account
    first: tuple[str, str]
    second: tuple[str, str]
    states: tuple[bytes, bytes]
    planned: Mapping[str, Any]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    root = write_files(tmp_path_factory.mktemp("repository"), {"slipway.toml": SETTINGS})
    shutil.copytree(ROOT / "terraform", root / "terraform", ignore=shutil.ignore_patterns(".terraform"))
    cloud, _ = embedded.ensure(root)
    env = discover(root, "local").env
    yield Account(root, Aws(env=env, environ=embedded.isolated(os.environ, cloud, env)))
    embedded.stop(root)


@pytest.fixture(scope="module")
def runs(account: Account) -> Runs:
    """The verb twice, in an account whose artifact bucket somebody made by hand before."""
    s3, place = account.client("s3"), {"Bucket": STATE, "Key": "bootstrap/terraform.tfstate"}
    s3.create_bucket(Bucket=ARTIFACTS)
    first, state = account.bootstrap(), s3.get_object(**place)["Body"].read()
    second, after = account.bootstrap(), s3.get_object(**place)["Body"].read()
    return Runs(account, first, second, (state, after), account.planned())


def test_a_second_run_changes_nothing(runs):
    assert "nothing to change" not in runs.first[1]
    assert "nothing to change" in runs.second[1]
    assert runs.states[0] == runs.states[1]


def test_both_runs_say_what_to_put_where(runs):
    rows = [line.split() for line in runs.first[0].splitlines()]
    assert ["terraform/envs/local.tfvars", "permissions_boundary", BOUNDARY] in rows
    assert ["GitHub", "environment", "local", "AWS_ROLE_ARN", f"{ROLE}/shop-local.deploy"] in rows
    assert ["GitHub", "environment", "local-plan", "AWS_ROLE_ARN", f"{ROLE}/shop-local.plan"] in rows
    assert ["GitHub", "environment", "local-plan", "AWS_REGION", "us-east-1"] in rows
    assert runs.first[0] == runs.second[0]


def test_no_lock_of_the_state_is_left(runs):
    held = runs.account.client("s3").list_objects_v2(Bucket=STATE)["Contents"]
    assert [each["Key"] for each in held] == ["bootstrap/terraform.tfstate"]


@pytest.mark.parametrize("bucket", [ARTIFACTS, STATE])
def test_a_bucket_is_versioned_encrypted_private_and_its_owners(runs, bucket):
    s3 = runs.account.client("s3")
    (encrypted,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    (owned,) = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    (policy,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert encrypted["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert owned == {"ObjectOwnership": "BucketOwnerEnforced"}
    assert set(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()) == {True}
    assert (policy["Effect"], policy["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_only_leftovers_of_artifacts_expire(runs):
    s3 = runs.account.client("s3")
    (rule,) = s3.get_bucket_lifecycle_configuration(Bucket=ARTIFACTS)["Rules"]
    assert rule.keys() >= {"NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"}
    assert rule.keys().isdisjoint({"Expiration", "Transitions", "NoncurrentVersionTransitions"})
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=STATE)


def test_what_somebody_opened_is_closed_again(runs):
    s3 = runs.account.client("s3")
    s3.delete_public_access_block(Bucket=ARTIFACTS)
    _, said = runs.account.bootstrap()
    assert '+ aws_s3_bucket_public_access_block.this["artifacts"]' in said
    assert set(s3.get_public_access_block(Bucket=ARTIFACTS)["PublicAccessBlockConfiguration"].values()) == {True}


def test_the_provider_of_another_env_is_used_and_not_taken_over(runs):
    workspace = discover(runs.account.root, "local")
    other = dataclasses.replace(workspace, env=dataclasses.replace(workspace.env, name="other"))
    assert bootstrap._provider_is_ours_to_make(workspace, runs.account.aws)
    assert not bootstrap._provider_is_ours_to_make(other, runs.account.aws)


# ── what the roles may do ─────────────────────────────────────────────────────────────────────


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def holds(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Judge StringEquals and ArnLike, and their opposites; a key that the request does not have is no match."""
    return all(
        any(fnmatchcase(context.get(key, ""), pattern) for pattern in listed(wanted)) != ("Not" in operator)
        for operator, wants in condition.items()
        for key, wanted in wants.items()
    )


def is_about(statement: Mapping[str, Any], resource: str) -> bool:
    which = "NotResource" if "NotResource" in statement else "Resource"
    return any(fnmatchcase(resource, each) for each in listed(statement[which])) == (which == "Resource")


def statements_of(runs: Runs, whose: str) -> list[dict[str, Any]]:
    """What the policies of a role say, all together; or the one at an address."""
    of_role = [each for each in runs.planned if each.startswith(f'aws_iam_policy.github["{whose}-')]
    addresses = of_role or [whose]
    assert 1 <= len(addresses) <= 10, "IAM attaches ten policies to a role"
    return [each for address in addresses for each in json.loads(runs.planned[address]["policy"])["Statement"]]


def may(runs: Runs, whose: str, action: str, resource: str, **context: str) -> bool:
    """Judge a request by the policies of the plan, as IAM does: a Deny that fits beats every Allow."""
    keys = {key.replace("_", ":", 1): value for key, value in context.items()}
    effects = {
        statement["Effect"]
        for statement in statements_of(runs, whose)
        if any(fnmatchcase(action, each) for each in listed(statement["Action"]))
        and is_about(statement, resource)
        and holds(statement.get("Condition", {}), keys)
    }
    return effects == {"Allow"}


PLAN, DEPLOY = "plan", "deploy"
STATE_OBJECT = f"arn:aws:s3:::{STATE}/slipway/local.tfstate"


@pytest.mark.parametrize(
    ("action", "resource", "planning", "deploying"),
    [
        ("s3:GetObject", STATE_OBJECT, True, True),
        ("s3:PutObject", STATE_OBJECT, False, True),
        ("s3:PutObject", f"{STATE_OBJECT}.tflock", False, True),
        ("s3:DeleteObject", f"{STATE_OBJECT}.tflock", False, True),
        ("s3:DeleteObject", STATE_OBJECT, False, False),
        ("s3:GetObject", f"arn:aws:s3:::{STATE}/bootstrap/terraform.tfstate", False, False),
        ("s3:PutObject", f"arn:aws:s3:::{STATE}/bootstrap/terraform.tfstate", False, False),
        ("s3:PutObject", f"arn:aws:s3:::{ARTIFACTS}/functions/orders/00.zip", True, True),
        ("s3:PutObject", f"arn:aws:s3:::{ARTIFACTS}/releases/1.json", False, True),
        ("s3:DeleteObject", f"arn:aws:s3:::{ARTIFACTS}/functions/orders/00.zip", False, False),
        ("s3:PutBucketPolicy", f"arn:aws:s3:::{ARTIFACTS}", False, False),
        ("s3:DeleteObject", f"arn:aws:s3:::{ARTIFACTS}/releases/000001/ended.json", False, False),
        ("tag:GetResources", "*", True, True),
        ("lambda:GetAccountSettings", "*", True, True),
        ("lambda:GetFunction", FUNCTION, True, True),
        ("lambda:UpdateFunctionCode", FUNCTION, False, True),
        ("lambda:UpdateAlias", f"{FUNCTION}:live", False, True),
        ("lambda:InvokeFunction", FUNCTION, False, True),
        ("lambda:UpdateFunctionCode", FUNCTION.replace("shop", "else"), False, False),
        ("iam:GetRole", f"{ROLE}/shop-local-orders", True, True),
        ("iam:DeleteRole", f"{ROLE}/shop-local-orders", False, True),
        ("iam:DeleteRolePermissionsBoundary", f"{ROLE}/shop-local-orders", False, False),
        ("iam:UpdateAssumeRolePolicy", f"{ROLE}/shop-local.deploy", False, False),
        ("iam:UpdateAssumeRolePolicy", f"{ROLE}/shop-local-eu.deploy", False, False),
        ("iam:CreatePolicyVersion", BOUNDARY, False, False),
        ("sqs:CreateQueue", "arn:aws:sqs:us-east-1:123456789012:shop-local-orders-incoming", False, True),
        ("sns:CreateTopic", "arn:aws:sns:us-east-1:123456789012:shop-local-orders-prices", False, True),
        ("sns:DeleteTopic", "arn:aws:sns:us-east-1:123456789012:prices", False, False),
        ("events:PutRule", "arn:aws:events:us-east-1:123456789012:rule/shop-local-orders-paid", False, True),
        ("events:PutTargets", "arn:aws:events:us-east-1:123456789012:rule/shop/shop-local-orders-paid", False, True),
        ("events:DeleteRule", "arn:aws:events:us-east-1:123456789012:rule/payments", False, False),
        ("scheduler:GetSchedule", f"{SCHEDULE}/shop-local-orders-nightly", True, True),
        ("scheduler:CreateSchedule", f"{SCHEDULE}/shop-local-orders-nightly", False, True),
        ("kinesis:CreateStream", "arn:aws:kinesis:us-east-1:123456789012:stream/shop-local-orders-clicks", False, True),
        ("kinesis:GetRecords", "arn:aws:kinesis:us-east-1:123456789012:stream/shop-local-orders-clicks", False, False),
        ("dynamodb:CreateTable", "arn:aws:dynamodb:us-east-1:123456789012:table/shop-local-orders-stock", False, True),
        ("dynamodb:GetItem", "arn:aws:dynamodb:us-east-1:123456789012:table/shop-local-orders-stock", False, False),
        ("dynamodb:DeleteTable", "arn:aws:dynamodb:us-east-1:123456789012:table/stock", False, False),
        ("s3:GetBucketPolicy", UPLOADS, True, True),
        ("s3:PutBucketPolicy", UPLOADS, False, True),
        ("s3:GetObject", f"{UPLOADS}/order.csv", False, False),
        ("s3:PutBucketPolicy", "arn:aws:s3:::uploads", False, False),
        ("ecr:DescribeImages", IMAGES, True, True),
        ("ecr:DescribeRepositories", IMAGES, True, True),
        ("ecr:CreateRepository", IMAGES, True, True),
        ("ecr:PutImage", IMAGES, True, True),
        ("ecr:BatchDeleteImage", IMAGES, False, True),
        ("ecr:PutImage", IMAGES.replace("shop", "else"), False, False),
        ("ecr:DeleteRepository", IMAGES.replace("shop", "else"), False, False),
        ("lambda:PutProvisionedConcurrencyConfig", f"{FUNCTION}:live", False, True),
        ("lambda:UpdateFunctionEventInvokeConfig", f"{FUNCTION}:live", False, True),
        ("codedeploy:GetDeploymentGroup", f"{GROUPS}/shop-local-orders", True, True),
        ("codedeploy:GetDeploymentGroup", f"{GROUPS}_orders/shop-local-orders", True, True),
        ("codedeploy:CreateDeployment", f"{GROUPS}/shop-local-orders", False, True),
        ("codedeploy:CreateDeployment", f"{GROUPS.replace('shop', 'else')}/orders", False, False),
        ("codedeploy:GetDeploymentConfig", f"{CONFIGS}:CodeDeployDefault.LambdaAllAtOnce", True, True),
        ("codedeploy:CreateDeploymentConfig", f"{CONFIGS}:shop-local-orders.linear-20-percent-7-min", False, True),
        ("codedeploy:DeleteDeploymentConfig", f"{CONFIGS}:of-others", False, False),
        ("codedeploy:StopDeployment", "*", False, True),
        ("apigateway:GET", "arn:aws:apigateway:us-east-1::/apis/a1", True, True),
        ("apigateway:POST", "arn:aws:apigateway:us-east-1::/apis", False, True),
    ],
)
def test_a_role_may_do_its_work_and_no_more(runs, action, resource, planning, deploying):
    assert (may(runs, PLAN, action, resource), may(runs, DEPLOY, action, resource)) == (planning, deploying)


@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"])
def test_a_deploy_makes_no_role_without_the_boundary(runs, action):
    role = f"{ROLE}/shop-local-orders"
    assert may(runs, DEPLOY, action, role, iam_PermissionsBoundary=BOUNDARY)
    assert not may(runs, DEPLOY, action, role, iam_PermissionsBoundary=f"{BOUNDARY}-of-somebody")
    assert not may(runs, DEPLOY, action, role)
    assert not may(runs, PLAN, action, role, iam_PermissionsBoundary=BOUNDARY)


def test_a_deploy_passes_roles_to_lambda_only(runs):
    role = f"{ROLE}/shop-local-orders"
    assert may(runs, DEPLOY, "iam:PassRole", role, iam_PassedToService="lambda.amazonaws.com")
    assert not may(runs, DEPLOY, "iam:PassRole", role, iam_PassedToService="ec2.amazonaws.com")


def test_a_deploy_scales_functions_and_nothing_else(runs):
    target = "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/1"
    context = {"application-autoscaling_service-namespace": "lambda"}
    register = "application-autoscaling:RegisterScalableTarget"
    assert may(runs, DEPLOY, register, target, **context)
    assert not may(runs, DEPLOY, register, target, **{**context, "application-autoscaling_service-namespace": "ecs"})
    assert not may(runs, PLAN, register, target, **context)


@pytest.mark.parametrize(("action", "planning"), [("kms:Decrypt", True), ("kms:Encrypt", False)])
def test_keys_are_used_through_lambda_only(runs, action, planning):
    key = "arn:aws:kms:us-east-1:123456789012:key/1"
    assert may(runs, DEPLOY, action, key, kms_ViaService="lambda.us-east-1.amazonaws.com")
    assert may(runs, PLAN, action, key, kms_ViaService="lambda.us-east-1.amazonaws.com") == planning
    assert not may(runs, DEPLOY, action, key)


def test_a_deploy_passes_roles_of_schedules_to_the_scheduler_only(runs):
    scheduler = {"iam_PassedToService": "scheduler.amazonaws.com"}
    assert may(runs, DEPLOY, "iam:PassRole", f"{ROLE}/shop-local-orders-nightly.schedule", **scheduler)
    assert not may(runs, DEPLOY, "iam:PassRole", f"{ROLE}/shop-local-orders", **scheduler)


def test_a_deploy_passes_roles_of_codedeploy_to_codedeploy_only(runs):
    role, codedeploy = f"{ROLE}/shop-local-orders.codedeploy", {"iam_PassedToService": "codedeploy.amazonaws.com"}
    assert may(runs, DEPLOY, "iam:PassRole", role, **codedeploy)
    assert not may(runs, DEPLOY, "iam:PassRole", role, iam_PassedToService="lambda.amazonaws.com")
    assert not may(runs, DEPLOY, "iam:PassRole", f"{ROLE}/shop-local-orders", **codedeploy)


def test_the_boundary_lets_codedeploy_alone_move_aliases_and_only_of_our_functions(runs):
    boundary, move, role = "aws_iam_policy.boundary", "lambda:UpdateAlias", f"{ROLE}/shop-local-orders"
    assert may(runs, boundary, move, FUNCTION, aws_PrincipalArn=f"{role}.codedeploy")
    assert not may(runs, boundary, move, FUNCTION.replace("shop", "else"), aws_PrincipalArn=f"{role}.codedeploy")
    assert not may(runs, boundary, move, FUNCTION, aws_PrincipalArn=role)
    assert not may(runs, boundary, "lambda:UpdateFunctionCode", FUNCTION, aws_PrincipalArn=f"{role}.codedeploy")


def test_a_deploy_subscribes_its_own_functions_to_any_topic_and_nobody_else(runs):
    topic = "arn:aws:sns:us-east-1:123456789012:prices"
    assert may(runs, DEPLOY, "sns:Subscribe", topic, sns_Protocol="lambda", sns_Endpoint=f"{FUNCTION}:live")
    assert not may(runs, DEPLOY, "sns:Subscribe", topic, sns_Protocol="https", sns_Endpoint="https://example.com")
    assert not may(runs, DEPLOY, "sns:Subscribe", topic, sns_Protocol="lambda", sns_Endpoint="else")


def test_a_deploy_sets_notifications_of_this_accounts_buckets_but_not_of_its_own_two(runs):
    notify, here = "s3:PutBucketNotification", {"aws_ResourceAccount": "123456789012"}
    assert may(runs, DEPLOY, notify, "arn:aws:s3:::uploads", **here)
    assert not may(runs, DEPLOY, notify, "arn:aws:s3:::uploads", aws_ResourceAccount="1" * 12)
    assert not may(runs, DEPLOY, notify, f"arn:aws:s3:::{ARTIFACTS}", **here)
    assert not may(runs, PLAN, notify, "arn:aws:s3:::uploads", **here)


def test_a_deploy_maps_queues_to_its_own_functions_only(runs):
    mapping = "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:1"
    create = "lambda:CreateEventSourceMapping"
    assert may(runs, DEPLOY, create, mapping, lambda_FunctionArn=f"{FUNCTION}:live")
    assert not may(runs, DEPLOY, create, mapping, lambda_FunctionArn=FUNCTION.replace("shop", "else"))


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("dynamodb:PutItem", "arn:aws:dynamodb:us-east-1:123456789012:table/orders", True),
        ("lambda:InvokeFunction", FUNCTION, True),
        ("sts:AssumeRole", f"arn:aws:iam::{'1' * 12}:role/partner", True),
        ("sts:AssumeRole", f"{ROLE}/administrator", False),
        ("iam:CreateUser", "arn:aws:iam::123456789012:user/x", False),
        ("lambda:UpdateFunctionCode", FUNCTION, False),
        ("s3:GetObject", STATE_OBJECT, False),
        ("s3:PutObject", f"arn:aws:s3:::{ARTIFACTS}/functions/orders/00.zip", False),
    ],
)
def test_the_boundary_keeps_functions_from_identities_code_and_releases(runs, action, resource, allowed):
    assert may(runs, "aws_iam_policy.boundary", action, resource) == allowed


def test_each_role_is_for_one_environment_of_the_repository(runs):
    subjects = {
        role: json.loads(runs.planned[f'aws_iam_role.github["{role}"]']["assume_role_policy"])["Statement"][0][
            "Condition"
        ]
        for role in ("plan", "deploy")
    }
    for role, environment in {"plan": "local-plan", "deploy": "local"}.items():
        assert subjects[role]["StringEquals"] == {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": f"repo:acme/shop:environment:{environment}",
        }


# ── what is refused ───────────────────────────────────────────────────────────────────────────


def test_another_account_is_refused_before_anything_is_made(account, monkeypatch):
    for name, value in account.aws.environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AwsError, match="for another account than env prod"):
        account.bootstrap("prod")
    names = {each["Name"] for each in account.client("s3").list_buckets()["Buckets"]}
    assert not [name for name in names if "prod" in name]


def test_a_state_in_another_region_than_the_env_is_refused(account, tmp_path):
    root = write_files(tmp_path, {"slipway.toml": SETTINGS.replace("eu-central-1", "eu-west-1")})
    shutil.copytree(ROOT / "terraform" / "envs", root / "terraform" / "envs")
    with pytest.raises(InputError) as raised:
        bootstrap.bootstrap(root, "prod")
    assert 'expected region = "eu-west-1", as in slipway.toml, got eu-central-1' in raised.value.facts

"""The real Terraform and provider deploy the root to the embedded cloud.

The provider waits 25 s for each of two queues, so the large deploy runs in the background from the start, to env local,
while the tests of failures go to env dev of the same cloud.
"""

import base64
import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from build.errors import AwsError, FindingsError, ToolError
from build.infra.backend import state_bucket
from build.infra.terraform import TerraformAdapter, outputs_of
from build.local import cloud as embedded
from build.model import Env
from build.process import is_written
from build.results import Outputs, Plan
from tests.checkout import without_own_terraform
from tests.terraform.conftest import ROOT

pytestmark = pytest.mark.slow

EXAMPLE: dict[str, Any] = json.loads((ROOT / "tests" / "golden" / "handoff.json").read_text("utf-8"))
BUCKET = EXAMPLE["artifact_bucket"]


def plain(name: str) -> dict[str, Any]:
    """Return a function of the example with its routes, its first queue and its permissions, and nothing foreign.

    Everything else, with what it needs around it, is deployed in test_everything.py.
    """
    function, bare = EXAMPLE["functions"][name], EXAMPLE["functions"]["greeting"]
    own = "description handler layers memory_mb timeout_s ephemeral_storage_mb environment log_retention_days".split()
    kept = {key: function[key] for key in (*own, "reserved_concurrency", "permissions")}
    triggers = {
        **bare["triggers"],
        "http": {
            route: {**each, "authorizer": None, "scopes": []} for route, each in function["triggers"]["http"].items()
        },
        "queue": {key: each for key, each in function["triggers"]["queue"].items() if each["arn"] is None},
    }
    return {**bare, **kept, "triggers": triggers}


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """An embedded cloud of its own, and a repository that deploys to it."""

    root: Path
    environ: dict[str, str]

    def client(self, service: str) -> Any:
        import boto3

        session = boto3.session.Session("test", "test", region_name="us-east-1")
        return session.client(service, endpoint_url=self.environ["AWS_ENDPOINT_URL"])

    def terraform(self, env: str, said: list[str] | None = None) -> TerraformAdapter:
        on_progress = said.append if said is not None else lambda _: None
        return TerraformAdapter(self.root, env, environ=self.environ, on_progress=on_progress)

    def handoff(self, env: str, **functions: dict[str, Any]) -> dict[str, Any]:
        """Return the example for ``env``, with ``functions`` only; what they and the layer name is published."""
        layers = {
            name: {**layer, "artifact": self.publish(f"layers/{name}")} for name, layer in EXAMPLE["layers"].items()
        }
        api = {**EXAMPLE["http_api"], "authorizers": {}, "domain": None}
        return deepcopy({**EXAMPLE, "env": env, "http_api": api, "layers": layers, "functions": functions})

    def function(self, name: str, code: str = "first", **settings: Any) -> dict[str, Any]:
        return {**plain(name), "artifact": self.publish(f"functions/{name}", code), **settings}

    def publish(self, identity: str, code: str = "first") -> dict[str, Any]:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(zipfile.ZipInfo("app.py"), f"def handler(event, context):\n    return {code!r}\n")
        data = buffer.getvalue()
        digest = hashlib.sha256(data)
        key = f"{identity}/{digest.hexdigest()}.zip"
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data, ChecksumAlgorithm="SHA256")
        in_base64 = base64.b64encode(digest.digest()).decode()
        return {"key": key, "digest_hex": digest.hexdigest(), "digest_base64": in_base64, "size_bytes": len(data)}

    def write(self, handoff: dict[str, Any], name: str = "handoff") -> Path:
        path = self.root / f"{handoff['env']}-{name}.tfvars.json"
        path.write_text(json.dumps(handoff), encoding="utf-8")
        return path

    def plan(self, handoff: dict[str, Any], **options: Any) -> Plan:
        return self.terraform(handoff["env"]).plan(self.write(handoff), **options)


@dataclasses.dataclass(frozen=True, slots=True)
class Deployed:
    handoff: dict[str, Any]
    plan: Plan
    outputs: Outputs
    said: list[str]


def applied(terraform: TerraformAdapter, plan: Plan) -> Outputs:
    terraform.apply(plan)
    return outputs_of(terraform.values())


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    root = tmp_path_factory.mktemp("repository")
    shutil.copytree(ROOT / "terraform", root / "terraform", ignore=shutil.ignore_patterns(".terraform"))
    without_own_terraform(root)
    cloud, _ = embedded.ensure(root)
    env = Env(name="local", region="us-east-1", account_id="123456789012", artifact_bucket=BUCKET)
    account = Account(root, embedded.isolated(os.environ, cloud, env))
    for bucket in (BUCKET, state_bucket(root, "local"), state_bucket(root, "dev")):
        account.client("s3").create_bucket(Bucket=bucket)
    yield account
    embedded.stop(root)


@pytest.fixture(scope="module", autouse=True)
def deploying(account: Account) -> "Iterator[Future[Deployed]]":
    """Two functions, a layer, two routes and a queue on their way to env local."""
    said: list[str] = []
    handoff = account.handoff("local", greeting=account.function("greeting"), orders=account.function("orders"))

    def deploy() -> Deployed:
        terraform = account.terraform("local", said)
        plan = terraform.plan(account.write(handoff))
        kept = dataclasses.replace(plan, path=Path(shutil.copy(plan.path, account.root / "first.tfplan")))
        return Deployed(handoff, kept, applied(terraform, plan), said)

    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(deploy)


@pytest.fixture
def deployed(deploying: "Future[Deployed]") -> Deployed:
    return deploying.result()


# ── env dev: what is refused, and the way from nothing to nothing ──────────────────────────────


def test_bytes_that_were_not_built_and_missing_ones_are_refused_together(account):
    handoff = account.handoff(
        "dev", greeting=account.function("greeting", "evil"), orders=account.function("orders", "lost")
    )
    evil, lost = (handoff["functions"][name]["artifact"] for name in ("greeting", "orders"))
    account.client("s3").put_object(Bucket=BUCKET, Key=evil["key"], Body="evil", ChecksumAlgorithm="SHA256")
    account.client("s3").delete_object(Bucket=BUCKET, Key=lost["key"])
    with pytest.raises(FindingsError) as raised:
        account.plan(handoff)
    text = "\n".join(raised.value.facts)
    assert (
        f"{evil['key']} does not hold the bytes that were built: expected sha256 {evil['digest_base64']}, got " in text
    )
    assert f"({lost['key']}): couldn't find resource" in text


def test_another_account_is_refused(account):
    handoff = account.handoff("dev") | {"account_id": "9" * 12}
    with pytest.raises(AwsError, match="another AWS account than dev"):
        account.plan(handoff)


def test_a_runtime_the_provider_does_not_know_is_terraforms_error_with_its_place(account):
    handoff = account.handoff("dev", greeting=account.function("greeting", runtime="python3.99"))
    with pytest.raises(ToolError, match="terraform plan failed for dev") as raised:
        account.plan(handoff)
    text = "\n".join(raised.value.facts)
    assert "expected runtime to be one of [" in text
    assert "terraform/modules/lambda-function/main.tf:" in text


@pytest.fixture
def locked(account: Account) -> Iterator[dict[str, str]]:
    """The state of dev is locked by somebody else; where the lock is."""
    lock = {"ID": "f00d", "Operation": "OperationTypeApply", "Who": "ada@laptop", "Created": "2026-01-02T03:04:05Z"}
    place = {"Bucket": state_bucket(account.root, "dev"), "Key": "slipway/dev.tfstate.tflock"}
    account.client("s3").put_object(**place, Body=json.dumps(lock))
    yield place
    account.client("s3").delete_object(**place)


def test_a_locked_state_is_refused_and_the_command_in_the_hint_frees_it(account, locked):
    with pytest.raises(ToolError, match="the state of dev is locked by ada@laptop") as raised:
        account.plan(account.handoff("dev"))
    *_, free = re.findall("`(.+?)`", raised.value.hint)
    assert free.endswith(" force-unlock f00d")
    freed = subprocess.run(
        free, shell=True, input="yes\n", cwd="/", env=account.environ, capture_output=True, text=True, check=False
    )
    assert freed.returncode == 0, freed.stderr
    left = account.client("s3").list_objects_v2(Bucket=locked["Bucket"], Prefix=locked["Key"])
    assert left["KeyCount"] == 0


def test_a_plan_to_look_at_neither_needs_nor_leaves_a_lock(account, locked):
    held = account.client("s3").get_object(**locked)["Body"].read()
    assert account.plan(account.handoff("dev"), lock=False).changes
    assert account.client("s3").get_object(**locked)["Body"].read() == held


def test_an_env_goes_from_nothing_to_nothing_even_when_its_artifacts_are_gone(account):
    terraform = account.terraform("dev")
    assert outputs_of(terraform.values()).functions == {}
    handoff = account.handoff("dev", greeting=account.function("greeting", "dev"))
    assert applied(terraform, account.plan(handoff)).functions["greeting"].version == "1"
    account.client("s3").delete_object(Bucket=BUCKET, Key=handoff["functions"]["greeting"]["artifact"]["key"])
    plan = account.plan(handoff | {"functions": {}, "layers": {}}, destroy=True)
    assert {change.actions for change in plan.changes} == {("delete",)}
    assert applied(terraform, plan).functions == {}


def test_a_bucket_for_the_state_that_does_not_exist_is_named(account):
    with pytest.raises(AwsError, match="prod has no bucket slipway-prod-terraform-state-123456789012"):
        account.terraform("prod").init()


# ── env local: the large deploy ───────────────────────────────────────────────────────────────


def test_a_deploy_gives_out_versions_logs_queues_and_the_url(deployed):
    orders = deployed.outputs.functions["orders"]
    assert set(deployed.outputs.functions) == {"greeting", "orders"}
    assert orders.function_name == "slipway-local-orders"
    assert orders.version == "1"
    assert orders.log_group == "/aws/lambda/slipway-local-orders"
    assert orders.queue_urls["incoming"].endswith("/slipway-local-orders-incoming")
    assert deployed.outputs.http_api_urls
    assert {change.actions for change in deployed.plan.changes} == {("create",)}


def test_a_deploy_says_what_it_does(deployed):
    address = 'module.queue_trigger["orders/incoming"].aws_sqs_queue.this[0]'
    assert deployed.said[0].startswith("terraform init: providers from ")
    assert f"{address}: creating" in deployed.said
    assert any(line.startswith(f"{address}: still creating after ") for line in deployed.said)
    assert any(line.startswith(f"{address}: created in ") for line in deployed.said)


def test_a_plan_after_a_deploy_is_empty(account, deployed):
    assert account.plan(deployed.handoff).changes == ()


def test_a_plan_on_the_embedded_cloud_leaves_no_provider_behind(account, deployed):
    account.plan(deployed.handoff)
    log = account.root / ".artifacts/local/provider.log"
    answer = re.search(r"^1\|5\|unix\|([^|]+)", log.read_text("utf-8"), re.MULTILINE)
    assert answer
    assert not Path(answer[1]).exists()
    assert not is_written(log)


def test_a_provider_that_is_configured_twice_keeps_both_configurations(account, deployed):
    second = account.root / "terraform/custom/second.tf"
    second.write_text(
        'provider "aws" {\n  alias = "second"\n  region = "eu-west-1"\n}\n'
        'data "aws_region" "second" {\n  provider = aws.second\n  lifecycle {\n    postcondition {\n'
        '      condition = self.name == "eu-west-1"\n      error_message = "not the second"\n    }\n  }\n}\n'
    )
    try:
        plan = account.plan(deployed.handoff)
    finally:
        second.unlink()
    assert plan.changes == ()


def test_a_function_may_log_read_its_queue_and_what_it_was_granted(account, deployed):
    policy = account.client("iam").get_role_policy(RoleName="slipway-local-orders", PolicyName="execution")[
        "PolicyDocument"
    ]
    assert [(s["Action"], s["Resource"]) for s in policy["Statement"]] == [
        (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            ["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/slipway-local-orders:*"],
        ),
        (
            ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            ["arn:aws:sqs:us-east-1:123456789012:slipway-local-orders-incoming"],
        ),
        (["dynamodb:PutItem"], ["arn:aws:dynamodb:us-east-1:123456789012:table/orders"]),
    ]


def test_the_queue_and_the_routes_lead_to_the_alias(account, deployed):
    live = "arn:aws:lambda:us-east-1:123456789012:function:slipway-local-orders:live"
    (mapping,) = account.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["FunctionArn"] == live
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    gateway = account.client("apigatewayv2")
    (api,) = gateway.get_apis()["Items"]
    integrations = gateway.get_integrations(ApiId=api["ApiId"])["Items"]
    assert [f"{live}/invocations" in integration["IntegrationUri"] for integration in integrations] == [True, True]
    routes = {route["RouteKey"]: route["Target"] for route in gateway.get_routes(ApiId=api["ApiId"])["Items"]}
    assert routes.keys() == {"GET /orders/{id}", "POST /orders"}
    assert sorted(routes.values()) == sorted(f"integrations/{each['IntegrationId']}" for each in integrations)


def test_only_functions_of_the_account_may_take_a_role(account, deployed):
    role = account.client("iam").get_role(RoleName="slipway-local-orders")["Role"]
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_new_bytes_publish_versions_and_leave_live_and_older_layers_alone(account, deployed):
    handoff = deepcopy(deployed.handoff)
    handoff["functions"]["greeting"]["artifact"] = account.publish("functions/greeting", "second")
    handoff["layers"]["data"]["artifact"] = account.publish("layers/data", "second")
    plan = account.plan(handoff)
    changes = {change.address: change for change in plan.changes}
    assert {address: change.actions for address, change in changes.items()} == {
        'module.lambda_function["greeting"].aws_lambda_function.this': ("update",),
        'module.lambda_function["orders"].aws_lambda_function.this': ("update",),
        'module.lambda_layer["data"].aws_lambda_layer_version.this': ("delete", "create"),
    }
    assert {"s3_key", "source_code_hash", "version"} <= set(
        changes['module.lambda_function["greeting"].aws_lambda_function.this'].changed
    )
    outputs = applied(account.terraform("local"), plan)
    assert {name: f.version for name, f in outputs.functions.items()} == {"greeting": "2", "orders": "2"}
    client = account.client("lambda")
    assert client.get_alias(FunctionName="slipway-local-greeting", Name="live")["FunctionVersion"] == "1"
    assert len(client.list_layer_versions(LayerName="slipway-local-data")["LayerVersions"]) == 2
    assert account.plan(handoff).changes == ()


def test_a_plan_made_before_another_apply_is_stale(account, deployed):
    with pytest.raises(ToolError, match="can no longer be applied"):
        account.terraform("local").apply(deployed.plan)

"""A team's own Terraform beside ours, as docs/how-to/custom-terraform.md shows it, on the embedded cloud."""

import base64
import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from build.errors import ToolError
from build.infra.backend import state_bucket
from build.infra.terraform import TerraformAdapter
from build.local import cloud as embedded
from build.model import Env
from build.results import Plan
from tests.checkout import without_own_terraform
from tests.terraform.conftest import ROOT

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "how-to" / "custom-terraform.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"```hcl\n# terraform/custom/(\S+)\n(.*?)```", PAGE, re.DOTALL))
HANDOFF: dict[str, Any] = json.loads((ROOT / "tests" / "golden" / "handoff.json").read_text("utf-8"))
BUCKET = HANDOFF["artifact_bucket"]
CODE = base64.b64decode("UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==")  # an empty zip


@dataclasses.dataclass(frozen=True, slots=True)
class Team:
    """A repository with Terraform of its own, and an embedded cloud."""

    root: Path
    environ: dict[str, str]
    layers: tuple[str, ...] = ()
    """Of every function."""

    def client(self, service: str) -> Any:
        import boto3

        session = boto3.session.Session("test", "test", region_name="us-east-1")
        return session.client(service, endpoint_url=self.environ["AWS_ENDPOINT_URL"])

    def terraform(self) -> TerraformAdapter:
        return TerraformAdapter(self.root, "local", environ=self.environ)

    def custom(self, **files: str) -> None:
        """Put files into terraform/custom/."""
        for name, text in files.items():
            (self.root / "terraform" / "custom" / f"{name}.tf").write_text(text, encoding="utf-8")

    def plan(self, **environments: dict[str, str]) -> Plan:
        """Plan functions with an environment each, and with rights on the table."""
        digest = hashlib.sha256(CODE)
        key = f"functions/orders/{digest.hexdigest()}.zip"
        self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=CODE, ChecksumAlgorithm="SHA256")
        in_base64 = base64.b64encode(digest.digest()).decode()
        artifact = {"key": key, "digest_hex": digest.hexdigest(), "digest_base64": in_base64, "size_bytes": len(CODE)}
        granted = {"actions": ["dynamodb:GetItem"], "resources": ["{custom.orders_table_arn}"], "reason": None}
        changed = {"artifact": artifact, "permissions": [granted], "layers": self.layers}
        functions = {
            name: HANDOFF["functions"]["greeting"] | changed | {"environment": environment}
            for name, environment in environments.items()
        }
        http_api: dict[str, Any] = {"cors": None, "throttle": None, "authorizers": {}, "domain": None}
        path = self.root / "handoff.tfvars.json"
        path.write_text(json.dumps(HANDOFF | {"functions": functions, "layers": {}, "http_api": http_api}))
        return self.terraform().plan(path)


ENVIRONMENTS = {
    "orders": {"BOTH": "{custom.orders_table} {custom.alerts}", "LEVEL": "INFO"},
    "lookup": {"TABLE": "{custom.orders_table}"},
}


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    root = tmp_path_factory.mktemp("team")
    shutil.copytree(ROOT / "terraform", root / "terraform", ignore=shutil.ignore_patterns(".terraform"))
    without_own_terraform(root)
    (root / "terraform" / "envs" / "local.tfvars").write_text('alarms = { actions = ["{custom.alerts}"] }\n')
    cloud, _ = embedded.ensure(root)
    env = Env(name="local", region="us-east-1", account_id="123456789012", artifact_bucket=BUCKET)
    team = Team(root, embedded.isolated(os.environ, cloud, env))
    team.custom(**{Path(name).stem: text for name, text in EXAMPLES.items()})
    for bucket in (BUCKET, state_bucket(root, "local")):
        team.client("s3").create_bucket(Bucket=bucket)
    yield team
    embedded.stop(root)


@pytest.fixture(scope="module")
def first(team: Team) -> Plan:
    """The plan of everything at once, applied."""
    plan = team.plan(**ENVIRONMENTS)
    team.terraform().apply(plan)
    return plan


def test_the_page_has_all_of_it():
    assert list(EXAMPLES) == ["orders.tf", "outputs.tf", "shipping.tf", "virginia.tf"]


def test_a_value_that_is_not_known_yet_makes_nothing_unknown_that_does_not_hold_it(first):
    planned = {
        name: each["change"]["after"]["environment"][0]
        for each in first.document["resource_changes"]
        for name in re.findall(r'^module\.lambda_function\["(.+)"\]\.aws_lambda_function\.this$', each["address"])
    }
    assert planned["lookup"]["variables"] == {"TABLE": "slipway-local-orders"}
    assert "variables" not in planned["orders"], "the ARN of a topic is known when there is one"


def test_functions_use_what_the_team_made(team, first):
    topic = "arn:aws:sns:us-east-1:123456789012:slipway-local-alerts"
    settings = team.client("lambda").get_function_configuration(FunctionName="slipway-local-orders")
    assert settings["Environment"]["Variables"] == {"BOTH": f"slipway-local-orders {topic}", "LEVEL": "INFO"}
    policy = team.client("iam").get_role_policy(RoleName="slipway-local-orders", PolicyName="execution")
    table = "arn:aws:dynamodb:us-east-1:123456789012:table/slipway-local-orders"
    assert [table] in [statement["Resource"] for statement in policy["PolicyDocument"]["Statement"]]
    alarms = team.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {alarm["AlarmName"]: alarm["AlarmActions"] for alarm in alarms} == {
        f"slipway-local-{name}-{kind}": [topic] for name in ENVIRONMENTS for kind in ("duration", "errors", "throttles")
    }


def test_what_the_team_made_uses_functions(team, first):
    (target,) = team.client("events").list_targets_by_rule(Rule="slipway-local-shipped")["Targets"]
    assert target["Arn"] == "arn:aws:lambda:us-east-1:123456789012:function:slipway-local-orders:live"
    allowed = json.loads(
        team.client("lambda").get_policy(FunctionName="slipway-local-orders", Qualifier="live")["Policy"]
    )
    assert [each["Principal"] for each in allowed["Statement"]] == [{"Service": "events.amazonaws.com"}]


def test_a_second_plan_is_empty(team, first):
    assert team.plan(**ENVIRONMENTS).changes == ()


def test_what_is_not_given_is_refused_with_the_place_that_wants_it_and_nothing_else_is_said(team, first):
    with pytest.raises(ToolError, match="terraform plan failed") as raised:
        team.plan(orders={"TABLE": "{custom.orders_tabel}", "TOPIC": "{custom.alerts}"})
    summary, detail, *others = raised.value.facts
    assert summary.startswith("Module output value precondition failed (terraform/outputs.tf:")
    assert "does not give {custom.orders_tabel} for functions/orders/function.toml. " in detail
    assert "for_functions has: alerts, orders_table, orders_table_arn." in detail
    assert [each for each in others if "terraform.log" not in each] == []


def test_a_layer_may_be_the_teams(team, first):
    layer = "arn:aws:lambda:us-east-1:123456789012:layer:theirs:7"
    given = EXAMPLES["outputs.tf"]
    team.custom(outputs=given.replace("value = {", f'value = {{\n    layer = "{layer}"', 1))
    try:
        plan = dataclasses.replace(team, layers=("{custom.layer}",)).plan(**ENVIRONMENTS)
    finally:
        team.custom(outputs=given)
    planned = {
        each["address"]: each["change"]["after"]["layers"]
        for each in plan.document["resource_changes"]
        if each["type"] == "aws_lambda_function"
    }
    assert planned == {f'module.lambda_function["{name}"].aws_lambda_function.this': [layer] for name in ENVIRONMENTS}


def test_a_chain_that_goes_round_is_named(team, first):
    given = EXAMPLES["outputs.tf"]
    team.custom(outputs=given.replace("= aws_sns_topic.alerts.arn", "= aws_cloudwatch_event_target.shipped.arn"))
    try:
        with pytest.raises(ToolError, match="terraform plan failed") as raised:
            team.plan(**ENVIRONMENTS)
    finally:
        team.custom(outputs=given)
    assert "module.custom.output.for_functions" in "\n".join(raised.value.facts)
    assert "Cycle:" in "\n".join(raised.value.facts)

"""What the Terraform sources must and must not say."""

import re
from pathlib import Path

import pytest

TERRAFORM = Path(__file__).parents[2] / "terraform"
BOOTSTRAP = TERRAFORM / "bootstrap"
TEAMS = TERRAFORM / "custom"
MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())
EVENTS_OF_A_BUILD = ["local-exec", "remote-exec", "null_resource", "archive_file", 'data "external"']

SERVICES = {
    "aws_apigatewayv2_": "apigateway",
    "aws_appautoscaling_": "application-autoscaling",
    "aws_cloudformation_stack": "cloudformation",
    "aws_cloudwatch_dashboard": "cloudwatch",
    "aws_cloudwatch_event_": "events",
    "aws_cloudwatch_log_": "logs",
    "aws_cloudwatch_metric_alarm": "cloudwatch",
    "aws_codedeploy_": "codedeploy",
    "aws_dynamodb_": "dynamodb",
    "aws_ecr_": "ecr",
    "aws_iam_role": "iam",
    "aws_kinesis_": "kinesis",
    "aws_lambda_": "lambda",
    "aws_lb_": "elasticloadbalancing",
    "aws_s3_": "s3",
    "aws_scheduler_": "scheduler",
    "aws_sns_": "sns",
    "aws_sqs_": "sqs",
}
"""What the name of a resource begins with, and the service in whose name IAM grants it."""
OF_TERRAFORM = {"terraform_data"}
"""In the state only; nobody has to grant it."""

each_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)


def source_of(folder: Path) -> str:
    """Every *.tf of ours below a folder, without comments."""
    texts = (path.read_text("utf-8") for path in sorted(folder.rglob("*.tf")) if TEAMS not in path.parents)
    return "\n".join(re.sub(r"(^|\s)#.*", "", line) for text in texts for line in text.splitlines())


@each_module
def test_a_module_takes_everything_from_its_caller(module):
    blocks = re.findall(r'^\s*(provider|backend|data|import|cloud)\s+("\w+"\s*)*\{', source_of(module), re.MULTILINE)
    assert blocks == []


def test_both_sides_take_the_same_regions():
    from build.rules.values import REGION

    for root in (TERRAFORM, BOOTSTRAP):
        (pattern,) = re.findall(r'regex\("\^(.+)\$", var\.region\)', (root / "variables.tf").read_text("utf-8"))
        assert pattern == REGION


def test_both_sides_take_the_same_repositories_of_github():
    from build.rules.values import GITHUB_REPOSITORY

    (pattern,) = re.findall(r'regex\("\^(.+)\$", var\.github\.repo', (BOOTSTRAP / "variables.tf").read_text("utf-8"))
    assert pattern == GITHUB_REPOSITORY


def test_a_deploy_may_make_every_kind_of_resource_that_modules_make():
    kinds = set(re.findall(r'^resource "(\w+)"', "".join(map(source_of, MODULES)), re.MULTILINE)) - OF_TERRAFORM
    services = {kind: next((s for start, s in SERVICES.items() if kind.startswith(start)), "?") for kind in kinds}
    granted = set(re.findall(r'"([\w-]+):\w+"', (BOOTSTRAP / "roles.tf").read_text("utf-8")))
    unknown = {kind: service for kind, service in services.items() if service not in granted}
    assert unknown == {}, "grant them in terraform/bootstrap/roles.tf, and name their service in SERVICES"


def test_terraform_never_builds():
    assert [word for word in EVENTS_OF_A_BUILD if word in source_of(TERRAFORM)] == []


def test_what_checkov_is_to_skip_has_its_reason_beside_it():
    texts = [path.read_text("utf-8") for path in TERRAFORM.rglob("*.tf") if TEAMS not in path.parents]
    skips = [line.strip() for text in texts for line in text.splitlines() if "checkov:skip" in line]
    assert skips
    assert [line for line in skips if not re.fullmatch(r"# checkov:skip=CKV2?_AWS_\d+: \w\S*( \S+){3,}", line)] == []
    assert "skip-check" not in (TERRAFORM / ".checkov.yaml").read_text("utf-8")


@each_module
def test_a_module_bounds_versions_from_below_and_leaves_the_lock_to_the_root(module):
    assert re.findall(r'version\s*=\s*"([^"]+)"', (module / "versions.tf").read_text()) == [">= 1.10", ">= 5.80"]
    assert not (module / ".terraform.lock.hcl").exists()


@each_module
def test_a_module_has_few_described_variables_in_order(module):
    blocks = re.findall(
        r'^variable "(\w+)" \{\n(.*?)^\}', (module / "variables.tf").read_text(), re.MULTILINE | re.DOTALL
    )
    names = [name for name, _ in blocks]
    assert names == sorted(names)
    assert len(names) <= 12
    assert [name for name, body in blocks if "description =" not in body or "type " not in body] == []
    assert [name for name, body in blocks if "nullable " not in body and not re.search(r"default\s+= null", body)] == []


@pytest.mark.parametrize("folder", [*MODULES, TERRAFORM, BOOTSTRAP], ids=lambda path: path.name)
def test_every_validated_variable_has_a_test_that_breaks_it(folder):
    texts = "\n".join(path.read_text("utf-8") for path in folder.glob("*.tf"))
    validated = {
        name
        for name, body in re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', texts, re.MULTILINE | re.DOTALL)
        if "validation {" in body
    }
    tests = "\n".join(path.read_text("utf-8") for path in (folder / "tests").glob("*.tftest.hcl"))
    broken = set(re.findall(r"var\.(\w+)", " ".join(re.findall(r"expect_failures = \[(.*?)\]", tests, re.DOTALL))))
    assert validated - broken == set()


@pytest.mark.parametrize("env", ["local", "dev", "prod"])
def test_an_env_sets_only_what_is_for_operators(env):
    declared = set(re.findall(r'^variable "(\w+)"', (TERRAFORM / "operations.tf").read_text(), re.MULTILINE))
    assert set(re.findall(r"^(\w+)\s*=", (TERRAFORM / "envs" / f"{env}.tfvars").read_text(), re.MULTILINE)) <= declared


@pytest.mark.parametrize("env", ["local", "dev", "prod"])
def test_the_state_of_an_env_is_locked_and_shared_with_no_other(env):
    settings = dict(
        re.findall(r"^(\w+)\s*=\s*(.+)$", (TERRAFORM / "envs" / f"{env}.s3.tfbackend").read_text(), re.MULTILINE)
    )
    assert settings["use_lockfile"] == "true"
    assert f"-{env}-" in settings["bucket"]
    assert f"/{env}." in settings["key"]
    assert settings.get("encrypt") == ("true" if env != "local" else None)


@pytest.mark.parametrize("root", [TERRAFORM, BOOTSTRAP], ids=lambda path: path.name)
def test_the_lock_covers_every_platform_of_the_pinned_provider(root):
    (lock,) = re.findall(  # a team may have added providers of its own
        r'^provider "registry.terraform.io/hashicorp/aws" \{.*?^\}',
        (root / ".terraform.lock.hcl").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    pinned = re.search(r'version\s*=\s*"([\d.]+)"', (root / "versions.tf").read_text())
    assert pinned
    assert re.findall(r'version\s*=\s*"([^"]+)"', lock) == [pinned[1]]
    assert (len(re.findall('"h1:', lock)), len(re.findall('"zh:[0-9a-f]{64}"', lock))) == (1, 15)

"""The role's policy that Terraform composes is what `invoke permissions` and the quota of policies take it for."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from build.checks.limits import policy_chars
from build.checks.statements import statements_of
from build.digest import Digest
from build.model import FunctionSpec, Workspace
from build.options import Asynchronous, Options, Permission, Secret
from build.project.discovery import discover
from build.release.handoff import handoff_of
from build.results import PublishedArtifact
from build.triggers import QueueTrigger, StreamTrigger, Triggers
from tests.artifacts import make_artifact
from tests.builders import function_spec, write_files
from tests.terraform.conftest import ROOT, Copy

pytestmark = pytest.mark.slow

GOLDEN = ROOT / "tests" / "golden"
CODE = Digest.of_bytes(b"")
HERE = "us-east-1:123456789012"

SUITE = """
mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_s3_object" {
    defaults = { checksum_sha256 = "%s" }
  }
}

run "plan" {
  command = plan
}
"""


def workspace(root: Path) -> Workspace:
    """Return the example with everything filled in, and functions with what it has not."""
    files = {
        "slipway.toml": (GOLDEN / "slipway.toml").read_text("utf-8"),
        "functions/orders/function.toml": (GOLDEN / "orders.toml").read_text("utf-8"),
        "functions/orders/src/app.py": "",
        "functions/greeting/function.toml": 'description = "Says hello"',
        "functions/greeting/src/app.py": "",
        "layers/data/layer.toml": 'description = "x"\nruntimes = ["python3.13"]\narchitectures = ["x86_64", "arm64"]',
    }
    example = discover(write_files(root, files), "local")
    return replace(example, functions=(*example.functions, _sender(root), _reader(root)))


def _sender(root: Path) -> FunctionSpec:
    options = Options(
        asynchronous=Asynchronous(
            on_failure=f"arn:aws:sns:{HERE}:given-up", on_success=f"arn:aws:events:{HERE}:event-bus/answers"
        ),
        dead_letter_arn=f"arn:aws:sqs:{HERE}:given-up",
        secrets={
            "BB": Secret(arn=f"arn:aws:ssm:{HERE}:parameter/b"),
            "AA": Secret(arn=f"arn:aws:ssm:{HERE}:parameter/a"),
        },
        kms_key_arn=f"arn:aws:kms:{HERE}:key/1",
        permissions=(Permission(actions=("s3:GetObject",), resources=("arn:aws:s3:::x/y", "arn:aws:s3:::x/${aws:z}")),),
    )
    return replace(function_spec(root / "functions/sender"), options=options)


def _reader(root: Path) -> FunctionSpec:
    streams = (
        StreamTrigger(name="b", source="kinesis", arn=f"arn:aws:kinesis:{HERE}:stream/x", on_failure="arn:aws:s3:::x"),
        StreamTrigger(name="a", source="kinesis", on_failure=f"arn:aws:sns:{HERE}:given-up"),
        StreamTrigger(name="c", source="dynamodb", arn=f"arn:aws:dynamodb:{HERE}:table/x/stream/2030"),
    )
    queues = (QueueTrigger(name="z", fifo=True), QueueTrigger(name="y", arn=f"arn:aws:sqs:{HERE}:x.fifo"))
    options = Options(asynchronous=Asynchronous(on_failure=f"arn:aws:lambda:{HERE}:function:x"))
    spec = replace(function_spec(root / "functions/reader"), options=options)
    return replace(spec, triggers=Triggers(queue=queues, stream=streams))


def planned(copy: Copy, made: Workspace) -> dict[str, str]:
    """Return the policy of each function's role, as Terraform plans it."""
    artifacts = []
    for spec in made.specs:
        artifact = make_artifact(made.root / f"{spec.name}.zip", spec.identity)
        location = f"{spec.identity}/{CODE.hex}.zip"
        artifacts.append(PublishedArtifact(artifact=replace(artifact, digest=CODE), location=location, uploaded=False))
    suite = copy.root / "terraform" / "tests" / "statements"
    write_files(
        suite,
        {
            "statements.tftest.hcl": SUITE % CODE.base64,
            "handoff.tfvars.json": json.dumps(handoff_of(made, artifacts)),
        },
    )
    done = copy.terraform(
        ["test", "-json", "-verbose", "-test-directory=tests/statements", f"-var-file={suite}/handoff.tfvars.json"]
    )
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [message["diagnostic"] for message in messages if message["type"] == "diagnostic"] == []
    (plan,) = [message["test_plan"] for message in messages if message["type"] == "test_plan"]
    return {
        change["address"].split('"')[1]: change["change"]["after"]["policy"]
        for change in plan["resource_changes"]
        if change["address"].startswith("module.execution_role[") and change["type"] == "aws_iam_role_policy"
    }


def test_every_statement_that_terraform_composes_is_known_here(copy, tmp_path):
    made = workspace(tmp_path)
    policies = planned(copy, made)
    assert sorted(policies) == sorted(spec.name for spec in made.functions)
    for spec in made.functions:
        own = [
            {"Effect": "Allow", "Action": list(each.actions), "Resource": [made.filled(arn) for arn in each.resources]}
            for each in spec.options.permissions
        ]
        expected = [each.as_json() for each in statements_of(spec, made)] + own
        assert json.loads(policies[spec.name])["Statement"] == expected
        assert policy_chars(spec, made) == len(policies[spec.name])

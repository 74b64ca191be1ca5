from dataclasses import replace
from pathlib import Path

import pytest

from build.checks import check, provider
from build.checks.limits import ADDED_ENVIRONMENT_BYTES, environment_bytes, policy_chars
from build.http import HttpTrigger
from build.model import Architecture, Build, Finding, FunctionSpec, Runtime, Severity, Target, Workspace
from build.options import Options, Permission, Secret
from build.rules import quotas
from build.store.objects import Store
from build.triggers import QueueTrigger, Triggers
from tests.builders import function_spec, layer_spec, make_workspace, write_files

X86 = Architecture.X86_64
NOTHING = Build(functions={}, layers={})
MB = 1_000_000


def function(root: Path, *, layers: tuple[str, ...] = ()) -> FunctionSpec:
    write_files(root / "functions/f", {"src/app.py": "def handler(event, context): ...\n"})
    return function_spec(root / "functions/f", layers=layers)


def found(workspace: Workspace, build: Build = NOTHING) -> tuple[Finding, ...]:
    findings = check(workspace, build, Store(workspace.generated / "store"))
    assert all("`invoke" in finding.hint for finding in findings)
    return findings


def only(workspace: Workspace, build: Build = NOTHING) -> Finding:
    (finding,) = found(workspace, build)
    return finding


def of_one(spec: FunctionSpec) -> Workspace:
    return make_workspace(spec.folder.parent.parent, functions=(spec,))


def test_a_function_in_order_has_no_findings(tmp_path):
    assert found(of_one(function(tmp_path)), Build(functions={}, layers={})) == ()


@pytest.mark.parametrize(("minor", "rules"), [(13, []), (14, ["runtime-provider"] * 2)])
def test_a_runtime_that_the_terraform_provider_refuses_is_a_warning(tmp_path, minor, rules):
    spec = replace(function(tmp_path), target=Target(Runtime(minor), X86))
    layer = layer_spec(write_files(tmp_path / "layers/data", {}), runtimes=(Runtime(12), Runtime(minor)))
    findings = found(make_workspace(tmp_path, functions=(spec,), layers=(layer,)))
    assert [finding.rule for finding in findings] == rules
    assert all(f"got python3.{minor}:" in finding.message for finding in findings)
    assert all(finding.severity is Severity.WARNING for finding in findings)


def test_the_runtimes_were_measured_with_the_provider_that_is_pinned():
    """If this fails: ask the new provider for python3.14 by `terraform validate`, then set both constants."""
    versions = Path(__file__).parents[2] / "terraform" / "versions.tf"
    assert f'version = "{provider.PROVIDER}"' in versions.read_text("utf-8")


def test_six_layers_are_one_too_many(tmp_path):
    spec = function(tmp_path, layers=tuple(f"l{n}" for n in range(6)))
    assert only(of_one(spec)).message == "expected at most 5 layers, got 6: l0, l1, l2, l3, l4, l5"
    assert found(of_one(replace(spec, layers=spec.layers[:5]))) == ()
    assert only(of_one(replace(spec, layers=(*spec.layers[:5], "{custom.layer}")))).message.endswith("{custom.layer}")


def test_environment_variables_count_as_the_json_that_lambda_measures(tmp_path):
    spec = replace(function(tmp_path), environment={"AA": 'é"', "BB": "{env}"})
    assert environment_bytes(spec, of_one(spec)) == len('{"AA":"é\\"","BB":"{env}"}'.encode())


def test_the_arns_of_secrets_count_as_the_environment_variables_they_are(tmp_path):
    secrets = {"TOKEN": Secret(arn="arn:aws:ssm:{region}:{account}:parameter/x")}
    spec = replace(function(tmp_path), options=Options(secrets=secrets))
    filled = '{"TOKEN":"arn:aws:ssm:eu-central-1:123456789012:parameter/x"}'
    assert environment_bytes(spec, of_one(spec)) == len(filled)


def test_too_many_environment_variables_name_the_largest(tmp_path):
    room = quotas.ENVIRONMENT_BYTES - ADDED_ENVIRONMENT_BYTES - len('{"BIG":""}')
    spec = function(tmp_path)
    assert found(of_one(replace(spec, environment={"BIG": "x" * room}))) == ()
    finding = only(of_one(replace(spec, environment={"BIG": "x" * (room + 1)})))
    assert (finding.rule, finding.severity) == ("environment-size", Severity.ERROR)
    assert finding.message == (
        "expected at most 3840 bytes of environment variables (4096 less 256 for Slipway's own), got 3841; "
        "the largest is BIG"
    )


def permission(resources: int) -> Permission:
    arns = tuple(f"arn:aws:dynamodb:{{region}}:{{account}}:table/orders-{n:04}" for n in range(resources))
    return Permission(actions=("dynamodb:PutItem",), resources=arns, reason=None)


def test_a_role_policy_counts_with_its_placeholders_filled_in(tmp_path):
    few, more = (replace(function(tmp_path), options=Options(permissions=(permission(n),))) for n in (1, 2))
    grown = policy_chars(more, of_one(more)) - policy_chars(few, of_one(few))
    assert grown == len(',"arn:aws:dynamodb:eu-central-1:123456789012:table/orders-0001"')


def test_what_slipway_grants_by_itself_counts(tmp_path):
    bare = function(tmp_path)
    traced = replace(bare, options=Options(tracing=True))
    added = ',{"Effect":"Allow","Action":["xray:PutTelemetryRecords","xray:PutTraceSegments"],"Resource":["*"]}'
    assert policy_chars(traced, of_one(traced)) - policy_chars(bare, of_one(bare)) == len(added)


def test_a_role_policy_larger_than_iam_stores_is_told(tmp_path):
    spec = function(tmp_path)
    assert found(of_one(replace(spec, options=Options(permissions=(permission(150),))))) == ()
    finding = only(of_one(replace(spec, options=Options(permissions=(permission(170),)))))
    assert (finding.rule, finding.severity) == ("policy-size", Severity.ERROR)
    assert finding.message.startswith("expected at most 10240 characters of role policy, got 1")


def test_a_function_behind_http_should_not_outlast_its_caller(tmp_path):
    spec = replace(function(tmp_path), triggers=Triggers(http=(HttpTrigger(route="GET /"),)), timeout_s=30)
    assert found(of_one(spec)) == ()
    finding = only(of_one(replace(spec, timeout_s=31)))
    assert (finding.rule, finding.severity) == ("http-timeout", Severity.WARNING)
    assert found(of_one(replace(spec, timeout_s=31, triggers=Triggers()))) == ()


@pytest.mark.parametrize(("reserved", "findings"), [(None, 0), (4, 0), (3, 1)])
def test_queues_should_not_start_more_invokes_than_are_reserved(tmp_path, reserved, findings):
    triggers = Triggers(queue=tuple(QueueTrigger(name=name, max_concurrency=2) for name in "ab"))
    spec = replace(function(tmp_path), triggers=triggers, reserved_concurrency=reserved)
    assert [finding.rule for finding in found(of_one(spec))] == ["queue-concurrency"] * findings


def test_errors_come_before_warnings(tmp_path):
    spec = function(tmp_path, layers=tuple(f"l{n}" for n in range(6)))
    spec = replace(spec, triggers=Triggers(http=(HttpTrigger(route="GET /"),)), timeout_s=900)
    assert [finding.severity for finding in found(of_one(spec))] == [Severity.ERROR, Severity.WARNING]

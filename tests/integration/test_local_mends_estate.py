"""The mends for what surrounds functions, each twice: see test_local_mends.py."""

import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from build.local import mends

pytestmark = pytest.mark.slow

ACCOUNT = "arn:aws:{}:us-east-1:123456789012"
QUEUE = ACCOUNT.format("sqs") + ":failures"
TARGET = {
    "ServiceNamespace": "lambda",
    "ResourceId": "function:orders:live",
    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
}


@dataclass(frozen=True, slots=True)
class Moto:
    """An empty cloud, plain or mended."""

    endpoint: str
    is_mended: bool

    def client(self, service: str) -> Any:
        session = boto3.session.Session("testing", "testing", region_name="us-east-1")
        once = Config(retries={"total_max_attempts": 1})
        return session.client(service, endpoint_url=self.endpoint, config=once)

    def compare(self, wanted: object, ask: Any, mend: str) -> None:
        """Require the answer ``wanted`` of mended moto, and another or none of plain moto."""
        if self.is_mended:
            assert ask() == wanted
            return
        try:
            got = ask()
        except ClientError:
            return
        assert got != wanted, f"moto fixed this: delete the mend {mend}"


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "mended"])
def server(request):
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    with ExitStack() as stack:
        if request.param:
            stack.enter_context(mends.installed())
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        yield Moto(f"http://{host}:{port}", request.param)


@pytest.fixture
def moto(server):
    urllib.request.urlopen(urllib.request.Request(f"{server.endpoint}/moto-api/reset", method="POST")).close()
    return server


def functions_of(moto: Moto, **settings: Any) -> Any:
    """Make the function orders with the alias live; return Lambda's client."""
    role = moto.client("iam").create_role(RoleName="role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    functions = moto.client("lambda")
    functions.create_function(
        FunctionName="orders",
        Role=role,
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": b"PK\5\6" + bytes(18)},
        Publish=True,
        **settings,
    )
    functions.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    return functions


FILES = [
    {"Arn": ACCOUNT.format("elasticfilesystem") + ":access-point/fsap-0a1b2c3d4e5f6a7b8", "LocalMountPath": "/mnt/x"}
]


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("DeadLetterConfig", {"TargetArn": QUEUE}, {"TargetArn": QUEUE}),
        ("FileSystemConfigs", FILES, FILES),
        ("SnapStart", {"ApplyOn": "PublishedVersions"}, {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}),
    ],
)
def test_a_setting_is_given_back(moto, name, given, told):
    functions = functions_of(moto, **{name: given})
    moto.compare(
        told,
        lambda: functions.get_function_configuration(FunctionName="orders", Qualifier="1").get(name),
        "keep_whole_configuration",
    )


@pytest.mark.parametrize(
    ("name", "first", "then", "told"),
    [
        ("DeadLetterConfig", {"TargetArn": QUEUE}, {"TargetArn": ""}, None),
        ("DeadLetterConfig", {}, {"TargetArn": QUEUE}, {"TargetArn": QUEUE}),
        ("FileSystemConfigs", FILES, [], None),
        (
            "SnapStart",
            {"ApplyOn": "None"},
            {"ApplyOn": "PublishedVersions"},
            {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"},
        ),
    ],
)
def test_a_setting_can_be_changed_and_taken_away(moto, name, first, then, told):
    if not moto.is_mended:
        pytest.skip("plain moto has none to change: the test before says so")
    functions = functions_of(moto, **{name: first})
    functions.update_function_configuration(FunctionName="orders", **{name: then})
    functions.update_function_configuration(FunctionName="orders", MemorySize=256)
    assert functions.get_function_configuration(FunctionName="orders").get(name) == told


def test_an_alias_and_its_function_have_event_invoke_configs_of_their_own_that_change(moto):
    functions = functions_of(moto)
    alias = {"FunctionName": "orders", "Qualifier": "live"}
    functions.put_function_event_invoke_config(FunctionName="orders", MaximumRetryAttempts=2)
    functions.put_function_event_invoke_config(**alias, MaximumRetryAttempts=1)
    functions.put_function_event_invoke_config(**alias, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60)
    names = ("FunctionArn", "MaximumRetryAttempts", "MaximumEventAgeInSeconds")

    def told(**of: str) -> list[Any]:
        return [functions.get_function_event_invoke_config(**of).get(name) for name in names]

    arn = ACCOUNT.format("lambda") + ":function:orders"
    mend = "tell_event_invoke_configs_apart"
    moto.compare([f"{arn}:live", 0, 60], lambda: told(**alias), mend)
    moto.compare([f"{arn}:$LATEST", 2, None], lambda: told(FunctionName="orders"), mend)
    if moto.is_mended:
        functions.delete_function_event_invoke_config(**alias)
        with pytest.raises(functions.exceptions.ResourceNotFoundException):
            told(**alias)
        assert told(FunctionName="orders")[1] == 2


def test_an_alias_is_changed_only_by_who_has_seen_its_last_revision(moto):
    functions = functions_of(moto)
    alias = {"FunctionName": "orders", "Name": "live"}
    seen = functions.get_alias(**alias)["RevisionId"]
    changed = functions.update_alias(**alias, Description="first", RevisionId=seen)["RevisionId"]

    def change() -> str:
        try:
            functions.update_alias(**alias, Description="second", RevisionId=seen)
        except ClientError as refused:
            return str(refused.response["Error"]["Code"])
        return "taken"

    moto.compare("PreconditionFailedException", change, "revise_aliases")
    if moto.is_mended:
        assert functions.get_alias(**alias)["Description"] == "first"
        functions.update_alias(**alias, Description="third", RevisionId=changed)


def test_an_alias_keeps_its_provisioned_concurrency_until_it_is_deleted(moto):
    functions = functions_of(moto)
    alias = {"FunctionName": "orders", "Qualifier": "live"}

    def put() -> tuple[int, str]:
        answer = functions.put_provisioned_concurrency_config(**alias, ProvisionedConcurrentExecutions=3)
        return answer["RequestedProvisionedConcurrentExecutions"], answer["Status"]

    moto.compare((3, "READY"), put, "keep_provisioned_concurrency")
    if not moto.is_mended:
        return
    got = functions.get_provisioned_concurrency_config(**alias)
    assert (got["AllocatedProvisionedConcurrentExecutions"], got["Status"]) == (3, "READY")
    (listed,) = functions.list_provisioned_concurrency_configs(FunctionName="orders")["ProvisionedConcurrencyConfigs"]
    assert listed["FunctionArn"].endswith(":function:orders:live")
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_provisioned_concurrency_config(FunctionName="orders", Qualifier="dead")
    functions.delete_provisioned_concurrency_config(**alias)
    with pytest.raises(functions.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        functions.get_provisioned_concurrency_config(**alias)


def test_whose_signatures_code_must_have_can_be_changed(moto):
    functions = functions_of(moto)
    arn = ACCOUNT.format("lambda") + ":code-signing-config:csc-0123456789abcdef0"

    def put() -> str:
        functions.put_function_code_signing_config(FunctionName="orders", CodeSigningConfigArn=arn)
        answer: str = functions.get_function_code_signing_config(FunctionName="orders")["CodeSigningConfigArn"]
        return answer

    moto.compare(arn, put, "change_code_signing")
    if moto.is_mended:
        functions.delete_function_code_signing_config(FunctionName="orders")
        assert not functions.get_function_code_signing_config(FunctionName="orders").get("CodeSigningConfigArn")


def test_a_statement_of_a_policy_is_not_taken_twice(moto):
    functions = functions_of(moto)

    def add(**of: str) -> str:
        try:
            functions.add_permission(
                FunctionName="orders", StatementId="s", Action="lambda:InvokeFunction", Principal="*", **of
            )
        except ClientError as refused:
            return str(refused.response["Error"]["Code"])
        return "taken"

    assert add(Qualifier="live") == "taken"
    moto.compare("ResourceConflictException", lambda: add(Qualifier="live"), "refuse_statements_twice")
    assert add() == "taken"
    moto.compare("ResourceConflictException", add, "refuse_statements_twice")
    functions.remove_permission(FunctionName="orders", StatementId="s")


def test_a_function_url_can_be_changed_as_a_whole(moto):
    functions = functions_of(moto)
    functions.create_function_url_config(FunctionName="orders", AuthType="NONE", Cors={"AllowOrigins": ["*"]})
    functions.update_function_url_config(FunctionName="orders", InvokeMode="RESPONSE_STREAM", Cors={})

    def told() -> tuple[str, object]:
        got = functions.get_function_url_config(FunctionName="orders")
        return got["InvokeMode"], got.get("Cors")

    moto.compare(("RESPONSE_STREAM", None), told, "update_whole_url")


def test_a_function_url_is_that_of_an_alias(moto):
    functions = functions_of(moto)
    functions.create_function_url_config(FunctionName="orders", AuthType="NONE", Qualifier="live")

    def told() -> bool:
        return bool(functions.get_function_url_config(FunctionName="orders")["FunctionArn"].endswith(":live"))

    moto.compare(True, told, "keep_aliases_of_urls")


def test_a_domain_name_becomes_available_and_can_get_another_certificate(moto):
    gateway = moto.client("apigatewayv2")
    first, second = ({"CertificateArn": ACCOUNT.format("acm") + f":certificate/{n}"} for n in range(2))
    gateway.create_domain_name(DomainName="api.example.com", DomainNameConfigurations=[first])

    def told() -> tuple[Any, ...]:
        got = gateway.get_domain_name(DomainName="api.example.com")
        (configuration,) = got["DomainNameConfigurations"]
        names = ("DomainNameStatus", "HostedZoneId", "CertificateArn")
        return *(configuration.get(name) for name in names), "MutualTlsAuthentication" in got

    zone = "Z1UJRXOUMOFQ8"
    moto.compare(("AVAILABLE", zone, first["CertificateArn"], False), told, "finish_domain_names")
    if moto.is_mended:
        gateway.update_domain_name(DomainName="api.example.com", DomainNameConfigurations=[second])
        assert told() == ("AVAILABLE", zone, second["CertificateArn"], False)


def test_the_settings_of_a_stage_and_of_its_routes_can_be_changed(moto):
    gateway = moto.client("apigatewayv2")
    stage = {"ApiId": gateway.create_api(Name="orders", ProtocolType="HTTP")["ApiId"], "StageName": "$default"}
    slow, quick = {"ThrottlingBurstLimit": 1}, {"ThrottlingBurstLimit": 9}
    gateway.create_stage(**stage, AutoDeploy=True, RouteSettings={"POST /orders/{id}": slow, "$default": slow})

    def change() -> tuple[Any, ...]:
        gateway.delete_route_settings(**stage, RouteKey="POST /orders/{id}")
        gateway.update_stage(**stage, DefaultRouteSettings=quick, RouteSettings={"GET /orders": quick})
        got = gateway.get_stage(**stage)
        return got["AutoDeploy"], got["DefaultRouteSettings"], got["RouteSettings"]

    moto.compare((True, quick, {"$default": slow, "GET /orders": quick}), change, "change_stages")


def test_a_stream_has_the_tags_it_was_made_with(moto):
    kinesis = moto.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1, Tags={"team": "shop"})
    moto.compare(
        [{"Key": "team", "Value": "shop"}],
        lambda: kinesis.list_tags_for_stream(StreamName="clicks")["Tags"],
        "tag_new_streams",
    )


def test_a_scalable_target_has_tags_that_can_be_changed(moto):
    functions_of(moto)
    scaling = moto.client("application-autoscaling")
    made = scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=2, Tags={"team": "shop"})

    def told() -> dict[str, str]:
        tags: dict[str, str] = scaling.list_tags_for_resource(ResourceARN=made["ScalableTargetARN"])["Tags"]
        return tags

    moto.compare({"team": "shop"}, told, "tag_scalable_targets")
    if moto.is_mended:
        scaling.tag_resource(ResourceARN=made["ScalableTargetARN"], Tags={"env": "local"})
        scaling.untag_resource(ResourceARN=made["ScalableTargetARN"], TagKeys=["team"])
        assert told() == {"env": "local"}


def test_a_schedule_is_updated_as_a_whole(moto):
    scheduler = moto.client("scheduler")
    role = "arn:aws:iam::123456789012:role/schedule"
    settings = {"Name": "once", "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}}
    settings["Target"] = {"Arn": QUEUE, "RoleArn": role}
    scheduler.create_schedule(**settings)
    scheduler.update_schedule(**settings, ActionAfterCompletion="DELETE")
    moto.compare(
        ["ENABLED", "DELETE"],
        lambda: [scheduler.get_schedule(Name="once").get(name) for name in ("State", "ActionAfterCompletion")],
        "update_whole_schedules",
    )

"""Shifts that CodeDeploy makes, against moto as it is mended: a deployment goes on whenever it is looked at."""

import json
from functools import partial
from types import SimpleNamespace

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from build.errors import AwsError
from build.local import alias_mends, codedeploy_mends, lambda_mends, mends
from build.options import Shifting
from build.release.codedeploy import CodeDeploy, app_spec
from build.release.schedule import Move, Smoke, levels_of
from build.release.shifting import Shift
from build.release.watching import WentWrong
from build.results import DeployedFunction, DeploymentGroup
from tests.aws import client_of, create_alarm, create_function, set_alarm

CANARY = Shifting(strategy="canary", by="codedeploy")
MENDS = [
    lambda_mends.never_reuse_version_numbers,
    alias_mends.revise_aliases,
    codedeploy_mends.change_deployment_groups,
    codedeploy_mends.begin_deployments,
    codedeploy_mends.shift_callers,
    codedeploy_mends.stop_deployments,
]


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(mends, "MENDS", MENDS)
    with mock_aws(config={"lambda": {"use_docker": False}}), mends.installed():
        client_of("codedeploy").create_application(applicationName="shop", computePlatform="Lambda")
        for name in ("orders", "stock"):
            create_function(f"shop-{name}", versions=3)
            create_alarm(f"shop-{name}-errors")
            client_of("codedeploy").create_deployment_group(
                applicationName="shop",
                deploymentGroupName=f"shop-{name}",
                deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes",
                serviceRoleArn="arn:aws:iam::123456789012:role/shop.codedeploy",
                alarmConfiguration={"enabled": True, "alarms": [{"name": f"shop-{name}-errors"}]},
            )
        yield


class Clock:
    """Does what is planned for a moment when it comes."""

    def __init__(self, plan=None):
        self.plan = dict(plan or {})
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        for at in sorted(at for at in self.plan if at <= self.now - 1000):
            self.plan.pop(at)()


def share(name):
    found = client_of("lambda").get_alias(FunctionName=f"shop-{name}", Name="live")
    weights = (found.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
    return (found["FunctionVersion"], weights) if weights else found["FunctionVersion"]


def move(name="orders", shifting=CANARY, *, after="2", hooks=None, by_us=False, smoke=None):
    function = DeployedFunction(
        name=name, function_name=f"shop-{name}", arn="", version=after, log_group="", queue_urls={}
    )
    revision = client_of("lambda").get_alias(FunctionName=f"shop-{name}", Name="live")["RevisionId"]
    group = None if by_us else DeploymentGroup(application="shop", name=f"shop-{name}", hooks=hooks or {})
    alarms = (f"shop-{name}-errors",)
    return Move(
        function=function,
        before="1",
        after=after,
        revision=revision,
        shifting=shifting,
        alarms=alarms,
        group=group,
        smoke=smoke,
    )


def shift(*moves, clock=None, said=None, client=None):
    way = Shift(
        env="prod",
        functions=client_of("lambda"),
        invoker=lambda: pytest.fail("there was nothing to ask"),
        cloudwatch=partial(client_of, "cloudwatch"),
        codedeploy=lambda: client or client_of("codedeploy"),
        on_progress=said.append if said is not None else print,
        clock=clock or Clock(),
    )
    way.run(moves)


def deployments(status=None):
    codedeploy = client_of("codedeploy")
    found = codedeploy.list_deployments(**({"includeOnlyStatuses": [status]} if status else {}))["deployments"]
    return [codedeploy.get_deployment(deploymentId=each)["deploymentInfo"] for each in found]


def way():
    return CodeDeploy(client=client_of("codedeploy"), clock=Clock(), say=print)


def test_codedeploy_brings_everybody_and_we_move_nothing(monkeypatch):
    monkeypatch.setattr(client_of("lambda"), "update_alias", lambda **_: pytest.fail("moved by us"))
    said: list[str] = []
    clock = Clock()
    shift(move(), clock=clock, said=said)
    (done,) = deployments()
    assert (share("orders"), done["status"], clock.now) == ("2", "Succeeded", 1010)
    identity = done["deploymentId"]
    assert [line for line in said if identity in line and "watching" not in line] == [
        f"orders:live: {identity}: AllowTraffic InProgress",
        f"orders:live: {identity}: AllowTraffic Succeeded",
    ]


def test_it_is_told_both_versions_the_alias_and_whom_to_ask():
    hooks = {"BeforeAllowTraffic": "shop-checks", "AfterAllowTraffic": "shop-totals"}
    assert json.loads(app_spec(move(hooks=hooks))) == {
        "version": 0.0,
        "Resources": [
            {
                "orders": {
                    "Type": "AWS::Lambda::Function",
                    "Properties": {
                        "Name": "shop-orders",
                        "Alias": "live",
                        "CurrentVersion": "1",
                        "TargetVersion": "2",
                    },
                }
            }
        ],
        "Hooks": [{"BeforeAllowTraffic": "shop-checks"}, {"AfterAllowTraffic": "shop-totals"}],
    }


def test_a_hook_decides_before_anybody_comes(monkeypatch):
    from moto.awslambda.models import LambdaFunction

    asked = []

    def invoked(self, event):
        asked.append((self.function_name, share("orders")))
        client_of("codedeploy").put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status="Failed",
        )

    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", invoked)
    with pytest.raises(WentWrong) as caught:
        shift(move(hooks={"BeforeAllowTraffic": "shop-stock"}))
    assert (asked, share("orders")) == ([("shop-stock", "1")], "1")
    (done,) = deployments("Failed")
    failed = f"orders:live: {done['deploymentId']} Failed: HOOK_EXECUTION_FAILURE: The hook of BeforeAllowTraffic"
    assert caught.value.facts == (f"{failed} said that it failed",)
    assert (caught.value.why, caught.value.function) == (
        "CodeDeploy did not bring everybody to the new version",
        "orders",
    )


def test_a_deployment_that_an_alarm_ends_takes_back_what_else_moved():
    later = move("stock", Shifting(after=("orders",), by="codedeploy", strategy="canary"))
    # CodeDeploy is the first to see it: we watch nothing that is off before.
    set_alarm("shop-stock-errors", "ALARM")
    with pytest.raises(WentWrong) as caught:
        shift(later, move(by_us=True, shifting=Shifting()))
    assert (share("orders"), share("stock")) == ("1", "1")
    assert [each.name for each in caught.value.moved] == ["orders", "stock"]
    assert "ALARM_ACTIVE: One or more alarms have been activated: shop-stock-errors" in caught.value.facts[0]


def test_what_codedeploy_has_finished_goes_back_by_our_own_hand():
    clock = Clock({100: lambda: set_alarm("shop-orders-errors", "ALARM")})
    with pytest.raises(WentWrong, match="alarms went off"):
        shift(move(shifting=Shifting(by="codedeploy", watch_minutes=10)), clock=clock)
    assert share("orders") == "1"
    assert [each["status"] for each in deployments()] == ["Succeeded"]


def test_an_interruption_stops_the_deployment_and_takes_all_back():
    def interrupted():
        assert share("orders") == ("1", {"2": 0.1})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shift(move(), move("stock", Shifting(), by_us=True), clock=Clock({10: interrupted}))
    assert (share("orders"), share("stock")) == ("1", "1")
    assert [each["status"] for each in deployments()] == ["Stopped"]


def test_a_deployment_whose_answer_was_cut_off_is_stopped_as_well(monkeypatch):
    client = client_of("codedeploy")
    create = client.create_deployment

    def cut_off(**asked):
        create(**asked)
        raise KeyboardInterrupt

    monkeypatch.setattr(client, "create_deployment", cut_off)
    with pytest.raises(KeyboardInterrupt):
        shift(move())
    assert (share("orders"), [each["status"] for each in deployments()]) == ("1", ["Stopped"])


def test_a_deploy_that_was_killed_is_gone_on_with_and_not_begun_again():
    killed = way().begin(move())
    shift(move())
    assert share("orders") == "2"
    assert [each["deploymentId"] for each in deployments()] == [killed.identity]


def test_a_deployment_to_another_version_is_not_touched_and_named():
    other = way().begin(move(after="3"))
    with pytest.raises(AwsError, match="CodeDeploy shifts its callers already") as caught:
        shift(move())
    assert caught.value.facts == (f"expected no deployment going on, got {other.identity}, by user",)
    assert f"`aws deploy stop-deployment --deployment-id {other.identity} --auto-rollback-enabled`" in caught.value.hint
    assert [each["status"] for each in deployments()] == ["InProgress"]


def test_what_codedeploy_refuses_moves_nobody():
    client_of("codedeploy").delete_application(applicationName="shop")
    client_of("codedeploy").delete_deployment_group(applicationName="shop", deploymentGroupName="shop-orders")
    with pytest.raises(AwsError, match="handing orders:live to CodeDeploy failed"):
        shift(move(), move("stock", Shifting(), by_us=True))
    assert (share("orders"), share("stock")) == ("1", "1")


def test_an_alias_that_somebody_else_moves_meanwhile_is_theirs():
    functions = client_of("lambda")

    def meddle():
        functions.update_alias(FunctionName="shop-orders", Name="live", FunctionVersion="3", RoutingConfig={})
        raise KeyboardInterrupt

    class Deaf:
        """CodeDeploy that stops a deployment and leaves the alias."""

        def __getattr__(self, name):
            return getattr(client_of("codedeploy"), name)

        def get_paginator(self, _):
            return SimpleNamespace(paginate=lambda **_: [{"deployments": []}])

    with pytest.raises(AwsError, match="undone but for what AWS refused") as caught:
        shift(move(), clock=Clock({10: meddle}), client=Deaf())
    assert caught.value.facts == ("orders:live: somebody else moved it to version 3",)


def test_what_codedeploy_leaves_half_way_is_taken_back_by_us(monkeypatch):
    monkeypatch.setattr(CodeDeploy, "stop", lambda *_: None)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shift(move(), clock=Clock({10: interrupted}))
    assert share("orders") == "1"


def test_a_level_steps_only_what_is_ours():
    (level,) = levels_of([move(), move("stock", Shifting(strategy="canary", watch_minutes=1), by_us=True)])
    assert [each.name for each in level.handed] == ["orders"]
    assert {each.name for moment in level.moments for each, _ in moment.shares} == {"stock"}
    assert level.end_s == 360
    (alone,) = levels_of([move(shifting=Shifting(by="codedeploy", watch_minutes=5))])
    assert (alone.moments, alone.end_s) == ((), 0)


def test_the_alias_is_asked_once_codedeploy_has_brought_everybody(monkeypatch):
    from build.release import smoke as asking

    asked: list[object] = []
    monkeypatch.setattr(
        asking.Asker, "versions", lambda _, moves: asked.extend(("version", share(m.name)) for m in moves)
    )
    monkeypatch.setattr(asking.Asker, "aliases", lambda _, moves: asked.extend(("live", share(m.name)) for m in moves))
    shift(move(smoke=Smoke(event=b"{}", answer=None)))
    assert asked == [("version", "1"), ("live", "2")]


OURS = {"deploymentId": "d-OURS", "status": "InProgress", "creator": "user"}
BACK = {"deploymentId": "d-BACK", "status": "InProgress", "creator": "codeDeployRollback"}
OTHER = {**OURS, "deploymentId": "d-OTHER", "description": "by hand"}


class TestWhatAwsDoesLater:
    """Moto ends a deployment as soon as it is stopped; AWS says so, and begins another one that takes it back."""

    def stopped(self, *going_on):
        """Stop a move while ``going_on`` is what is found, one after the other; return the seconds it took."""
        one = move()
        ours = {**OURS, "description": f"Slipway: orders from version {one.before} to {one.after}"}
        client = boto3.client("codedeploy")
        clock = Clock()
        with Stubber(client) as stubs:
            asked = False
            for infos in going_on:
                found = [ours if each is OURS else each for each in infos]
                ids = [each["deploymentId"] for each in found]
                stubs.add_response("list_deployments", {"deployments": ids})
                if found:
                    stubs.add_response("batch_get_deployments", {"deploymentsInfo": found}, {"deploymentIds": ids})
                if ours in found and not asked:
                    asked = True
                    given = {"deploymentId": "d-OURS", "autoRollbackEnabled": True}
                    stubs.add_response("stop_deployment", {"status": "Pending"}, given)
            CodeDeploy(client=client, clock=clock, say=print).stop(one)
            stubs.assert_no_pending_responses()
        return clock.now - 1000

    def test_it_is_stopped_once_and_waited_for_until_everybody_is_back(self):
        assert self.stopped([OURS], [OURS, BACK], [BACK], []) == 15

    def test_what_goes_on_of_others_is_not_waited_for(self):
        assert self.stopped([OTHER]) == 0

    def test_what_takes_too_long_is_left_to_us(self):
        assert self.stopped(*[[OURS]] * 61) == 300

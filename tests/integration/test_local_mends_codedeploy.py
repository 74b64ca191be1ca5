"""The mends of CodeDeploy, each twice: see test_local_mends.py."""

import json

import pytest

from tests.integration.test_local_mends_estate import functions_of, moto, server

__all__ = ["moto", "server"]

pytestmark = pytest.mark.slow

GROUP = {"applicationName": "shop", "deploymentGroupName": "orders"}
STEPS = {"type": "TimeBasedLinear", "timeBasedLinear": {"linearPercentage": 40, "linearInterval": 7}}


def group_of(moto, config="CodeDeployDefault.LambdaCanary10Percent5Minutes"):
    """Make an application with one group; return CodeDeploy's client."""
    codedeploy = moto.client("codedeploy")
    codedeploy.create_application(applicationName="shop", computePlatform="Lambda")
    role = "arn:aws:iam::123456789012:role/orders.codedeploy"
    alarms = {"enabled": True, "alarms": [{"name": "orders-errors"}]}
    codedeploy.create_deployment_group(
        **GROUP, serviceRoleArn=role, deploymentConfigName=config, alarmConfiguration=alarms
    )
    return codedeploy


def begun(codedeploy, **hooks):
    """Begin to shift from version 1 to 2; return the deployment's id."""
    properties = {"Name": "orders", "Alias": "live", "CurrentVersion": "1", "TargetVersion": "2"}
    spec = {
        "version": 0.0,
        "Resources": [{"orders": {"Type": "AWS::Lambda::Function", "Properties": properties}}],
        "Hooks": [hooks],
    }
    revision = {"revisionType": "AppSpecContent", "appSpecContent": {"content": json.dumps(spec)}}
    return codedeploy.create_deployment(**GROUP, revision=revision)["deploymentId"]


def two_versions(moto):
    functions = functions_of(moto)
    functions.update_function_configuration(FunctionName="orders", MemorySize=256)
    functions.publish_version(FunctionName="orders")
    return functions


def where(functions):
    alias = functions.get_alias(FunctionName="orders", Name="live")
    return alias["FunctionVersion"], (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}


def test_a_deployment_configuration_is_kept_until_it_is_deleted(moto):
    codedeploy = moto.client("codedeploy")
    name = {"deploymentConfigName": "orders.linear"}

    def made():
        codedeploy.create_deployment_config(**name, computePlatform="Lambda", trafficRoutingConfig=STEPS)
        got = codedeploy.get_deployment_config(**name)["deploymentConfigInfo"]["trafficRoutingConfig"]
        codedeploy.delete_deployment_config(**name)
        return got, codedeploy.list_deployment_configs()["deploymentConfigsList"]

    moto.compare((STEPS, []), made, "keep_deployment_configs")


def test_a_group_gives_its_alarms_back_and_tells_of_nothing_that_it_lacks(moto):
    codedeploy = group_of(moto)

    def told():
        info = codedeploy.get_deployment_group(**GROUP)["deploymentGroupInfo"]
        return [each["name"] for each in info["alarmConfiguration"].get("alarms", ())], "loadBalancerInfo" in info

    moto.compare((["orders-errors"], False), told, "change_deployment_groups")


def test_a_group_can_be_changed_and_deleted(moto):
    codedeploy = group_of(moto)

    def changed():
        names = {"applicationName": "shop", "currentDeploymentGroupName": "orders"}
        codedeploy.update_deployment_group(**names, deploymentConfigName="CodeDeployDefault.LambdaAllAtOnce")
        got = codedeploy.get_deployment_group(**GROUP)["deploymentGroupInfo"]["deploymentConfigName"]
        codedeploy.delete_deployment_group(**GROUP)
        codedeploy.delete_application(applicationName="shop")
        return got, codedeploy.list_applications()["applications"]

    moto.compare(("CodeDeployDefault.LambdaAllAtOnce", []), changed, "change_deployment_groups")


def test_a_deployment_takes_a_step_with_every_look(moto):
    functions, codedeploy = two_versions(moto), group_of(moto)

    def seen():
        identity = begun(codedeploy)
        found = []
        for _ in range(2):
            status = codedeploy.get_deployment(deploymentId=identity)["deploymentInfo"]["status"]
            found.append((status, *where(functions)))
        return found

    moto.compare([("InProgress", "1", {"2": 0.1}), ("Succeeded", "2", {})], seen, "shift_callers")


def test_a_group_has_one_deployment_at_a_time(moto):
    two_versions(moto)
    codedeploy = group_of(moto)

    def refused():
        begun(codedeploy)
        try:
            begun(codedeploy)
        except codedeploy.exceptions.DeploymentLimitExceededException:
            return True
        return False

    moto.compare(True, refused, "begin_deployments")


def test_a_deployment_that_is_stopped_takes_everybody_back(moto):
    functions, codedeploy = two_versions(moto), group_of(moto)

    def stopped():
        identity = begun(codedeploy)
        codedeploy.get_deployment(deploymentId=identity)
        codedeploy.stop_deployment(deploymentId=identity, autoRollbackEnabled=True)
        return codedeploy.get_deployment(deploymentId=identity)["deploymentInfo"]["status"], *where(functions)

    moto.compare(("Stopped", "1", {}), stopped, "stop_deployments")


def test_an_alarm_that_is_off_ends_a_deployment(moto):
    functions, codedeploy, cloudwatch = two_versions(moto), group_of(moto), moto.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="orders-errors",
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )

    def ended():
        identity = begun(codedeploy)
        codedeploy.get_deployment(deploymentId=identity)
        cloudwatch.set_alarm_state(AlarmName="orders-errors", StateValue="ALARM", StateReason="test")
        info = codedeploy.get_deployment(deploymentId=identity)["deploymentInfo"]
        return info["status"], info["errorInformation"].get("code"), *where(functions)

    moto.compare(("Failed", "ALARM_ACTIVE", "1", {}), ended, "shift_callers")

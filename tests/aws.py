"""AWS's own library, whose sessions read the models of AWS's services once for all, and functions to try it on."""

import io
import zipfile
from functools import cache

import boto3
from botocore import loaders

loaders.create_loader = cache(loaders.create_loader)

client_of = cache(boto3.client)
"""Making one takes longer than most tests."""


def code_of(answer: str) -> bytes:
    """Return a zip whose handler gives ``answer``, an expression."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("app.py"), f"def handler(e, c): return {answer}")
    return buffer.getvalue()


def create_function(name: str, *, versions: int = 1) -> None:
    """Make a function with as many published versions, each answering its number; ``live`` is the first."""
    role = client_of("iam").create_role(RoleName=f"{name}-role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client = client_of("lambda")
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": code_of("1")},
        Publish=True,
    )
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    for number in range(2, versions + 1):
        client.update_function_code(FunctionName=name, ZipFile=code_of(str(number)), Publish=True)


def create_alarm(name: str) -> None:
    """Make an alarm that nothing is wrong with."""
    client_of("cloudwatch").put_metric_alarm(
        AlarmName=name,
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )


def set_alarm(name: str, state: str) -> None:
    """Say ``OK`` or ``ALARM`` in CloudWatch's place."""
    client_of("cloudwatch").set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")

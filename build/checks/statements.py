"""What a function's role may do without [[permissions]] of its own: the statements that terraform/main.tf composes.

`invoke permissions` and the quota of a role's policy know them from here. A test compares
them with what Terraform plans.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from build.model import FunctionSpec, Workspace
from build.project.naming import dead_letter_name, failures_name, queue_name

_READ_QUEUE = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
_READ_KINESIS = tuple(
    f"kinesis:{each}"
    for each in ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards")
)
_READ_DYNAMODB = tuple(
    f"dynamodb:{each}" for each in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
)
_SEND = {
    "sqs": ("sqs:SendMessage",),
    "sns": ("sns:Publish",),
    "lambda": ("lambda:InvokeFunction",),
    "events": ("events:PutEvents",),
    "s3": ("s3:ListBucket", "s3:PutObject"),
}
_INTERFACES = tuple(
    f"ec2:{each}"
    for each in (
        "AssignPrivateIpAddresses",
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        "UnassignPrivateIpAddresses",
    )
)
_DECIDE = "codedeploy:PutLifecycleEventHookExecutionStatus"
_TRACE = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement of a role's policy that allows something."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    purpose: str
    """``its queues``; empty for what only Lambda itself may do with the role."""
    condition: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return it as IAM has it."""
        statement = {"Effect": "Allow", "Action": list(self.actions), "Resource": list(self.resources)}
        return {**statement, **({"Condition": self.condition} if self.condition else {})}


def statements_of(function: FunctionSpec, workspace: Workspace) -> tuple[Statement, ...]:
    """Return what Slipway grants ``function`` for its settings and triggers, in the order of the policy.

    Of a ``{custom.NAME}`` nobody knows the service before Terraform runs: it counts as a queue, or as a secret.
    """
    made = [
        *_reading(function, workspace),
        *_sending(function, workspace),
        *_secrets(function, workspace),
        *_network(function, workspace),
        _statement("tracing", _TRACE, ["*"] if function.options.tracing else []),
        _statement("its word to CodeDeploy", (_DECIDE,), _decided_by(function, workspace)),
    ]
    return tuple(statement for statement in made if statement.resources)


def _statement(purpose: str, actions: tuple[str, ...], resources: Iterable[str]) -> Statement:
    return Statement(purpose=purpose, actions=actions, resources=tuple(resources))


def _arn(workspace: Workspace, service: str, rest: str) -> str:
    return workspace.filled(f"arn:{{partition}}:{service}:{{region}}:{{account}}:{rest}")


def _reading(function: FunctionSpec, workspace: Workspace) -> Iterator[Statement]:
    arn, filled, prefix = partial(_arn, workspace), workspace.filled, workspace.prefix
    logs = arn("logs", f"log-group:{workspace.log_group(function.name)}:*")
    yield _statement("its logs", ("logs:CreateLogStream", "logs:PutLogEvents"), [logs])
    queues = sorted(function.triggers.queue, key=lambda queue: queue.name)
    streams = sorted(function.triggers.stream, key=lambda stream: stream.name)
    yield _statement(
        "its queues",
        _READ_QUEUE,
        [filled(each.arn) if each.arn else arn("sqs", queue_name(prefix, function.name, each)) for each in queues],
    )
    own = f"{prefix}-{function.name}"
    for kind, actions, made in (
        ("kinesis", _READ_KINESIS, f"stream/{own}-{{}}"),
        ("dynamodb", _READ_DYNAMODB, f"table/{own}-{{}}/stream/*"),
    ):
        read = [each for each in streams if each.source == kind]
        arns = [filled(each.arn) if each.arn else arn(kind, made.format(each.name)) for each in read]
        yield _statement("its streams", actions, arns)


def _sending(function: FunctionSpec, workspace: Workspace) -> Iterator[Statement]:
    asynchronous, name, prefix = function.options.asynchronous, function.name, workspace.prefix
    on_failure = asynchronous.on_failure
    if on_failure == "queue":
        on_failure = _arn(workspace, "sqs", failures_name(prefix, name))
    streams = sorted(function.triggers.stream, key=lambda stream: stream.name)
    given = [on_failure, asynchronous.on_success, function.options.dead_letter_arn]
    given += [each.on_failure or _arn(workspace, "sqs", dead_letter_name(prefix, name, each.name)) for each in streams]
    by_service: dict[str, list[str]] = {service: [] for service in _SEND}
    for destination in dict.fromkeys(workspace.filled(each) for each in given if each):
        service = destination.split(":")[2] if destination.startswith("arn:") else "sqs"
        by_service[service] += [destination, f"{destination}/*"] if service == "s3" else [destination]
    yield from (_statement("its destinations", actions, by_service[service]) for service, actions in _SEND.items())


def _secrets(function: FunctionSpec, workspace: Workspace) -> Iterator[Statement]:
    options, filled = function.options, workspace.filled
    secrets = [options.secrets[name] for name in sorted(options.secrets)]
    arns = list(dict.fromkeys(filled(each.arn) for each in secrets))
    parameters = [each for each in arns if each.startswith("arn:") and each.split(":")[2] == "ssm"]
    yield _statement("its secrets", ("ssm:GetParameter",), parameters)
    yield _statement(
        "its secrets", ("secretsmanager:GetSecretValue",), [each for each in arns if each not in parameters]
    )
    keys = [*(each.kms_key_arn for each in secrets), options.kms_key_arn]
    yield _statement("its secrets", ("kms:Decrypt",), dict.fromkeys(filled(key) for key in keys if key))


def _decided_by(hook: FunctionSpec, workspace: Workspace) -> Iterator[str]:
    """Yield the deployment group of each function that asks ``hook``."""
    application = "_".join(filter(None, (workspace.prefix, hook.options.stack)))
    for function in sorted(workspace.functions, key=lambda function: function.name):
        if hook.name in function.options.rollout.hooks.values():
            group = f"{application}/{workspace.function_name(function.name)}"
            yield _arn(workspace, "codedeploy", f"deploymentgroup:{group}")


def _network(function: FunctionSpec, workspace: Workspace) -> Iterator[Statement]:
    # What makes network interfaces is for Lambda alone: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    if function.options.network:
        own = _arn(workspace, "lambda", f"function:{workspace.function_name(function.name)}")
        others = {"ArnNotEquals": {"lambda:SourceFunctionArn": own}}
        for actions, resource in (
            (_INTERFACES, _arn(workspace, "ec2", "*/*")),
            (("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"), "*"),
        ):
            yield Statement(actions=actions, resources=(resource,), condition=others, purpose="")
    if function.options.file_system:
        access_point = workspace.filled(function.options.file_system.arn)
        yield Statement(
            actions=("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"),
            resources=(f"{access_point.partition('access-point/')[0]}file-system/*",),
            purpose="its file system",
            condition={"StringEquals": {"elasticfilesystem:AccessPointArn": access_point}},
        )

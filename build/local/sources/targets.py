"""What rules and schedules send to: each target is a call of AWS's API, made as a client of the cloud would make it.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets.html
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from build.local.clients import Clients

Target = Mapping[str, Any]
"""As both services describe one: ``Arn``, ``Input``, ``RetryPolicy``, ``DeadLetterConfig``, …"""

_CLIENTS = {"cloudwatchlogs": "logs", "eventbridge": "events", "sfn": "stepfunctions"}
"""Services whose name in universal targets is not boto3's."""
_THROTTLED = ("Throttl", "TooManyRequests", "LimitExceeded", "ProvisionedThroughputExceeded", "RequestTimeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of AWS's API."""

    service: str
    """As universal targets name it, such as ``sqs``."""
    action: str
    """Such as ``sendMessage``."""
    parameters: Mapping[str, Any]
    region: str

    @property
    def arn(self) -> str:
        """The universal target that means this: what dead-letter queues of schedules are told."""
        return f"arn:aws:scheduler:::aws-sdk:{self.service}:{self.action}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call came to nothing."""

    code: str
    message: str
    passing: bool
    """Whether another try may help: throttled, or a fault of the service, or out of reach."""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def call_of(target: Target, text: str, *, region: str) -> Call:
    """Return the call that sends ``text`` to ``target``. Raises ValueError for a target that is not known here."""
    arn = str(target["Arn"])
    _, _, service, its_region, account, name = arn.split(":", 5)
    action, parameters = _templated(target, service, account, name, text)
    if service == "scheduler":
        service, _, action = name.removeprefix("aws-sdk:").partition(":")
        parameters = json.loads(text)
    if not action or not isinstance(parameters, dict):
        msg = f"{arn} cannot be a target here"
        raise ValueError(msg)
    renamed = {"events": "eventbridge", "states": "sfn"}.get(service, service)
    return Call(service=renamed, action=action, parameters=parameters, region=its_region or region)


def _templated(target: Target, service: str, account: str, name: str, text: str) -> tuple[str, dict[str, Any]]:
    """Return action and parameters for a target that is named by the ARN of what gets it; none if it is no such."""
    arn, action, parameters = target["Arn"], "", dict[str, Any]()
    match service:
        case "lambda":
            action, parameters = "invoke", {"FunctionName": arn, "InvocationType": "Event", "Payload": text}
        case "sqs":
            action, parameters = "sendMessage", {"QueueUrl": _queue_url(account, name), "MessageBody": text}
            parameters |= target.get("SqsParameters") or {}
        case "sns":
            action, parameters = "publish", {"TopicArn": arn, "Message": text}
        case "events":
            entry = {**(target.get("EventBridgeParameters") or {}), "EventBusName": arn, "Detail": text}
            action, parameters = "putEvents", {"Entries": [entry]}
        case "kinesis":
            action, parameters = "putRecord", {"StreamARN": arn, "Data": text}
            parameters |= target.get("KinesisParameters") or {}
        case "states":
            action, parameters = "startExecution", {"StateMachineArn": arn, "Input": text}
        case _:
            pass
    return action, parameters


def letter_call(queue_arn: str, body: str, attributes: Mapping[str, str]) -> Call:
    """Return the call that puts ``body`` into a dead-letter queue."""
    _, _, _, region, account, name = queue_arn.split(":", 5)
    told = {key: {"DataType": "String", "StringValue": value} for key, value in attributes.items() if value}
    parameters = {"QueueUrl": _queue_url(account, name), "MessageBody": body, "MessageAttributes": told}
    return Call(service="sqs", action="sendMessage", parameters=parameters, region=region)


def _queue_url(account: str, name: str) -> str:
    return f"http://localhost/{account}/{name}"  # the host is of no account: the client knows its endpoint


class Caller:
    """Makes calls. Any number of threads may use it."""

    def __init__(self, endpoint: str) -> None:
        self._clients = Clients(endpoint)

    def make(self, call: Call) -> Failure | None:
        """Make ``call`` and return why it failed, if it did."""
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError, UnknownServiceError

        try:
            self._make(call)
        except ClientError as why:
            error, status = why.response["Error"], why.response["ResponseMetadata"]["HTTPStatusCode"]
            code = str(error.get("Code", status))
            passing = status >= 500 or status == 429 or any(word in code for word in _THROTTLED)
            return Failure(code=code, message=str(error.get("Message", "")), passing=passing)
        except (KeyError, ParamValidationError, UnknownServiceError) as why:
            return Failure(code="ValidationException", message=f"{call.arn}: {why}", passing=False)
        except BotoCoreError as why:
            return Failure(code=type(why).__name__, message=str(why), passing=True)
        return None

    def _make(self, call: Call) -> None:
        from botocore import xform_name

        client = self._clients.of(_CLIENTS.get(call.service, call.service), call.region)
        method = xform_name(call.action)
        operation = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
        spelled = {name.lower(): name for name in (operation.input_shape.members if operation.input_shape else ())}
        # Scheduler writes every parameter with a capital; some APIs do not.
        getattr(client, method)(**{spelled.get(name.lower(), name): value for name, value in call.parameters.items()})

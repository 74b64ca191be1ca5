"""Where the outcome of an event goes: destinations get a record, dead-letter queues the event itself.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html. All is sent as a client of the
embedded cloud would send it.
"""

import json
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

from build.local.asynchronous import Ended
from build.local.clients import Clients
from build.local.function_logs import timestamp

_ERROR_MESSAGE_BYTES = 1024


class Sender:
    """Sends on what became of events. Any number of threads may call it."""

    def __init__(self, endpoint: str) -> None:
        self._clients = Clients(endpoint)

    def send(self, ended: Ended) -> None:
        """Tell whom the function names; who cannot be told is named in our log, as AWS counts them in a metric."""
        settings = ended.event.settings
        succeeded = ended.condition == "Success"
        destination = settings.on_success if succeeded else settings.on_failure
        if destination:
            self._trying(destination, lambda: self._send_record(destination, ended))
        if settings.dead_letters and not succeeded:
            queue = settings.dead_letters
            self._trying(queue, lambda: self._bury(queue, ended))

    def tell(self, arn: str, told: dict[str, Any], *, region: str, folder: str) -> None:
        """Send ``told``; buckets get an object below aws/lambda/``folder``. ``region`` is that of who tells."""
        self._trying(arn, lambda: self._deliver(arn, json.dumps(told), region, folder))

    def _trying(self, arn: str, what: Any) -> None:
        try:
            what()
        except Exception as why:
            sys.stderr.write(f"{arn}: the outcome of an event could not be sent\n{why}\n")

    def _send_record(self, arn: str, ended: Ended) -> None:
        text, region = json.dumps(record(ended)), ended.event.function.region
        if _parts(arn)[0] == "events":
            self._client(arn, region).put_events(Entries=[_entry(arn, text, ended)])
        else:
            self._deliver(arn, text, region, f"async/{ended.event.function.name}")

    def _deliver(self, arn: str, text: str, region: str, folder: str) -> None:
        service, name = _parts(arn)
        client = self._client(arn, region)
        match service:
            case "sqs":
                client.send_message(QueueUrl=client.get_queue_url(QueueName=name)["QueueUrl"], MessageBody=text)
            case "sns":
                client.publish(TopicArn=arn, Message=text)
            case "lambda":
                client.invoke(FunctionName=arn, InvocationType="Event", Payload=text)
            case "s3":
                now = datetime.now(UTC)
                key = f"aws/lambda/{folder}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
                client.put_object(Bucket=name, Key=key, Body=text.encode())
            case _:
                msg = f"{service} cannot be a destination"
                raise ValueError(msg)

    def _bury(self, arn: str, ended: Ended) -> None:
        service, name = _parts(arn)
        client = self._client(arn, ended.event.function.region)
        code, message = _why(ended)
        attributes = {
            "RequestID": {"DataType": "String", "StringValue": ended.event.request_id},
            "ErrorCode": {"DataType": "Number", "StringValue": str(code)},
            "ErrorMessage": {"DataType": "String", "StringValue": message or "unknown"},
        }
        text = ended.event.payload.decode()
        if service == "sqs":
            url = client.get_queue_url(QueueName=name)["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=text, MessageAttributes=attributes)
        else:
            client.publish(TopicArn=arn, Message=text, MessageAttributes=attributes)

    def _client(self, arn: str, region: str) -> Any:
        return self._clients.of(arn.split(":")[2], arn.split(":")[3] or region)


def record(ended: Ended) -> dict[str, Any]:
    """Return what a destination gets: version 1.0 of Lambda's invocation record."""
    event = ended.event
    told: dict[str, Any] = {
        "version": "1.0",
        "timestamp": timestamp(),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": _function_arn(ended),
            "condition": ended.condition,
            "approximateInvokeCount": event.tries,
        },
        "requestPayload": json.loads(event.payload or b"{}"),
    }
    if ended.answered:
        outcome = ended.answered.outcome
        told["responseContext"] = {"statusCode": 200, "executedVersion": ended.answered.version}
        if outcome.error:
            told["responseContext"]["functionError"] = outcome.error
        told["responsePayload"] = _read(outcome.payload)
    return told


def _entry(bus: str, text: str, ended: Ended) -> dict[str, Any]:
    word = "Success" if ended.condition == "Success" else "Failure"
    return {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {word}",
        "Resources": [bus, _function_arn(ended)],
        "Detail": text,
        "EventBusName": bus,
    }


def _function_arn(ended: Ended) -> str:
    function = ended.event.function
    return function.arn if function.qualifier else f"{function.arn}:$LATEST"


def _why(ended: Ended) -> tuple[int, str]:
    """Return the status and the message of a failure, as a dead-letter queue is told."""
    if ended.answered is None:
        return 429, ended.refused or ended.condition
    payload = _read(ended.answered.outcome.payload)
    message = payload.get("errorMessage", "") if isinstance(payload, dict) else ""
    return 200, str(message).encode()[:_ERROR_MESSAGE_BYTES].decode("utf-8", "ignore")


def _read(payload: bytes) -> Any:
    try:
        return json.loads(payload or b"null")
    except ValueError:  # an image may answer anything
        return payload.decode("utf-8", "replace")


def _parts(arn: str) -> tuple[str, str]:
    """Return the service and the name of what ``arn`` means."""
    _, _, service, _, _, rest = arn.split(":", 5)
    return service, rest.rpartition("/")[2] if service == "events" else rest

"""Queues, topics, rules, schedules, buckets, and what Lambda and CodeDeploy themselves send to functions."""

import hashlib
import json
from typing import Any
from urllib.parse import quote_plus

from build.samples.about import EXAMPLE, ID, IP, OTHER_ID, TIME, TIME_MS, About, Event, object_of
from build.triggers import BucketTrigger, EventTrigger, QueueTrigger, ScheduleTrigger, TopicTrigger

_WHAT_HAPPENS = {
    "ObjectCreated": "Put",
    "ObjectRemoved": "Delete",
    "ObjectRestore": "Completed",
    "ObjectTagging": "Put",
    "ObjectAcl": "Put",
    "Replication": "OperationFailedReplication",
    "LifecycleExpiration": "Delete",
}
"""Of each kind of events one, where a function wants all: https://docs.aws.amazon.com/AmazonS3/latest/userguide/
notification-how-to-event-types-and-destinations.html."""


def sqs(about: About, trigger: QueueTrigger | None) -> Event:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html."""
    is_fifo = bool(trigger and trigger.fifo)
    arn = about.existing(trigger) or about.arn("sqs", about.made(trigger) + (".fifo" if is_fifo else ""))
    of_fifo = {
        "MessageGroupId": EXAMPLE,
        "MessageDeduplicationId": hashlib.sha256(about.message.encode()).hexdigest(),
        "SequenceNumber": "18849496460467696128",
    }
    record = {
        "messageId": ID,
        "receiptHandle": "AQEBexample",
        "body": about.message,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(TIME_MS),
            "SenderId": about.account_id,
            "ApproximateFirstReceiveTimestamp": str(TIME_MS + 5),
            **(of_fifo if arn.endswith(".fifo") else {}),
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(about.message.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": arn.split(":")[3],
    }
    return {"Records": [record]}


def sns(about: About, trigger: TopicTrigger | None) -> Event:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html."""
    arn = about.existing(trigger) or about.arn("sns", about.made(trigger))
    subscription, endpoint = f"{arn}:{OTHER_ID}", f"https://sns.{arn.split(':')[3]}.amazonaws.com"
    notification = {
        "Type": "Notification",
        "MessageId": ID,
        "TopicArn": arn,
        "Subject": "Example",
        "Message": about.message,
        "Timestamp": TIME.replace("Z", ".000Z"),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE==",
        "SigningCertUrl": f"{endpoint}/SimpleNotificationService-example.pem",
        "UnsubscribeUrl": f"{endpoint}/?Action=Unsubscribe&SubscriptionArn={subscription}",
        "MessageAttributes": {},
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription,
        "Sns": notification,
    }
    return {"Records": [record]}


def eventbridge(about: About, trigger: EventTrigger | None) -> Event:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html.

    What the rule's pattern asks for is there.
    """
    event = _event(about, source=EXAMPLE, kind="Example", resources=[])
    if trigger:
        wanted = _fitting(json.loads(trigger.pattern))
        resources = {"resources": [wanted["resources"]]} if "resources" in wanted else {}
        event = {**event, **wanted, **resources}
    if about.body is not None or "detail" not in event:
        event["detail"] = object_of(about.message)
    return event


def schedule(about: About, trigger: ScheduleTrigger | None) -> Event:
    """https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-templated.html: what ``input`` says."""
    said = about.body if about.body is not None else trigger.input if trigger else about.message
    return object_of(said)


def s3(about: About, trigger: BucketTrigger | None) -> Event:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html."""
    arn = about.existing(trigger)
    name = arn.rpartition(":")[2] or f"{about.made(trigger)}-{about.account_id}"
    wanted = (trigger.events[0] if trigger else "s3:ObjectCreated:*").split(":")[1:]
    kind = ":".join([wanted[0], *(_WHAT_HAPPENS.get(wanted[0], part) if part == "*" else part for part in wanted[1:])])
    key = about.body or f"{trigger.prefix if trigger else ''}example{(trigger and trigger.suffix) or '.txt'}"
    stored = {} if kind.startswith("ObjectRemoved") else {"size": 1024, "eTag": "0123456789abcdef0123456789abcdef"}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": about.region,
        "eventTime": TIME.replace("Z", ".000Z"),
        "eventName": kind,
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": IP},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "EXAMPLE123/5678abcdefghijklambda"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": trigger.name if trigger else EXAMPLE,
            "bucket": {
                "name": name,
                "ownerIdentity": {"principalId": "A3NL1KOZZKEXAMPLE"},
                "arn": about.arn("s3", name, region="", account_id=""),
            },
            "object": {
                "key": quote_plus(key, safe="/"),
                **stored,
                "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                "sequencer": "0055AED6DCD90281E5",
            },
        },
    }
    return {"Records": [record]}


def destination(about: About, _trigger: None) -> Event:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html: of one that failed."""
    return {
        "version": "1.0",
        "timestamp": TIME.replace("Z", ".000Z"),
        "requestContext": {
            "requestId": ID,
            "functionArn": f"{about.arn('lambda', f'function:{about.function_name}')}:live",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": object_of(about.message),
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "an example", "errorType": "ValueError", "requestId": ID, "stackTrace": []},
    }


def codedeploy(_about: About, _trigger: None) -> Event:
    """https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html."""
    return {"DeploymentId": "d-EXAMPLE12", "LifecycleEventHookExecutionId": "eyJlbmNyeXB0ZWREYXRhIjoiZXhhbXBsZSJ9"}


def _event(about: About, *, source: str, kind: str, resources: list[str]) -> Event:
    return {
        "version": "0",
        "id": ID,
        "detail-type": kind,
        "source": source,
        "account": about.account_id,
        "time": TIME,
        "region": about.region,
        "resources": resources,
    }


def _fitting(pattern: Any) -> Any:
    """Return something that ``pattern`` of EventBridge fits, if it does not ask for more than one thing at once.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
    """
    if isinstance(pattern, dict):
        wanted = {name: each for name, each in pattern.items() if not name.startswith("$")}
        return {name: _fitting(each) for name, each in wanted.items() if each != [{"exists": False}]}
    match pattern[0] if isinstance(pattern, list) and pattern else EXAMPLE:
        case {"prefix": part} | {"suffix": part} | {"equals-ignore-case": part}:
            return part["equals-ignore-case"] if isinstance(part, dict) else part
        case {"wildcard": text}:
            return text.replace("*", EXAMPLE)
        case {"numeric": [sign, bound, *_]}:
            return bound + {">": 1, "<": -1}.get(sign, 0)
        case {}:
            return EXAMPLE
        case plain:
            return plain

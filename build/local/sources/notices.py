"""What topics and buckets tell functions, in the shapes that AWS documents.

https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html,
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from build.local.function_logs import timestamp

_VERSIONS = {
    "Replication": "2.2",
    "LifecycleExpiration": "2.3",
    "LifecycleTransition": "2.3",
    "IntelligentTiering": "2.3",
    "ObjectAcl": "2.3",
    "ObjectTagging": "2.3",
}
"""Of events that have more than 2.1 has."""
_EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


def of_topic(
    subscription: Any, message: str, message_id: str, subject: str | None, attributes: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what a function gets of a message by moto's ``subscription``. Nobody signed it."""
    region = subscription.topic_arn.split(":")[3]
    host = f"https://sns.{region}.amazonaws.com"
    notification = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": subscription.topic_arn,
        "Subject": subject,
        "Message": message,
        "Timestamp": timestamp(),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertUrl": f"{host}/SimpleNotificationService-{'0' * 32}.pem",
        "UnsubscribeUrl": f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription.arn}",
        "MessageAttributes": dict(attributes or {}),
    }
    record = {"EventVersion": "1.0", "EventSubscriptionArn": subscription.arn, "EventSource": "aws:sns"}
    return {"Records": [{**record, "Sns": notification}]}


def of_bucket(event_name: str, bucket: Any, key: Any, notification_id: str) -> dict[str, Any]:
    """Return what a function gets of what happened to moto's ``key``, such as ``s3:ObjectCreated:Put``."""
    name = str(getattr(event_name, "value", event_name)).removeprefix("s3:")
    kind = name.partition(":")[0]
    thing: dict[str, Any] = {"key": quote_plus(key.name, safe="/")}
    if name == "ObjectRemoved:DeleteMarkerCreated":
        thing["eTag"] = _EMPTY_MD5
    elif kind != "ObjectRemoved":
        thing |= {"size": key.size, "eTag": key.etag.strip('"')}
    if bucket.is_versioned:
        thing["versionId"] = str(key.version_id)
    if kind in {"ObjectCreated", "ObjectRemoved"}:
        thing["sequencer"] = f"{time.time_ns():016X}"
    request = uuid.uuid4().hex.upper()
    record = {
        "eventVersion": "2.3" if name == "ObjectRestore:Delete" else _VERSIONS.get(kind, "2.1"),
        "eventSource": "aws:s3",
        "awsRegion": bucket.region_name,
        "eventTime": timestamp(),
        "eventName": name,
        "userIdentity": {"principalId": f"AWS:{bucket.account_id}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": request[:16], "x-amz-id-2": f"{request}{request}"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": notification_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": str(bucket.account_id)},
                "arn": bucket.arn,
            },
            "object": thing,
        },
    }
    return {"Records": [record]}

"""What moto's S3 and SQS answer wrongly, mended: see `build.local.mends`."""

import hashlib
import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from build.local.patching import Undo, replace
from build.local.sources.notices import of_bucket

# Everything here takes and gives objects of moto, which has no types to speak of.
# ruff: noqa: SLF001


def write_redrive_policy_compactly() -> Iterator[Undo]:
    """Moto gives RedrivePolicy back with blanks, and Terraform compares text."""
    from moto.sqs.models import Queue

    original = Queue.attributes

    def attributes(self: Any) -> dict[str, Any]:
        result: dict[str, Any] = dict(original.fget(self))
        if result.get("RedrivePolicy"):
            result["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        return result

    Queue.attributes = property(attributes)
    yield lambda: setattr(Queue, "attributes", original)


def keep_policies_of_queues() -> Iterator[Undo]:
    """Moto never gives RedriveAllowPolicy back, which Terraform waits for; any change of a queue drops its Policy."""
    from moto.sqs.models import Queue

    def set_them(original: Any) -> Any:
        def _set_attributes(self: Any, attributes: dict[str, Any], now: float | None = None) -> None:
            kept = {"Policy": self.policy} if hasattr(self, "policy") else {}
            original(self, {**kept, **attributes}, now)
            self.redrive_allow_policy = self.redrive_allow_policy or None  # an empty one takes it away

        return _set_attributes

    known = Queue.BASE_ATTRIBUTES
    Queue.BASE_ATTRIBUTES = [*known, "RedriveAllowPolicy"]
    Queue.redrive_allow_policy = None
    yield lambda: delattr(Queue, "redrive_allow_policy")
    yield lambda: setattr(Queue, "BASE_ATTRIBUTES", known)
    yield replace(Queue, "_set_attributes", set_them)


def keep_order_of_groups() -> Iterator[Undo]:
    """Moto gives the last message of a group first once all of it are visible again, and then none of the others."""
    from moto.sqs.models import SQSBackend

    def receive(original: Any) -> Any:
        def receive_message(self: Any, queue_name: str, *arguments: Any, **named: Any) -> Any:
            queue = self.get_queue(queue_name)
            if not queue.fifo_queue:
                return original(self, queue_name, *arguments, **named)
            with queue._messages_lock:
                queue.pending_messages.difference_update([each for each in queue.pending_messages if each.visible])
                blocked, every = queue.pending_message_groups, queue._messages
                queue._messages = [each for each in every if each.group_id not in blocked]
                try:
                    return original(self, queue_name, *arguments, **named)
                finally:  # some went to the dead-letter queue
                    left = set(queue._messages)
                    queue._messages = [each for each in every if each.group_id in blocked or each in left]

        return receive_message

    yield replace(SQSBackend, "receive_message", receive)


def lock_queues() -> Iterator[Undo]:
    """Moto deletes a message by making a new list: one sent meanwhile is lost, one received meanwhile comes twice."""
    from moto.sqs.models import Queue, SQSBackend

    def delete(original: Any) -> Any:
        def delete_message(self: Any, receipt_handle: str) -> None:
            with self._messages_lock:
                original(self, receipt_handle)

        return delete_message

    def receive(original: Any) -> Any:
        def receive_message(self: Any, queue_name: str, count: int, wait_s: int, *rest: Any, **named: Any) -> Any:
            queue = self.get_queue(queue_name)
            end = time.monotonic() + int(wait_s)
            while True:
                with queue._messages_lock:
                    messages = original(self, queue_name, count, 0, *rest, **named)
                if messages or time.monotonic() >= end:
                    return messages
                queue.wait_for_messages(1)

        return receive_message

    yield replace(Queue, "delete_message", delete)
    yield replace(SQSBackend, "receive_message", receive)


def keep_given_checksums() -> Iterator[Undo]:
    """Moto forgets a ChecksumSHA256 given with PutObject, and never compares it with the bytes."""
    from moto.s3.exceptions import S3ClientError
    from moto.s3.responses import S3Response

    class BadDigestError(S3ClientError):  # type: ignore[misc]
        code = "BadDigest"
        message = "The SHA256 you specified did not match the calculated checksum."

    def get(original: Any) -> Any:
        def _get_checksum(self: Any, response_headers: dict[str, Any]) -> Any:
            given = self.headers.get("x-amz-checksum-sha256")
            if not given:
                return original(self, response_headers)
            body = self.body if isinstance(self.body, bytes) else (self.body or "").encode()
            if given != b64encode(hashlib.sha256(body).digest()).decode():
                raise BadDigestError
            response_headers["x-amz-checksum-sha256"] = given
            return "SHA256", given

        return _get_checksum

    yield replace(S3Response, "_get_checksum", get)


def put_conditionally_in_one_step() -> Iterator[Undo]:
    """Moto looks and then writes: two PutObject with IfNoneMatch at once both succeed, and a lock is none."""
    from moto.s3.responses import S3Response

    lock = threading.RLock()

    def put(original: Any) -> Any:
        def put_object(self: Any) -> Any:
            if not self.headers.get("If-None-Match") and not self.headers.get("If-Match"):
                return original(self)
            with lock:
                return original(self)

        return put_object

    yield replace(S3Response, "put_object", put)


def let_objects_be_read_to_their_end() -> Iterator[Undo]:
    """Moto closes an object's file when it is written over, also under somebody who reads it just then."""
    from moto.s3.models import FakeKey

    def leave(_: Any) -> Any:
        def dispose(self: Any, **_: Any) -> None:
            self.disposed = True  # the file closes by itself once nobody has it any more

        return dispose

    yield replace(FakeKey, "dispose", leave)


def let_go_of_what_is_gone() -> Iterator[Undo]:
    """Moto keeps all that it ever made, for a page of its own: memory and file handles of what was deleted, too."""
    from moto.core.common_models import BaseModel

    def make(_: Any) -> Any:
        def new(kind: Any, *_: Any, **__: Any) -> Any:
            return super(BaseModel, kind).__new__(kind)

        return new

    yield replace(BaseModel, "__new__", make)


def take_requests_as_tls() -> Iterator[Undo]:
    """Moto ignores the conditions of a bucket policy: one that denies plain HTTP would deny everything."""
    from moto.iam.access_control import IAMPolicy
    from moto.s3.models import FakeBucket

    def get(original: Any) -> Any:
        def get_permission(self: Any, action: str, resource: str) -> Any:
            policy = json.loads(self.policy or "{}")
            statements = policy.get("Statement")
            if not isinstance(statements, list):
                return original(self, action, resource)
            plain_http = {"Bool": {"aws:SecureTransport": "false"}}
            policy["Statement"] = [each for each in statements if each.get("Condition") != plain_http]
            return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)

        return get_permission

    yield replace(FakeBucket, "get_permission", get)


def tell_all_of_buckets() -> Iterator[Undo]:
    """Moto's buckets tell nobody of a delete marker, nor of a version that is deleted while others are left.

    And of what they tell much is left out.
    """
    from moto.s3 import notifications
    from moto.s3.models import S3Backend

    kinds = notifications.S3NotificationEvent

    def mark(original: Any) -> Any:
        def _set_delete_marker(self: Any, bucket_name: str, key_name: str) -> Any:
            marker = original(self, bucket_name, key_name)
            kind, bucket = kinds.OBJECT_REMOVED_DELETE_MARKER_CREATED_EVENT, self.get_bucket(bucket_name)
            notifications.send_event(self.account_id, kind, bucket, marker)
            return marker

        return _set_delete_marker

    def delete(original: Any) -> Any:
        def delete_object(self: Any, bucket_name: str, key_name: str, *arguments: Any, **named: Any) -> Any:
            keys = self.get_bucket(bucket_name).keys
            before = list(keys.getlist(key_name, []))
            result = original(self, bucket_name, key_name, *arguments, **named)
            left = keys.getlist(key_name, [])
            for gone in [key for key in before if left and key not in left]:
                kind, bucket = kinds.OBJECT_REMOVED_DELETE_EVENT, self.get_bucket(bucket_name)
                notifications.send_event(self.account_id, kind, bucket, gone)
            return result

        return delete_object

    yield replace(notifications, "_get_s3_event", lambda _: of_bucket)
    yield replace(S3Backend, "_set_delete_marker", mark)
    yield replace(S3Backend, "delete_object", delete)

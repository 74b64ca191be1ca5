"""What moto's S3 and SQS answer wrongly, mended: see `build.local.mends`."""

import hashlib
import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from build.local.patching import Undo, replace

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

"""Where a remote store's objects are: an S3 bucket behind two requests, both conditional where it matters.

boto3 is imported at the first request, so a build that finds everything here never pays for it.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from build.digest import Digest
from build.model import RemoteStore

_CHUNK_BYTES = 1 << 20
_NOT_THERE = frozenset({"NoSuchKey"})
_NOT_SO = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html"""


class RefusedError(Exception):
    """These credentials may not do this to this object. Others may still go."""


class UnreachableError(Exception):
    """There is no bucket, no network, or nobody it would listen to: nothing will go."""


@dataclass(frozen=True, slots=True)
class Found:
    """An object as it was when it was read."""

    tag: str
    """Names this very state of it."""
    age_s: float
    """Since it was written, by the bucket's own clock."""


class Bucket(Protocol):
    """Objects by name. Both methods may raise RefusedError or UnreachableError; threads may call them."""

    def get(self, name: str, into: BinaryIO) -> Found | None:
        """Write the bytes of ``name`` to ``into``; None if there is no such object."""
        ...

    def put(self, name: str, body: bytes | Path, *, replacing: str | None = None) -> str | None:
        """Write ``name``, if there is none yet, or if it still is in the state ``replacing``; return its new tag.

        None if that was not so: then nothing was written.
        """
        ...


class S3Bucket:
    """A bucket of S3, or of what speaks like it; endpoint, region and credentials are those of the environment."""

    def __init__(self, place: RemoteStore) -> None:
        self._place = place
        self._making = threading.Lock()
        self._made: Any = None

    def get(self, name: str, into: BinaryIO) -> Found | None:
        """Fetch an object; S3's own digest of it is compared on the way."""
        with self._asking() as s3:
            try:
                got = s3.get_object(**self._where(name), ChecksumMode="ENABLED")
            except s3.exceptions.ClientError as reason:
                if reason.response["Error"]["Code"] in _NOT_THERE:
                    return None
                raise
            into.writelines(got["Body"].iter_chunks(_CHUNK_BYTES))
            from email.utils import parsedate_to_datetime

            now = parsedate_to_datetime(got["ResponseMetadata"]["HTTPHeaders"]["date"])
            return Found(tag=got["ETag"], age_s=(now - got["LastModified"]).total_seconds())

    def put(self, name: str, body: bytes | Path, *, replacing: str | None = None) -> str | None:
        """Write an object in one request, with a digest that S3 compares and keeps."""
        digest = Digest.of_file(body) if isinstance(body, Path) else Digest.of_bytes(body)
        condition = {"IfMatch": replacing} if replacing else {"IfNoneMatch": "*"}
        checksum = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": digest.base64}
        with self._asking() as s3:
            try:
                if isinstance(body, bytes):
                    put = s3.put_object(**self._where(name), **condition, **checksum, Body=body)
                else:
                    with body.open("rb") as stream:
                        put = s3.put_object(**self._where(name), **condition, **checksum, Body=stream)
            except s3.exceptions.ClientError as reason:
                if reason.response["Error"]["Code"] in _NOT_SO | _NOT_THERE:
                    return None
                raise
        return str(put["ETag"])

    def _where(self, name: str) -> dict[str, str]:
        place = self._place
        owner = {"ExpectedBucketOwner": place.account_id} if place.account_id else {}
        return {"Bucket": place.bucket, "Key": f"{place.prefix}/{name}" if place.prefix else name, **owner}

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield self._client()
        except ClientError as reason:
            refused = reason.response["Error"]["Code"] == "AccessDenied"
            raise (RefusedError if refused else UnreachableError)(str(reason)) from None
        except (BotoCoreError, LookupError, ValueError) as reason:  # an endpoint that is none, or that speaks otherwise
            raise UnreachableError(str(reason)) from None

    def _client(self) -> Any:
        with self._making:  # boto3 makes clients in one thread only
            if self._made is None:
                import boto3
                from botocore.config import Config

                config = Config(
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"mode": "standard", "total_max_attempts": 3},
                    max_pool_connections=32,
                    user_agent_extra="slipway",
                )
                self._made = boto3.session.Session().client("s3", config=config)
            return self._made

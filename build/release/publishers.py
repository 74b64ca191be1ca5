"""Publish artifacts by digest: the same bytes are there already, or are put there once."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from build.digest import Digest
from build.model import Artifact
from build.release.aws import asking
from build.results import PublishedArtifact
from build.store.objects import verified

_ASKED_AT_ONCE = 10
"""boto3 keeps as many connections open."""


class Publisher(Protocol):
    """A place artifacts are published to; asked from several threads."""

    def exists(self, location: str, digest: Digest) -> bool:
        """Tell whether the bytes with ``digest`` are at ``location``."""
        ...

    def publish(self, location: str, artifact: Artifact) -> None:
        """Put the bytes of ``artifact`` at ``location``."""
        ...


def location_of(artifact: Artifact) -> str:
    """Return the content-addressed key: ``functions/orders/<hex>.zip``."""
    return f"{artifact.identity}/{artifact.digest.hex}.zip"


def publish_all(
    artifacts: Iterable[Artifact], publisher: Publisher, *, on_progress: Callable[[str], None]
) -> tuple[PublishedArtifact, ...]:
    """Publish what is not there yet; return where everything is."""
    artifacts = tuple(artifacts)
    locations = tuple(map(location_of, artifacts))
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:  # hundreds are asked for, and few are missing
        there = tuple(pool.map(publisher.exists, locations, (artifact.digest for artifact in artifacts)))
    published = []
    for artifact, location, is_there in zip(artifacts, locations, there, strict=True):
        missing = not is_there
        if missing:
            on_progress(f"uploading {artifact.key} ({artifact.size_bytes / 1e6:.1f} MB)")
            publisher.publish(location, artifact)
        published.append(PublishedArtifact(artifact=artifact, location=location, uploaded=missing))
    return tuple(published)


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Publisher:
    """The env's artifact bucket. Objects carry ChecksumSHA256, which Terraform compares before it deploys."""

    s3: Any
    bucket: str
    owner: str
    """The account the bucket must belong to; S3 refuses any other."""

    def exists(self, location: str, digest: Digest) -> bool:
        """Tell whether S3 holds the object, and with ``digest`` as its checksum."""
        with self._asking("s3:GetObject and s3:ListBucket, without which a missing object is Forbidden"):
            try:
                head = self.s3.head_object(**self._place(location), ChecksumMode="ENABLED")
            except self.s3.exceptions.ClientError as reason:
                if reason.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                    return False
                raise
        return bool(head.get("ChecksumSHA256") == digest.base64)

    def publish(self, location: str, artifact: Artifact) -> None:
        """Upload in one request, once the file is known to be what was built; S3 checks the digest again."""
        with self._asking("s3:PutObject"), verified(artifact.path, artifact.digest).open("rb") as body:
            self.s3.put_object(
                **self._place(location),
                Body=body,
                ContentType="application/zip",
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=artifact.digest.base64,
            )

    def _place(self, location: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": location, "ExpectedBucketOwner": self.owner}

    def _asking(self, needed: str) -> Any:
        permissions = f"{needed}, and the key's kms: permissions if it has one"
        hint = f"it takes {permissions}; check with `aws s3 ls s3://{self.bucket}`, then run the same command again"
        return asking(f"publishing to s3://{self.bucket}", hint=hint)

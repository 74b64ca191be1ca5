"""Publish artifacts by digest: the same bytes are there already, or are put there once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from build.model import Artifact
from build.release.aws import refused
from build.results import PublishedArtifact


class Publisher(Protocol):
    """A place artifacts are published to."""

    def exists(self, location: str, artifact: Artifact) -> bool:
        """Tell whether the bytes of ``artifact`` are at ``location``."""
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
    published = []
    for artifact in artifacts:
        location = location_of(artifact)
        missing = not publisher.exists(location, artifact)
        if missing:
            on_progress(f"uploading {artifact.key} ({artifact.size_bytes / 1e6:.1f} MB)")
            publisher.publish(location, artifact)
        published.append(PublishedArtifact(artifact=artifact, location=location, uploaded=missing))
    return tuple(published)


@dataclass(frozen=True, slots=True)
class S3Publisher:
    """The env's artifact bucket. Objects carry ChecksumSHA256, which Terraform compares before it deploys."""

    s3: Any
    bucket: str

    def exists(self, location: str, artifact: Artifact) -> bool:
        """Tell whether S3 holds the object with the artifact's own checksum."""
        from botocore.exceptions import ClientError

        try:
            head = self.s3.head_object(Bucket=self.bucket, Key=location, ChecksumMode="ENABLED")
        except ClientError as reason:
            if reason.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise self._refused(reason) from None
        return bool(head.get("ChecksumSHA256") == artifact.digest.base64)

    def publish(self, location: str, artifact: Artifact) -> None:
        """Upload in one request; S3 refuses bytes that are not the digest's."""
        from botocore.exceptions import ClientError

        try:
            with artifact.path.open("rb") as body:
                self.s3.put_object(
                    Bucket=self.bucket,
                    Key=location,
                    Body=body,
                    ContentType="application/zip",
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=artifact.digest.base64,
                )
        except ClientError as reason:
            raise self._refused(reason) from None

    def _refused(self, reason: Exception) -> Exception:
        return refused(
            f"publishing to s3://{self.bucket}",
            reason,
            hint=f"check that the bucket exists and may be written: `aws s3 ls s3://{self.bucket}`",
        )

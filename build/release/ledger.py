"""The ledger: one immutable row per release, beside the artifacts it names."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from build.release.aws import asking
from build.results import Release

_FOLDER = "releases/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The rows of one env, in its artifact bucket."""

    s3: Any
    bucket: str
    owner: str
    """The account the bucket must belong to."""

    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """Return every row, the oldest first."""
        with self._asking("reading the releases"):
            return tuple(map(self._read, sorted(self._keys())))

    def newest(self) -> Mapping[str, Any] | None:
        """Return the newest row, or None before the first release."""
        with self._asking("reading the newest release"):
            newest = max(self._keys(), default=None)
            return self._read(newest) if newest else None

    def record(self, release: Release) -> str:
        """Write ``release`` and return its key; a row is never written twice."""
        key = f"{_FOLDER}{release.id}.json"
        body = json.dumps(asdict(release), indent=2, sort_keys=True).encode()
        with self._asking(f"recording release {release.id}"):
            try:
                self.s3.put_object(**self._bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*")
            except self.s3.exceptions.ClientError:
                # A request whose answer was lost is sent again, and then finds its own row.
                if self._read(key) != json.loads(body):
                    raise
        return key

    def _keys(self) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(**self._bucket, Prefix=_FOLDER)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    @property
    def _bucket(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "ExpectedBucketOwner": self.owner}

    def _read(self, key: str) -> Mapping[str, Any]:
        row: Mapping[str, Any] = json.loads(self.s3.get_object(**self._bucket, Key=key)["Body"].read())
        return row

    def _asking(self, doing: str) -> Any:
        return asking(doing, hint=f"run the same deploy again; check with `aws s3 ls s3://{self.bucket}/{_FOLDER}`")


def release_id(at: str, handoff_digest: str) -> str:
    """Return an id that sorts by time: ``20260131T120000Z-1a2b3c4d``. ``at`` is ISO 8601 in UTC."""
    compact = at.replace("-", "").replace(":", "").partition(".")[0].partition("+")[0]
    return f"{compact.rstrip('Z')}Z-{handoff_digest[:8]}"

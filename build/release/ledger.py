"""The ledger: one immutable row per release, beside the artifacts it names."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from build.release.aws import refused
from build.results import Release


def record(release: Release, s3: Any, bucket: str) -> str:
    """Write ``release`` to the env's artifact bucket and return its key; a row is never written twice."""
    from botocore.exceptions import ClientError

    key = f"releases/{release.id}.json"
    try:
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=json.dumps(asdict(release), indent=2, sort_keys=True).encode(),
            ContentType="application/json",
            IfNoneMatch="*",
        )
    except ClientError as reason:
        raise refused(f"recording release {release.id}", reason, hint="run the same deploy again") from None
    return key


def release_id(at: str, handoff_digest: str) -> str:
    """Return an id that sorts by time: ``20260131T120000Z-1a2b3c4d``. ``at`` is ISO 8601 in UTC."""
    compact = at.replace("-", "").replace(":", "").partition(".")[0].partition("+")[0]
    return f"{compact.rstrip('Z')}Z-{handoff_digest[:8]}"


def read(key: str, s3: Any, bucket: str) -> Mapping[str, Any]:
    """Return the row at ``key``."""
    row: Mapping[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    return row

"""What `invoke verify --record` found, beside the releases: whether the same commit gives the same bytes again."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from build.digest import Digest
from build.release.aws import asking
from build.release.ledger import FOLDER, Ledger
from build.release.rows import Author

VERIFIED = f"{FOLDER}verified/"
"""Below the releases, since roles may write there; the ledger takes nothing in it for a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """One time that everything was built elsewhere, too."""

    at: str
    """ISO 8601, UTC."""
    env: str
    commit: str | None
    """Of the checkout; None outside git."""
    dirty: bool
    """True when the checkout had changes that no commit holds."""
    platform: str
    """Of the machine, such as ``Linux-x86_64``."""
    pythons: tuple[str, str]
    """Which one built here, and which elsewhere: a version, or 3.N where another was asked for."""
    artifacts: Mapping[str, str]
    """Digest by place, as built here."""
    differences: Mapping[str, str] = field(default_factory=dict)
    """By place: where what was built elsewhere parts from it."""
    by: Author = field(default_factory=Author)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """Return what ``row`` tells; it may have keys of a newer Slipway."""
        known = {each.name for each in fields(cls)}
        said = {key: value for key, value in row.items() if key in known}
        return cls(**{**said, "pythons": tuple(row["pythons"]), "by": Author(**row.get("by", {}))})


def record(ledger: Ledger, verification: Verification) -> str:
    """Write ``verification`` beside the rows of ``ledger``, and return its key; it is never written over."""
    body = json.dumps(asdict(verification), indent=2, sort_keys=True).encode()
    moment = verification.at.partition("+")[0].replace("-", "").replace(":", "")
    key = f"{VERIFIED}{moment}Z-{Digest.of_bytes(body).short}.json"
    with _asking(ledger, "recording the verification"):
        # The name follows from the bytes: what is there already is this very one, sent twice.
        ledger.s3.put_object(**_bucket(ledger), Key=key, Body=body, ContentType="application/json")
    return key


def recorded(ledger: Ledger) -> tuple[Verification, ...]:
    """Return every verification, the oldest first."""
    with _asking(ledger, "reading the verifications"):
        pages = ledger.s3.get_paginator("list_objects_v2").paginate(**_bucket(ledger), Prefix=VERIFIED)
        keys = sorted(each["Key"] for page in pages for each in page.get("Contents", ()))
        bodies = (ledger.s3.get_object(**_bucket(ledger), Key=key)["Body"].read() for key in keys)
        return tuple(Verification.from_json(json.loads(body)) for body in bodies)


def _bucket(ledger: Ledger) -> dict[str, str]:
    return {"Bucket": ledger.bucket, "ExpectedBucketOwner": ledger.owner}


def _asking(ledger: Ledger, doing: str) -> Any:
    return asking(doing, hint=f"run the same command again; check with `aws s3 ls s3://{ledger.bucket}/{VERIFIED}`")

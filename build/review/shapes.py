"""The review for programs."""

import json
from dataclasses import asdict
from typing import Any

from build.review.words import Review

SCHEMA_VERSION = 1


def to_json(review: Review) -> dict[str, Any]:
    """Return ``review`` as JSON: the fields of `Review` by their names, and ``schema_version``."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(review)))
    return {"schema_version": SCHEMA_VERSION, **plain}

"""Rows of the ledger for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from build.release.rows import DEPLOY, FINISHED, Pointed, Recorded, Release

ROW: dict[str, Any] = {
    "id": "",
    "env": "dev",
    "at": "2026-01-31T12:00:00+00:00",
    "commit": "a" * 40,
    "dirty": False,
    "handoff_digest": "sha256:" + "1a2b3c4d" * 8,
    "handoff": {"functions": {}, "layers": {}},
}
BEGIN = datetime(2026, 1, 5, 9, tzinfo=UTC)
"""When the first of a `history` begins; a Monday."""


def release(number: int | str = "", **given: Any) -> Release:
    """Return a row that ended well, unless ``given`` says otherwise."""
    return Release(**{"outcome": FINISHED, **ROW, "id": str(number), **given})


def recorded(digit: str, **distributions: str) -> Recorded:
    """Return an artifact whose digest is one hex digit, again and again."""
    digest = digit * 64
    return Recorded(
        digest=f"sha256:{digest}", key=f"functions/orders/{digest}.zip", size_bytes=2000, distributions=distributions
    )


def timed(number: int, *, day: float, took_s: float = 60, kind: str = DEPLOY, **given: Any) -> Release:
    """Return a release that began ``day`` days after `BEGIN`, and what its one function was and is."""
    begun = BEGIN + timedelta(days=day)
    ends = {"at": begun.isoformat(), "ended_at": (begun + timedelta(seconds=took_s)).isoformat()}
    return release(
        number, **{"kind": kind, "durations": {"plan": took_s / 3, "apply": took_s * 2 / 3}, **ends, **given}
    )


def live(was: str, now: str, published: str = "") -> Mapping[str, Any]:
    """Return what a row says of the one function ``orders`` that came from version ``was`` to ``now``."""
    return {
        "before": {"orders": Pointed(version=was)} if was else {},
        "live": {"orders": now},
        "versions": {"orders": published or now},
    }

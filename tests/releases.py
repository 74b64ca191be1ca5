"""Rows of the ledger for tests."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from build.digest import Digest
from build.model import Architecture, Artifact
from build.release.rows import DEPLOY, FAILED, FINISHED, RETURNED, ROLLBACK, Pointed, Recorded, Release
from build.results import PublishedArtifact

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


def old_row(name: str, **digits: str) -> dict[str, Any]:
    """Return a row as the first schema wrote it; the digests of its functions are one hex digit, again and again."""
    functions = {
        each: {"artifact": {"digest_hex": digit * 64, "key": f"functions/{each}/{digit * 64}.zip", "size_bytes": 2000}}
        for each, digit in digits.items()
    }
    versions = dict.fromkeys(digits, "1")
    return {**ROW, "id": name, "handoff": {"functions": functions}, "versions": versions, "live": versions}


def recorded(digit: str, *, digest: str = "", **distributions: str) -> Recorded:
    """Return an artifact whose digest is one hex digit, again and again, unless it is given."""
    hex_digits = digest or digit * 64
    key = f"functions/orders/{hex_digits}.zip"
    return Recorded(digest=f"sha256:{hex_digits}", key=key, size_bytes=2000, distributions=distributions)


def published(identity: str, key: str, *architectures: Architecture) -> PublishedArtifact:
    """Return an artifact that is nowhere, as the hand-off needs it."""
    digest = Digest.of_bytes(key.encode())
    artifact = Artifact(
        identity=identity,
        key=key,
        architectures=architectures,
        path=Path("x"),
        digest=digest,
        size_bytes=4,
        unzipped_bytes=4,
        source_bytes=4,
        bytecode_bytes=0,
        saved={},
        distributions=(),
        changed=False,
    )
    return PublishedArtifact(artifact=artifact, location=f"{identity}/{digest.hex}.zip", uploaded=False)


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


def history(count: int) -> tuple[Release, ...]:
    """Return the releases of eleven weeks: most finish, some fail, go back by themselves, or are taken back."""
    rows: list[Release] = []
    version = 1
    for number in range(1, count + 1):
        when: dict[str, Any] = {"day": 77 * (number - 1) / count, "took_s": 40 + number % 7}
        was, new = str(version), str(version + 1)
        artifacts = {"functions/orders": recorded("abcdef"[number % 6], pandas=f"3.{number // 7}", six="1.17.0")}
        row: dict[str, Any] = {"artifacts": artifacts, "locks": {"functions/orders": f"sha256:{number // 7}"}}
        if number % 11 == 5:
            rows.append(timed(number, **when, **row, **live(was, was), outcome=FAILED, error="apply failed"))
        elif number % 13 == 6:
            error = "orders: its alarm went off"
            rows.append(timed(number, **when, **row, **live(was, was, new), outcome=RETURNED, error=error))
        elif number % 9 == 8:
            target = [each for each in rows if each.is_settled][-2]
            rows.append(timed(number, **when, **live(was, str(version - 1), was), kind=ROLLBACK, of=target.id))
        else:
            version += 1
            rows.append(timed(number, **when, **row, **live(was, new)))
    return tuple(rows)

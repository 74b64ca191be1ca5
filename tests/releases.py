"""Rows of the ledger for tests."""

from typing import Any

from build.release.rows import FINISHED, Release

ROW: dict[str, Any] = {
    "id": "",
    "env": "dev",
    "at": "2026-01-31T12:00:00+00:00",
    "commit": "a" * 40,
    "dirty": False,
    "handoff_digest": "sha256:" + "1a2b3c4d" * 8,
    "handoff": {"functions": {}, "layers": {}},
}


def release(number: int | str = "", **given: Any) -> Release:
    """Return a row that ended well, unless ``given`` says otherwise."""
    return Release(**{"outcome": FINISHED, **ROW, "id": str(number), **given})

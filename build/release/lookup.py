"""Reads rows: which one is meant, what it is made of, what of it may be shown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from build.errors import InputError
from build.release.handoff import artifact_of
from build.release.rows import Recorded, Release

LATEST = "latest"
HIDDEN = "(hidden)"
"""Stands for the value of an environment variable."""
OWN_VARIABLE = "SLIPWAY_ARTIFACT_DIGEST"
"""Holds no secret: the digest that the row names anyway."""
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{4,64})")
_MOST_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The release that somebody means."""

    release: Release
    digest: str = ""
    """Of the artifact, if it was named by one."""
    also: tuple[str, ...] = ()
    """Ids of the older releases that hold that artifact, too; the newest first."""


def named(rows: Sequence[Release], wanted: str, env: str) -> Named:
    """Return the release ``wanted``: a number, ``latest`` of any outcome, or how the digest of an artifact begins.

    Releases of the first schema are named by how their ids begin. ``rows`` are in the order of time; of several with
    the artifact it is the newest. Raises InputError if there is none, or if the beginning is of more than one.
    """
    name = wanted.strip().lower().removeprefix("#")
    if name == LATEST and rows:
        return Named(release=rows[-1])
    number = str(int(name)) if name.isascii() and name.isdigit() else name
    matching = [row for row in rows if row.id == number] or [
        row for row in rows if name and not row.id.isdigit() and row.id.lower().startswith(name)
    ]
    if len(matching) == 1:
        return Named(release=matching[0])
    digests = {} if matching else _digests(rows, name)
    if len(digests) == 1:
        ((digest, holding),) = digests.items()
        newest, *older = reversed(holding)
        return Named(release=newest, digest=digest, also=tuple(row.id for row in older))
    several = [row.id for row in matching] or sorted(digests)
    rest = [f"and {len(several) - _MOST_LISTED} more"] if len(several) > _MOST_LISTED else []
    raise InputError(
        f"more than one is meant by {wanted}" if several else f"no release is meant by {wanted!r} in {env}",
        facts=several[:_MOST_LISTED] + rest
        or [
            f"expected one of {len(rows)} releases: a number, latest, or four and more hex digits of a digest",
            f"got {wanted}",
        ],
        hint=f"run `invoke releases --env {env}`",
    )


def artifacts_of(release: Release) -> Mapping[str, Recorded]:
    """Return what ``release`` is made of, by place; of the first schema without distributions."""
    if release.artifacts:
        return release.artifacts
    return {
        f"{kind}/{name}": Recorded(
            digest=f"sha256:{artifact['digest_hex']}",
            key=artifact["key"],
            size_bytes=artifact.get("size_bytes", 0),
            distributions={},
        )
        for kind in ("functions", "layers")
        for name, each in release.handoff.get(kind, {}).items()
        if (artifact := artifact_of(each))
    }


def origin_of(rows: Iterable[Release], function: str, version: str) -> str:
    """Return the id of the first release that had ``version`` of ``function``; empty if no row tells of it."""
    return next((row.id for row in rows if row.versions.get(function) == version), "")


def masked(release: Release) -> dict[str, Any]:
    """Return the whole row as JSON, but for the values of environment variables: ledgers are read by many."""
    row = release.to_json()
    functions = {
        name: {
            **each,
            "environment": {
                key: value if key == OWN_VARIABLE else HIDDEN for key, value in each.get("environment", {}).items()
            },
        }
        for name, each in row["handoff"].get("functions", {}).items()
    }
    return {**row, "handoff": {**row["handoff"], "functions": functions}}


def _digests(rows: Iterable[Release], name: str) -> dict[str, list[Release]]:
    """Return the rows by each digest that begins with ``name``; none for what is no beginning of one."""
    match = _DIGEST.fullmatch(name)
    found: dict[str, list[Release]] = {}
    if match:
        for row in rows:
            for digest in sorted({each.digest for each in artifacts_of(row).values()}):
                if digest.removeprefix("sha256:").startswith(match[1]):
                    found.setdefault(digest, []).append(row)
    return found

"""What runs, since when, of which release, and whether it is what the ledger says. Pure."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from build.release.deployed import Deployed
from build.release.rows import ROLLBACK, Release
from build.release.strays import code_of, differing, settled


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One function as it runs."""

    name: str
    in_checkout: bool
    live: str
    """The version callers reach; empty when the function is not deployed."""
    weights: Mapping[str, float]
    """Shares of callers that reach other versions."""
    digest: str
    """Of the artifact that version was made of, in hex, as the ledger has it; empty if no row tells."""
    since: str
    """ISO 8601, UTC: when the release began that brought callers here; empty if no row tells."""
    by: str
    """Id of that release."""
    release: str
    """Id of the one that published the version: the same, unless callers were kept from it, or taken back to it."""
    commit: str | None
    """Of `release`."""
    is_older: bool
    """True when the oldest row that was read has the version already: then it may be of an earlier release."""
    otherwise: tuple[str, ...]
    """What is not as the ledger says."""


def functions_of(rows: Sequence[Release], here: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all functions that are in the checkout, or that the newest release left."""
    newest = settled(rows)
    return tuple(sorted({*here, *(newest.live if newest else ())}))


def status_of(rows: Sequence[Release], here: Iterable[str], functions: Mapping[str, Deployed]) -> tuple[Status, ...]:
    """Return the state of every function; ``rows`` are in the order of time, ``functions`` what Lambda says."""
    here = {*here}
    otherwise: dict[str, list[str]] = {}
    for each in differing(rows, functions):
        otherwise.setdefault(each.function, []).append(f"{each.place.rpartition(':')[2]} {each.text}")
    return tuple(
        _status(name, rows, functions.get(name), in_checkout=name in here, otherwise=tuple(otherwise.get(name, ())))
        for name in functions_of(rows, here)
    )


def _status(
    name: str, rows: Sequence[Release], now: Deployed | None, *, in_checkout: bool, otherwise: tuple[str, ...]
) -> Status:
    live = now.live if now else None
    version = live.version if live else ""
    brought = _brought(rows, name, version)
    origin = next((row for row in rows if row.versions.get(name) == version and row.kind != ROLLBACK), None)
    is_older = origin is not None and origin is rows[0] and origin.id != "1"
    if live and not otherwise and brought is None:
        otherwise = ("no release says so",)
    code = code_of(rows, name, version)
    return Status(
        name=name,
        in_checkout=in_checkout,
        live=version,
        weights=live.weights if live else {},
        digest=base64.b64decode(code).hex() if code else "",
        since=brought.at if brought else "",
        by=brought.id if brought else "",
        release=origin.id if origin else "",
        commit=origin.commit if origin and not is_older else None,
        is_older=is_older,
        otherwise=otherwise,
    )


def _brought(rows: Sequence[Release], name: str, version: str) -> Release | None:
    """Return the first of the settled rows since which callers have been at ``version``."""
    found = None
    for row in reversed([row for row in rows if row.is_settled]):
        if row.live.get(name) != version:
            break
        found = row
    return found

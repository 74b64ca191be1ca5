"""A saved plan: one file that a deploy applies exactly as it is, or refuses.

It holds Terraform's plan of every stack that changes, the hand-off they were made of, and what the env was like.
Values of environment variables are in it: it is as confidential as the state.
"""

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from build.digest import Digest
from build.errors import FindingsError, InputError
from build.rules.values import OWN_STACK as OWN

SCHEMA_VERSION = 1
LASTS = timedelta(hours=72)
"""How long a saved plan may be applied: over a weekend, and no longer than anybody remembers what was in it."""

_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedStack:
    """What a saved plan holds of one stack."""

    plan: str
    """Digest of Terraform's plan file; empty if it changes nothing."""
    inputs: str
    state: str
    """ETag of the state the plan was made against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A saved plan, read."""

    env: str
    commit: str | None
    at: str
    """ISO 8601, UTC: when it was made."""
    handoff: Mapping[str, Any]
    stacks: Mapping[str, SavedStack]
    review: str
    """Digest of the change, as the review has it."""
    verdict: str
    artifacts: tuple[Mapping[str, Any], ...]
    """What was published, as `results.PublishedArtifact.to_json` gives it."""
    files: Mapping[str, bytes]
    """Terraform's plan files, by stack."""


def write(saved: Saved, path: Path) -> Digest:
    """Write ``saved`` to ``path``, whole or not at all and for its owner alone; return the file's digest."""
    manifest = {**asdict(saved), "files": sorted(saved.files), "schema_version": SCHEMA_VERSION}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(_MANIFEST), json.dumps(manifest, indent=2, sort_keys=True))
        for stack, data in sorted(saved.files.items()):
            archive.writestr(zipfile.ZipInfo(_member(stack)), data)
    data = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    return Digest.of_bytes(data)


def read(path: Path) -> Saved:
    """Read the saved plan at ``path``. Raises InputError for anything that is none, or was changed since."""
    again = "run `invoke plan --env ENV --out FILE` and give that file"
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read(_MANIFEST))
            if manifest.pop("schema_version") != SCHEMA_VERSION:
                raise InputError(f"{path} was saved by another version of Slipway", hint=again)
            files = {stack: archive.read(_member(stack)) for stack in manifest["files"]}
            stacks = {name: SavedStack(**each) for name, each in manifest["stacks"].items()}
            saved = Saved(**{**manifest, "stacks": stacks, "files": files, "artifacts": tuple(manifest["artifacts"])})
    except FileNotFoundError:
        raise InputError(f"there is no saved plan {path}", hint=again) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as reason:
        raise InputError(f"{path} is not a saved plan: {reason}", hint=again) from None
    changed = [name for name, data in files.items() if str(Digest.of_bytes(data)) != stacks[name].plan]
    if changed:
        raise InputError(f"{path} was changed after it was saved", facts=[f"stacks: {changed}"], hint=again)
    return saved


def refuse_unless_current(
    saved: Saved, *, env: str, commit: str | None, handoff: Mapping[str, Any], inputs: Mapping[str, str], now: datetime
) -> None:
    """Raise FindingsError, with everything that is wrong at once, unless ``saved`` is what this checkout would plan."""
    wrong = [*_not_ours(saved, env, commit), *_old(saved, now), *_otherwise(saved, handoff, inputs)]
    if wrong:
        raise FindingsError(
            "the saved plan is not for this; nothing was changed",
            facts=wrong,
            hint=f"make another one: `invoke plan --env {env} --out FILE`",
        )


def moved_on(saved: Saved, states: Mapping[str, str]) -> list[str]:
    """Return a line for each stack whose state is no longer the one that the plan was made against."""
    return [
        f"stack {name or OWN}: its state changed after the plan was made"
        for name, stack in saved.stacks.items()
        if states[name] != stack.state
    ]


def _not_ours(saved: Saved, env: str, commit: str | None) -> Iterator[str]:
    if saved.env != env:
        yield f"env: expected {env}, got {saved.env}"
    if saved.commit != commit:
        yield f"commit: expected {commit or 'none'}, got {saved.commit or 'none'}"


def _old(saved: Saved, now: datetime) -> Iterator[str]:
    age = now.astimezone(UTC) - datetime.fromisoformat(saved.at)
    if age > LASTS:
        most = int(LASTS.total_seconds() // 3600)
        yield f"age: expected at most {most} h, got {int(age.total_seconds() // 3600)} h"


def _otherwise(saved: Saved, handoff: Mapping[str, Any], inputs: Mapping[str, str]) -> Iterator[str]:
    """Say where this checkout's settings and Terraform sources differ from what was planned."""
    planned = saved.handoff
    for key in sorted({*handoff, *planned} - {"functions", "layers"}):
        if handoff.get(key) != planned.get(key):
            yield f"{key}: this checkout has another one than the plan"
    for kind in ("functions", "layers"):
        ours, theirs = handoff[kind], planned[kind]
        yield from (f"{kind}/{name}: only in this checkout" for name in sorted(ours.keys() - theirs.keys()))
        yield from (f"{kind}/{name}: only in the plan" for name in sorted(theirs.keys() - ours.keys()))
        yield from (
            f"{kind}/{name}: this checkout has other settings than the plan"
            for name in sorted(ours.keys() & theirs.keys())
            if ours[name] != theirs[name]
        )
    for name, stack in saved.stacks.items():
        if handoff == planned and inputs.get(name) != stack.inputs:
            yield f"stack {name or OWN}: terraform/ of this checkout is another one than the plan's"


def _member(stack: str) -> str:
    return f"plans/{stack or OWN}.tfplan"

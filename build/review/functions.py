"""What changes in each function and each Lambda layer."""

import base64
import binascii
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from build.inspection.differences import Difference, DistributionChange
from build.review.changes import (
    SENSITIVE,
    UNKNOWN,
    Change,
    CodeChange,
    DependencyChange,
    FileChange,
    FunctionReview,
    ImportTime,
    KeyChange,
    LayerReview,
)
from build.review.kinds import keeps_what_it_destroys, kind_of
from build.review.owners import Owners
from build.review.plans import Row, listed
from build.review.reading import FUNCTION_WORDS, settings_of, unsaid, value_at
from build.review.triggers import is_trigger, shares_of, triggers_of

_OWN_KEY = "SLIPWAY_ARTIFACT_DIGEST"
_VARIABLES = "environment.variables"
_ELSEWHERE = frozenset(
    """aws_iam_role aws_iam_role_policy aws_iam_role_policy_attachment aws_lambda_permission aws_sqs_queue_policy
    aws_sns_topic_policy aws_lambda_layer_version""".split()
)
"""Types that the review shows as grants or layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known beside the plan."""

    after: Mapping[str, Any]
    """The new hand-off."""
    before: Mapping[str, Any]
    """The ledger's newest row; empty if there is none."""
    code: Mapping[str, Difference | None]
    """By ``functions/orders`` and ``layers/data``."""
    imports: Mapping[str, ImportTime]
    """By name of the function."""


def functions_of(rows: Iterable[Row], owners: Owners, known: Known) -> tuple[FunctionReview, ...]:
    """Return the functions that change, by name."""
    rows = list(rows)
    mine: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        shares = dict(shares_of(row, owners)) if row.type == "aws_s3_bucket_notification" else {}
        name = owners.function_of(row)
        for owner, part in shares.items() if shares else [(name, row)]:
            if owner is not None and owners.layer_of(row) is None:
                mine[owner].append(part)
    layers = {key for row in rows if row.change and (key := owners.layer_of(row)) is not None}
    reviews = (_function(name, of_it, layers, owners, known) for name, of_it in sorted(mine.items()))
    return tuple(each for each in reviews if each)


def layers_of(rows: Iterable[Row], owners: Owners, known: Known) -> tuple[LayerReview, ...]:
    """Return the layers that change, by key, each once for all functions that use it."""
    found = []
    for row in rows:
        key = owners.layer_of(row)
        if key is not None and row.change not in (None, Change.MOVED):
            handoff = known.after if row.after else known.before.get("handoff", {})
            users = [name for name, f in handoff.get("functions", {}).items() if key in f.get("layers", ())]
            keeps = row.change is Change.REPLACED and keeps_what_it_destroys(row)
            found.append(
                LayerReview(
                    name=key,
                    change=Change.CHANGED if keeps else row.change or Change.CHANGED,
                    functions=tuple(sorted(users)),
                    code=_code(row, f"layers/{key}", known),
                )
            )
    return tuple(sorted(found, key=lambda each: each.name))


def _function(name: str, rows: list[Row], layers: set[str], owners: Owners, known: Known) -> FunctionReview | None:
    main = next((row for row in rows if row.type == "aws_lambda_function" and row.keys[:1] == (name,)), None)
    main = main or next((row for row in rows if row.type == "aws_lambda_function"), None)
    triggers = triggers_of(rows)
    changing = [row for row in rows if row.change]
    if not changing or (main is None and not triggers):
        return None
    stays = main is None or main.change is None
    change = Change.CHANGED if main is None or main.change is None else main.change
    whole = change in (Change.ADDED, Change.REMOVED)
    others = () if whole else tuple(_others(changing))
    code = _code(main, f"functions/{name}", known) if main and not stays else None
    used = _layers(main, name, layers, owners, known) if main and not stays else ()
    return FunctionReview(
        name=name,
        function_name=str(main.now.get("function_name")) if main else f"{owners.prefix}-{name}",
        stack=changing[0].stack,
        change=change,
        live=_live(rows, name, known),
        code=code,
        import_time=known.imports.get(name),
        settings=() if whole else tuple(_settings(changing)),
        environment=tuple(_environment(main, code is not None)) if main and not stays and not whole else (),
        triggers=triggers,
        layers=used,
        others=others,
    )


def _settings(rows: Iterable[Row]) -> Iterator[Any]:
    found = {each for row in rows if row.type in FUNCTION_WORDS for each in settings_of(row, FUNCTION_WORDS[row.type])}
    yield from sorted(found, key=lambda each: (each.name, str(each.before), str(each.after)))


def _others(rows: Iterable[Row]) -> Iterator[str]:
    """Yield what no other part of the review says."""
    for row in sorted(rows, key=lambda row: (row.type, row.address)):
        if row.type in _ELSEWHERE or is_trigger(row):
            continue
        paths = unsaid(row, FUNCTION_WORDS.get(row.type, {}))
        if row.type == "aws_lambda_function" and row.change is Change.CHANGED:
            yield from (f"{path} changed" for path in paths)
        elif row.type != "aws_lambda_function" and (row.change is not Change.CHANGED or paths):
            told = f" ({', '.join(paths)})" if paths else ""
            yield f"{kind_of(row).word} {row.change}{told}"


def _environment(row: Row, has_new_code: bool) -> Iterator[KeyChange]:
    """Yield what happens to the names of environment variables."""
    sides = [value_at(each, _VARIABLES) or {} for each in (row.before, row.after)]
    if not all(isinstance(each, Mapping) for each in sides):
        if row.differs("environment"):
            yield KeyChange(name=SENSITIVE if SENSITIVE in sides else UNKNOWN, change=Change.CHANGED)
        return
    before, after = ({*each} for each in sides)
    told = {path.rpartition(".variables.")[2] for path in row.changed if ".variables." in path}
    whole = any(path.startswith("environment") and ".variables." not in path for path in row.changed)
    for name in sorted(before | after):
        if name == _OWN_KEY and has_new_code:
            continue
        if name not in before or name not in after:
            yield KeyChange(name=name, change=Change.ADDED if name in after else Change.REMOVED)
        elif name in told or whole:
            yield KeyChange(name=name, change=Change.CHANGED)


def _layers(row: Row, name: str, changing: set[str], owners: Owners, known: Known) -> tuple[KeyChange, ...]:
    """Return what happens to the layers of a function, by key; AWS tells a new version's ARN only afterwards."""
    had = {_layer_key(each, owners): each for each in listed(row.before.get("layers")) if isinstance(each, str)}
    said = row.after.get("layers") or []
    will_have: dict[str, str] = {}
    if isinstance(said, list):
        will_have = {_layer_key(each, owners): each for each in said if isinstance(each, str)}
    if not isinstance(said, list) or len(will_have) < len(said) or "(known after apply)" in will_have:
        will_have = dict.fromkeys(known.after.get("functions", {}).get(name, {}).get("layers", ()), "")
    return tuple(
        KeyChange(name=key, change=_kept(key in had, key in will_have))
        for key in sorted({*had, *will_have})
        if had.get(key) is None
        or will_have.get(key) is None
        or key in changing
        or had[key] != (will_have[key] or had[key])
    )


def _kept(before: bool, after: bool) -> Change:
    return Change.CHANGED if before and after else Change.ADDED if after else Change.REMOVED


def _layer_key(arn: str, owners: Owners) -> str:
    """Return the key of one of our layers; of any other the ARN without its version, so that a new one is a change."""
    base = arn.rpartition(":")[0] if ":layer:" in arn else arn
    key = base.rpartition(":")[2].removeprefix(f"{owners.prefix}-")
    return key if key in owners.layers else base


def _live(rows: Iterable[Row], name: str, known: Known) -> str | None:
    """Return the version callers reach now: as the refresh found it, else as the ledger has it."""
    for row in rows:
        if row.type == "aws_lambda_alias" and row.before.get("name") == "live":
            return str(row.before.get("function_version"))
    version = known.before.get("live", {}).get(name)
    return None if version is None else str(version)


def _code(row: Row, key: str, known: Known) -> CodeChange | None:
    """Return what changes in the bytes behind ``row``."""
    before, after = _digest(row.before, known.before.get("handoff", {}), key), _digest(row.after, known.after, key)
    if before == after and not row.differs("image_uri", "s3_key", "source_code_hash"):
        return None
    told = known.code.get(key)
    if told is None or (before and not told.zip_bytes[0]):  # it runs, but the ledger knows nothing of it
        return CodeChange(before_digest=before, after_digest=after, is_known=False)
    return CodeChange(
        before_digest=before,
        after_digest=after,
        is_known=True,
        files=tuple(
            FileChange(
                path=each.path,
                change=_kept(each.before_bytes is not None, each.after_bytes is not None),
                before_bytes=each.before_bytes,
                after_bytes=each.after_bytes,
            )
            for each in told.files
            if not each.owner and not each.path.endswith(".pyc")
        ),
        dependencies=tuple(sorted(map(_dependency, told.distributions), key=lambda each: each.name)),
        zip_bytes=told.zip_bytes,
        unzipped_bytes=told.unzipped_bytes,
    )


def _digest(values: Mapping[str, Any], handoff: Mapping[str, Any], key: str) -> str | None:
    """Return the digest, in hex, of the zip or image that ``values`` run; what the plan says goes first."""
    if not values:
        return None
    image = values.get("image_uri")
    if isinstance(image, str) and "@sha256:" in image:
        return image.rpartition("@sha256:")[2]
    said = values.get("source_code_hash")
    try:
        return base64.b64decode(said, validate=True).hex() if isinstance(said, str) and said else None
    except binascii.Error:
        folder, _, name = key.partition("/")
        artifact = handoff.get(folder, {}).get(name, {}).get("artifact") or {}
        return artifact.get("digest_hex")


def _dependency(change: DistributionChange) -> DependencyChange:
    return DependencyChange(
        name=change.name,
        before=change.before,
        after=change.after,
        step=step_of(change.before, change.after),
        before_bytes=change.before_bytes,
        after_bytes=change.after_bytes,
    )


def step_of(before: str | None, after: str | None) -> str:
    """Return how far two versions are apart: ``major``, ``minor``, ``patch``, … as `DependencyChange` has it."""
    from packaging.version import InvalidVersion, Version  # here: renderers need no packaging

    if before is None or after is None:
        return "added" if after else "removed"
    if before == after:
        return "same version"
    try:
        old, new = Version(before), Version(after)
    except InvalidVersion:
        return "major"  # nothing says that it is less
    step = "patch"
    if (old.epoch, old.major) != (new.epoch, new.major):
        step = "major"
    elif old.minor != new.minor:
        step = "minor"
    return step if new >= old else f"{step} down"

"""The review of a plan: what runs now is fetched and laid beside what would run, and shown in every form."""

import json
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from build.digest import Digest
from build.errors import SlipwayError, ToolError
from build.estate import Estate
from build.images.assembled import zips_of
from build.inspection.contents import read_contents
from build.inspection.differences import NOTHING, Difference, difference
from build.local import runtime_bundle
from build.local.importing import code_of_release, race
from build.model import FunctionSpec, Target
from build.project.profiles import host_architecture
from build.release.aws import Aws, asking
from build.release.handoff import artifact_of
from build.release.rows import Release
from build.release.strays import CODE, Differing, Stray
from build.report import Reporter
from build.results import Plan, Planned, PublishedArtifact
from build.review.changes import Change, ImportTime
from build.review.drift import has_foreign_code
from build.review.markdown import markdown
from build.review.page import page
from build.review.reviewing import review_of
from build.review.rules import reasons_of, worst
from build.review.shapes import to_json
from build.review.words import Drift, Review
from build.rules.arns import FOREIGN_LAYER
from build.store.objects import Store

IMPORTS = 5
"""Functions whose import is measured, at most."""
IMPORTS_S = 15.0
"""For all of them."""


def review(planned: Planned, newest: Mapping[str, Any] | None, estate: Estate, *, commit: str | None) -> Review:
    """Return the review of ``planned``; ``newest`` is the ledger's newest row. What runs now is fetched if need be."""
    workspace = planned.workspace
    repository = workspace.github_repository
    code = dict(_code(planned, newest, estate.aws, estate.show))
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    return review_of(
        plans={plan.stack: plan.document for plan in planned.plans},
        after=planned.handoff,
        before=newest,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit,
        repository_url=f"{server}/{repository}" if repository else None,
        code=code,
        imports=dict(_imports(planned, newest, code, estate)) if newest and planned.changes else {},
        commands=estate.commands([plan.stack for plan in planned.plans]),
    )


def judged(planned: Planned, newest: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return digest and verdict of what was planned, by the plans alone: nothing is fetched or measured for it."""
    made = review_of(
        plans={plan.stack: plan.document for plan in planned.plans}, after=planned.handoff, before=newest, at=""
    )
    return made.digest, str(made.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """What is otherwise than the ledger, and the states, say."""

    last: Release
    """The newest release, however it ended."""
    code: tuple[Differing, ...]
    """Code and aliases, against the ledger."""
    configuration: tuple[Drift, ...]
    """What Terraform finds."""
    strays: tuple[Stray, ...]
    """What carries our tags, and is in no state."""
    review: Review
    """Shows all of it as drift."""


def drift(
    plans: Iterable[Plan], rows: Sequence[Release], newest: Release, code: Iterable[Differing], strays: Iterable[Stray]
) -> Drifted:
    """Return what is otherwise than ``newest`` left it; ``plans`` are of what was released already."""
    made = _drift_of_plans(plans, newest.to_json())
    code, strays = tuple(code), tuple(strays)
    foreign = {each.subject for each in made.drift if has_foreign_code(each)}
    found = [*_drift_of_code(code, foreign), *_drift_of_strays(strays), *made.drift]
    review = replace(made, drift=tuple(found))
    reasons = reasons_of(review, made.reasons)
    review = replace(review, reasons=reasons, verdict=worst(reasons))
    return Drifted(last=rows[-1], code=code, configuration=made.drift, strays=strays, review=review)


def _drift_of_code(code: Iterable[Differing], foreign: Collection[str]) -> Iterator[Drift]:
    for each in code:
        subject = f"functions/{each.function}"
        if each.what == CODE and subject in foreign:
            continue  # Terraform has seen it, too
        yield Drift(
            subject=subject,
            address=each.place,
            kind="function" if each.what == CODE else "alias",
            name=each.place,
            change=Change.CHANGED if each.what else Change.REMOVED,
            attributes=(each.what,) if each.what else (),
            is_undone=False,
        )


def _drift_of_strays(strays: Iterable[Stray]) -> Iterator[Drift]:
    for each in strays:
        if each.is_sure:
            kind = each.arn.split(":")[2]
            change = Change.ADDED
            yield Drift(
                subject=each.arn,
                address=each.arn,
                kind=kind,
                name=each.arn.rpartition(":")[2],
                change=change,
                attributes=(),
                is_undone=False,
            )


def _drift_of_plans(plans: Iterable[Plan], newest: Mapping[str, Any]) -> Review:
    return review_of(
        plans={plan.stack: plan.document for plan in plans},
        after=newest["handoff"],
        before=newest,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=newest["commit"],
    )


def write(made: Review, folder: Path, name: str = "review") -> None:
    """Write ``made`` into ``folder`` as review.md, review.json and review.html, or with another ``name``."""
    texts = {
        "md": markdown(made),
        "json": json.dumps(to_json(made), indent=2, ensure_ascii=False) + "\n",
        "html": page(made),
    }
    for ending, text in texts.items():
        draft = folder / f".{name}.{ending}.draft"
        draft.write_text(text, encoding="utf-8")
        draft.replace(folder / f"{name}.{ending}")


def _code(
    planned: Planned, newest: Mapping[str, Any] | None, aws: Aws, show: Reporter
) -> Iterator[tuple[str, Difference | None]]:
    """Yield, by place, how the artifact differs from the one that runs, if any does; None if that is not known."""
    store = Store(planned.workspace.generated / "store")
    running = (newest or {}).get("handoff", {})
    for each in planned.published:
        kind = each.artifact.identity.partition("/")[0]
        before = artifact_of(running.get(kind, {}).get(each.artifact.key, {}))
        if before is None:
            yield each.artifact.place, _difference(None, each, aws, store)
        elif before["digest_hex"] != each.artifact.digest.hex:
            show.say(f"comparing {each.artifact.place} with what runs")
            yield each.artifact.place, _difference(before, each, aws, store)


def _difference(before: Mapping[str, Any] | None, now: PublishedArtifact, aws: Aws, store: Store) -> Difference | None:
    new = fetched({"digest_hex": now.artifact.digest.hex, "key": now.location}, aws, store)
    old = fetched(before, aws, store) if before else None
    if new is None or (before and old is None):
        return None
    return difference(read_contents(old) if old else NOTHING, read_contents(new))


def _imports(
    planned: Planned, newest: Mapping[str, Any], code: Mapping[str, Difference | None], estate: Estate
) -> Iterator[tuple[str, ImportTime]]:
    """Yield, by name, what the changes do to the import time of functions; of many for those that change most."""
    rows = (newest, {"handoff": planned.handoff})
    handoffs = [row["handoff"] for row in rows]
    weighed = [(_weight(handoffs, spec.name, code), spec) for spec in planned.workspace.functions]
    changing = [spec for weight, spec in sorted(weighed, key=lambda each: (-each[0], each[1].name)) if weight]
    unready = _unready({spec.target for spec in changing[:IMPORTS]}, estate)
    until = time.monotonic() + IMPORTS_S
    for spec in changing[:IMPORTS]:
        yield spec.name, _import_time(spec, rows, until, estate, unready.get(spec.target, ""))
    for spec in changing[IMPORTS:]:
        yield spec.name, ImportTime(not_measured=f"{IMPORTS} others change more")


def _unready(targets: Iterable[Target], estate: Estate) -> dict[Target, str]:
    """Return why what Lambda's runtimes hold cannot be had, by target; it is fetched if need be."""
    found = {}
    for target in sorted(targets):
        try:
            if target.architecture is host_architecture():
                runtime_bundle.ensure(estate.workspace.root, target.runtime, on_progress=estate.show.say)
        except ToolError as reason:
            found[target] = reason.summary
    return found


def _import_time(
    spec: FunctionSpec, rows: Sequence[Mapping[str, Any]], until: float, estate: Estate, unready: str
) -> ImportTime:
    if unready:
        return ImportTime(not_measured=unready)
    estate.show.say(f"importing {spec.name}, as it runs and as it would")
    store = Store(estate.workspace.generated / "store")
    try:
        for row in rows:
            for artifact in _artifacts(row["handoff"], spec.name).values():
                fetched(artifact, estate.aws, store)
        before, after = (code_of_release(spec, row, store) for row in rows)
        if before is None or after is None:
            return ImportTime(not_measured="its code, or a layer's, could not be read")
        found = race(before, after, estate.workspace, store, until=until)
    except SlipwayError as reason:  # nothing that will run depends on it
        return ImportTime(not_measured=reason.summary)
    except OSError as reason:
        return ImportTime(not_measured=reason.strerror or type(reason).__name__)
    return ImportTime(not_measured=found.not_run) if found.not_run else ImportTime.of(found.before_ms, found.after_ms)


def _weight(handoffs: Sequence[Mapping[str, Any]], name: str, code: Mapping[str, Difference | None]) -> int:
    """Return how many bytes of a function and its layers are not as they run; 0 also for one that does not run."""
    before, after = (_artifacts(handoff, name) for handoff in handoffs)
    if not before or before == after:
        return 0
    weight = 0
    for place in before.keys() | after.keys():
        if before.get(place) != after.get(place):
            found = code.get(place)
            weight += sum(max(each.before_bytes or 0, each.after_bytes or 0) for each in found.files) if found else 1
    return weight


def _artifacts(handoff: Mapping[str, Any], name: str) -> dict[str, Mapping[str, Any]]:
    """Return what the function ``name`` and its layers are made of, by place; nothing if it is not in ``handoff``."""
    function = handoff["functions"].get(name)
    if function is None:
        return {}
    own = [key for key in function["layers"] if not key.startswith(FOREIGN_LAYER)]
    places = {f"functions/{name}": function, **{f"layers/{key}": handoff["layers"][key] for key in own}}
    return {place: artifact for place, each in places.items() if (artifact := artifact_of(each))}


def fetched(artifact: Mapping[str, Any], aws: Aws, store: Store) -> Path | None:
    """Return the zip of ``artifact``, from the store or else from the bucket; None if nobody has it any more.

    Of an image it is what its code was put on from, which the bucket never has.
    """
    digest, key = Digest(artifact["digest_hex"]), artifact["key"]
    is_image = "@" in key
    zips = zips_of(digest, store) if is_image else (digest,)
    path = store.artifact(zips[0] if zips else digest)
    if path.is_file():
        return path
    if is_image:
        return None
    s3 = aws.client("s3")
    with store.scratch() as folder, asking(f"fetching {key}", hint="it takes s3:GetObject on the artifact bucket"):
        draft = folder / "artifact.zip"
        try:
            answer = s3.get_object(Bucket=aws.env.artifact_bucket, Key=key, ExpectedBucketOwner=aws.env.account_id)
        except s3.exceptions.NoSuchKey:
            return None
        with draft.open("wb") as stream:
            for chunk in answer["Body"].iter_chunks(1 << 20):
                stream.write(chunk)
        return store.keep(draft, path) if Digest.of_file(draft) == digest else None

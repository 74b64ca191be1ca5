"""From plans and hand-offs to a `Review`. Pure: what is not given is not asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from build.inspection.differences import Difference
from build.release.rows import brought_forward
from build.review.changes import Change, ImportTime, KeyChange
from build.review.costs import costs_of
from build.review.drift import drift_in
from build.review.effects import interruptions_of, losses_of, public_of, shortened_of, unprotected_of
from build.review.functions import Known, functions_of, layers_of
from build.review.grants import grants_of
from build.review.identity import change_digest
from build.review.kinds import keeps_what_it_destroys, kind_of, name_of
from build.review.owners import Owners, owners_of
from build.review.plans import PlanJson, Row, changed_outputs, drift_of, failed_checks, rows_of
from build.review.reading import attributes_of
from build.review.rules import reason, reasons_of, worst
from build.review.words import Reason, Resource, Review, Running, Verdict


def review_of(
    *,
    plans: Mapping[str, PlanJson],
    after: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    at: str,
    commit: str | None = None,
    repository_url: str | None = None,
    code: Mapping[str, Difference | None] | None = None,
    imports: Mapping[str, ImportTime] | None = None,
    commands: tuple[str, ...] = (),
) -> Review:
    """Return what ``plans`` would change.

    ``plans`` are what ``terraform show -json`` says of each stack's saved plan; a repository without stacks has one,
    under the empty name. ``after`` is the new hand-off of the whole env, ``before`` the ledger's newest row. ``code``
    has the difference between what runs and what was built by ``functions/orders`` and ``layers/data``, None where it
    is not known; ``imports`` the times by function. ``at`` is ISO 8601 in UTC.
    """
    row = before or {}
    handoffs = [after, *([row["handoff"]] if row.get("handoff") else [])]
    rows = [each for stack, plan in sorted(plans.items()) for each in rows_of(stack, plan)]
    drifted = [each for stack, plan in sorted(plans.items()) for each in drift_of(stack, plan)]
    owners = owners_of([*rows, *drifted], handoffs)
    lasting = [each for each in rows if not _goes_with_its_bucket(each, rows)]
    known = Known(after=after, before=row, code=code or {}, imports=imports or {})
    review = replace(
        _changed(_blank(after, row, at, commit, repository_url), rows, owners, known),
        grants=grants_of(lasting, owners, after),
        public=public_of(lasting, owners, after),
        drift=drift_in(drifted, rows, owners),
        outputs=tuple(_outputs(plans)),
        stacks=tuple(sorted(stack for stack in plans if stack)),
        commands=commands,
        digest=change_digest(plans),
    )
    others = [
        *_of_plans(plans, after, owners),
        *_of_returns(row, after),
        *_of_rows(lasting, owners),
        *_of_drifted(drifted, owners),
    ]
    reasons = reasons_of(review, others)
    return replace(review, reasons=reasons, verdict=worst(reasons))


def _changed(review: Review, rows: list[Row], owners: Owners, known: Known) -> Review:
    """Return ``review`` with what comes, goes and changes by ``rows``."""
    functions = functions_of(rows, owners, known)
    return replace(
        review,
        functions=functions,
        unchanged=len({*known.after.get("functions", {})} - {each.name for each in functions}),
        layers=layers_of(rows, owners, known),
        losses=losses_of(rows, owners),
        interruptions=interruptions_of(rows, owners),
        costs=costs_of(rows, owners),
        resources=tuple(_resource(each, owners) for each in rows if each.change),
    )


def _blank(
    after: Mapping[str, Any], row: Mapping[str, Any], at: str, commit: str | None, repository_url: str | None
) -> Review:
    """Return the review of no plan at all, between ``row`` and ``commit``."""
    running = _running(row, repository_url)
    return Review(
        env=str(after["env"]),
        repository=str(after["name"]),
        at=at,
        commit=commit,
        commit_url=_url(repository_url, "commit", commit),
        compare_url=_compare_url(repository_url, running, commit),
        running=running,
        verdict=Verdict.SAFE,
        reasons=(),
        functions=(),
        unchanged=0,
        layers=(),
        grants=(),
        public=(),
        losses=(),
        interruptions=(),
        costs=costs_of((), owners_of((), [after])),
        drift=(),
        resources=(),
        outputs=(),
        stacks=(),
        commands=(),
        digest="",
    )


def _outputs(plans: Mapping[str, PlanJson]) -> Iterator[KeyChange]:
    for stack, plan in sorted(plans.items()):
        for name, change in changed_outputs(plan):
            yield KeyChange(name=f"{stack}: {name}" if stack else name, change=change)


def _of_plans(plans: Mapping[str, PlanJson], after: Mapping[str, Any], owners: Owners) -> Iterator[Reason]:
    """Yield what is wrong with the plans themselves."""
    for stack, plan in sorted(plans.items()):
        subject = f"stack {stack}" if stack else "the plan"
        if plan.get("errored"):
            yield reason("plan-incomplete", subject, "Terraform could not finish it: applying it would do a part")
        elif plan.get("complete") is False:
            yield reason("plan-incomplete", subject, "it leaves a part for later: targets, or what is not known yet")
        for address in failed_checks(plan):
            yield reason("check-failed", owners.subject_at(stack, address), _check_words(address))
        for key in _foreign(plan, after):
            yield reason("other-handoff", key, "the plan was made for another hand-off than this one")


def _check_words(address: str) -> str:
    if address.startswith("data.aws_s3_object.artifact["):
        return "the artifact bucket does not hold the bytes that were built: somebody put others there"
    return f"a condition of {address} does not hold"


def _foreign(plan: PlanJson, after: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of the hand-off that the plan was made for is not in this one, or is otherwise; a stack has a part."""
    variables = plan.get("variables") or {}
    for kind in ("functions", "layers"):
        planned = (variables.get(kind) or {}).get("value")
        if isinstance(planned, Mapping):
            wanted = after.get(kind, {})
            yield from (f"{kind}/{name}" for name in sorted(planned) if planned[name] != wanted.get(name))


def _of_returns(row: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Reason]:
    for name, version in brought_forward(row, after).items():
        text = f"version {version} was taken back, callers have {row['live'][name]}: the deploy brings it forward again"
        yield reason("taken-back", f"functions/{name}", text)


def _of_rows(rows: list[Row], owners: Owners) -> Iterator[Reason]:
    for note in unprotected_of(rows, owners):
        yield reason("protection-removed", note.subject, note.text)
    for note in shortened_of(rows, owners):
        yield reason("retention-shortened", note.subject, note.text)


def _of_drifted(rows: list[Row], owners: Owners) -> Iterator[Reason]:
    for note in public_of(rows, owners, {}):
        yield reason("access-outside", note.subject, f"{note.text}, by somebody outside Terraform")


def _goes_with_its_bucket(row: Row, rows: list[Row]) -> bool:
    """Tell whether ``row`` is a part of a bucket that is destroyed as a whole: it then protects nothing any more."""
    return (
        row.type.startswith("aws_s3_bucket_")
        and row.change is Change.REMOVED
        and any(
            each.type == "aws_s3_bucket"
            and each.change is Change.REMOVED
            and each.before.get("bucket") == row.before.get("bucket")
            for each in rows
        )
    )


def _resource(row: Row, owners: Owners) -> Resource:
    keeps = row.change is Change.REPLACED and keeps_what_it_destroys(row)
    return Resource(
        subject=owners.subject_of(row),
        address=row.address,
        stack=row.stack,
        kind=kind_of(row).word,
        name=name_of(row),
        change=Change.CHANGED if keeps or row.change is None else row.change,
        attributes=attributes_of(row),
        moved_from=row.moved_from,
    )


def _running(row: Mapping[str, Any], repository_url: str | None) -> Running | None:
    if not row:
        return None
    return Running(
        id=row["id"],
        at=row["at"],
        commit=row["commit"],
        dirty=row["dirty"],
        url=_url(repository_url, "commit", row["commit"]),
    )


def _url(repository_url: str | None, kind: str, name: str | None) -> str | None:
    return f"{repository_url.rstrip('/')}/{kind}/{name}" if repository_url and name else None


def _compare_url(repository_url: str | None, running: Running | None, commit: str | None) -> str | None:
    if running is None or not running.commit or not commit or running.commit == commit:
        return None
    return _url(repository_url, "compare", f"{running.commit}...{commit}")

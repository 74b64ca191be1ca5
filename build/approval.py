"""A plan that somebody has read, applied later and elsewhere: exactly that plan, or nothing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from build.digest import Digest
from build.errors import FindingsError
from build.estate import Estate, Stack
from build.release import saved as plans
from build.release.handoff import digest_of, handoff_of
from build.release.publishers import Publisher
from build.release.saved import Saved, SavedStack
from build.results import Plan, Planned, PublishedArtifact
from build.review.identity import change_digest


def saved_of(planned: Planned, *, commit: str | None, review: str, verdict: str) -> Saved:
    """Return what a later deploy has to know of ``planned``, and of what its reviewers were shown."""
    files = {plan.stack: plan.path.read_bytes() for plan in planned.plans if not plan.is_empty}
    return Saved(
        env=planned.workspace.env.name,
        commit=commit,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        handoff=planned.handoff,
        stacks={
            plan.stack: SavedStack(
                plan=str(Digest.of_bytes(files[plan.stack])) if plan.stack in files else "",
                inputs=plan.inputs,
                state=plan.state,
            )
            for plan in planned.plans
        },
        review=review,
        verdict=verdict,
        artifacts=tuple(each.to_json() for each in planned.published),
        files=files,
    )


def approved(
    saved: Saved, estate: Estate, publisher: Publisher, *, commit: str | None
) -> tuple[Planned, tuple[Stack, ...], list[str]]:
    """Return ``saved`` as it may be applied, the stacks it is of, and a line for each whose state has moved on.

    Raises FindingsError if it was made for another env or commit, of other settings or Terraform sources than this
    checkout's, too long ago, or of artifacts that are not there any more, byte for byte.
    """
    workspace = estate.workspace
    published = tuple(map(PublishedArtifact.from_json, saved.artifacts))
    stacks = estate.stacks(published)
    handoff = handoff_of(workspace, published)
    plans.refuse_unless_current(
        saved,
        env=workspace.env.name,
        commit=commit,
        handoff=handoff,
        inputs={stack.name: stack.inputs for stack in stacks},
        now=datetime.now(UTC),
    )
    _refuse_other_bytes(published, publisher, workspace.env.name)
    moved = plans.moved_on(saved, {stack.name: stack.state for stack in stacks})
    planned = Planned(
        workspace=workspace,
        published=published,
        handoff=handoff,
        handoff_digest=digest_of(handoff),
        plans=() if moved else tuple(_plans(saved, stacks, estate)),
        settled=tuple(stack.name for stack in stacks if stack.name not in saved.stacks),
    )
    return planned, stacks, moved


def _plans(saved: Saved, stacks: Sequence[Stack], estate: Estate) -> list[Plan]:
    """Put Terraform's plan files where Terraform finds them, and read them."""
    made = []
    for stack in stacks:
        if stack.name in saved.stacks:
            plan = estate.restored(stack, saved.files.get(stack.name))
            made.append(replace(plan, inputs=stack.inputs, state=stack.state))
    return made


def _refuse_other_bytes(published: Sequence[PublishedArtifact], publisher: Publisher, env: str) -> None:
    """Raise FindingsError unless every artifact is in the bucket with the digest it was planned with."""
    wrong = [
        f"{each.artifact.identity}: expected {each.artifact.digest} at {each.location}, got other bytes or none"
        for each in published
        if not publisher.exists(each.location, each.artifact.digest)
    ]
    if wrong:
        raise FindingsError(
            "published artifacts are not the bytes that were planned; nothing was changed",
            facts=wrong,
            hint=f"find out who changed them, then make another plan: `invoke plan --env {env} --out FILE`",
        )


def planned_again(
    saved: Saved, planned: Planned, stacks: Sequence[Stack], moved: Sequence[str], estate: Estate, *, replan: bool
) -> Planned:
    """Plan anew what ``saved`` planned, since a state moved on; raise FindingsError if that is another change."""
    env = saved.env
    if not replan:
        raise FindingsError(
            "the saved plan is stale; nothing was changed",
            facts=moved,
            hint=f"run `invoke deploy --env {env} --plan FILE --replan`, which goes on if the change is still the same",
        )
    with estate.show.stage("plan"):
        plans_now = estate.plan([stack for stack in stacks if stack.name in saved.stacks], lock=True)
    again = replace(planned, plans=plans_now)
    if again.changes and change_digest({plan.stack: plan.document for plan in plans_now}) != saved.review:
        raise FindingsError(
            "planned again, it is another change than the one that was approved; nothing was changed",
            facts=[*moved, *(f"now: {' and '.join(each.actions)} {each.address}" for each in again.changes)],
            hint=f"have a new plan approved: `invoke plan --env {env} --out FILE`",
        )
    return again

"""The review of a plan: what runs now is fetched and laid beside what would run, and shown in every form."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from build.digest import Digest
from build.estate import Estate
from build.inspection.contents import read_contents
from build.inspection.differences import Difference, difference
from build.release.aws import Aws, asking
from build.report import Reporter
from build.results import Plan, Planned, PublishedArtifact
from build.review.markdown import markdown
from build.review.page import page
from build.review.reviewing import review_of
from build.review.shapes import to_json
from build.review.words import Review
from build.store.objects import Store


def review(planned: Planned, newest: Mapping[str, Any] | None, estate: Estate, *, commit: str | None) -> Review:
    """Return the review of ``planned``; ``newest`` is the ledger's newest row. What runs now is fetched if need be."""
    workspace = planned.workspace
    repository = workspace.github_repository
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    return review_of(
        plans={plan.stack: plan.document for plan in planned.plans},
        after=planned.handoff,
        before=newest,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit,
        repository_url=f"{server}/{repository}" if repository else None,
        code=dict(_code(planned, newest, estate.aws, estate.show)),
        commands=estate.commands([plan.stack for plan in planned.plans]),
    )


def drift(plans: Iterable[Plan], newest: Mapping[str, Any]) -> Review:
    """Return a review of ``plans`` of what was released already: its drift is all there is to it."""
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
    """Yield, by place, how the artifact differs from the one that runs; None if that is not known."""
    store = Store(planned.workspace.generated / "store")
    running = (newest or {}).get("handoff", {})
    for each in planned.published:
        kind = each.artifact.identity.partition("/")[0]
        before = running.get(kind, {}).get(each.artifact.key, {}).get("artifact")
        if before and before["digest_hex"] != each.artifact.digest.hex:
            show.say(f"comparing {each.artifact.place} with what runs")
            yield each.artifact.place, _difference(before, each, aws, store)


def _difference(before: Mapping[str, Any], now: PublishedArtifact, aws: Aws, store: Store) -> Difference | None:
    env = aws.env
    old = _fetched(Digest(before["digest_hex"]), before["key"], aws, store, env.artifact_bucket)
    new = _fetched(now.artifact.digest, now.location, aws, store, env.artifact_bucket)
    return difference(read_contents(old), read_contents(new)) if old and new else None


def _fetched(digest: Digest, key: str, aws: Aws, store: Store, bucket: str) -> Path | None:
    """Return the zip of ``digest``, from the store or else from the artifact bucket; None if nobody has it any more."""
    path = store.artifact(digest)
    if path.is_file():
        return path
    s3 = aws.client("s3")
    with store.scratch() as folder, asking(f"fetching {key}", hint="it takes s3:GetObject on the artifact bucket"):
        draft = folder / "artifact.zip"
        try:
            answer = s3.get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=aws.env.account_id)
        except s3.exceptions.NoSuchKey:
            return None
        with draft.open("wb") as stream:
            for chunk in answer["Body"].iter_chunks(1 << 20):
                stream.write(chunk)
        return store.keep(draft, path) if Digest.of_file(draft) == digest else None

"""What a release puts into the ledger: who, from what, with what."""

import os
import platform
import re
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from build import process
from build.digest import Digest
from build.errors import ToolError
from build.infra.binary import terraform_version
from build.local import cloud
from build.local.watched import Watched
from build.locking.formats import lock_path, source_of
from build.model import Workspace
from build.release.aws import Aws
from build.release.lease import Lease, leased
from build.release.ledger import Ledger
from build.release.rows import Applied, Author, Recorded, Release
from build.report import Reporter
from build.results import Plan, Planned

_PROVIDER = re.compile(r'^provider "[^"]*/hashicorp/aws" \{\s*version\s*=\s*"([^"]+)"', re.MULTILINE)


def ledger(workspace: Workspace, aws: Aws) -> Ledger:
    """Return the ledger of the env."""
    env = workspace.env
    return Ledger(s3=aws.client("s3"), bucket=env.artifact_bucket, owner=env.account_id)


def held(
    workspace: Workspace, aws: Aws, show: Reporter, *, verb: str, over: bool = False
) -> AbstractContextManager[Lease]:
    """Hold the env's lease meanwhile; ``over`` takes it from whoever holds it. Watched code runs no more."""
    env = workspace.env
    if env.is_local and (running := cloud.running(workspace.root)):
        Watched(running).end()
    who = author(aws)
    return leased(
        aws.client("s3"),
        {"Bucket": env.artifact_bucket, "ExpectedBucketOwner": env.account_id},
        env=env.name,
        verb=verb,
        arn=who.arn,
        run=who.run,
        say=show.note,
        over=over,
        one_machine=env.is_local,
    )


def draft(planned: Planned, aws: Aws, *, review: str, verdict: str) -> Release:
    """Return the row of a deploy of ``planned`` that has not begun."""
    workspace = planned.workspace
    root = workspace.root
    return Release(
        id="",
        env=workspace.env.name,
        at="",
        commit=commit_of(root),
        dirty=is_dirty(root),
        handoff_digest=str(planned.handoff_digest),
        handoff=planned.handoff,
        by=author(aws),
        locks=_locks(workspace),
        artifacts={
            each.artifact.place: Recorded(
                digest=str(each.artifact.digest),
                key=each.location,
                size_bytes=each.artifact.size_bytes,
                distributions={found.name: found.version for found in each.artifact.distributions},
            )
            for each in planned.published
        },
        stacks={spec.name: spec.options.stack for spec in workspace.functions if spec.options.stack},
        plans=plans_of(planned.plans),
        review=review,
        verdict=verdict,
        tools=tools(root),
    )


def plans_of(plans: Iterable[Plan]) -> dict[str, Applied]:
    """Return what a row tells of ``plans``, by stack."""
    return {
        plan.stack: Applied(digest="" if plan.is_empty else str(Digest.of_file(plan.path)), changes=len(plan.changes))
        for plan in plans
    }


def author(aws: Aws, environ: Mapping[str, str] = os.environ) -> Author:
    """Return whose credentials these are, and which CI run this is: GitHub's, GitLab's or Jenkins'."""
    run = environ.get("CI_JOB_URL") or environ.get("BUILD_URL") or ""
    if "GITHUB_RUN_ID" in environ:
        run = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(environ)
    actor = environ.get("GITHUB_ACTOR") or environ.get("GITLAB_USER_LOGIN") or ""
    return Author(arn=aws.caller(), run=run, actor=actor)


def tools(root: Path) -> dict[str, str]:
    """Return the versions of what makes a release what it is."""
    lock = (root / "terraform" / ".terraform.lock.hcl").read_text("utf-8")
    provider = _PROVIDER.search(lock)
    slipway = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    return {
        "aws": provider[1] if provider else "",
        "python": platform.python_version(),
        "slipway": slipway,
        "terraform": terraform_version(root, os.environ),
    }


def commit_of(root: Path) -> str | None:
    """Return the commit that is checked out; None outside a repository."""
    return _git(root, "rev-parse", "HEAD")


def is_dirty(root: Path) -> bool:
    """Tell whether the checkout has changes that no commit holds; False outside a repository."""
    return bool(_git(root, "status", "--porcelain"))


def _locks(workspace: Workspace) -> dict[str, str]:
    paths = {
        spec.identity: lock_path(spec.folder, workspace.root, source_of(spec.folder, workspace.root))
        for spec in workspace.specs
    }
    return {identity: str(Digest.of_file(path)) for identity, path in paths.items() if path and path.is_file()}


def _git(root: Path, *words: str) -> str | None:
    """Return what git says; None outside a repository, or without git."""
    try:
        said = process.run(["git", *words], cwd=root)
    except ToolError:
        return None
    return said.stdout.strip() if said.code == 0 else None

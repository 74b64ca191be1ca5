"""What the workflows ask of GitHub: `github.comment`, `github.issue`, `github.summary`, `github.matrix` and so on."""

import json
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build import process, report
from build.errors import FindingsError, InputError
from build.github import BODY_CHARS, SUMMARY_BYTES, GitHub, fitted, texts_in, together

if TYPE_CHECKING:
    from build.locking.locks import Lock
    from build.model import Workspace

_PLAN, _DRIFT = "<!-- slipway: plan -->", "<!-- slipway: drift -->"
_DRIFT_TITLE = "Drift: what runs is not what was released"
_HEADER_CHARS = 1000
_IN_A_WORKFLOW = "GitHub sets it in workflows; on a desk, see what there is to say by `invoke plan`"


def comment(folder: Path) -> None:
    """Put the reviews below ``folder`` on the pull request, as one comment that is updated."""
    github, number = GitHub.of(os.environ), _event().get("pull_request", {}).get("number")
    if number is None:
        raise InputError("this run was not started by a pull request", hint="see what is planned by `invoke plan`")
    reviews = texts_in(folder, "review.md")
    note = "made by the code of this pull request; what is deployed is reviewed once more after the merge"
    body = f"**Plan** · [the run, with the whole reviews]({github.run}) · {note}\n\n"
    body += together(reviews, BODY_CHARS - _HEADER_CHARS) or "No plan was made: the run says why."
    new = github.put_comment(number, _PLAN, body)
    report.Reporter().note(f"{'added' if new else 'updated'} the comment on pull request {number}")


def issue(folder: Path, looked: str) -> None:
    """Keep the issue about drift: open or current with what ``folder`` holds, closed if a look found nothing."""
    github, found, show = GitHub.of(os.environ), texts_in(folder, "drift.md"), report.Reporter()
    if looked == "success":  # whatever an earlier try of the same run has left in ``folder``
        closed = github.close_issue(_DRIFT, f"[This run]({github.run}) found no drift.")
        show.note("closed the issue" if closed else "no drift, and no issue is open")
    elif found:
        hint = "Deploy what should run, or take over what was changed by hand; then the next look closes this."
        body = f"Found by [this run]({github.run}). {hint}\n\n{together(found, BODY_CHARS - _HEADER_CHARS)}"
        new = github.put_issue(_DRIFT, _DRIFT_TITLE, body)
        show.note(f"{'opened' if new else 'updated'} the issue about {', '.join(found)}")
    else:
        show.note(f"the look ended in `{looked}` and tells nothing about drift: the issue stays as it is")


def summary(file: Path) -> None:
    """Add ``file``, which is Markdown, to the summary of the step."""
    try:
        text = file.read_text("utf-8", errors="replace")
    except OSError as reason:
        raise InputError(f"cannot read {file}: {reason.strerror}", hint="run the step that writes it first") from None
    place = _place("GITHUB_STEP_SUMMARY")
    limit = SUMMARY_BYTES - (place.stat().st_size if place.exists() else 0) - len("\n")
    if len(text.encode()) > limit:
        text = fitted(text, len(text.encode()[:limit].decode(errors="ignore")) - 10)
    with place.open("a", encoding="utf-8") as stream:
        stream.write(f"{text}\n")


def matrix(root: Path, *, since: str, shares: int) -> None:
    """Write `envs` and, of what changed ``since``, `build` for GitHub to make jobs of."""
    from build.project.discovery import discover_all

    workspaces = discover_all(root)
    envs = [each for each in workspaces if not each.env.is_local]
    values: dict[str, object] = {"envs": [each.env.name for each in envs]}
    if since:
        from build.locking.locks import read_locks
        from build.packaging.affected import affected, changed_since

        locks = read_locks(workspaces[0])
        found = affected(workspaces, locks, changed_since(root, since))
        values["build"] = {"include": _builds(envs, found.functions, locks, shares)}
    _output(values)


def commit(root: Path, ref: str) -> None:
    """Write `commit`, which ``ref`` names and which is part of HEAD, the branch that was reviewed."""
    found = _commit(root, ref) or _commit(root, f"origin/{ref}")
    if not found:
        raise InputError(f"no commit, tag or branch `{ref}`", hint="run `git fetch --all --tags`, or name another")
    if _git(root, "merge-base", "--is-ancestor", found, "HEAD") is None:
        raise InputError(
            f"`{ref}` is not merged",
            facts=[f"commit {found} is not part of {_git(root, 'rev-parse', 'HEAD')}"],
            hint="merge it, which also has it reviewed; or to go back run `invoke rollback`",
        )
    _output({"commit": found})


def private() -> None:
    """Raise FindingsError if what this run keeps can be read by everybody, and nobody said that it may."""
    visibility = _event().get("repository", {}).get("visibility", "public")
    if visibility == "public" and os.environ.get("SLIPWAY_PUBLIC_PLANS") != "true":
        raise FindingsError(
            "a saved plan would be public",
            facts=[
                "it holds the values of environment variables",
                "the repository is public: so is what its runs keep",
            ],
            hint="make the repository private; or, if no value is secret, set its variable with "
            "`gh variable set SLIPWAY_PUBLIC_PLANS --body true`",
        )


def required(may_skip: str) -> None:
    """Raise FindingsError unless every job in NEEDS ended well; those named in ``may_skip`` may have been skipped."""
    needs: dict[str, dict[str, Any]] = json.loads(os.environ.get("NEEDS") or "{}")
    if not needs:
        hint = "give the step `NEEDS: ${{ toJSON(needs) }}` as `env`, then run it again"
        raise InputError("NEEDS names no job", hint=hint)
    skippable = set(filter(None, may_skip.split(",")))
    wrong = [
        f"{name}: {job['result']}"
        for name, job in needs.items()
        if job["result"] != "success" and not (job["result"] == "skipped" and name in skippable)
    ]
    if wrong:
        raise FindingsError("not every job ended well", facts=wrong, hint="mend what they say, then run `.ci/run`")
    report.Reporter().note(f"all of {', '.join(needs)} ended well")


def _builds(
    envs: Sequence["Workspace"], functions: Collection[str], locks: Mapping[str, "Lock"], shares: int
) -> list[dict[str, str]]:
    """Return the jobs that build ``functions``: for each env what no env before it has the same."""
    from build.packaging.affected import matrix

    jobs: list[dict[str, str]] = []
    known: set[tuple[object, ...]] = set()
    for workspace in envs:
        specs = [spec for spec in workspace.functions if spec.name in functions]
        own = {spec.name: (spec.name, spec.target, spec.layers, spec.keep) for spec in specs}
        new = [name for name, made_of in own.items() if made_of not in known]
        known.update(own.values())
        jobs += [{"env": workspace.env.name, **job} for job in matrix(new, workspace, locks, shares)["include"]]
    return jobs


def _output(values: Mapping[str, object]) -> None:
    """Give ``values`` to later jobs, and print them."""
    text = ""
    for name, value in values.items():
        told = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        text += f"{name}={told}\n"
    sys.stdout.write(text)
    if os.environ.get("GITHUB_OUTPUT"):
        with _place("GITHUB_OUTPUT").open("a", encoding="utf-8") as stream:
            stream.write(text)


def _event() -> dict[str, Any]:
    """Return what started the run, as GitHub tells it."""
    event: dict[str, Any] = json.loads(_place("GITHUB_EVENT_PATH").read_text("utf-8"))
    return event


def _place(name: str) -> Path:
    if not os.environ.get(name):
        raise InputError(f"{name} is not set", hint=_IN_A_WORKFLOW)
    return Path(os.environ[name])


def _commit(root: Path, name: str) -> str | None:
    return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")


def _git(folder: Path, *words: str) -> str | None:
    """Return what git prints; None if it says no."""
    done = process.run(["git", *words], cwd=folder)
    return done.stdout.strip() if done.code == 0 else None

"""The workflows, rehearsed: their own steps against the embedded cloud and a GitHub that only remembers."""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.checkout import Checkout, make_checkout
from tests.fake_github import FakeGitHub, running
from tests.rehearsing import Ran, Run

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="the steps are for bash")]

HANDLER = "def handler(event, context):\n    return {'said': 'SAID'}\n"
VARIABLES = {"SLIPWAY_DEPLOY": "true", "AWS_ROLE_ARN": "arn:of:the:role", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class Rehearsal:
    checkout: Checkout
    hub: FakeGitHub
    folder: Path

    @property
    def root(self) -> Path:
        return self.checkout.root

    def git(self, *words: str) -> str:
        settings = ("user.name=a", "user.email=a@example.invalid", "commit.gpgsign=false")
        command = ["git", *(word for each in settings for word in ("-c", each)), *words]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=True).stdout.strip()

    def say(self, words: str) -> None:
        """Commit a handler that says ``words``."""
        self.checkout.write("functions/hello/src/app.py", HANDLER.replace("SAID", words))
        self.git("commit", "-qam", words)

    def run(self, number: int, *, event: dict[str, Any], sha: str) -> Run:
        scratch = self.folder / f"run-{number}"
        (scratch / "artifacts").mkdir(parents=True)
        (scratch / "event.json").write_text(json.dumps(event), "utf-8")
        github = {"repository": "acme/shop", "sha": sha, "event": event, "token": self.hub.environ["GITHUB_TOKEN"]}
        machine = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
        told = {name: value for name, value in self.hub.environ.items() if name != "GITHUB_TOKEN"}
        told |= {"GITHUB_EVENT_PATH": str(scratch / "event.json"), "GITHUB_RUN_ID": str(number), "CI": "true"}
        return Run(
            root=self.root,
            github=github,
            variables=VARIABLES,
            environ={**machine, **told},
            scratch=scratch,
            stand_ins={"dev": "local", "prod": "local"},
        )

    def pull_request(self, number: int) -> tuple[Run, dict[str, Ran]]:
        """Merge the branch into its base, as GitHub does for the run, and plan that."""
        base = self.git("rev-parse", "main")
        self.git("checkout", "-q", "--detach", "main")
        self.git("merge", "-q", "--no-ff", "-m", "merge", "topic")
        repository = {"full_name": "acme/shop"}
        event = {"pull_request": {"number": 7, "head": {"repo": repository}, "base": {"sha": base}}}
        run = self.run(number, event=event, sha=self.git("rev-parse", "HEAD"))
        return run, run.workflow("plan.yml")

    def merge(self, number: int) -> tuple[Run, dict[str, Ran]]:
        """Merge the branch, and deploy that to dev; prod would be the same cloud here."""
        self.git("checkout", "-q", "main")
        self.git("merge", "-q", "--no-ff", "-m", "merge", "topic")
        event = {"repository": {"visibility": "private"}}
        run = self.run(number, event=event, sha=self.git("rev-parse", "HEAD"))
        return run, run.workflow("deploy.yml", skip=("ci", "prod"))


def give_venv(root: Path) -> None:
    """Give the clone a .venv that leans on this one: that `./invokew` makes one is tested elsewhere."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (place,) = (root / ".venv").glob("lib/python*/site-packages")
    (place / "outer.pth").write_text("\n".join(outer), "utf-8")
    invokew = runpy.run_path(str(root / "invokew"), run_name="invokew")
    (root / ".venv" / "invokew-stamp").write_text("\n".join(invokew["stamp_lines"]()), "utf-8")


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    folder = tmp_path_factory.mktemp("rehearsal")
    checkout = make_checkout(folder / "clone")
    give_venv(checkout.root)
    checkout.write("functions/hello/function.toml", 'description = "Says what it is told to"\n')
    checkout.write("functions/hello/src/app.py", HANDLER)
    with running() as hub:
        rehearsal = Rehearsal(checkout, hub, folder)
        rehearsal.git("init", "-q", "-b", "main")
        rehearsal.git("add", ".")
        rehearsal.git("commit", "-qm", "what was there")
        rehearsal.git("checkout", "-qb", "topic")
        rehearsal.say("good morning")
        yield rehearsal
    checkout.close()


@pytest.fixture(scope="module")
def planned(rehearsal: Rehearsal) -> tuple[Run, dict[str, Ran]]:
    return rehearsal.pull_request(1)


@pytest.fixture(scope="module")
def merged(rehearsal: Rehearsal, planned: object) -> tuple[Run, dict[str, Ran]]:
    return rehearsal.merge(3)


def results(ran: dict[str, Ran]) -> dict[str, str]:
    return {name: each.result for name, each in ran.items()}


def printed(run: Run, job: str) -> str:
    """Return what the steps of a job printed."""
    pairs = zip((line for line in run.commands if ": took " not in line), run.printed, strict=True)
    return "".join(text for line, text in pairs if line.startswith(f"{job}: "))


def test_a_pull_request_is_built_planned_and_commented_on(rehearsal, planned):
    run, ran = planned
    expected = {"affected": "success", "fork": "skipped", "build": "success", "plan": "success", "comment": "success"}
    assert results(ran) == expected, "\n".join(run.failures)
    (comment,) = rehearsal.hub.comments
    assert comment["on"] == 7
    assert "hello" in comment["body"]
    assert "/actions/runs/1" in comment["body"]
    assert any("hello" in summary for summary in run.summaries)


def test_a_plan_takes_what_a_share_has_built(planned):
    run, _ = planned
    assert "assembling functions/hello" in printed(run, "build")
    assert "assembling" not in printed(run, "plan")


def test_nothing_is_kept_of_a_pull_request_but_reviews_and_what_was_built(planned):
    kept = planned[0].scratch / "artifacts"
    assert {path.name for path in kept.iterdir()} == {"built-0", "review-local"}
    assert {path.name for path in kept.glob("review-local/local/*")} == {"review.md", "review.html", "review.json"}


def test_roles_are_taken_by_the_jobs_that_plan_after_everything_is_installed(planned):
    run, _ = planned
    steps = [line.partition(": ")[::2] for line in run.commands]
    assert [job for job, line in steps if line.startswith("took ")] == ["plan"]
    assert [line for job, line in steps if job == "plan"][:2] == ["./invokew --list", "took arn:of:the:role"]


def test_the_next_push_updates_the_comment(rehearsal, planned):
    rehearsal.git("checkout", "-q", "topic")
    rehearsal.say("good evening")
    run, ran = rehearsal.pull_request(2)
    assert ran["comment"].result == "success", "\n".join(run.failures)
    (comment,) = rehearsal.hub.comments
    assert "/actions/runs/2" in comment["body"]
    assert sum(each.startswith("POST ") for each in rehearsal.hub.asked) == 1


def test_a_merge_applies_the_plan_that_was_saved_and_nothing_else(rehearsal, merged):
    run, ran = merged
    assert ran["dev"].result == "success", "\n".join(run.failures)
    steps = [line.partition(": ./invokew ")[2].split()[0] for line in run.commands if line.startswith("deploy: .")]
    assert steps == ["--list", "deploy", "drift", "status"]
    # Nothing was on the machine of this job but the clone, and nothing was built there.
    assert (run.scratch / "artifacts" / "plan-local" / "saved.plan").is_file()
    assert "assembling" in printed(run, "plan")
    assert "assembling" not in printed(run, "deploy")
    assert "no drift" in printed(run, "deploy")
    said = rehearsal.git("show", "HEAD:functions/hello/src/app.py").split("'")[3]
    done = rehearsal.checkout.run("invoke", "-f", "hello", "-e", "{}")
    assert json.loads(done.stdout) == {"said": said}
    assert any("hello" in summary for summary in run.summaries)


def test_drift_opens_an_issue(rehearsal, merged):
    rehearsal.checkout.client("lambda").update_function_configuration(
        FunctionName="slipway-local-hello", MemorySize=777
    )
    run = rehearsal.run(9, event={}, sha=rehearsal.git("rev-parse", "main"))
    assert results(run.workflow("drift.yml")) == {"envs": "success", "drift": "failure", "issue": "success"}
    (issue,) = rehearsal.hub.issues
    assert "hello" in issue["body"]
    kept = (run.scratch / "artifacts").rglob("*.*")
    assert {path.name for path in kept} == {"drift.html", "drift.md"}, "hand-offs hold values, and are beside them"


def test_a_public_repository_keeps_no_plan_and_deploys_nothing(rehearsal, planned):
    run = rehearsal.run(4, event={"repository": {"visibility": "public"}}, sha=rehearsal.git("rev-parse", "main"))
    ran = run.workflow("env.yml", inputs={"env": "local", "commit": "main"})
    assert results(ran) == {"plan": "failure", "deploy": "skipped"}
    assert "a saved plan would be public" in printed(run, "plan")
    assert list((run.scratch / "artifacts").iterdir()) == []


def test_a_fork_gets_an_explanation_and_nothing_else(rehearsal, planned):
    before = len(rehearsal.hub.asked)
    event = {"pull_request": {"number": 8, "head": {"repo": {"full_name": "mallory/shop"}}, "base": {"sha": "main"}}}
    run = rehearsal.run(5, event=event, sha=rehearsal.git("rev-parse", "topic"))
    assert {name for name, result in results(run.workflow("plan.yml")).items() if result != "skipped"} == {"fork"}
    assert "no token, no secret, no role" in "".join(run.summaries)
    assert len(rehearsal.hub.asked) == before


@pytest.mark.parametrize(("ref", "result"), [("main", "success"), ("unmerged", "failure")])
def test_a_release_is_of_a_commit_that_is_merged(rehearsal, planned, ref, result):
    main = rehearsal.git("rev-parse", "main")
    rehearsal.git("branch", "-f", "unmerged", rehearsal.git("commit-tree", "-p", main, "-m", "x", f"{main}^{{tree}}"))
    run = rehearsal.run(6 + len(ref), event={}, sha=main)
    ran = run.workflow("release.yml", inputs={"ref": ref, "env": "prod"}, skip=("release",))
    assert ran["commit"].result == result
    assert ran["commit"].outputs["commit"] == (main if result == "success" else "")

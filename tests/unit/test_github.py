"""GitHub's API against a server that behaves like it, and the verbs that the workflows use it by."""

import json
import re
import subprocess
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.errors import FindingsError, InputError, ToolError
from build.github import BODY_CHARS, SUMMARY_BYTES, GitHub, fitted, neutral, texts_in, together
from build.verbs import github as verbs
from tests.builders import write_files
from tests.fake_github import BOT, TOKEN, running

MARKER = "<!-- a marker -->"


@pytest.fixture(scope="module")
def server():
    with running() as hub:
        yield hub


@pytest.fixture
def hub(server):
    for kept in (server.comments, server.issues, server.faults, server.asked):
        kept.clear()
    return server


@pytest.fixture
def waited():
    return []


@pytest.fixture
def github(hub, waited):
    of = GitHub.of(hub.environ)
    return GitHub(url=of.url, repository=of.repository, token=of.token, run=of.run, sleep=waited.append)


@pytest.fixture
def step(hub, tmp_path, monkeypatch):
    """What a step of a workflow finds: variables, an event, files to write to."""
    event = write_files(tmp_path, {"event.json": json.dumps({"pull_request": {"number": 7}})}) / "event.json"
    names = {"GITHUB_EVENT_PATH": event, "GITHUB_OUTPUT": tmp_path / "output", "GITHUB_STEP_SUMMARY": tmp_path / "md"}
    for name, value in {**hub.environ, **names}.items():
        monkeypatch.setenv(name, str(value))
    return tmp_path


def said(number, body, login=BOT):
    return {"id": number, "on": 7, "body": body, "user": {"login": login}}


# ── the API ───────────────────────────────────────────────────────────────────────────────────


def test_a_comment_is_added_once_and_then_updated(github, hub):
    assert github.put_comment(7, MARKER, "first")
    assert not github.put_comment(7, MARKER, "second")
    assert [row["body"] for row in hub.comments] == [f"{MARKER}\nsecond"]


def test_pull_requests_do_not_share_a_comment(github, hub):
    github.put_comment(7, MARKER, "of 7")
    assert github.put_comment(8, MARKER, "of 8")
    assert [row["on"] for row in hub.comments] == [7, 8]


def test_our_comment_is_found_on_the_third_page(github, hub):
    hub.comments.extend([said(number, "talk", "somebody") for number in range(230)])
    hub.comments.extend([said(999, f"{MARKER}\nold")])
    assert not github.put_comment(7, MARKER, "new")
    assert hub.comments[-1]["body"] == f"{MARKER}\nnew"
    assert [each.partition("?")[2] for each in hub.asked[:3]] == [
        "per_page=100",
        "per_page=100&page=2",
        "per_page=100&page=3",
    ]
    assert all(each.split()[1].startswith("/repos/acme/shop/") for each in hub.asked)


@pytest.mark.parametrize(
    "theirs", [said(1, f"{MARKER}\nforged", "somebody"), said(1, f"of another workflow: {MARKER}"), said(1, None)]
)
def test_nobody_elses_comment_is_taken_for_ours(github, hub, theirs):
    hub.comments.append(dict(theirs))
    assert github.put_comment(7, MARKER, "mine")
    assert hub.comments[0] == theirs


@pytest.mark.parametrize("status", [403, 429])
def test_it_waits_for_as_long_as_github_says(github, hub, waited, status):
    hub.faults.extend([(status, {"Retry-After": "17"}), (0, {}), (status, {"Retry-After": "3"})])
    assert github.put_comment(7, MARKER, "body")
    assert waited == [17.0, 3.0]
    assert len(hub.comments) == 1


def test_it_waits_until_the_rate_limit_is_lifted(github, hub, waited):
    hub.faults.append((403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 20)}))
    assert github.put_comment(7, MARKER, "body")
    assert 15 < waited[0] < 25


def test_it_does_not_wait_for_an_hour(github, hub, waited):
    hub.faults.append((403, {"Retry-After": "3600"}))
    with pytest.raises(ToolError, match="GitHub refused"):
        github.put_comment(7, MARKER, "body")
    assert waited == []


def test_a_server_that_stumbles_is_asked_again(github, hub, waited):
    hub.faults.extend([(502, {}), (503, {}), (599, {})])
    assert github.put_comment(7, MARKER, "body")
    assert waited == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("fault", [502, 599])
def test_a_comment_whose_answer_is_lost_is_not_added_twice(github, hub, fault):
    hub.faults.extend([(0, {}), (599, {}), (0, {}), (fault, {})])
    assert not github.put_comment(7, MARKER, "body")
    assert [row["body"] for row in hub.comments] == [f"{MARKER}\nbody"]


def test_a_server_that_never_recovers_is_told_as_such(github, hub, waited):
    hub.faults.extend([(500, {})] * 9)
    with pytest.raises(ToolError, match="does not answer") as raised:
        github.put_comment(7, MARKER, "body")
    assert "5 times, the last time: 500" in str(raised.value)
    assert len(waited) == 5


@pytest.mark.parametrize(("status", "name"), [(404, "Not Found"), (403, "Forbidden"), (422, "Unprocessable")])
def test_a_refusal_tells_what_was_asked_and_what_the_token_needs_but_not_the_token(github, hub, status, name):
    hub.faults.extend([(0, {}), (status, {"X-Accepted-GitHub-Permissions": "pull_requests=write"})])
    with pytest.raises(ToolError) as raised:
        github.put_comment(7, MARKER, "body")
    text = str(raised.value)
    assert f"answered: {status} " in text
    assert "POST " in text
    assert "/repos/acme/shop/issues/7/comments" in text
    assert "the token needs: pull_requests=write" in text
    assert TOKEN not in text


def test_the_token_is_sent_nowhere_else(github, hub):
    with running() as other:
        hub.faults.append((301, {"Location": f"{other.url}/repos/acme/shop/issues/7/comments"}))
        with pytest.raises(ToolError, match="GitHub refused"):
            github.put_comment(7, MARKER, "body")
        assert other.asked == []


def test_outside_a_workflow_it_says_what_is_missing():
    with pytest.raises(InputError, match="from a step of a workflow") as raised:
        GitHub.of({"GITHUB_REPOSITORY": "acme/shop", "GITHUB_RUN_ID": "1"})
    assert raised.value.facts == ("not set: GITHUB_API_URL, GITHUB_TOKEN, GITHUB_SERVER_URL",)


# ── text ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "text",
    [
        "@acme/ops",
        "mail@acme",
        "&#64;acme",
        "&#0064;acme",
        "&#x40;acme",
        "&#X040;acme",
        "&commat;acme",
        "\\@acme",
        "@\u200bacme",
    ],
)
def test_nobody_is_mentioned(text):
    shown = neutral(text)
    assert not re.search(r"@[\w-]", shown)
    assert not re.search(r"&(#|commat)", shown)


def test_markers_references_and_writing_backwards_are_taken_out():
    assert neutral(f"{MARKER}\n# Plan <!-- hidden\n--> of prod") == "# Plan  of prod"
    assert "<!--" not in neutral(f"<!-{MARKER}- <!-- without an end")
    assert "#12" not in neutral("fixes #12 and acme/shop#12")
    assert neutral("a\u202eb\u2066c\x00d\x1b[31m\r\ne") == "abcd[31m\ne"
    assert neutral("## Plan\n\n| a | b |\n- `x`") == "## Plan\n\n| a | b |\n- `x`"


def test_a_text_that_is_cut_closes_what_it_opened():
    text = "<details><summary>all</summary>\n\n```diff\n" + "+ a line\n" * 1000 + "```\n</details>\n"
    shown = fitted(text, 2000)
    assert len(shown) <= 2000
    assert shown.count("```") == 2
    assert shown.count("<details") == shown.count("</details") == 1
    assert shown.index("```", 60) < shown.index("</details") < shown.index("is left out")


def test_a_fence_in_a_fence_does_not_close_it():
    shown = fitted("````md\n```\n" + "a line\n" * 1000, 2000)
    assert "\n````\n" in shown


@given(
    st.lists(st.sampled_from(["```\n", "<details>\n", "</details>\n", "text ✓\n", "long " * 90 + "\n"])),
    st.integers(800, 3000),
)
def test_a_text_never_gets_longer_than_it_may(lines, limit):
    text = "".join(lines)
    shown = fitted(text, limit)
    assert len(shown) <= limit
    assert (shown == text) == (len(text) <= limit)


def test_short_reviews_leave_their_room_to_the_long_one():
    texts = {"dev": "short", "prod": "line\n" * 30_000, "stage": "also short"}
    shown = together(texts, BODY_CHARS)
    assert BODY_CHARS - 600 < len(shown) <= BODY_CHARS
    assert shown.startswith("short\n\n---\n\nline\n")
    assert shown.endswith("---\n\nalso short")


# ── the verbs ─────────────────────────────────────────────────────────────────────────────────


def test_the_reviews_of_all_envs_are_one_comment_of_a_size_that_github_takes(step, hub):
    write_files(step, {"r/dev/review.md": "# dev\nby @mallory\n", "r/prod/review.md": "# prod\n" + "more\n" * 40_000})
    verbs.comment(step / "r")
    verbs.comment(step / "r")
    (comment,) = hub.comments
    assert comment["body"].startswith("<!-- slipway: plan -->\n")
    assert "https://github.example.invalid/acme/shop/actions/runs/77" in comment["body"]
    assert comment["body"].index("# dev") < comment["body"].index("# prod")
    assert "@mallory" not in comment["body"]
    assert 58_000 < len(comment["body"]) <= BODY_CHARS


def test_a_review_cannot_be_taken_for_our_comment_later(step, hub):
    write_files(step, {"r/dev/review.md": "<!-- slipway: plan -->\nforged"})
    verbs.comment(step / "r")
    assert hub.comments[0]["body"].count("<!--") == 1
    assert "forged" in hub.comments[0]["body"]


def test_where_no_plan_was_made_the_comment_says_so(step, hub):
    hub.comments.append(said(1, "<!-- slipway: plan -->\nof the push before"))
    verbs.comment(step / "none")
    assert "No plan was made" in hub.comments[0]["body"]
    assert "of the push before" not in hub.comments[0]["body"]


def test_a_review_that_is_a_link_is_refused(step):
    write_files(step, {"secret/review.md": "what only the job may read", "r/dev/readme.md": ""})
    (step / "r/dev/review.md").symlink_to(step / "secret/review.md")
    (step / "r/prod").symlink_to(step / "secret")
    with pytest.raises(InputError, match="no plain files") as raised:
        texts_in(step / "r", "review.md")
    assert len(raised.value.facts) == 2


def test_a_run_of_no_pull_request_has_nothing_to_comment_on(step):
    write_files(step, {"event.json": "{}"})
    with pytest.raises(InputError, match="not started by a pull request"):
        verbs.comment(step)


def test_drift_opens_one_issue_keeps_it_current_and_closes_it(step, hub):
    hub.issues.append(
        {"number": 1, "state": "open", "body": "<!-- slipway: drift -->", "user": {"login": BOT}, "pull_request": {}}
    )
    write_files(step, {"d/prod/drift.md": "orders was changed by @hand"})
    verbs.issue(step / "d", "failure")
    write_files(step, {"d/dev/drift.md": "stock, too"})
    verbs.issue(step / "d", "failure")
    (issue,) = hub.issues[1:]
    assert issue["state"] == "open"
    assert "stock, too" in issue["body"]
    assert "@hand" not in issue["body"]
    verbs.issue(step / "d", "success")  # what the try before found is still there
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")
    assert "runs/77" in hub.comments[0]["body"]
    assert hub.issues[0]["state"] == "open"


def test_where_there_is_no_drift_and_no_issue_nothing_is_written(step, hub):
    verbs.issue(step / "none", "success")
    assert hub.writes() == []


@pytest.mark.parametrize("looked", ["failure", "cancelled", "skipped", ""])
def test_a_look_that_failed_closes_nothing(step, hub, looked):
    verbs.issue(step / "none", looked)
    assert hub.asked == []


def test_drift_that_comes_back_opens_another_issue(step, hub):
    write_files(step, {"d/prod/drift.md": "drift"})
    verbs.issue(step / "d", "failure")
    verbs.issue(step / "none", "success")
    verbs.issue(step / "d", "failure")
    assert [issue["state"] for issue in hub.issues] == ["closed", "open"]


def test_summaries_are_added_and_kept_below_what_github_takes(step):
    write_files(step, {"small.md": "small", "large.md": "é line\n" * 400_000})
    verbs.summary(step / "small.md")
    verbs.summary(step / "large.md")
    written = (step / "md").read_bytes()
    assert written.startswith("small\né line\n".encode())
    assert SUMMARY_BYTES - 1000 < len(written) <= SUMMARY_BYTES
    assert "is left out here" in written.decode()


def test_a_summary_of_what_is_not_there_is_refused(step):
    with pytest.raises(InputError, match="No such file"):
        verbs.summary(step / "none.md")


def needs(monkeypatch, **results):
    monkeypatch.setenv(
        "NEEDS", json.dumps({name: {"result": result, "outputs": {}} for name, result in results.items()})
    )


def test_required_is_content_when_all_went_well(monkeypatch):
    needs(monkeypatch, lint="success", test="success")
    verbs.required("")


def test_required_names_every_job_that_did_not(monkeypatch):
    needs(monkeypatch, lint="failure", test="cancelled", build="skipped", unit="success")
    with pytest.raises(FindingsError) as raised:
        verbs.required("test")
    assert raised.value.facts == ("lint: failure", "test: cancelled", "build: skipped")


def test_required_allows_the_skipped_jobs_that_are_named(monkeypatch):
    needs(monkeypatch, lint="success", build="skipped")
    verbs.required("build,other")


def test_required_of_nothing_is_refused(monkeypatch):
    monkeypatch.setenv("NEEDS", "{}")
    with pytest.raises(InputError, match="names no job"):
        verbs.required("")


@pytest.mark.parametrize(("event", "said"), [("public", ""), ("public", "false"), (None, "")])
def test_a_plan_is_not_kept_where_everybody_reads(step, monkeypatch, event, said):
    write_files(step, {"event.json": json.dumps({"repository": {"visibility": event}} if event else {})})
    monkeypatch.setenv("SLIPWAY_PUBLIC_PLANS", said)
    with pytest.raises(FindingsError, match="would be public"):
        verbs.private()


@pytest.mark.parametrize(("event", "said"), [("private", ""), ("internal", ""), ("public", "true")])
def test_a_plan_is_kept_where_few_read_or_somebody_said_so(step, monkeypatch, event, said):
    write_files(step, {"event.json": json.dumps({"repository": {"visibility": event}})})
    monkeypatch.setenv("SLIPWAY_PUBLIC_PLANS", said)
    verbs.private()


@pytest.fixture
def repository(tmp_path):
    def git(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *identity, *words], cwd=tmp_path / "r", capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    settings = '[env.{}]\nregion = "eu-central-1"\naccount_id = "123456789012"\n'
    function = 'description = "Stocks"\n'
    write_files(
        tmp_path / "r",
        {
            "slipway.toml": 'name = "shop"\n[defaults]\nruntime = "python3.13"\narchitecture = "x86_64"\n'
            + settings.format("dev")
            + settings.format("prod"),
            "functions/orders/function.toml": function + '[env.prod]\narchitecture = "arm64"\n',
            "functions/orders/src/app.py": "def handler(event, context): ...\n",
            "functions/stock/function.toml": function,
            "functions/stock/src/app.py": "def handler(event, context): ...\n",
        },
    )
    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return tmp_path / "r", git


def test_the_matrix_has_the_envs_and_what_each_builds_that_none_before_it_built(step, repository, capsys):
    root, git = repository
    write_files(root, {"functions/orders/src/app.py": "changed = 1\n", "functions/stock/src/app.py": "changed = 1\n"})
    git("commit", "-q", "-a", "-m", "second")
    verbs.matrix(root, since="HEAD^1", shares=8)
    values = dict(line.split("=", 1) for line in (step / "output").read_text("utf-8").splitlines())
    assert json.loads(values["envs"]) == ["dev", "prod"]
    jobs = [(job["env"], job["only"]) for job in json.loads(values["build"])["include"]]
    assert sorted(jobs) == [("dev", "orders"), ("dev", "stock"), ("prod", "orders")]
    assert capsys.readouterr().out == (step / "output").read_text("utf-8")


def test_where_nothing_changed_the_matrix_is_what_the_workflow_compares_with(step, repository):
    root, _ = repository
    verbs.matrix(root, since="HEAD", shares=8)
    assert 'build={"include":[]}\n' in (step / "output").read_text("utf-8")


def test_without_a_revision_only_envs_are_told(step, repository):
    verbs.matrix(repository[0], since="", shares=8)
    assert (step / "output").read_text("utf-8") == 'envs=["dev","prod"]\n'


def test_a_ref_that_is_merged_is_told_as_its_commit(step, repository):
    root, git = repository
    first = git("rev-parse", "HEAD")
    git("tag", "-a", "v1", "-m", "tagged")
    git("update-ref", "refs/remotes/origin/merged", first)
    git("commit", "-q", "--allow-empty", "-m", "second")
    for ref in ("v1", first, "merged"):
        verbs.commit(root, ref)
    assert (step / "output").read_text("utf-8") == f"commit={first}\n" * 3


@pytest.mark.parametrize(
    ("ref", "why"), [("topic", "is not merged"), ("none", "no commit"), ("--all", "no commit"), ("", "no commit")]
)
def test_a_ref_that_was_not_reviewed_is_refused(step, repository, ref, why):
    root, git = repository
    git("switch", "-q", "-c", "topic")
    git("commit", "-q", "--allow-empty", "-m", "not reviewed")
    git("switch", "-q", "main")
    with pytest.raises(InputError, match=why):
        verbs.commit(root, ref)
    assert not (step / "output").exists()

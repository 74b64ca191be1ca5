"""The workflows of .github: verbs and no logic, pins, permissions, queues, what a fork and a pull request can reach."""

import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from check_jsonschema import main as check_jsonschema  # type: ignore[import-untyped]
from click.testing import CliRunner, Result
from invoke.exceptions import ParseError
from invoke.loader import FilesystemLoader
from invoke.parser import Parser
from invoke.program import Program

from tests.expressions import evaluated, filled, holds

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github/workflows"
SETUP = ROOT / ".github/actions/setup/action.yml"
PAGE = (ROOT / "docs/how-to/github.md").read_text("utf-8")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the quick one, where it was compiled


def content_of(path: Path) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.load(path.read_text("utf-8"), LOADER)
    return content


WORKFLOWS = {path.name: content_of(path) for path in sorted(FOLDER.glob("*.yml"))}
FILES = [*sorted(FOLDER.glob("*.yml")), SETUP]
JOBS = {(file, name): job for file, workflow in WORKFLOWS.items() for name, job in workflow["jobs"].items()}
"""Every job, also those that call another workflow."""
each_job = pytest.mark.parametrize(("file", "name"), JOBS, ids=lambda value: value.removesuffix(".yml"))


def steps_of(job: dict[str, Any]) -> list[dict[str, Any]]:
    return list(job.get("steps", []))


def setup_of(job: dict[str, Any]) -> dict[str, Any]:
    (step,) = [step for step in steps_of(job) if step.get("uses") == "$/.github/actions/setup"]
    return dict(step.get("with", {}))


def triggers_of(workflow: dict[Any, Any]) -> dict[str, Any]:
    return dict(workflow[True])  # YAML 1.1 reads the key `on` as true


def test_there_is_a_workflow_for_each_thing_that_happens():
    names = {"ci.yml", "deploy.yml", "drift.yml", "env.yml", "plan.yml", "release.yml", "rollback.yml"}
    assert set(WORKFLOWS) == names


# ── verbs, and no logic ───────────────────────────────────────────────────────────────────────


def runs() -> list[tuple[str, str]]:
    jobs = [(f"{file} {name}", job["steps"]) for (file, name), job in JOBS.items() if "steps" in job]
    jobs.append(("setup", content_of(SETUP)["runs"]["steps"]))
    return sorted({(step["run"], where) for where, steps in jobs for step in steps if "run" in step})


@cache
def parser() -> Parser:
    module, _ = FilesystemLoader(start=str(ROOT)).load("tasks")
    return Parser(contexts=module.namespace.to_contexts(), initial=Program().initial_context, ignore_unknown=False)


def refused_by_invoke(words: list[str]) -> str:
    """Return why invoke would not take ``words``; nothing if it would."""
    try:
        parsed = parser().parse_argv(words)
    except ParseError as reason:
        return str(reason)
    missing = [argument.name for context in parsed for argument in context.missing_positional_args]
    return f"missing: {missing}" if missing else ""


@pytest.mark.parametrize(("run", "where"), runs())
def test_a_step_runs_one_verb_that_there_is(run, where):
    assert not re.search(r"[\n|&;<>`]|\$\(|\$\{\{", run), where
    if run == ".ci/run":
        return
    program, *words = shlex.split(run)
    assert program == "./invokew", where
    assert refused_by_invoke(words) == "", where


@pytest.mark.parametrize("words", [["bild"], ["build", "--enf", "prod"], ["github.comment"], ["build", "more"]])
def test_a_verb_or_option_that_there_is_not_would_be_noticed(words):
    assert refused_by_invoke(words)


def test_values_reach_a_verb_as_variables_of_its_step_or_job():
    for (file, name), job in JOBS.items():
        for step in steps_of(job):
            given = {**WORKFLOWS[file].get("env", {}), **job.get("env", {}), **step.get("env", {})}
            used = set(re.findall(r"\$(\w+)", step.get("run", "")))
            assert used <= set(given), f"{file}: {name}"
            assert all(f'"${variable}' in step["run"] or f"/${variable}/" in step["run"] for variable in used)


# ── what is used ──────────────────────────────────────────────────────────────────────────────


def uses_in(path: Path) -> list[str]:
    return [line.strip().removeprefix("- ") for line in path.read_text("utf-8").splitlines() if "uses:" in line]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_used_by_digest_with_their_version_beside_it(path):
    good = re.compile(r"uses: (\$/\.github/\S+|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)")
    assert uses_in(path)
    assert [line for line in uses_in(path) if not good.fullmatch(line)] == []


def test_an_action_has_the_same_digest_everywhere():
    pins: dict[str, set[str]] = {}
    for line in (line for path in FILES for line in uses_in(path) if "@" in line):
        action, _, digest = line.removeprefix("uses: ").partition("@")
        pins.setdefault("/".join(action.split("/")[:2]), set()).add(digest)
    assert {action: digests for action, digests in pins.items() if len(digests) > 1} == {}


def test_what_is_used_of_the_repository_itself_is_there():
    used = {line.removeprefix("uses: $/") for path in FILES for line in uses_in(path) if "$/" in line}
    assert used == {".github/actions/setup", ".github/workflows/ci.yml", ".github/workflows/env.yml"}
    assert all((ROOT / each).exists() for each in used)


def test_every_job_is_set_up_in_the_same_way():
    for (file, name), job in JOBS.items():
        if "steps" in job:
            assert [step["uses"].partition("@")[0] for step in job["steps"][:2]] == [
                "actions/checkout",
                "$/.github/actions/setup",
            ], f"{file}: {name}"


# ── rights ────────────────────────────────────────────────────────────────────────────────────

WRITES = {("plan.yml", "comment"): "pull-requests", ("drift.yml", "issue"): "issues"}


@each_job
def test_a_job_has_the_rights_it_needs_and_no_more(file, name):
    job = JOBS[file, name]
    assert WORKFLOWS[file]["permissions"] == {}
    takes_role = "role" in setup_of(job) if "steps" in job else job["uses"].endswith("env.yml")
    expected = {"contents": "read", **({"id-token": "write"} if takes_role else {})}
    if (file, name) in WRITES:
        expected[WRITES[file, name]] = "write"
    assert job["permissions"] == expected
    for step in steps_of(job):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each_job
def test_a_job_ends_some_time(file, name):
    if "steps" in JOBS[file, name]:
        assert JOBS[file, name]["timeout-minutes"] <= 60


def test_nothing_runs_with_more_rights_than_its_author_has():
    known = {"pull_request", "push", "schedule", "workflow_call", "workflow_dispatch"}
    assert {trigger for workflow in WORKFLOWS.values() for trigger in triggers_of(workflow)} == known


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_there_is_no_long_lived_key(path):
    text = path.read_text("utf-8")
    assert "access-key" not in text
    assert not re.search(r"\bsecrets\b", text)


def test_the_token_is_given_to_two_steps_only():
    given = [
        (file, name) for (file, name), job in JOBS.items() for step in steps_of(job) if "token" in str(step.get("env"))
    ]
    assert sorted(given) == sorted(WRITES)


def test_the_job_that_may_write_to_a_pull_request_runs_the_code_of_its_base_and_restores_nothing():
    checkout, setup, download, comment = steps_of(JOBS["plan.yml", "comment"])
    assert checkout["with"]["ref"] == "${{ github.event.pull_request.base.sha }}"
    assert "with" not in setup, "a cache may be one that the pull request saved; a role it needs none"
    assert (download["with"]["pattern"], comment["run"]) == ("review-*", "./invokew github.comment .artifacts/reviews")


def test_a_role_is_taken_last_so_that_nothing_is_installed_beside_it():
    steps = content_of(SETUP)["runs"]["steps"]
    assert "configure-aws-credentials" in steps[-1]["uses"]
    assert [step["run"] for step in steps if "run" in step] == ["./invokew --list"]


def event_of(head: str) -> dict[str, Any]:
    github = {"repository": "acme/shop", "event": {"pull_request": {"head": {"repo": {"full_name": head}}}}}
    return {"github": github, "vars": {"SLIPWAY_DEPLOY": "true"}}


def jobs_of_plan(head: str, **outputs: str) -> list[str]:
    """Return the jobs of plan.yml that run for a pull request from ``head``, in order."""
    results: dict[str, dict[str, Any]] = {}
    for name, job in WORKFLOWS["plan.yml"]["jobs"].items():
        needs = {need: results[need] for need in job.get("needs", [])}
        well = all(need["result"] == "success" for need in needs.values())
        runs = holds(job.get("if"), {**event_of(head), "needs": needs}, "success" if well else "skipped")
        results[name] = {"result": "success" if runs else "skipped", "outputs": outputs if runs else {}}
    return [name for name, job in results.items() if job["result"] == "success"]


def test_a_pull_request_from_a_fork_gets_a_word_of_explanation_and_no_role():
    assert jobs_of_plan("mallory/shop", build='{"include":[{}]}', envs='["prod"]') == ["fork"]
    (note,) = (ROOT / ".github/notes").glob("*.md")
    assert steps_of(JOBS["plan.yml", "fork"])[-1]["run"].endswith(note.relative_to(ROOT).as_posix())


def test_a_pull_request_is_built_planned_and_commented_on():
    jobs = jobs_of_plan("acme/shop", build='{"include":[{}]}', envs='["prod"]')
    assert jobs == ["affected", "build", "plan", "comment"]


def test_a_pull_request_that_touches_no_function_is_planned_all_the_same():
    assert jobs_of_plan("acme/shop", build='{"include":[]}', envs='["prod"]') == ["affected", "plan", "comment"]


def test_a_repository_without_envs_plans_nothing():
    assert jobs_of_plan("acme/shop", build='{"include":[]}', envs="[]") == ["affected"]


def test_the_role_of_a_plan_only_plans():
    environments = {
        (file, name): job["environment"]["name"] for (file, name), job in JOBS.items() if "environment" in job
    }
    assert environments == {
        ("plan.yml", "plan"): "${{ matrix.env }}-plan",
        ("drift.yml", "drift"): "${{ matrix.env }}-plan",
        ("env.yml", "plan"): "${{ inputs.env }}-plan",
        ("env.yml", "deploy"): "${{ inputs.env }}",
        ("rollback.yml", "rollback"): "${{ inputs.env }}",
    }


# ── caches, and what is kept ──────────────────────────────────────────────────────────────────


def test_only_ci_of_main_saves_a_cache():
    caches = {(file, name): setup_of(job).get("caches", "none") for (file, name), job in JOBS.items() if "steps" in job}
    assert {key for key, value in caches.items() if value == "${{ env.CACHES }}"} == {
        key for key in caches if key[0] == "ci.yml"
    }
    assert {value for (file, _), value in caches.items() if file != "ci.yml"} == {"none", "restore"}
    (expression,) = [workflow["env"]["CACHES"] for workflow in WORKFLOWS.values() if "env" in workflow]
    said = {
        ref: filled(expression, {"github": {"ref": ref}})
        for ref in ("refs/heads/main", "refs/pull/7/merge", "refs/heads/x")
    }
    assert said == {"refs/heads/main": "save", "refs/pull/7/merge": "restore", "refs/heads/x": "restore"}


def test_what_is_deployed_comes_from_no_cache():
    restoring = {file for (file, _), job in JOBS.items() if "steps" in job and "caches" in setup_of(job)}
    assert restoring == {"ci.yml", "plan.yml"}


@pytest.mark.parametrize("caches", ["none", "restore", "save"])
def test_setup_does_with_caches_as_it_is_told(caches):
    action = content_of(SETUP)
    missed = {"outputs": {"cache-hit": "", "cache-primary-key": "key"}}
    context = {"inputs": {"caches": caches, "role": ""}, "steps": {"venv": missed, "store": missed}}
    done = [
        step["uses"].partition("@")[0]
        for step in action["runs"]["steps"]
        if "uses" in step and holds(step.get("if"), context, "success")
    ]
    restored, saved = ["actions/cache/restore"] * 2, ["actions/cache/save"]
    expected = {"none": [], "restore": restored, "save": [*restored, *saved]}[caches]
    assert done == ["actions/setup-python", *expected]
    assert filled(action["outputs"]["store-key"]["value"], context) == ("key" if caches == "save" else "")


def kept() -> dict[tuple[str, str], list[dict[str, Any]]]:
    return {
        key: [step["with"] for step in steps_of(job) if "upload-artifact" in step.get("uses", "")]
        for key, job in JOBS.items()
    }


def test_a_saved_plan_is_kept_by_deploys_alone_and_for_a_day():
    ((where, each),) = [(key, each) for key, uploads in kept().items() for each in uploads if "plan" in each["path"]]
    assert where == ("env.yml", "plan")
    assert each["retention-days"] == 1
    verbs = [step["run"].split()[1] for step in steps_of(JOBS["env.yml", "plan"]) if "run" in step]
    assert verbs == ["github.private", "plan", "github.summary"]


def test_what_is_kept_is_kept_whole_and_not_for_ever():
    for key, all_of_it in kept().items():
        for each in all_of_it:
            assert each["retention-days"] <= 90, key
            assert not each["path"].endswith((".*", "/*", "/")), f"{key}: hand-offs with values are beside what is kept"
            assert each["include-hidden-files"] is True, f"{key}: .artifacts is hidden"
            assert each["overwrite"] is True, f"{key}: a job that is run again keeps under the same name"


def test_what_one_job_gives_another_takes():
    given = {each["name"].partition("$")[0] for all_of_it in kept().values() for each in all_of_it}
    taken = {
        str(step["with"].get("pattern", step["with"].get("name"))).partition("$")[0].rstrip("*")
        for job in JOBS.values()
        for step in steps_of(job)
        if "download-artifact" in step.get("uses", "")
    }
    assert taken == {"built-", "review-", "plan-", "drift-"}
    assert taken <= given


# ── one after another ─────────────────────────────────────────────────────────────────────────


def test_what_changes_an_env_waits_its_turn_and_is_never_cancelled():
    queue = {"group": "deploy-${{ inputs.env }}", "queue": "max"}
    assert JOBS["env.yml", "deploy"]["concurrency"] == queue
    assert JOBS["rollback.yml", "rollback"]["concurrency"] == queue


def test_a_plan_is_made_after_the_deploy_before_it():
    calls = {key: job for key, job in JOBS.items() if job.get("uses", "").endswith("/env.yml")}
    assert set(calls) == {("deploy.yml", "dev"), ("deploy.yml", "prod"), ("release.yml", "release")}
    for (file, name), job in calls.items():
        assert job["concurrency"] == {"group": f"env-{job['with']['env']}", "queue": "max"}, f"{file}: {name}"
        assert "concurrency" not in WORKFLOWS[file]


def test_dev_is_deployed_before_prod_and_both_after_ci():
    jobs = WORKFLOWS["deploy.yml"]["jobs"]
    needs = {name: job.get("needs", []) for name, job in jobs.items()}
    assert needs == {"ci": [], "store": [], "dev": ["ci"], "prod": ["dev"]}
    assert {name: job["with"] for name, job in jobs.items() if "with" in job} == {
        name: {"env": name, "commit": "${{ github.sha }}"} for name in ("dev", "prod")
    }


def test_nothing_is_deployed_before_a_team_says_so():
    off = {"vars": {}, "github": {"repository": "acme/shop", "event": {}}}
    for file in ("plan.yml", "deploy.yml", "drift.yml"):
        jobs = {name: job for name, job in WORKFLOWS[file]["jobs"].items() if name != "ci"}
        first = [job for job in jobs.values() if set(job.get("needs", [])) <= {"ci"}]
        assert first
        assert not any(holds(job["if"], off, "success") for job in first), file


@pytest.mark.parametrize("allowed", [False, True])
def test_a_deploy_applies_what_was_saved_and_then_verifies(allowed):
    context = {"inputs": {"allow-delete": allowed}}
    steps = [step for step in steps_of(JOBS["env.yml", "deploy"]) if holds(step.get("if"), context, "success")]
    runs = [step["run"] for step in steps if "run" in step]
    assert [run.split()[1] for run in runs] == ["deploy", "drift", "status"]
    assert "--plan .artifacts/saved.plan --replan" in runs[0]
    assert ("--allow-delete" in runs[0]) is allowed


def test_a_merge_never_deletes_what_holds_data():
    assert "allow-delete" not in str(WORKFLOWS["deploy.yml"])
    assert JOBS["release.yml", "release"]["with"]["allow-delete"] == "${{ inputs.allow-delete }}"
    for trigger in (WORKFLOWS["env.yml"][True]["workflow_call"], WORKFLOWS["release.yml"][True]["workflow_dispatch"]):
        assert trigger["inputs"]["allow-delete"]["default"] is False


@pytest.mark.parametrize(("event", "cancels"), [("pull_request", True), ("push", False)])
def test_ci_of_a_pull_request_is_cancelled_by_a_newer_push_and_that_of_main_is_not(event, cancels):
    concurrency = WORKFLOWS["ci.yml"]["concurrency"]
    assert filled(concurrency["cancel-in-progress"], {"github": {"event_name": event}}) is cancels


def test_every_job_of_ci_is_required():
    jobs = WORKFLOWS["ci.yml"]["jobs"]
    assert set(jobs["required"]["needs"]) == set(jobs) - {"required"}
    assert jobs["required"]["if"] == "always()"
    assert steps_of(jobs["required"])[-1]["env"] == {"NEEDS": "${{ toJSON(needs) }}"}


# ── judged by others ──────────────────────────────────────────────────────────────────────────


def judged(schema: str, *paths: Path) -> Result:
    """Run check-jsonschema, in this process: what it imports takes it two seconds in its own."""
    return CliRunner().invoke(check_jsonschema, ["--builtin-schema", f"vendor.{schema}", *map(str, paths)])


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("github-workflows", sorted(FOLDER.glob("*.yml"))),
        ("github-actions", [SETUP]),
        ("dependabot", [ROOT / ".github/dependabot.yml"]),
    ],
)
def test_the_schemas_of_github_find_nothing(schema, paths):
    done = judged(schema, *paths)
    assert done.exit_code == 0, done.output


def test_the_schema_finds_a_key_that_github_does_not_know(tmp_path):
    broken = tmp_path / "ci.yml"
    broken.write_text((FOLDER / "ci.yml").read_text("utf-8").replace("timeout-minutes", "timeout-minuets"), "utf-8")
    done = judged("github-workflows", broken)
    assert done.exit_code == 1
    assert "timeout-minuets" in done.output


def test_zizmor_finds_nothing():
    zizmor = Path(sys.executable).parent / "zizmor"
    command = [str(zizmor), "--offline", "--quiet", "--persona=pedantic", ".github"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_what_zizmor_is_to_ignore_has_its_reason_beside_it():
    ignored = [line for path in FILES for line in path.read_text("utf-8").splitlines() if "zizmor: ignore" in line]
    assert all(re.search(r"ignore\[[\w-]+\] \w+( \w+){3}", line) for line in ignored)
    assert len(ignored) <= 1


# ── dependencies, and the page ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ecosystem", "patterns"),
    [
        (
            "uv",
            ["requirements.txt", "functions/*/requirements.txt", "layers/*/requirements.txt", "terraform/checkov.txt"],
        ),
        ("github-actions", [".github/actions/*/action.yml"]),
        ("terraform", ["terraform/**/versions.tf"]),
    ],
)
def test_dependabot_looks_into_every_folder_that_pins_something(ecosystem, patterns):
    updates = content_of(ROOT / ".github/dependabot.yml")["updates"]
    (update,) = [each for each in updates if each["package-ecosystem"] == ecosystem]
    paths = [path for pattern in patterns for path in ROOT.glob(pattern) if ".terraform" not in path.parts]
    pinned = {f"/{path.parent.relative_to(ROOT).as_posix()}".removesuffix(".") for path in paths}
    missed = [folder for folder in pinned if not any(fnmatch(folder, each) for each in update["directories"])]
    assert pinned
    assert missed == []
    assert update["cooldown"]["default-days"] >= 7


def test_the_page_names_every_workflow_and_every_variable_to_set():
    text = "".join(path.read_text("utf-8") for path in FILES)
    variables = set(re.findall(r"\bvars\.(\w+)", text))
    assert [each for each in [*WORKFLOWS, *variables] if f"`{each}`" not in PAGE] == []
    assert len(PAGE.splitlines()) <= 150


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("'a' == 'A' && 1 == 1", True),
        ("null == ''", True),
        ("'' || 'other'", "other"),
        ("!(true && false)", True),
        ("fromJSON('[\"it''s\"]')[0]", "it's"),
        ("github.event.none.at.all", None),
    ],
)
def test_expressions_are_evaluated_as_github_does(expression, value):
    assert evaluated(expression, {"github": {}}) == value


@pytest.mark.parametrize(
    "expression", ["contains('a', 'b')", "secrets.TOKEN", "1 < 2", "github.*.x", "'open", "(true", "true true"]
)
def test_an_expression_that_is_not_known_is_refused(expression):
    with pytest.raises(ValueError, match=r"not known|not a known|expected"):
        evaluated(expression, {"github": {}})

"""The adapter and what it makes of Terraform's words; the real Terraform runs in tests/terraform."""

import getpass
import json
import os
import socket
import sys
from pathlib import Path

import pytest

from build.errors import AwsError, FindingsError, InputError, SlipwayError, ToolError
from build.infra.diagnostics import Listener, progress
from build.infra.terraform import TerraformAdapter, outputs_of
from build.process import Completed, start
from build.results import Plan

PROVIDER = Path("providers/example.org/hashicorp/aws/5.100.0/here/terraform-provider-aws_v5.100.0_x5")


class ScriptedTerraform:
    """A runner that answers each command as told; what it was asked is in ``ran``."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.env: dict[str, str] = {}
        self.answers: dict[str, tuple[int, str, str]] = {"version": (0, '{"terraform_version": "1.11.4"}', "")}

    def answer(self, command: str, *lines: object, code: int = 0, stderr: str = "") -> None:
        self.answers[command] = (code, "".join(f"{json.dumps(line)}\n" for line in lines), stderr)

    def __call__(self, argv, *, env=None, **_):
        code, stdout, stderr = self.answers.get(argv[1], (0, "{}", ""))
        if argv[1] != "version":
            self.ran.append(tuple(argv[1:]))
            self.env = env
        if argv[1] == "init" and code == 0:  # what a real one leaves behind
            provider = Path(env["TF_DATA_DIR"]) / PROVIDER
            provider.parent.mkdir(parents=True, exist_ok=True)
            provider.touch()
        return Completed(argv=tuple(argv), code=code, stdout=stdout, stderr=stderr)

    def follow(self, argv, *, log, on_line, cwd=None, env=None):
        done = self(argv, env=env)
        with log.open("a") as stream:
            stream.write(done.stdout + done.stderr)
        for line in done.stdout.splitlines():
            on_line(line)
        return done

    @property
    def commands(self) -> list[str]:
        return [argv[0] for argv in self.ran]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "path/terraform": "#!/bin/sh\n",
        "terraform/main.tf": "# nothing\n",
        "terraform/modules/a/main.tf": "# nothing\n",
        "terraform/.terraform.lock.hcl": "# nothing\n",
        "terraform/envs/prod.s3.tfbackend": 'bucket = "b"\nregion = "eu-central-1"\n',
        "terraform/envs/prod.tfvars": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "path/terraform").chmod(0o755)
    return tmp_path


@pytest.fixture
def scripted() -> ScriptedTerraform:
    return ScriptedTerraform()


def bootstrapping(root: Path, scripted: ScriptedTerraform) -> TerraformAdapter:
    environ = {"PATH": str(root / "path"), "HOME": str(root)}
    return TerraformAdapter(root, "prod", environ=environ, bootstrap=True, runner=scripted, follower=scripted.follow)


def adapter(
    root: Path, scripted: ScriptedTerraform, on_progress=lambda _: None, env: str = "prod", **environ: str
) -> TerraformAdapter:
    environ = {"PATH": str(root / "path"), "HOME": str(root), **environ}
    return TerraformAdapter(
        root, env, environ=environ, on_progress=on_progress, runner=scripted, follower=scripted.follow
    )


def error(summary: str, detail: str = "", **more: object) -> dict[str, object]:
    return {"type": "diagnostic", "diagnostic": {"severity": "error", "summary": summary, "detail": detail, **more}}


def change(address: str, *actions: str, before=None, after=None, unknown=None) -> dict[str, object]:
    return {
        "address": address,
        "change": {"actions": list(actions), "before": before, "after": after, "after_unknown": unknown or {}},
    }


def planned(scripted: ScriptedTerraform, *changes: dict[str, object], outputs: dict[str, object] | None = None) -> None:
    scripted.answer("plan", {"type": "planned_change"})
    scripted.answer("show", {"resource_changes": list(changes), "output_changes": outputs or {}})


def refused(root: Path, scripted: ScriptedTerraform, *errors: dict[str, object], stderr: str = "") -> SlipwayError:
    scripted.answer("plan", *errors, code=1, stderr=stderr)
    with pytest.raises(SlipwayError) as raised:
        adapter(root, scripted).plan(root / "handoff.tfvars.json")
    return raised.value


# ── init ──────────────────────────────────────────────────────────────────────────────────────


def test_init_runs_once_while_nothing_it_reads_changes(root, scripted):
    for _ in range(3):
        adapter(root, scripted).init()
    assert scripted.commands == ["init"]
    assert set(scripted.ran[0]) >= {"-input=false", "-lockfile=readonly", "-reconfigure", "-json"}


def test_bootstrap_has_a_state_and_a_folder_of_its_own_and_none_of_the_envs_settings(root, scripted):
    planned(scripted)
    terraform = bootstrapping(root, scripted)
    terraform.plan(root / "bootstrap.tfvars.json")
    init, plan = scripted.ran[:2]
    assert "-backend-config=key=bootstrap/terraform.tfstate" in init
    assert f"-backend-config={root}/terraform/envs/prod.s3.tfbackend" in init
    assert [each for each in plan if each.startswith("-var-file=")] == [f"-var-file={root}/bootstrap.tfvars.json"]
    assert scripted.env["TF_DATA_DIR"] == f"{root}/.artifacts/prod/bootstrap/terraform"


def test_a_failed_bootstrap_is_to_be_run_again_and_not_a_deploy(root, scripted):
    scripted.answer("apply", error("AccessDenied"), code=1)
    with pytest.raises(ToolError) as raised:
        bootstrapping(root, scripted).apply(Plan(path=root / "plan.tfplan", changes=()))
    assert raised.value.hint.endswith("run `invoke bootstrap --env prod`")


@pytest.mark.parametrize(
    "changed",
    [
        "terraform/main.tf",
        "terraform/modules/a/main.tf",
        "terraform/.terraform.lock.hcl",
        "terraform/envs/prod.s3.tfbackend",
        "path/terraform",
    ],
)
def test_init_runs_again_when_what_it_reads_changes(root, scripted, changed):
    adapter(root, scripted).init()
    (root / changed).write_text("# something else\n")
    adapter(root, scripted).init()
    assert scripted.commands == ["init", "init"]


def test_init_runs_again_when_the_provider_is_gone(root, scripted):
    adapter(root, scripted).init()
    (root / ".artifacts/prod/terraform" / PROVIDER).unlink()
    adapter(root, scripted).init()
    assert scripted.commands == ["init", "init"]


def test_init_runs_again_when_the_provider_is_another_file(root, scripted):
    adapter(root, scripted).init()
    (root / ".artifacts/prod/terraform" / PROVIDER).write_text("another")
    adapter(root, scripted).init()
    assert scripted.commands == ["init", "init"]


def test_a_failed_init_is_tried_again(root, scripted):
    scripted.answer("init", error("Failed to query available provider packages", "no such host"), code=1)
    for _ in range(2):
        with pytest.raises(ToolError, match=r"(?s)cannot get the AWS provider.*hint: give SLIPWAY_PROVIDER_MIRROR"):
            adapter(root, scripted).init()
    assert scripted.commands == ["init", "init"]


def test_an_env_without_settings_is_refused_before_anything_runs(root, scripted):
    with pytest.raises(InputError, match="the env staging has no") as raised:
        TerraformAdapter(root, "staging", environ={"PATH": str(root / "path")}, runner=scripted)
    assert raised.value.facts == ("envs there: prod",)
    assert scripted.ran == []


def test_the_callers_settings_for_the_terraform_command_line_are_kept_out(root, scripted):
    adapter(root, scripted, TF_CLI_ARGS_plan="-target=x", TF_WORKSPACE="other", AWS_PROFILE="ada").init()
    assert not {"TF_CLI_ARGS_plan", "TF_WORKSPACE"} & set(scripted.env)
    assert scripted.env["AWS_PROFILE"] == "ada"
    assert scripted.env["TF_DATA_DIR"] == str(root / ".artifacts/prod/terraform")


# ── plan, apply, outputs ──────────────────────────────────────────────────────────────────────


def test_a_plan_lists_what_changes_by_name_and_never_by_value(root, scripted):
    planned(
        scripted,
        change("a.same", "no-op"),
        change("data.a.read", "read"),
        change("a.new", "create", after={"password": "hunter2"}),
        change("a.gone", "delete", before={"password": "hunter2"}),
        change(
            "a.other",
            "update",
            before={"memory": 1, "password": "hunter2", "version": "1", "tags": [{}]},
            after={"memory": 2, "password": "hunter3", "tags": [{}]},
            unknown={"version": True, "tags": [{"x": False}]},
        ),
        change("a.anew", "delete", "create", before={"key": 1}, after={"key": 2}),
    )
    plan = adapter(root, scripted).plan(root / "handoff.tfvars.json")
    assert [(c.address, c.actions, c.changed) for c in plan.changes] == [
        ("a.new", ("create",), ()),
        ("a.gone", ("delete",), ()),
        ("a.other", ("update",), ("memory", "password", "version")),
        ("a.anew", ("delete", "create"), ("key",)),
    ]
    assert "hunter" not in repr(plan) + (root / ".artifacts/prod/terraform.log").read_text()


def test_a_plan_that_changes_nothing_is_empty_without_being_shown(root, scripted):
    scripted.answer("plan", {"type": "outputs", "outputs": {"functions": {"action": "noop"}}})
    assert adapter(root, scripted).plan(root / "handoff.tfvars.json").is_empty
    assert scripted.commands == ["init", "plan"]


def drifted(kind: str) -> dict[str, object]:
    return {"type": "resource_drift", "change": {"resource": {"addr": f"{kind}.this", "resource_type": kind}}}


def test_what_changed_outside_terraform_is_looked_at_though_nothing_is_planned(root, scripted):
    planned(scripted)
    scripted.answer("plan", drifted("aws_lambda_alias"), drifted("aws_iam_role"))
    assert adapter(root, scripted).plan(root / "handoff.tfvars.json").document
    assert scripted.commands == ["init", "plan", "show"]


def test_aliases_that_a_roll_out_moved_are_nothing_to_look_at(root, scripted):
    scripted.answer("plan", drifted("aws_lambda_alias"))
    assert adapter(root, scripted).plan(root / "handoff.tfvars.json").is_empty
    assert scripted.commands == ["init", "plan"]


def test_outputs_alone_make_a_plan_that_must_be_applied(root, scripted):
    scripted.answer("plan", {"type": "outputs", "outputs": {"http_api_url": {"action": "update"}}})
    scripted.answer(
        "show", {"output_changes": {"http_api_url": {"actions": ["update"]}, "layers": {"actions": ["no-op"]}}}
    )
    plan = adapter(root, scripted).plan(root / "handoff.tfvars.json")
    assert [c.address for c in plan.changes] == ["output.http_api_url"]


def test_a_plan_reads_the_envs_settings_then_the_hand_off(root, scripted):
    adapter(root, scripted).plan(root / "handoff.tfvars.json")
    (argv,) = [argv for argv in scripted.ran if argv[0] == "plan"]
    assert [a for a in argv if a.startswith("-var")] == [
        f"-var-file={root}/terraform/envs/prod.tfvars",
        f"-var-file={root}/handoff.tfvars.json",
    ]
    assert "-destroy" not in argv


def test_a_destroy_reads_the_hand_off_it_is_given_and_nothing_more(root, scripted):
    adapter(root, scripted).plan(root / "handoff.tfvars.json", destroy=True)
    (argv,) = [argv for argv in scripted.ran if argv[0] == "plan"]
    assert "-destroy" in argv
    assert not [a for a in argv if a.startswith("-var=")]


@pytest.mark.parametrize(("options", "said"), [({}, []), ({"lock": False}, ["-lock=false"])])
def test_a_plan_locks_the_state_unless_told_not_to(root, scripted, options, said):
    adapter(root, scripted).plan(root / "handoff.tfvars.json", **options)
    (argv,) = [argv for argv in scripted.ran if argv[0] == "plan"]
    assert [a for a in argv if a.startswith("-lock=")] == said


def test_a_plan_starts_the_log_and_what_follows_adds_to_it(root, scripted):
    log = root / ".artifacts/prod/terraform.log"
    scripted.answer("plan", {"said": "plan"})
    scripted.answer("apply", {"said": "apply"})
    scripted.answer("output", {})
    adapter(root, scripted).plan(root / "handoff.tfvars.json")
    plan = adapter(root, scripted).plan(root / "handoff.tfvars.json")
    adapter(root, scripted).apply(plan)
    assert [json.loads(line)["said"] for line in log.read_text().splitlines()] == ["plan", "apply"]


@pytest.mark.parametrize("there_before", [False, True])
def test_what_holds_values_is_for_its_owner_alone(root, scripted, there_before):
    folder = root / ".artifacts/prod"
    if there_before:
        folder.mkdir(parents=True, mode=0o755)
    adapter(root, scripted)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_failed_plan_leaves_no_older_plan_to_apply(root, scripted):
    old = root / ".artifacts/prod/plan.tfplan"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    refused(root, scripted, error("Invalid value"))
    assert not old.exists()


def test_apply_applies_the_saved_plan_and_nothing_else(root, scripted):
    scripted.answer("output", {})
    adapter(root, scripted).apply(Plan(path=root / "saved", changes=()))
    (argv,) = [argv for argv in scripted.ran if argv[0] == "apply"]
    assert argv[-1] == str(root / "saved")
    assert not [a for a in argv if a.startswith(("-var", "-auto-approve", "-target"))]


def test_outputs_are_read_by_function(root, scripted):
    orders = {
        "function_name": "slipway-prod-orders",
        "arn": "arn:x",
        "version": "3",
        "log_group": "/aws/lambda/slipway-prod-orders",
        "queue_urls": {"incoming": "https://queue"},
    }
    scripted.answer(
        "output",
        {
            "functions": {"value": {"orders": orders}},
            "http_api_url": {"value": None},
            "layers": {"value": {}},
            "deployment_groups": {"value": {"orders": {"application": "slipway-prod", "name": "orders", "hooks": {}}}},
        },
    )
    outputs = outputs_of(adapter(root, scripted).values())
    assert outputs.functions["orders"].version == "3"
    assert outputs.functions["orders"].queue_urls == {"incoming": "https://queue"}
    assert outputs.http_api_urls == ()
    assert outputs.deployment_groups["orders"].application == "slipway-prod"


def test_an_env_that_was_never_applied_has_no_outputs(root, scripted):
    outputs = outputs_of(adapter(root, scripted).values())
    assert (outputs.functions, outputs.http_api_urls) == ({}, ())


@pytest.mark.parametrize(
    "use", [lambda t: t.destroy(), lambda t: t.output("x"), lambda t: t.taint("x"), lambda t: t.cmd("x")]
)
def test_nothing_else_of_the_library_can_be_used(root, scripted, use):
    with pytest.raises((AttributeError, NotImplementedError)):
        use(adapter(root, scripted))
    assert scripted.ran == []


# ── progress and errors ───────────────────────────────────────────────────────────────────────


def hook(kind: str, action: str, seconds: int = 3) -> dict[str, object]:
    resource = {"addr": 'module.lambda_function["orders"].aws_lambda_function.this'}
    return {"type": kind, "hook": {"resource": resource, "action": action, "elapsed_seconds": seconds}}


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (hook("apply_start", "create"), 'module.lambda_function["orders"].aws_lambda_function.this: creating'),
        (hook("apply_progress", "delete", 20), "…: still destroying after 20 s"),
        (hook("apply_complete", "update"), "…: updated in 3 s"),
        (hook("apply_errored", "create"), "…: failed"),
        (hook("apply_start", "read"), None),
        (hook("refresh_start", "read"), None),
        (
            {"type": "change_summary", "@message": "Plan: 1 to add, 0 to change, 0 to destroy."},
            "Plan: 1 to add, 0 to change, 0 to destroy.",
        ),
        (
            {"type": "diagnostic", "diagnostic": {"severity": "warning", "summary": "Odd", "detail": "Very."}},
            "warning: Odd; Very.",
        ),
        (
            {"type": "log", "@message": "\nInterrupt received.\nPlease wait for Terraform to exit"},
            "interrupted: Terraform stops what it does, writes its state and frees the lock",
        ),
        ({"type": "log", "@message": "Stopping operation..."}, None),
        ({"type": "version"}, None),
        ({"type": "state_lock_acquire"}, "waiting for another terraform, which holds the lock of the state"),
    ],
)
def test_progress_is_one_short_line_or_none(event, line):
    said = progress(event)
    assert said == (line and line.replace("…", 'module.lambda_function["orders"].aws_lambda_function.this'))


def test_what_is_not_json_does_not_stop_the_listener():
    said: list[str] = []
    Listener(said.append)("panic: runtime error")
    assert said == []


def test_all_errors_come_at_once_with_their_places_and_the_log(root, scripted):
    place = {"filename": "main.tf", "start": {"line": 39}}
    raised = refused(
        root,
        scripted,
        error("Invalid value for variable", "memory_mb must be more.\n\nThis was checked.", range=place),
        error("Unsupported thing", address="aws_x.this"),
    )
    assert isinstance(raised, ToolError)
    assert raised.facts == (
        "Invalid value for variable (terraform/main.tf:39)",
        "  memory_mb must be more.",
        "  This was checked.",
        "Unsupported thing (aws_x.this)",
        f"log: {root}/.artifacts/prod/terraform.log",
    )
    assert raised.hint.endswith("`invoke plan --env prod`")
    assert "Unsupported thing" in (root / ".artifacts/prod/terraform.log").read_text()


def test_very_many_errors_are_counted(root, scripted):
    raised = refused(root, scripted, *(error(f"bad {n}") for n in range(25)))
    assert raised.facts[-2] == "and 5 more errors"


def test_a_crash_shows_its_last_lines(root, scripted):
    raised = refused(root, scripted, stderr="\n".join(f"line {n}" for n in range(30)))
    assert isinstance(raised, ToolError)
    assert "line 29" in raised.facts
    assert "line 3" not in raised.facts


@pytest.mark.parametrize(
    ("summary", "kind", "message"),
    [
        ("AWS account ID not allowed: 1", AwsError, "another AWS account"),
        ("No valid credential sources found", AwsError, "no valid AWS credentials for prod"),
        ("operation error Lambda: CreateFunction, https response error StatusCode: 403", AwsError, "AWS refused"),
        ("operation error STS: GetCallerIdentity, dial tcp 1.2.3.4:443: i/o timeout", AwsError, "cannot be reached"),
        ('S3 bucket "b" does not exist', AwsError, "prod has no bucket b"),
        ("s3://b/k does not hold the bytes that were built", FindingsError, "not the bytes that were built"),
        ("Saved plan is stale", ToolError, "can no longer be applied"),
        ("Invalid index", ToolError, "terraform plan failed for prod"),
    ],
)
def test_the_error_tells_aws_from_terraform(root, scripted, summary, kind, message):
    raised = refused(root, scripted, error(summary))
    assert type(raised) is kind
    assert message in raised.summary
    assert "`" in raised.hint


@pytest.mark.parametrize(
    "summary", ['S3 bucket "b" does not exist', "Error loading state: NoSuchBucket: no such bucket"]
)
def test_a_missing_bucket_is_named_with_the_command_that_makes_it(root, scripted, summary):
    raised = refused(root, scripted, error(summary))
    assert "`invoke bootstrap --env prod`" in raised.hint
    assert raised.hint.endswith("`invoke plan --env prod`")


THERE = "operation error IAM: CreateRole, https response error StatusCode: 409, EntityAlreadyExists: shop-prod-orders"


def test_what_is_there_and_in_no_state_is_taken_into_it_by_the_command_that_is_named(root, scripted):
    raised = refused(root, scripted, error("creating IAM Role", THERE))
    assert isinstance(raised, AwsError)
    assert raised.summary == "prod has things that Terraform's state does not know"
    assert any("shop-prod-orders" in fact for fact in raised.facts)
    command = f"terraform -chdir={root}/terraform import -var-file={root}/terraform/envs/prod.tfvars"
    assert command.partition(" ")[2] in raised.hint
    assert f"-var-file={root}/.artifacts/prod/handoff.tfvars.json ADDRESS ID`" in raised.hint


LOCKED = error(
    "Error acquiring the state lock",
    "Error message: operation error S3: PutObject, https response error StatusCode: 412\n"
    "Lock Info:\n  ID:        f00d\n  Operation: OperationTypeApply\n  Who:       ada@laptop\n"
    "  Created:   2026-01-02 03:04:05.123456 +0000 UTC\n",
)


def test_a_held_state_lock_names_who_holds_it_and_how_to_free_it(root, scripted):
    raised = refused(root, scripted, LOCKED)
    assert isinstance(raised, ToolError)
    assert raised.summary == "the state of prod is locked by ada@laptop"
    assert raised.facts[0] == "since: 2026-01-02 03:04:05 UTC"
    assert raised.facts[1].startswith(
        "doing: apply, which goes on to its end even where the run that began it was killed"
    )
    assert raised.hint.startswith("wait for its end, then run `invoke plan --env prod`")
    assert raised.hint.endswith(
        f"`env TF_DATA_DIR={root}/.artifacts/prod/terraform {root}/path/terraform -chdir={root}/terraform"
        " force-unlock f00d`"
    )


@pytest.fixture
def local(root):
    for name in ("s3.tfbackend", "tfvars"):
        (root / f"terraform/envs/prod.{name}").rename(root / f"terraform/envs/local.{name}")
    return root


def test_a_state_lock_of_the_embedded_cloud_is_freed_without_touching_aws(local, scripted):
    scripted.answer("plan", LOCKED, code=1)
    with pytest.raises(ToolError) as raised:
        adapter(local, scripted, env="local").plan(local / "handoff.tfvars.json")
    assert raised.value.hint.endswith("`invoke local.stop --discard`")
    assert "force-unlock" not in str(raised.value)
    assert scripted.commands == ["init", "plan"], "it is somebody else's"


class Freed(ScriptedTerraform):
    """Plans once the state is unlocked."""

    def __call__(self, argv, **named):
        if argv[1] == "force-unlock":
            self.answer("plan", {"type": "planned_change"})
        return super().__call__(argv, **named)


def own_lock() -> dict[str, object]:
    ours = f"{getpass.getuser()}@{socket.gethostname()}"
    return dict(json.loads(json.dumps(LOCKED).replace("ada@laptop", ours)))


def test_a_state_lock_that_our_own_terraform_left_on_the_embedded_cloud_is_freed_at_once(local):
    said: list[str] = []
    scripted = Freed()
    scripted.answer("plan", own_lock(), code=1)
    adapter(local, scripted, said.append, env="local").plan(local / "handoff.tfvars.json")
    assert scripted.commands == ["init", "plan", "force-unlock", "plan", "show"]
    assert ("force-unlock", "-force", "f00d") in scripted.ran
    assert "freeing the state: the terraform that locked it has ended without doing so" in said


def test_a_state_lock_of_an_account_is_never_freed_by_itself(root):
    scripted = Freed()
    refused(root, scripted, own_lock())
    assert "force-unlock" not in scripted.commands


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such lock")
def test_a_plan_waits_for_the_terraform_that_an_interrupted_run_left_behind(root, scripted):
    log = root / ".artifacts/prod/terraform.log"
    log.parent.mkdir(parents=True)
    left = start([sys.executable, "-c", "import time; time.sleep(0.5); print('the end')"], log=log)
    said: list[str] = []
    adapter(root, scripted, said.append).plan(root / "handoff.tfvars.json")
    assert left.poll() == 0
    assert said[0] == "waiting for the terraform of another run, which goes on to its end"

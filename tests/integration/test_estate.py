"""Stacks, saved plans, drift and the way back, by the verbs alone: the real Terraform on the embedded cloud.

The tests tell one story, from top to bottom: each starts where the one before ended.
"""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.checkout import make_checkout, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("estate")]

APP = "def handler(event, context):\n    return {!r}\n"
SETTINGS = 'description = "Answers"\n{}\n[environment]\nTOKEN = "hunter-{}"\n'


def set_up(checkout, name, *, answer="first", stack="", memory=256):
    where = f'stack = "{stack}"' if stack else ""
    checkout.write(f"functions/{name}/src/app.py", APP.format(answer))
    checkout.write(
        f"functions/{name}/function.toml", SETTINGS.format(f"{where}\nmemory_mb = {memory}", "2").replace("\n\n", "\n")
    )
    checkout.write(f"functions/{name}/requirements.txt", "")
    checkout.write(f"functions/{name}/events/first.json", "{}")


def commit(checkout, message):
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.invalid"]
    subprocess.run([*git, "add", "-A"], cwd=checkout.root, check=True)
    subprocess.run([*git, "commit", "-qm", message], cwd=checkout.root, check=True)


@pytest.fixture(scope="module")
def estate(tmp_path_factory):
    """Two functions, one of them in a stack of its own, deployed."""
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    set_up(checkout, "plain")
    set_up(checkout, "orders", stack="shop")
    subprocess.run(["git", "init", "-q"], cwd=checkout.root, check=True)
    commit(checkout, "first")
    checkout.run("deploy")
    yield checkout
    checkout.close()


def answer(estate, name):
    payload = estate.client("lambda").invoke(FunctionName=f"slipway-local-{name}:live", Payload=b"{}")["Payload"]
    return payload.read().decode()


def test_every_stack_has_a_state_of_its_own(estate):
    keys = [each["Key"] for each in estate.client("s3").list_objects_v2(Bucket=state_bucket(estate))["Contents"]]
    assert sorted(keys) == ["slipway/local.shop.tfstate", "slipway/local.tfstate"]


def state_bucket(estate):
    return bucket_of(estate, "terraform-state")


def artifact_bucket(estate):
    return bucket_of(estate, "artifacts")


def bucket_of(estate, what):
    (bucket,) = [each["Name"] for each in estate.client("s3").list_buckets()["Buckets"] if what in each["Name"]]
    return bucket


def test_nothing_is_planned_where_nothing_changed(estate):
    done = estate.run("deploy")
    assert "2 of 2 stacks are as they were applied: not planned" in done.stderr
    assert "nothing to change" in done.stderr


def test_only_the_stack_that_changed_is_planned_and_values_stay_hidden(estate):
    set_up(estate, "orders", stack="shop", memory=512)
    commit(estate, "more memory")
    done = estate.run("plan", "--out", ".artifacts/changed.plan")
    assert "1 of 2 stacks are as they were applied: not planned" in done.stderr
    assert "memory_mb" in done.stdout
    for ending in ("md", "json", "html"):
        text = (estate.root / f".artifacts/local/review.{ending}").read_text("utf-8")
        assert "512" in text
        assert "hunter-2" not in text + done.stdout + done.stderr


def test_a_gate_may_refuse_what_is_not_safe(estate):
    assert estate.json("plan", "--every-stack", "--fail-on", "dangerous")["verdict"] == "look"
    refused = estate.run("plan", "--fail-on", "look", code=1)
    assert "the plan of local is look" in refused.stderr
    assert "memory_mb" in refused.stderr


def test_a_plan_for_another_commit_is_refused(estate):
    set_up(estate, "plain", answer="second")
    commit(estate, "not what was planned")
    refused = estate.run("deploy", "--plan", ".artifacts/changed.plan", code=1)
    assert "commit: expected" in refused.stderr
    assert "nothing was changed" in refused.stderr
    subprocess.run(["git", "reset", "-q", "--hard", "HEAD~1"], cwd=estate.root, check=True)


def test_a_plan_of_artifacts_that_were_exchanged_is_refused_by_name(estate):
    s3 = estate.client("s3")
    bucket = artifact_bucket(estate)
    (key,) = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix="functions/orders/")["Contents"]]
    true = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    s3.put_object(Bucket=bucket, Key=key, Body=b"not what was built", ChecksumAlgorithm="SHA256")
    refused = estate.run("deploy", "--plan", ".artifacts/changed.plan", code=1)
    assert "functions/orders: expected sha256:" in refused.stderr
    s3.put_object(Bucket=bucket, Key=key, Body=true, ChecksumAlgorithm="SHA256")


def test_exactly_the_saved_plan_is_applied_without_building(estate):
    shutil.rmtree(estate.root / ".artifacts/store")
    done = estate.run("deploy", "--plan", ".artifacts/changed.plan")
    assert "assembling" not in done.stderr
    configuration = estate.client("lambda").get_function_configuration(FunctionName="slipway-local-orders:live")
    assert configuration["MemorySize"] == 512


def test_a_plan_whose_state_moved_on_is_applied_only_if_the_change_is_the_same(estate):
    stale = estate.run("deploy", "--plan", ".artifacts/changed.plan", code=1)
    assert "stack shop: its state changed after the plan was made" in stale.stderr
    assert "--replan" in stale.stderr
    done = estate.run("deploy", "--plan", ".artifacts/changed.plan", "--replan")  # nothing is left to change
    assert "nothing to change" in done.stderr


def test_another_change_than_the_one_approved_stops_a_second_plan(estate):
    set_up(estate, "orders", stack="shop", memory=1024)
    commit(estate, "still more memory")
    estate.run("plan", "--out", ".artifacts/approved.plan")
    lambda_ = estate.client("lambda")
    lambda_.update_function_configuration(FunctionName="slipway-local-orders", Timeout=77)
    touch_state(estate)
    refused = estate.run("deploy", "--plan", ".artifacts/approved.plan", "--replan", code=1)
    assert "another change than the one that was approved" in refused.stderr
    assert lambda_.get_function_configuration(FunctionName="slipway-local-orders")["MemorySize"] == 512


def touch_state(estate):
    """Write the state of the stack once more, as a bare `terraform refresh` elsewhere does."""
    s3, place = estate.client("s3"), {"Bucket": state_bucket(estate), "Key": "slipway/local.shop.tfstate"}
    s3.put_object(**place, Body=s3.get_object(**place)["Body"].read() + b"\n")


def test_what_was_changed_by_hand_is_drift_and_named(estate):
    found = estate.run("drift", code=6)
    assert "aws_lambda_function" in found.stderr
    assert "timeout" in found.stderr
    assert (estate.root / ".artifacts/local/drift.md").is_file()
    estate.client("lambda").update_function_configuration(FunctionName="slipway-local-orders", Timeout=30)


def test_a_release_is_brought_back_by_its_versions(estate):
    before = answer(estate, "orders")
    set_up(estate, "orders", stack="shop", answer="second")
    estate.run("deploy")
    assert answer(estate, "orders") == '"second"'
    ids = [row["id"] for row in estate.json("releases")]
    assert ids == sorted(ids, reverse=True)
    estate.run("rollback")
    assert answer(estate, "orders") == before == '"first"'
    estate.run("rollback", "--to", ids[0])
    assert answer(estate, "orders") == '"second"'


def test_an_alarm_during_the_roll_out_gives_callers_the_old_version_again(estate):
    alias = {"FunctionName": "slipway-local-orders", "Name": "live"}
    before = estate.client("lambda").get_alias(**alias)["FunctionVersion"]
    set_up(estate, "orders", stack="shop", answer="worse")
    settings = estate.root / "functions/orders/function.toml"
    settings.write_text(settings.read_text() + "[env.local.rollout]\nwatch_minutes = 1\n")

    def fail_once_callers_came():
        wait_for(lambda: estate.client("lambda").get_alias(**alias)["FunctionVersion"] != before, limit_s=120)
        estate.client("cloudwatch").set_alarm_state(
            AlarmName="slipway-local-orders-errors", StateValue="ALARM", StateReason="test"
        )

    with ThreadPoolExecutor(1) as pool:
        failing = pool.submit(fail_once_callers_came)
        refused = estate.run("deploy", code=7)
        failing.result()
    assert "slipway-local-orders-errors" in refused.stderr
    assert answer(estate, "orders") == '"second"'
    newest = estate.json("releases")[0]
    assert (newest["live"]["orders"], newest["versions"]["orders"]) == (before, str(int(before) + 1))
    stays = estate.run("deploy")
    assert f"orders:live stays at version {before}" in stays.stderr
    set_up(estate, "orders", stack="shop", answer="third")
    estate.run("deploy")
    assert answer(estate, "orders") == '"third"'


def test_a_function_that_would_change_its_state_is_refused(estate):
    set_up(estate, "orders", answer="third")
    refused = estate.run("plan", code=2)
    assert "functions/orders: expected stack shop, which has it, got default" in refused.stderr


def test_a_stack_that_lost_its_last_function_is_emptied(estate):
    shutil.rmtree(estate.root / "functions/orders")
    done = estate.run("deploy")
    assert 'module.lambda_function["orders"]' in done.stderr
    names = [each["FunctionName"] for each in estate.client("lambda").list_functions()["Functions"]]
    assert names == ["slipway-local-plain"]
    assert "2 of 2 stacks" in estate.run("deploy").stderr


def test_drift_of_what_was_deployed_before_stacks_were_recorded_is_found(estate):
    s3, place = estate.client("s3"), {"Bucket": artifact_bucket(estate)}
    records = [each["Key"] for each in s3.list_objects_v2(**place, Prefix="stacks/")["Contents"]]
    assert sorted(records) == ["stacks/default.json", "stacks/shop.json"]
    for key in records:
        s3.delete_object(**place, Key=key)
    estate.client("lambda").update_function_configuration(FunctionName="slipway-local-plain", Timeout=77)
    found = estate.run("drift", code=6)
    assert "timeout" in found.stderr
    assert s3.list_objects_v2(**place, Prefix="stacks/")["KeyCount"] == 0, "to look records nothing"

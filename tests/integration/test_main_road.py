"""From a checkout to functions that answer, by the verbs alone: real pip, real Terraform and provider, real workers."""

import json
import os
import signal
import subprocess
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.builders import lock_line, make_wheel
from tests.checkout import make_checkout, wait_for

pytestmark = pytest.mark.slow

TEAPOT = """\
import json
import teapot
from shared import NAME

def handler(event, context):
    for record in event.get("Records", []):
        print("from the queue:", record["body"])
    if "at" in event:
        print("by the clock:", event["at"])
    if event.get("fail"):
        raise ValueError("asked to fail")
    return {"material": teapot.MATERIAL, "shared": NAME, "version": context.function_version}
"""
SETTINGS = """\
description = "Pours"
layers = ["pots"]
[[triggers.http]]
route = "GET /tea"
[[triggers.queue]]
name = "orders"
[[triggers.schedule]]
name = "nightly"
expression = "cron(0 3 * * ? *)"
timezone = "Europe/Berlin"
input = { at = "<aws.scheduler.scheduled-time>" }
[[permissions]]
actions = ["sts:GetCallerIdentity"]
resources = ["*"]
reason = "this action knows no resource"
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    index = tmp_path_factory.mktemp("index")
    wheel = make_wheel(index, "teapot", files={"teapot.py": "MATERIAL = 'clay'\n"})
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    checkout.run("new", "hello")
    checkout.write("functions/pourer/src/app.py", TEAPOT)
    checkout.write("functions/pourer/function.toml", SETTINGS)
    checkout.write("functions/pourer/events/first.json", "{}")
    checkout.write("functions/pourer/requirements.txt", lock_line(wheel))
    checkout.write(
        "layers/pots/layer.toml",
        'description = "Pots"\nruntimes = ["python3.13"]\narchitectures = ["x86_64", "arm64"]\n',
    )
    checkout.write("layers/pots/requirements.txt", lock_line(wheel))
    checkout.write("layers/pots/src/shared.py", "NAME = 'from the layer'\n")
    # pip sees the index for what functions need; what the runtime itself holds comes from wherever pip looks.
    checkout = type(checkout)(checkout.root, {"PIP_FIND_LINKS": str(index)})
    yield checkout
    checkout.close()


@pytest.fixture(scope="module")
def first(checkout):
    return checkout.json("deploy", "--env", "local")


def by_name(rows):
    return {row["name"]: row for row in rows}


def test_every_function_is_deployed_and_answers_its_sample_event(first):
    functions = by_name(first["functions"])
    assert set(functions) == {"hello", "pourer"}
    assert functions["pourer"]["answer"] == {"material": "clay", "shared": "from the layer", "version": "1"}
    assert all(row["changed"] and row["version"] == "1" and row["alias"] == "live" for row in functions.values())
    assert functions["pourer"]["distributions"] == {}, "the layer holds it"
    (layer,) = first["layers"]
    assert (layer["name"], layer["distributions"], layer["changed"]) == ("pots", {"teapot": "1.0"}, True)
    assert (layer["version"], layer["alias"], layer["answer"]) == ("1", None, None)


def test_a_second_deploy_changes_nothing(checkout, first):
    done = checkout.run("deploy", "--env", "local", "--json")
    assert "nothing to change" in done.stderr
    assert "uploading" not in done.stderr
    assert "assembling" not in done.stderr
    again = json.loads(done.stdout)
    assert not any(row["changed"] for row in (*again["functions"], *again["layers"]))
    assert again["release"] is None
    assert {r["digest"] for r in again["functions"]} == {r["digest"] for r in first["functions"]}


def test_the_embedded_cloud_lists_what_was_deployed(checkout, first):
    client = checkout.client("lambda")
    names = {f["FunctionName"]: f for f in client.list_functions()["Functions"]}
    assert set(names) == {"slipway-local-hello", "slipway-local-pourer"}
    for name in names:
        (alias,) = client.list_aliases(FunctionName=name)["Aliases"]
        assert alias["Name"] == "live"
        assert checkout.client("iam").get_role(RoleName=name)["Role"]["RoleName"] == name
        (group,) = checkout.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
        assert group["retentionInDays"] > 0
    assert [each["LayerName"] for each in client.list_layers()["Layers"]] == ["slipway-local-pots"]
    digest = by_name(first["functions"])["pourer"]["digest"].removeprefix("sha256:")
    assert client.get_function(FunctionName="slipway-local-pourer")["Configuration"]["CodeSha256"]
    stored = checkout.client("s3").list_objects_v2(Bucket="slipway-local-artifacts-123456789012-us-east-1")["Contents"]
    assert f"functions/pourer/{digest}.zip" in {row["Key"] for row in stored}


@pytest.mark.parametrize("name", ["slipway-local-pourer", "slipway-local-pourer:live", "slipway-local-pourer:1"])
def test_boto3_invokes_by_name_alias_and_version(checkout, first, name):
    response = checkout.client("lambda").invoke(FunctionName=name, Payload=b"{}")
    assert response["StatusCode"] == 200
    assert json.loads(response["Payload"].read())["material"] == "clay"


def test_a_message_in_the_queue_reaches_the_function(checkout, first):
    sqs = checkout.client("sqs")
    url = sqs.get_queue_url(QueueName="slipway-local-pourer-orders")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="one pot please")
    wait_for(lambda: "from the queue: one pot please" in checkout.run("logs", "-f", "pourer", "--since", "1h").stdout)


def test_a_schedule_fires_when_the_clock_is_advanced(checkout, first):
    (coming,) = checkout.json("local.clock")["next"]
    at = datetime.fromisoformat(coming["at"]).astimezone(ZoneInfo("Europe/Berlin"))
    assert (coming["name"], at.hour) == ("slipway-local-pourer-nightly", 3)
    assert "slipway-local-pourer:live" in checkout.run("local.clock", "--advance", "1d").stdout
    said = f"by the clock: {coming['at']}"
    wait_for(lambda: said in checkout.run("logs", "-f", "pourer", "--since", "1h").stdout)
    assert "expected 90s, 90m, 2h or 3d" in checkout.run("local.clock", "--advance", "soon", code=2).stderr


def test_curl_is_answered_where_the_deploy_says(checkout, first):
    (entry,) = first["entries"]
    assert (entry["entry"], entry["function"]) == ("GET /tea", "slipway-local-pourer")
    assert first["http_api_urls"] == [entry["url"].removesuffix("/tea")]
    curl = subprocess.run(["curl", "-sS", entry["url"]], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(curl.stdout)["material"] == "clay"
    assert entry["url"] in checkout.run("local.status").stdout


def test_the_verb_invoke_gives_the_answer_on_stdout_and_the_log_on_stderr(checkout, first):
    done = checkout.run("invoke", "-f", "pourer", "-e", '{"Records": [{"body": "b"}]}')
    assert json.loads(done.stdout)["material"] == "clay"
    assert "from the queue: b" in done.stderr


def test_a_function_that_fails_ends_the_verb_with_exit_code_1(checkout, first):
    done = checkout.run("invoke", "-f", "pourer", "-e", '{"fail": true}', code=1)
    assert json.loads(done.stdout)["errorMessage"] == "asked to fail"
    assert "hint: run `invoke logs -f pourer --env local`" in done.stderr


def test_an_unknown_function_or_event_is_told_with_what_there_is(checkout, first):
    assert "expected one of: hello, pourer" in checkout.run("invoke", "-f", "nobody", code=2).stderr
    assert "first.json" in checkout.run("invoke", "-f", "pourer", "-e", "none", code=2).stderr


def test_status_shows_the_live_version(checkout, first):
    assert "pourer" in checkout.run("status").stdout


def test_a_release_is_recorded_with_everything_to_find_it_again(checkout, first):
    row = next(row for row in checkout.json("releases") if row["id"] == first["release"])
    assert (row["kind"], row["outcome"]) == ("deploy", "finished")
    assert row["verdict"] == "dangerous", "anyone may GET /tea"
    assert row["artifacts"]["layers/pots"]["distributions"] == {"teapot": "1.0"}
    assert row["artifacts"]["functions/pourer"]["distributions"] == {}, "the layer holds it"
    assert row["plans"][""]["changes"] > 1
    assert {"apply", "plan", "build"} <= {*row["durations"]}
    assert row["versions"] == {"hello": "1", "pourer": "1"}
    assert row["handoff"]["functions"]["pourer"]["artifact"]["key"].startswith("functions/pourer/")


def test_touching_one_function_changes_only_that_one(checkout, first):
    checkout.write(
        "functions/pourer/src/app.py", TEAPOT.replace('"material": teapot', '"touched": 1, "material": teapot')
    )
    done = checkout.run("deploy", "--env", "local", "--json")
    assert [line for line in done.stderr.splitlines() if "assembling" in line] == [
        "  build: assembling functions/pourer"
    ]
    assert done.stderr.count("uploading") == 1
    changes = [line for line in done.stderr.splitlines() if line.startswith("  ~")]
    assert [line for line in changes if "pourer" in line]
    assert not [line for line in changes if "hello" in line]
    functions = by_name(json.loads(done.stdout)["functions"])
    assert (functions["pourer"]["changed"], functions["hello"]["changed"]) == (True, False)
    assert (functions["pourer"]["version"], functions["hello"]["version"]) == ("2", "1")
    assert functions["pourer"]["answer"]["touched"] == 1


def test_a_cloud_that_was_killed_is_noticed_and_started_anew(checkout, first):
    pid = checkout.json("local.status")["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: checkout.json("local.status")["pid"] is None)
    assert "invoke deploy --env local" in checkout.run("status", code=2).stderr
    again = checkout.json("deploy")["functions"]
    assert {row["name"]: (row["changed"], row["version"]) for row in again} == {
        "hello": (True, "1"),
        "pourer": (True, "1"),
    }
    assert all(row["answer"] for row in again)
    assert checkout.json("local.status")["pid"] not in {pid, None}


def test_destroy_leaves_no_function_and_no_role(checkout, first):
    checkout.run("destroy", "--env", "local")
    assert checkout.client("lambda").list_functions()["Functions"] == []
    assert checkout.client("iam").list_roles()["Roles"] == []
    assert "nothing to change" in checkout.run("destroy", "--env", "local").stderr

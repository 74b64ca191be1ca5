"""Releases and the ways back, by the verbs alone: the real Terraform on the embedded cloud.

The tests tell one story, from top to bottom: each starts where the one before ended.
"""

import base64
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.builders import lock_line, make_wheel
from tests.checkout import make_checkout, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("releases")]

APP = "import tint\n\ndef handler(event, context):\n    return {!r} + tint.COLOUR\n"
NOWHERE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_NO_INDEX": "1",
    "UV_INDEX_URL": "http://127.0.0.1:9/simple",
}


def set_up(checkout, answer, *, memory=256, tint="1.0.0"):
    """Write the function orders, of which everything may change: code, dependency, settings, trigger."""
    checkout.write("functions/orders/src/app.py", APP.format(answer))
    queue = '[[triggers.queue]]\nname = "jobs"\n' if memory > 256 else ""
    checkout.write("functions/orders/function.toml", f'description = "Takes orders"\nmemory_mb = {memory}\n{queue}')
    wheel = make_wheel(checkout.root / "wheels", "tint", tint, files={"tint/__init__.py": f"COLOUR = {tint!r}\n"})
    checkout.write("functions/orders/requirements.txt", lock_line(wheel))


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Two functions, released three times: the second one changed, then changed in every way."""
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    checkout = type(checkout)(checkout.root, {"PIP_FIND_LINKS": str(checkout.root / "wheels")})
    checkout.write("functions/plain/src/app.py", "def handler(event, context):\n    return 'plain'\n")
    checkout.write("functions/plain/function.toml", 'description = "Says one word"\n')
    checkout.write("functions/plain/requirements.txt", "")
    set_up(checkout, "first ")
    checkout.run("deploy")
    set_up(checkout, "second ")
    checkout.run("deploy")
    set_up(checkout, "third ", memory=512, tint="2.0.0")
    checkout.run("deploy")
    yield checkout
    checkout.close()


def answer(shop):
    payload = shop.client("lambda").invoke(FunctionName="slipway-local-orders:live", Payload=b"{}")["Payload"]
    return payload.read().decode()


def live(shop, name="orders"):
    return shop.client("lambda").get_function(FunctionName=f"slipway-local-{name}", Qualifier="live")["Configuration"]


def digest_of(row, name):
    return base64.b64encode(bytes.fromhex(row["handoff"]["functions"][name]["artifact"]["digest_hex"])).decode()


def test_every_release_is_there_with_what_it_was_made_of(shop):
    third, second, first = shop.json("releases")
    assert [row["id"] for row in (first, second, third)] == ["1", "2", "3"]
    assert {row["outcome"] for row in (first, second, third)} == {"finished"}
    assert first["artifacts"]["functions/orders"]["distributions"] == {"tint": "1.0.0"}
    assert third["artifacts"]["functions/orders"]["distributions"] == {"tint": "2.0.0"}
    assert first["locks"]["functions/orders"] != third["locks"]["functions/orders"]
    assert (third["before"]["orders"]["version"], third["live"]["orders"]) == (second["live"]["orders"], "3")
    assert second["plans"][""]["changes"] == 1
    assert second["verdict"] in {"safe", "look", "dangerous"}
    assert second["tools"]["aws"] == "5.100.0"


def test_going_back_takes_one_command_and_is_a_release_itself(shop):
    done = shop.run("rollback")
    assert "settings of these functions are as release 2 left it" in done.stderr
    assert answer(shop) == '"second 1.0.0"'
    newest = shop.json("releases")[0]
    assert (newest["id"], newest["kind"], newest["of"]) == ("4", "rollback", "2")
    assert (newest["versions"]["orders"], newest["live"]["orders"]) == ("3", "2")


def test_a_single_function_goes_back_alone(shop):
    shop.run("rollback", "--to", "1", "--only", "orders")
    assert answer(shop) == '"first 1.0.0"'
    refused = shop.run("rollback", "--to", "1", "--only", "order", code=2)
    assert "got order; expected some of: orders, plain" in refused.stderr


def test_a_deploy_of_the_same_leaves_it_where_it_was_taken(shop):
    done = shop.run("deploy")
    assert "orders:live stays at version 1" in done.stderr
    assert answer(shop) == '"first 1.0.0"'


def test_a_deploy_of_something_newer_warns_of_what_it_brings_forward(shop):
    set_up(shop, "fourth ", memory=512, tint="2.0.0")
    done = shop.run("deploy")
    assert "warning: orders: version 3 of release 3 was taken back, callers have version 1" in done.stderr
    assert answer(shop) == '"fourth 2.0.0"'


@pytest.fixture(scope="module")
def elsewhere(shop, tmp_path_factory):
    """Another clone, of a later commit without these functions, without a store and without any registry."""
    clone = make_checkout(tmp_path_factory.mktemp("elsewhere"))
    clone = type(clone)(clone.root, NOWHERE)
    (clone.root / ".artifacts/local").mkdir(parents=True, exist_ok=True)
    shutil.copy(shop.root / ".artifacts/local/cloud.json", clone.root / ".artifacts/local/cloud.json")
    return clone


def test_everything_of_an_old_release_comes_back_from_what_was_recorded(shop, elsewhere):
    first = shop.json("releases")[-1]
    assert shop.client("sqs").list_queues(QueueNamePrefix="slipway-local-orders-jobs")["QueueUrls"]
    elsewhere.run("rollback", "--full", "--to", "1")
    assert answer(shop) == '"first 1.0.0"'
    for name in ("orders", "plain"):
        assert live(shop, name)["CodeSha256"] == digest_of(first, name)
    assert live(shop)["MemorySize"] == 256
    assert "QueueUrls" not in shop.client("sqs").list_queues(QueueNamePrefix="slipway-local-orders-jobs")
    newest = shop.json("releases")[0]
    assert (newest["kind"], newest["of"], newest["outcome"]) == ("restore", "1", "finished")
    assert newest["handoff_digest"] == first["handoff_digest"]
    assert not (elsewhere.root / ".artifacts/store").exists()


def test_an_artifact_that_is_gone_is_named_before_anything_changes(shop, elsewhere):
    rows = shop.json("releases")
    artifact = rows[-3]["handoff"]["functions"]["orders"]["artifact"]
    bucket = rows[0]["handoff"]["artifact_bucket"]
    s3 = shop.client("s3")
    kept = s3.get_object(Bucket=bucket, Key=artifact["key"])["Body"].read()
    s3.delete_object(Bucket=bucket, Key=artifact["key"])
    refused = elsewhere.run("rollback", "--full", "--to", "3", code=2)
    assert f"{artifact['key']}: expected these bytes" in refused.stderr
    assert len(shop.json("releases")) == len(rows)
    checksum = base64.b64encode(bytes.fromhex(artifact["digest_hex"])).decode()
    s3.put_object(Bucket=bucket, Key=artifact["key"], Body=kept, ChecksumSHA256=checksum)


def test_a_deploy_that_was_killed_is_told_of_and_brought_to_its_end(shop):
    set_up(shop, "fifth ", memory=512, tint="2.0.0")
    number = str(int(shop.json("releases")[0]["id"]) + 1)
    bucket = shop.json("releases")[0]["handoff"]["artifact_bucket"]
    deploying = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy"],
        cwd=shop.root,
        env={**os.environ, **shop.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    s3 = shop.client("s3")
    wait_for(
        lambda: s3.list_objects_v2(Bucket=bucket, Prefix=f"releases/{int(number):06}/").get("Contents"), limit_s=120
    )
    time.sleep(1)
    os.killpg(deploying.pid, signal.SIGKILL)
    deploying.wait()
    assert answer(shop) == '"first 1.0.0"'
    assert shop.json("releases")[0]["outcome"] == "unfinished"
    shop.run("deploy", "--resume")  # waits for Terraform, which goes on by itself
    newest = shop.json("releases")[0]
    assert (newest["id"], newest["outcome"]) == (number, "finished")
    assert answer(shop) == '"fifth 2.0.0"'


def test_there_is_nothing_to_go_on_with_then(shop):
    refused = shop.run("deploy", "--resume", code=2)
    assert "there is nothing to go on with" in refused.stderr

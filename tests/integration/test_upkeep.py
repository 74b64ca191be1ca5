"""`status`, `drift` and `gc` by the verbs alone: the real Terraform on the embedded cloud.

The tests tell one story, from top to bottom: each starts where the one before ended.
"""

import io
import json
import zipfile

import pytest

from tests.checkout import make_checkout

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("upkeep")]

FUNCTION = "slipway-local-orders"


def write(checkout, answer):
    checkout.write("functions/orders/src/app.py", f"def handler(event, context):\n    return {answer!r}\n")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """One function, released twice."""
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    checkout.write("functions/orders/function.toml", 'description = "Answers"\n')
    checkout.write("functions/orders/requirements.txt", "")
    for answer in ("first", "second"):
        write(checkout, answer)
        checkout.run("deploy")
    yield checkout
    checkout.close()


def of_orders(shop, verb="status"):
    (function,) = shop.json(verb)["functions"]
    return function


def answer(shop):
    return shop.client("lambda").invoke(FunctionName=f"{FUNCTION}:live", Payload=b"{}")["Payload"].read().decode()


def objects(shop):
    s3 = shop.client("s3")
    (bucket,) = [each["Name"] for each in s3.list_buckets()["Buckets"] if "artifacts" in each["Name"]]
    return sorted((each["Key"], each["ETag"]) for each in s3.list_objects_v2(Bucket=bucket)["Contents"])


def versions(shop):
    listed = shop.client("lambda").list_versions_by_function(FunctionName=FUNCTION)["Versions"]
    return [each["Version"] for each in listed if each["Version"] != "$LATEST"]


def test_status_tells_what_runs_and_of_which_release(shop):
    status = of_orders(shop)
    assert (status["live"], status["release"], status["otherwise"]) == ("2", "2", [])
    text = shop.run("status").stdout
    assert text.startswith("release 2: deploy by ")
    assert status["digest"][:12] in text


def test_drift_finds_code_aliases_and_strays_and_says_all_of_it(shop):
    lambda_, sqs = shop.client("lambda"), shop.client("sqs")
    console = io.BytesIO()
    with zipfile.ZipFile(console, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return 'console'\n")
    lambda_.update_function_code(FunctionName=FUNCTION, ZipFile=console.getvalue())
    lambda_.update_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="1")
    queue = sqs.create_queue(QueueName="forgotten", tags={"slipway": "slipway", "env": "local"})["QueueUrl"]
    done = shop.run("drift", "--json", code=6)
    told = json.loads(done.stdout)
    assert (told["release"], told["newest"]["outcome"]) == ("2", "finished")
    assert [each["place"] for each in told["code"]] == ["orders:live", "orders:$LATEST"]
    assert [each["arn"].rpartition(":")[2] for each in told["in_no_state"]] == ["forgotten"]
    assert "orders:live: moved by hand: release 2 left version 2, got 1" in done.stderr
    assert "orders:$LATEST: code differs: expected CodeSha256" in done.stderr
    assert "in no state: arn:aws:sqs:us-east-1:123456789012:forgotten" in done.stderr
    for ending in ("md", "json", "html"):
        text = (shop.root / f".artifacts/local/drift.{ending}").read_text("utf-8")
        assert "forgotten" in text
        assert "orders:live" in text
    moved, edited = of_orders(shop)["otherwise"]
    assert moved == "live moved by hand: release 2 left version 2, got 1"
    assert edited.startswith("$LATEST code differs")
    sqs.delete_queue(QueueUrl=queue)
    lambda_.update_alias(FunctionName=FUNCTION, Name="live", FunctionVersion="2")


def test_without_apply_nothing_is_removed_and_everything_has_its_reason(shop):
    write(shop, "third")
    shop.run("deploy")
    before = objects(shop), versions(shop)
    shown = shop.json("gc", "--keep", "2")
    assert (objects(shop), versions(shop)) == before
    assert all(each["reasons"] for each in shown["things"] if each["stays"])
    going = [(each["kind"], each["name"]) for each in shown["things"] if not each["stays"]]
    assert [kind for kind, _ in going] == ["version", "artifact", "release"]
    assert (going[0], going[2]) == (("version", "1"), ("release", "1"))
    assert shown["code_storage"]["deploys"] > 0


def test_what_is_kept_can_be_gone_back_to_and_what_is_not_is_refused(shop):
    shop.run("gc", "--keep", "2", "--apply")
    assert [row["id"] for row in shop.json("releases")] == ["3", "2"]
    assert versions(shop) == ["2", "3"]
    assert len([key for key, _ in objects(shop) if key.startswith("functions/")]) == 2
    shop.run("rollback", "--to", "2")
    assert answer(shop) == '"second"'
    refused = shop.run("rollback", "--to", "1", code=2)
    assert "nothing to go back to" in refused.stderr
    assert "invoke releases --env local" in refused.stderr


def test_the_release_that_was_gone_back_to_stays_however_few_are_kept(shop):
    shop.run("gc", "--keep", "1", "--apply")
    assert [row["id"] for row in shop.json("releases")] == ["4", "2"]
    assert answer(shop) == '"second"'
    assert "no drift" in shop.run("drift").stderr
    assert "0 of " in shop.run("gc", "--keep", "1").stderr


def test_at_least_one_release_is_kept(shop):
    assert "expected --keep 1 or more, got 0" in shop.run("gc", "--keep", "0", code=2).stderr

"""What the embedded cloud holds comes back after a restart, where it was asked to keep it."""

import json
import os
import random
import signal
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from build import process
from build.local import cloud, keeping
from build.local.images import depot_of
from build.local.web.entries import entries
from build.store.objects import Store
from tests.checkout import make_checkout, wait_for
from tests.embedded import ARN, ROOT, Account, repository
from tests.tiny_images import layer, make_image

pytestmark = pytest.mark.slow

APP = """
import boto3

def handler(event, context):
    for record in event.get("Records", []):
        boto3.client("s3").put_object(Bucket="code", Key=f"seen/{record['body']}", Body=b"")
    if event.get("rawPath"):
        return {"statusCode": 200, "body": event["rawPath"]}
    return {"version": context.function_version}
"""
LARGE = random.Random(0).randbytes(3_000_000)


@pytest.fixture
def root(tmp_path):
    root = repository(tmp_path)
    yield root
    cloud.stop(root)


def snapshot_of(root):
    return root / ".artifacts/local/kept/snapshot"


def fill(account):
    """Make a bit of everything."""
    account.deploy("orders", APP)
    account.client("lambda").update_function_configuration(FunctionName="orders", MemorySize=256)
    account.client("lambda").publish_version(FunctionName="orders")
    account.client("s3").put_object(Bucket="code", Key="large", Body=LARGE, Metadata={"kind": "large"})
    account.client("s3").put_object(Bucket="code", Key="state.tflock", Body=b"mine", IfNoneMatch="*")
    dynamodb = account.client("dynamodb")
    dynamodb.create_table(
        TableName="carts",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="carts", Item={"id": {"S": "A-1"}, "count": {"N": "2"}})
    queue = account.client("sqs").create_queue(QueueName="work")["QueueUrl"]
    account.client("sqs").send_message(QueueUrl=queue, MessageBody="waiting")
    gateway = account.client("apigatewayv2")
    api = gateway.create_api(Name="shop", ProtocolType="HTTP")["ApiId"]
    integration = gateway.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=f"{ARN}orders", PayloadFormatVersion="2.0"
    )
    gateway.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration['IntegrationId']}")
    gateway.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    account.client("iam").attach_role_policy(
        RoleName="role", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    )
    account.client("iam").create_user(UserName="ada")
    return queue, api, account.client("iam").create_access_key(UserName="ada")["AccessKey"]["AccessKeyId"]


def test_what_it_holds_comes_back_after_it_was_stopped_or_killed(root):
    keeping.keep(root)
    running, _ = cloud.ensure(root)
    account = Account(running)
    queue, api, key = fill(account)
    doors = entries(running)
    assert account.invoke("orders:live") == {"version": "1"}
    cloud.stop(root)
    for again in ("stopped", "killed"):
        back, started = cloud.ensure(root)
        assert (started, back.note, back.endpoint) == (True, "", running.endpoint), again
        account = Account(back)
        assert entries(back) == doors
        with urllib.request.urlopen(f"{doors[0].address}/tea") as answer:
            assert answer.read() == b"/tea"
        held = account.client("s3").get_object(Bucket="code", Key="large")
        assert (held["Body"].read(), held["Metadata"]) == (LARGE, {"kind": "large"})
        with pytest.raises(ClientError, match="PreconditionFailed"):
            account.client("s3").put_object(Bucket="code", Key="state.tflock", Body=b"theirs", IfNoneMatch="*")
        assert account.invoke("orders", Qualifier="live") == {"version": "1"}
        assert account.invoke("orders", Qualifier="2") == {"version": "2"}
        (item,) = account.client("dynamodb").scan(TableName="carts")["Items"]
        assert item == {"id": {"S": "A-1"}, "count": {"N": "2"}}
        assert account.client("apigatewayv2").get_api(ApiId=api)["Name"] == "shop"
        keys = account.client("iam").list_access_keys(UserName="ada")["AccessKeyMetadata"]
        assert [each["AccessKeyId"] for each in keys] == [key]
        policies = account.client("iam").list_attached_role_policies(RoleName="role")["AttachedPolicies"]
        assert [each["PolicyName"] for each in policies] == ["AWSLambdaBasicExecutionRole"]
        if again == "stopped":
            account.client("sqs").send_message(QueueUrl=queue, MessageBody="later")
            wait_for(lambda: b"later" in snapshot_of(root).read_bytes())
            os.kill(back.pid, signal.SIGKILL)
    # Both messages waited; a mapping that is made now delivers them.
    account.client("lambda").create_event_source_mapping(
        FunctionName="orders", EventSourceArn="arn:aws:sqs:us-east-1:123456789012:work"
    )
    listed = account.client("s3").list_objects_v2
    wait_for(lambda: listed(Bucket="code", Prefix="seen/").get("KeyCount") == 2)
    assert account.client("lambda").publish_version(FunctionName="orders")["Version"] == "2", "nothing changed since"


def test_what_is_large_is_written_once_and_goes_when_nothing_has_it_any_more(root):
    keeping.keep(root)
    account = Account(cloud.ensure(root)[0])
    s3 = account.client("s3")
    s3.create_bucket(Bucket="code")
    s3.put_object(Bucket="code", Key="one", Body=LARGE)
    s3.put_object(Bucket="code", Key="same", Body=LARGE)
    objects = snapshot_of(root).parent / "objects"
    wait_for(lambda: objects.is_dir() and any(each.stat().st_size == len(LARGE) for each in objects.iterdir()))
    wait_for(lambda: snapshot_of(root).exists())
    (written,) = [each for each in objects.iterdir() if each.stat().st_size == len(LARGE)]
    before, last = written.stat(), snapshot_of(root).stat()
    s3.put_object(Bucket="code", Key="another", Body=b"changes something")
    wait_for(lambda: snapshot_of(root).stat().st_ino != last.st_ino)
    assert (written.stat().st_ino, written.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert {each.stat().st_mode & 0o777 for each in (written, snapshot_of(root))} == {0o600}
    for key in ("one", "same"):
        s3.delete_object(Bucket="code", Key=key)
    wait_for(lambda: not written.exists())
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="code")["Contents"]] == ["another"]


def cut(file):
    os.truncate(file, file.stat().st_size - 100)


def of_another_moto(file):
    head, rest = file.read_bytes().split(b"\n", 1)
    file.write_bytes(json.dumps({**json.loads(head), "moto": "4.0.0"}).encode() + b"\n" + rest)


def without_an_object(file):
    next(iter((file.parent / "objects").iterdir())).unlink()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (cut, "it is damaged"),
        (lambda file: file.write_bytes(b"\0" * 10), "it is damaged"),
        (of_another_moto, "it was made with moto 4.0.0, and this is"),
        (without_an_object, "No such file"),
    ],
)
def test_what_cannot_be_restored_is_put_aside_and_the_cloud_begins_anew(root, harm, said):
    keeping.keep(root)
    account = Account(cloud.ensure(root)[0])
    account.client("s3").create_bucket(Bucket="old")
    account.client("s3").put_object(Bucket="old", Key="large", Body=LARGE)
    cloud.stop(root)
    harm(snapshot_of(root))
    running, _ = cloud.ensure(root)
    assert said in running.note
    assert running.note.endswith("it lies in .artifacts/local/kept-refused")
    assert (root / ".artifacts/local/kept-refused/snapshot").exists()
    s3 = Account(running).client("s3")
    assert s3.list_buckets()["Buckets"] == []
    s3.create_bucket(Bucket="new")
    cloud.stop(root)
    again, _ = cloud.ensure(root)
    assert again.note == ""
    assert [each["Name"] for each in Account(again).client("s3").list_buckets()["Buckets"]] == ["new"]


def test_where_nothing_can_be_written_the_cloud_says_so_and_what_was_kept_stays(root):
    keeping.keep(root)
    running, _ = cloud.ensure(root)
    Account(running).client("s3").create_bucket(Bucket="first")
    wait_for(lambda: snapshot_of(root).exists() and b"first" in snapshot_of(root).read_bytes())
    snapshot_of(root).with_suffix(".part").mkdir()
    Account(running).client("s3").create_bucket(Bucket="second")
    wait_for(lambda: "could not be kept" in running.log.read_text("utf-8"))
    assert Account(running).client("s3").list_buckets()["Buckets"], "it serves on"
    cloud.stop(root)
    snapshot_of(root).with_suffix(".part").rmdir()
    buckets = Account(cloud.ensure(root)[0]).client("s3").list_buckets()["Buckets"]
    assert [each["Name"] for each in buckets] == ["first"]


EVERY_SERVICE = """
from moto.backend_index import backend_url_patterns
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from build.local import pickling

for service in sorted({name for name, _ in backend_url_patterns} - {"moto_api", "moto_api._internal", "neptune"}):
    try:
        account = get_backend(service)["123456789012"]
    except ModuleNotFoundError:
        continue  # what needs more than the lock has
    account["us-east-1" if "us-east-1" in account else "aws"]
held = pickling.take({"ours": lambda: 7})
assert pickling.put(held.pickled, lambda place: pickling.content_of(held.large[place])) == {"ours": 7}
again = pickling.take({})
print(len(BackendDict._instances), abs(len(again.pickled) - len(held.pickled)))
"""


def test_whatever_service_is_used_can_be_kept():
    done = subprocess.run([sys.executable, "-c", EVERY_SERVICE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    services, difference = map(int, done.stdout.split())
    assert services > 100
    assert difference < 1000


def test_images_come_back_as_well(root, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # no registry: OCI layouts
    keeping.keep(root)
    cloud.ensure(root)
    store = Store(tmp_path / "store")
    image = make_image(store, layer({"app.py": "x = 1"}))
    with ThreadPoolExecutor() as pool:
        depot_of(root, "").push(image, "team/app", content=lambda blob: store.blob(blob.digest), pool=pool)
    cloud.stop(root)
    cloud.ensure(root)
    found = depot_of(root, "").read("team/app", str(image.digest))
    assert found
    assert found.digest == image.digest
    cloud.stop(root)
    keeping.discard(root)
    cloud.ensure(root)
    assert depot_of(root, "").read("team/app", str(image.digest)) is None


def test_a_cloud_that_was_forgotten_writes_nothing_over_what_another_keeps(root):
    keeping.keep(root)
    first, _ = cloud.ensure(root)
    Account(first).client("s3").create_bucket(Bucket="first")
    wait_for(lambda: snapshot_of(root).exists() and b"first" in snapshot_of(root).read_bytes())
    (root / ".artifacts/local/cloud.json").unlink()
    second, started = cloud.ensure(root)
    assert started
    try:
        Account(second).client("s3").create_bucket(Bucket="second")
    finally:
        os.kill(first.pid, signal.SIGTERM)
    wait_for(lambda: b"second" in snapshot_of(root).read_bytes())
    wait_for(lambda: not process.is_alive(first.pid))
    assert b"second" in snapshot_of(root).read_bytes()


# ── by the verbs ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    checkout.run("new", "hello")
    checkout.write(
        "functions/hello/function.toml",
        'description = "Says hello"\n[[triggers.http]]\nroute = "GET /hello"\n',
    )
    yield checkout
    checkout.run("local.stop", "--discard", code=None)


def test_after_a_restart_the_plan_is_empty_and_functions_answer_where_they_did(checkout):
    said = checkout.run("local.start", "--persist").stderr
    assert "is kept between restarts" in said
    first = checkout.json("deploy")
    (url,) = first["http_api_urls"]
    assert "what it held is kept" in checkout.run("local.stop").stderr
    checkout.run("local.start")
    assert checkout.json("local.status")["kept"] is True
    with urllib.request.urlopen(f"{url}/hello") as answer:
        assert answer.status == 200
    assert "0 to add, 0 to change, 0 to destroy" in checkout.run("plan").stderr
    assert [row["id"] for row in checkout.json("releases")] == [first["release"]]
    answer = checkout.run("invoke", "-f", "hello")
    assert json.loads(answer.stdout)


def test_what_is_discarded_is_gone_and_nothing_is_kept_any_more(checkout):
    checkout.run("local.start", "--persist")
    assert "thrown away" in checkout.run("local.stop", "--discard").stderr
    checkout.run("local.start")
    assert checkout.json("local.status")["kept"] is False
    assert checkout.client("s3").list_buckets()["Buckets"] == []
    assert not (checkout.root / ".artifacts/local/kept").exists()

"""Looking at what there is, and taking away what may go, against moto: the real boto3, no server."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws

from build.digest import Digest
from build.errors import ToolError
from build.local import alias_mends, lambda_mends, mends
from build.release.aws import Aws
from build.release.garbage import ARTIFACT, IMAGE, LAYER, RELEASE, VERSION, Thing, cleanup
from build.release.ledger import Ledger
from build.release.rows import FINISHED
from build.release.saved import LASTS
from build.release.sweeping import CODE_STORAGE_BYTES, Sweep, forecast, holdings
from tests.aws import code_of, create_function
from tests.builders import make_workspace
from tests.releases import release

BUCKET, STATES = "shop-artifacts", "shop-states"
LATER = datetime.now(UTC) + timedelta(days=90)
KEYS = {name: [f"functions/{name}/{number}.zip" for number in "123"] for name in ("orders", "prices")}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Two functions with three versions and releases each, the last one live; a layer with two versions."""
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(
        mends, "MENDS", [lambda_mends.never_reuse_version_numbers, alias_mends.keep_provisioned_concurrency]
    )
    envs = tmp_path / "terraform" / "envs"
    envs.mkdir(parents=True)
    (envs / "dev.s3.tfbackend").write_text(f'bucket = "{STATES}"\nkey = "shop/dev.tfstate"\n')
    workspace = make_workspace(tmp_path)
    with mock_aws(config={"lambda": {"use_docker": False}}), mends.installed():
        yield Shop(replace(workspace, env=replace(workspace.env, region="us-east-1")))


class Shop:
    def __init__(self, workspace):
        self.workspace = workspace
        self.aws = Aws(env=workspace.env, environ={})
        self.lambda_, self.s3, self.ecr = (self.aws.client(name) for name in ("lambda", "s3", "ecr"))
        for bucket in (BUCKET, STATES):
            self.s3.create_bucket(Bucket=bucket)
        self.arns = [self.publish_layer(number) for number in (1, 2)]
        for name, keys in KEYS.items():
            create_function(f"shop-dev-{name}", versions=3)
            self.lambda_.update_alias(FunctionName=f"shop-dev-{name}", Name="live", FunctionVersion="3")
            for key in keys:
                self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"zip")
        self.ledger = Ledger(s3=self.s3, bucket=BUCKET, owner="123456789012")
        for number in (1, 2, 3):
            self.release(number)

    def publish_layer(self, number):
        content = {"ZipFile": code_of(str(number))}
        return self.lambda_.publish_layer_version(LayerName="shop-dev-data", Content=content)["LayerVersionArn"]

    def release(self, number):
        functions = {
            name: {"artifact": {"digest_hex": Digest.of_bytes(code_of(str(number))).hex, "key": keys[number - 1]}}
            for name, keys in KEYS.items()
        }
        handoff = {"functions": functions, "layers": {"data": {}}}
        versions = dict.fromkeys(KEYS, str(number))
        begun = self.ledger.begin(release(handoff=handoff))
        self.ledger.end(replace(begun, outcome=FINISHED, versions=versions, live=versions))

    def apply(self, *arns, state="as it was"):
        """Write what the env's own stack was applied as, and its state."""
        answer = self.s3.put_object(Bucket=STATES, Key="shop/dev.tfstate", Body=state.encode())
        record = {"stack": "", "inputs": "", "functions": [], "state": answer["ETag"]}
        record["outputs"] = {"layers": dict(enumerate(arns))}
        self.s3.put_object(Bucket=BUCKET, Key="stacks/own.json", Body=json.dumps(record).encode())

    def held(self, now=LATER):
        return holdings(self.workspace, self.aws, self.ledger.rows(), now)

    def sweep(self, keep, *, held=None, check=lambda: None):
        return Sweep(held=held or self.held(), aws=self.aws, check=check, say=lambda _: None).run(keep)

    def refuse(self, service, operation, when=lambda _: True):
        """Let AWS refuse what is asked, when ``when`` says so of the path of a request."""

        def refusal(params, **_):
            if not when(params["url_path"]):
                return None
            error = {"Error": {"Code": "ResourceConflictException", "Message": "it is in use"}}
            return AWSResponse("", 409, {}, None), {**error, "ResponseMetadata": {}}

        self.aws.client(service).meta.events.register(f"before-call.{service}.{operation}", refusal)

    def versions(self, name):
        listed = self.lambda_.list_versions_by_function(FunctionName=f"shop-dev-{name}")["Versions"]
        return [each["Version"] for each in listed if each["Version"] != "$LATEST"]

    def objects(self, prefix=""):
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]]


def version(name, number):
    return Thing(VERSION, f"shop-dev-{name}", str(number))


def test_what_there_is_is_found_with_sizes(shop):
    held = shop.held()
    assert {version(name, number) for name in KEYS for number in "123"} <= held.things.keys()
    assert {Thing(LAYER, "shop-dev-data", number) for number in "12"} <= held.things.keys()
    assert {Thing(ARTIFACT, "", key) for keys in KEYS.values() for key in keys} <= held.things.keys()
    assert all(facts.size_bytes > 0 for facts in held.things.values())
    assert held.functions["orders"].live.version == "3"


def test_only_the_last_release_is_left_and_works(shop):
    shop.apply(*shop.arns[1:])
    gone, refused = shop.sweep(1)
    assert refused == {}
    assert len(gone) == 4 + 1 + 4 + 2
    assert shop.versions("orders") == shop.versions("prices") == ["3"]
    assert shop.objects("functions/") == [KEYS["orders"][2], KEYS["prices"][2]]
    assert [row.id for row in shop.ledger.rows()] == ["3"]
    layers = shop.lambda_.list_layer_versions(LayerName="shop-dev-data")["LayerVersions"]
    assert [each["Version"] for each in layers] == [2]
    assert shop.lambda_.get_function_configuration(FunctionName="shop-dev-orders", Qualifier="live")["Version"] == "3"
    assert shop.sweep(1) == ((), {})


def test_the_next_release_is_numbered_on(shop):
    shop.sweep(1)
    assert shop.ledger.begin(release()).id == "4"


def test_what_is_ready_or_asked_by_its_number_is_in_use(shop):
    provisioned = {"FunctionName": "shop-dev-orders", "ProvisionedConcurrentExecutions": 1}
    shop.lambda_.put_provisioned_concurrency_config(**provisioned, Qualifier="1")
    queue = shop.aws.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    arn = shop.aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    shop.lambda_.create_event_source_mapping(FunctionName="shop-dev-prices:2", EventSourceArn=arn["QueueArn"])
    used = shop.held().used
    assert used[version("orders", 1)] == "provisioned concurrency"
    assert used[version("prices", 2)].startswith("the event source mapping ")
    assert len(used) == 2


def test_what_a_saved_plan_may_need_stays_longer_than_the_rest(shop):
    planned = Thing(ARTIFACT, "", "functions/orders/planned.zip")
    shop.s3.put_object(Bucket=BUCKET, Key=planned.name, Body=b"zip")
    for old in (timedelta(hours=23), timedelta(days=2)):
        assert cleanup(shop.held(datetime.now(UTC) + old), 3).kept[planned] == ("too young",)
    assert planned in cleanup(shop.held(datetime.now(UTC) + LASTS + timedelta(minutes=1)), 3).going


def test_a_state_that_was_written_since_keeps_all_layers(shop):
    shop.apply(shop.arns[1])
    assert shop.held().stated == {shop.arns[1]}
    shop.s3.put_object(Bucket=STATES, Key="shop/dev.tfstate", Body=b"by hand")
    assert shop.held().stated is None
    assert not [each for each in cleanup(shop.held(), 1).going if each.kind == LAYER]


def test_an_alias_that_moved_meanwhile_keeps_the_versions_of_its_function(shop):
    held = shop.held()
    shop.lambda_.update_alias(FunctionName="shop-dev-orders", Name="live", FunctionVersion="1")
    gone, refused = shop.sweep(1, held=held)
    assert {*refused} == {version("orders", 1), version("orders", 2)}
    assert shop.versions("orders") == ["1", "2", "3"]
    assert shop.versions("prices") == ["3"]
    assert [row.id for row in shop.ledger.rows()] == ["1", "2", "3"]
    assert KEYS["orders"][0] in shop.objects()
    assert version("prices", 1) in gone


def test_what_aws_refuses_is_told_and_keeps_its_release_but_nothing_else(shop):
    shop.refuse("lambda", "DeleteFunction", lambda path: "orders" in path)
    _, refused = shop.sweep(1)
    assert {*refused} == {version("orders", 1), version("orders", 2)}
    assert "it is in use" in refused[version("orders", 1)]
    assert shop.versions("prices") == ["3"]
    assert {KEYS["orders"][0], KEYS["orders"][1]} <= {*shop.objects()}
    assert len(shop.ledger.rows()) == 3


def test_an_object_that_s3_holds_keeps_its_row(shop):
    errors = [{"Key": KEYS["orders"][0], "Code": "AccessDenied", "Message": "it is locked"}]
    answers = iter([errors, []])
    shop.s3.meta.events.register("after-call.s3.DeleteObjects", lambda parsed, **_: parsed.update(Errors=next(answers)))
    _, refused = shop.sweep(1)
    assert refused == {Thing(ARTIFACT, "", KEYS["orders"][0]): "AccessDenied: it is locked"}
    assert [row.id for row in shop.ledger.rows()] == ["1", "3"]


def test_a_lost_lease_ends_it_before_anything_else_goes(shop):
    def lost():
        raise ToolError("another run has taken over", hint="look")

    with pytest.raises(ToolError):
        shop.sweep(1, check=lost)
    assert shop.versions("orders") == ["1", "2", "3"]
    assert len(shop.objects("functions/")) == 6


def test_rows_of_the_first_schema_go_as_well(shop):
    row = release("20250101T000000Z-1a2b3c4d", at="2025-01-01T00:00:00+00:00").to_json()
    old = {key: row[key] for key in ("id", "env", "at", "commit", "dirty", "handoff_digest", "handoff")}
    body = json.dumps({**old, "versions": {"orders": "1"}, "live": {"orders": "1"}}).encode()
    shop.s3.put_object(Bucket=BUCKET, Key="releases/20250101T000000Z-1a2b3c4d.json", Body=body)
    assert Thing(RELEASE, "", "20250101T000000Z-1a2b3c4d") in cleanup(shop.held(), 3).going
    shop.sweep(3)
    assert [row.id for row in shop.ledger.rows()] == ["1", "2", "3"]


def test_images_are_found_and_removed(shop):
    shop.ecr.create_repository(repositoryName="shop-dev/scan")
    kind, digests = "application/vnd.oci.image.manifest.v1+json", []
    for number in (1, 2):
        manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "layers": [], "number": number})
        digests.append(str(Digest.of_bytes(manifest.encode())))
        shop.ecr.put_image(repositoryName="shop-dev/scan", imageManifest=manifest, imageDigest=digests[-1])
    uri = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/shop-dev/scan@{digests[1]}"
    handoff = {"functions": {"scan": {"artifact": None, "image_uri": uri}}, "layers": {}}
    begun = shop.ledger.begin(release(handoff=handoff))
    shop.ledger.end(replace(begun, outcome=FINISHED))
    gone, refused = shop.sweep(1)
    assert refused == {}
    assert [each.name for each in gone if each.kind == IMAGE] == [digests[0]]
    left = shop.ecr.describe_images(repositoryName="shop-dev/scan")["imageDetails"]
    assert [each["imageDigest"] for each in left] == digests[1:]


def test_without_the_accounts_own_figures_the_forecast_is_of_the_env_alone(shop):
    held = shop.held()
    full = forecast(held, shop.lambda_)
    assert not full.is_whole
    assert full.limit_bytes == CODE_STORAGE_BYTES
    mine = [facts.size_bytes for thing, facts in held.things.items() if thing.kind in {VERSION, LAYER}]
    assert full.used_bytes == sum(mine) > 0


def test_the_forecast_is_the_accounts_where_aws_tells(shop):
    answer = {"AccountUsage": {"TotalCodeSize": 7}, "AccountLimit": {"TotalCodeSize": 70}}
    told = AWSResponse("", 200, {}, None), {**answer, "ResponseMetadata": {}}
    shop.lambda_.meta.events.register("before-call.lambda.GetAccountSettings", lambda **_: told)
    full = forecast(shop.held(), shop.lambda_)
    assert (full.used_bytes, full.limit_bytes, full.is_whole) == (7, 70, True)

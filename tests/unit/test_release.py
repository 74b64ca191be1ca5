"""Publishing, roll-out and ledger against moto: the real boto3, no server."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from build.digest import Digest
from build.errors import AwsError, DriftError, FindingsError
from build.local import lambda_mends, mends
from build.model import Architecture, Artifact, Env
from build.options import Shifting
from build.release.aws import Aws
from build.release.publishers import S3Publisher, location_of, publish_all
from build.release.rollout import roll_out
from build.release.shifting import Shift
from build.results import DeployedFunction, Outputs
from tests.aws import client_of, code_of, create_alarm, create_function, set_alarm

BUCKET = "shop-artifacts"


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws(config={"lambda": {"use_docker": False}}):
        yield


@pytest.fixture
def s3():
    client = client_of("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def artifact(tmp_path, data=b"zip", name="orders"):
    path = tmp_path / f"{name}.zip"
    path.write_bytes(data)
    return Artifact(
        identity=f"functions/{name}",
        key=name,
        architectures=(Architecture.ARM64,),
        path=path,
        digest=Digest.of_bytes(data),
        size_bytes=len(data),
        unzipped_bytes=10,
        source_bytes=10,
        bytecode_bytes=0,
        saved={},
        distributions=(),
        changed=True,
    )


def publisher_of(s3, bucket=BUCKET):
    return S3Publisher(s3=s3, bucket=bucket, owner="123456789012")


class TestPublishing:
    def test_bytes_are_uploaded_once_under_their_digest(self, tmp_path, s3):
        made = artifact(tmp_path)
        said: list[str] = []
        publisher = publisher_of(s3)
        (first,) = publish_all([made], publisher, on_progress=said.append)
        (second,) = publish_all([made], publisher, on_progress=said.append)
        assert (first.uploaded, second.uploaded) == (True, False)
        assert first.location == second.location == f"functions/orders/{made.digest.hex}.zip"
        assert len(said) == 1

    def test_the_object_carries_the_checksum_that_terraform_compares(self, tmp_path, s3):
        made = artifact(tmp_path)
        publish_all([made], publisher_of(s3), on_progress=print)
        head = s3.head_object(Bucket=BUCKET, Key=location_of(made), ChecksumMode="ENABLED")
        assert head["ChecksumSHA256"] == made.digest.base64

    def test_other_bytes_under_the_right_key_are_replaced(self, tmp_path, s3):
        made = artifact(tmp_path)
        s3.put_object(Bucket=BUCKET, Key=location_of(made), Body=b"other")
        (published,) = publish_all([made], publisher_of(s3), on_progress=print)
        assert published.uploaded
        assert s3.get_object(Bucket=BUCKET, Key=location_of(made))["Body"].read() == b"zip"

    def test_an_artifact_that_is_not_what_was_built_is_never_sent(self, tmp_path, s3):
        made = artifact(tmp_path)
        made.path.write_bytes(b"piz")
        with pytest.raises(FindingsError, match=r"orders\.zip"):
            publish_all([made], publisher_of(s3), on_progress=print)
        assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET)

    def test_a_network_that_is_gone_is_an_aws_error_and_no_bug(self, tmp_path):
        once = Config(retries={"total_max_attempts": 1})
        nowhere = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=once)
        with pytest.raises(AwsError, match="publishing to"):
            publish_all([artifact(tmp_path)], publisher_of(nowhere), on_progress=print)

    def test_a_missing_bucket_is_an_aws_error_that_names_it(self, tmp_path):
        with pytest.raises(AwsError, match="publishing to s3://nowhere") as caught:
            publish_all([artifact(tmp_path)], publisher_of(client_of("s3"), "nowhere"), on_progress=print)
        assert "aws s3 ls s3://nowhere" in caught.value.hint


def no_client():
    pytest.fail("nothing was to be watched")


class TestRollOut:
    """On moto as the embedded cloud mends it: a version is published again only when something changed."""

    NAME = "shop-dev-orders"

    @pytest.fixture
    def client(self, s3, monkeypatch):
        monkeypatch.setattr(mends, "MENDS", [lambda_mends.never_reuse_version_numbers])  # the rest imports half of moto
        with mends.installed():
            create_function(self.NAME)
            yield client_of("lambda")

    def update(self, client, answer, *, publish):
        client.update_function_code(FunctionName=self.NAME, ZipFile=code_of(answer), Publish=publish)

    def outputs(self):
        function = DeployedFunction(
            name="orders",
            function_name=self.NAME,
            arn="arn:aws:lambda:us-east-1:123456789012:function:shop-dev-orders",
            version="1",
            log_group="",
            queue_urls={},
        )
        return Outputs(functions={"orders": function}, layers={}, http_api_urls=())

    def roll_out(self, client, answer="1", released=(), said=None):
        codes = {"orders": Digest.of_bytes(code_of(answer)).base64}
        say = said.append if said is not None else print
        shift = Shift(
            env="dev", functions=client, invoker=no_client, cloudwatch=no_client, codedeploy=no_client, on_progress=say
        )
        plain = {"orders": Shifting()}
        (rollout,), went_back = roll_out(self.outputs(), codes, dict(released), shift, plain, smokes={})
        assert went_back is None
        return rollout

    def test_an_alarm_takes_everybody_back_and_the_release_says_so(self, client):
        self.update(client, "2", publish=True)
        create_alarm("orders-errors")
        outputs = replace(self.outputs(), alarms={"orders": ["orders-errors"]})
        clock = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _: set_alarm("orders-errors", "ALARM"))
        cloudwatch = partial(client_of, "cloudwatch")
        shift = Shift(
            env="dev",
            functions=client,
            invoker=no_client,
            cloudwatch=cloudwatch,
            codedeploy=no_client,
            on_progress=print,
            clock=clock,
        )
        watched = {"orders": Shifting(watch_minutes=1)}
        codes = {"orders": Digest.of_bytes(code_of("2")).base64}
        (rollout,), went_back = roll_out(outputs, codes, {}, shift, watched, smokes={})
        assert (rollout.version, rollout.before, rollout.live, rollout.moved) == ("2", "1", "1", False)
        assert went_back is not None
        assert went_back.facts == ("orders-errors", "orders:live is at version 1 again, not 2")
        assert self.live(client) == "1"
        # And the next deploy of the same leaves it there.
        assert self.roll_out(client, "2", released={"orders": "2"}).live == "1"

    def live(self, client):
        return client.get_alias(FunctionName=self.NAME, Name="live")["FunctionVersion"]

    def test_an_alias_that_is_right_stays(self, client):
        rollout = self.roll_out(client)
        assert (rollout.before, rollout.live, rollout.moved) == ("1", "1", False)

    def test_the_alias_moves_to_the_newest_version(self, client):
        self.update(client, "2", publish=True)
        rollout = self.roll_out(client, "2")
        assert (rollout.before, rollout.live, rollout.moved) == ("1", "2", True)
        assert self.live(client) == "2"

    def test_what_an_interrupted_apply_updated_but_did_not_publish_is_published(self, client):
        self.update(client, "2", publish=False)
        assert self.roll_out(client, "2").live == "2"
        assert self.live(client) == "2"

    def test_code_that_was_changed_by_hand_is_never_made_live(self, client):
        self.update(client, "999", publish=True)
        with pytest.raises(DriftError, match="holds other code") as caught:
            self.roll_out(client, "1")
        assert "CodeSha256" in caught.value.facts[0]
        assert self.live(client) == "1"

    def test_an_alias_that_somebody_took_back_after_the_release_stays_there(self, client):
        self.update(client, "2", publish=True)
        said: list[str] = []
        rollout = self.roll_out(client, "2", released={"orders": "2"}, said=said)
        assert (rollout.version, rollout.live, rollout.moved) == ("2", "1", False)
        assert "stays at version 1" in said[0]
        assert self.live(client) == "1"

    def test_and_moves_again_with_the_next_version(self, client):
        self.update(client, "2", publish=True)
        self.update(client, "3", publish=True)
        assert self.roll_out(client, "3", released={"orders": "2"}).live == "3"

    def test_a_missing_function_is_an_aws_error(self, client):
        client.delete_function(FunctionName=self.NAME)
        with pytest.raises(AwsError, match="rolling out shop-dev-orders"):
            self.roll_out(client)


class TestTheGuard:
    def env(self, account_id="123456789012", name="prod"):
        return Env(name=name, region="us-east-1", account_id=account_id, artifact_bucket=BUCKET)

    def test_the_right_account_passes(self):
        Aws(env=self.env(), environ={}).guard()

    def test_another_account_is_refused_with_both_numbers(self):
        other = "123456789012"[::-1]
        with pytest.raises(AwsError, match="another account") as caught:
            Aws(env=self.env(other), environ={}).guard()
        assert other in caught.value.facts[0]
        assert caught.value.facts[1] == "got 123456789012"

    def test_no_credentials_are_told_before_anything_is_touched(self, monkeypatch):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(AwsError, match="whose credentials these are, for env prod") as caught:
            Aws(env=self.env(), environ={}).guard()
        assert "invoke plan --env prod" in caught.value.hint

    def test_a_bucket_that_is_not_there_is_told_with_the_command_that_makes_it(self):
        with pytest.raises(AwsError, match="the bucket nowhere") as caught:
            Aws(env=self.env(), environ={}).require_bucket("nowhere")
        assert "`invoke bootstrap --env prod`" in caught.value.hint

    def test_a_bucket_whose_name_is_taken_elsewhere_is_told(self):
        from moto.s3 import s3_backends

        s3_backends["1" * 12]["aws"].create_bucket("taken", "us-east-1")
        with pytest.raises(AwsError, match="creating the bucket taken") as caught:
            Aws(env=self.env(), environ={}).ensure_bucket("taken")
        assert "choose another one" in caught.value.hint

    def test_a_profile_that_is_not_there_is_told(self, monkeypatch):
        monkeypatch.setenv("AWS_PROFILE", "nope")
        with pytest.raises(AwsError, match="no way to AWS") as caught:
            Aws(env=self.env(), environ={}).guard()
        assert "nope" in caught.value.facts[0]

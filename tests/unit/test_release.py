"""Publishing, roll-out and ledger against moto: the real boto3, no server."""

from dataclasses import replace

import boto3
import pytest
from moto import mock_aws

from build.digest import Digest
from build.errors import AwsError
from build.model import Architecture, Artifact, Env
from build.release.aws import Aws
from build.release.ledger import record, release_id
from build.release.publishers import S3Publisher, location_of, publish_all
from build.release.rollout import roll_out
from build.results import DeployedFunction, Outputs, Release

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
    client = boto3.client("s3")
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
        distributions=(),
        changed=True,
    )


class TestPublishing:
    def test_bytes_are_uploaded_once_under_their_digest(self, tmp_path, s3):
        made = artifact(tmp_path)
        said: list[str] = []
        publisher = S3Publisher(s3, BUCKET)
        (first,) = publish_all([made], publisher, on_progress=said.append)
        (second,) = publish_all([made], publisher, on_progress=said.append)
        assert (first.uploaded, second.uploaded) == (True, False)
        assert first.location == second.location == f"functions/orders/{made.digest.hex}.zip"
        assert len(said) == 1

    def test_the_object_carries_the_checksum_that_terraform_compares(self, tmp_path, s3):
        made = artifact(tmp_path)
        publish_all([made], S3Publisher(s3, BUCKET), on_progress=print)
        head = s3.head_object(Bucket=BUCKET, Key=location_of(made), ChecksumMode="ENABLED")
        assert head["ChecksumSHA256"] == made.digest.base64

    def test_other_bytes_under_the_right_key_are_replaced(self, tmp_path, s3):
        made = artifact(tmp_path)
        s3.put_object(Bucket=BUCKET, Key=location_of(made), Body=b"other")
        (published,) = publish_all([made], S3Publisher(s3, BUCKET), on_progress=print)
        assert published.uploaded
        assert s3.get_object(Bucket=BUCKET, Key=location_of(made))["Body"].read() == b"zip"

    def test_a_missing_bucket_is_an_aws_error_that_names_it(self, tmp_path):
        with pytest.raises(AwsError, match="publishing to s3://nowhere") as caught:
            publish_all([artifact(tmp_path)], S3Publisher(boto3.client("s3"), "nowhere"), on_progress=print)
        assert "aws s3 ls s3://nowhere" in caught.value.hint


class TestRollOut:
    @pytest.fixture
    def function(self, s3):
        import io
        import zipfile

        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", "def handler(e, c): return 1")
        role = boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client = boto3.client("lambda")
        made = client.create_function(
            FunctionName="shop-dev-orders",
            Runtime="python3.13",
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": buffer.getvalue()},
            Publish=True,
        )
        client.create_alias(FunctionName="shop-dev-orders", Name="live", FunctionVersion="1")
        return DeployedFunction(
            name="orders",
            function_name="shop-dev-orders",
            arn=made["FunctionArn"],
            version="1",
            log_group="/aws/lambda/shop-dev-orders",
            queue_urls={},
        )

    def outputs(self, function):
        return Outputs(functions={"orders": function}, http_api_url=None)

    def test_an_alias_that_is_right_stays(self, function):
        (rollout,) = roll_out(self.outputs(function), boto3.client("lambda"), on_progress=print)
        assert (rollout.before, rollout.after, rollout.moved) == ("1", "1", False)

    def test_the_alias_moves_to_the_newest_version(self, function):
        client = boto3.client("lambda")
        client.update_function_configuration(FunctionName="shop-dev-orders", Timeout=9)
        newest = client.publish_version(FunctionName="shop-dev-orders")["Version"]
        (rollout,) = roll_out(self.outputs(replace(function, version=newest)), client, on_progress=print)
        assert (rollout.before, rollout.after, rollout.moved) == ("1", newest, True)
        assert client.get_alias(FunctionName="shop-dev-orders", Name="live")["FunctionVersion"] == newest

    def test_a_refusal_is_an_aws_error(self, function):
        missing = replace(function, function_name="shop-dev-gone")
        with pytest.raises(AwsError, match="moving the alias live of shop-dev-gone"):
            roll_out(self.outputs(missing), boto3.client("lambda"), on_progress=print)


class TestTheLedger:
    RELEASE = Release(
        id="20260131T120000Z-1a2b3c4d",
        at="2026-01-31T12:00:00+00:00",
        env="dev",
        commit=None,
        dirty=False,
        handoff_digest="sha256:" + "1a2b3c4d" * 8,
        handoff={},
        versions={"orders": "1"},
    )

    def test_a_row_is_written_once_and_never_again(self, s3):
        key = record(self.RELEASE, s3, BUCKET)
        before = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        with pytest.raises(AwsError, match="recording release"):
            record(replace(self.RELEASE, commit="other"), s3, BUCKET)
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == before

    def test_ids_sort_by_time(self):
        ids = [release_id(at, "f" * 64) for at in ("2026-01-31T12:00:00+00:00", "2026-02-01T00:00:00+00:00")]
        assert ids == sorted(ids)
        assert ids[0] == "20260131T120000Z-ffffffff"


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
        with pytest.raises(AwsError, match="no AWS credentials that work for env prod") as caught:
            Aws(env=self.env(), environ={}).guard()
        assert "invoke plan --env prod" in caught.value.hint

    def test_local_needs_none(self):
        Aws(env=self.env(name="local"), environ={}).guard()

"""Repositories and images in ECR, as moto has it."""

import pytest
from moto import mock_aws

from build.image import Image
from build.release.images import Ecr
from tests.aws import client_of
from tests.unit.test_images_manifests import base as image_base
from tests.unit.test_images_manifests import made

ACCOUNT = "123456789012"


@pytest.fixture
def ecr(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield Ecr(client=client_of("ecr"), account_id=ACCOUNT, tags={"slipway": "shop", "env": "prod"})


def put(ecr: Ecr, name: str, image: Image) -> None:
    ecr.client.put_image(
        repositoryName=name, imageManifest=image.manifest.decode(), imageTag="one", imageDigest=str(image.digest)
    )


def test_a_repository_is_made_once_with_what_terraform_gives_it(ecr):
    first = ecr.repository("shop-prod/report")
    assert first.endswith("/shop-prod/report")
    assert ecr.repository("shop-prod/report") == first
    (found,) = ecr.client.describe_repositories()["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    tags = ecr.client.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
    assert {each["Key"]: each["Value"] for each in tags} == {"slipway": "shop", "env": "prod"}


def test_an_image_is_there_by_its_digest_alone(ecr):
    image, other = made(image_base()), made(image_base(), WorkingDir="/srv")
    ecr.repository("there")
    put(ecr, "there", image)
    assert ecr.has("there", image.digest)
    assert not ecr.has("there", other.digest)
    assert not ecr.has("nowhere", image.digest)


def test_a_repository_can_be_emptied_and_one_that_is_gone_is_empty(ecr):
    image = made(image_base())
    ecr.repository("there")
    put(ecr, "there", image)
    ecr.emptied("there")
    assert not ecr.has("there", image.digest)
    ecr.client.delete_repository(repositoryName="there")
    ecr.emptied("there")


def test_the_login_is_a_name_and_a_password(ecr):
    name, password = ecr.login()
    assert name == "AWS"
    assert password

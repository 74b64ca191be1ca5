"""A function as an image, from its folder to an answer, by the verbs alone; there and back to a zip; to its end."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from build.image import Image
from build.images.pushing import pull_image
from build.images.registry import Registry
from tests import containers
from tests.checkout import Checkout, make_checkout

pytestmark = pytest.mark.slow

NAME = "slipway-local-teller"
REPOSITORY = "slipway-local/teller"
APP = """\
import os

def handler(event, context):
    return {"tells": "WORD", "version": context.function_version, "from": os.environ["LAMBDA_TASK_ROOT"]}
"""
SETTINGS = """\
description = "Tells a word"
package = "PACKAGE"
[triggers.url]
auth = "iam"
[asynchronous]
retries = 1
max_age_s = 600
"""
NOBODYS = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": {}, "layers": []}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A deploy, and what was there after it."""

    deployed: Any
    said: str
    lambda_: Any
    """What Lambda tells of the function."""
    answer: Any
    attached: Any = None
    repositories: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        (function,) = self.deployed["functions"]
        return str(function["digest"])


class Road:
    """One checkout with one function, and its embedded cloud."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.client = cache(checkout.client)
        """The cloud stays the same, and to look for it takes half a second."""

    def write(self, *, package: str = "image", word: str) -> None:
        self.checkout.write("functions/teller/function.toml", SETTINGS.replace("PACKAGE", package))
        self.checkout.write("functions/teller/src/app.py", APP.replace("WORD", word))

    def deploy(self, *options: str) -> Seen:
        done = self.checkout.run("deploy", "--json", *options)
        return Seen(
            deployed=json.loads(done.stdout),
            said=done.stderr,
            lambda_=self.client("lambda").get_function(FunctionName=NAME),
            answer=self.answer(),
            attached=self.attached(),
            repositories=tuple(self.repositories()),
        )

    def plan(self, *options: str) -> Any:
        return self.checkout.json("plan", *options)

    def answer(self) -> Any:
        """Return what callers of the live alias get."""
        given = self.client("lambda").invoke(FunctionName=f"{NAME}:live", Payload=b"{}")
        return json.loads(given["Payload"].read())

    def attached(self) -> dict[str, Any]:
        """Return what Lambda holds by the function's name, and loses with the function."""
        client, live = self.client("lambda"), {"FunctionName": NAME, "Qualifier": "live"}
        kept = client.get_function_event_invoke_config(**live)
        url = client.get_function_url_config(**live)["AuthType"]
        return {"url": url, "retries": kept["MaximumRetryAttempts"], "max_age_s": kept["MaximumEventAgeInSeconds"]}

    def repositories(self) -> list[str]:
        return [each["repositoryName"] for each in self.client("ecr").describe_repositories()["repositories"]]

    def images(self) -> set[str]:
        details = self.client("ecr").describe_images(repositoryName=REPOSITORY)["imageDetails"]
        return {each["imageDigest"] for each in details}

    def pulled(self, digest: str) -> Image:
        """Return an image as the cloud's own registry has it, which must be by its digest and by its tag."""
        told = json.loads((self.checkout.root / ".artifacts/local/cloud.json").read_text("utf-8"))
        registry, scratch = Registry(told["registry"], plain=True), self.checkout.root / ".artifacts"
        image = pull_image(registry, REPOSITORY, digest, scratch)
        assert pull_image(registry, REPOSITORY, digest.removeprefix("sha256:"), scratch) == image
        return image


def is_empty(review: Any) -> bool:
    """Tell whether a plan would change nothing."""
    return not (review["functions"] or review["resources"] or review["losses"])


ATTACHED = {"url": "AWS_IAM", "retries": 1, "max_age_s": 600}


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    tools = sorted({str(containers.tool(name).parent) for name in ("docker-registry", "bwrap")})
    clone = make_checkout(tmp_path_factory.mktemp("clone"))
    (clone.root / "base-images.toml").unlink(missing_ok=True)
    checkout = Checkout(clone.root, {"PATH": os.pathsep.join([*tools, os.environ["PATH"]])})
    try:
        yield Road(checkout)
    finally:
        checkout.close()


@pytest.fixture(scope="module")
def first(road: Road) -> Seen:
    road.write(word="one")
    return road.deploy()


@pytest.fixture(scope="module")
def second(road: Road, first: Seen) -> Seen:
    """Other code."""
    road.write(word="two")
    return road.deploy()


@pytest.fixture(scope="module")
def back(road: Road, second: Seen) -> Any:
    """What callers get after a rollback."""
    road.checkout.run("rollback")
    return road.answer()


@pytest.fixture(scope="module")
def swept(road: Road, back: Any) -> tuple[set[str], Any]:
    """The images that are left, and what callers get, once nothing is kept that need not be."""
    road.client("ecr").put_image(repositoryName=REPOSITORY, imageManifest=NOBODYS, imageTag="nobodys")
    assert len(road.images()) == 3
    road.checkout.run("gc", "--keep", "1", "--apply")
    return road.images(), road.answer()


@pytest.fixture(scope="module")
def to_zip(road: Road, swept: Any) -> Any:
    """The review of a plan that makes a zip of the image."""
    road.write(package="zip", word="three")
    return road.plan("--out", "saved.plan")


@pytest.fixture(scope="module")
def zipped(road: Road, to_zip: Any) -> tuple[Seen, Any]:
    """What that plan leads to, and the review of another plan after it."""
    return road.deploy("--plan", "saved.plan"), road.plan()


@pytest.fixture(scope="module")
def third(road: Road, zipped: Any) -> tuple[Seen, Any]:
    """The zip becomes an image again; and the review of another plan after that."""
    road.write(word="four")
    return road.deploy(), road.plan()


def test_an_image_is_deployed_by_its_digest_and_answers(road, first):
    uri = first.lambda_["Code"]["ImageUri"]
    assert uri == f"123456789012.dkr.ecr.us-east-1.amazonaws.com/{REPOSITORY}@{first.digest}"
    assert first.lambda_["Configuration"]["PackageType"] == "Image"
    assert first.lambda_["Configuration"]["CodeSha256"] == first.digest.removeprefix("sha256:")
    assert first.answer == {"tells": "one", "version": "1", "from": "/var/task"}
    assert first.attached == ATTACHED


def test_the_repository_that_was_there_before_the_plan_is_adopted_by_it(road, first):
    assert first.repositories == (REPOSITORY,)
    assert "1 to import" in first.said


def test_a_change_of_code_is_a_new_version_and_pushes_the_code_alone(road, first, second):
    before, after = road.pulled(first.digest), road.pulled(second.digest)
    assert before.layers[:-1] == after.layers[:-1]
    assert after.layers[-1].size_bytes < 1000
    assert second.answer == {"tells": "two", "version": "2", "from": "/var/task"}
    assert f"pushing {REPOSITORY}" in second.said
    assert f"{REPOSITORY}: layer " in first.said, "how far the large layer is"
    assert f"{REPOSITORY}: layer " not in second.said


def test_nothing_but_the_code_is_changed_by_a_second_deploy(second):
    assert "0 to add, 1 to change, 0 to destroy" in second.said
    assert "to import" not in second.said


def test_a_rollback_brings_the_earlier_image_back(second, back):
    assert back == {"tells": "one", "version": "1", "from": "/var/task"}


def test_gc_keeps_the_images_that_releases_or_versions_use_and_removes_others(first, second, swept):
    images, answer = swept
    assert images == {first.digest, second.digest}, "callers have the first, and the second is published last"
    assert answer["tells"] == "one"


def test_the_review_calls_a_change_of_package_type_dangerous_and_says_what_is_lost(to_zip):
    assert to_zip["verdict"] == "dangerous"
    said = [each["text"] for each in to_zip["reasons"] if each["verdict"] == "dangerous"]
    assert any(f"function {NAME} is made anew, and with it its published versions" in each for each in said)
    assert any(f"ECR repository {REPOSITORY} is destroyed" in each for each in said)
    assert "package Image → Zip" in [each["text"] for each in to_zip["reasons"]]


@pytest.mark.parametrize("name", ["zipped", "third"])
def test_one_deploy_changes_the_package_type_and_leaves_nothing_to_do(name, request):
    done, after = request.getfixturevalue(name)
    is_image = name == "third"
    assert done.lambda_["Configuration"]["PackageType"] == ("Image" if is_image else "Zip")
    assert done.answer["tells"] == ("four" if is_image else "three")
    assert done.repositories == ((REPOSITORY,) if is_image else ())
    assert done.attached == ATTACHED, "what belongs to the function went with the old one"
    assert is_empty(after)


def test_destroy_removes_the_repository_with_the_images_in_it(road, third):
    assert road.images() == {third[0].digest}
    road.checkout.run("destroy")
    assert road.repositories() == []
    assert road.client("lambda").list_functions()["Functions"] == []

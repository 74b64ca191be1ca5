"""A roll-out that goes back, and what it says of it, against moto."""

import io
from functools import partial

import pytest
from moto import mock_aws

from build.digest import Digest
from build.errors import DriftError
from build.local import lambda_mends, mends
from build.options import Shifting
from build.release.rollout import roll_out
from build.release.schedule import Smoke
from build.release.shifting import Shift
from build.results import DeployedFunction, Outputs
from tests.aws import client_of, code_of, create_function

SMOKE = Smoke(event=b"{}", answer=b'{"status": "ok"}')


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(mends, "MENDS", [lambda_mends.never_reuse_version_numbers])
    with mock_aws(config={"lambda": {"use_docker": False}}), mends.installed():
        for name in ("orders", "stock"):
            create_function(f"shop-{name}", versions=2)
        yield


class Invoker:
    """A client of Lambda that gives one answer, in the name of version 2."""

    def __init__(self, payload):
        self._payload = payload

    def invoke(self, **_):
        told = {"ExecutedVersion": "2", "ResponseMetadata": {"RequestId": "1"}}
        return {"Payload": io.BytesIO(self._payload), **told}


def rolled_out(answer, after=()):
    functions = {
        name: DeployedFunction(
            name=name, function_name=f"shop-{name}", arn="", version="2", log_group="", queue_urls={}
        )
        for name in ("orders", "stock")
    }
    shift = Shift(
        env="prod",
        functions=client_of("lambda"),
        invoker=lambda: Invoker(answer),
        cloudwatch=partial(client_of, "cloudwatch"),
        codedeploy=lambda: pytest.fail("nothing was handed over"),
        on_progress=print,
    )
    outputs = Outputs(functions=functions, layers={}, http_api_urls=())
    codes = dict.fromkeys(functions, Digest.of_bytes(code_of("2")).base64)
    shiftings = {"orders": Shifting(), "stock": Shifting(after=after)}
    return roll_out(outputs, codes, {}, shift, shiftings, smokes={"stock": SMOKE})


def live():
    lambda_ = client_of("lambda")
    found = (lambda_.get_alias(FunctionName=f"shop-{name}", Name="live") for name in ("orders", "stock"))
    return [each["FunctionVersion"] for each in found]


def test_a_smoke_event_that_is_answered_lets_everybody_come():
    rollouts, went_back = rolled_out(b'{"status": "ok"}')
    assert (went_back, live(), [each.live for each in rollouts]) == (None, ["2", "2"], ["2", "2"])


def test_a_smoke_event_that_is_not_keeps_everybody_away():
    rollouts, went_back = rolled_out(b'{"status": "down"}')
    assert went_back
    assert (went_back.exit_code, live(), [each.live for each in rollouts]) == (7, ["1", "1"], ["1", "1"])
    assert went_back.summary == "the roll-out went back: smoke events got other answers than expected"
    assert went_back.facts == (
        'stock, version 2, smoke.json: status: expected "ok", got "down"',
        "orders:live stayed at version 1: nobody came to 2",
        "stock:live stayed at version 1: nobody came to 2",
    )
    assert "`invoke logs -f stock --env prod`" in went_back.hint


def test_what_moved_before_comes_back_and_is_told_apart():
    rollouts, went_back = rolled_out(b'{"status": "down"}', after=("orders",))
    assert went_back
    assert (live(), [each.live for each in rollouts]) == (["1", "1"], ["1", "1"])
    assert went_back.facts[1:] == (
        "orders:live is at version 1 again, not 2",
        "stock:live stayed at version 1: nobody came to 2",
    )


# ── images ────────────────────────────────────────────────────────────────────────────────────

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"


def uri(digit):
    return f"{HOST}/shop/picture@sha256:{digit * 64}"


@pytest.fixture
def picture(aws, monkeypatch):
    """An image function whose version 1 is live; Terraform's state says that it has the image 2."""
    wanted = [lambda_mends.tell_images_apart, lambda_mends.publish_only_what_was_meant]
    monkeypatch.setattr(mends, "MENDS", wanted)
    with mends.installed():
        functions = client_of("lambda")
        role = client_of("iam").get_role(RoleName="shop-orders-role")["Role"]["Arn"]
        functions.create_function(
            FunctionName="shop-picture", PackageType="Image", Role=role, Code={"ImageUri": uri("1")}, Publish=True
        )
        functions.create_alias(FunctionName="shop-picture", Name="live", FunctionVersion="1")
        yield functions


def image_rolled_out(digit, places=None):
    function = DeployedFunction(
        name="picture", function_name="shop-picture", arn="", version="2", log_group="", queue_urls={}
    )
    shift = Shift(
        env="prod",
        functions=client_of("lambda"),
        invoker=lambda: pytest.fail("nobody asked for a smoke event"),
        cloudwatch=partial(client_of, "cloudwatch"),
        codedeploy=lambda: pytest.fail("nothing was handed over"),
        on_progress=print,
    )
    outputs = Outputs(functions={"picture": function}, layers={}, http_api_urls=())
    codes = {"picture": digit * 64}
    (rollout,), went_back = roll_out(outputs, codes, {}, shift, {"picture": Shifting()}, smokes={}, places=places)
    assert went_back is None
    return rollout


def image_of(functions, version):
    return functions.get_function(FunctionName="shop-picture", Qualifier=version)["Code"]["ImageUri"]


def test_an_image_is_published_by_its_digest_in_hex(picture):
    picture.update_function_code(FunctionName="shop-picture", ImageUri=uri("2"))
    rollout = image_rolled_out("2")
    assert (rollout.version, rollout.before, rollout.live) == ("2", "1", "2")
    assert (image_of(picture, "live"), image_of(picture, "1")) == (uri("2"), uri("1"))


def test_an_image_whose_update_was_refused_is_brought_by_its_uri(picture):
    rollout = image_rolled_out("2", {"picture": {"ImageUri": uri("2")}})
    assert rollout.live == "2"
    assert image_of(picture, "live") == uri("2")


def test_an_image_that_somebody_put_there_by_hand_is_never_made_live_nor_lost(picture):
    picture.update_function_code(FunctionName="shop-picture", ImageUri=uri("9"))
    with pytest.raises(DriftError, match="holds other code") as caught:
        image_rolled_out("2", {"picture": {"ImageUri": uri("2")}})
    assert caught.value.facts[0] == f"expected CodeSha256 {'2' * 64}"
    assert (image_of(picture, "live"), image_of(picture, "$LATEST")) == (uri("1"), uri("9"))

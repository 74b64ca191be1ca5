import json
from dataclasses import replace
from pathlib import Path

import pytest

from build.digest import Digest
from build.http import HttpTrigger
from build.model import IMAGE, Architecture, Target
from build.options import ImageConfig, Options, Permission
from build.project.discovery import discover
from build.release.handoff import artifact_of, code_sha256_of, handoff_of, part_of, write_handoff
from build.triggers import QueueTrigger, Triggers
from tests.builders import ARM, PY313, function_spec, layer_spec, make_workspace, write_files
from tests.releases import published

GOLDEN = Path(__file__).parents[1] / "golden"


def shop(tmp_path):
    orders = replace(
        function_spec(
            tmp_path / "functions/orders", target=ARM, layers=("data", "arn:aws:lambda:x:1:layer:y:3", "{custom.layer}")
        ),
        environment={"GREETING": "Hello, {name}!"},
        triggers=Triggers(http=(HttpTrigger(route="POST /orders/{name}"),), queue=(QueueTrigger(name="incoming"),)),
        options=Options(
            permissions=(
                Permission(actions=("s3:GetObject",), resources=("arn:aws:s3:::{name}-{account}/${aws:username}",)),
            ),
        ),
    )
    workspace = make_workspace(tmp_path, functions=(orders,), layers=(layer_spec(tmp_path / "layers/data"),))
    return workspace, [
        published("layers/data", "data-arm64", Architecture.ARM64),
        published("layers/data", "data-x86-64", Architecture.X86_64),
        published("functions/orders", "orders", Architecture.ARM64),
    ]


def test_a_function_gets_the_layer_of_its_own_architecture_and_foreign_ones_as_they_are(tmp_path):
    handoff = handoff_of(*shop(tmp_path))
    assert handoff["functions"]["orders"]["layers"] == ["data-arm64", "arn:aws:lambda:x:1:layer:y:3", "{custom.layer}"]
    assert handoff["layers"]["data-x86-64"]["architectures"] == ["x86_64"]


def test_only_our_placeholders_and_only_those_of_permissions_are_filled(tmp_path):
    function = handoff_of(*shop(tmp_path))["functions"]["orders"]
    assert function["permissions"][0]["resources"] == ["arn:aws:s3:::shop-123456789012/${aws:username}"]
    assert function["environment"]["GREETING"] == "Hello, {name}!"


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_the_partition_follows_the_region(tmp_path, region, partition):
    workspace = make_workspace(tmp_path)
    assert (
        replace(workspace, env=replace(workspace.env, region=region)).filled("arn:{partition}:x")
        == f"arn:{partition}:x"
    )


def test_both_spellings_of_the_digest_are_there(tmp_path):
    artifact = handoff_of(*shop(tmp_path))["functions"]["orders"]["artifact"]
    assert Digest(artifact["digest_hex"]).base64 == artifact["digest_base64"]
    assert artifact["digest_hex"] in artifact["key"]


def test_the_digest_enters_the_environment_and_nothing_that_changes_every_commit(tmp_path):
    environment = handoff_of(*shop(tmp_path))["functions"]["orders"]["environment"]
    assert environment["SLIPWAY_ARTIFACT_DIGEST"] == str(Digest.of_bytes(b"orders"))
    assert set(environment) == {"GREETING", "SLIPWAY_ARTIFACT_DIGEST"}


def test_settings_of_every_kind_become_the_example_that_terraform_is_held_against(tmp_path):
    """tests/terraform compares the same example with terraform/variables.tf, both ways."""
    example = json.loads((GOLDEN / "handoff.json").read_text("utf-8"))
    files = {
        "slipway.toml": (GOLDEN / "slipway.toml").read_text("utf-8"),
        "functions/orders/function.toml": (GOLDEN / "orders.toml").read_text("utf-8"),
        "functions/greeting/function.toml": (
            'description = "Says hello"\nmemory_mb = 128\ntimeout_s = 3\nenvironment.GREETING = "Hello"'
        ),
        "layers/data/layer.toml": 'description = "x"\nruntimes = ["python3.13"]\narchitectures = ["x86_64", "arm64"]',
        "functions/orders/src/app.py": "",
        "functions/greeting/src/app.py": "",
    }
    workspace = discover(write_files(tmp_path, files), "local")
    artifacts = [published(spec.identity, spec.name, *Architecture) for spec in workspace.specs]
    handoff = handoff_of(workspace, artifacts)
    assert handoff["http_api"] == example["http_api"]
    assert {key: type(value) for key, value in handoff.items()} == {key: type(value) for key, value in example.items()}
    for name, function in handoff["functions"].items():
        function["environment"].pop("SLIPWAY_ARTIFACT_DIGEST")
        assert function["artifact"].keys() == example["functions"][name]["artifact"].keys()
        # On local everything is for the machine's own architecture.
        differing = {key: example["functions"][name][key] for key in ("architecture", "artifact")}
        assert {**function, **differing} == example["functions"][name]


def test_the_file_is_written_whole_and_the_same_every_time(tmp_path):
    workspace, artifacts = shop(tmp_path)
    path = tmp_path / ".artifacts/dev/handoff.tfvars.json"
    first = write_handoff(handoff_of(workspace, artifacts), path)
    assert first == Digest.of_file(path)
    assert write_handoff(handoff_of(workspace, reversed(artifacts)), path) == first
    assert [each.name for each in path.parent.iterdir()] == ["handoff.tfvars.json"]


def test_a_pure_layer_serves_both_architectures(tmp_path):
    layer = layer_spec(tmp_path / "layers/pure")
    spec = function_spec(tmp_path / "functions/f", target=Target(PY313, Architecture.X86_64), layers=("pure",))
    artifacts = [published("layers/pure", "pure", *Architecture), published("functions/f", "f", Architecture.X86_64)]
    handoff = handoff_of(make_workspace(tmp_path, functions=(spec,), layers=(layer,)), artifacts)
    assert handoff["functions"]["f"]["layers"] == ["pure"]


def test_a_hand_off_of_before_there_was_codedeploy_is_one_that_does_without(tmp_path):
    handoff = handoff_of(*shop(tmp_path))
    older = {name: each for name, each in handoff["functions"]["orders"].items() if name != "codedeploy"}
    assert part_of({**handoff, "functions": {"orders": older}}, "", {"orders"})["functions"] == handoff["functions"]


def test_a_hand_off_of_before_there_were_images_is_one_of_zips(tmp_path):
    handoff = handoff_of(*shop(tmp_path))
    older = {name: each for name, each in handoff["functions"]["orders"].items() if name != "image_config"}
    assert part_of({**handoff, "functions": {"orders": older}}, "", {"orders"})["functions"] == handoff["functions"]


# ── images ────────────────────────────────────────────────────────────────────────────────────

URI = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop-dev/orders@sha256:" + "5" * 64


def image(tmp_path):
    """The function orders as an image, with a layer of Lambda's in it."""
    workspace, artifacts = shop(tmp_path)
    (orders,) = workspace.functions
    options = Options(image_config=ImageConfig(command=("other.handler",)))
    orders = replace(orders, package=IMAGE, layers=("data",), options=options)
    *layers, zipped = artifacts
    made = replace(zipped, location=URI, artifact=replace(zipped.artifact, digest=Digest("5" * 64)))
    return handoff_of(replace(workspace, functions=(orders,)), [*layers, made])["functions"]["orders"]


def test_an_image_has_a_uri_in_place_of_an_artifact_and_its_layers_are_in_it(tmp_path):
    function = image(tmp_path)
    assert (function["package_type"], function["image_uri"], function["artifact"]) == ("Image", URI, None)
    assert function["layers"] == []
    assert function["image_config"] == {"command": ["other.handler"], "entry_point": [], "working_directory": None}
    assert function["environment"]["SLIPWAY_ARTIFACT_DIGEST"] == f"sha256:{'5' * 64}"


def test_a_zip_has_an_artifact_and_no_uri(tmp_path):
    function = handoff_of(*shop(tmp_path))["functions"]["orders"]
    assert (function["package_type"], function["image_uri"], function["image_config"]) == ("Zip", None, None)


def test_zips_and_images_have_the_same_keys_for_terraform(tmp_path):
    assert image(tmp_path).keys() == handoff_of(*shop(tmp_path))["functions"]["orders"].keys()


def test_what_something_is_made_of_is_told_of_zips_images_and_layers_alike(tmp_path):
    handoff = handoff_of(*shop(tmp_path))
    assert artifact_of(image(tmp_path)) == {"digest_hex": "5" * 64, "key": URI, "size_bytes": 0}
    for place in (handoff["functions"]["orders"], handoff["layers"]["data-arm64"]):
        assert artifact_of(place) == place["artifact"]
    assert artifact_of({}) is None


def test_lambda_calls_the_code_of_a_zip_by_base64_and_that_of_an_image_by_hex(tmp_path):
    assert code_sha256_of(image(tmp_path)) == "5" * 64
    zipped = handoff_of(*shop(tmp_path))["functions"]["orders"]
    assert code_sha256_of(zipped) == zipped["artifact"]["digest_base64"]
    assert code_sha256_of({}) is None

"""What an image says of itself: each thing that Lambda refuses, and an image that it takes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.image import DOCKER, LAYERS, OCI, Image, Part
from build.images.assembled import layers_of
from build.images.manifests import put_on
from build.model import Finding, Severity
from build.options import ImageConfig, Options
from build.rules import quotas
from tests.checking import HANDLER, Repository
from tests.tiny_images import AWS_START, PINNED, PYTHON_START, layer, make_image
from tests.unit.test_images_assembled import archived

CODE = {"var/task/app.py": HANDLER}
AWS = f"public.ecr.aws/lambda/python:3.13{PINNED}"


def of_images(repository: Repository) -> list[Finding]:
    return [each for each in repository.findings() if each.rule.startswith("image-")]


def found(root: Path, **wrong: Any) -> list[Finding]:
    """What is found in the image of a Dockerfile."""
    repository = Repository(root)
    return of_images(repository.image(make_image(repository.store, layer(CODE), **wrong)))


def only(root: Path, rule: str, **wrong: Any) -> str:
    (finding,) = found(root, **wrong)
    assert (finding.rule, finding.severity, finding.subject) == (rule, Severity.ERROR, "functions/f")
    assert "functions/f/Dockerfile" in finding.hint
    return finding.message


@pytest.mark.parametrize("kind", [OCI, DOCKER])
def test_an_image_as_lambda_takes_it_has_no_findings(tmp_path, kind):
    repository = Repository(tmp_path).image(make_image(Repository(tmp_path).store, layer(CODE), kind=kind))
    assert repository.findings() == []


def test_a_manifest_may_leave_its_type_out(tmp_path):
    image = make_image(Repository(tmp_path).store, layer(CODE))
    bare = {key: value for key, value in image.said.items() if key != "mediaType"}
    assert of_images(Repository(tmp_path).image(Image(json.dumps(bare).encode(), image.config))) == []


# ── manifest ──────────────────────────────────────────────────────────────────────────────────


def test_an_index_is_refused_with_what_the_builder_is_to_be_told(tmp_path):
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [{}, {}]}
    (finding,) = of_images(Repository(tmp_path).image(Image(json.dumps(index).encode(), b"{}")))
    assert finding.rule == "image-manifest"
    assert "expected that of one image, got an index of 2 (application/vnd.oci.image.index.v1+json)" in finding.message
    assert "--provenance=false --sbom=false" in finding.hint


def test_mixed_words_of_docker_and_oci_are_told_all_at_once(tmp_path):
    told = only(tmp_path, "image-manifest", kind=DOCKER, types={"layer": LAYERS[OCI], "config": "application/json"})
    assert "config: expected application/vnd.docker.container.image.v1+json, got application/json" in told
    assert f"layer 1: expected {LAYERS[DOCKER]}, got {LAYERS[OCI]}" in told


@pytest.mark.parametrize(
    "layer_type",
    ["application/vnd.docker.image.rootfs.diff.tar", f"{LAYERS[OCI].removesuffix('gzip')}zstd"],
    ids=["uncompressed", "zstd"],
)
def test_kinds_of_layers_that_lambda_does_not_know_are_refused(tmp_path, layer_type):
    assert f"got {layer_type}" in only(tmp_path, "image-manifest", types={"layer": layer_type})


def test_a_manifest_of_another_kind_is_refused(tmp_path):
    assert "got application/x" in only(tmp_path, "image-manifest", kind="application/x")


def test_what_cannot_be_read_is_told_once(tmp_path):
    image = make_image(None, layer(CODE))
    (finding,) = of_images(Repository(tmp_path).image(Image(image.manifest, b"{}")))
    assert finding.rule == "image-manifest"
    assert "expected one that can be read" in finding.message


# ── config ────────────────────────────────────────────────────────────────────────────────────


def test_a_history_may_be_missing_or_tell_of_steps_without_a_layer(tmp_path):
    rows = [{"created_by": "COPY"}, {"created_by": "CMD", "empty_layer": True}]
    assert found(tmp_path / "rows", config={"history": rows}) == []
    assert found(tmp_path / "none", config={"history": []}) == []


@pytest.mark.parametrize(
    ("config", "got"),
    [
        ({"history": [{}, {}]}, "2 rows of history that made a layer"),
        ({"rootfs": {"type": "layers", "diff_ids": []}}, "0 diff_ids"),
    ],
)
def test_a_config_that_tells_of_other_layers_is_refused(tmp_path, config, got):
    assert f"for its 1 layers, got {got}" in only(tmp_path, "image-history", config=config)


@pytest.mark.parametrize(
    ("config", "got"),
    [
        ({"architecture": "arm64"}, "linux/arm64"),
        ({"os": "windows"}, "windows/amd64"),
        ({"os": None}, "no system/amd64"),
    ],
)
def test_an_image_for_another_machine_or_system_is_refused(tmp_path, config, got):
    told = only(tmp_path, "image-architecture", config=config)
    assert told == f"its image: expected linux/amd64 for architecture x86_64, got {got}"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"Cmd": None}, 'expected CMD to be the handler, ["app.handler"], got none'),
        ({"Cmd": ["other.handler"]}, 'got ["other.handler"]'),
        ({"Cmd": ["app.handler", "more"]}, 'got ["app.handler", "more"]'),
        ({"Entrypoint": None}, 'expected an ENTRYPOINT that asks Lambda for work, got CMD ["app.handler"] alone'),
        ({"Entrypoint": [], "Cmd": []}, "got CMD none alone"),
        ({"WorkingDir": f"/{'x' * quotas.IMAGE_WORKDIR_CHARS}"}, "at most 1,000 characters in WORKDIR, got 1,001"),
        ({"Entrypoint": [*AWS_START, *["x"] * quotas.IMAGE_WORDS]}, "at most 1,500 words in ENTRYPOINT, got 1,501"),
    ],
)
def test_what_does_not_lead_to_the_handler_is_refused(tmp_path, settings, told):
    assert told in only(tmp_path, "image-command", settings=settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"Entrypoint": PYTHON_START},
        {"Entrypoint": [*PYTHON_START, "app.handler"], "Cmd": None},
        {"Entrypoint": None, "Cmd": [*PYTHON_START, "app.handler"]},
        {"Entrypoint": ["/app/bootstrap"], "Cmd": None},
    ],
)
def test_what_leads_to_it_in_any_usual_way_is_taken(tmp_path, settings):
    repository = Repository(tmp_path)
    files = {**CODE, "usr/lib/python3/site-packages/awslambdaric/__init__.py": ""}
    assert of_images(repository.image(make_image(repository.store, layer(files), settings=settings))) == []


def test_the_runtime_client_must_get_the_handler(tmp_path):
    wrong = {"Entrypoint": PYTHON_START, "Cmd": ["other.handler"]}
    rules = {each.rule: each.message for each in found(tmp_path, settings=wrong)}
    assert rules["image-command"].endswith('awslambdaric to get the handler, ["app.handler"], got ["other.handler"]')


def test_image_config_takes_the_place_of_what_the_image_says(tmp_path):
    repository = Repository(tmp_path)
    image = make_image(repository.store, layer(CODE), settings={"Cmd": ["other.handler"]})
    told = Options(image_config=ImageConfig(command=("app.handler",)))
    assert of_images(repository.image(image, options=told)) == []
    wrong = Options(image_config=ImageConfig(command=("third.handler",)))
    (finding,) = of_images(repository.image(image, options=wrong))
    assert "third.handler" in finding.message


# ── size ──────────────────────────────────────────────────────────────────────────────────────


def test_an_image_too_large_unpacked_shows_its_largest_layers(tmp_path, monkeypatch):
    repository = Repository(tmp_path)
    repository.image(make_image(repository.store, layer(CODE), layer({"usr/big": b"\0" * 200_000})))
    monkeypatch.setattr(quotas, "IMAGE_BYTES", 100_000)
    (finding,) = of_images(repository)
    assert finding.rule == "image-size"
    assert "expected at most 100,000 bytes in all layers of its image, unpacked, got 2" in finding.message
    assert "layer 2 (" in finding.details[1]
    assert "layer 1 (" in finding.details[2]


def on_aws(root: Path, parts: tuple[Part, ...]) -> list[Finding]:
    """What is found in an image of ``parts`` on a base of AWS that is not here."""
    repository = Repository(root)
    base = make_image(None, layer({"usr/lib/libc.so.6": b"\0" * 10_000}), settings={"Cmd": None})
    layers = [made for part in parts for made in layers_of(part, repository.store)]
    image = put_on(base, layers, command=["app.handler"], settings={})
    return of_images(repository.image(image, base=base, base_image=AWS, parts=parts))


def test_our_own_layers_count_as_they_are_unpacked_and_those_of_aws_as_they_are_sent(tmp_path, monkeypatch):
    both = archived(tmp_path, {"six.py": b"x = 1\n" * 20_000}, {"app.py": HANDLER.encode()})
    parts = tuple(replace(part, title=title) for part, title in zip(both, ("packages", "code"), strict=True))
    assert on_aws(tmp_path / "roomy", parts) == []
    monkeypatch.setattr(quotas, "IMAGE_BYTES", 100_000)
    (finding,) = on_aws(tmp_path / "narrow", parts)
    assert [line.split("  ")[-1].split(" ")[0] for line in finding.details[1:]] == ["packages", "code", "AWS's"]
    assert "a large distribution" in finding.hint


def test_what_holds_for_zips_alone_is_not_asked_of_images(tmp_path):
    repository = Repository(tmp_path)
    layers = tuple(f"l{number}" for number in range(6))
    for name in layers:
        repository.layer(name, {f"{name}.py": ""})
    repository.function({}, layers=layers)
    large = {name: replace(each, unzipped_bytes=300_000_000) for name, each in repository.build.functions.items()}
    repository._artifacts = replace(repository.build, functions=large)
    assert {each.rule for each in repository.findings()} == {"function-size", "layer-count"}
    repository.image(make_image(repository.store, layer(CODE)))
    assert repository.findings() == []

"""Images of functions: what they stand on, who may push them where, and what is there already."""

import base64
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from moto import mock_aws

from build import imaging
from build.digest import Digest
from build.errors import InputError
from build.image import Assembled, Image
from build.images.bases import Bases
from build.images.manifests import ARCHITECTURES
from build.imaging import EnvPublisher, Grounds, ecr_of, empty_repositories, login_of, publish_images
from build.local.stand_in import LABEL
from build.model import IMAGE, LOCAL, Build, Built, FunctionSpec, Workspace
from build.project.profiles import host_architecture
from build.release.aws import Aws
from build.release.publishers import S3Publisher
from build.report import Reporter
from build.results import Plan
from build.rules.references import Reference
from build.store.objects import Store
from tests.artifacts import make_artifact
from tests.aws import client_of
from tests.builders import function_spec, make_workspace
from tests.tiny_images import PINNED, layer, make_image
from tests.unit.test_release_images import ACCOUNT, put

HOST = ARCHITECTURES[host_architecture()]
OTHER = {"amd64": "arm64", "arm64": "amd64"}[HOST]
STAND_IN = make_image(None, layer({"stand-in": ""}), settings={"Labels": {LABEL: "python3.13"}})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def grounds(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch):
    """Bases in an env, where a stand-in takes no seconds to make and no registry answers."""
    made: list[str] = []

    def stand_in(_: Path, runtime: object, *__: object, **___: object) -> Image:
        made.append(str(runtime))
        return STAND_IN

    monkeypatch.setattr(imaging, "stand_in", stand_in)

    def run(env: str) -> tuple[Grounds, list[str]]:
        return Grounds(make_workspace(tmp_path, env=env), store, Reporter()), made

    return run


def image_function(folder: Path, base_image: str = "", name: str = "orders") -> FunctionSpec:
    return replace(function_spec(folder / "functions" / name), package=IMAGE, base_image=base_image)


def fetched(store: Store, architecture: str = HOST, *, whole: bool = True) -> tuple[str, Image]:
    """Put a base into the store, as if it had been pulled, and return what it is pinned by."""
    image = make_image(store, layer({"etc/os-release": architecture}), config={"architecture": architecture})
    store.remember("base", image.digest, {"manifest": image.manifest.decode(), "config": image.config.decode()})
    if not whole:
        store.blob(image.layers[0].digest).unlink()
    return f"registry.example.invalid/base:1@{image.digest}", image


# ── what an image stands on ───────────────────────────────────────────────────────────────────


def test_on_env_local_an_image_without_a_pinned_base_stands_on_this_machines_python(grounds, tmp_path, capsys):
    local, made = grounds(LOCAL)
    assert local.base_of(image_function(tmp_path)) == STAND_IN
    assert local.base_of(image_function(tmp_path, name="stock")) == STAND_IN
    assert made == ["python3.13"], "once for all functions"
    assert "`invoke image.pull-base` brings AWS's" in capsys.readouterr().err


def test_on_env_local_a_base_that_is_not_here_is_not_fetched(grounds, tmp_path):
    local, _ = grounds(LOCAL)
    assert local.base_of(image_function(tmp_path, f"registry.example.invalid/base:1{PINNED}")) == STAND_IN


def test_on_env_local_a_base_whose_layers_are_not_all_here_is_not_fetched(grounds, tmp_path, store):
    local, _ = grounds(LOCAL)
    pinned, _image = fetched(store, whole=False)
    assert local.base_of(image_function(tmp_path, pinned)) == STAND_IN


def test_on_env_local_a_base_that_is_here_is_used(grounds, tmp_path, store):
    local, made = grounds(LOCAL)
    pinned, image = fetched(store)
    spec = image_function(tmp_path, pinned)
    assert local.base_of(spec) == image
    assert local.layer_of(spec)(image.layers[0]) == store.blob(image.layers[0].digest)
    assert made == []


def test_on_env_local_a_base_for_other_machines_is_of_no_use(grounds, tmp_path, store):
    local, _ = grounds(LOCAL)
    pinned, _image = fetched(store, OTHER)
    assert local.base_of(image_function(tmp_path, pinned)) == STAND_IN


def test_elsewhere_an_image_without_a_pinned_base_is_refused_with_the_verb_that_pins_one(grounds, tmp_path):
    dev, made = grounds("dev")
    with pytest.raises(InputError) as raised:
        dev.base_of(image_function(tmp_path))
    assert raised.value.summary == "functions/orders is an image, and nothing says on which base"
    assert raised.value.facts == (
        "expected a base for python3.13 on x86_64 in base-images.toml, or base_image in its function.toml",
    )
    assert "`invoke image.pull-base`" in raised.value.hint
    assert made == []


@pytest.mark.parametrize("architecture", [HOST, OTHER])
@pytest.mark.parametrize("whole", [True, False], ids=["with layers", "without layers"])
def test_elsewhere_a_base_that_is_known_is_used_for_any_machine_and_asks_nobody(
    grounds, tmp_path, store, architecture, whole
):
    dev, made = grounds("dev")
    pinned, image = fetched(store, architecture, whole=whole)
    assert dev.base_of(image_function(tmp_path, pinned)) == image
    assert made == []


def test_without_a_pinned_base_layers_are_those_of_the_store(grounds, tmp_path, store):
    local, _ = grounds(LOCAL)
    blob = STAND_IN.layers[0]
    assert local.layer_of(image_function(tmp_path))(blob) == store.blob(blob.digest)


def test_bases_that_are_known_need_no_layers_and_are_not_here_without_them(store):
    pinned, image = fetched(store, whole=False)
    bases = Bases(store)
    assert bases.known(Reference.parse(pinned)) == image
    assert not bases.is_here(Reference.parse(pinned))


# ── ECR ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield


def built(workspace: Workspace, **images: Image) -> Built:
    functions = {name: make_artifact(workspace.root / f"{name}.zip", f"functions/{name}") for name in images}
    made = {name: Assembled(image=image, base=None, parts=()) for name, image in images.items()}
    specs = tuple(image_function(workspace.root, name=name) for name in images)
    return Built(
        workspace=replace(workspace, functions=specs),
        build=Build(functions=functions, layers={}, images=made),
        findings=(),
        beside=(),
    )


class Nobody:
    """AWS where nothing may be asked."""

    def client(self, service: str) -> object:
        raise AssertionError(service)


def test_what_stands_on_this_machines_python_never_leaves_it(tmp_path):
    fine = make_image(None, layer({}))
    given = built(make_workspace(tmp_path), orders=STAND_IN, fine=fine, stock=STAND_IN)
    with pytest.raises(InputError) as raised:
        list(publish_images(given, Nobody(), Reporter()))  # type: ignore[arg-type]
    assert raised.value.summary == "images for env dev stand on this machine's Python instead of a base of AWS's"
    assert raised.value.facts == ("functions/orders", "functions/stock")
    assert raised.value.hint == "run `invoke image.pull-base`, then `invoke deploy --env dev`"


def test_where_no_function_is_an_image_ecr_is_not_asked(tmp_path):
    assert list(publish_images(built(make_workspace(tmp_path)), Nobody(), Reporter())) == []  # type: ignore[arg-type]


def test_an_image_that_its_repository_has_is_not_pushed_again(tmp_path, aws):
    workspace, image = make_workspace(tmp_path), make_image(None, layer({}))
    reached = Aws(env=workspace.env, environ={})
    ecr = ecr_of(workspace, reached)
    ecr.repository("shop-dev/orders")
    put(ecr, "shop-dev/orders", image)
    (published,) = publish_images(built(workspace, orders=image), reached, Reporter())
    assert published.location == f"{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/shop-dev/orders@{image.digest}"
    assert not published.uploaded
    assert (published.artifact.identity, published.artifact.digest) == ("functions/orders", image.digest)
    assert published.artifact.size_bytes == image.size_bytes


def test_zips_are_looked_for_in_the_bucket_and_images_in_their_repository(tmp_path, aws):
    workspace, image = make_workspace(tmp_path), make_image(None, layer({}))
    ecr = partial(ecr_of, workspace, Aws(env=workspace.env, environ={}))
    place = ecr().repository("shop-dev/orders")
    put(ecr(), "shop-dev/orders", image)
    s3 = client_of("s3", "eu-central-1")
    s3.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    artifact, other = make_artifact(tmp_path / "a.zip"), Digest.of_bytes(b"other")
    publisher = EnvPublisher(s3=S3Publisher(s3=s3, bucket="shop", owner=ACCOUNT), ecr=ecr)

    key = f"functions/orders/{artifact.digest.hex}.zip"
    assert not publisher.exists(key, artifact.digest)
    publisher.publish(key, artifact)
    assert publisher.exists(key, artifact.digest)

    second = make_image(None, layer({"second": ""}))
    given = {"imageManifest": second.manifest.decode(), "imageDigest": str(second.digest), "imageTag": "two"}
    ecr().client.put_image(repositoryName="shop-dev/orders", **given)
    assert publisher.exists(f"{place}@{image.digest}", image.digest)
    assert publisher.exists(f"{place}@{second.digest}", second.digest)
    assert not publisher.exists(f"{place}@{image.digest}", second.digest), "it is another one that is asked for"
    assert not publisher.exists(f"{place}@{other}", other)
    assert not publisher.exists(f"{place}-gone@{image.digest}", image.digest)


def test_for_zips_alone_ecr_is_not_asked(aws):
    s3 = client_of("s3", "us-east-1")
    s3.create_bucket(Bucket="shop")
    publisher = EnvPublisher(s3=S3Publisher(s3=s3, bucket="shop", owner=ACCOUNT), ecr=lambda: pytest.fail("asked"))
    assert not publisher.exists("functions/orders/x.zip", Digest.of_bytes(b""))


def change(name: str, *actions: str, kind: str = "aws_ecr_repository") -> dict[str, object]:
    return {"type": kind, "change": {"actions": list(actions), "before": {"name": name}}}


def test_only_repositories_that_a_plan_deletes_are_emptied(tmp_path, aws):
    workspace, image = make_workspace(tmp_path), make_image(None, layer({}))
    ecr = ecr_of(workspace, Aws(env=workspace.env, environ={}))
    for name in ("goes", "stays", "changes"):
        ecr.repository(name)
        put(ecr, name, image)
    documents = [
        {"resource_changes": [change("goes", "delete"), change("changes", "update"), change("gone", "delete")]},
        {},
        {"resource_changes": [change("stays", "delete", kind="aws_ecr_lifecycle_policy")]},
    ]
    empty_repositories([Plan(path=tmp_path, changes=(), document=each) for each in documents], ecr)
    assert {name: ecr.has(name, image.digest) for name in ("goes", "stays", "changes")} == {
        "goes": False,
        "stays": True,
        "changes": True,
    }


# ── who asks a registry ───────────────────────────────────────────────────────────────────────


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What `docker login` leaves, in a folder of its own."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))

    def write(text: str) -> None:
        (tmp_path / "docker").mkdir(exist_ok=True)
        (tmp_path / "docker/config.json").write_text(text, "utf-8")

    return write


@pytest.mark.parametrize("suffix", ["com", "com.cn"])
def test_the_account_of_an_ecr_is_asked_for_its_login_once_somebody_wants_it(aws, docker, suffix):
    login = login_of(f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.{suffix}")
    assert login
    name, password = login()
    assert name == "AWS"
    assert password


def test_other_registries_have_what_docker_login_left(docker):
    said = base64.b64encode(b"someone:a:b").decode()
    docker(json.dumps({"auths": {"registry.example.invalid": {"auth": said}}}))
    login = login_of("registry.example.invalid")
    assert login
    assert login() == ("someone", "a:b")
    assert login_of("registry.example.invalid:5000") is None


def test_without_a_home_of_its_own_docker_is_looked_for_in_the_users(docker, tmp_path, monkeypatch):
    said = base64.b64encode(b"someone:x").decode()
    docker(json.dumps({"auths": {"registry.example.invalid": {"auth": said}}}))
    (tmp_path / "docker").rename(tmp_path / ".docker")
    monkeypatch.delenv("DOCKER_CONFIG")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert login_of("registry.example.invalid")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"auths": {"registry.example.invalid": {}}, "credsStore": "desktop"}',
        '{"auths": {"registry.example.invalid": {"auth": "a"}}}',
        '{"auths": {"registry.example.invalid": {"auth": null}}}',
    ],
)
def test_a_registry_that_nobody_logged_in_to_is_asked_by_nobody(docker, text):
    docker(text)
    assert login_of("registry.example.invalid") is None


def test_without_docker_there_is_no_login(docker):
    assert login_of("public.ecr.aws") is None

"""Images of Dockerfiles, up to the tool, in whose place stands a script that writes down how it is called."""

import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.checks.dockerfiles import unpinned
from build.digest import Digest
from build.errors import FindingsError, InputError, SlipwayError, ToolError
from build.image import LAYERS, OCI, Image
from build.images.builders import Builder, builder_here
from build.images.dockerfile import build_images, is_known
from build.locking.locks import read_locks
from build.model import IMAGE, Build, FunctionSpec
from build.options import Dockerfile
from build.packaging.assemble import build_workspace
from build.store.objects import Store
from tests.builders import function_spec, layer_spec, make_workspace, write_files
from tests.unit.test_images_assembled import base
from tests.unit.test_images_dating import tar
from tests.unit.test_images_layers import content
from tests.unit.test_packaging_assemble import names

SCRIPT = """\
#!/bin/sh
echo "$0 $*" >> {folder}/calls
case "$*" in
  "version "*) exit {engine} ;;
  "buildx version"*) echo "{buildx}"; exit ;;
  *" build "*|"build "*) cat /dev/null {said}; exit {code} ;;
esac
archive=
for word do
  [ "$before" = --output ] && archive=$word
  case $word in docker-archive:*) archive=${{word#*:}} ;; esac
  before=$word
done
[ -n "$archive" ] && cp {folder}/image.tar "$archive"
exit 0
"""
BUILDX = "github.com/docker/buildx v0.30.1"


def saved(folder: Path, layers: list[bytes], architecture: str = "amd64", **settings: Any) -> None:
    """Write an image as `docker save` does."""
    tars = [gzip.decompress(each) if each.startswith(b"\x1f\x8b") else each for each in layers]
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": "2026-01-01T00:00:00Z",
        "config": {"Hostname": "0123456789ab", "Env": ["A=b"], "Labels": {"io.buildah.version": "1"}, **settings},
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of_bytes(each)) for each in tars]},
    }
    files = {f"{number}.tar": data for number, data in enumerate(layers)}
    told = [{"Config": "config.json", "RepoTags": ["x"], "Layers": list(files)}]
    files |= {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(told).encode()}
    with tarfile.open(folder / "image.tar", "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


Fake = Callable[..., None]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts a program on PATH, alone, that builds a ready image."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "said").write_text("")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    which, own = shutil.which, ("docker", "podman", "buildah")
    monkeypatch.setattr(
        "shutil.which",
        lambda name, **given: which(name, path=str(tmp_path / "bin")) if name in own else which(name, **given),
    )
    monkeypatch.delenv("SLIPWAY_CONTAINER_BUILDER", raising=False)
    saved(tmp_path, [tar({"var": None, "var/app.py": b"x = 1\n"})])

    def install(name: str, *, buildx: str = "", engine: int = 0, code: int = 0) -> None:
        text = SCRIPT.format(folder=tmp_path, said=tmp_path / "said", buildx=buildx, engine=engine, code=code)
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)

    return install


def calls(tmp_path: Path) -> list[str]:
    log = tmp_path / "calls"
    return [line.rpartition("/bin/")[2] for line in log.read_text().splitlines()] if log.is_file() else []


def function(tmp_path: Path, text: str = "FROM scratch\n", *, name: str = "orders", **settings: Any) -> FunctionSpec:
    folder = write_files(tmp_path / "functions" / name, {"Dockerfile": text, "src/app.py": "x = 1\n"})
    return replace(function_spec(folder), package=IMAGE, dockerfile=Dockerfile(**settings))


def built(tmp_path: Path, *specs: FunctionSpec) -> list[Image]:
    lines: list[str] = []
    try:
        made = build_images(
            specs,
            Store(tmp_path / "store"),
            base_of=lambda _: base(),
            own_layers=lambda _: (),
            logs=tmp_path / "logs",
            say=lines.append,
        )
    finally:
        (tmp_path / "told").write_text("\n".join(lines))
    return [made[spec.name].image for spec in specs]


def refused(kind: type[SlipwayError], tmp_path: Path, *specs: FunctionSpec) -> str:
    with pytest.raises(kind) as refusal:
        built(tmp_path, *specs)
    return str(refusal.value)


def test_docker_with_buildx_is_asked_for_one_platform_and_no_attestations(tmp_path, fake):
    fake("docker", buildx=BUILDX)
    built(tmp_path, function(tmp_path, arguments={"COLOR": "green"}, target="last"))
    *_, build, save = calls(tmp_path)
    assert build.startswith(
        "docker buildx build --load --provenance=false --sbom=false --progress=plain --platform linux/amd64"
    )
    assert "--build-arg COLOR=green --target last --file " in build
    assert save.startswith("docker image save --output ")


def test_docker_without_buildx_is_called_as_it_knows_it(tmp_path, fake):
    fake("docker", buildx="buildah 1.28.2")  # as podman answers in docker's name
    built(tmp_path, function(tmp_path))
    *_, build, _save = calls(tmp_path)
    assert build.startswith("docker build --pull=false --force-rm --platform linux/amd64 ")


@pytest.mark.parametrize(
    ("there", "chosen", "expected"),
    [
        ({"docker": 0, "podman": 0, "buildah": 0}, "", Builder("docker")),
        ({"docker": 1, "podman": 0, "buildah": 0}, "", Builder("podman")),
        ({"docker": 1, "buildah": 0}, "", Builder("buildah")),
        ({"docker": 0, "podman": 0, "buildah": 0}, "buildah", Builder("buildah")),
        ({"docker": 1}, "", None),
        ({"podman": 0}, "buildah", None),
        ({}, "", None),
    ],
)
def test_a_builder_is_one_that_works_and_is_asked_for(fake, monkeypatch, there, chosen, expected):
    for name, engine in there.items():
        fake(name, engine=engine)
    monkeypatch.setenv("SLIPWAY_CONTAINER_BUILDER", chosen)
    assert builder_here() == expected


def test_without_a_builder_all_functions_that_need_one_are_named(tmp_path, fake):
    told = refused(InputError, tmp_path, function(tmp_path), function(tmp_path, "FROM scratch\nUSER 1\n", name="mail"))
    assert "functions/orders/Dockerfile\n  functions/mail/Dockerfile" in told
    assert "looked for docker with a running engine, podman or buildah" in told


def test_a_builder_of_another_name_is_refused(tmp_path, fake, monkeypatch):
    monkeypatch.setenv("SLIPWAY_CONTAINER_BUILDER", "kaniko")
    assert "expected one of docker, podman, buildah, got kaniko" in refused(InputError, tmp_path, function(tmp_path))


def test_where_nothing_changed_no_tool_is_asked(tmp_path, fake):
    fake("buildah")
    spec = function(tmp_path)
    first, before = built(tmp_path, spec), calls(tmp_path)
    assert (built(tmp_path, spec), calls(tmp_path)) == (first, before)


@pytest.mark.parametrize(
    "change",
    [
        lambda spec: replace(spec, folder=write_files(spec.folder, {"src/app.py": "x = 2\n"})),
        lambda spec: replace(spec, folder=write_files(spec.folder, {"Dockerfile": "FROM scratch\nUSER 1\n"})),
        lambda spec: replace(spec, dockerfile=Dockerfile(arguments={"A": "b"})),
        lambda spec: replace(spec, dockerfile=Dockerfile(target="last")),
    ],
    ids=["context", "text", "arguments", "target"],
)
def test_what_enters_the_image_has_it_built_anew(tmp_path, fake, change):
    fake("buildah")
    spec = function(tmp_path)
    built(tmp_path, spec)
    before = len(calls(tmp_path))
    built(tmp_path, change(spec))
    assert len(calls(tmp_path)) > before


def test_what_changes_meanwhile_is_not_kept_under_the_old_key(tmp_path, fake):
    fake("buildah")
    spec = function(tmp_path)
    script = tmp_path / "bin/buildah"
    script.write_text(script.read_text().replace("exit 0\n", f"echo >> {spec.folder}/src/app.py\n"))
    assert "functions/orders changed while its image was being built" in refused(ToolError, tmp_path, spec)
    assert not list((tmp_path / "store/notes/dockerfile").glob("*"))


def test_a_layer_that_is_gone_has_it_built_anew(tmp_path, fake):
    fake("buildah")
    spec = function(tmp_path)
    (image,) = built(tmp_path, spec)
    Store(tmp_path / "store").blob(image.layers[0].digest).unlink()
    before = len(calls(tmp_path))
    assert built(tmp_path, spec) == [image]
    assert len(calls(tmp_path)) > before


def test_an_image_is_known_once_it_is_built_and_as_long_as_its_layers_are_here(tmp_path, fake):
    fake("buildah")
    spec, store = function(tmp_path), Store(tmp_path / "store")

    def known() -> bool:
        return is_known(spec, store, base_of=lambda _: base())

    assert not known()
    (image,) = built(tmp_path, spec)
    assert known()
    store.blob(image.layers[0].digest).unlink()
    assert not known()


def test_the_image_is_one_of_ours(tmp_path, fake):
    fake("buildah")
    (image,) = built(tmp_path, function(tmp_path))
    assert image.media_type == OCI
    assert [each.media_type for each in image.layers] == [LAYERS[OCI]]
    assert image.settings == {"Env": ["A=b"], "Cmd": ["app.handler"]}
    assert image.whole_config["history"] == [{"created": "1980-01-01T00:00:00Z"}]
    assert Image.read(image.manifest, image.config) == image


def test_layers_may_be_compressed_already_and_the_command_is_that_of_the_dockerfile(tmp_path, fake):
    fake("buildah")
    plain = tar({"var": None, "var/app.py": b"x = 1\n"})
    (image,) = built(tmp_path, function(tmp_path))
    saved(tmp_path, [gzip.compress(plain), tar({"var/late": b"y"})], Cmd=["other.handler"])
    (other,) = built(tmp_path, function(tmp_path, "FROM scratch\nUSER 1\n"))
    assert other.layers[0] == image.layers[0]
    assert content(Store(tmp_path / "store").blob(other.layers[1].digest)) == {"var/late": b"y"}
    assert other.settings["Cmd"] == ["other.handler"]


def test_an_image_for_another_machine_is_refused(tmp_path, fake):
    fake("buildah")
    saved(tmp_path, [tar({})], architecture="arm64")
    assert "expected amd64, got arm64" in refused(InputError, tmp_path, function(tmp_path))


@pytest.mark.parametrize("data", [b"nonsense", tar({"manifest.json": b"{}"}), tar({"manifest.json": b"[]"})])
def test_what_is_no_image_is_refused(tmp_path, fake, data):
    fake("buildah")
    (tmp_path / "image.tar").write_bytes(data)
    assert "is no image as `docker save` writes it" in refused(ToolError, tmp_path, function(tmp_path))


def test_a_layer_of_zstd_is_refused(tmp_path, fake):
    fake("buildah")
    saved(tmp_path, [b"\x28\xb5\x2f\xfd" + bytes(600)])
    assert "is no image" in refused(ToolError, tmp_path, function(tmp_path))


def test_a_build_that_fails_tells_its_last_lines_and_where_all_of_them_are(tmp_path, fake):
    fake("buildah", code=3)
    (tmp_path / "said").write_text("".join(f"line {number}\n" for number in range(50)))
    told = refused(ToolError, tmp_path, function(tmp_path))
    assert "building functions/orders failed: exit code 3" in told
    assert "line 49" in told
    assert "line 9\n" not in told
    log = tmp_path / "logs/orders.log"
    assert f"all of it: {log}" in told
    assert "line 0\n" in log.read_text()
    assert "building functions/orders: line 49" in (tmp_path / "told").read_text()


VALUE = "never" + "-to-be-seen"


def test_secrets_go_by_name_and_are_masked_where_the_tool_prints_them(tmp_path, fake, monkeypatch):
    fake("buildah")
    monkeypatch.setenv("TOKEN", VALUE)
    write_files(tmp_path / "functions/orders", {"login": f"{VALUE}-too\n"})
    (tmp_path / "said").write_text(f"using {VALUE}\n")
    built(tmp_path, function(tmp_path, secrets={"token": "env=TOKEN", "login": "src=login"}))
    (build,) = (call for call in calls(tmp_path) if " build " in call)
    assert f"--secret id=token,env=TOKEN --secret id=login,src={tmp_path}/functions/orders/login" in build
    texts = [path.read_text() for path in (tmp_path / "logs/orders.log", tmp_path / "told", tmp_path / "calls")]
    assert "using ***" in texts[0]
    assert "using ***" in texts[1]
    assert not any(VALUE in text for text in texts)


@pytest.mark.parametrize("place", ["layer", "settings"])
def test_a_secret_in_the_image_is_an_error_and_nothing_is_kept(tmp_path, fake, monkeypatch, place):
    fake("buildah")
    monkeypatch.setenv("TOKEN", VALUE)
    held = VALUE.encode() if place == "layer" else b""
    variable = VALUE if place == "settings" else "b"
    saved(tmp_path, [tar({"a": bytes(1_048_570) + held})], Env=[f"A={variable}"])
    spec = function(tmp_path, secrets={"token": "env=TOKEN"})
    assert "a secret of functions/orders/Dockerfile is in its image" in refused(FindingsError, tmp_path, spec)
    assert not list((tmp_path / "store/notes/dockerfile").glob("*"))


def test_a_secret_is_found_in_a_layer_that_was_here_before_it_was_one(tmp_path, fake, monkeypatch):
    fake("buildah")
    monkeypatch.setenv("TOKEN", VALUE)
    saved(tmp_path, [tar({"a": VALUE.encode()})])
    built(tmp_path, function(tmp_path))
    told = refused(FindingsError, tmp_path, function(tmp_path, secrets={"token": "env=TOKEN"}))
    assert "a secret of functions/orders/Dockerfile is in its image" in told


def test_secrets_of_all_functions_that_are_not_here_are_named_and_nothing_is_built(tmp_path, fake, monkeypatch):
    fake("buildah")
    monkeypatch.delenv("TOKEN", raising=False)
    first = function(tmp_path, secrets={"a": "env=TOKEN", "b": "src=~/nowhere/at-all"})
    told = refused(
        InputError,
        tmp_path,
        first,
        function(tmp_path, name="fine"),
        function(tmp_path, name="mail", secrets={"c": "src=x"}),
    )
    assert "functions/orders/function.toml: dockerfile.secrets.a: there is no environment variable TOKEN" in told
    assert "functions/orders/function.toml: dockerfile.secrets.b: there is no file ~/nowhere/at-all" in told
    assert "functions/mail/function.toml: dockerfile.secrets.c: there is no file x" in told
    assert not calls(tmp_path)


def test_docker_without_buildx_gets_no_secrets_and_all_that_have_some_are_named(tmp_path, fake, monkeypatch):
    fake("docker")
    monkeypatch.setenv("TOKEN", VALUE)
    with_some = [function(tmp_path, name=name, secrets={name: "env=TOKEN"}) for name in ("orders", "mail")]
    told = refused(InputError, tmp_path, *with_some, function(tmp_path, name="fine"))
    assert "docker without buildx can give no secrets" in told
    assert "functions/orders/function.toml: dockerfile.secrets: orders\n" in told
    assert "functions/mail/function.toml: dockerfile.secrets: mail\n" in told
    assert "functions/fine" not in told


def test_an_unchanged_build_needs_no_secrets(tmp_path, fake, monkeypatch):
    fake("buildah")
    monkeypatch.setenv("TOKEN", VALUE)
    spec = function(tmp_path, secrets={"token": "env=TOKEN"})
    first = built(tmp_path, spec)
    monkeypatch.delenv("TOKEN")
    assert built(tmp_path, spec) == first


def test_a_dockerfile_that_asks_for_a_base_gets_the_pinned_one(tmp_path, fake):
    fake("buildah")
    pinned = f"example.invalid/base:3@sha256:{'0' * 64}"
    text = "ARG BASE=python:3\nFROM ${BASE}\n"
    here = replace(function(tmp_path, text), base_image=pinned)
    built(
        tmp_path, here, replace(function(tmp_path, text, name="own", arguments={"BASE": "mine:1"}), base_image=pinned)
    )
    builds = [call for call in calls(tmp_path) if " build " in call]
    assert "--build-arg BASE=localhost/slipway/base:" in builds[0]  # none of its layers is missing
    assert "--build-arg BASE=mine:1" in builds[1]


def test_a_build_makes_the_image_and_beside_it_a_zip_of_the_source_for_the_checks(tmp_path, fake):
    fake("buildah")
    data = layer_spec(write_files(tmp_path / "layers/data", {"src/shared.py": "x = 1\n"}))
    spec = replace(function(tmp_path), layers=("data",))
    write_files(spec.folder, {"requirements.txt": "only-an-sdist==1.0\n"})
    store = Store(tmp_path / "store")
    workspace = make_workspace(tmp_path, functions=(spec,), layers=(data,))
    build = build_workspace(
        workspace, read_locks(workspace), store, on_progress=lambda _: None, base_of=lambda _: base()
    )
    assert build.functions["orders"].distributions == ()
    assert "app.py" in names(build.functions["orders"])
    first, last = (content(store.blob(each.digest)) for each in build.images["orders"].image.layers)
    assert first == {"var": None, "var/app.py": b"x = 1\n"}
    assert "opt/python/shared.py" in last
    assert build.images["orders"].base is None


def test_bases_without_a_digest_are_a_warning_of_the_checks(tmp_path):
    spec = function(tmp_path, f"FROM python:3 AS one\nFROM python@sha256:{'0' * 64}\n")
    workspace = make_workspace(tmp_path, functions=(spec,))
    (found,) = unpinned(workspace, Build(functions={}, layers={}), Store(tmp_path / "store"))
    assert "expected python:3 with a digest, got none" in found.message

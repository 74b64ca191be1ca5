"""Dockerfiles built by the real tools: buildah, podman, and the docker client with podman as its engine.

docker with buildx is not among them: tests/unit/test_images_dockerfile.py looks at how it is called.
"""

import os
import shutil
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.errors import FindingsError, InputError, ToolError
from build.image import Assembled, Image, Part
from build.images.assembled import assemble, content_of, key_of
from build.images.contexts import digest_of
from build.images.dockerfile import build_images
from build.images.layouts import export_layout
from build.images.manifests import ARCHITECTURES, scratch
from build.images.pushing import push_image
from build.images.registry import Registry
from build.images.surveys import survey_layer
from build.local.stand_in import is_stand_in, stand_in
from build.model import IMAGE, FunctionSpec, Runtime, Target
from build.options import Dockerfile
from build.project.profiles import host_architecture
from build.store.objects import Store
from build.zips.archives import write_archive
from tests import containers
from tests.builders import function_spec, write_files
from tests.checkout import ROOT
from tests.unit.test_images_assembled import tree_of
from tests.unit.test_images_layers import content

pytestmark = pytest.mark.slow

PY313 = Runtime(13)
PYTHON = "/var/lang/bin/python3.13"
SECRET = "never" + "-to-be-seen"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with the layers of the base."""
    return Store(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def base(shared: Store) -> Image:
    return stand_in(ROOT, PY313, shared, say=lambda _: None)


@pytest.fixture(scope="module", params=["buildah", "podman", "docker"])
def tool(request: pytest.FixtureRequest, base: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A builder, alone on PATH, with an empty storage."""
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        if request.param == "docker":
            env = stack.enter_context(containers.engine(folder, path=os.defpath))
        else:
            env = containers.builder(request.param, folder, path=os.defpath)
        for name, value in {**env, "SLIPWAY_CONTAINER_BUILDER": request.param, "TOKEN": SECRET}.items():
            patch.setenv(name, value)
        yield request.param


def function(folder: Path, text: str, files: dict[str, str] | None = None, **settings: Any) -> FunctionSpec:
    write_files(folder / "orders", {"src/app.py": "x = 1\n", **(files or {}), "Dockerfile": text})
    spec = function_spec(folder / "orders", target=Target(PY313, host_architecture()))
    return replace(spec, package=IMAGE, dockerfile=Dockerfile(**settings))


def built(spec: FunctionSpec, store: Store, base: Image, *own: Part, say: list[str] | None = None) -> Assembled:
    return build_images(
        [spec],
        store,
        base_of=lambda _: base,
        own_layers=lambda _: own,
        logs=spec.folder.parent / "logs",
        say=(say if say is not None else []).append,
    )["orders"]


def files(made: Assembled, store: Store, number: int = -1) -> dict[str, bytes | None]:
    """What is in a layer, by default the last one."""
    return content(store.blob(made.image.layers[number].digest))


ON_BASE = f"""\
ARG BASE=python.example.invalid/python:3.13
FROM ${{BASE}}
COPY src /var/task/
RUN {PYTHON} -c "open('/var/task/made.py', 'w').write('y = 2')"; {PYTHON} -m compileall -q \\
    --invalidation-mode timestamp /var/task/made.py
"""
MADE = "var/task/__pycache__/made.cpython-313.pyc"


def test_an_image_on_the_base_that_is_given_runs_its_handler(tool, base, shared, tmp_path):
    made = built(function(tmp_path, ON_BASE), shared, base)
    assert is_stand_in(made.image)
    assert (made.base, made.image.settings["Cmd"]) == (None, ["app.handler"])
    assert made.image.settings["Entrypoint"] == base.settings["Entrypoint"]
    assert made.image.diff_ids[:1] == base.diff_ids
    assert files(made, shared, 1)["var/task/app.py"] == b"x = 1\n"
    assert files(made, shared)["var/task/made.py"] == b"y = 2"


def test_the_same_folder_gives_the_same_image_at_any_time_and_by_any_tool(tool, base, shared, tmp_path, known_digests):
    for name, second in (("one", 1_000_000_000), ("two", 1_500_000_000)):
        spec = function(tmp_path / name, ON_BASE)
        os.utime(spec.folder / "src/app.py", (second, second))
        shutil.rmtree(shared.root / "notes/dockerfile", ignore_errors=True)
        known_digests.add(built(spec, shared, base).image.digest)
    assert len(known_digests) == 1


@pytest.fixture(scope="module")
def known_digests() -> set[object]:
    """Digests of all tools."""
    return set()


def test_bytecode_that_a_step_makes_stays_up_to_date(tool, base, shared, tmp_path):
    made = built(function(tmp_path, ON_BASE), shared, base)
    with tarfile.open(shared.blob(made.image.layers[-1].digest)) as archive:
        assert {each.mtime for each in archive} == {315_532_800}
        data = archive.extractfile(MADE)
        assert data is not None
        assert int.from_bytes(data.read()[8:12], "little") == 315_532_800


def test_where_nothing_changed_the_tool_is_not_started(tool, base, shared, tmp_path, monkeypatch):
    spec, lines = function(tmp_path, ON_BASE), list[str]()
    made = built(spec, shared, base)
    monkeypatch.setenv("PATH", "")
    assert built(spec, shared, base, say=lines) == made
    assert lines == []


def test_what_it_makes_is_as_lambda_wants_it(tool, base, shared, tmp_path):
    made = built(function(tmp_path, ON_BASE), shared, base)
    for layer in made.image.layers:
        survey = survey_layer(shared.blob(layer.digest))
        assert (survey.compression, survey.orphans, survey.unreadable) == ("gzip", (), ())


def test_other_tools_read_it(tool, base, shared, tmp_path):
    made = built(function(tmp_path, ON_BASE), shared, base)
    export_layout(
        made.image, content_of(made, shared, lambda blob: shared.blob(blob.digest)), tmp_path / "oci", tag="x"
    )
    containers.run(
        "skopeo", "--insecure-policy", "copy", f"oci:{tmp_path / 'oci'}:x", f"docker-archive:{tmp_path / 'x.tar'}"
    )
    with tarfile.open(tmp_path / "x.tar") as archive:
        assert f"{made.image.config_blob.digest.hex}.json" in archive.getnames()


def test_arguments_and_a_stage_are_handed_on(tool, base, tmp_path):
    text = "FROM scratch AS first\nARG WORD=none\nENV SAID=$WORD\nCOPY src /\nFROM scratch\nCOPY Dockerfile /\n"
    spec = function(tmp_path, f'{text}CMD ["other.handler"]\n', arguments={"WORD": "two words"}, target="first")
    made = built(spec, store := Store(tmp_path / "store"), base)
    assert "SAID=two words" in made.image.settings["Env"]
    assert "app.py" in files(made, store)
    other = built(replace(spec, dockerfile=Dockerfile()), store, base)
    assert other.image.settings["Cmd"] == ["other.handler"]


def test_a_step_reads_a_secret_that_is_kept_nowhere(tool, base, shared, tmp_path):
    read = f"RUN --mount=type=secret,id=token {PYTHON} -c"
    open_it = "open('/run/secrets/token').read()"
    secrets = {"token": "env=TOKEN"}
    fine = f"{ON_BASE}{read} \"s = {open_it}; print(s); open('/var/task/length', 'w').write(str(len(s)))\"\n"
    lines: list[str] = []
    if tool == "docker":
        with pytest.raises(InputError, match="docker without buildx can give no secrets"):
            built(function(tmp_path, fine, secrets=secrets), shared, base)
        return
    made = built(function(tmp_path / "fine", fine, secrets=secrets), shared, base, say=lines)
    assert files(made, shared)["var/task/length"] == str(len(SECRET)).encode()
    assert "***" in "\n".join(lines)
    assert SECRET not in "\n".join(lines)
    assert SECRET not in (tmp_path / "fine/logs/orders.log").read_text()
    assert SECRET.encode() not in made.image.config
    leaky = f"{ON_BASE}{read} \"open('/var/task/copy', 'w').write({open_it})\"\n"
    with pytest.raises(FindingsError, match="a secret of functions/orders/Dockerfile is in its image"):
        built(function(tmp_path / "leaky", leaky, secrets=secrets), shared, base)


def test_a_base_whose_layers_are_not_here_is_fetched_by_the_tool(tool, tmp_path):
    write_archive(tree_of(tmp_path / "base", {"release": b"1"}), (), tmp_path / "base.zip")
    part = Part(archive=tmp_path / "base.zip", key=key_of("base"), folder="etc")
    elsewhere, here = Store(tmp_path / "elsewhere"), Store(tmp_path / "here")
    with containers.registry(tmp_path / "registry") as host, ThreadPoolExecutor(1) as pool:
        small = assemble(scratch(ARCHITECTURES[host_architecture()]), [part], elsewhere, pool, command=[])
        content = content_of(small, elsewhere, lambda blob: elsewhere.blob(blob.digest))
        assert push_image(small.image, Registry(host, plain=True), "lambda/python", content=content, pool=pool)
        spec = function(tmp_path, "ARG BASE\nFROM ${BASE}\nCOPY src /\n")
        spec = replace(spec, base_image=f"{host}/lambda/python:3.13@{small.image.digest}")
        made = built(spec, here, small.image)
    assert made.image.diff_ids[:1] == small.image.diff_ids
    assert files(made, here, 0)["etc/release"] == b"1"


def test_lambda_layers_are_laid_on_top(tool, base, tmp_path):
    write_archive(tree_of(tmp_path / "layer", {"python/tea.py": b"x = 1\n"}), (), tmp_path / "layer.zip")
    part = Part(archive=tmp_path / "layer.zip", key=key_of("tea"), folder="opt")
    store = Store(tmp_path / "store")
    made = built(function(tmp_path, "FROM scratch\nCOPY src /var/task/\n"), store, base, part)
    assert set(files(made, store)) == {"opt", "opt/python", "opt/python/tea.py"}
    with ThreadPoolExecutor(1) as pool:
        alone = assemble(base, [part], store, pool, command=[])
    assert made.image.layers[-1] == alone.image.layers[-1]


def test_a_step_that_fails_is_told_with_its_last_lines(tool, base, shared, tmp_path):
    text = f"{ON_BASE}RUN {PYTHON} -c \"print('before the end'); raise SystemExit(7)\"\n"
    with pytest.raises(ToolError) as refusal:
        built(function(tmp_path, text), shared, base)
    assert "before the end" in str(refusal.value)
    assert str(tmp_path / "logs/orders.log") in str(refusal.value)


IGNORES = (
    "*\n!src\n!Dockerfile\n",
    "**/*.txt\n!src/deep/b.txt\nother/\n",
    "src/**\n!src/app.py\n# a.txt\n/tests\n",
    "!src\nsrc/*\n?.txt\n**/deep\n",
)
HELD = {f"{name}": name for name in ("a.txt", "src/deep/b.txt", "src/c.txt", "tests/t.py", "other/d/e.md", "f.md")}


@pytest.mark.parametrize("ignored", IGNORES)
def test_what_a_tool_leaves_out_does_not_count(tool, base, tmp_path, ignored):
    spec = function(tmp_path, "FROM scratch\nCOPY . /\n", {**HELD, ".dockerignore": ignored})
    store = Store(tmp_path / "store")
    given = {path for path, data in files(built(spec, store, base), store).items() if data is not None}
    counting = set()
    for path in ("src/app.py", *HELD):
        before = digest_of(spec.folder)
        (spec.folder / path).write_text("something else")
        counting |= {path} if digest_of(spec.folder) != before else set()
    assert counting == given & {"src/app.py", *HELD}

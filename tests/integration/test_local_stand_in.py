"""The base image that stands in for AWS's, with a function on it, in a sandbox that has nothing else."""

import json
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from build.image import Image, Part
from build.images.assembled import assemble, key_of
from build.images.surveys import survey_layer
from build.local.runtime_api import Request
from build.local.stand_in import is_stand_in, stand_in
from build.local.worker import Worker
from build.model import Runtime
from build.store.objects import Store
from build.zips.archives import write_archive
from tests import containers
from tests.checkout import ROOT
from tests.unit.test_images_assembled import tree_of

pytestmark = pytest.mark.slow

PY313 = Runtime(13)
CODE = b"""
import os, ssl, sqlite3, subprocess, sys, boto3
def handler(event, context):
    shell = subprocess.run("echo $0; touch /var/task/new", shell=True, capture_output=True, text=True)
    said = {"uid": os.getuid(), "path": sys.path, "version": sys.version_info[:2], "shell": shell.stdout}
    return {"event": event, **said}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def base(store: Store) -> Image:
    return stand_in(ROOT, PY313, store, say=lambda _: None)


@pytest.fixture(scope="module")
def image(base: Image, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Image:
    folder = tmp_path_factory.mktemp("function")
    write_archive(tree_of(folder, {"app.py": CODE}), (), folder / "a.zip")
    part = Part(archive=folder / "a.zip", key=key_of(CODE), folder="var/task")
    with ThreadPoolExecutor(1) as pool:
        return assemble(base, [part], store, pool, command=["app.handler"]).image


@pytest.fixture(scope="module")
def root(image: Image, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's file system, with the places that a container gets."""
    folder = tmp_path_factory.mktemp("root")
    for layer in image.layers:
        with tarfile.open(store.blob(layer.digest)) as archive:
            archive.extractall(folder, filter="tar")
    for place in ("proc", "dev", "tmp", "opt"):
        (folder / place).mkdir(exist_ok=True)
    return folder


def test_it_is_made_once_and_says_so_once(base, store):
    said: list[str] = []
    assert stand_in(ROOT, PY313, store, say=said.append) == base
    assert said == []


def test_what_is_made_on_it_can_be_told(base, image):
    assert is_stand_in(base)
    assert is_stand_in(image)
    assert not is_stand_in(Image(base.manifest, base.config.replace(b"slipway.stand-in", b"other")))


def test_lambda_would_mind_nothing_in_it(base, store):
    survey = survey_layer(store.blob(base.layers[0].digest))
    assert (survey.compression, survey.orphans, survey.unreadable) == ("gzip", (), ())


def test_its_python_has_bytecode_that_asks_for_no_dates(root):
    own = (root / "var/lang/lib/python3.13/__pycache__/enum.cpython-313.pyc").read_bytes()
    runtimes = (root / "var/runtime/boto3/__pycache__/session.cpython-313.pyc").read_bytes()
    assert [int.from_bytes(data[4:8], "little") for data in (own, runtimes)] == [1, 1], "unchecked-hash (PEP 552)"
    assert b"/var/lang/lib/python3.13/enum.py" in own


def test_a_function_on_it_answers_in_a_sandbox_with_nothing_else(image, root):
    sandbox = [str(containers.tool("bwrap")), "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"]
    sandbox += ["--tmpfs", "/tmp", "--unshare-user", "--uid", "993", "--gid", "990", "--unshare-pid"]
    sandbox += ["--chdir", image.settings["WorkingDir"]]
    argv = [*sandbox, *image.settings["Entrypoint"], *image.settings["Cmd"]]
    variables = dict(each.split("=", 1) for each in image.settings["Env"])
    worker = Worker(argv, environment=variables | {"AWS_DEFAULT_REGION": "us-east-1"}, cwd=root)
    try:
        asked = worker.wait(time.monotonic() + 20)
        assert isinstance(asked, Request), worker.printed()
        assert asked.path == "invocation/next", (asked.body, worker.printed())
        headers = {
            "Lambda-Runtime-Aws-Request-Id": "1",
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 10_000),
            "Lambda-Runtime-Invoked-Function-Arn": "arn",
            "Lambda-Runtime-Trace-Id": "Root=1;Parent=1;Sampled=0",
            "Content-Type": "application/json",
        }
        worker.answer(200, headers, b'{"one": 1}')
        said = worker.wait(time.monotonic() + 20)
        assert isinstance(said, Request), worker.printed()
        answer = json.loads(said.body)
    finally:
        worker.close()
    assert answer["event"] == {"one": 1}
    assert answer["version"] == [3, 13]
    assert answer["uid"] == 993
    assert answer["shell"] == "/bin/sh\n"
    assert answer["path"][:2] == ["/var/task", "/opt/python/lib/python3.13/site-packages"]
    assert not (root / "var/task/new").exists()


def test_the_entrypoint_takes_the_handler_and_nothing_else(root):
    sandbox = [str(containers.tool("bwrap")), "--ro-bind", str(root), "/", "--dev", "/dev"]
    worker = Worker([*sandbox, "/lambda-entrypoint.sh"], environment={}, cwd=root)
    try:
        assert getattr(worker.wait(time.monotonic() + 20), "code", None) == 142
        assert worker.printed() == ["entrypoint requires the handler name to be the first argument"]
    finally:
        worker.close()

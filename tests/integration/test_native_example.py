"""The example native by the verbs alone, with a builder and without, on a base with a compiler that a registry has.

AWS's base is out of reach of tests. In its place: this machine's Python, a small compiler of Debian's, and a `dnf` that
does nothing.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from build.image import Assembled, Image
from build.images.assembled import content_of
from build.images.layers import write_layer
from build.images.manifests import put_on
from build.images.pushing import push_image
from build.images.registry import Registry
from build.local.stand_in import stand_in
from build.model import Runtime, Target
from build.project.pins import PINS, write_pins
from build.project.profiles import host_architecture
from build.store.objects import Store
from build.zips.spill import Spill
from tests import containers
from tests.checkout import ROOT, Checkout, make_checkout, wait_for
from tests.integration.test_process import is_running

NATIVE = ROOT / "functions/native"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(not NATIVE.is_dir(), reason="somebody deleted the example"),
]

TARGET = Target(Runtime(13), host_architecture())
PRIMES = {"last": 1_000_000, "primes": 78_498}
SCRIPTS = {"usr/bin/gcc": '#!/bin/sh\nexec /usr/bin/tcc -L/lib64 -L/lib "$@"\n', "usr/bin/dnf": "#!/bin/sh\n"}
"""What the Dockerfile calls, by what is there."""


@pytest.fixture(scope="module")
def pinned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A base with a compiler, as a registry on loopback has it."""
    store = Store(tmp_path_factory.mktemp("store"))
    base = with_compiler(stand_in(ROOT, TARGET.runtime, store, say=lambda _: None), store)
    with containers.registry(tmp_path_factory.mktemp("registry")) as host, ThreadPoolExecutor(2) as pool:
        content = content_of(Assembled(image=base, base=None, parts=()), store, lambda blob: store.blob(blob.digest))
        push_image(base, Registry(host, plain=True), "lambda/python", content=content, pool=pool)
        yield f"{host}/lambda/python:3.13@{base.digest}"


def with_compiler(base: Image, store: Store) -> Image:
    packages = containers.unpacked("tcc")
    found = {path.relative_to(packages).as_posix(): path for path in packages.rglob("*") if not path.is_symlink()}
    with store.scratch() as folder:
        with Spill(folder / "spill") as spill:
            entries = [
                spill.add(name, path.read_bytes(), executable=name.startswith("usr/bin/"), owner="")
                for name, path in found.items()
                if path.is_file() and not name.startswith("usr/share/")
            ]
            entries += [spill.add(name, text.encode(), executable=True, owner="") for name, text in SCRIPTS.items()]
        layer = write_layer(tuple(sorted(entries)), "", folder / "layer")
        store.keep(folder / "layer", store.blob(layer.digest))
    return put_on(base, [layer], command=[], settings={})


@dataclass(frozen=True, slots=True)
class Road:
    """A checkout with the example and one function beside it, and its verbs with a builder on PATH and without."""

    without: Checkout
    having: Checkout

    @property
    def root(self) -> Path:
        return self.without.root

    @property
    def log(self) -> Path:
        """What the builder printed."""
        return self.root / ".artifacts/logs/native.log"


def deploy(checkout: Checkout) -> tuple[list[str], str]:
    """Return the names of the functions that are deployed, and what was said."""
    done = checkout.run("deploy", "--env", "local", "--json")
    return [each["name"] for each in json.loads(done.stdout)["functions"]], done.stderr


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    root = tmp_path_factory.mktemp("clone")
    make_checkout(root)
    shutil.copytree(NATIVE, root / "functions/native", ignore=shutil.ignore_patterns("__pycache__"))
    (root / PINS).unlink(missing_ok=True)
    tools = [str(containers.tool(name).parent) for name in ("docker-registry", "bwrap")]
    path = os.pathsep.join([*tools, os.environ["PATH"]])
    shared = {"PATH": path, "SLIPWAY_CONTAINER_BUILDER": "buildah"}
    builder = containers.builder("buildah", tmp_path_factory.mktemp("buildah"), path=path)
    checkout = Checkout(root, shared)
    checkout.write("functions/beside/function.toml", 'description = "Says yes"\n')
    checkout.write("functions/beside/src/app.py", "def handler(event, context):\n    return 'yes'\n")
    try:
        yield Road(checkout, Checkout(root, {**shared, **builder}))
    finally:
        checkout.close()


@pytest.fixture(scope="module")
def without_builder(road: Road) -> tuple[list[str], str]:
    if shutil.which("buildah"):
        pytest.skip("this machine has one")
    return deploy(road.without)


@pytest.fixture(scope="module")
def without_base(road: Road) -> tuple[list[str], str]:
    return deploy(road.having)


@pytest.fixture(scope="module")
def for_dev(road: Road, without_base: object, pinned: str) -> tuple[str, str]:
    """What is said of a build for an account: without a pinned base, and without a builder."""
    unpinned = road.having.run("build", "--env", "dev", code=2).stderr
    write_pins(road.root, {TARGET: pinned})
    return unpinned, road.without.run("build", "--env", "dev", code=2).stderr


@pytest.fixture(scope="module")
def deployed(road: Road, for_dev: object) -> tuple[list[str], str]:
    road.having.run("image.pull-base")
    return deploy(road.having)


@pytest.fixture(scope="module")
def again(road: Road, deployed: object) -> tuple[list[str], str]:
    return deploy(road.without)


def test_without_a_builder_it_is_skipped_and_the_rest_is_deployed(without_builder):
    names, said = without_builder
    assert names == ["beside"]
    assert "skipped: functions/native: nothing here builds a Dockerfile: install docker, podman or buildah\n" in said


def test_without_a_base_that_was_fetched_it_is_skipped_and_the_rest_is_deployed(without_base):
    names, said = without_base
    assert names == ["beside"]
    assert (
        f"skipped: functions/native: its base is not here for {TARGET.architecture}: run `invoke image.pull-base`"
        in said
    )


@pytest.mark.parametrize("verb", [("image.show", "native"), ("build", "--only", "native"), ("run", "-f", "native")])
def test_what_is_asked_for_by_name_is_not_skipped_but_refused(road, without_base, verb):
    said = road.having.run(*verb, code=2).stderr
    assert "what was asked for cannot be built here\n  functions/native: its base is not here" in said


def test_for_an_account_nothing_is_skipped(for_dev):
    unpinned, without_builder = for_dev
    assert "functions/native is an image, and nothing says on which base" in unpinned
    assert "`invoke image.pull-base`" in unpinned
    assert "nothing here builds a Dockerfile\n  functions/native/Dockerfile" in without_builder
    assert "`apt-get install -y buildah`" in without_builder


def test_on_a_base_from_a_registry_on_loopback_it_is_built_and_answers(road, deployed):
    names, said = deployed
    assert names == ["beside", "native"]
    assert "RUN gcc" in road.log.read_text()
    assert "skipped" not in said
    assert json.loads(road.having.run("invoke", "-f", "native", "-e", "million").stdout) == PRIMES


def test_where_nothing_changed_it_needs_no_builder(road, deployed, again):
    names, said = again
    assert names == ["beside", "native"]
    assert "nothing to change" in said
    assert "building functions/native" not in said


def test_its_own_tests_pass(road, deployed):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "functions/native/tests"],
        cwd=road.root,
        env={**os.environ, **road.having.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_pruning_leaves_what_it_needs(road, again):
    notes = road.root / ".artifacts/store/notes"
    needed = [path for kind in KEPT for path in (notes / kind).iterdir()]
    assert len(needed) > len(KEPT)
    road.without.run("store.prune", "--keep-days", "0")
    assert [path.name for path in needed if not path.is_file()] == []
    assert "native" in {each["name"] for each in road.without.json("build")["functions"]}


KEPT = ("base", "dated-layer", "dockerfile", "layer-survey")


def test_its_image_is_shown_and_other_tools_read_what_is_exported(road, deployed, tmp_path):
    shown = road.without.json("image.show", "native")
    assert {each["what"] for each in shown["layers"]} == {"Dockerfile"}
    assert shown["settings"]["Cmd"] == ["app.handler"]
    road.without.run("image.export", "native", "--oci", str(tmp_path / "oci"))
    (tag,) = (each["annotations"]["org.opencontainers.image.ref.name"] for each in index_of(tmp_path / "oci"))
    seen = json.loads(containers.run("skopeo", "inspect", f"oci:{tmp_path / 'oci'}:{tag}"))
    assert (seen["Digest"], seen["Layers"]) == (shown["digest"], [each["digest"] for each in shown["layers"]])


def index_of(layout: Path) -> list[dict[str, Any]]:
    return list(json.loads((layout / "index.json").read_text())["manifests"])


SLOW = """\
ARG BASE
FROM ${BASE}
RUN /var/lang/bin/python3.13 -c "import os, time; print('pid', os.getpid(), flush=True); time.sleep(60)"
"""
STARTED = re.compile(r"^pid (\d+)$", re.MULTILINE)


def test_an_interrupted_build_leaves_nothing_behind(road, deployed):
    road.having.write("functions/slow/function.toml", 'description = "Never done"\npackage = "image"\n')
    road.having.write("functions/slow/Dockerfile", SLOW)
    notes = road.root / ".artifacts/store/notes/dockerfile"
    before, log = set(notes.iterdir()), road.root / ".artifacts/logs/slow.log"
    building = subprocess.Popen(
        [sys.executable, "-m", "invoke", "build", "--only", "slow"],
        cwd=road.root,
        env={**os.environ, **road.having.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: log.is_file() and STARTED.search(log.read_text()), limit_s=60)
    (pid,) = STARTED.findall(log.read_text())
    building.send_signal(signal.SIGINT)
    assert building.communicate()[1].endswith(b"stopped\n")
    assert building.returncode == 130
    wait_for(lambda: not is_running(int(pid)))
    assert set(notes.iterdir()) == before
    assert not list((road.root / ".artifacts/store/tmp").iterdir())

"""One store under duress: several builds at once, builds killed at any moment, full and read-only disks."""

import os
import random
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from build.digest import Digest
from build.store.objects import Store
from build.store.upkeep import contents, verify
from tests.integration.test_store_sharing import ROOT, make_repositories

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="kill -9 and mounts")]

PROGRAM = """
import json, sys
from dataclasses import replace
from pathlib import Path
from build import making
from build.report import Reporter
from build.errors import SlipwayError
from tests.integration.test_store_sharing import workspace_at
try:
    built = making.build(replace(workspace_at(Path(sys.argv[1])), remote_store=None), Reporter()).build
except SlipwayError as error:
    sys.exit(f"{type(error).__name__} {error}")
print(json.dumps({artifact.identity: artifact.digest.hex for artifact in built.artifacts}))
"""


def start(root: Path) -> "subprocess.Popen[str]":
    argv = [sys.executable, "-c", PROGRAM, str(root)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


def built(root: Path) -> str:
    """Build in a process of its own, and return the digests."""
    out, err = (child := start(root)).communicate(timeout=120)
    assert child.returncode == 0, err
    return out


def store_of(root: Path) -> Store:
    return Store(root / ".artifacts" / "store")


def assert_sound(root: Path) -> None:
    """Every object under a final name is whole; what is left of the killed is in tmp, and nowhere else."""
    assert verify(store_of(root), on_progress=lambda _: None) == []
    exposed = {Digest.of_file(path).hex for path in (root / ".artifacts" / "build").rglob("*.zip")}
    assert exposed <= {each.path.stem for each in contents(store_of(root)) if each.kind == "artifacts"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Give an index folder, a repository, and the digests it builds to."""
    folder = tmp_path_factory.mktemp("wheels")
    make_repositories(folder / "index", folder / "repository")
    return folder


@pytest.fixture
def repository(wheels, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels / "index"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return Path(shutil.copytree(wheels / "repository", tmp_path / "repository"))


def test_four_builds_at_once_end_well_and_alike(repository):
    children = [start(repository) for _ in range(4)]
    told = [child.communicate(timeout=180) for child in children]
    assert [child.returncode for child in children] == [0] * 4, told
    assert len({out for out, _ in told}) == 1
    assert_sound(repository)
    assert not [each for each in contents(store_of(repository)) if each.kind == "tmp"]


def test_builds_that_are_killed_leave_nothing_half_made_and_the_next_one_finishes(repository, tmp_path):
    chance = random.Random(1)
    killed = 0
    for _ in range(8):
        children = [start(repository), start(repository)]
        time.sleep(chance.uniform(0.3, 4.0))
        for child in children:
            killed += child.poll() is None
            child.kill()
            child.communicate()
        assert_sound(repository)
    assert killed
    fresh = Path(shutil.copytree(repository, tmp_path / "fresh", ignore=shutil.ignore_patterns(".artifacts")))
    assert built(repository) == built(fresh)
    assert_sound(repository)


@pytest.fixture
def small_disk(repository) -> Iterator[Path]:
    """Give the repository's store a disk of its own with hardly any room."""
    place = repository / ".artifacts" / "store"
    place.mkdir(parents=True)
    options = ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(options, capture_output=True, check=False).returncode:
        pytest.skip("mounting takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def test_a_full_disk_is_told_and_room_is_all_it_takes_to_go_on(repository, small_disk):
    _, err = (child := start(repository)).communicate(timeout=120)
    assert child.returncode == 1
    assert err.splitlines()[-1].startswith("hint: "), err
    assert "No space left" in err
    assert "invoke store.prune" in err
    assert_sound(repository)
    remount(small_disk, "size=8m")
    assert "functions/orders" in built(repository)
    assert_sound(repository)


def test_a_store_that_is_read_only_serves_what_it_has(repository, small_disk):
    remount(small_disk, "size=8m")
    first = built(repository)
    remount(small_disk, "ro")
    try:
        assert built(repository) == first
        (repository / "functions" / "orders" / "src" / "app.py").write_text("def handler(event, context): ...\n")
        _, err = (child := start(repository)).communicate(timeout=120)
        assert child.returncode == 1
        assert "ToolError error: the store cannot be written to: Read-only file system" in err
        assert "hint: mend the permissions" in err
    finally:
        remount(small_disk, "rw")


def test_a_file_that_grows_too_large_is_told_as_a_full_disk(tmp_path):
    program = (
        "import sys; from pathlib import Path; from build.store.objects import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "with store.scratch() as folder:\n"
        "    (folder / 'draft').write_bytes(bytes(10_000))\n"
        "    store.keep(folder / 'draft', store.root / 'kept')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "store")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000)),
    )
    assert "build.errors.ToolError: error: no room for the store: File too large" in done.stderr
    assert "hint: run `invoke store.prune`" in done.stderr
    assert list((tmp_path / "store").rglob("*")) == [tmp_path / "store" / "tmp"]

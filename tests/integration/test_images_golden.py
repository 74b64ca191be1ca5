"""One fixed image, whose digest is the same by every Python, everywhere, for ever, or the format has another number."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from build.errors import ToolError
from build.inspection.verify import python_for
from build.model import Runtime
from build.project.interpreters import interpreter_of
from tests.checkout import ROOT
from tests.golden.image import made_in

pytestmark = pytest.mark.slow

GOLDEN = ROOT / "tests/golden/image.json"
BACKWARDS = """
import os, runpy
from build.inspection.elsewhere import _Backwards
listdir = os.listdir
os.scandir, os.listdir = _Backwards, lambda *where: sorted(listdir(*where), reverse=True)
runpy.run_module("tests.golden.image", run_name="__main__")
"""
"""Lists folders the other way round."""


def golden():
    return json.loads(GOLDEN.read_text("utf-8"))


def test_a_fixed_image_has_its_golden_digest(tmp_path):
    got = made_in(tmp_path / "image")
    if os.environ.get("SLIPWAY_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(got, indent=2) + "\n", encoding="utf-8")
    assert golden() == got, (
        "The same inputs give another image than they used to. If that is meant, raise FORMAT in "
        "build/images/layers.py, so that every store makes its layers anew, then write the new digests: "
        "SLIPWAY_WRITE_GOLDEN=1 invoke test --path tests/integration/test_images_golden.py"
    )


def test_the_fixed_image_has_a_layer_of_every_kind():
    assert [layer["title"] for layer in golden()["layers"]] == ["Lambda layer rack", "heavy", "packages", "code"]


def made_by(python: Path | str, folder: Path, *how: str, umask: int = -1, **environ: str):
    """Make the image in another process."""
    done = subprocess.run(
        [python, *(how or ("-m", "tests.golden.image")), folder],
        cwd=ROOT,
        env={**os.environ, **environ},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_another_folder_umask_environment_and_order_of_files_give_the_same_image(tmp_path):
    changed = {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Chatham", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1700000000"}
    place = tmp_path / "another place"
    assert made_by(sys.executable, place, "-c", BACKWARDS, umask=0o077, **changed) == golden()


@pytest.mark.network
@pytest.mark.parametrize("minor", [11, 12, 13])
def test_another_python_gives_the_same_image(tmp_path, minor):
    runtime = Runtime(minor)
    if minor == sys.version_info.minor:
        pytest.skip("this is the Python of the other tests")
    try:
        interpreter_of(runtime)
    except ToolError as reason:
        pytest.skip(reason.summary)
    python = python_for(runtime.version, ROOT, on_progress=lambda _: None)
    assert made_by(python, tmp_path / "image") == golden()

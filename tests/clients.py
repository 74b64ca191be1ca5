"""Public clients and libraries that tests hold the embedded cloud against, fetched once by pip."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from tests.checkout import ROOT

_TOOLS = ROOT / ".artifacts/tools"


@cache
def fetched(*requirements: str) -> Path:
    """Return a folder with ``requirements`` and what they need, importable; skip the test where pip cannot get them."""
    place = _TOOLS / "-".join(requirements)
    _TOOLS.mkdir(parents=True, exist_ok=True)
    with FileLock(place.with_name(f"{place.name}.lock")):
        if not place.is_dir():
            draft = place.with_name(f"{place.name}.draft")
            shutil.rmtree(draft, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(draft)]
            done = subprocess.run([*pip, *requirements], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"pip cannot get {' '.join(requirements)}: {done.stderr.strip()[-300:]}")
            draft.rename(place)
    return place


def locked(name: str) -> str:
    """Return the requirement of ``name`` as requirements.txt has it, without its hashes."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return next(line.split()[0] for line in lines if line.startswith(f"{name}=="))

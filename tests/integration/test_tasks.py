"""What a shell sees of a verb."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from build.errors import InputError

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[2]


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "invoke", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_designed_error_ends_in_its_own_words_and_exit_code():
    done = run("build", "--env", "nowhere")
    assert done.returncode == InputError.exit_code
    assert done.stderr.startswith("error: ")
    assert done.stderr.splitlines()[-1].startswith("hint: ")
    assert done.stdout == ""


def test_local_status_is_json_for_programs():
    told = json.loads(run("local.status", "--json").stdout)
    assert set(told) == {"endpoint", "pid", "log", "registry", "kept", "watched", "entries"}

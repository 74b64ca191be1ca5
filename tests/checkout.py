"""A checkout of this repository without its examples, to run the verbs in for real."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_TEAM_OWNED = ("functions", "layers", ".git", ".venv", ".artifacts")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A folder that looks freshly cloned, and its verbs."""

    root: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def run(self, *verb: str, code: int | None = 0, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run ``invoke VERB…`` and require its exit code, unless ``code`` is None."""
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *verb],
            cwd=self.root,
            env={**os.environ, **self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert code is None or done.returncode == code, f"{verb} gave {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *verb: str) -> Any:
        """Run a verb with --json and return what it printed."""
        return json.loads(self.run(*verb, "--json").stdout)

    def client(self, service: str) -> Any:
        """Return a boto3 client for the checkout's embedded cloud."""
        import boto3

        endpoint = self.json("local.status")["endpoint"]
        session = boto3.session.Session("test", "test", region_name="us-east-1")
        return session.client(service, endpoint_url=endpoint)

    def write(self, path: str, text: str) -> Path:
        """Write a file of the checkout."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def close(self) -> None:
        """End its embedded cloud."""
        self.run("local.stop", code=None)


def make_checkout(folder: Path) -> Checkout:
    """Copy what git would clone, without examples. Slow downloads, which are checked by digest, are shared."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    for name in filter(None, listed):
        if name.split("/")[0] in _TEAM_OWNED or not (ROOT / name).is_file():
            continue
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place)
    without_own_terraform(folder)
    for shared in ("local/runtime", "bin"):
        (ROOT / ".artifacts" / shared).mkdir(parents=True, exist_ok=True)
        (folder / ".artifacts" / shared).parent.mkdir(parents=True, exist_ok=True)
        (folder / ".artifacts" / shared).symlink_to(ROOT / ".artifacts" / shared, target_is_directory=True)
    return Checkout(folder)


def without_own_terraform(root: Path) -> None:
    """Leave of terraform/custom/ in a copy of the repository what upstream ships: a team's own is not judged here."""
    custom, lock = root / "terraform" / "custom", root / "terraform" / ".terraform.lock.hcl"
    for path in [path for path in custom.rglob("*") if path.is_file() and path.name != "interface.tf"]:
        path.unlink()
    (custom / "outputs.tf").write_text('output "for_functions" {\n  value = {}\n}\n', encoding="utf-8")
    head, *providers = re.split(r"^(?=provider )", lock.read_text("utf-8"), flags=re.MULTILINE)
    (ours,) = [each for each in providers if each.startswith('provider "registry.terraform.io/hashicorp/aws"')]
    lock.write_text(f"{head}{ours.rstrip()}\n", encoding="utf-8")


def wait_for(condition: Callable[[], Any], *, limit_s: float = 20.0) -> Any:
    """Return what ``condition`` says as soon as it is anything; fail after ``limit_s``."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
    return found

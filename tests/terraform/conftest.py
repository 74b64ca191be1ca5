"""A copy of terraform/ to run Terraform in, and one provider for all of it.

Terraform starts the provider twice for every run of a test, 1 s of CPU each time. Started once, as for a debugger, and
attached to by everyone, it makes the suites four times as fast.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from build.infra.binary import terraform_binary
from build.infra.mirrors import provider_source
from build.process import Completed, run, start
from tests.checkout import without_own_terraform

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Copy:
    """terraform/ somewhere else: nothing that Terraform writes lands in the source."""

    root: Path
    environ: dict[str, str] = field(repr=False)

    def terraform(self, argv: Sequence[str], folder: str = "terraform", **environ: str) -> Completed:
        """Run Terraform in a folder of the copy."""
        binary = str(terraform_binary(ROOT, self.environ))
        return run([binary, *argv], cwd=self.root / folder, env={**self.environ, **environ})


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "terraform", root / "terraform", ignore=shutil.ignore_patterns(".terraform"))
    without_own_terraform(root)
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_CLI_ARGS"))},
        "CHECKPOINT_DISABLE": "1",
        "GOGC": "400",  # as the verbs set it: all suites take 90 s of CPU instead of 140 s
        "TF_CLI_CONFIG_FILE": str(provider_source(root, os.environ).cli_config),
        "TF_DATA_DIR": str(root / "data"),
    }
    installed = Copy(root, environ).terraform(
        ["init", "-backend=false", "-lockfile=readonly", "-input=false", "-no-color"]
    )
    assert installed.code == 0, installed.stderr
    (binary,) = (root / "data" / "providers").glob("*/*/*/*/*/terraform-provider-aws*")
    log = root / "provider.log"  # not a pipe: it would be full in the end, and the provider would wait for ever
    provider = start([str(binary), "-debug"], env=environ, log=log)
    try:
        yield Copy(root, {**environ, "TF_REATTACH_PROVIDERS": _address(provider, log)})
    finally:
        provider.kill()
        provider.wait()


def _address(provider: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until the provider has said where it listens."""
    deadline = time.monotonic() + 60
    while provider.poll() is None and time.monotonic() < deadline:
        if said := re.search(r"TF_REATTACH_PROVIDERS='(.+)'", log.read_text("utf-8")):
            return said[1]
        time.sleep(0.05)
    pytest.fail(f"the provider did not start\n{log.read_text('utf-8')}")

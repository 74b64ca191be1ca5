"""A deploy that is killed while Terraform applies: Terraform goes on to its end, and the next deploy waits for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checkout import Checkout, make_checkout, wait_for

pytestmark = pytest.mark.slow

QUEUE = """
[[triggers.queue]]
name = "parcels"
"""
"""The provider waits 25 s for a queue: long enough to be killed in."""


@pytest.fixture
def checkout(tmp_path_factory: pytest.TempPathFactory):
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    checkout.run("new", "hello")
    settings = checkout.root / "functions/hello/function.toml"
    settings.write_text(settings.read_text("utf-8") + QUEUE, "utf-8")
    yield checkout
    checkout.close()


def kill_in_the_middle_of_an_apply(checkout: Checkout, log: Path) -> None:
    deploy = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy"],
        cwd=checkout.root,
        env={**os.environ, **checkout.environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: log.is_file() and ": Creating..." in log.read_text("utf-8"), limit_s=300)
    finally:
        deploy.kill()
        deploy.wait()


def test_a_killed_deploy_is_finished_by_terraform_and_taken_up_by_the_next(checkout):
    log = checkout.root / ".artifacts/local/terraform.log"
    kill_in_the_middle_of_an_apply(checkout, log)
    said = checkout.run("deploy").stderr
    assert "waiting for the terraform of another run, which goes on to its end" in said
    assert "freeing the state" not in said
    assert "nothing to change: what is deployed is what is here" in said
    assert "nothing to change" in checkout.run("plan").stdout

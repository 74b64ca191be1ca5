"""The provider that runs before Terraform does; here a script, in tests/terraform the real one."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from build.infra.attached import attached, installed
from build.process import is_alive

ONE = 'provider "aws" {\n}\n'


@pytest.fixture
def install(tmp_path: Path) -> Callable[[str], Path]:
    def made(script: str) -> Path:
        program = tmp_path / "data/providers/example.org/hashicorp/aws/5.100.0/here/terraform-provider-aws_v5.100.0_x5"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    (tmp_path / "root").mkdir()
    (tmp_path / "root/versions.tf").write_text(ONE)
    return made


def attach(tmp_path: Path, **environ: str):
    environ = {"PATH": os.environ["PATH"], **environ}
    return attached(tmp_path / "data", tmp_path / "root", environ, log=tmp_path / "log")


def serving(tmp_path: Path) -> str:
    place = tmp_path / "socket"
    place.touch()
    return f'test -n "$TF_PLUGIN_MAGIC_COOKIE" && echo loading && echo "1|5|unix|{place}|grpc|" && exec sleep 60'


def test_terraform_is_led_to_the_provider_which_ends_with_the_command(tmp_path, install):
    install(serving(tmp_path))
    with attach(tmp_path) as variables:
        (address, reached), *others = json.loads(variables["TF_REATTACH_PROVIDERS"]).items()
        assert address == "example.org/hashicorp/aws"
        assert reached["Addr"] == {"Network": "unix", "String": str(tmp_path / "socket")}
        assert is_alive(reached["Pid"])
    assert not others
    assert not is_alive(reached["Pid"])
    assert not (tmp_path / "socket").exists()


def test_a_provider_that_does_not_start_is_left_to_terraform(tmp_path, install):
    install("exit 1")
    with attach(tmp_path) as variables:
        assert variables == {}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("root/custom/main.tf", 'provider "aws" {\n  alias = "global"\n}\n'),
        ("root/custom/main.tf.json", '{\n  "provider": {"aws": {"alias": "global"}}\n}\n'),
        ("data/modules/theirs/main.tf", '\n  provider "aws" {}\n'),
    ],
)
def test_where_more_than_one_provider_is_configured_terraform_starts_them(tmp_path, install, path, text):
    install(serving(tmp_path))
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    with attach(tmp_path) as variables:
        assert variables == {}


def test_whoever_wants_terraforms_log_gets_the_providers_too(tmp_path, install):
    install(serving(tmp_path))
    with attach(tmp_path, TF_LOG="DEBUG") as variables:
        assert variables == {}


def test_without_a_way_to_end_it_with_us_it_is_not_started(tmp_path, install):
    install(serving(tmp_path))
    with attach(tmp_path, PATH=str(tmp_path)) as variables:
        assert variables == {}


def test_configurations_of_bootstrap_and_of_tests_do_not_count(tmp_path, install):
    install(serving(tmp_path))
    for name in ("bootstrap", "tests"):
        (tmp_path / "root" / name).mkdir()
        (tmp_path / "root" / name / "versions.tf").write_text(ONE)
    with attach(tmp_path) as variables:
        assert variables


def test_nothing_is_installed_before_init(tmp_path):
    assert installed(tmp_path) == ()
    with attach(tmp_path) as variables:
        assert variables == {}

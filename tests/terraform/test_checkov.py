"""checkov finds nothing in terraform/, and would."""

import shutil
import sys
from pathlib import Path

import pytest

from build.errors import FindingsError, SlipwayError, ToolError
from build.model import Runtime
from tests.checkout import without_own_terraform
from tests.terraform.checkov import ROOT, installed, judge, lines_of

pytestmark = [pytest.mark.slow, pytest.mark.network]

OPEN = """
resource "aws_security_group" "open" {
  name        = "open"
  description = "Anybody may log in"

  ingress {
    description = "SSH"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"""
SKIPPED = """
resource "aws_sqs_queue" "plain" {
  # checkov:skip=CKV_AWS_27: nothing in it is worth a key
  name = "plain"
}
"""


def test_checkov_finds_nothing_in_terraform(tmp_path):
    shutil.copytree(ROOT / "terraform", tmp_path / "terraform", ignore=shutil.ignore_patterns(".terraform"))
    without_own_terraform(tmp_path)  # what a team adds is theirs to judge
    try:
        judge(tmp_path / "terraform")
    except SlipwayError as error:
        pytest.fail(str(error), pytrace=False)


def test_all_that_is_wrong_is_told_with_its_place_and_what_has_a_reason_is_not(tmp_path):
    bad = tmp_path / "bad"
    bad.mkdir()
    files = {"main.tf": OPEN, "queue.tf": SKIPPED, "broken.tf": "resource = = {"}
    for name, text in files.items():
        (bad / name).write_text(text, "utf-8")
    with pytest.raises(FindingsError) as raised:
        judge(bad)
    told = {fact.split(": ", 1)[0]: fact for fact in raised.value.facts if "CKV2" not in fact}
    assert list(told) == ["bad/broken.tf", "bad/main.tf:2-13"]
    assert told["bad/broken.tf"].endswith("expected Terraform, got what checkov cannot read")
    assert "aws_security_group.open: Ensure no security groups allow ingress" in told["bad/main.tf:2-13"]
    assert told["bad/main.tf:2-13"].endswith("(CKV_AWS_24)")
    assert raised.value.hint.endswith("then run `invoke dev.tf`")


def test_a_folder_where_nothing_is_judged_is_not_clean(tmp_path):
    report = {"passed": 0, "failed": 0, "skipped": 0, "parsing_errors": 0, "resource_count": 0}
    assert list(lines_of(report, tmp_path / "bad")) == ["bad: expected resources to judge, got none"]


def test_what_cannot_be_installed_leaves_nothing_that_could_be_taken_for_it(tmp_path):
    lock = tmp_path / "tool.txt"
    lock.write_text("six==1.17.0\n", "utf-8")  # no digest: neither uv nor pip takes it
    with pytest.raises(ToolError, match="installing tool failed"):
        installed(Path(sys.executable), Runtime(sys.version_info.minor), lock=lock, tools=tmp_path / "tools")
    assert [path.suffix for path in (tmp_path / "tools").iterdir()] == [".lock"]

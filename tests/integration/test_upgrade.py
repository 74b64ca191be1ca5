"""A team with functions, an env and Terraform of its own takes a new Slipway, as docs/how-to/upgrade.md says."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.builders import write_files
from tests.checkout import ROOT, Checkout, make_checkout

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "how-to" / "upgrade.md").read_text("utf-8")
(EVERY_TIME,) = re.findall(r"^    git fetch upstream\n(?:    git .+\n)+", PAGE, re.MULTILINE)
EXAMPLE = "functions/example/src/app.py"

OWN = {
    "functions/orders/function.toml": """\
description = "Takes orders"
[environment]
TABLE = "{custom.orders_table}"
""",
    "functions/orders/src/app.py": "import os\n\n\ndef handler(event, context):\n    return os.environ['TABLE']\n",
    "functions/orders/requirements.txt": "",
    "functions/orders/events/first.json": "{}",
    "slipway.toml": 'name = "shop"\n[defaults]\nruntime = "python3.13"\narchitecture = "x86_64"\n',
    "terraform/envs/local.tfvars": 'tags = { owner = "shop" }\n',
    "terraform/envs/staging.tfvars": "alarms = { enabled = false }\n",
    "terraform/custom/outputs.tf": """\
output "for_functions" {
  value = { orders_table = aws_dynamodb_table.orders.name }
}
""",
    "terraform/custom/orders.tf": """\
resource "aws_dynamodb_table" "orders" {
  name         = "${var.name}-${var.env}-orders"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "id"

  attribute {
    name = "id"
    type = "S"
  }
}

resource "aws_cloudwatch_metric_alarm" "nobody_orders" {
  alarm_name          = "${var.functions["orders"].function_name}-nobody-orders"
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = var.functions["orders"].function_name }
  statistic           = "Sum"
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  period              = 86400
  evaluation_periods  = 1
  treat_missing_data  = "breaching"
}
""",
}


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of git's."""

    root: Path

    def git(self, *argv: str) -> str:
        return subprocess.run(["git", *argv], cwd=self.root, capture_output=True, text=True, check=True).stdout

    def become(self, *argv: str) -> None:
        """Make the repository, and say who commits."""
        self.git(*argv, ".")
        self.git("config", "user.name", "Ada")
        self.git("config", "user.email", "ada@example.invalid")

    def commit(self, **files: str) -> None:
        """Write ``files`` and commit all that changed."""
        write_files(self.root, files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")

    def edit(self, name: str, *edits: tuple[str, str]) -> None:
        """Replace patterns in a file; one that is not there is an error."""
        text = (self.root / name).read_text("utf-8")
        for pattern, replacement in edits:
            text, count = re.subn(pattern, replacement, text)
            assert count, f"{pattern} is not in {name}"
        (self.root / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = Repository(make_checkout(tmp_path_factory.mktemp("upstream")).root)
    repository.become("init", "--quiet", "--initial-branch", "main")
    repository.commit(**{EXAMPLE: "def handler(event, context):\n    return 1\n"})
    return repository


@pytest.fixture(scope="module")
def team(upstream: Repository, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = Repository(tmp_path_factory.mktemp("team"))
    repository.become("clone", "--quiet", "--origin", "upstream", str(upstream.root))
    shutil.copytree(upstream.root / ".artifacts", repository.root / ".artifacts", symlinks=True)
    repository.git("rm", "-r", "--quiet", "functions")
    repository.commit(**OWN)
    return repository


@pytest.fixture(scope="module")
def deployed(team: Repository) -> Iterator[Checkout]:
    checkout = Checkout(team.root)
    (row,) = checkout.json("deploy", "--env", "local")["functions"]
    assert row["answer"] == "shop-local-orders"
    yield checkout
    checkout.close()


def test_a_merge_goes_without_a_conflict_and_nothing_deployed_changes(upstream, team, deployed):
    for name in ("README.md", "CHANGELOG.md", "build/digest.py", "tests/conftest.py", "terraform/custom/interface.tf"):
        upstream.edit(name, (r"\Z", "\n# News from upstream.\n"))
    upstream.edit(
        "terraform/modules/execution-role/main.tf",
        (r'resource "aws_iam_role" "this"', 'resource "aws_iam_role" "renamed"'),
        (r"aws_iam_role\.this\b", "aws_iam_role.renamed"),
        (r"\Z", "\nmoved {\n  from = aws_iam_role.this\n  to   = aws_iam_role.renamed\n}\n"),
    )
    upstream.edit("terraform/modules/execution-role/outputs.tf", (r"aws_iam_role\.this\b", "aws_iam_role.renamed"))
    upstream.commit()
    team.git("fetch", "--quiet", "upstream")
    team.git("merge", "--no-edit", "upstream/main")
    assert team.git("status", "--short") == ""
    assert team.git("diff", "HEAD^2", "--", "build", "terraform/modules") == ""
    planned = deployed.run("plan", "--env", "local", "--fail-on", "look")
    assert "Plan: 0 to add, 0 to change, 0 to destroy." in planned.stderr
    assert 'execution_role["orders"].aws_iam_role.renamed' in planned.stdout


def test_what_upstream_does_to_its_examples_is_none_of_the_teams(upstream, team):
    (upstream.root / EXAMPLE).write_text("def handler(event, context):\n    return 2\n")
    upstream.edit("README.md", (r"\Z", "More news.\n"))
    upstream.commit(
        **{
            "functions/another/function.toml": 'description = "A new example"\n',
            "layers/data/layer.toml": 'description = "A layer"\n',
            "slipway.toml": 'name = "slipway"\n# with a comment\n',
            "terraform/envs/local.tfvars": "# with a comment\n",
        }
    )
    before = team.git("rev-parse", "HEAD").strip()
    done = subprocess.run(["sh", "-c", EVERY_TIME], cwd=team.root, capture_output=True, text=True, check=False)
    assert "CONFLICT (modify/delete): functions/example/src/app.py" in done.stdout
    assert done.returncode == 0, done.stderr
    assert team.git("diff", "--name-only", before, "HEAD").split() == ["README.md"]
    assert team.git("status", "--short") == ""
    assert team.git("merge", "upstream/main") == "Already up to date.\n"

"""The real Terraform over the sources: format, validity, every module's own tests, every README's example."""

import re
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from build.process import Completed
from tests.terraform.conftest import ROOT, Copy

pytestmark = pytest.mark.slow

MODULES = sorted(path.name for path in (ROOT / "terraform" / "modules").iterdir() if path.is_dir())
AT_ONCE = 2

EXAMPLES_TEST = """
mock_provider "aws" {}

run "the_examples_plan" {
  command = plan
}
"""


def module_suite(copy: Copy, module: str) -> Completed:
    return copy.terraform(["test", "-no-color"], f"terraform/modules/{module}")


def root_suite(copy: Copy, folder: str = "terraform") -> Completed:
    return copy.terraform(["test", "-no-color"], folder)


def example_suite(copy: Copy) -> Completed:
    """Plan the first example of every module's README in one root."""
    terraform, folder = copy.root / "terraform", copy.root / "examples"
    (folder / "tests").mkdir(parents=True)
    (folder / "modules").symlink_to(terraform / "modules", target_is_directory=True)
    shutil.copy(terraform / "modules" / "lambda-layer" / "versions.tf", folder)
    for module in MODULES:
        (example, *_) = re.findall(
            r"```hcl\n(.*?)```", (terraform / "modules" / module / "README.md").read_text(), re.DOTALL
        )
        assert f'source = "./modules/{module}"' in example
        (folder / f"{module}.tf").write_text(example)
    (folder / "tests" / "examples.tftest.hcl").write_text(EXAMPLES_TEST)
    own = {"TF_DATA_DIR": str(copy.root / "examples-data")}
    installed = copy.terraform(["init", "-input=false", "-no-color"], "examples", **own)
    formatted = copy.terraform(["fmt", "-check", "-diff", "."], "examples")
    for done in (installed, formatted):
        if done.code:
            return done
    return copy.terraform(["test", "-no-color"], "examples", **own)


@pytest.fixture(scope="session")
def suites(copy: Copy) -> Mapping[str, "Future[Completed]"]:
    """Every suite, started at once, so that two cores are busy while tests wait for theirs."""
    pool = ThreadPoolExecutor(AT_ONCE)
    started = {"root": pool.submit(root_suite, copy), "examples": pool.submit(example_suite, copy)}
    started["bootstrap"] = pool.submit(root_suite, copy, "terraform/bootstrap")
    started |= {module: pool.submit(module_suite, copy, module) for module in MODULES}
    pool.shutdown(wait=False)
    return started


def test_everything_is_formatted(copy):
    done = copy.terraform(["fmt", "-check", "-recursive", "-diff", str(ROOT / "terraform")])
    assert done.code == 0, f"run `terraform fmt -recursive terraform`\n{done.stdout}"


@pytest.mark.parametrize("suite", ["root", "bootstrap", *MODULES, "examples"])
def test_the_suite_passes(suites, suite):
    done = suites[suite].result()
    assert done.code == 0, f"{done.stdout}\n{done.stderr}"
    assert re.search(r"^Success! [1-9]\d* passed, 0 failed", done.stdout, re.MULTILINE)
    assert "Warning:" not in done.stdout


def test_the_root_is_valid(copy):
    done = copy.terraform(["validate", "-no-color"])
    assert done.stdout.strip() == "Success! The configuration is valid.", done.stderr

"""The workflow of docs/how-to/share-the-store.md is one that could be committed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/share-the-store.md").read_text("utf-8")
(WORKFLOW,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_zizmor_finds_nothing(tmp_path):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "shares.yml").write_text(WORKFLOW, "utf-8")
    zizmor = Path(sys.executable).parent / "zizmor"
    done = subprocess.run([zizmor, "--offline", "--quiet", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_pins_actions_as_the_repositorys_own_workflows_do():
    own = "".join(path.read_text("utf-8") for path in (ROOT / ".github").rglob("*.yml"))
    used = set(re.findall(r"uses: (\S+ # \S+)", WORKFLOW))
    assert len(used) >= 3
    assert used <= set(re.findall(r"uses: (\S+ # \S+)", own))


def test_its_jobs_have_what_they_need_and_wait_for_each_other():
    jobs = yaml.safe_load(WORKFLOW)["jobs"]
    assert {name: job.get("needs", []) for name, job in jobs.items()} == {
        "affected": [],
        "share": ["affected"],
        "collect": ["share"],
    }
    for job in jobs.values():
        for step in job["steps"]:
            if "configure-aws-credentials" in step.get("uses", ""):
                assert job["permissions"]["id-token"] == "write"
    assert jobs["share"]["if"] == "fromJSON(needs.affected.outputs.matrix).include[0] != null"

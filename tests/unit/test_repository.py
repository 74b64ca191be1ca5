"""What must hold for the repository as a whole: what git keeps, what may not be written in it, pins."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import build

ROOT = Path(__file__).parents[2]

# One letter of each stands in brackets, so that this file does not hold what it looks for.
FORBIDDEN = {
    "host of a package registry": r"p[y]pi\.org|py[t]honhosted|npm[j]s\.org|deb\.deb[i]an|debi[a]n\.org",
    "path of one machine": r"(^|[^A-Za-z0-9_.$}/-])/(wo[r]k|far[m]|roo[t])/|/opt/t[f]-|/home/[a-z]+/|/U[s]ers/[a-z]",
    "how the work was organised": r"su[b]agent|helper sessi[o]n|this sessi[o]n|AI assist[a]nt|langua[g]e model",
    "account number other than 123456789012": (
        r"(?<![0-9A-Za-z.])(?<![0-9a-f]{4}-)(?!123456789012)[0-9]{12}(?![0-9A-Za-z])"  # the tail of a UUID is none
    ),
    "private key or access key": r"BEGIN ([A-Z]+ )?PRIVA[T]E KEY|(^|[^A-Z0-9])(A[K]IA|A[S]IA)[A-Z0-9]{16}([^A-Z0-9]|$)",
}

in_git = pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="not a git checkout")


def git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_build_is_ours():
    assert build.__file__
    assert Path(build.__file__) == ROOT / "build/__init__.py"


@in_git
@pytest.mark.parametrize(
    "path",
    [
        "build",
        "build/model.py",
        "build/locking/locks.py",
        "functions/any/requirements.txt",
        "terraform/.terraform.lock.hcl",
        "terraform/envs/prod.tfvars",
    ],
)
def test_git_keeps_what_templates_of_gitignore_drop(path):
    assert git("check-ignore", "--no-index", path).returncode == 1


@in_git
@pytest.mark.parametrize("path", [".artifacts/store/x", ".venv/bin/python", "functions/any/src/__pycache__/app.pyc"])
def test_git_ignores_what_is_generated(path):
    assert git("check-ignore", "--no-index", path).returncode == 0


@in_git
@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds_a(what):
    found = git("grep", "--untracked", "-nIP", FORBIDDEN[what], "--", ":!*.lock.hcl")
    assert found.returncode in {0, 1}, found.stderr
    assert [line[:180] for line in found.stdout.splitlines()] == []


def test_patterns_find_what_they_are_for():
    samples = {
        "host of a package registry": "https://py" + "pi.org/simple",
        "path of one machine": "open('/wo" + "rk/main')",
        "how the work was organised": "a sub" + "agent",
        "account number other than 123456789012": "arn:aws:iam::" + "210987" + "654321:role",
        "private key or access key": "AK" + "IA" + "A" * 16,
    }
    assert samples.keys() == FORBIDDEN.keys()
    assert [what for what, sample in samples.items() if not re.search(FORBIDDEN[what], sample)] == []
    assert not re.search(FORBIDDEN["account number other than 123456789012"], "arn:aws:iam::123456789012:role")


def locked() -> dict[str, tuple[Requirement, int]]:
    """What requirements.txt pins: name to requirement and number of digests."""
    text = re.sub(r"\\\n", " ", (ROOT / "requirements.txt").read_text("utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "-"))]
    pins: dict[str, tuple[Requirement, int]] = {}
    for line in lines:
        requirement = Requirement(re.split(r"\s+--hash=|\s+#", line)[0].strip())
        pins[canonicalize_name(requirement.name)] = (requirement, len(re.findall(r"--hash=sha256:[0-9a-f]{64}", line)))
    return pins


def test_lock_pins_everything_that_is_wanted_with_digests():
    pins = locked()
    wanted = [
        Requirement(line.partition("#")[0].strip())
        for line in (ROOT / "requirements.in").read_text("utf-8").splitlines()
        if line.partition("#")[0].strip()
    ]
    assert len(wanted) > 5
    for requirement in wanted:
        pin, digests = pins[canonicalize_name(requirement.name)]
        assert digests, pin
    loose = [str(pin) for pin, digests in pins.values() if not digests or [s.operator for s in pin.specifier] != ["=="]]
    assert loose == []
    for requirement in wanted:
        (exact,) = pins[canonicalize_name(requirement.name)][0].specifier
        assert requirement.specifier.contains(exact.version, prereleases=True), f"{requirement}: locked {exact.version}"


def test_pypa_build_is_never_locked():
    assert "build" not in locked()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bit")
@pytest.mark.parametrize("name", ["invokew", ".ci/run"])
def test_what_a_person_starts_is_executable(name):
    assert os.access(ROOT / name, os.X_OK)

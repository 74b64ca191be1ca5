"""Repositories with submodules, as git itself makes them."""

import subprocess

import pytest

from build.errors import InputError
from build.inspection.records import revision
from build.locking.locks import read_locks
from build.packaging.affected import affected, changed_since
from tests.builders import function_spec, make_workspace, write_files
from tests.unit.test_packaging_affected import commit, git

pytestmark = pytest.mark.slow


@pytest.fixture
def with_submodules(tmp_path):
    """A repository with a submodule that has one itself, and one that is not checked out; both as they were before."""
    settings = ["user.name=t", "user.email=t@example.invalid", "protocol.file.allow=always"]

    def git(folder, *words):
        argv = ["git", *(word for setting in settings for word in ("-c", setting)), *words]
        return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout

    def commit(folder, files):
        write_files(folder, files)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "-m", "work")

    for name, inner in (("deep", ""), ("vendor", "deep"), ("shop", "vendor")):
        (tmp_path / name).mkdir()
        git(tmp_path / name, "init", "--quiet")
        if inner:
            git(tmp_path / name, "submodule", "--quiet", "add", str(tmp_path / inner), inner)
        commit(tmp_path / name, {"code.py": "old"})
    shop = tmp_path / "shop"
    git(shop, "submodule", "--quiet", "add", str(tmp_path / "deep"), "docs")
    commit(shop, {})
    git(shop, "submodule", "--quiet", "deinit", "docs")
    git(shop, "submodule", "--quiet", "update", "--init", "--recursive", "vendor")
    git(shop, "tag", "first")
    commit(shop / "vendor/deep", {"code.py": "new"})
    commit(shop / "vendor", {"code.py": "new"})
    commit(shop, {"code.py": "new"})
    return shop


def test_submodules_are_checked_out_as_they_were_and_leave_nothing_behind(with_submodules):
    places = ("code.py", "vendor/code.py", "vendor/deep/code.py")
    with revision(with_submodules, "first") as tree:
        assert [(tree / place).read_text() for place in places] == ["old"] * 3
        assert list((tree / "docs").iterdir()) == [], "not checked out here either"
    assert [(with_submodules / place).read_text() for place in places] == ["new"] * 3
    assert not tree.exists()
    listed = subprocess.run(["git", "worktree", "list"], cwd=with_submodules, capture_output=True, check=True)
    assert len(listed.stdout.splitlines()) == 1


def test_a_submodule_without_the_commit_of_then_is_told(with_submodules):
    gone = subprocess.run(
        ["git", "rev-parse", "HEAD~1"], cwd=with_submodules / "vendor", capture_output=True, text=True, check=True
    ).stdout.strip()
    modules = with_submodules / ".git/modules/vendor"
    (modules / "objects" / gone[:2] / gone[2:]).unlink()
    told = pytest.raises(InputError, match="the submodule vendor cannot be checked out")
    with told as caught, revision(with_submodules, "first"):
        pass
    assert caught.value.facts[0] == f"expected its commit {gone}"
    assert f"fetch origin {gone}" in caught.value.hint


@pytest.fixture
def repository(tmp_path):
    """A repository of one function."""
    root = write_files(tmp_path / "repository", {"functions/stock/src/app.py": "", "slipway.toml": ""})
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root)
    return root


@pytest.mark.parametrize("change", ["committed", "uncommitted", "untracked"])
def test_a_submodule_touches_who_requires_a_project_within_it(repository, tmp_path, change):
    vendor = write_files(tmp_path / "vendor", {"pkg/pyproject.toml": '[project]\nname = "pkg"\n', "README.md": ""})
    git(vendor, "init", "--quiet")
    commit(vendor)
    git(repository, "submodule", "--quiet", "add", str(vendor), "vendor")
    git(repository, "config", "--file", ".gitmodules", "submodule.vendor.ignore", "all")
    wish = "../../vendor/pkg\n"
    write_files(repository / "functions/stock", {"requirements.in": wish, "requirements.txt": wish})
    commit(repository)
    workspace = make_workspace(repository, functions=(function_spec(repository / "functions/stock"),))
    locks = read_locks(workspace)
    assert affected([workspace], locks, changed_since(repository, "HEAD")).functions == {}
    write_files(repository / "vendor", {"pkg/new.py" if change == "untracked" else "pkg/pyproject.toml": "# changed"})
    if change == "committed":
        commit(repository / "vendor")
    assert affected([workspace], locks, changed_since(repository, "HEAD")).functions == {"stock": ("vendor",)}

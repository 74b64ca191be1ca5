import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from build.digest import Digest
from build.errors import InputError
from build.locking.locks import read_locks
from build.packaging.affected import affected, changed_since, matrix
from build.project import snapshot as snapshots
from build.project.snapshot import snapshot
from build.store.outcomes import remember_outcome, unchanged_outcome
from tests.builders import ARM, X86, function_spec, layer_spec, make_workspace, write_files

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    """Give a git repository: orders and stock use the layer data, greeting and orders the project libs/money."""
    root = tmp_path_factory.mktemp("committed")
    names = ("greeting", "orders", "stock")
    write_files(
        root,
        {
            **{f"functions/{name}/function.toml": "" for name in names},
            **{f"functions/{name}/src/app.py": f"# {name}" for name in names},
            "layers/data/layer.toml": "",
            "libs/money/money.py": "",
            "slipway.toml": "",
            "build/model.py": "",
            "README.md": "",
        },
    )
    git(root, "init", "--quiet", "--template=", "--initial-branch", "main")
    commit(root)
    return root


@pytest.fixture
def repository(tmp_path, committed):
    """Give a copy to change, which is cheaper than to start git three times."""
    return shutil.copytree(committed, tmp_path / "repository")


def git(root: Path, *words: str) -> str:
    settings = ["user.name=tests", "user.email=tests@example.invalid", "commit.gpgsign=false"]
    settings.append("protocol.file.allow=always")  # or no submodule comes from a folder
    argv = ["git", *(word for setting in settings for word in ("-c", setting)), *words]
    return subprocess.run(argv, cwd=root, check=True, capture_output=True, text=True).stdout


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "work")


def workspace_of(root):
    layers = (layer_spec(root / "layers" / "data"),)
    use = {"orders": ("data",), "stock": ("data",)}
    names = [name for name in ("greeting", "orders", "stock") if (root / "functions" / name).exists()]
    functions = tuple(function_spec(root / "functions" / name, layers=use.get(name, ())) for name in names)
    return make_workspace(root, functions=functions, layers=layers)


def locks_of(workspace):
    money = workspace.root / "libs" / "money"
    locks = read_locks(workspace)
    wanting = {"functions/greeting", "functions/orders"}
    return {key: replace(lock, beside=(money,)) if key in wanting else lock for key, lock in locks.items()}


def touched(root, revision="HEAD"):
    workspace = workspace_of(root)
    return affected([workspace], locks_of(workspace), changed_since(root, revision))


def test_nothing_changed_touches_nothing(repository):
    found = touched(repository)
    assert (found.functions, found.layers, found.deleted) == ({}, {}, ())


@pytest.mark.parametrize(
    "file", ["functions/orders/src/app.py", "functions/orders/src/new.py", "functions/orders/requirements.txt"]
)
def test_a_file_of_a_function_touches_that_function(repository, file):
    write_files(repository, {file: ""})
    assert touched(repository).functions == {"orders": (file,)}


def test_a_layer_touches_the_functions_that_use_it_and_says_so(repository):
    write_files(repository, {"layers/data/requirements.txt": "# changed"})
    found = touched(repository)
    because = ("layers/data/requirements.txt",)
    assert found.functions == {"orders": because, "stock": because}
    assert found.layers == {"data": because}


def test_a_project_of_the_repository_touches_who_requires_it(repository):
    write_files(repository, {"libs/money/money.py": "X = 1"})
    assert touched(repository).functions.keys() == {"greeting", "orders"}


@pytest.mark.parametrize("file", ["slipway.toml", "build/model.py", "requirements.txt"])
def test_what_everything_depends_on_touches_everything(repository, file):
    write_files(repository, {file: "changed"})
    found = touched(repository)
    assert found.functions.keys() == {"greeting", "orders", "stock"}
    assert found.layers.keys() == {"data"}


def test_what_nothing_depends_on_touches_nothing(repository):
    write_files(repository, {"README.md": "changed", "docs/new.md": "", "functions/README.md": ""})
    assert touched(repository).functions == {}


def test_a_file_that_src_links_to_touches_the_function(repository):
    write_files(repository, {"shared/code.py": ""})
    (repository / "functions/stock/src/code.py").symlink_to("../../../shared/code.py")
    commit(repository)
    write_files(repository, {"shared/code.py": "X = 1"})
    assert touched(repository).functions == {"stock": ("shared/code.py",)}


def test_what_a_linked_folder_of_a_project_holds_touches_who_requires_it(repository):
    write_files(repository, {"shared/code.py": ""})
    (repository / "libs/money/code").symlink_to("../../shared")
    commit(repository)
    write_files(repository, {"shared/code.py": "X = 1"})
    assert touched(repository).functions.keys() == {"greeting", "orders"}


PIN = f"six==1.0 --hash=sha256:{'0' * 64}\n"


@pytest.mark.parametrize(
    ("files", "shared"),
    [
        ({"requirements.txt": "-r ../../shared/base.txt\n"}, {"base.txt": PIN}),
        ({"requirements.txt": "-r ../../shared/a.txt\n"}, {"a.txt": "-r base.txt\n", "base.txt": PIN}),
        ({"requirements.in": "-r ../../shared/base.txt\n", "requirements.txt": PIN}, {"base.txt": "six\n"}),
        ({"requirements.in": "six\n-c ../../shared/base.txt\n", "requirements.txt": PIN}, {"base.txt": "six<2\n"}),
    ],
)
def test_a_requirements_file_beside_touches_who_names_it_and_has_it_built_anew(repository, monkeypatch, files, shared):
    monkeypatch.setattr(snapshots, "_RACY_NS", 0)
    write_files(repository / "shared", shared)
    write_files(repository / "functions/stock", files)
    commit(repository)
    workspace = workspace_of(repository)
    beside = [str(path.relative_to(repository)) for path in read_locks(workspace)["functions/stock"].beside]
    remember_outcome(repository, "dev", {"told": "again"}, before=snapshot(repository), beside=beside, files=[])
    assert unchanged_outcome(repository, "dev") == {"told": "again"}
    write_files(repository, {"shared/base.txt": f"# changed\n{shared['base.txt']}"})
    found = affected([workspace], read_locks(workspace), changed_since(repository, "HEAD"))
    assert found.functions == {"stock": ("shared/base.txt",)}
    assert unchanged_outcome(repository, "dev") is None


def test_constraints_of_another_repository_are_none_of_ours(repository, tmp_path):
    write_files(tmp_path, {"elsewhere.txt": "six<2\n"})
    files = {"requirements.in": "six\n-c ../../../elsewhere.txt\n", "requirements.txt": PIN}
    write_files(repository / "functions/stock", files)
    assert read_locks(workspace_of(repository))["functions/stock"].beside == ()


def test_what_git_ignores_touches_nothing(repository):
    write_files(repository, {".gitignore": "*.log\n"})
    commit(repository)
    write_files(repository, {"functions/orders/src/app.log": ""})
    assert touched(repository).functions == {}


def test_committed_and_uncommitted_changes_since_an_older_revision_count(repository):
    write_files(repository, {"functions/orders/src/app.py": "1"})
    commit(repository)
    write_files(repository, {"functions/stock/src/app.py": "1"})
    git(repository, "add", "--all")
    write_files(repository, {"functions/greeting/src/app.py": "1"})
    assert touched(repository).functions.keys() == {"stock", "greeting"}
    assert touched(repository, "HEAD~1").functions.keys() == {"orders", "stock", "greeting"}


def test_a_branch_behind_main_is_not_affected_by_what_main_got_since_if_asked_as_the_page_says(repository):
    (page,) = re.findall(r"base=(\$\(.*?\))", (ROOT / "docs/how-to/share-the-store.md").read_text("utf-8"))
    git(repository, "switch", "--quiet", "--create", "branch")
    write_files(repository, {"functions/orders/src/app.py": "1"})
    commit(repository)
    git(repository, "switch", "--quiet", "main")
    write_files(repository, {"functions/stock/src/app.py": "1"})
    commit(repository)
    git(repository, "update-ref", "refs/remotes/origin/main", "main")
    git(repository, "switch", "--quiet", "branch")
    base = subprocess.run(["sh", "-c", f"echo {page}"], cwd=repository, check=True, capture_output=True, text=True)
    assert touched(repository, base.stdout.strip()).functions.keys() == {"orders"}


def test_deleted_and_renamed_functions_are_told_apart(repository):
    (repository / "functions/stock").rename(repository / "functions/store")
    commit(repository)
    found = touched(repository, "HEAD~1")
    assert found.deleted == ("functions/stock",)
    assert found.functions == {}, "the new name is not in this workspace"


def test_a_repository_may_be_a_folder_of_a_larger_one(tmp_path, repository):
    git(repository, "mv", "-k", "README.md", "READ.md")
    inner = repository / "platform"
    inner.mkdir()
    for name in ("functions", "layers", "libs", "slipway.toml"):
        (repository / name).rename(inner / name)
    commit(repository)
    write_files(inner, {"functions/orders/src/app.py": "1"})
    write_files(repository, {"slipway.toml": "of somebody else"})
    workspace = workspace_of(inner)
    assert affected([workspace], locks_of(workspace), changed_since(inner, "HEAD")).functions.keys() == {"orders"}


def test_names_that_git_would_quote_count(repository):
    write_files(repository, {"functions/orders/src/größe und mehr.py": ""})
    assert touched(repository).functions.keys() == {"orders"}


def test_outside_git_there_is_a_hint(tmp_path):
    with pytest.raises(InputError, match="is no git repository"):
        changed_since(tmp_path, "main")


@pytest.mark.parametrize("revision", ["mian", "0" * 40, "--help", ""])
def test_a_revision_that_is_not_there_is_told(repository, revision):
    with pytest.raises(InputError, match=r"no revision") as caught:
        changed_since(repository, revision)
    assert "git fetch" in caught.value.hint
    assert ("did you mean `main`?" in caught.value.summary) == (revision == "mian")


def test_a_shallow_clone_is_named_as_the_reason(repository, tmp_path):
    write_files(repository, {"README.md": "2"})
    commit(repository)
    first = git(repository, "rev-parse", "HEAD~1").strip()
    git(tmp_path, "clone", "--quiet", "--depth", "1", repository.as_uri(), "clone")
    with pytest.raises(InputError) as caught:
        changed_since(tmp_path / "clone", first)
    assert caught.value.facts == ("this clone is shallow: it has not all commits",)
    assert "fetch-depth: 0" in caught.value.hint


def test_a_layer_of_any_env_counts(repository):
    write_files(repository, {"layers/data/layer.toml": "# changed"})
    workspace = workspace_of(repository)
    bare = replace(workspace, functions=tuple(replace(spec, layers=()) for spec in workspace.functions))
    found = affected([bare, workspace], locks_of(workspace), changed_since(repository, "HEAD"))
    assert found.functions.keys() == {"orders", "stock"}


def test_a_project_that_only_the_target_of_another_env_needs_counts(repository):
    arm_only = "platform_machine == 'aarch64'"
    edge = f"{{ name = 'money', marker = \"{arm_only}\" }}"
    project = f'[project]\nname = "stock"\nversion = "0"\ndependencies = ["money ; {arm_only}"]\n'
    text = (
        'version = 1\n[[package]]\nname = "stock"\nversion = "0"\nsource = { virtual = "." }\n'
        f'dependencies = [{edge}]\n[[package]]\nname = "money"\nsource = {{ directory = "../../libs/money" }}\n'
    )
    write_files(repository / "functions/stock", {"pyproject.toml": project, "uv.lock": text})
    write_files(repository / "libs/money", {"pyproject.toml": '[project]\nname = "money"\nversion = "1"\n'})
    commit(repository)
    write_files(repository, {"libs/money/money.py": "X = 1"})
    folder = repository / "functions/stock"
    envs = [make_workspace(repository, functions=(function_spec(folder, target=target),)) for target in (X86, ARM)]
    assert read_locks(envs[0])["functions/stock"].beside == ()
    found = affected(envs, read_locks(envs[0]), changed_since(repository, "HEAD"))
    assert found.functions == {"stock": ("libs/money/money.py",)}


# ── the matrix ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (20, [("greeting", "greeting"), ("orders", "orders"), ("stock", "stock")]),
        (2, [("greeting", "greeting"), ("orders and 1 more", "orders,stock")]),
        (1, [("greeting and 2 more", "greeting,orders,stock")]),
        (0, [("greeting and 2 more", "greeting,orders,stock")]),
    ],
)
def test_jobs_hold_functions_that_are_alike_and_are_no_more_than_asked_for(repository, shares, expected):
    workspace = workspace_of(repository)
    made = matrix({"stock", "orders", "greeting"}, workspace, read_locks(workspace), shares)
    assert [(each["name"], each["only"]) for each in made["include"]] == expected


def test_no_functions_make_an_empty_matrix(repository):
    workspace = workspace_of(repository)
    assert matrix((), workspace, read_locks(workspace), 20) == {"include": []}


def test_each_function_is_in_one_job(repository):
    specs = tuple(function_spec(repository / "functions" / f"f{number}") for number in range(47))
    workspace = make_workspace(repository, functions=specs)
    locks = {
        spec.identity: replace(lock, digest=Digest.of_bytes(spec.name[-1].encode()))
        for spec, lock in zip(specs, read_locks(workspace).values(), strict=True)
    }
    made = matrix({spec.name for spec in specs}, workspace, locks, 20)["include"]
    assert len(made) == 20
    assert sorted(name for job in made for name in job["only"].split(",")) == sorted(spec.name for spec in specs)

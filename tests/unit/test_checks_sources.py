import re
from pathlib import Path

import pytest

from build.checks import check
from build.checks.rules import RULES
from build.model import Build, Runtime, Severity
from build.packaging.sources import env_files, read_source
from build.store.objects import Store
from tests.builders import write_files
from tests.checking import HANDLER, Repository

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("path", ["json.py", "email/__init__.py"])
def test_a_module_in_place_of_the_standard_librarys_is_a_warning(tmp_path, path):
    (finding,) = Repository(tmp_path).function({path: ""}).findings()
    assert (finding.rule, finding.severity) == ("stdlib-shadowed", Severity.WARNING)
    assert finding.message.startswith(f"src/{path.split('/')[0]} takes the place of the standard library's")


def test_names_of_the_standard_library_deeper_down_or_without_init_do_no_harm(tmp_path):
    assert Repository(tmp_path).function({"pkg/json.py": "", "email/letter.txt": ""}).findings() == []


def test_only_the_standard_library_of_the_runtime_counts(tmp_path):
    sources = {"cgi.py": "", "tomllib.py": ""}
    for minor, shadowed in ((10, ["cgi"]), (13, ["tomllib"])):
        findings = Repository(tmp_path / str(minor), runtime=Runtime(minor)).function(sources).findings()
        assert [finding.message.split("`")[1] for finding in findings] == shadowed


def test_a_layers_src_can_take_the_place_of_the_standard_library_too(tmp_path):
    repository = Repository(tmp_path).layer("shared", {"logging.py": ""})
    nothing = Build(functions={}, layers={})
    (finding,) = check(repository.workspace, nothing, Store(tmp_path / "store"))
    assert (finding.rule, finding.subject) == ("stdlib-shadowed", "layers/shared")


@pytest.mark.parametrize(
    ("path", "holder"),
    [
        ("requests.py", "a distribution that ships with it"),
        ("one/__init__.py", "a distribution that ships with it"),
        ("pandas.py", "layers/data"),
        ("boto3/__init__.py", "the runtime"),
        ("six.py", "the runtime"),
    ],
)
def test_a_module_with_the_name_of_a_distributions_is_a_warning(tmp_path, path, holder):
    repository = Repository(tmp_path)
    repository.layer("data", wheels=[repository.wheel("pandas", "pandas/__init__.py")])
    wheels = [repository.wheel("requests", "requests/__init__.py"), repository.wheel("one", "one.py")]
    repository.function({path: ""}, wheels=wheels, layers=("data",))
    (finding,) = repository.findings("distribution-shadowed")
    assert finding.severity is Severity.WARNING
    assert f"in {holder}: only one of them can be imported" in finding.message


def test_tests_in_src_are_a_warning_and_modules_named_like_tests_are_none(tmp_path):
    repository = Repository(tmp_path)
    repository.function(
        {
            "test_app.py": "import pytest",
            "pkg/conftest.py": "",
            "pkg/app_test.py": "class TestApp: ...",
            "test_results.py": "SCORES = {}",
            "latest.py": "",
            "tests/data/big.json": "{}",
        }
    )
    (finding,) = repository.findings("tests-in-src")
    assert (
        finding.message
        == "tests ship with it: src/pkg/app_test.py, src/pkg/conftest.py, src/test_app.py, src/tests/data/big.json"
    )


def test_what_editors_git_and_caches_leave_behind_does_not_ship(tmp_path):
    strays = """
        .DS_Store Thumbs.db app.py~ .app.py.swp .#app.py app.py.orig app.py.rej app.py.bak .gitignore .coverage
        .git/HEAD .venv/bin/python .idea/a.xml .vscode/a.json .pytest_cache/x .mypy_cache/x .ruff_cache/x
        .coveragerc .tox/x node_modules/x.js node_modules/.env prod.auto.tfvars
        .terraform/x terraform.tfstate terraform.tfstate.backup __pycache__/app.cpython-313.pyc
        .env .env.production pkg/.env prod.env .envrc
    """.split()
    kept = ["app.py", "data/.hidden", "environment.py", "tests/data.json", "orig/x"]
    write_files(tmp_path / "src", dict.fromkeys([*strays, *kept], ""))
    assert [file.path for file in read_source(tmp_path / "src", tmp_path)] == sorted(kept)
    assert env_files(tmp_path / "src") == (".env", ".env.production", ".envrc", "pkg/.env", "prod.env")


def test_an_env_file_that_was_left_out_is_told(tmp_path):
    repository = Repository(tmp_path).function({".env": "PASSWORD=hush"})
    (finding,) = repository.findings()
    assert (finding.rule, finding.severity) == ("env-file", Severity.WARNING)
    assert finding.message == "left out of the artifact: src/.env"
    (tmp_path / "functions/f/src/.env").unlink()
    assert repository.findings() == []


def test_pth_files_with_code_are_told_because_lambda_runs_them(tmp_path):
    repository = Repository(tmp_path)
    hook = repository.wheel("hook", files={"hook.pth": "import os; os.environ['X'] = '1'\n", "hook/x.pth": "import os"})
    quiet = repository.wheel("quiet", files={"quiet.pth": "quiet/lib\n", "old-nspkg.pth": "import sys\n"})
    repository.function({}, wheels=[hook, quiet])
    repository.layer("hooks", wheels=[hook, quiet])
    findings = repository.findings("startup-code")
    assert [(finding.subject, finding.message.rpartition(": ")[2]) for finding in findings] == [
        ("functions/f", "hook.pth"),
        ("layers/hooks", "python/hook.pth"),
    ]


# ── the table of rules ────────────────────────────────────────────────────────────────────────


def test_every_rule_is_documented_and_every_documented_rule_is_there():
    page = (ROOT / "docs/reference/findings.md").read_text("utf-8")
    documented = re.findall(r"^\| `([a-z0-9-]+)` \| (error|warning) \|", page, re.MULTILINE)
    assert documented == [(row.id, row.severity.value) for row in RULES]


def test_what_was_found_is_kept_until_something_it_follows_from_changes(tmp_path):
    repository = Repository(tmp_path).function({"app.py": f"import yaml\n{HANDLER}"})
    store = tmp_path / "store/notes/findings"
    before = repository.findings()
    assert repository.findings() == before
    assert len(list(store.iterdir())) == 1
    repository.function({"app.py": f"import yaml\nimport cv2\n{HANDLER}"})
    assert len(repository.findings()) == len(before) + 1
    repository.function({"app.py": HANDLER})
    assert repository.findings() == []


def test_findings_are_made_anew_when_a_setting_they_follow_from_changes(tmp_path):
    arn = "arn:aws:lambda:eu-central-1:123456789012:layer:datadog:7"
    repository = Repository(tmp_path).function({}, layers=(arn,))
    assert repository.findings() == []
    repository.layer_sizes = {arn: 262_144_000}
    assert [finding.rule for finding in repository.findings()] == ["function-size"]


def test_findings_about_one_folder_do_not_depend_on_its_neighbours(tmp_path):
    repository = Repository(tmp_path)
    for name in ("a", "b"):
        repository.function({"app.py": f"import yaml\n{HANDLER}"}, name=name)
    both = repository.findings()
    repository.function({"app.py": HANDLER}, name="b")
    assert repository.findings() == [finding for finding in both if finding.subject == "functions/a"]


def test_a_damaged_note_of_findings_counts_as_none(tmp_path):
    repository = Repository(tmp_path).function({"app.py": f"import yaml\n{HANDLER}"})
    before = repository.findings()
    (note,) = (tmp_path / "store/notes/findings").iterdir()
    note.write_text('[{"rule": "x"}]')
    assert repository.findings() == before

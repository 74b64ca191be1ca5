import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from build.checks import facts
from build.checks.modules import parsed
from build.checks.stdlib import stdlib_of
from build.model import Runtime, Severity
from tests.checking import HANDLER, Repository

ARN = "arn:aws:lambda:eu-central-1:123456789012:layer:datadog:7"
ELSEWHERE = {"msilib", "msvcrt", "nt", "winreg", "winsound"}
"""Modules that only Windows has."""


def missing(tmp_path: Path, source: str, src: Mapping[str, str] | None = None, *, runtime: int = 13) -> list[str]:
    """Return the modules that ``source`` (app.py) cannot import, beside other files of its src/."""
    repository = Repository(tmp_path, runtime=Runtime(runtime))
    repository.function({"app.py": f"{source}\n{HANDLER}", **(src or {})}, wheels=[requests(repository)])
    return [finding.message.split("`")[1] for finding in repository.findings("import-missing")]


def requests(repository: Repository):
    return repository.wheel("requests", "requests/__init__.py", "requests/adapters.py")


# ── where a module may come from ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "source",
    [
        "import json, os.path, xml.etree.ElementTree",
        "import boto3, botocore.exceptions, dateutil.parser, six, urllib3, jmespath, s3transfer, simplejson",
        "from six.moves import urllib",
        "import requests",
        "import requests.adapters",
        "from requests import Session, adapters",
        "from requests.adapters import HTTPAdapter",
        "from requests import *",
        "from __future__ import annotations",
    ],
)
def test_what_the_zip_the_runtime_and_the_standard_library_hold_can_be_imported(tmp_path, source):
    assert missing(tmp_path, source) == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import yaml", ["yaml"]),
        ("import yaml.loader", ["yaml"]),
        ("from yaml import safe_load", ["yaml"]),
        ("def f():\n    import yaml", ["yaml"]),
        ("class A:\n    import yaml", ["yaml"]),
        ("with open('x') as f:\n    import yaml", ["yaml"]),
        ("try:\n    import yaml\nexcept ValueError:\n    pass", ["yaml"]),
        ("try:\n    pass\nfinally:\n    import yaml", ["yaml"]),
        ("try:\n    pass\nexcept ImportError:\n    pass\nfinally:\n    import yaml", ["yaml"]),
        ("try:\n    import json\nexcept ImportError:\n    pass\nelse:\n    import yaml", ["yaml"]),
        ("try:\n    import yaml\nexcept ImportError:\n    print('add it')\n    raise", ["yaml"]),
        ("try:\n    import yaml\nexcept ImportError as e:\n    raise RuntimeError from e", ["yaml"]),
        ("try:\n    import json\nexcept ImportError:\n    pass\nexcept ValueError:\n    import yaml", ["yaml"]),
        ("try:\n    import tomli\nexcept ImportError:\n    import toml", ["toml"]),
        (
            "try:\n import one\nexcept ImportError:\n try:\n  import two\n except ImportError:\n  import three",
            ["three"],
        ),
        ("import sys\nif sys.platform == 'linux':\n    import yaml", ["yaml"]),
        ("import os\nif os.name != 'nt':\n    import yaml", ["yaml"]),
        ("import sys\nif sys.version_info[0] >= 3 and sys.version_info.major == 3:\n    import yaml", ["yaml"]),
        ("if True:\n    import yaml", ["yaml"]),
        ("DEBUG = False\nif input():\n    DEBUG = True\nif DEBUG:\n    import yaml", ["yaml"]),
        ("LOOP = LOOP\nif LOOP:\n    import yaml", ["yaml"]),
        ("if type(1).__name__ == 'int':\n    import yaml", ["yaml"]),
        ("import requests.adaptrs", ["requests.adaptrs"]),
        ("from requests.adaptrs import HTTPAdapter", ["requests.adaptrs"]),
        ("import requests.adapters.http", ["requests.adapters.http"]),
        ("import winreg", ["winreg"]),
        ("import one, two", ["one", "two"]),
    ],
)
def test_what_none_of_them_holds_is_an_error(tmp_path, source, names):
    assert missing(tmp_path, source) == names


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import yaml\nexcept ImportError:\n    yaml = None",
        "try:\n    import yaml\nexcept (KeyError, ModuleNotFoundError):\n    import requests",
        "try:\n    import requests\nexcept ImportError:\n    import yaml",
        "try:\n import yaml\nexcept ImportError:\n try:\n  import requests\n except ImportError:\n  import cv2",
        "try:\n    import yaml, requests\nexcept ImportError:\n    print(1)\n    yaml = None",
        "ERRS = (ImportError, AttributeError)\ntry:\n    import yaml\nexcept ERRS:\n    yaml = None",
        "try:\n    import yaml\n    HAS = True\nexcept ImportError:\n    HAS = False\nif HAS:\n    import yaml.loader",
        "import importlib.util\nif importlib.util.find_spec('yaml'):\n    import yaml",
        "from importlib.util import find_spec\nHAS = find_spec('yaml') is not None\nif HAS:\n    import yaml",
        "if False:\n    import yaml",
        "MYPY = False\nif MYPY:\n    import yaml",
        "MYPY: bool = False\nif not MYPY:\n    import json\nelse:\n    import yaml",
        "from typing import TYPE_CHECKING as TC\nif TC:\n    import yaml",
        "import sys\nif sys.platform == 'linux':\n    import json\nelse:\n    import yaml",
        "import sys\nif sys.platform.startswith('win') or sys.platform in ('darwin', 'cygwin'):\n    import yaml",
        "import platform\nif platform.machine() == 'aarch64':\n    import yaml",
        "import sys\nif sys.version_info[0] < 3 or sys.version_info.minor < 11:\n    import yaml",
        "import sys\nif sys.version_info[:2] < (3, 11) or (3, 14) <= sys.version_info:\n    import yaml",
        "import sys\nif sys.version_info >= (3, 13, 2):\n    import yaml",
        "try:\n    import yaml\nexcept Exception:\n    yaml = None\nelse:\n    import yaml.loader",
        "try:\n    import yaml\nexcept:\n    yaml = None",
        "import contextlib\nwith contextlib.suppress(ImportError):\n    import yaml",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import yaml",
        "import typing as t\nif t.TYPE_CHECKING and True:\n    import yaml",
        "import sys\nif sys.platform == 'win32':\n    import winreg",
        "import os\nif os.name == 'nt':\n    import winreg",
        "import sys\nif sys.version_info < (3, 11):\n    import tomli\nelse:\n    import tomllib",
        "if __name__ == '__main__':\n    import pytest",
        "import importlib\nimportlib.import_module('yaml')",
    ],
)
def test_imports_that_may_fail_or_never_run_on_lambda_are_not_asked_for(tmp_path, source):
    assert missing(tmp_path, source) == []


def test_a_condition_on_the_version_is_decided_for_the_runtime(tmp_path):
    source = "import sys\nif sys.version_info >= (3, 11):\n    import tomllib\nelse:\n    import tomli"
    assert missing(tmp_path, source, runtime=10) == ["tomli"]


def test_a_fallback_is_an_error_where_the_first_choice_is_not_there_either(tmp_path):
    source = "try:\n    import tomllib\nexcept ModuleNotFoundError:\n    import tomli as tomllib"
    assert missing(tmp_path / "new", source, runtime=11) == []
    assert missing(tmp_path / "old", source, runtime=10) == ["tomli"]


def test_what_follows_in_else_is_not_come_to_where_the_import_fails(tmp_path):
    source = "try:\n    import {}\nexcept ImportError:\n    pass\nelse:\n    import yaml.loader"
    assert missing(tmp_path / "there", source.format("requests")) == ["yaml"]
    assert missing(tmp_path / "not", source.format("yaml")) == []


def test_a_condition_on_a_variable_leaves_both_ways_open(tmp_path):
    assert missing(tmp_path, "import os\nif os.environ.get('DEBUG'):\n    import debugpy") == ["debugpy"]


def test_a_layer_may_hold_the_module_in_python_or_in_the_folder_of_the_runtime_only(tmp_path):
    repository = Repository(tmp_path)
    one = repository.wheel("one", "one/__init__.py")
    two, three = repository.wheel("two", "two.py"), repository.wheel("three", "three.py")
    repository.layer("a", wheels=[one])
    repository.layer("b", wheels=[two], folder="python/lib/python3.13/site-packages")
    repository.layer("c", wheels=[three], folder="python/lib/python3.12/site-packages")
    repository.function({"app.py": f"import one, two, three\n{HANDLER}"}, layers=("a", "b", "c"))
    (finding,) = repository.findings("import-missing")
    assert "`three`: expected it in its zip, layers/a, layers/b, layers/c or python3.13" in finding.message


def test_parts_of_a_namespace_package_count_together_wherever_they_are(tmp_path):
    repository = Repository(tmp_path)
    repository.layer("a", wheels=[repository.wheel("storage", "google/cloud/storage/__init__.py")])
    repository.function(
        {"app.py": f"import google.cloud.storage, google.protobuf\nfrom google.cloud import tasks\n{HANDLER}"},
        wheels=[repository.wheel("protobuf", "google/protobuf/__init__.py")],
        layers=("a",),
    )
    (finding,) = repository.findings("import-missing")
    assert "`google.cloud.tasks`" in finding.message
    assert "add google-cloud-tasks to functions/f/requirements.in" in finding.hint


def test_the_first_package_of_a_name_hides_what_others_have_below_it(tmp_path):
    repository = Repository(tmp_path)
    repository.layer("a", wheels=[repository.wheel("far", "shared/__init__.py", "shared/db.py")])
    repository.function({"app.py": f"import shared.db\n{HANDLER}", "shared/__init__.py": ""}, layers=("a",))
    assert [finding.message.split("`")[1] for finding in repository.findings("import-missing")] == ["shared.db"]


@pytest.mark.parametrize("init", ["import sys; sys.modules['lazy.deep'] = sys", "__path__.append('elsewhere')"])
def test_a_package_that_makes_modules_of_its_own_is_believed(tmp_path, init):
    repository = Repository(tmp_path)
    lazy = repository.wheel("lazy", files={"lazy/__init__.py": init})
    repository.function({"app.py": f"import lazy.deep\n{HANDLER}"}, wheels=[lazy])
    assert repository.findings("import-missing") == []


def test_compiled_modules_can_be_imported(tmp_path):
    repository = Repository(tmp_path)
    fast = repository.wheel("fast", "fast/__init__.py", "fast/_core.cpython-313-x86_64-linux-gnu.so", "slim.abi3.so")
    repository.function({"app.py": f"import fast._core, slim\n{HANDLER}"}, wheels=[fast])
    assert repository.findings("import-missing") == []


def test_setuptools_brings_back_distutils(tmp_path):
    repository = Repository(tmp_path)
    setuptools = repository.wheel("setuptools", "setuptools/__init__.py", "_distutils_hack/__init__.py")
    repository.function({"app.py": f"import distutils.util\n{HANDLER}"}, wheels=[setuptools])
    assert repository.findings("import-missing") == []


# ── a folder's own modules ────────────────────────────────────────────────────────────────────


def test_every_module_of_the_folder_is_judged_and_may_import_the_others(tmp_path):
    assert missing(tmp_path, "import db, pkg.deep", {"db.py": "import yaml", "pkg/deep.py": "import cv2"}) == [
        "cv2",
        "yaml",
    ]


@pytest.mark.parametrize(
    "source",
    ["from . import deep", "from .deep import X", "from .. import db", "from ..db import engine", "from . import NAME"],
)
def test_relative_imports_lead_to_the_folders_own_modules(tmp_path, source):
    src = {"__init__.py": "", "sub/__init__.py": "NAME = 1", "sub/deep.py": "X = 1", "db.py": "engine = 1"}
    files = {f"pkg/{path}": text for path, text in {**src, "sub/user.py": source}.items()}
    assert missing(tmp_path, "import pkg.sub.user", files) == []


@pytest.mark.parametrize(
    ("source", "name", "why"),
    [
        ("from . import nothing", "pkg.nothing", "src/pkg/__init__.py has no `nothing`"),
        ("from .nothing import x", "pkg.nothing", "got no such module"),
        ("from ... import x", "...", "the dots lead out of the package"),
        ("from db import engin", "db.engin", "src/db.py has no `engin`; did you mean `engine`?"),
        ("import db.deep", "db.deep", "got no such module"),
    ],
)
def test_a_wrong_name_among_its_own_modules_is_an_error(tmp_path, source, name, why):
    repository = Repository(tmp_path)
    repository.function({"pkg/__init__.py": "", "pkg/user.py": source, "db.py": "engine = 1"})
    (finding,) = repository.findings("import-missing")
    assert finding.message.startswith(f"src/pkg/user.py:1 imports `{name}`: ")
    assert finding.message.endswith(why)


@pytest.mark.parametrize(
    "text",
    [
        "def engine(): ...",
        "class engine: ...",
        "import sqlite3 as engine",
        "try:\n    engine = 1\nexcept ValueError: ...",
        "for engine in (): ...",
        "with open('x') as engine: ...",
        "(engine := 1)",
        "def connect():\n    global engine",
        "globals()['engine'] = 1",
        "vars()['engine'] = 1",
        "locals().update(engine=1)",
        "exec('engine = 1')",
        "try:\n    import fast\nexcept ImportError:\n    engine = None",
        "def __getattr__(name): ...",
        "from sqlite3 import *",
        "first, (*engine,) = (), ()",
        "def handler[?](",
    ],
)
def test_a_name_that_a_module_binds_in_any_way_can_be_imported(tmp_path, text):
    assert missing(tmp_path, "from db import engine", {"db.py": text}) == []


def test_a_top_level_module_has_no_package_to_import_from(tmp_path):
    assert missing(tmp_path, "from . import db", {"db.py": ""}) == ["."]


def test_tests_that_lie_in_src_may_import_what_does_not_ship(tmp_path):
    tests = {"test_app.py": "import pytest", "conftest.py": "import moto", "tests/events.py": "import hypothesis"}
    assert missing(tmp_path, "", tests) == []


def test_a_name_that_only_type_checkers_come_to_cannot_be_imported(tmp_path):
    db = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from json import loads\n"
    assert missing(tmp_path, "from db import loads", {"db.py": db}) == ["db.loads"]


def test_syntax_that_is_newer_than_this_python_is_read_by_the_runtimes_own(tmp_path):
    newer = "type Alias = int\nimport yaml\ndef f[T](x: T) -> T: ..."
    assert missing(tmp_path, newer, runtime=13) == ["yaml"]


def test_an_expression_too_deep_for_this_python_is_left_to_the_runtimes_own(tmp_path):
    assert missing(tmp_path, f"import yaml\ntotal = {' + '.join(['1'] * 4000)}", runtime=13) == ["yaml"]


# ── layers ────────────────────────────────────────────────────────────────────────────────────


def test_what_a_function_imports_of_a_layer_must_find_its_imports_too(tmp_path):
    repository = Repository(tmp_path)
    yaml = repository.wheel("pyyaml", "yaml/__init__.py")
    repository.layer("shared", {"shared/__init__.py": "", "shared/config.py": "import yaml", "shared/ids.py": ""})
    repository.function({"app.py": f"from shared import config\n{HANDLER}"}, name="bad", layers=("shared",))
    repository.function(
        {"app.py": f"from shared import config\n{HANDLER}"}, name="good", layers=("shared",), wheels=[yaml]
    )
    repository.function({"app.py": f"from shared import ids\n{HANDLER}"}, name="without", layers=("shared",))
    (error,) = repository.findings("import-missing")
    assert error.subject == "functions/bad"
    assert error.message.startswith("layers/shared/src/shared/config.py:1 imports `yaml`")


def test_a_layer_that_leans_on_others_is_a_warning_unless_they_are_used_together(tmp_path):
    repository = Repository(tmp_path)
    repository.layer("shared", {"config.py": "import yaml, json\nfrom nowhere import x"})
    repository.layer("data", wheels=[repository.wheel("pyyaml", "yaml/__init__.py")])
    alone = repository.findings("layer-import")
    assert [finding.message.split("`")[1] for finding in alone] == ["nowhere", "yaml"]
    assert {(finding.subject, finding.severity) for finding in alone} == {("layers/shared", Severity.WARNING)}
    repository.function({}, layers=("shared", "data"))
    assert [finding.message.split("`")[1] for finding in repository.findings("layer-import")] == ["nowhere"]


def test_a_layer_is_judged_for_each_of_its_runtimes_and_told_once(tmp_path):
    repository = Repository(tmp_path)
    repository.layer("old", {"old.py": "import cgi, tomllib"}, runtimes=(Runtime(10), Runtime(12), Runtime(13)))
    messages = [finding.message for finding in repository.findings("layer-import")]
    assert [message.split("`")[1] for message in messages] == ["cgi", "tomllib"]


def test_what_a_layer_by_arn_may_hold_is_a_warning_that_says_so(tmp_path):
    repository = Repository(tmp_path)
    repository.function({"app.py": f"import datadog_lambda\n{HANDLER}"}, layers=(ARN,))
    (finding,) = repository.findings("import-missing", "import-unseen")
    assert (finding.rule, finding.severity) == ("import-unseen", Severity.WARNING)
    assert f"it may be in {ARN}, whose content is not known" in finding.message


def test_a_package_in_the_zip_shuts_out_what_a_layer_by_arn_has_below_it(tmp_path):
    repository = Repository(tmp_path)
    repository.function({"app.py": f"import requests.nothing\n{HANDLER}"}, layers=(ARN,), wheels=[requests(repository)])
    assert [finding.rule for finding in repository.findings("import-missing", "import-unseen")] == ["import-missing"]


def test_before_a_build_imports_are_not_judged(tmp_path):
    from build.checks import check
    from build.model import Build
    from build.store.objects import Store

    repository = Repository(tmp_path).function({"app.py": f"import yaml\n{HANDLER}"})
    found = check(repository.workspace, Build(functions={}, layers={}), Store(tmp_path / "store"))
    assert [finding.rule for finding in found] == []


# ── how it is told ────────────────────────────────────────────────────────────────────────────


def one(tmp_path: Path, source: str, *, runtime: int = 13, folder: dict[str, str] | None = None):
    repository = Repository(tmp_path, runtime=Runtime(runtime))
    for name, text in (folder or {}).items():
        (tmp_path / "functions/f").mkdir(parents=True, exist_ok=True)
        (tmp_path / "functions/f" / name).write_text(text)
    repository.function({"app.py": f"{source}\n{HANDLER}"})
    (finding,) = repository.findings("import-missing")
    return finding


def test_one_error_names_every_place_of_a_missing_module(tmp_path):
    repository = Repository(tmp_path)
    repository.function({"app.py": f"import yaml\n{HANDLER}", "a.py": "\nimport yaml", "b.py": "import yaml.loader"})
    (finding,) = repository.findings("import-missing")
    assert (finding.severity, finding.subject) == (Severity.ERROR, "functions/f")
    assert finding.message == (
        "src/a.py:2, src/app.py:1, src/b.py:1 import `yaml`: expected it in its zip or python3.13, got no such module"
    )


def test_the_hint_names_the_distribution_that_is_called_differently(tmp_path):
    hint = one(tmp_path, "import yaml").hint
    assert hint.startswith("add PyYAML to functions/f/requirements.in and run `invoke lock`")


def test_the_hint_names_the_file_that_says_what_is_wanted(tmp_path):
    assert "functions/f/pyproject.toml" in one(tmp_path, "import yaml", folder={"pyproject.toml": "[project]"}).hint


def test_a_near_name_is_suggested(tmp_path):
    assert one(tmp_path, "import dateutils").message.endswith("; did you mean `dateutil`?")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[dependency-groups]\ndev = ["pyyaml>=6", {include-group = "x"}]\nx = []'),
        ("pyproject.toml", '[tool.poetry.group.dev.dependencies]\nPyYAML = "^6"'),
        ("pyproject.toml", '[tool.poetry.dev-dependencies]\npyyaml = "^6"'),
        ("pyproject.toml", '[tool.uv]\ndev-dependencies = ["PyYAML"]'),
        ("Pipfile", '[dev-packages]\npyyaml = "*"'),
        ("requirements-dev.txt", "pytest\npyyaml==6.0.3\n"),
    ],
)
def test_a_distribution_in_a_dev_group_is_said_to_be_there(tmp_path, file, text):
    hint = one(tmp_path, "import yaml", folder={file: text}).hint
    assert hint == f"move PyYAML out of the dev group in functions/f/{file}, then run `invoke lock`"


def test_a_module_that_python_removed_is_said_to_be_removed(tmp_path):
    finding = one(tmp_path, "import cgi")
    assert finding.message.endswith("; Python 3.13 removed it from the standard library")
    assert "add legacy-cgi to functions/f/requirements.in" in finding.hint
    assert "stay at python3.12" in finding.hint
    assert missing(tmp_path / "older", "import cgi", runtime=12) == []


def test_a_module_that_python_got_later_is_said_to_come_later(tmp_path):
    message = one(tmp_path, "import tomllib", runtime=10).message
    assert message.endswith("; it is in the standard library since Python 3.11")


# ── the standard library ──────────────────────────────────────────────────────────────────────


def test_the_modules_of_this_python_are_those_it_names_itself():
    ours = {name for name in stdlib_of(sys.version_info.minor) if not name.startswith("_")}
    assert ours == {name for name in sys.stdlib_module_names if not name.startswith("_")} - ELSEWHERE


@pytest.mark.parametrize("minor", range(10, 15))
def test_the_modules_of_every_runtime_are_those_that_type_checkers_know(minor):
    """typeshed, which comes with mypy, says for every module which versions have it."""
    import mypy

    versions = Path(mypy.__file__).parent / "typeshed/stdlib/VERSIONS"
    spans = re.findall(r"^([a-z]\w*): 3\.(\d+)-(?:3\.(\d+))?", versions.read_text(), re.MULTILINE | re.IGNORECASE)
    known = {name for name, since, until in spans if int(since) <= minor <= int(until or 99)}
    judged = {name for name in stdlib_of(minor) if not name.startswith("_")}
    assert known - ELSEWHERE - {"typing_extensions", "xxlimited"} == judged - {"idlelib", "turtledemo"}


def test_reading_a_module_as_a_program_needs_nothing_but_python(tmp_path):
    path = tmp_path / "app.py"
    source = "try:\n    import yaml\nexcept ImportError:\n    import cv2\nfrom .a import b\ndef handler(event): yield 1"
    path.write_text(source)
    program = [sys.executable, "-I", "-S", facts.__file__, str(path), "13"]
    printed = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    assert parsed(printed) == facts.facts_of(path.read_bytes(), 13)

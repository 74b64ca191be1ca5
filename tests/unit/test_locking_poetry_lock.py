import pytest

from build.errors import InputError
from build.locking.locks import read_locks
from build.model import Runtime, Target
from tests.builders import ARM, X86, function_spec, make_workspace, write_files

SHA = "0" * 64
OTHER = "1" * 64
X311 = Target(Runtime(11), X86.architecture)


def pyproject(dependencies, more=""):
    head = '[tool.poetry]\nname = "orders"\nversion = "0"\n[tool.poetry.dependencies]\npython = "^3.10"'
    return f"{head}\n{dependencies}\n{more}"


def package(name, version="1.0", more="", *, python=">=3.8", dependencies="", optional=False, files=True):
    listed = f'files = [{{ file = "{name}.whl", hash = "sha256:{SHA}" }}]\n' if files else ""
    edges = f"[package.dependencies]\n{dependencies}\n" if dependencies else ""
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = {str(optional).lower()}\n'
        f'python-versions = "{python}"\n{listed}{more}\n{edges}\n'
    )


def lock(*packages, version="2.1", python="^3.10", more=""):
    return "".join(packages) + f'[metadata]\nlock-version = "{version}"\npython-versions = "{python}"\n{more}'


def read(tmp_path, wanted, text, target=X86):
    folder = write_files(tmp_path / "functions/orders", {"pyproject.toml": wanted, "poetry.lock": text})
    (read,) = read_locks(make_workspace(tmp_path, functions=(function_spec(folder, target=target),))).values()
    return read


def pins(lock, target=X86):
    return {pin.name: pin.version for pin in lock.selected(target)}


def refused(tmp_path, *arguments):
    with pytest.raises(InputError) as caught:
        read(tmp_path, *arguments)
    return caught.value.facts


class TestSince21:
    """Every package says by groups and markers when it is needed."""

    def test_only_the_main_group_ships_and_no_extra(self, tmp_path):
        text = lock(
            package("a", more='groups = ["main", "dev"]'),
            package("tests", more='groups = ["dev"]'),
            package("docs", more='groups = ["docs"]', optional=True),
            package("extra", more='groups = ["main"]\nmarkers = "extra == \\"fast\\""', optional=True),
        )
        assert pins(read(tmp_path, pyproject('a = "^1"'), text)) == {"a": "1.0"}

    def test_what_is_optional_does_not_ship_even_without_a_marker_that_says_so(self, tmp_path):
        text = lock(package("a", more='groups = ["main"]'), package("b", more='groups = ["main"]', optional=True))
        assert pins(read(tmp_path, pyproject('a = "^1"\nb = {version = "*", optional = true}'), text)) == {"a": "1.0"}

    def test_markers_are_those_of_the_target(self, tmp_path):
        text = lock(
            package("n", "1.0", 'groups = ["main"]\nmarkers = "python_version < \\"3.12\\""'),
            package("n", "2.0", 'groups = ["main"]\nmarkers = "python_version >= \\"3.12\\""'),
            package("w", more='groups = ["main"]\nmarkers = "sys_platform == \\"win32\\""'),
            package(
                "m", more='groups = ["main", "dev"]\nmarkers = {main = "platform_machine == \\"aarch64\\"", dev = ""}'
            ),
        )
        wanted = pyproject('n = "*"')
        assert pins(read(tmp_path, wanted, text)) == {"n": "2.0"}
        assert pins(read(tmp_path, wanted, text, X311), X311) == {"n": "1.0"}
        assert pins(read(tmp_path, wanted, text, ARM), ARM) == {"n": "2.0", "m": "1.0"}


class TestBefore21:
    """Nothing says so: the lock is walked from what pyproject.toml wants."""

    def test_only_what_is_reached_from_the_main_dependencies_ships(self, tmp_path):
        text = lock(
            package("a", dependencies='B_b = ">=1.0,<2.0"'),
            *(package(name) for name in ("b-b", "tests", "optional-one")),
            version="2.0",
        )
        more = '[tool.poetry.group.dev.dependencies]\ntests = "*"\n[tool.poetry.dev-dependencies]\ntests = "*"'
        wanted = pyproject('a = "^1"\noptional-one = {version = "*", optional = true}', more)
        assert pins(read(tmp_path, wanted, text)) == {"a": "1.0", "b-b": "1.0"}

    def test_version_11_has_its_files_at_the_end(self, tmp_path):
        files = f'[metadata.files]\na = [{{ file = "a.whl", hash = "sha256:{OTHER}" }}]'
        text = lock(package("a", more='category = "main"', files=False), version="1.1", more=files)
        (pin,) = read(tmp_path, pyproject('a = "^1"'), text).pins
        assert pin.sha256s == {OTHER}

    def test_extras_of_a_dependency_bring_theirs(self, tmp_path):
        requests = package(
            "requests",
            more='[package.extras]\nsocks = ["PySocks (>=1.5.6,!=1.5.7)"]\nother = ["chardet (>=3)"]',
            dependencies='PySocks = {version = ">=1.5.6, !=1.5.7", optional = true, markers = "extra == \\"socks\\""}\n'
            'chardet = {version = ">=3", optional = true}\nidna = ">=2"',
        )
        text = lock(requests, package("pysocks", "1.7.1"), package("chardet", "4"), package("idna", "3"), version="1.1")
        got = read(tmp_path, pyproject('requests = {version = "^1.0", extras = ["socks"]}'), text)
        assert pins(got) == {"requests": "1.0", "pysocks": "1.7.1", "idna": "3"}

    def test_an_optional_dependency_of_a_dependency_that_nobody_asked_for_does_not_ship(self, tmp_path):
        lean = package(
            "lean", more='[package.extras]\nfast = ["more"]', dependencies='more = {version = "*", optional = true}'
        )
        text = lock(lean, package("more"), version="2.0")
        assert pins(read(tmp_path, pyproject('lean = "*"'), text)) == {"lean": "1.0"}

    def test_of_several_versions_the_newest_for_the_python_and_all_who_need_it_is_taken(self, tmp_path):
        text = lock(
            package("n", "1.0", python=">=3.8"),
            package("n", "2.0", python=">=3.8"),
            package("n", "3.0", python=">=3.12"),
            package("a", dependencies='c = "*"'),
            package("c", dependencies='n = {version = "<2.0", markers = "python_version < \\"3.12\\""}'),
            version="2.0",
        )
        wanted = pyproject('n = "*"\na = "*"')
        assert pins(read(tmp_path, wanted, text))["n"] == "3.0"
        assert pins(read(tmp_path, wanted, text, X311), X311)["n"] == "1.0"

    def test_markers_python_and_platform_of_a_dependency_are_those_of_the_target(self, tmp_path):
        text = lock(*(package(name) for name in "awpm"), version="2.0")
        wanted = pyproject(
            'a = {version = "*", platform = "linux"}\nw = {version = "*", platform = "win32"}\n'
            'p = {version = "*", python = "<3.12"}\nm = {version = "*", markers = "platform_machine == \'aarch64\'"}'
        )
        assert pins(read(tmp_path, wanted, text)) == {"a": "1.0"}
        assert pins(read(tmp_path, wanted, text, ARM), ARM) == {"a": "1.0", "m": "1.0"}
        assert pins(read(tmp_path, wanted, text, X311), X311) == {"a": "1.0", "p": "1.0"}

    def test_what_the_lock_misses_is_told(self, tmp_path):
        (said,) = refused(tmp_path, pyproject('a = "*"'), lock(package("a", dependencies='b = ">=2"'), version="2.0"))
        assert said == "functions/orders/poetry.lock: expected b>=2, got no package for it"


@pytest.mark.parametrize("form", ["poetry", "pep621"])
def test_a_wish_that_the_lock_does_not_meet_makes_it_stale(tmp_path, form):
    text = lock(package("a", more='groups = ["main"]'))
    wanted = {
        "poetry": pyproject('a = "^2"'),
        "pep621": '[project]\nname = "orders"\nversion = "0"\ndependencies = ["a>=2,<3"]\n[tool.poetry]\n',
    }[form]
    (said,) = refused(tmp_path, wanted, text)
    assert said.startswith("functions/orders/poetry.lock: expected a<3")
    assert said.endswith("got a==1.0")


def test_sources_of_all_kinds_are_understood(tmp_path):
    write_files(tmp_path / "libs/shared", {"pyproject.toml": '[tool.poetry]\nname = "shared"\nversion = "0.3"\n'})
    text = lock(
        package(
            "i", more='groups = ["main"]\n[package.source]\ntype = "legacy"\nurl = "https://example.invalid/simple"'
        ),
        package(
            "u", more='groups = ["main"]\n[package.source]\ntype = "url"\nurl = "https://example.invalid/u-1.0.zip"'
        ),
        package("shared", more='groups = ["main"]\n[package.source]\ntype = "directory"\nurl = "../../libs/shared"'),
    )
    by_name = {pin.name: pin for pin in read(tmp_path, pyproject('i = "*"\nu = "*"\nshared = "*"'), text).pins}
    assert by_name["i"].options == ("--extra-index-url https://example.invalid/simple",)
    assert by_name["u"].url == "https://example.invalid/u-1.0.zip"
    assert by_name["shared"].folder == tmp_path / "libs/shared"


def test_git_files_without_digests_and_another_python_are_told(tmp_path):
    git = package("g", more='groups = ["main"]\n[package.source]\ntype = "git"\nurl = "https://example.invalid/g.git"')
    bare = package("b", more='groups = ["main"]\nfiles = []', files=False)
    said = refused(tmp_path, pyproject('g = "*"\nb = "*"'), lock(git, bare))
    assert "g 1.0: expected files with a sha256, got a commit of a repository" in said[0]
    assert said[1] == "functions/orders/poetry.lock: b 1.0: expected the sha256 of its files, got none"
    (said,) = refused(tmp_path, pyproject(""), lock(python=">=3.8,<3.12"))
    assert "expected a lock for python3.13" in said


def test_a_torn_lock_is_told(tmp_path):
    (said,) = refused(tmp_path, pyproject('a = "*"'), "[[package]]\nname = ")
    assert said.startswith("functions/orders/poetry.lock: cannot be read: ")

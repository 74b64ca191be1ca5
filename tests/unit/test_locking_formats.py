import os
import platform
import stat
import sys

import packaging.markers
import pytest

from build.errors import InputError, ToolError
from build.locking import locks as locks_module
from build.locking.formats import wanted_file
from build.locking.locks import read_locks
from build.locking.writing import write_locks
from build.project.profiles import host_architecture
from tests.builders import ARM, X86, function_spec, layer_spec, lock_line, make_wheel, make_workspace, write_files

SHA = "0" * 64
PROJECT = '[project]\nname = "orders"\nversion = "0"\nrequires-python = ">=3.10"\ndependencies = ["six"]\n'
PINNED = f"six==1.16.0 --hash=sha256:{SHA}\n"
PYLOCK = (
    'lock-version = "1.0"\ncreated-by = "tests"\n[[packages]]\nname = "six"\nversion = "1.16.0"\n'
    'wheels = [{ name = "six-1.16.0-py3-none-any.whl", url = "https://example.invalid/six-1.16.0-py3-none-any.whl", '
    f'hashes = {{ sha256 = "{SHA}" }} }}]\n'
)
UV = (
    'version = 1\nrequires-python = ">=3.10"\n[[package]]\nname = "orders"\nversion = "0"\n'
    'source = { virtual = "." }\ndependencies = [{ name = "six" }]\n'
    '[[package]]\nname = "six"\nversion = "1.16.0"\nsource = { registry = "https://example.invalid/simple" }\n'
    f'wheels = [{{ url = "https://example.invalid/six.whl", hash = "sha256:{SHA}" }}]\n'
)
POETRY = (
    '[[package]]\nname = "six"\nversion = "1.16.0"\noptional = false\npython-versions = "*"\ngroups = ["main"]\n'
    f'files = [{{ file = "six.whl", hash = "sha256:{SHA}" }}]\n'
    '[metadata]\nlock-version = "2.1"\npython-versions = "*"\n'
)
PIPFILE = f'{{"default": {{"six": {{"hashes": ["sha256:{SHA}"], "version": "==1.16.0"}}}}}}'

PAIRS = {
    "house": {"requirements.in": "six\n", "requirements.txt": PINNED},
    "requirements.txt alone": {"requirements.txt": PINNED},
    "pyproject with requirements.txt": {"pyproject.toml": PROJECT, "requirements.txt": PINNED},
    "uv": {"pyproject.toml": PROJECT, "uv.lock": UV},
    "poetry": {"pyproject.toml": PROJECT, "poetry.lock": POETRY},
    "pipenv": {"Pipfile": "[packages]\nsix = '*'\n", "Pipfile.lock": PIPFILE},
    "pylock with requirements.in": {"requirements.in": "six\n", "pylock.toml": PYLOCK},
    "pylock with pyproject": {"pyproject.toml": PROJECT, "pylock.toml": PYLOCK},
    "pylock alone": {"pylock.toml": PYLOCK},
    "settings of tools beside a lock alone": {
        "pyproject.toml": "[tool.ruff]\n",
        "requirements.in": "six\n",
        "requirements.txt": PINNED,
    },
}


def workspace_of(tmp_path, files, target=X86):
    folder = write_files(tmp_path / "functions/orders", files)
    return make_workspace(tmp_path, functions=(function_spec(folder, target=target),))


def refused(tmp_path, files):
    with pytest.raises(InputError) as caught:
        read_locks(workspace_of(tmp_path, files))
    return caught.value.facts


@pytest.mark.parametrize("pair", PAIRS)
def test_whoever_wrote_it_the_pins_are_the_same(tmp_path, pair):
    (lock,) = read_locks(workspace_of(tmp_path, PAIRS[pair])).values()
    (pin,) = lock.selected(X86)
    assert (pin.name, pin.version, set(pin.sha256s)) == ("six", "1.16.0", {SHA})
    assert lock.file in PAIRS[pair]


@pytest.mark.parametrize("pair", [name for name in PAIRS if "alone" not in name])
def test_whoever_wrote_it_a_changed_wish_makes_it_stale(tmp_path, pair):
    files = {name: text if "lock" in name else text.replace("six\n", "six>=2\n") for name, text in PAIRS[pair].items()}
    files = {
        name: text.replace('"six"]', '"six>=2"]').replace("six = '*'", "six = '>=2'") for name, text in files.items()
    }
    (said,) = refused(tmp_path, files)
    assert said.endswith("expected six>=2, got six==1.16.0")


@pytest.mark.parametrize("pair", ["pyproject with requirements.txt", "uv", "poetry", "pipenv"])
def test_whoever_wrote_it_a_pin_from_the_index_does_not_meet_a_wish_for_a_url(tmp_path, pair):
    url = "https://example.invalid/six-1.16.0.zip"
    files = {
        name: text.replace('"six"]', f'"six @ {url}"]').replace("'*'", f"{{file = '{url}'}}")
        if "lock" not in name
        else text
        for name, text in PAIRS[pair].items()
    }
    (said,) = refused(tmp_path, files)
    assert said.endswith(f"expected six @ {url}, got six==1.16.0")


def test_the_url_that_a_lock_of_another_tool_names_meets_the_wish_for_it(tmp_path):
    url = "https://example.invalid/six-1.16.0-py3-none-any.whl"
    project = PROJECT.replace('"six"', f'"six @ {url}#sha256={SHA}"')
    locks = {
        "uv.lock": UV.replace('registry = "https://example.invalid/simple"', f'url = "{url}"'),
        "poetry.lock": POETRY.replace("[metadata]", f'[package.source]\ntype = "url"\nurl = "{url}"\n[metadata]'),
        "requirements.txt": f"six @ {url} --hash=sha256:{SHA}\n",
    }
    for number, (name, text) in enumerate(locks.items()):
        workspace = workspace_of(tmp_path / str(number), {"pyproject.toml": project, name: text})
        assert read_locks(workspace)["functions/orders"].pins[0].url == url


@pytest.mark.parametrize("pair", PAIRS)
def test_a_function_and_its_layer_that_disagree_are_told_whoever_wrote_the_locks(tmp_path, pair):
    newer = make_wheel(tmp_path, "six", "1.17.0")
    layer = layer_spec(write_files(tmp_path / "layers/data", {"requirements.txt": lock_line(newer)}))
    folder = write_files(tmp_path / "functions/orders", PAIRS[pair])
    workspace = make_workspace(tmp_path, functions=(function_spec(folder, layers=("data",)),), layers=(layer,))
    with pytest.raises(InputError) as caught:
        read_locks(workspace)
    assert caught.value.facts == ("functions/orders: six is 1.17.0 in layers/data and 1.16.0 in functions/orders",)


@pytest.mark.parametrize(
    ("wanted", "lock"),
    [
        ({"requirements.in": "six\n"}, "requirements.txt"),
        ({"pyproject.toml": PROJECT}, "uv.lock"),
        ({"pyproject.toml": PROJECT + "[tool.poetry]\n"}, "poetry.lock"),
        ({"pyproject.toml": '[tool.poetry.dependencies]\npython = "*"\nsix = "*"\n'}, "poetry.lock"),
        ({"Pipfile": '[packages]\nsix = "*"\n'}, "Pipfile.lock"),
    ],
)
def test_what_is_wanted_without_a_lock_is_told(tmp_path, wanted, lock):
    assert refused(tmp_path, wanted) == (
        f"functions/orders/{lock}: expected a lock of {next(iter(wanted))}, got no file",
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"pyproject.toml": PROJECT, "uv.lock": UV, "poetry.lock": POETRY},
            "uv.lock: expected one lock, got poetry.lock too, so keep the one that is meant",
        ),
        (
            {"requirements.in": "six\n", "requirements.txt": PINNED, "Pipfile": "", "Pipfile.lock": PIPFILE},
            "requirements.txt: expected one lock, got Pipfile.lock too, so keep the one that is meant",
        ),
        ({"poetry.lock": POETRY}, "poetry.lock: expected pyproject.toml beside it, got none"),
        (
            {"requirements.in": "six\n", "uv.lock": UV},
            "uv.lock: expected pyproject.toml beside it, got requirements.in",
        ),
        (
            {"pyproject.toml": PROJECT, "requirements.txt": "six\n"},
            "pyproject.toml: expected one file that says what is wanted, got requirements.txt too, so keep",
        ),
        ({"pyproject.toml": "[", "requirements.txt": PINNED}, "pyproject.toml: cannot be read: "),
        ({"pyproject.toml": "tool = 1", "requirements.txt": PINNED}, "pyproject.toml: cannot be read: "),
    ],
)
def test_files_that_do_not_belong_together_are_told_and_not_locked(tmp_path, files, said):
    assert said in refused(tmp_path, files)[0]
    with pytest.raises(InputError, match="do not belong together"):
        write_locks([workspace_of(tmp_path, files)])


@pytest.mark.parametrize("export", ["requirements.txt", "pylock.toml"])
def test_what_uv_exported_from_its_lock_is_no_second_source(tmp_path, export):
    header = "# This file was autogenerated by uv via the following command:\n#    uv export --frozen\n"
    (lock,) = read_locks(workspace_of(tmp_path, {**PAIRS["uv"], export: f"{header}anything\n"})).values()
    assert lock.file == "uv.lock"


@pytest.mark.parametrize(("pair", "by"), [("poetry", "poetry-plugin-export"), ("pipenv", "pipenv")])
def test_a_standard_lock_that_another_tool_writes_beside_its_own_is_no_second_source(tmp_path, pair, by):
    pylock = PYLOCK.replace('"tests"', f'"{by}"').replace("1.16.0", "1.17.0")
    workspace = workspace_of(tmp_path, {**PAIRS[pair], "pylock.toml": pylock})
    (lock,) = read_locks(workspace).values()
    assert lock.pins[0].version == "1.16.0"
    (workspace.functions[0].folder / lock.file).unlink()
    assert read_locks(workspace)["functions/orders"].pins[0].version == "1.17.0"


RANGE = "requires-python = "
BY_LOCKING = "run `invoke lock` and commit the locks it writes"
COMMIT = 'source = { git = "https://example.invalid/six?rev=1#abc" }'


@pytest.mark.parametrize(
    ("files", "way"),
    [
        ({"requirements.in": "six>=2\n", "requirements.txt": PINNED}, ""),
        ({"requirements.in": "six\n", "requirements.txt": "six==1.16.0\n"}, ""),
        ({"requirements.in": "six\n"}, ""),
        ({"requirements.in": "six=1\n", "requirements.txt": PINNED}, "so mend the line"),
        ({"requirements.in": "a @ git+https://example.invalid/a\n", "requirements.txt": ""}, "so take a release"),
        ({"requirements.in": "../../../far\n", "requirements.txt": ""}, "so copy it into this one"),
        ({"requirements.in": "./far\n", "requirements.txt": ""}, "nothing at functions/orders/far, so mend the path"),
        ({"requirements.in": "-e .\n", "requirements.txt": ""}, "so leave it out: src/ ships by itself"),
        ({"requirements.in": "-e file:.\n", "requirements.txt": ""}, "so leave it out: src/ ships by itself"),
        ({"requirements.txt": f"{PINNED}idna==3.4\n"}, "so write what is wanted into requirements.in beside it"),
        ({"Pipfile.lock": PIPFILE.replace(SHA, "")}, "so write what is wanted into Pipfile beside it"),
        ({"pylock.toml": f'{RANGE}">=3.14"\n{PYLOCK}'}, "so write what is wanted into requirements.in beside it"),
        ({"requirements.in": "six\n", "pylock.toml": f'{RANGE}">=3.14"\n{PYLOCK}'}, ""),
        ({"pyproject.toml": PROJECT, "uv.lock": UV.replace(">=3.10", ">=3.14")}, "so widen the Python versions in"),
        ({"pyproject.toml": PROJECT, "uv.lock": f"supported-markers = [\"os_name == 'nt'\"]\n{UV}"}, "so widen `envi"),
        ({"pyproject.toml": PROJECT, "uv.lock": UV.replace("version = 1", "version = 2", 1)}, "so restore it, or dele"),
        ({"pyproject.toml": PROJECT, "uv.lock": f"<<<<<<< HEAD\n{UV}"}, "so restore it, or delete it"),
        ({"pyproject.toml": PROJECT, "poetry.lock": POETRY.replace('= "*"\n', '= "<3.9"\n')}, "so widen the Python"),
        ({"pyproject.toml": PROJECT, "poetry.lock": POETRY.replace('"2.1"', '"3.0"')}, "so restore it, or delete it"),
        ({"pyproject.toml": PROJECT.replace('"six"', '"six=1"'), "uv.lock": UV}, "so mend it"),
        ({"Pipfile": "[packages]\nsix = '=1'\n", "Pipfile.lock": PIPFILE}, "so mend it"),
    ],
)
def test_what_locking_again_does_not_mend_says_what_does(tmp_path, files, way):
    with pytest.raises(InputError) as caught:
        read_locks(workspace_of(tmp_path, files))
    assert way in caught.value.facts[0]
    assert caught.value.hint == (f"do what the lines say, then {BY_LOCKING}" if way else BY_LOCKING)


@pytest.mark.parametrize("pair", ["uv", "poetry", "pipenv", "pylock alone"])
def test_a_lock_of_another_shape_than_its_tool_writes_is_told_whatever_is_wrong_with_it(tmp_path, pair):
    def told(text):
        (said,) = refused(tmp_path, {**PAIRS[pair], lock: text})
        assert said.startswith(f"functions/orders/{lock}: ")

    (lock,) = (name for name in PAIRS[pair] if "lock" in name)
    text = PAIRS[pair][lock]
    for broken in (text.replace(SHA, ""), text.replace(f'"sha256:{SHA}"', "7").replace(f'"{SHA}"', "7")):
        told(broken)
    told("[]" if pair == "pipenv" else "package = 1\npackages = 1\nversion = 1\n")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "requirements.in"),
        ({"requirements.txt": "six\n"}, "requirements.txt"),
        ({"requirements.txt": "six\n", "pyproject.toml": "[tool.ruff]\n"}, "requirements.txt"),
        ({"pyproject.toml": "[tool.ruff]\n"}, "requirements.in"),
        ({"pyproject.toml": '[project]\nname = "orders"\n'}, "pyproject.toml"),
        *((files, next(iter(files))) for name, files in PAIRS.items() if "alone" not in name),
        (PAIRS["pylock alone"], "requirements.in"),
    ],
)
def test_there_is_one_file_in_which_a_folder_says_what_it_wants(tmp_path, files, said):
    assert wanted_file(write_files(tmp_path, files)) == said


HOSTS = {
    "macOS": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64", "os_name": "posix"},
    "Windows": {"sys_platform": "win32", "platform_system": "Windows", "platform_machine": "AMD64", "os_name": "nt"},
    "PyPy": {"implementation_name": "pypy", "platform_python_implementation": "PyPy", "python_version": "3.9"},
}
CONDITIONS = (
    "sys_platform == 'linux'",
    "sys_platform == 'win32'",
    "sys_platform == 'darwin'",
    "os_name == 'nt'",
    "platform_system == 'Darwin'",
    "platform_machine == 'x86_64'",
    "platform_machine == 'aarch64'",
    "platform_machine == 'arm64'",
    "implementation_name == 'cpython'",
    "platform_python_implementation == 'PyPy'",
    "python_version >= '3.12'",
    "python_full_version < '3.12.1'",
    "python_version < '3.10' or sys_platform == 'win32'",
    "extra == 'fast'",
)


def conditional_locks():
    """One lock of each kind, whose distributions each have one of `CONDITIONS`."""
    marked = [(f"d{number}", condition.replace("'", '\\"')) for number, condition in enumerate(CONDITIONS)]
    wheel = f'wheels = [{{ url = "https://example.invalid/x.whl", hash = "sha256:{SHA}" }}]'
    edges = ", ".join(f'{{ name = "{name}", marker = "{marker}" }}' for name, marker in marked)
    uv = (
        f'version = 1\n[[package]]\nname = "orders"\nsource = {{ virtual = "." }}\ndependencies = [{edges}]\n'
        + "".join(
            f'[[package]]\nname = "{name}"\nversion = "1"\nsource = {{ registry = "https://i.invalid" }}\n{wheel}\n'
            for name, _ in marked
        )
    )
    poetry = "".join(
        f'[[package]]\nname = "{name}"\nversion = "1"\noptional = false\npython-versions = "*"\ngroups = ["main"]\n'
        f'markers = "{marker}"\nfiles = [{{ file = "x.whl", hash = "sha256:{SHA}" }}]\n'
        for name, marker in marked
    )
    pylock = 'lock-version = "1.0"\ncreated-by = "tests"\n' + "".join(
        f'[[packages]]\nname = "{name}"\nversion = "1"\nmarker = "{marker}"\n'
        f'wheels = [{{ url = "https://example.invalid/{name}-1-py3-none-any.whl", hashes = {{ sha256 = "{SHA}" }} }}]\n'
        for name, marker in marked
        if "extra" not in marker  # extras are a set there
    )
    pipfile = ", ".join(
        f'"{name}": {{"hashes": ["sha256:{SHA}"], "version": "==1", "markers": "{marker}"}}' for name, marker in marked
    )
    plain = "".join(f"d{n}==1 ; {condition} --hash=sha256:{SHA}\n" for n, condition in enumerate(CONDITIONS))
    project = PROJECT.replace('"six"', "")
    return {
        "house": {"requirements.in": "", "requirements.txt": plain},
        "uv": {"pyproject.toml": project, "uv.lock": uv},
        "poetry": {"pyproject.toml": project, "poetry.lock": poetry + '[metadata]\nlock-version = "2.1"\n'},
        "pylock": {"pylock.toml": pylock},
        "pipenv": {"Pipfile.lock": f'{{"default": {{{pipfile}}}}}'},
    }


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("kind", conditional_locks())
def test_the_machine_that_builds_never_decides(tmp_path, monkeypatch, kind, host):
    files = conditional_locks()[kind]

    def chosen():
        locks_module._holds.cache_clear()
        return {
            target: [
                pin.name for pin in read_locks(workspace_of(tmp_path, files, target)).popitem()[1].selected(target)
            ]
            for target in (X86, ARM)
        }

    here = chosen()
    assert here == {X86: ["d0", "d10", "d5", "d8"], ARM: ["d0", "d10", "d6", "d8"]}
    elsewhere = {**packaging.markers.default_environment(), **HOSTS[host]}
    monkeypatch.setattr(packaging.markers, "default_environment", lambda: elsewhere)
    monkeypatch.setattr(platform, "machine", lambda: elsewhere["platform_machine"])
    monkeypatch.setattr(platform, "system", lambda: elsewhere["platform_system"])
    monkeypatch.setattr(sys, "platform", elsewhere["sys_platform"])
    assert host_architecture() in {X86.architecture, ARM.architecture}
    assert chosen() == here


class TestTools:
    """Locks that another tool writes are written by it."""

    @pytest.fixture
    def tool(self, tmp_path, monkeypatch):
        """Return a maker of programs on PATH that write a file and note how they were called."""
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin")

        def make(name, version, lock, text):
            script = (
                f'#!/bin/sh\nif [ "$1" = --version ]; then echo "{version}"; exit; fi\n'
                f'echo "$@" >> {tmp_path}/called\ncat > {lock} <<"END"\n{text}\nEND\n'
            )
            path = write_files(tmp_path / "bin", {name: script}) / name
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

        return make

    @pytest.mark.parametrize(
        ("version", "keeping", "renewing"),
        [
            ("Poetry (version 2.1.3)", "lock --no-interaction", "lock --no-interaction --regenerate"),
            ("Poetry (version 1.8.5)", "lock --no-interaction --no-update", "lock --no-interaction"),
            ("Poetry version 1.1.15", "lock --no-interaction --no-update", "lock --no-interaction"),
        ],
    )
    def test_poetry_writes_its_lock(self, tmp_path, tool, version, keeping, renewing):
        tool("poetry", version, "poetry.lock", POETRY)
        workspace = workspace_of(tmp_path, {"pyproject.toml": PROJECT + "[tool.poetry]\n"})
        assert write_locks([workspace]) == {"functions/orders": True}
        assert write_locks([workspace], upgrade=True) == {"functions/orders": False}
        assert (tmp_path / "called").read_text().splitlines() == [keeping, renewing]
        assert read_locks(workspace)["functions/orders"].file == "poetry.lock"

    def test_pipenv_writes_its_lock(self, tmp_path, tool):
        tool("pipenv", "pipenv, version 2026", "Pipfile.lock", PIPFILE)
        workspace = workspace_of(tmp_path, {"Pipfile": '[packages]\nsix = "*"\n'})
        assert write_locks([workspace]) == {"functions/orders": True}
        assert read_locks(workspace)["functions/orders"].file == "Pipfile.lock"

    @pytest.mark.parametrize(("tool_name", "pair"), [("poetry", "poetry"), ("pipenv", "pipenv")])
    def test_a_tool_that_is_not_there_is_told_with_what_to_run(self, tmp_path, monkeypatch, tool_name, pair):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ToolError) as caught:
            write_locks([workspace_of(tmp_path, PAIRS[pair])])
        assert caught.value.hint == f"run `{tool_name} lock` in functions/orders where {tool_name} is installed"

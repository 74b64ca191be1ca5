"""Locks as uv really writes them, from an index of our own, held against what uv itself makes of them."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from build import process
from build.errors import ToolError
from build.locking.locks import read_locks, selected
from build.locking.requirements import parse_lock
from build.locking.tools import REACH, _uv
from build.locking.writing import write_locks
from build.model import Architecture
from build.project.profiles import RUNTIMES
from build.store.objects import Store
from build.wheels.resolve import Request, resolve
from tests.builders import X86, function_spec, layer_spec, make_wheel, make_workspace, write_files

pytestmark = pytest.mark.slow

PROJECT = """\
[project]
name = "orders"
version = "0"
requires-python = ">=3.10"
dependencies = [
  "web[fast]",
  "forked<2 ; python_version < '3.12'",
  "forked>=2 ; python_version >= '3.12'",
  "windows-only ; sys_platform == 'win32'",
  "arm-only ; platform_machine == 'aarch64'",
  "shared",
]
[project.optional-dependencies]
cpu = ["torn==1.0"]
gpu = ["torn==2.0"]
[dependency-groups]
dev = ["tests"]
[tool.uv]
conflicts = [[{ extra = "cpu" }, { extra = "gpu" }]]
[tool.uv.sources]
shared = { path = "../../libs/shared", editable = true }
"""
SHARED = """\
[project]
name = "shared"
version = "0.3"
requires-python = ">=3.10"
dependencies = ["torn"]
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_request(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package index on 127.0.0.1, and nothing else that uv or pip can see."""
    files = tmp_path / "index/files"
    requires = {"web": ["base", "quick ; extra == 'fast'", "colours ; sys_platform == 'win32'"]}
    names = ("web", "base", "quick", "colours", "windows-only", "arm-only", "tests")
    wheels = [make_wheel(files, name, requires=requires.get(name, ())) for name in names]
    wheels += [make_wheel(files, name, version) for name in ("forked", "torn") for version in ("1.0", "2.0")]
    for wheel in wheels:
        page = tmp_path / "index/simple" / wheel.name / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256(wheel.path.read_bytes()).hexdigest()
        with page.open("a") as out:
            out.write(f'<a href="../../files/{wheel.path.name}#sha256={digest}">{wheel.path.name}</a>\n')
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "index")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", url)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/empty")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_walk_of_uvs_lock_gives_what_uv_exports_for_every_target(tmp_path: Path, index: str) -> None:
    write_files(tmp_path / "libs/shared", {"pyproject.toml": SHARED, "shared.py": ""})
    folder = write_files(tmp_path / "layers/data", {"pyproject.toml": PROJECT})
    layer = layer_spec(folder, runtimes=RUNTIMES, architectures=tuple(Architecture))
    workspace = make_workspace(tmp_path, layers=(layer,))
    assert write_locks([workspace]) == {"layers/data": True}
    lock = read_locks(workspace)["layers/data"]
    export = [_uv(), "export", "--frozen", "--no-dev", "--no-emit-project", "--format", "requirements.txt", "--quiet"]
    exported = parse_lock(process.checked(process.run(export, cwd=folder), doing="export", hint="none").stdout)
    assert not exported.problems
    for target in layer.targets:
        ours = {(pin.name, pin.version, pin.sha256s) for pin in lock.selected(target) if not pin.folder}
        assert ours == {(pin.name, pin.version, pin.sha256s) for pin in selected(exported.pins, target)}
        assert "shared" in {pin.name for pin in lock.selected(target)}
        assert not {"tests", "colours", "windows-only"} & {name for name, _, _ in ours}


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": '[project]\nname = "o"\nversion = "0"\nrequires-python = ">=3.9"\ndependencies = ["web"]\n'},
        {"requirements.in": "web\n", "pylock.toml": ""},
    ],
    ids=["uv.lock", "pylock.toml"],
)
def test_an_index_that_only_the_lock_names_is_where_pip_finds_its_files(
    tmp_path: Path, index: str, files: dict[str, str]
) -> None:
    folder = write_files(tmp_path / "functions/orders", {k: v for k, v in files.items() if v})
    if "pylock.toml" in files:
        argv = [
            _uv(),
            "pip",
            "compile",
            "requirements.in",
            "--universal",
            "--format",
            "pylock.toml",
            "-o",
            "pylock.toml",
        ]
        process.checked(process.run([*argv, "--quiet"], cwd=folder), doing="locking", hint="none")
    workspace = make_workspace(tmp_path, functions=(function_spec(folder),))
    write_locks([workspace])
    (lock,) = read_locks(workspace).values()
    resolved = resolve([Request(lock, X86)], Store(tmp_path / "store"), on_progress=lambda _: None)
    assert [wheel.name for wheel in resolved["functions/orders", X86]] == ["base", "web"]


class TestWithoutANetwork:
    @pytest.fixture(autouse=True)
    def _unplugged(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = {"DEFAULT_INDEX": "http://127.0.0.1:9/simple", "HTTP_RETRIES": "0", "CACHE_DIR": f"{tmp_path}/cache"}
        for name, value in settings.items():
            monkeypatch.setenv(f"UV_{name}", value)

    def refused(self, tmp_path: Path, wanted: str) -> ToolError:
        folder = write_files(tmp_path / "functions/one", {"requirements.txt": wanted})
        with pytest.raises(ToolError, match="locking one failed") as caught:
            read_locks(make_workspace(tmp_path, functions=(function_spec(folder),), env="local"))
        return caught.value

    def test_the_hint_is_to_try_again(self, tmp_path: Path) -> None:
        assert self.refused(tmp_path, "six\n").hint == REACH

    def project(self, tmp_path: Path, requires: str) -> ToolError:
        pyproject = f'[project]\nname = "shared"\ndynamic = ["version"]\n[build-system]\nrequires = [{requires}]\n'
        pyproject += 'build-backend = "backend"\nbackend-path = ["."]\n'
        broken = "raise SystemExit('the moon is in the wrong phase')\n"
        write_files(tmp_path / "libs/shared", {"pyproject.toml": pyproject, "backend.py": broken})
        return self.refused(tmp_path, "../../libs/shared\n")

    def test_what_a_project_of_the_repository_is_built_by_is_out_of_reach_too(self, tmp_path: Path) -> None:
        assert self.project(tmp_path, '"hatchling"').hint == REACH

    def test_what_is_wrong_with_a_project_is_still_no_matter_of_the_network(self, tmp_path: Path) -> None:
        error = self.project(tmp_path, "")
        assert "wrong phase" in "\n".join(error.facts)
        assert error.hint == "change functions/one/requirements.txt, then run `invoke build`"

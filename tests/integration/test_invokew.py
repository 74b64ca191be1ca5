"""invokew, run for real in a folder of its own, with the invoke that the repository's lock pins."""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.network,
    pytest.mark.skipif(os.name != "posix", reason="the sh half of invokew is what runs here"),
]

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
PATIENCE_S = 60

TASKS = """
import json, os, sys, time
from pathlib import Path
from invoke import Exit, task

@task
def tell(c, text=""):
    print(json.dumps({"text": text, "cwd": os.getcwd(), "pid": os.getpid(), "prefix": sys.prefix,
                      "python_variables": sorted({"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"} & set(os.environ))}))

@task
def leave(c, code):
    raise Exit(code=int(code))

@task
def size(c, file):
    print(Path(file).stat().st_size)

@task
def wait(c):
    print("waiting", flush=True)
    time.sleep(60)

@task
def has(c, name):
    import importlib.util
    print(importlib.util.find_spec(name) is not None)
"""


def pinned(*names: str) -> str:
    """The lines of the repository's lock that pin these distributions, with their digests."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    blocks: dict[str, list[str]] = {}
    name = ""
    for line in lines:
        if line and not line.startswith((" ", "#")):
            name = line.partition("==")[0]
        if not line.lstrip().startswith("#"):
            blocks.setdefault(name, []).append(line)
    return "\n".join(line for name in names for line in blocks[name]) + "\n"


@dataclass
class Checkout:
    root: Path
    path: Path
    """The one folder on PATH: python3, and uv when the test wants it."""
    env: dict[str, str] = field(default_factory=dict)

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def stamp(self) -> Path:
        return self.venv / "invokew-stamp"

    @property
    def lock(self) -> Path:
        return self.root / "requirements.txt"

    def environ(self) -> dict[str, str]:
        ours = {"PATH", "VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYENV_ROOT", "PYENV_VERSION"}
        inherited = {name: value for name, value in os.environ.items() if name not in ours}
        return {**inherited, "PATH": str(self.path), "PYENV_ROOT": str(self.path), **self.env}

    def start(self, *arguments: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.root / "invokew", *arguments],
            cwd=cwd or self.root,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def pids(self) -> list[int]:
        """Processes that name this checkout, its invokew and installers."""
        found = []
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):  # ended meanwhile
                if os.fsencode(f"{self.root}/") in command.read_bytes():
                    found.append(int(command.parent.name))
        return found

    def run(self, *arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        child = self.start(*arguments, cwd=cwd)
        out, err = child.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(child.args, child.returncode, out, err)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Checkout]]:
    def made(*, uv: bool, name: str = "a checkout, ünïcode") -> Checkout:
        root = tmp_path / name
        root.mkdir()
        shutil.copy(ROOT / "invokew", root)
        (root / "tasks.py").write_text(TASKS)
        (root / "requirements.txt").write_text(pinned("invoke"))
        path = tmp_path / f"path of {name}"
        path.mkdir()
        (path / "python3").symlink_to(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
        if uv:
            assert UV, "uv is pinned in requirements.txt"
            (path / "uv").symlink_to(UV)
        return Checkout(root, path)

    yield made
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.parametrize("uv", [True, False], ids=["uv", "pip"])
def test_first_run_makes_venv_and_second_touches_nothing(make, uv):
    checkout = make(uv=uv)
    first = checkout.run("tell", "--text", "one")
    assert (first.returncode, '"text": "one"' in first.stdout) == (0, True), first.stderr
    assert "making .venv" in first.stderr
    before = checkout.stamp.stat()
    listing = sorted(checkout.venv.rglob("*"))
    second = checkout.run("tell")
    assert (second.returncode, second.stderr) == (0, "")
    after = checkout.stamp.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(checkout.venv.rglob("*")) == listing


def test_second_start_costs_less_than_50_ms_more_than_invoke_itself(make):
    checkout = make(uv=True)
    checkout.run("--list")

    def cpu_ms(program: Path) -> float:
        """Processor time of one start: unlike time on the clock it does not depend on what else runs."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([program, "--list"], cwd=checkout.root, env=checkout.environ(), capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    direct, wrapped = checkout.venv / "bin/invoke", checkout.root / "invokew"
    pairs = [(cpu_ms(direct), cpu_ms(wrapped)) for _ in range(7)]
    assert min(wrapped for _, wrapped in pairs) - min(direct for direct, _ in pairs) < 50


def test_arguments_folder_and_exit_code_pass_through(make, tmp_path):
    checkout = make(uv=True)
    text = "two  blanks, 'quotes' \"and\" $HOME, ünïcode, a\nline"
    told = json.loads(checkout.run("tell", "--text", text, cwd=tmp_path).stdout)
    assert (told["text"], told["cwd"]) == (text, str(tmp_path))
    assert Path(told["prefix"]).resolve() == checkout.venv.resolve()
    (tmp_path / "event.json").write_text("12345")
    assert checkout.run("size", "--file", "event.json", cwd=tmp_path).stdout == "5\n"
    assert checkout.run("leave", "--code", "37").returncode == 37
    assert checkout.run("no-such-task").returncode == 1


def test_invoke_takes_the_place_of_invokew_so_that_signals_reach_it(make):
    checkout = make(uv=True)
    checkout.run("--list")
    child = checkout.start("tell")
    assert f'"pid": {child.pid}' in child.communicate(timeout=PATIENCE_S)[0]
    child = checkout.start("wait")
    assert child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=PATIENCE_S)
    assert child.returncode == -signal.SIGTERM


def test_invokew_works_through_a_symbolic_link_and_by_a_relative_path(make, tmp_path):
    checkout = make(uv=True)
    (tmp_path / "short").symlink_to(checkout.root / "invokew")
    for command in [tmp_path / "short", Path(os.path.relpath(checkout.root / "invokew", tmp_path))]:
        done = subprocess.run(
            [command, "tell"], cwd=tmp_path, env=checkout.environ(), capture_output=True, text=True, check=False
        )
        assert (done.returncode, f'"cwd": "{tmp_path}"' in done.stdout) == (0, True), done.stderr


def test_changed_lock_changes_venv_and_what_it_no_longer_pins_goes(make):
    checkout = make(uv=True)
    assert checkout.run("has", "iniconfig").stdout == "False\n"
    checkout.lock.write_text(pinned("iniconfig", "invoke"))
    changed = checkout.run("has", "iniconfig")
    assert (changed.stdout, "the lock changed" in changed.stderr) == ("True\n", True)
    checkout.lock.write_text(pinned("invoke"))
    assert checkout.run("has", "iniconfig").stdout == "False\n"


@pytest.mark.parametrize("state", ["whole", "unfinished", "copied"])
def test_venv_of_a_person_is_kept_if_it_is_whole(make, state):
    checkout = make(uv=True)
    assert checkout.run("--list").returncode == 0
    checkout.stamp.unlink()  # now nothing shows that it was not a person
    if state == "unfinished":
        (checkout.root / ".artifacts/invokew.lock").write_text("unfinished")
    if state == "copied":
        shutil.copytree(checkout.root, checkout.root.with_name("copy"), symlinks=True)
        checkout.root = checkout.root.with_name("copy")
    (checkout.venv / "mark").touch()
    checkout.lock.write_text(pinned("iniconfig", "invoke"))
    assert checkout.run("has", "iniconfig").stdout == "True\n"
    assert (checkout.venv / "mark").exists() is (state == "whole")
    assert str(checkout.venv) in (checkout.venv / "bin/invoke").read_text()


def test_lock_that_pins_uv_needs_none_on_path_to_install_with_it(make):
    checkout = make(uv=False)
    checkout.lock.write_text(pinned("invoke", "uv"))
    assert checkout.run("has", "invoke").stdout == "True\n"
    ran = [line for line in (checkout.root / ".artifacts/invokew.log").read_text().splitlines() if line[:1] == "$"]
    assert [("uv pip sync" in line, "-m pip install" in line) for line in ran] == [
        (False, False),
        (False, True),
        (True, False),
        (False, False),
    ]


needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="finds processes under /proc")


def begin_installing(checkout: Checkout) -> "subprocess.Popen[str]":
    child = checkout.start("tell")
    deadline = time.monotonic() + PATIENCE_S
    while not (checkout.venv / "bin/python").exists():  # venv runs ensurepip for seconds from here
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return child


@needs_proc
@pytest.mark.parametrize("alone", [False, True], ids=["with its installer", "alone"])
def test_run_after_kill_9_during_install_repairs(make, alone):
    checkout = make(uv=False)
    child = begin_installing(checkout)
    for pid in [child.pid] if alone else checkout.pids():
        os.kill(pid, signal.SIGKILL)
    child.communicate(timeout=PATIENCE_S)
    assert not checkout.stamp.exists()
    (checkout.path / "uv").symlink_to(UV)
    repaired = checkout.run("tell", "--text", "mended")
    assert (repaired.returncode, "mended" in repaired.stdout) == (0, True), repaired.stderr
    # An installer that outlives its invokew holds the lock: nobody removes .venv under its hands.
    assert ("waiting for another invokew" in repaired.stderr) is alone


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_during_install_it_takes_its_installer_along(make, number):
    checkout = make(uv=False)
    child = begin_installing(checkout)
    child.send_signal(number)
    said = child.communicate(timeout=PATIENCE_S)[1]
    assert (child.returncode, "Traceback" in said) == (128 + number, False), said
    deadline = time.monotonic() + 2
    while checkout.pids() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert checkout.pids() == []
    assert not checkout.stamp.exists()


def test_two_at_once_both_succeed_and_only_one_installs(make):
    checkout = make(uv=True)
    both = [checkout.start("tell"), checkout.start("tell")]
    said = [child.communicate(timeout=PATIENCE_S)[1] for child in both]
    assert [child.returncode for child in both] == [0, 0], said
    assert sorted("is ready" in text for text in said) == [False, True]


def test_moved_checkout_is_noticed(make):
    checkout = make(uv=True)
    checkout.run("--list")
    moved = checkout.root.with_name("moved")
    checkout.root.rename(moved)
    checkout.root = moved
    told = checkout.run("tell")
    assert (told.returncode, "its folder was moved" in told.stderr) == (0, True)
    script = (moved / ".venv/bin/invoke").read_text()
    assert str(moved) in script
    assert checkout.run("tell").stderr == ""


@pytest.mark.parametrize("damage", ["invoke is gone", "python is gone", "stamp is cut short"])
def test_damaged_venv_is_made_anew(make, damage):
    checkout = make(uv=True)
    checkout.run("--list")
    if damage == "invoke is gone":
        shutil.rmtree(next(checkout.venv.glob("lib/*/site-packages/invoke")))
    elif damage == "python is gone":
        (checkout.venv / "bin/python").unlink()
    else:
        checkout.stamp.write_bytes(checkout.stamp.read_bytes()[:20])
    told = checkout.run("tell", "--text", "mended")
    assert (told.returncode, "mended" in told.stdout) == (0, True), told.stderr


@pytest.mark.parametrize("uv", [True, False], ids=["uv", "pip"])
def test_wrong_digest_in_the_lock_is_an_error_and_leaves_no_stamp(make, uv):
    checkout = make(uv=uv)
    checkout.lock.write_text(re.sub("sha256:.{64}", "sha256:" + "0" * 64, checkout.lock.read_text()))
    refused = checkout.run("tell")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert "refused a file whose digest is not the one in requirements.txt" in refused.stderr
    assert refused.stderr.splitlines()[-1].startswith("hint: run git checkout requirements.txt")
    assert not checkout.stamp.exists()


def test_no_network_is_named_as_such(make, tmp_path):
    checkout = make(uv=True)
    nowhere = "http://127.0.0.1:9/simple"
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        checkout.env[name] = ""
    checkout.env |= {
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": nowhere,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "1",
        "UV_DEFAULT_INDEX": nowhere,
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_HTTP_RETRIES": "0",
    }
    failed = checkout.run("tell")
    assert (failed.returncode, failed.stdout) == (4, "")
    assert "uv could not" in failed.stderr
    assert "pip could not make .venv: no connection to a package index" in failed.stderr
    assert not checkout.stamp.exists()


@pytest.mark.parametrize("home", ["an empty folder", "an empty string", None])
def test_home_need_not_be_there(make, tmp_path, home):
    checkout = make(uv=True)
    bare = {"PATH": str(checkout.path)}
    bare |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_"))}
    if home is not None:
        (tmp_path / "home").mkdir()
        bare["HOME"] = str(tmp_path / "home") if home == "an empty folder" else ""
    done = subprocess.run(
        [checkout.root / "invokew", "tell"], env=bare, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, '"text"' in done.stdout) == (0, True), done.stderr


def test_python_settings_of_the_caller_do_not_reach_invoke(make, tmp_path):
    checkout = make(uv=True)
    (tmp_path / "poison").mkdir()
    (tmp_path / "poison/invoke.py").write_text("raise SystemExit('poisoned')")
    checkout.env = {"PYTHONHOME": "/nowhere", "PYTHONPATH": str(tmp_path / "poison"), "VIRTUAL_ENV": str(tmp_path)}
    for _ in range(2):
        told = checkout.run("tell")
        assert (told.returncode, '"python_variables": []' in told.stdout) == (0, True), told.stderr


def test_newer_python_is_found_where_python3_is_too_old(make):
    checkout = make(uv=True)
    newer = (checkout.path / "python3").rename(checkout.path / "python3.13")
    old = checkout.path / "python3"
    old.write_text("#!/bin/sh\necho 3.10\n")
    old.chmod(0o755)
    assert checkout.run("leave", "--code", "5").returncode == 5
    pyenv = checkout.path / "versions/3.13.1/bin"
    pyenv.mkdir(parents=True)
    newer.rename(pyenv / "python3")
    shutil.rmtree(checkout.venv)
    assert checkout.run("leave", "--code", "5").returncode == 5


def test_only_an_old_python_is_an_error_that_says_what_was_found(make):
    checkout = make(uv=False)
    (checkout.path / "python3").unlink()
    (checkout.path / "python3").write_text("#!/bin/sh\necho 3.8\n")
    (checkout.path / "python3").chmod(0o755)
    refused = checkout.run("tell")
    assert (refused.returncode, "python3 is 3.8" in refused.stderr) == (4, True)
    assert refused.stderr.splitlines()[-1].startswith("hint: run uv python install")
    assert not (checkout.root / ".artifacts").exists()


def test_python_without_ensurepip_is_an_error_that_names_the_debian_package(make):
    checkout = make(uv=False)
    real = (checkout.path / "python3").rename(checkout.path / "real")
    without = (
        "import runpy, sys; sys.modules['ensurepip'] = None; sys.argv = sys.argv[1:];"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    (checkout.path / "python3").write_text(
        f'#!/bin/sh\ncase $1 in -c) exec "{real}" "$@" ;; esac\nexec "{real}" -c "{without}" "$@"\n'
    )
    (checkout.path / "python3").chmod(0o755)
    refused = checkout.run("tell")
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert (refused.returncode, f"python{version}-venv" in refused.stderr.splitlines()[-1]) == (4, True)


def test_missing_lock_is_an_error_before_anything_is_made(make):
    checkout = make(uv=True)
    checkout.lock.unlink()
    refused = checkout.run("tell")
    assert (refused.returncode, "no requirements.txt beside invokew" in refused.stderr) == (2, True)
    assert not checkout.venv.exists()

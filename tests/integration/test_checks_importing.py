"""Handlers imported for real: cold processes on the runtime's own Python, without a cloud."""

import os
import shutil
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from build.checks.distributions import BUNDLED
from build.local import importing, runtime_bundle
from build.local.importing import Code, Imported, code_of, code_of_release, measure, race
from build.model import Architecture
from build.project.profiles import host_architecture
from build.release.handoff import handoff_of
from build.results import PublishedArtifact
from build.review.changes import ImportTime
from build.store.objects import Store
from tests.builders import PY313
from tests.checking import Repository
from tests.checkout import ROOT, make_checkout

pytestmark = pytest.mark.slow


class Importable(Repository):
    """A repository whose artifacts are in its store, so that they can run."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        runtime_bundle.ensure(ROOT, PY313)
        (root / ".artifacts/local").mkdir(parents=True)
        (root / ".artifacts/local/runtime").symlink_to(ROOT / ".artifacts/local/runtime")
        self.store = Store(root / ".artifacts/store")

    @property
    def code(self) -> Code:
        """The function ``f``, for this machine."""
        for artifact in self.build.artifacts:
            place = self.store.artifact(artifact.digest)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(artifact.path.read_bytes())
        (spec,) = self.workspace.functions
        return replace(code_of(spec, self.build), function=_here(spec))

    def imported(self, source: str, **settings: object) -> Imported:
        """Import ``source`` as app.py."""
        self.function({"app.py": source}, **settings)  # type: ignore[arg-type]
        return measure(self.code, self.workspace, self.store)


def _here(spec):
    return replace(spec, target=replace(spec.target, architecture=host_architecture()))


@pytest.fixture
def repository(tmp_path):
    return Importable(tmp_path)


HANDLER = "def handler(event, context): ...\n"


def test_the_modules_that_every_runtime_brings_are_those_in_the_wheels_it_is_made_of():
    folder = runtime_bundle.ensure(ROOT, PY313)
    modules = {path.name.partition(".")[0] for path in folder.iterdir() if "." not in path.stem or path.suffix == ".so"}
    tops = {name for name in modules if name.isidentifier() and name not in {"bin", "bootstrap", "__pycache__"}}
    assert tops == BUNDLED


def test_the_time_of_an_import_is_told_with_what_took_the_longest(repository):
    wheels = [repository.wheel(name, files={f"{name}.py": f"import time; time.sleep({s})"}) for name, s in SLEEPS]
    imported = repository.imported(f"import slow, quick\nprint('noise')\n{HANDLER}", wheels=wheels)
    assert imported.failure is None
    assert imported.took_ms
    assert 250 < imported.took_ms < 5000
    names = [name for name, _ in imported.slowest]
    assert names[:2] == ["slow", "quick"]
    assert dict(imported.slowest)["slow"] >= 200


SLEEPS = (("slow", 0.2), ("quick", 0.05))


def test_layers_and_what_the_runtime_brings_are_there(repository):
    repository.layer("shared", {"shared.py": "NAME = 1"})
    imported = repository.imported(f"import shared, boto3, awslambdaric\n{HANDLER}", layers=("shared",))
    assert imported.failure is None


@pytest.mark.parametrize(
    ("source", "message", "module"),
    [
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'", "nowhere"),
        ("raise ValueError('at import')", "ValueError: at import", None),
        ("import os; os.environ['TABLE']", "KeyError: 'TABLE'", None),
        ("import sys; sys.exit(3)", "SystemExit: 3", None),
        ("def main(event, context): ...", "AttributeError: module 'app' has no attribute 'handler'", None),
    ],
)
def test_an_import_that_fails_tells_why_and_where(repository, source, message, module):
    failure = repository.imported(f"\n{source}").failure
    assert failure
    assert failure.message.startswith(message)
    assert failure.module == module
    assert message.startswith("AttributeError") or failure.lines[0] == 'File "/var/task/app.py", line 2, in <module>'


def test_a_process_that_ends_itself_or_crashes_is_a_failure(repository):
    failure = repository.imported("import os, sys; print('last words', flush=True); os._exit(7)").failure
    assert failure
    assert failure.message == "the process ended with code 7"
    assert failure.lines == ("last words",)


def test_an_import_that_never_ends_is_ended_and_its_place_is_told(repository, monkeypatch):
    monkeypatch.setattr(importing, "LIMIT_S", 1.0)
    failure = repository.imported("import threading\nthreading.Event().wait()").failure
    assert failure
    assert failure.message == "it did not end in 1 s"
    assert failure.lines[-1] == 'File "/var/task/app.py", line 2 in <module>'


def test_threads_that_an_import_starts_do_not_keep_it_from_ending(repository):
    thread = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    assert repository.imported(thread + HANDLER).failure is None


def test_a_call_to_aws_at_import_fails_at_once(repository):
    call = "import boto3\nboto3.client('sts', region_name='us-east-1').get_caller_identity()"
    failure = repository.imported(call).failure
    assert failure
    assert "Could not connect to the endpoint URL" in failure.message


def test_code_for_another_architecture_is_not_run(repository):
    other = next(each for each in Architecture if each is not host_architecture())
    repository.function({})
    code = repository.code
    foreign = replace(code.function, target=replace(code.function.target, architecture=other))
    imported = measure(replace(code, function=foreign), repository.workspace, repository.store)
    assert (imported.not_run, imported.took_ms) == (f"{other} on {host_architecture()}", None)


# ── two versions, by turns ────────────────────────────────────────────────────────────────────


LOOK_S = 60.0


def raced(repository, before, after, *, limit_s=LOOK_S, **settings):
    """Race two sources of app.py."""
    codes = [repository.function({"app.py": f"{source}\n{HANDLER}"}, **settings).code for source in (before, after)]
    return race(codes[0], codes[1], repository.workspace, repository.store, until=time.monotonic() + limit_s)


def test_a_slower_import_is_told_from_the_same_one(repository):
    slower = raced(repository, "", "import time; time.sleep(0.3)")
    assert slower.not_run == ""
    assert min(slower.after_ms) - min(slower.before_ms) > 290
    assert 2 <= len(slower.before_ms) == len(slower.after_ms) <= importing.TURNS
    assert ImportTime.of(slower.before_ms, slower.after_ms).differs
    same = raced(repository, "import json", "import json")
    assert not ImportTime.of(same.before_ms, same.after_ms).differs


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nowhere", "the new code fails with ModuleNotFoundError (nowhere)"),
        ("raise ValueError('hunter-2')", "the new code fails with ValueError"),
        ("raise ImportError('x', name='of user hunter-2')", "the new code fails with ImportError"),
        ("raise type('hunter 2', (Exception,), {})", "the new code fails with an error"),
        ("import os; os._exit(7)", "the new code ends its process with code 7"),
    ],
)
def test_without_a_time_there_is_a_reason_that_has_no_value_in_it(repository, source, said):
    assert raced(repository, "", source).not_run == said
    assert raced(repository, source, "").not_run == said.replace("the new code", "what runs now")


def test_an_import_that_never_ends_costs_no_more_than_the_time_there_is(repository):
    began = time.monotonic()
    found = raced(repository, "", "import threading\nthreading.Event().wait()", limit_s=2.0)
    assert found.not_run.startswith("the new code did not end in ")
    assert time.monotonic() - began < 15
    assert raced(repository, "", "", limit_s=0.0).not_run == "there was no time left for it"


def test_what_an_import_starts_neither_outlives_it_nor_keeps_it(repository):
    child = "import os, time\nif os.fork() == 0:\n    time.sleep(600)\nprint(os.getpgrp(), flush=True)\n"
    began = time.monotonic()
    assert raced(repository, "", child).not_run == ""
    assert time.monotonic() - began < LOOK_S
    group = os.getpgrp()
    assert not [each for each in _sleepers() if each != group]


def _sleepers():
    """Return the process groups of probes that still run."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(importing._PROBE).encode() in place.read_bytes():
                found.append(os.getpgid(int(place.parent.name)))
        except OSError:
            continue
    return found


def test_versions_for_another_architecture_are_not_raced(repository):
    other = next(each for each in Architecture if each is not host_architecture())
    repository.function({})
    code = repository.code
    foreign = replace(code, function=replace(code.function, target=replace(code.function.target, architecture=other)))
    found = race(code, foreign, repository.workspace, repository.store, until=time.monotonic() + LOOK_S)
    assert (found.not_run, found.after_ms) == (f"{other} on {host_architecture()}", ())


REACHES = {
    "a file": "open({canary!r}).read()",
    "a folder": "import os; os.listdir({folder!r})",
    "a file it would write": "open({folder!r} + '/written', 'w')",
    "the environment of who started it": "import os; open('/proc/%d/environ' % os.getppid()).read()",
    "the memory of who started it": "import os; open('/proc/%d/mem' % os.getppid(), 'rb')",
    "an address": "import socket; socket.create_connection(('127.0.0.1', {port}), 5)",
    "a socket of a file": "import socket; socket.socket(socket.AF_UNIX).connect({socket!r})",
    "a file, by a program": "import subprocess; subprocess.run(['cat', {canary!r}], check=True, stderr=-3)",
}


@pytest.mark.parametrize("what", REACHES)
def test_what_is_raced_is_shut_in(repository, tmp_path, what):
    canary = tmp_path / "canary"
    canary.write_text("canary")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "s"))
        local.listen()
        places = {"canary": str(canary), "folder": str(tmp_path), "port": server.getsockname()[1]}
        reach = REACHES[what].format(**places, socket=str(tmp_path / "s"))
        if "getppid" not in reach:
            assert repository.imported(f"{reach}\n{HANDLER}").failure is None, "shut in it is not: it works"
            (tmp_path / "written").unlink(missing_ok=True)
            canary.write_text("canary")
        found = raced(repository, "", reach)
    told = ("PermissionError", "ConnectionRefusedError", "CalledProcessError")
    assert found.not_run in {f"the new code fails with {error}" for error in told}
    assert canary.read_text() == "canary"
    assert not (tmp_path / "written").exists()


def test_what_is_shut_in_has_its_home_its_own_files_and_no_more_environment_than_on_lambda(repository, monkeypatch):
    monkeypatch.setenv("CANARY", "canary")
    source = """
import os, pathlib, seal, tempfile, boto3
assert "CANARY" not in os.environ
assert seal.NAME == "mine"
pathlib.Path.home().joinpath("x").write_text("x")
tempfile.TemporaryFile().close()
assert "handler" in pathlib.Path(__file__).read_text()
boto3.client("s3", region_name="us-east-1")
"""
    repository.layer("shared", {"seal.py": "NAME = 'mine'"})
    assert raced(repository, "", source, layers=("shared",)).not_run == ""


def test_where_nothing_can_be_shut_in_nothing_is_raced(repository, monkeypatch):
    folder = repository.root / "without"
    shutil.copytree(importing._PROBE.parent, folder)
    (folder / "seal.py").write_text("def shut_in(readable, writable): return False")
    monkeypatch.setattr(importing, "_PROBE", folder / "probe.py")
    found = raced(repository, "open('/tmp/never', 'w')", "")
    assert found.not_run == "the new code cannot be shut in on this machine (Linux with Landlock can)"


def test_a_release_is_found_again_by_its_digests_while_the_store_has_them(repository):
    repository.layer("shared", {"shared.py": ""}).function({}, layers=("shared",))
    code = repository.code
    published = [PublishedArtifact(artifact=each, location="x", uploaded=True) for each in repository.build.artifacts]
    handoff = handoff_of(repository.workspace, published)
    released = code_of_release(repository.workspace.functions[0], {"handoff": handoff}, repository.store)
    assert released == replace(code, function=repository.workspace.functions[0])
    repository.store.artifact(code.digest).unlink()
    assert code_of_release(repository.workspace.functions[0], {"handoff": handoff}, repository.store) is None
    first = {"handoff": handoff_of(replace(repository.workspace, functions=(), layers=()), ())}
    assert code_of_release(repository.workspace.functions[0], first, repository.store) is None


def test_check_ends_with_every_error_and_a_way_out_of_each(tmp_path):
    checkout = make_checkout(tmp_path)
    for name, module in (("one", "yaml"), ("two", "cgi")):
        checkout.run("new", name)
        checkout.write(f"functions/{name}/src/app.py", f"import {module}\n{HANDLER}")
    lines = checkout.run("check", code=1).stderr.splitlines()
    begin = lines.index("error: the checks found errors")
    told = [line.partition(": expected")[0].partition(" and run")[0].strip() for line in lines[begin + 1 :]]
    assert told == [
        "functions/one: src/app.py:1 imports `yaml`",
        "→ add PyYAML to functions/one/requirements.in",
        "functions/two: src/app.py:1 imports `cgi`",
        "→ add legacy-cgi to functions/two/requirements.in",
        "hint: mend what is listed, then run `invoke check`",
    ]


def test_check_import_shows_a_table_and_ends_with_all_imports_that_fail(tmp_path):
    checkout = make_checkout(tmp_path)
    for name in ("good", "bad", "worse"):
        checkout.run("new", name)
    checkout.write("functions/bad/src/app.py", f"import os\nTABLE = os.environ['TABLE']\n{HANDLER}")
    checkout.write("functions/worse/src/app.py", f"raise RuntimeError('at import')\n{HANDLER}")
    done = checkout.run("check", "--import", code=1, AWS_ENDPOINT_URL=os.devnull)
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert "failed" in rows["bad"]
    assert " ms" in rows["good"]
    assert "no release to compare with" in done.stderr
    assert "functions/bad: importing `app.handler`: KeyError: 'TABLE'" in done.stderr
    assert "→ set the variable in [environment] of functions/bad/function.toml" in done.stderr
    assert "functions/worse: importing `app.handler`: RuntimeError: at import" in done.stderr
    assert done.stderr.rstrip().endswith("hint: mend them, then run `invoke check --import`")

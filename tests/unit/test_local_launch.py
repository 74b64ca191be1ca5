from pathlib import Path

import pytest

from build.errors import ToolError
from build.local import launch, machine, runtime_bundle, sandbox
from build.local.deployment import Container, Deployment, Tool
from build.model import Runtime

ROOT = Path("/a repository")


@pytest.fixture
def launched(monkeypatch, tmp_path):
    """Give a function that says how a deployment is started, with or without a sandbox."""
    monkeypatch.setattr(runtime_bundle, "ensure", lambda *_: Path("/bundle"))
    monkeypatch.setattr(machine, "binds_of", lambda *_: ((Path("/a root"), "/"), (Path("/stdlib"), "/var/lang/lib")))
    monkeypatch.setattr(launch, "interpreter_of", lambda _: Path("/python/bin/python3.13"))
    launch._immovable.cache_clear()

    def make(problem="", **changed):
        monkeypatch.setattr(sandbox, "problem", lambda: problem)
        values = {
            "function_name": "orders",
            "version": "7",
            "runtime": Runtime(13),
            "handler": "app.handler",
            "task_root": Path("/task"),
            "opt": Path("/layers"),
            "ephemeral_storage_mb": 600,
            "log_group": "/aws/lambda/orders",
            "region": "eu-central-1",
            "account_id": "123456789012",
        }
        made = launch.Launcher(Deployment(**{**values, **changed}), root=ROOT, scratch=tmp_path, endpoint=None)
        return made, made.prepare(), made.launch("stream")

    yield make
    launch._immovable.cache_clear()


def binds(argv):
    return [tuple(argv[at + 1 : at + 3]) for at, word in enumerate(argv) if word == "--ro-bind"]


def test_a_zip_is_started_as_on_lambda_at_lambdas_places(launched, tmp_path):
    _, note, started = launched()
    assert (note, started.boxed) == ("", True)
    assert binds(started.argv) == [
        ("/a root", "/"),
        ("/stdlib", "/var/lang/lib"),
        ("/bundle", "/var/runtime"),
        ("/task", "/var/task"),
        ("/layers", "/opt"),
    ]
    assert started.argv[started.argv.index("--") + 1 :] == ["/var/lang/bin/python3.13", "/var/runtime/bootstrap.py"]
    assert started.argv[started.argv.index("--chdir") + 1] == "/var/task"
    assert started.argv[started.argv.index("--size") + 1] == str(600 << 20)
    assert started.variables["LAMBDA_TASK_ROOT"] == "/var/task"
    assert "LD_LIBRARY_PATH" not in started.variables
    assert list(tmp_path.iterdir()) == []


def test_without_layers_there_is_an_empty_opt(launched):
    assert "/opt" not in dict(binds(launched(opt=None)[2].argv)).values()


def test_a_wrapper_comes_before_the_runtime(launched):
    *_, started = launched(environment={"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"})
    assert started.argv[-3:] == ["/opt/wrapper", "/var/lang/bin/python3.13", "/var/runtime/bootstrap.py"]


def test_without_a_sandbox_it_runs_on_this_machine_with_a_folder_of_its_own_and_says_so(launched, tmp_path):
    made, note, started = launched(problem="no sandbox")
    assert note == "no sandbox: the function sees this machine's files, and has your rights"
    assert not started.boxed
    assert started.argv[0] == "/python/bin/python3.13"
    assert started.argv[-1] == "/layers"
    assert started.cwd == Path("/task")
    (folder,) = tmp_path.iterdir()
    assert started.variables["TMPDIR"] == started.variables["HOME"] == str(folder)
    made.clean()
    assert list(tmp_path.iterdir()) == []


def test_a_python_that_cannot_be_moved_runs_where_it_is(launched, monkeypatch):
    def fail(*_):
        raise ToolError("it is part of something larger", hint="run `invoke doctor`")

    monkeypatch.setattr(machine, "binds_of", fail)
    _, note, started = launched()
    assert note.startswith("it is part of something larger: ")
    assert not started.boxed


def test_a_tool_runs_in_place_of_the_bootstrap_and_sees_its_folder_beside_the_function(launched):
    tool = Tool(program="print()", options=("-X", "utf8"), folder=Path("/tools"))
    *_, boxed = launched(tool=tool)
    assert ("/tools", "/var/tool") in binds(boxed.argv)
    assert boxed.argv[-6:] == ["/var/lang/bin/python3.13", "-X", "utf8", "-c", "print()", "/var/tool"]
    *_, bare = launched(problem="no sandbox", tool=tool)
    assert bare.argv[3:8] == ["-X", "utf8", "-c", "print()", "/tools"]


def test_an_image_brings_all_it_needs(launched):
    container = Container(root=Path("/image"), command=("/run", "it"), workdir="/app", environment={"A": "b"})
    _, note, started = launched(container=container, runtime=None)
    assert (note, started.boxed) == ("", True)
    assert binds(started.argv) == [("/image", "/")]
    assert started.argv[-2:] == ["/run", "it"]
    assert started.variables["A"] == "b"

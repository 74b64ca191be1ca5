import json
from pathlib import Path

import pytest

from build.image import Image
from build.local import sandbox
from build.local.containers import contained
from build.local.deployment import Deployment
from build.local.refusals import NotRunnableError
from build.model import Runtime
from build.options import ImageConfig
from tests.crafted_images import Crafted, tar

AWS = {
    "Env": ["PATH=/var/lang/bin", "LD_LIBRARY_PATH=/var/lang/lib", "LAMBDA_TASK_ROOT=/var/task", "MODEL=a=b"],
    "Entrypoint": ["/lambda-entrypoint.sh"],
    "Cmd": ["app.handler"],
    "WorkingDir": "/var/task",
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Give a function that says how an image with these settings runs, with or without a sandbox."""

    def made(config=None, *, problem="", environment=(), image=None, **settings):
        monkeypatch.setattr(sandbox, "problem", lambda: problem)
        deployment = Deployment(
            function_name="orders",
            version="1",
            runtime=None,
            handler="",
            task_root=tmp_path,
            environment=dict(environment),
            log_group="/aws/lambda/orders",
            region="eu-central-1",
            account_id="123456789012",
        )
        image = image or Crafted(tmp_path / "blobs", tar(("a", "x")), **settings).image
        return contained(deployment, image, tmp_path / "root", config or ImageConfig())

    for folder in ("root/var/lang/bin", "root/var/task", "root/opt"):
        (tmp_path / folder).mkdir(parents=True)
    for program in ("python3", "python3.12", "python3.12-config"):
        (tmp_path / "root/var/lang/bin" / program).touch()
    return made


def test_an_image_says_what_it_runs(run):
    container = run(**AWS).container
    assert container
    assert container.command == ("/lambda-entrypoint.sh", "app.handler")
    assert container.workdir == "/var/task"
    assert container.environment["MODEL"] == "a=b"


@pytest.mark.parametrize(
    ("config", "command", "workdir"),
    [
        (ImageConfig(command=("other.handler",)), ("/lambda-entrypoint.sh", "other.handler"), "/var/task"),
        (ImageConfig(entry_point=("/a", "b")), ("/a", "b", "app.handler"), "/var/task"),
        (ImageConfig(entry_point=("/a",), command=("b",), working_directory="/"), ("/a", "b"), "/"),
    ],
)
def test_a_function_says_something_else_part_by_part(run, config, command, workdir):
    container = run(config, **AWS).container
    assert container
    assert (container.command, container.workdir) == (command, workdir)


def test_an_image_that_says_nothing_is_refused(run):
    with pytest.raises(NotRunnableError, match="neither an entry point nor a command"):
        run()
    container = run(Cmd=["/run"]).container
    assert container
    assert (container.command, container.workdir, container.environment) == (("/run",), "/", {})


def test_without_a_sandbox_the_images_code_runs_on_this_machines_python(run, tmp_path, capsys):
    made = run(problem="no sandbox", environment={"MODEL": "own", "PATH": "own"}, **AWS)
    assert made.container is None
    assert (made.runtime, made.handler) == (Runtime(12), "app.handler")
    assert (made.task_root, made.opt) == (tmp_path / "root/var/task", tmp_path / "root/opt")
    assert made.environment == {"MODEL": "own", "PATH": "own"}
    assert made.note.startswith("no sandbox: ")
    run(problem="no sandbox", **AWS)
    assert capsys.readouterr().err.count("no sandbox") <= 1


def test_an_image_for_other_machines_has_no_sandbox(run, tmp_path):
    crafted = Crafted(tmp_path / "blobs", tar(("a", "x")), **AWS).image
    config = json.dumps({**crafted.whole_config, "architecture": "s390x"}).encode()
    made = run(image=Image(crafted.manifest, config))
    assert made.container is None
    assert made.note.startswith("the image is for s390x, this machine is ")


@pytest.mark.parametrize("missing", ["var/lang", "var/task"])
def test_what_is_not_made_like_awss_needs_a_sandbox(run, tmp_path, missing):
    (tmp_path / "root" / missing).rename(tmp_path / "elsewhere")
    (tmp_path / "root" / missing).symlink_to(Path("/nowhere") if missing == "var/lang" else tmp_path / "elsewhere")
    with pytest.raises(NotRunnableError, match="only a sandbox can run") as caught:
        run(problem="no sandbox", **AWS)
    assert caught.value.facts == ("no sandbox",)

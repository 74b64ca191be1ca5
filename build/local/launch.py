"""The process of an execution environment: what is started, with which variables, and whether in a sandbox.

A zip sees the real paths of Lambda in a sandbox; without one, those of this machine, as best it can.
"""

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from build.errors import ToolError
from build.local import machine, runtime_bundle, sandbox
from build.local.deployment import Deployment, Tool
from build.local.variables import container_variables, worker_variables
from build.model import Runtime
from build.project.interpreters import interpreter_of

_BOOTSTRAP = Path(__file__).parent / "runtime" / "bootstrap.py"
_WRAPPED = (
    'if [ ! -f "$0" ]; then echo "$0: does not exist"; exit 127; fi; '
    'if [ ! -x "$0" ]; then echo "$0: is not an executable"; exit 126; fi; exec "$0" "$@"'
)
"""https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to start."""

    argv: list[str]
    variables: dict[str, str]
    """Its whole environment but for AWS_LAMBDA_RUNTIME_API."""
    cwd: Path
    boxed: bool
    """In a sandbox, whose own two processes come first, and whose exit codes are its own."""


class Launcher:
    """Knows how `Deployment` runs on this machine. It has a temporary folder to `clean` where a sandbox brings none."""

    def __init__(self, deployment: Deployment, *, root: Path, scratch: Path | None, endpoint: str | None) -> None:
        """``root`` is the repository's; ``scratch`` is where the folder is made, None the host's place for that."""
        self._deployment = deployment
        self._root = root
        self._scratch = scratch
        self._endpoint = endpoint
        self._temporary: Path | None = None

    def prepare(self) -> str:
        """Fetch and make what every start needs, which may take its time; return what is not as on Lambda.

        Raises ToolError where there is no Python of the runtime, or what the runtime holds cannot be fetched.
        """
        if not self._deployment.runtime:
            return self._deployment.note
        runtime_bundle.ensure(self._root, self._deployment.runtime)
        return self._deployment.note or _without(self._root, self._deployment.runtime)

    def launch(self, log_stream: str) -> Launch:
        """Return what to start; its log goes to ``log_stream``."""
        if self._deployment.container:
            return self._image(log_stream)
        runtime = self._deployment.runtime
        assert runtime, "without a container there is one"
        bundle = runtime_bundle.ensure(self._root, runtime)
        if self._deployment.note or _without(self._root, runtime):
            return self._host(runtime, bundle, log_stream)
        return self._zip(runtime, bundle, log_stream)

    def clean(self) -> None:
        """Remove the temporary folder."""
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _image(self, log_stream: str) -> Launch:
        container = self._deployment.container
        assert container
        said = container_variables(self._deployment, container, log_stream=log_stream, endpoint=self._endpoint)
        return self._boxed([*container.command], said, [(container.root, "/")], container.workdir)

    def _zip(self, runtime: Runtime, bundle: Path, log_stream: str) -> Launch:
        deployment = self._deployment
        binds = [*machine.binds_of(self._root, runtime), (bundle, machine.RUNTIME)]
        binds.append((deployment.task_root, machine.TASK))
        if deployment.opt:
            binds.append((deployment.opt, machine.OPT))
        tool = deployment.tool
        if tool and tool.folder:
            binds.append((tool.folder, machine.TOOL))
        python = f"{machine.LANG}/bin/{runtime}"
        said = worker_variables(
            replace(deployment, task_root=Path(machine.TASK), opt=Path(machine.OPT)),
            python=Path(python),
            runtime_folder=Path(machine.RUNTIME),
            temporary=None,
            log_stream=log_stream,
            endpoint=self._endpoint,
        )
        wrapper = said.get("AWS_LAMBDA_EXEC_WRAPPER")
        before = ["/bin/sh", "-c", _WRAPPED, wrapper] if wrapper else []
        command = _command(tool, f"{machine.RUNTIME}/{_BOOTSTRAP.name}", folder=machine.TOOL)
        return self._boxed([*before, python, *command], said, binds, machine.TASK)

    def _boxed(self, argv: list[str], said: dict[str, str], binds: list[tuple[Path, str]], workdir: str) -> Launch:
        place = sandbox.Sandbox(binds=binds, workdir=workdir, temporary_mb=self._deployment.ephemeral_storage_mb)
        told = {name: value for name, value in said.items() if name not in sandbox.kept_out(said)}
        return Launch(argv=place.command(argv, said), variables=told, cwd=binds[0][0], boxed=True)

    def _host(self, runtime: Runtime, bundle: Path, log_stream: str) -> Launch:
        deployment, python = self._deployment, interpreter_of(runtime)
        self._temporary = self._temporary or Path(tempfile.mkdtemp(prefix="environment-", dir=self._scratch))
        variables = worker_variables(
            deployment,
            python=python,
            runtime_folder=bundle,
            temporary=self._temporary,
            log_stream=log_stream,
            endpoint=self._endpoint,
        )
        command = _command(deployment.tool, str(_BOOTSTRAP))
        argv = [str(python), "-S", "-B", *command, str(os.getpid()), str(deployment.opt or "")]
        return Launch(argv=argv, variables=variables, cwd=deployment.task_root, boxed=False)


def _command(tool: Tool | None, bootstrap: str, *, folder: str = "") -> list[str]:
    """Return what the interpreter is to run: ``bootstrap``, or a tool; ``folder`` is where that sees its own."""
    if tool is None:
        return [bootstrap]
    return [*tool.options, "-c", tool.program, (folder or str(tool.folder)) if tool.folder else ""]


def _without(root: Path, runtime: Runtime) -> str:
    """Say why a zip of ``runtime`` runs without a sandbox here; empty where it runs in one."""
    problem = sandbox.problem() or _immovable(root, runtime)
    if not problem:
        return ""
    note = f"{problem}: the function sees this machine's files, and has your rights"
    _say_once(note)
    return note


@cache
def _immovable(root: Path, runtime: Runtime) -> str:
    try:
        machine.binds_of(root, runtime)
    except ToolError as why:
        return why.summary
    return ""


@cache
def _say_once(note: str) -> None:
    sys.stderr.write(f"{note}\n")

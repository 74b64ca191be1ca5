"""Import handlers, each in a cold execution environment, and measure what a cold start spends before the first event.

Neither Terraform nor a running cloud is needed. AWS is out of reach: its endpoint is the embedded cloud where one runs,
else a port at which nobody listens.
"""

import json
import os
import re
import signal
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from build import process
from build.digest import Digest
from build.images.assembled import zips_of
from build.local import runtime_bundle
from build.local.built import zip_deployment
from build.local.deployment import Deployment
from build.local.variables import worker_variables
from build.model import Architecture, Build, FunctionSpec, Runtime, Target, Workspace
from build.process import Completed
from build.project.interpreters import interpreter_of
from build.project.profiles import host_architecture
from build.release.handoff import artifact_of
from build.rules.arns import FOREIGN_LAYER
from build.store.objects import Store

COLD_STARTS = 3
TURNS = 5
"""How often `race` lets each side run at most."""
ENOUGH_S = 3.0
"""After which `race` begins no further turn, once both sides ran twice."""
SLOWEST = 5
LIMIT_S = 60.0
"""For one import. Lambda itself gives 10 s and then begins again on the function's own time:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html"""
_GRACE_S = 5.0
"""What a process may take beyond its limit: to start, and to tell where it hangs."""
_LOOK_S = 0.01
NOWHERE = "http://127.0.0.1:9"
"""The discard port, where a call to AWS fails at once."""

_PROBE = Path(__file__).parent / "runtime" / "probe.py"
_BEGIN = "slipway: the import of the handler begins"
_TIMED = re.compile(r"import time:\s*\d+ \|\s*(\d+) \| ( *)(\S+)")
_NAME = re.compile(r"[\w.]{1,80}")
_SHOWN_LINES = 8
_OUR_FRAMES = ("<frozen importlib", "importlib/__init__.py", str(_PROBE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What a function is made of, here or in a release: digests of zips in the store, and what runs them."""

    function: FunctionSpec
    digest: Digest
    layers: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an import failed."""

    message: str
    """``ModuleNotFoundError: No module named 'yaml'``. May hold values of the environment."""
    brief: str
    """What the code does, without a word of its own: ``fails with ModuleNotFoundError (yaml)``."""
    lines: tuple[str, ...]
    """The end of the traceback, with paths as on Lambda."""
    module: str | None = None
    """The module that is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """How the import of one handler went."""

    name: str
    took_ms: float | None = None
    """Median of `COLD_STARTS`; None if it failed or was not run."""
    slowest: tuple[tuple[str, float], ...] = ()
    """Top-level modules with the most ms, each with what it imports itself."""
    failure: Failure | None = None
    not_run: str = ""
    """Why it was not: ``arm64 on x86_64``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """How long two versions of one handler took to import, turn by turn."""

    before_ms: tuple[float, ...] = ()
    after_ms: tuple[float, ...] = ()
    """As many."""
    not_run: str = ""
    """Why there are none, in words that may be shown to anybody."""


def code_of(function: FunctionSpec, build: Build) -> Code:
    """Return what ``build`` made of ``function``."""
    layers = tuple(layer.digest for layer in build.layers_of(function))
    return Code(function=function, digest=build.functions[function.name].digest, layers=layers)


def code_of_release(function: FunctionSpec, row: Mapping[str, Any], store: Store) -> Code | None:
    """Return what ``row`` of the ledger has of ``function``; None if it has none, or if the store lost its bytes."""
    handoff = row["handoff"]
    then = handoff["functions"].get(function.name)
    if then is None:
        return None
    own = [layer for layer in then["layers"] if not layer.startswith(FOREIGN_LAYER)]
    layers = tuple(Digest(handoff["layers"][layer]["artifact"]["digest_hex"]) for layer in own)
    artifact = artifact_of(then)
    if artifact is None:
        return None
    digest = Digest(artifact["digest_hex"])
    if then.get("image_uri"):
        digest, *in_it = zips_of(digest, store) or (digest,)
        layers = tuple(in_it)
    if not all(store.artifact(each).is_file() for each in (digest, *layers)):
        return None
    target = Target(Runtime.parse(then["runtime"]), Architecture(then["architecture"]))
    ours = {name: value for name, value in then["environment"].items() if not name.startswith("SLIPWAY_")}
    spec = replace(function, target=target, handler=then["handler"], environment=ours)
    return Code(function=spec, digest=digest, layers=layers)


def measure(code: Code, workspace: Workspace, store: Store, *, endpoint: str | None = None) -> Imported:
    """Import the handler of ``code`` in `COLD_STARTS` new processes, and once more to see what in it takes long.

    Raises ToolError where there is no Python of its runtime, or what the runtime holds cannot be fetched.
    """
    name, wanted, host = code.function.name, code.function.target.architecture, host_architecture()
    if wanted is not host:
        return Imported(name=name, not_run=f"{wanted} on {host}")
    deployment = _deployment(code, workspace, store)
    runs = []
    for _ in range(COLD_STARTS):
        took, failure = _read(_run(deployment, workspace.root, limit_s=LIMIT_S, endpoint=endpoint), deployment, LIMIT_S)
        if failure:
            return Imported(name=name, failure=failure)
        runs.append(took)
    timed = _run(deployment, workspace.root, "-X", "importtime", limit_s=LIMIT_S, endpoint=endpoint)
    own = code.function.handler.partition(".")[0]
    slowest = [each for each in _top_level(timed.stderr) if each[0] != own]
    slowest.sort(key=lambda each: -each[1])
    return Imported(name=name, took_ms=statistics.median(runs), slowest=tuple(slowest[:SLOWEST]))


def race(before: Code, after: Code, workspace: Workspace, store: Store, *, until: float) -> Race:
    """Import both handlers in new processes by turns, so that what else the machine does meets both.

    What is imported is shut in: it sees no file but its own and the system's, no other process, and no network. Ends
    by ``until`` of `time.monotonic` (give or take a process' start), and says so where that was too early.
    Raises ToolError where there is no Python of a runtime, or what the runtime holds cannot be fetched.
    """
    foreign = {each.function.target.architecture for each in (before, after)} - {host_architecture()}
    if foreign:
        return Race(not_run=f"{', '.join(sorted(foreign))} on {host_architecture()}")
    sides = [(_deployment(code, workspace, store), list[float]()) for code in (before, after)]
    words = ("what runs now", "the new code")
    began = time.monotonic()
    for turn in range(TURNS):
        if turn > 1 and time.monotonic() - began > ENOUGH_S:
            break
        for number in (0, 1) if turn % 2 else (1, 0):
            deployment, runs = sides[number]
            left = until - time.monotonic()
            if left <= 0:
                break
            took, failure = _read(_run(deployment, workspace.root, limit_s=left, sealed=True), deployment, left)
            if failure:
                return Race(not_run=f"{words[number]} {failure.brief}")
            runs.append(took)
    turns = min(len(runs) for _, runs in sides)
    if turns < 2:  # of one run nobody knows how much of it is noise
        return Race(not_run="there was no time left for it")
    return Race(before_ms=tuple(sides[0][1][:turns]), after_ms=tuple(sides[1][1][:turns]))


def _deployment(code: Code, workspace: Workspace, store: Store) -> Deployment:
    return zip_deployment(code.function, workspace, store, code=code.digest, layers=code.layers)


def _run(
    deployment: Deployment,
    root: Path,
    *options: str,
    limit_s: float,
    endpoint: str | None = None,
    sealed: bool = False,
) -> Completed:
    """Run the probe to its end, or a bit beyond ``limit_s``; nothing that it started stays."""
    assert deployment.runtime, "it is a zip's"
    python = interpreter_of(deployment.runtime)
    with tempfile.TemporaryDirectory(prefix="import-") as folder:
        home, answer, printed = (Path(folder, name) for name in ("home", "answer", "printed"))
        home.mkdir()
        variables = worker_variables(
            deployment,
            python=python,
            runtime_folder=runtime_bundle.ensure(root, deployment.runtime),
            temporary=home,
            log_stream="import",
            endpoint=endpoint or NOWHERE,
        )
        what = [str(deployment.opt or ""), str(limit_s), str(answer), str(home) if sealed else ""]
        argv = [str(python), "-S", "-B", *options, str(_PROBE), str(os.getpid()), *what]
        env = {**variables, "AWS_LAMBDA_RUNTIME_API": NOWHERE.removeprefix("http://")}
        child = process.start(argv, cwd=deployment.task_root, env=env, log=printed, detached=True)
        until = time.monotonic() + limit_s + _GRACE_S
        try:
            while child.poll() is None and time.monotonic() < until:
                time.sleep(_LOOK_S)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL) if hasattr(os, "killpg") else child.kill()
        return Completed(
            argv=tuple(argv),
            code=child.wait(),
            stdout=answer.read_text("utf-8") if answer.is_file() else "",
            stderr=printed.read_text("utf-8", errors="replace"),
        )


def _read(ended: Completed, deployment: Deployment, limit_s: float) -> tuple[float, Failure | None]:
    try:
        told = json.loads(ended.stdout)
    except ValueError:  # it hung, crashed, or ended itself
        printed = ended.stderr.partition(_BEGIN)[2].strip().splitlines()
        told = [line.strip() for line in printed if not any(frame in line for frame in _OUR_FRAMES)]
        hung = any(line.startswith("Timeout (") for line in told)
        message = f"it did not end in {limit_s:.0f} s" if hung else f"the process ended with code {ended.code}"
        brief = message.removeprefix("it ") if hung else f"ends its process with code {ended.code}"
        lines = tuple(_as_on_lambda(line, deployment) for line in told[-_SHOWN_LINES:])
        return 0.0, Failure(message=message, brief=brief, lines=lines)
    if "is_open" in told:
        brief = "cannot be shut in on this machine (Linux with Landlock can)"
        return 0.0, Failure(message=f"it {brief}", brief=brief, lines=())
    error = told["error"]
    if error is None:
        return float(told["took_ms"]), None
    kind, module = (name if name and _NAME.fullmatch(name) else "" for name in (error["type"], error["module"]))
    traced = [line.strip() for frame in error["lines"] for line in frame.splitlines()]
    return 0.0, Failure(
        message=_as_on_lambda(error["message"], deployment),
        brief=f"fails with {kind or 'an error'}{f' ({module})' if module else ''}",
        lines=tuple(_as_on_lambda(line, deployment) for line in traced[-_SHOWN_LINES:]),
        module=error["module"],
    )


def _as_on_lambda(text: str, deployment: Deployment) -> str:
    text = text.replace(str(deployment.task_root), "/var/task")
    return text.replace(str(deployment.opt), "/opt") if deployment.opt else text


def _top_level(stderr: str) -> list[tuple[str, float]]:
    """Return ms by top-level module of what ``-X importtime`` printed: all below it counts, nothing counts twice.

    Its lines come as imports end, the innermost first, two spaces deeper for each level.
    """
    matches = [_TIMED.match(line) for line in stderr.partition(_BEGIN)[2].splitlines()]
    took: dict[str, float] = {}
    above: list[str] = []
    for match in reversed([match for match in matches if match]):
        depth, top = len(match[2]) // 2, match[3].partition(".")[0]
        del above[depth:]
        if top not in above:
            took[top] = took.get(top, 0.0) + int(match[1]) / 1000
        above.append(top)
    return list(took.items())

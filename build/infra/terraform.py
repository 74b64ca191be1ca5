"""Runs Terraform: a root for one env, with its own data folder and log.

python-terraform turns options into arguments here and does nothing else: it would hold back all
output until the end, destroy with an option Terraform no longer has, read outputs wrongly, and run
whatever unknown attribute is asked for as a command. Import this module where it is needed, not
at start.
"""

import getpass
import json
import shlex
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any, Never

from python_terraform import IsFlagged, Terraform

from build.digest import Digest
from build.errors import InputError
from build.infra.attached import attached, installed
from build.infra.backend import backend_settings, state_key
from build.infra.binary import terraform_binary
from build.infra.diagnostics import Diagnostic, Listener, LockedError, Run
from build.infra.mirrors import provider_source
from build.process import Completed, Follower, Runner, follow, is_written, run
from build.results import DeployedFunction, DeploymentGroup, Outputs, Plan, ResourceChange

BOOTSTRAP_KEY = "bootstrap/terraform.tfstate"
"""Where the state of terraform/bootstrap/ is, in the env's state bucket."""

PARALLELISM = 30
"""Terraform's 10 would leave it idle: the provider waits 25 s for every queue it makes."""

_ORPHAN_S = 300.0
"""How long an apply that a killed run left behind, and that goes on to its end, is waited for, in seconds."""

_ERRORED = "errored.tfstate"
"""Where Terraform leaves a state that it cannot write, in its working directory, whatever the state's own key."""
MEMORY = {"GOGC": "400", "GOMEMLIMIT": "1536MiB"}
"""Go collects garbage less often: a plan took 4.9 s instead of 6.6 s, `show` 3.3 s instead of 4.4 s, for 45 MB more.
From a limit on as often as it must: without one, a plan of 500 functions took 4.3 GB instead of 1.5 GB.
"""


class TerraformAdapter(Terraform):  # type: ignore[misc]
    """Terraform for one env. Every verb calls `init`, which costs nothing when nothing changed.

    The root is terraform/, or with ``bootstrap`` terraform/bootstrap/, which shares the env's state bucket. A
    ``stack`` has a state of its own, beside the env's: prod.tfstate and prod.orders.tfstate.
    ``environ`` is the environment of the caller, with credentials and, on the embedded cloud,
    AWS_ENDPOINT_URL. ``on_progress`` gets short lines while Terraform works. Terraform outlives us:
    whatever ends this process, an apply goes on to where it may stop, writes its state and frees
    the state lock.
    """

    def __init__(
        self,
        root: Path,
        env: str,
        *,
        environ: Mapping[str, str],
        on_progress: Callable[[str], None] = lambda _: None,
        bootstrap: bool = False,
        stack: str = "",
        runner: Runner = run,
        follower: Follower = follow,
    ) -> None:
        envs = root / "terraform" / "envs"
        self._root = root
        self._folder = root / "terraform" / ("bootstrap" if bootstrap else "")
        self._generated = root / ".artifacts" / env / ("bootstrap" if bootstrap else f"stacks/{stack}" if stack else "")
        self._env = env
        self._stack = stack
        self._data = self._generated / "terraform"
        self._verb = "bootstrap" if bootstrap else None
        self._on_progress = on_progress
        self._runner = runner
        self._follower = follower
        self.log = self._generated / "terraform.log"
        self.backend = self._settings_file(envs / f"{env}.s3.tfbackend")
        own_key = (
            BOOTSTRAP_KEY if bootstrap else state_key(backend_settings(self.backend)["key"], stack) if stack else ""
        )
        self._backend_config = [str(self.backend), *([f"key={own_key}"] if own_key else [])]
        self._var_files = [] if bootstrap else [str(self._settings_file(envs / f"{env}.tfvars"))]
        self.providers = provider_source(root, environ)
        self._binary = terraform_binary(root, environ, runner=runner)
        # TF_CLI_ARGS and TF_WORKSPACE would change what the commands below mean.
        kept = {k: v for k, v in environ.items() if not k.startswith(("TF_CLI_ARGS", "TF_WORKSPACE"))}
        self._environ = {
            **MEMORY,
            **kept,
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": str(self.providers.cli_config),
            "TF_DATA_DIR": str(self._data),
            "TF_IN_AUTOMATION": "1",
        }
        self._generated.mkdir(parents=True, exist_ok=True)
        self._generated.chmod(0o700)  # plan, hand-off and log hold the values of environment variables
        super().__init__(working_dir=str(self._folder), terraform_bin_path=str(self._binary))

    def init(self) -> None:
        """Install the provider and connect to the state, unless nothing that decides it has changed."""
        stamp = self._data / "slipway-init"
        wanted = self._inputs()
        if stamp.is_file() and stamp.read_text("utf-8") == f"{wanted}\n{self._providers()}":
            return
        self._on_progress(f"terraform init: providers from {self.providers.source}")
        self._terraform(
            "init", backend_config=self._backend_config, reconfigure=IsFlagged, lockfile="readonly", input=False
        )
        stamp.write_text(f"{wanted}\n{self._providers()}", "utf-8")

    def plan(self, handoff: Path, *, destroy: bool = False, lock: bool = True) -> Plan:
        """Plan what makes the env equal to ``handoff``, or, with ``destroy``, what removes all of it.

        Saves the plan under .artifacts/<env>/ and starts the log anew; changes nothing. A plan that
        nobody will apply needs no ``lock`` of the state: it then only reads, and leaves nothing behind.
        A destroy, too, looks for every artifact that ``handoff`` names: give it an empty one.
        """
        self._let_end()
        self.log.unlink(missing_ok=True)
        self.init()
        path = self._generated / "plan.tfplan"
        path.unlink(missing_ok=True)
        options = {
            "out": str(path),
            "var_file": [*self._var_files, str(handoff.resolve())],
            "destroy": IsFlagged if destroy else None,
            "lock": None if lock else False,
            "parallelism": PARALLELISM,
            "input": False,
        }

        def planned() -> Listener:
            if lock:
                self._write_left()
            return self._terraform("plan", **options)

        try:
            heard = planned()
        except LockedError as refused:
            if self._env != "local" or refused.who != f"{getpass.getuser()}@{socket.gethostname()}":
                raise
            self._on_progress("freeing the state: the terraform that locked it has ended without doing so")
            self._bare("force-unlock", "-force", refused.lock)
            heard = planned()
        return self.saved(path) if heard.changes else Plan(path=path, changes=(), stack=self._stack)

    def saved(self, path: Path) -> Plan:
        """Read the plan saved at ``path``."""
        self.init()
        document = json.loads(self._quietly("show", str(path)).stdout)
        return Plan(path=path, changes=tuple(_changes(document)), stack=self._stack, document=document)

    def apply(self, plan: Plan) -> None:
        """Apply the saved ``plan`` and nothing else."""
        self.init()
        try:
            self._terraform("apply", str(plan.path.resolve()), parallelism=PARALLELISM, input=False)
        finally:
            errored = self._folder / _ERRORED
            if errored.is_file():  # among sources it would be committed, and the next stack's would overwrite it
                errored.replace(self._left)

    def values(self) -> dict[str, Any]:
        """Return the root's outputs by name, as the last apply left them; none before the first."""
        self.init()
        return {name: o["value"] for name, o in json.loads(self._quietly("output").stdout).items()}

    def commands(self) -> tuple[str, ...]:
        """Return what a person may type, in the repository's root and with the env's credentials, instead of us."""
        generated = self._generated.relative_to(self._root).as_posix()
        envs = f"envs/{self._env}"
        key = [config for config in self._backend_config if config.startswith("key=")]
        backend = "".join(f" -backend-config={each}" for each in (f"{envs}.s3.tfbackend", *key))
        files = f"-var-file={envs}.tfvars -var-file=../{generated}/handoff.tfvars.json"
        return (
            f"export TF_DATA_DIR=$PWD/{generated}/terraform",
            f"terraform -chdir=terraform init -reconfigure{backend}",
            f"terraform -chdir=terraform plan {files} -out=../{generated}/plan.tfplan",
            f"terraform -chdir=terraform apply ../{generated}/plan.tfplan",
        )

    def sources(self) -> Digest:
        """Digest what decides a plan besides the hand-off and the state; the same on every machine."""
        folder = self._folder
        others = {".terraform", "bootstrap", "envs", "tests", _ERRORED}
        read = (path for path in sorted(folder.rglob("*")) if others.isdisjoint(path.relative_to(folder).parts))
        files = [path for path in (*read, *map(Path, self._var_files)) if path.is_file() and path.suffix != ".md"]
        lines = [f"{path.relative_to(folder).as_posix()} {Digest.of_file(path)}" for path in files]
        return Digest.of_bytes("\n".join(lines).encode())

    def cmd(self, *_: object, **__: object) -> Never:
        """Refuse: whatever of python-terraform ends here is what this class replaces."""
        msg = "use init, plan, apply and values"
        raise NotImplementedError(msg)

    def read_state_file(self, file_path: str | None = None) -> None:
        """Do nothing: the state is in S3."""

    def __getattr__(self, name: str) -> Any:
        # The parent would run it as a command.
        raise AttributeError(name)

    def _terraform(self, command: str, *args: str, **options: object) -> Listener:
        listener = Listener(self._on_progress)
        argv = self.generate_cmd_string(command, *args, json=IsFlagged, **options)
        with self._provider(command) as variables:
            environ = {**self._environ, **variables}
            completed = self._follower(argv, log=self.log, on_line=listener, cwd=self._folder, env=environ)
        if completed.code or listener.errors:
            raise self._run(command).failure(listener.errors, completed)
        return listener

    def _quietly(self, command: str, *args: str) -> Completed:
        """Run what prints one JSON document; it holds values, so it goes into no log."""
        argv = self.generate_cmd_string(command, *args, json=IsFlagged)
        with self._provider(command) as variables:
            completed = self._runner(argv, cwd=self._folder, env={**self._environ, **variables})
        if completed.code:
            raise self._run(command).failure([], completed)
        return completed

    def _provider(self, command: str) -> AbstractContextManager[Mapping[str, str]]:
        """Start the provider for what only reads, on the embedded cloud; else Terraform does."""
        if self._env != "local" or command not in {"plan", "show"}:
            return nullcontext({})
        return attached(self._data, self._folder, self._environ, log=self._generated / "provider.log")

    def _bare(self, *args: str) -> Completed:
        """Run a command that has no -json."""
        return self._runner([str(self._binary), *args], cwd=self._folder, env=self._environ)

    def _let_end(self) -> None:
        """Wait for the Terraform that a killed run left at work; it holds the lock of the state, and writes the log."""
        end = time.monotonic() + _ORPHAN_S
        if is_written(self.log):
            self._on_progress("waiting for the terraform of another run, which goes on to its end")
        while is_written(self.log) and time.monotonic() < end:
            time.sleep(0.1)

    @property
    def _left(self) -> Path:
        return self._generated / _ERRORED

    def _write_left(self) -> None:
        """Write the state that the apply before could not; else what that one made would be made again, and clash.

        Terraform refuses one that is older than the state that is there.
        """
        if self._left.is_file():
            self._on_progress("writing the state that the apply before could not write")
            completed = self._bare("state", "push", "-no-color", str(self._left))
            if completed.code:
                msg = f"{self._left} could not be written as the state"
                told = Diagnostic(summary=msg, detail=completed.stderr, address=None, place=None)
                raise self._run("plan").failure([told], completed)
            self._left.unlink()

    def _run(self, command: str) -> Run:
        here = ["env", f"TF_DATA_DIR={self._environ['TF_DATA_DIR']}", str(self._binary), f"-chdir={self._folder}"]
        files = [*self._var_files, str(self._generated / "handoff.tfvars.json")]
        return Run(
            command=command,
            env=self._env,
            log=self.log,
            providers=self.providers.source,
            verb=self._verb,
            state=backend_settings(self.backend),
            unlock=shlex.join([*here, "force-unlock"]),
            adopt=shlex.join([*here, "import", *(f"-var-file={file}" for file in files)]),
        )

    def _settings_file(self, path: Path) -> Path:
        if not path.is_file():
            name = path.name
            msg = f"the env {self._env} has no terraform/envs/{name}"
            have = ", ".join(sorted(p.stem for p in path.parent.glob("*.tfvars")))
            raise InputError(
                msg,
                facts=[f"envs there: {have or 'none'}"],
                hint=f"adapt a copy: `cp terraform/envs/dev{name[len(self._env) :]} terraform/envs/{name}`",
            )
        return path

    def _inputs(self) -> str:
        """Digest what `init` reads: every *.tf, the lock, the backend's settings, the provider source, the binary."""
        read = sorted(p for p in self._folder.rglob("*") if p.is_file() and p.name.endswith((".tf", ".tf.json")))
        files = [*read, self._folder / ".terraform.lock.hcl", self.backend, self.providers.cli_config]
        stat = self._binary.stat()
        parts = [f"{self._binary} {stat.st_size} {stat.st_mtime_ns}"]
        parts += [f"{path} {Digest.of_file(path)}" for path in files if path.is_file()]
        return str(Digest.of_bytes("\n".join(parts).encode()))

    def _providers(self) -> str:
        """Return what tells whether an installed provider was touched: it may be a link, to one that is gone."""
        there = [(path, path.stat()) for path in installed(self._data) if path.exists()]
        return "\n".join(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in there) or "none"


def outputs_of(values: Mapping[str, Any]) -> Outputs:
    """Return the root's outputs, from their values by name; empty when nothing was ever applied."""
    known = {each.name for each in fields(DeployedFunction)}
    functions = {
        name: DeployedFunction(name=name, **{key: value for key, value in f.items() if key in known})
        for name, f in values.get("functions", {}).items()
    }
    url = values.get("http_api_url")
    return Outputs(
        functions=functions,
        layers=values.get("layers", {}),
        http_api_urls=(url,) if url else (),
        alarms=values.get("alarms", {}),
        deployment_groups={
            name: DeploymentGroup(**group) for name, group in values.get("deployment_groups", {}).items()
        },
    )


def _changes(shown: dict[str, Any]) -> Iterator[ResourceChange]:
    """Read the changes from ``terraform show -json``: names and actions, never values.

    Outputs count only when no resource changes: they follow the resources, but a plan that
    rewrites nothing else must be applied all the same.
    """
    resources = [
        ResourceChange(
            address=raw["address"], actions=tuple(raw["change"]["actions"]), changed=_differing(raw["change"])
        )
        for raw in shown.get("resource_changes", [])
        if raw["change"]["actions"] not in (["no-op"], ["read"])
    ]
    yield from resources or [
        ResourceChange(address=f"output.{name}", actions=tuple(change["actions"]))
        for name, change in shown.get("output_changes", {}).items()
        if change["actions"] != ["no-op"]
    ]


def _differing(change: dict[str, Any]) -> tuple[str, ...]:
    before, after, unknown = change["before"], change["after"], change.get("after_unknown") or {}
    if not before or not after:
        return ()
    names = {*before, *after}
    return tuple(sorted(n for n in names if before.get(n) != after.get(n) or _any_true(unknown.get(n))))


def _any_true(value: object) -> bool:
    match value:
        case dict():
            return any(map(_any_true, value.values()))
        case list():
            return any(map(_any_true, value))
        case _:
            return bool(value)

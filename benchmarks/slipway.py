"""Slipway itself, measured as its users run it: a copy of this repository's machinery with other functions."""

import json
import shutil
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.entrants import Site
from benchmarks.measure import PROBES, Command, RunFailedError, answered
from benchmarks.results import OURS, State
from benchmarks.workloads import RUNTIME, Function, Workload

ENV = "bench"
"""What is built for: the env local takes the machine's own architecture, whatever a function says."""
_SETTINGS = f"""name = "bench"

[defaults]
runtime = "python{RUNTIME}"
architecture = "{{architecture}}"

[env.{ENV}]
region = "eu-central-1"
account_id = "123456789012"
"""
_MACHINERY = ("build", "tasks.py", "requirements.txt", "requirements.in", "pyproject.toml")
_NO_RESULT = ("store", "workspaces.pickle")
"""Of .artifacts: the store, and what the settings said when they were read last."""
_FETCHED = ("wheels", "bytecode", "notes/wheel", "notes/resolved", "notes/survey")
"""Of the store, what is known of every wheel whatever becomes of it: this makes a store warm. The rest is results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slipway:
    """The repository at ``root`` as an entrant: its machinery, copied."""

    root: Path
    key: str = OURS

    @property
    def title(self) -> str:
        """With its version."""
        return f"Slipway {tomllib.loads((self.root / 'pyproject.toml').read_text('utf-8'))['project']['version']}"

    @classmethod
    def as_it_is(cls, root: Path, folder: Path) -> Self:
        """Copy the machinery to ``folder`` first: whoever goes on working on it must not change who races."""
        _copy(root, folder)
        return cls(root=folder)

    def refuses(self, workload: Workload) -> str:  # noqa: ARG002
        """Take everything."""
        return ""

    def lay_out(self, site: Site) -> None:
        """Write a repository that has never built anything."""
        _copy(self.root, site.folder)
        settings = _SETTINGS.format(architecture=site.workload.architecture)
        (site.folder / "slipway.toml").write_text(settings, encoding="utf-8")
        self.add(site, site.workload.functions)

    def add(self, site: Site, functions: tuple[Function, ...]) -> None:
        """Write the folders of ``functions``."""
        for function in functions:
            folder = site.folder / "functions" / function.name
            (folder / "src").mkdir(parents=True)
            (folder / "function.toml").write_text(
                f'description = "{function.name}"\nhandler = "app.handler"\n', encoding="utf-8"
            )
            (folder / "src/app.py").write_text(function.source(), encoding="utf-8")
            if function.wants:
                (folder / "requirements.in").write_text(function.wanted, encoding="utf-8")
                (folder / "requirements.txt").write_text(function.lock, encoding="utf-8")

    def forget(self, site: Site) -> None:
        """Remove every result; what is known of settings and of wheels stays, with the wheels and their bytecode."""
        generated = site.folder / ".artifacts"
        artifacts = [path.name for path in self._artifacts(site)]
        for path in generated.iterdir():
            if path.name not in _NO_RESULT:
                _remove(path)
        kept = [generated / "store" / name for name in _FETCHED]
        for path in _below(generated / "store", kept):
            _remove(path)
        left = [path for path in generated.rglob("*") if path.name in artifacts]
        if left:  # then this would not be a warm build, but one of nothing
            msg = f"{len(left)} finished artifacts are left in the store: benchmarks/slipway.py has to know of them"
            raise RunFailedError(msg)

    def edit(self, site: Site, count: int) -> None:
        """Change one line of the last function."""
        function = site.workload.functions[-1]
        place = site.folder / "functions" / function.name / "src/app.py"
        place.write_text(function.source(count), encoding="utf-8")

    def command(self, site: Site, state: State) -> Command:  # noqa: ARG002
        """Return what a person runs: always the same."""
        return Command(
            argv=[sys.executable, "-m", "invoke", "build", "--env", ENV], cwd=site.folder, env=self._environ(site)
        )

    def zips(self, site: Site) -> dict[str, Path]:
        """Return the artifact of every function, as `build --json` names them."""
        said = json.loads(
            answered([*self.command(site, State.SAME).argv, "--json"], cwd=site.folder, env=self._environ(site))
        )
        return {row["name"]: Path(row["path"]) for row in said["functions"]}

    def wheels(self, site: Site) -> list[Path]:
        """Return the wheels that the artifacts are made of."""
        return sorted((site.folder / ".artifacts/store/wheels").rglob("*.whl"))

    def stages_s(self, site: Site) -> dict[str, float]:
        """Build in a process of its own; return how long each stage took, without start and imports."""
        argv = [sys.executable, str(PROBES / "assembling.py"), ENV]
        return dict(json.loads(answered(argv, cwd=site.folder, env=self._environ(site))))

    def _environ(self, site: Site) -> dict[str, str]:
        return site.environ(Path(sys.executable).parent)

    def _artifacts(self, site: Site) -> list[Path]:
        return list((site.folder / ".artifacts/store/artifacts").rglob("*.zip"))


def _copy(root: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in _MACHINERY:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(root / name, folder / name)


def _below(folder: Path, kept: list[Path]) -> Iterator[Path]:
    """Yield the topmost files and folders below ``folder`` that neither are in ``kept`` nor hold any of it."""
    for path in folder.iterdir():
        if path in kept:
            continue
        if any(path in each.parents for each in kept):
            yield from _below(path, kept)
        else:
            yield path


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()

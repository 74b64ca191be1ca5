"""Who takes part: one protocol for Slipway and its peers, and what every peer has in common."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.machine import cores
from benchmarks.measure import Command
from benchmarks.results import State
from benchmarks.workloads import RUNTIME, Function, Workload

_MACHINE = {"x86_64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One folder in which an entrant builds a workload, and the caches that it keeps between builds."""

    folder: Path
    caches: Path
    workload: Workload

    def environ(self, *first_on_path: Path) -> dict[str, str]:
        """Return our environment with every cache and temporary folder below `caches`, and no AWS account in it."""
        temporary = self.caches / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SAM_", "PYTHON", "VIRTUAL_ENV"))}
        return kept | {
            "PATH": os.pathsep.join([*map(str, first_on_path), os.environ.get("PATH", os.defpath)]),
            "TMPDIR": str(temporary),
            "PIP_CACHE_DIR": str(self.caches / "pip"),
            "UV_CACHE_DIR": str(self.caches / "uv"),
            "XDG_CACHE_HOME": str(self.caches / "xdg"),
            # uv brings certificates of its own; behind a proxy that a company trusts only the system's are right.
            "UV_SYSTEM_CERTS": "true",
            "UV_NATIVE_TLS": "true",
            "UV_PYTHON_DOWNLOADS": "never",
        }


class Entrant(Protocol):
    """One that builds workloads."""

    @property
    def key(self) -> str:
        """What it is called in options and JSON."""

    @property
    def title(self) -> str:
        """What it is called in tables: with its version."""

    def refuses(self, workload: Workload) -> str:
        """Say why it cannot build ``workload``; empty if it can."""

    def lay_out(self, site: Site) -> None:
        """Write the project, never built, into a new folder."""

    def forget(self, site: Site) -> None:
        """Go back to where nothing is built, but all that was fetched is still there."""

    def edit(self, site: Site, count: int) -> None:
        """Change one line of the last function, to what ``count`` says."""

    def command(self, site: Site, state: State) -> Command:
        """Return what a person would run."""

    def zips(self, site: Site) -> dict[str, Path]:
        """Return the zip of every function, made ready where the tool leaves only a folder; of an image, its layers."""


def _nothing(_: Function, __: Workload) -> Mapping[str, str]:
    return {}


def _plain_source(function: Function, edits: int) -> str:
    return function.source(edits)


def _packages(site: Site, _: Path) -> dict[str, Path]:
    return {f.name: site.folder / "functions" / f.name / "package.zip" for f in site.workload.functions}


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A tool that is told in shell scripts what to do, in a folder with `functions/NAME/{app.py,requirements.txt}`.

    The scripts run with the tool's own environment first on PATH, and know ``MACHINE`` (x86_64, aarch64),
    ``ARCHITECTURE`` (x86_64, arm64), ``PYTHON`` (3.13), ``CORES``, ``CACHES`` and ``EDITED``, the function of which
    one line was changed.
    """

    key: str
    name: str
    pins: tuple[str, ...]
    """What is installed into its environment; the first is the tool itself, unless that makes images."""
    script: str
    edited_script: str = ""
    """For when one line was changed and a person would run something shorter."""
    programs: tuple[str, ...] = ()
    """What has to be on PATH besides."""
    installs_workload: bool = False
    """Whether it packs the environment it runs in, so that the workload has to be installed there first."""
    project_files: Callable[[Workload], Mapping[str, str]] = field(default=lambda _: {})
    function_files: Callable[[Function, Workload], Mapping[str, str]] = _nothing
    source: Callable[[Function, int], str] = _plain_source
    made: Callable[[Site, Path], dict[str, Path]] = _packages
    only_one: str = ""
    """Why it does not build many functions; empty if it does."""
    is_for_images: bool = False
    """Whether it makes container images, and no zips."""

    @property
    def version(self) -> str:
        """The tool's; empty where it is not installed by us."""
        return "" if self.is_for_images else self.pins[0].partition("==")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPeer:
    """A peer, and the environments it is in: one, or one for each set of distributions."""

    peer: Peer
    folders: Mapping[str, Path]

    @property
    def key(self) -> str:
        """What it is called in options and JSON."""
        return self.peer.key

    @property
    def title(self) -> str:
        """What it is called in tables."""
        return f"{self.peer.name} {self.peer.version}".rstrip()

    def refuses(self, workload: Workload) -> str:
        """Say why it cannot build ``workload``; empty if it can."""
        return self.peer.only_one if workload.is_many else ""

    def lay_out(self, site: Site) -> None:
        """Write the project, never built, into a new folder."""
        _write(site.folder, self.peer.project_files(site.workload))
        for function in site.workload.functions:
            files = {"app.py": self.peer.source(function, 0), "requirements.txt": function.lock}
            more = self.peer.function_files(function, site.workload)
            _write(site.folder / "functions" / function.name, {**files, **more})

    def forget(self, site: Site) -> None:
        """Go back to where nothing is built: a new checkout, with full caches."""
        shutil.rmtree(site.folder, ignore_errors=True)
        self.lay_out(site)

    def edit(self, site: Site, count: int) -> None:
        """Change one line of the last function."""
        function = site.workload.functions[-1]
        _write(site.folder / "functions" / function.name, {"app.py": self.peer.source(function, count)})

    def command(self, site: Site, state: State) -> Command:
        """Return the script that a person would run."""
        shorter = self.peer.edited_script if state is State.EDITED else ""
        environment = self._folder(site)
        more = {
            "PEX_ROOT": str(site.caches / "pex"),
            "__SAM_CLI_APP_DIR": str(site.caches / "sam"),
            "SAM_CLI_TELEMETRY": "0",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "VIRTUAL_ENV": str(environment),
            "MACHINE": _MACHINE[site.workload.architecture],
            "ARCHITECTURE": site.workload.architecture,
            "PYTHON": RUNTIME,
            "CORES": str(cores()),
            "CACHES": str(site.caches),
            "EDITED": site.workload.functions[-1].name,
        }
        script = f"set -e\n{shorter or self.peer.script}"
        return Command(argv=["sh", "-c", script], cwd=site.folder, env={**site.environ(environment / "bin"), **more})

    def zips(self, site: Site) -> dict[str, Path]:
        """Return the zip of every function."""
        return self.peer.made(site, self._folder(site) / "bin/python")

    def _folder(self, site: Site) -> Path:
        return self.folders[site.workload.functions[0].wants if self.peer.installs_workload else ""]


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

"""What this machine has of what Slipway needs."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import build
from build import process
from build.errors import SlipwayError
from build.infra.binary import terraform_binary
from build.infra.mirrors import provider_source
from build.local import cloud, sandbox
from build.model import Workspace
from build.project.discovery import discover
from build.project.interpreters import interpreter_of, release_of
from build.project.profiles import RUNTIMES, host_architecture

Row = tuple[str, str, str]
"""What, its state (ok, missing, none), and the detail."""


def examine(root: Path) -> Iterator[Row]:
    """Yield a row for everything Slipway leans on; nothing here is an error by itself."""
    yield "Python", "ok", f"{'.'.join(map(str, sys.version_info[:3]))} for {host_architecture()}, {sys.executable}"
    yield "invoke", "ok", version("invoke")
    yield from _build_package(root)
    yield _row("Terraform", lambda: str(terraform_binary(root, os.environ)))
    yield _row("AWS provider", lambda: f"from {provider_source(root, os.environ).source}")
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    yield "uv", "ok" if uv else "missing", uv or "locks cannot be written"
    used = _used_runtimes(root)
    for runtime in RUNTIMES:
        if runtime in used:
            yield _row(f"{runtime} (used)", lambda runtime=runtime: f"{release_of(runtime)}, {interpreter_of(runtime)}")  # type: ignore[misc]
    yield _row("embedded cloud", lambda: _cloud(root))
    problem = sandbox.problem()
    yield "bubblewrap", "none" if problem else "ok", f"{problem}: functions are not shut in" if problem else ""
    yield from _images(root)
    yield _row("AWS credentials", _credentials)


def _build_package(root: Path) -> Iterator[Row]:
    """Tell which `build` is imported, and whether git would lose it (docs/decisions/0001)."""
    found = Path(str(build.__file__)).parent
    yield "import build", "ok" if found == root / "build" else "wrong", str(found)
    if (root / ".git").exists():
        ignored = process.run(["git", "check-ignore", "build/__init__.py"], cwd=root).code == 0
        yield "git keeps build/", "wrong" if ignored else "ok", "ignored: see .gitignore" if ignored else ""


def _row(what: str, find: Callable[[], str]) -> Row:
    """Return what ``find`` finds; whatever keeps it from finding is the row, never the end of the report."""
    from botocore.exceptions import BotoCoreError

    try:
        return what, "ok", find()
    except SlipwayError as error:
        return what, "missing", f"{error.summary}; {error.hint}"
    except (BotoCoreError, OSError) as error:
        return what, "missing", str(error)


def _images(root: Path) -> Iterator[Row]:
    """Tell what container images lean on, where a function is one."""
    from build.images.builders import builder_here

    workspace = _workspace(root)
    images = [spec for spec in workspace.functions if spec.is_image] if workspace else []
    if not images:
        return
    unpinned = sorted({str(spec.target.runtime) for spec in images if not spec.base_image})
    told = f"not for {', '.join(unpinned)}: `invoke image.pull-base`" if unpinned else "pinned"
    yield "bases of images", "missing" if unpinned else "ok", told
    registry = shutil.which("docker-registry")
    yield "docker-registry", "ok" if registry else "none", registry or "the embedded cloud keeps images in OCI layouts"
    if any(spec.dockerfile for spec in images):
        builder = builder_here()
        told = builder.name if builder else "expected docker, podman or buildah"
        yield "builder of Dockerfiles", "ok" if builder else "missing", told


def _workspace(root: Path) -> Workspace | None:
    try:
        return discover(root, "local")
    except SlipwayError:
        return None


def _used_runtimes(root: Path) -> set[object]:
    workspace = _workspace(root)
    if workspace is None:
        return set()
    layers = {runtime for layer in workspace.layers for runtime in layer.runtimes}
    return layers | {spec.target.runtime for spec in workspace.functions}


def _cloud(root: Path) -> str:
    running = cloud.running(root)
    return running.endpoint if running else "none runs"


def _credentials() -> str:
    """Say whether there are credentials, never what they are."""
    import botocore.session

    found = botocore.session.get_session().get_credentials()
    return f"by {found.method}" if found else "none: only env local works"

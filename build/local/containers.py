"""What an image runs as: the process that it and ImageConfig ask for, in a sandbox, or without one as best it can.

https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
"""

import re
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from build.image import Image
from build.images.manifests import ARCHITECTURES
from build.local import sandbox
from build.local.deployment import Container, Deployment
from build.local.refusals import NotRunnableError
from build.model import Runtime
from build.options import ImageConfig
from build.project.profiles import host_architecture

_PYTHON = re.compile(r"python3\.\d+")
_PLACES = ("PATH", "LD_LIBRARY_PATH", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT")
"""Variables of an image that say where things are in it."""


def contained(deployment: Deployment, image: Image, root: Path, config: ImageConfig) -> Deployment:
    """Return ``deployment`` as it runs ``image``, whose file system is at ``root``, with what ``config`` says instead.

    Without a sandbox (see `sandbox.problem`) that is this machine's Python with the image's code, if it is made like
    AWS's; the function's log says so. Raises NotRunnableError where neither is possible.
    """
    settings = image.settings
    container = Container(
        root=root,
        command=(
            *(config.entry_point or settings.get("Entrypoint") or ()),
            *(config.command or settings.get("Cmd") or ()),
        ),
        workdir=config.working_directory or settings.get("WorkingDir") or "/",
        environment=dict(each.split("=", 1) for each in settings.get("Env") or () if "=" in each),
    )
    if not container.command:
        raise NotRunnableError(
            f"{deployment.function_name} is an image that has neither an entry point nor a command",
            hint="give its Dockerfile a CMD, or the function an ImageConfig",
        )
    problem = sandbox.problem() or _misfit(image)
    return replace(deployment, container=container) if not problem else _on_host(deployment, container, problem)


def _on_host(deployment: Deployment, container: Container, problem: str) -> Deployment:
    pythons = [each.name for each in container.root.glob("var/lang/bin/python3.*") if _PYTHON.fullmatch(each.name)]
    task_root, opt = container.root / "var/task", container.root / "opt"
    if not pythons or not _is_own(task_root, container.root):
        raise NotRunnableError(
            f"{deployment.function_name} is an image that only a sandbox can run, for it is not made like AWS's own",
            facts=[problem],
            hint="install bubblewrap (Debian: `apt-get install bubblewrap`), run `invoke local.stop`, and deploy again",
        )
    runtime = Runtime.parse(pythons[0])
    note = f"{problem}: the image runs on this machine's {runtime} instead, and sees this machine's files"
    _say_once(note)
    own = {name: value for name, value in container.environment.items() if name not in _PLACES}
    return replace(
        deployment,
        runtime=runtime,
        handler=container.command[-1],
        task_root=task_root,
        opt=opt if _is_own(opt, container.root) else None,
        environment={**own, **deployment.environment},
        note=note,
    )


def _is_own(folder: Path, root: Path) -> bool:
    """Tell whether ``folder`` is one, and no link that leads out of ``root``."""
    return folder.is_dir() and folder.resolve().is_relative_to(root.resolve())


def _misfit(image: Image) -> str:
    own = ARCHITECTURES[host_architecture()]
    return "" if image.architecture in {"", own} else f"the image is for {image.architecture}, this machine is {own}"


@cache
def _say_once(note: str) -> None:
    sys.stderr.write(f"{note}\n")

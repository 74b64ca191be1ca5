"""Installs a pure-Python distribution into /tmp and imports it."""

import importlib
import os
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

# name==version and nothing else: no option, no URL, no path, no second requirement reaches pip.
_REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})==([0-9][A-Za-z0-9.+!_-]{0,49})", re.ASCII)

_PIP_SECONDS = 45


def install(requirement: object) -> dict[str, Any]:
    """Install `requirement`, spelled `name==version`, without its dependencies; import it.

    Only a wheel for any platform will do. It stays for as long as the execution environment.
    Raises ValueError for another spelling, RuntimeError if it cannot be installed or imported.
    """
    if not isinstance(requirement, str) or not _REQUIREMENT.fullmatch(requirement):
        msg = f'expected "install" to be name==version, such as toolz==1.0.0; got {requirement!r}'
        raise ValueError(msg)
    begin = time.perf_counter()
    folder = Path(tempfile.gettempdir()) / "installed" / requirement
    if not folder.exists():
        with tempfile.TemporaryDirectory() as fresh:
            target = Path(fresh) / "target"
            _pip(requirement, target)
            folder.parent.mkdir(exist_ok=True)
            target.rename(folder)  # only a whole install ever stands under its name
    module = _import_from(folder)
    return {
        "requirement": requirement,
        "module": module.__name__,
        "file": module.__file__,
        "seconds": round(time.perf_counter() - begin, 3),
    }


def _pip(requirement: str, target: Path) -> None:
    import pip  # the function's own: nothing says that a runtime brings one

    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-input", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--root-user-action=ignore", "--target", str(target)]
    command += ["--only-binary=:all:", "--platform=any", requirement]
    # pip has no business with the credentials of the role.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment["PYTHONPATH"] = str(Path(pip.__file__).parent.parent)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        msg = f"pip did not install {requirement} within {_PIP_SECONDS} s"
        raise RuntimeError(msg) from None
    if done.returncode != 0:
        msg = f"pip did not install {requirement}: {done.stderr.strip()[-500:]}"
        raise RuntimeError(msg)


def _import_from(folder: Path) -> Any:
    (distribution,) = distributions(path=[str(folder)])
    names = {Path(file.parts[0]).stem for file in distribution.files or () if file.suffix == ".py"}
    if not names:
        msg = f"{folder.name} has nothing to import"
        raise RuntimeError(msg)
    namesake = distribution.name.lower().replace("-", "_")
    name = namesake if namesake in names else min(names)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))  # last: it must not stand in for anything that is already here
        importlib.invalidate_caches()
    module = importlib.import_module(name)
    if not Path(module.__file__ or "").is_relative_to(folder):
        msg = f"this environment already has {name} from {module.__file__}; a new one would take {folder.name}"
        raise RuntimeError(msg)
    return module

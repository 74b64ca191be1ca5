"""The tools of containers that tests hold ours against: those on PATH, or else unpacked from Debian's packages."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from tests.checkout import ROOT, wait_for

_TOOLS = ROOT / ".artifacts/tools"
_PACKAGES = {
    "docker-registry": ("docker-registry",),
    "bwrap": ("bubblewrap",),
    "skopeo": ("skopeo", "libgpgme11", "libassuan0"),
    "umoci": ("umoci",),
}
_BASIC = "AWS:$2b$05$HJ4q8M9tJwqvpyDuR0tn6.lb9R.guNN0LRysNMv18PkLoI4blZA3."
"""What htpasswd writes for the name AWS and the password AWS."""


@cache
def tool(name: str) -> Path:
    """Return the program ``name``; skip the test where it cannot be had."""
    if found := shutil.which(name):
        return Path(found)
    place = _TOOLS / name
    program = place / "usr/bin" / name
    _TOOLS.mkdir(parents=True, exist_ok=True)
    with FileLock(_TOOLS / f"{name}.lock"):
        if not program.is_file():
            _unpack(_PACKAGES[name], place)
    if not program.is_file():
        pytest.skip(f"there is no {name}, and no package of Debian to take it from")
    return program


def run(name: str, *args: str | Path, cwd: Path | None = None) -> str:
    """Run a tool, which must succeed, and return what it prints."""
    program = tool(name)
    libraries = (
        sorted({str(path.parent) for path in program.parents[2].rglob("*.so.*")}) if _TOOLS in program.parents else []
    )
    env = {**os.environ, **({"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {})}
    done = subprocess.run([program, *args], cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{name} {args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _unpack(packages: tuple[str, ...], place: Path) -> None:
    draft = place.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        subprocess.run(["apt-get", "download", *packages], cwd=draft, capture_output=True, check=True)
        for package in draft.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, draft], capture_output=True, check=True)
            package.unlink()
    except (OSError, subprocess.CalledProcessError):
        return
    draft.rename(place)


@contextmanager
def registry(folder: Path, *, port: int = 0, basic: bool = False) -> Iterator[str]:
    """Run the CNCF's registry with its data in ``folder``; yield where it is, as HOST:PORT."""
    port = port or _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        "version: 0.1",
        "log: {level: warn, accesslog: {disabled: true}}",
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}, delete: {{enabled: true}}}}",
        f"http: {{addr: 127.0.0.1:{port}}}",
    ]
    if basic:
        (folder / "users").write_text(f"{_BASIC}\n")
        lines.append(f"auth: {{htpasswd: {{realm: tests, path: {folder / 'users'}}}}}")
    (folder / "registry.yml").write_text("\n".join(lines) + "\n")
    with (folder / "registry.log").open("ab") as log:
        process = subprocess.Popen(
            [tool("docker-registry"), "serve", folder / "registry.yml"],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        wait_for(lambda: _listens(port), limit_s=30)
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0

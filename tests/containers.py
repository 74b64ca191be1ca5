"""The tools of containers that tests hold ours against: those on PATH, or else unpacked from Debian's packages."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from filelock import FileLock

from tests.checkout import ROOT, wait_for

_TOOLS = ROOT / ".artifacts/tools"
_OF_BUILDERS = (
    *("golang-github-containers-common", "golang-github-containers-image", "patchelf"),
    *("libgpgme11", "libassuan0", "libdevmapper1.02.1", "libseccomp2", "libsubid4"),
)
_PACKAGES = {
    "buildah": ("buildah", *_OF_BUILDERS),
    "podman": ("podman", "conmon", "runc", *_OF_BUILDERS),
    "docker": ("docker.io",),
    "docker-registry": ("docker-registry",),
    "bwrap": ("bubblewrap",),
    "skopeo": ("skopeo", "libgpgme11", "libassuan0"),
    "umoci": ("umoci",),
    "tcc": ("tcc", "libc6-dev"),
}
_BASIC = "AWS:$2b$05$HJ4q8M9tJwqvpyDuR0tn6.lb9R.guNN0LRysNMv18PkLoI4blZA3."
"""What htpasswd writes for the name AWS and the password AWS."""


@cache
def tool(name: str) -> Path:
    """Return the program ``name``; skip the test where it cannot be had."""
    found = shutil.which(name)
    return Path(found) if found else unpacked(name) / "usr/bin" / name


@cache
def unpacked(name: str) -> Path:
    """Return the folder with the packages of the program ``name``; skip the test where they cannot be had."""
    place = _TOOLS / name
    program = place / "usr/bin" / name
    _TOOLS.mkdir(parents=True, exist_ok=True)
    with FileLock(_TOOLS / f"{name}.lock"):
        if not program.is_file():
            _unpack(_PACKAGES[name], place)
    if not program.is_file():
        pytest.skip(f"there is no {name}, and no package of Debian to take it from")
    return place


def run(name: str, *args: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a tool, which must succeed, and return what it prints; ``env`` is what `builder` gives."""
    program = tool(name)
    libraries = (
        sorted({str(path.parent) for path in program.parents[2].rglob("*.so.*")}) if _TOOLS in program.parents else []
    )
    env = {**os.environ, **({"LD_LIBRARY_PATH": ":".join(libraries)} if libraries else {}), **(env or {})}
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
        _lead_to_libraries(draft, place)
    except (OSError, subprocess.CalledProcessError):
        return
    draft.rename(place)


def _lead_to_libraries(draft: Path, place: Path) -> None:
    """Let programs find their libraries in ``place``: buildah starts a copy of itself without LD_LIBRARY_PATH."""
    patchelf = draft / "usr/bin/patchelf"
    if patchelf.is_file():
        folders = {path.parent.relative_to(draft) for path in draft.rglob("*.so.*")}
        search = ":".join(str(place / folder) for folder in sorted(folders))
        for name in ("bin/buildah", "bin/podman", "bin/conmon", "sbin/runc"):
            program = draft / "usr" / name
            if program.is_file():
                subprocess.run([patchelf, "--force-rpath", "--set-rpath", search, program], check=True)


def builder(name: str, folder: Path, *, path: str) -> dict[str, str]:
    """Return the environment that ``podman`` or ``buildah`` works in, with all it keeps below ``folder``.

    It is on PATH, before ``path``. Skips the test where it cannot work.
    """
    program = tool(name)
    settings = folder / "home/.config/containers"
    settings.mkdir(parents=True, exist_ok=True)
    places = {key: folder / key for key in ("storage", "run", "tmp", "libpod", "volumes")}
    near = program.parents[2] if _TOOLS in program.parents else Path("/")
    driver = 'driver = "overlay"\n' if os.getuid() == 0 else ""
    texts = {
        "policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}',
        "registries.conf": "[[registry]]\nlocation = '127.0.0.1'\ninsecure = true\n",
        "storage.conf": f'[storage]\n{driver}graphroot = "{places["storage"]}"\nrunroot = "{places["run"]}"\n'
        '[storage.options.overlay]\nskip_mount_home = "true"\n',
        "containers.conf": '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nruntime = "runc"\n'
        f'tmp_dir = "{places["tmp"]}"\nstatic_dir = "{places["libpod"]}"\nvolume_path = "{places["volumes"]}"\n'
        f'conmon_path = ["{near}/usr/bin/conmon"]\n[engine.runtimes]\nrunc = ["{near}/usr/sbin/runc"]\n',
    }
    for file, text in texts.items():
        (settings / file).write_text(text)
    env = {
        "HOME": str(folder / "home"),
        "XDG_RUNTIME_DIR": str(folder),
        "CONTAINERS_CONF": str(settings / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(settings / "storage.conf"),
        "CONTAINERS_REGISTRIES_CONF": str(settings / "registries.conf"),
        "BUILDAH_ISOLATION": "chroot",
        "PATH": f"{program.parent}:{path}",
    }
    asked = subprocess.run([program, "info"], env={**os.environ, **env}, capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        pytest.skip(f"{name} cannot work here: {asked.stderr.strip().splitlines()[-1:]}")
    return env


@contextmanager
def engine(folder: Path, *, path: str) -> Iterator[dict[str, str]]:
    """Run podman as the engine that the docker client talks to; yield the environment for that client."""
    client = tool("docker")
    env = builder("podman", folder, path=path)
    place = folder / "engine.sock"
    with (folder / "engine.log").open("ab") as log:
        process = subprocess.Popen(
            [tool("podman"), "system", "service", "--time", "0", f"unix://{place}"],
            env={**os.environ, **env},
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        wait_for(place.exists, limit_s=30)
        yield {"DOCKER_HOST": f"unix://{place}", "PATH": f"{client.parent}:{path}"}
    finally:
        process.terminate()
        process.wait()


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

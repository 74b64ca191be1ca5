"""Builders of real things for tests: tiny wheels, folders of functions, workspaces."""

import base64
import hashlib
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.utils import parse_wheel_filename

from build.digest import Digest
from build.locking.locks import Lock, targets_of
from build.model import Architecture, Env, FunctionSpec, LayerSpec, Runtime, Target, Wheel, Workspace
from build.options import Options
from build.project.profiles import profile_of
from build.store.objects import Store
from build.triggers import Triggers
from build.wheels import fetch

PY313 = Runtime(13)
X86 = Target(PY313, Architecture.X86_64)
ARM = Target(PY313, Architecture.ARM64)


def make_wheel(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str | bytes] | None = None,
    requires: Iterable[str] = (),
    tag: str = "py3-none-any",
    metadata_name: str | None = None,
) -> Wheel:
    """Write a real wheel that pip installs, with METADATA, WHEEL and a right RECORD."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    headers = [f"Metadata-Version: 2.1\nName: {metadata_name or name}\nVersion: {version}\n"]
    headers += [f"Requires-Dist: {line}\n" for line in requires]
    contents = {
        **(files if files is not None else {f"{module}/__init__.py": f"VERSION = {version!r}\n"}),
        f"{info}/METADATA": "".join(headers),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    data = {path: text.encode() if isinstance(text, str) else text for path, text in contents.items()}
    record = [f"{path},sha256={_urlsafe(content)},{len(content)}\n" for path, content in data.items()]
    data[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{module}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in data.items():
            archive.writestr(member, content)
    return Wheel(name=name, version=version, path=path, digest=Digest.of_file(path))


def lock_line(*wheels: Wheel, marker: str = "") -> str:
    """Return the lock's line for one version, which may have several wheels."""
    hashes = " ".join(f"--hash=sha256:{wheel.digest.hex}" for wheel in wheels)
    condition = f" ; {marker}" if marker else ""
    return f"{wheels[0].name}=={wheels[0].version}{condition} {hashes}\n"


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write ``files`` below ``folder`` and return it."""
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return folder


def function_spec(folder: Path, *, target: Target = X86, layers: tuple[str, ...] = ()) -> FunctionSpec:
    """Return the settings of the function in ``folder``, with defaults."""
    return FunctionSpec(
        name=folder.name,
        folder=folder,
        description="",
        target=target,
        handler="app.handler",
        layers=layers,
        memory_mb=256,
        timeout_s=10,
        ephemeral_storage_mb=512,
        keep=(),
        environment={},
        log_retention_days=30,
        reserved_concurrency=None,
        triggers=Triggers(),
        options=Options(),
    )


def layer_spec(
    folder: Path,
    *,
    runtimes: tuple[Runtime, ...] = (PY313,),
    architectures: tuple[Architecture, ...] = (Architecture.X86_64, Architecture.ARM64),
) -> LayerSpec:
    """Return the settings of the layer in ``folder``."""
    return LayerSpec(
        name=folder.name, folder=folder, description="", runtimes=runtimes, architectures=architectures, keep=()
    )


def make_workspace(
    root: Path, *, functions: tuple[FunctionSpec, ...] = (), layers: tuple[LayerSpec, ...] = (), env: str = "dev"
) -> Workspace:
    """Return a workspace of the given folders."""
    return Workspace(
        root=root,
        name="shop",
        env=Env(name=env, region="eu-central-1", account_id="123456789012", artifact_bucket="shop-artifacts"),
        functions=functions,
        layers=layers,
    )


def stock(store: Store, index: Path, workspace: Workspace, locks: Mapping[str, Lock]) -> None:
    """Take the wheels of ``index`` in as `fetch` does once pip is done; integration tests put pip to the test."""
    for spec in workspace.specs:
        for target in targets_of(spec):
            accepted = set(profile_of(target).tags)
            for pin in locks[spec.identity].selected(target):
                with store.scratch() as folder:
                    for wheel in index.glob("*.whl"):
                        fits = not accepted.isdisjoint(parse_wheel_filename(wheel.name)[3])
                        if fits and Digest.of_file(wheel).hex in pin.sha256s:
                            fetch._take_in(Path(shutil.copy(wheel, folder)), pin, target, "lock", store)


def _urlsafe(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()

"""Which Terraform runs: the one on PATH if it is new enough, else the pinned release."""

import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from build.digest import Digest
from build.errors import ToolError
from build.process import Runner, run

OLDEST = (1, 10)
"""S3 state locking without DynamoDB came with Terraform 1.10."""

PINNED = "1.11.4"
_DIGESTS = {  # of terraform_1.11.4_<platform>.zip, as published with the release
    "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
    "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
    "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
}
_RELEASES = "https://releases.hashicorp.com/terraform"
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_SILENCE_S = 30
_CHUNK_BYTES = 1 << 20
_INSTALL = "put Terraform >= 1.10 on PATH, then run `invoke doctor`"


def terraform_binary(root: Path, environ: Mapping[str, str], *, runner: Runner = run) -> Path:
    """Return the Terraform to use: PATH's if it is 1.10 or newer, else the pinned one in .artifacts/bin.

    Fetches the pinned release the first time. SLIPWAY_TERRAFORM_RELEASES may name a copy of the
    release site. Raises ToolError where there is no release for this machine or no network.
    """
    folder = root / ".artifacts" / "bin"
    found = shutil.which("terraform", path=environ.get("PATH", ""))
    if found and _version(Path(found), folder / "versions.json", environ, runner) >= OLDEST:
        return Path(found)
    pinned = folder / f"terraform-{PINNED}"
    if not pinned.is_file():
        here = f"{platform.system().lower()}_{_MACHINES.get(platform.machine().lower(), platform.machine())}"
        if here not in _DIGESTS:
            msg = f"Terraform is not on PATH, and no release of it is pinned for {here}"
            raise ToolError(msg, facts=[f"pinned: {', '.join(_DIGESTS)}"], hint=_INSTALL)
        releases = environ.get("SLIPWAY_TERRAFORM_RELEASES", _RELEASES).rstrip("/")
        url = f"{releases}/{PINNED}/terraform_{PINNED}_{here}.zip"
        fetch(url, Digest.parse(_DIGESTS[here]), pinned)
    return pinned


def terraform_version(root: Path, environ: Mapping[str, str], *, runner: Runner = run) -> str:
    """Return the version of the Terraform to use: ``1.11.4``."""
    folder = root / ".artifacts" / "bin"
    binary = terraform_binary(root, environ, runner=runner)
    return ".".join(map(str, _version(binary, folder / "versions.json", environ, runner)))


def fetch(url: str, digest: Digest, destination: Path) -> None:
    """Fetch the zip at ``url``, check its digest, and put its member ``terraform`` at ``destination``.

    ``destination`` appears whole or not at all. Raises ToolError, leaving nothing behind.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".fetch-") as scratch:
        archive = Path(scratch, "terraform.zip")
        got = _download(url, archive)
        if got != digest:
            msg = f"not the Terraform that was pinned: {url}"
            raise ToolError(msg, facts=[f"expected: {digest}", f"got: {got}"], hint=_INSTALL)
        with zipfile.ZipFile(archive) as release:
            binary = Path(release.extract("terraform", scratch))
        binary.chmod(0o755)
        binary.replace(destination)


def _download(url: str, path: Path) -> Digest:
    import http.client
    import urllib.request

    sha256 = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=_SILENCE_S) as answer, path.open("wb") as stream:  # noqa: S310 - checked by digest
            while chunk := answer.read(_CHUNK_BYTES):
                sha256.update(chunk)
                stream.write(chunk)
            missing = answer.length or 0
    except (OSError, ValueError, http.client.HTTPException) as reason:
        msg = f"cannot fetch Terraform {PINNED}: {reason}"
        raise ToolError(msg, facts=[f"from: {url}"], hint=_INSTALL) from None
    if missing:
        msg = f"cannot fetch Terraform {PINNED}: the connection ended {missing:,} bytes too early"
        raise ToolError(msg, facts=[f"from: {url}"], hint="run the same command again, or " + _INSTALL)
    return Digest(sha256.hexdigest())


def _version(binary: Path, cache: Path, environ: Mapping[str, str], runner: Runner) -> tuple[int, ...]:
    """Ask ``binary`` for its version, once for each size and time of change: asking costs 50 ms."""
    stat = binary.stat()
    key = f"{binary}|{stat.st_size}|{stat.st_mtime_ns}"
    try:
        known = json.loads(cache.read_text("utf-8"))
    except (OSError, ValueError):
        known = {}
    if key not in known:
        # Both would make it print more than the version, one of them after asking a server.
        env = {**environ, "CHECKPOINT_DISABLE": "1"}
        env.pop("TF_CLI_CONFIG_FILE", None)
        said = runner([str(binary), "version", "-json"], env=env).stdout
        match = re.search(r'"terraform_version":\s*"(\d+)\.(\d+)\.(\d+)', said)
        if not match:
            return (0,)
        known = {key: [int(part) for part in match.groups()]}
        cache.parent.mkdir(parents=True, exist_ok=True)
        draft = cache.with_name(f".versions-{os.getpid()}.json")
        draft.write_text(json.dumps(known), "utf-8")
        draft.replace(cache)
    return tuple(known[key])

"""Container images: Slipway and buildah, each with a registry of its own to push to."""

import gzip
import os
import shutil
import sys
import tempfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from benchmarks.dock import BASE, REPOSITORY, Dock
from benchmarks.entrants import InstalledPeer, Site
from benchmarks.measure import PROBES, Command, RunFailedError, answered
from benchmarks.results import OURS, Packed, State
from benchmarks.slipway import ENV, Slipway
from benchmarks.workloads import Workload
from build.images.bases import GALLERY
from build.store.objects import Store

_PIECE_BYTES = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS
_POLICY = '{"default": [{"type": "insecureAcceptAnything"}]}'


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipwayImages:
    """Slipway, when its functions ship as images: `build`, and the part of `deploy` that pushes them."""

    slipway: Slipway
    dock: Dock
    key: str = OURS

    @property
    def title(self) -> str:
        """With its version."""
        return self.slipway.title

    def refuses(self, workload: Workload) -> str:  # noqa: ARG002
        """Take everything."""
        return ""

    def lay_out(self, site: Site) -> None:
        """Write a repository that has never built anything."""
        self.slipway.lay_out(site)
        base = f"{GALLERY}:base@{self.dock.base.digest}"  # as AWS's: what it holds needs no look
        for function in site.workload.functions:
            with (site.folder / "functions" / function.name / "function.toml").open("a", encoding="utf-8") as settings:
                settings.write(f'package = "image"\nbase_image = "{base}"\n')
        self.dock.zips = site.folder / ".artifacts/build/functions"
        self._begin(site)

    def forget(self, site: Site) -> None:
        """Remove every result, and the registry that has it; wheels and bytecode stay."""
        self.slipway.forget(site)
        self._begin(site)

    def edit(self, site: Site, count: int) -> None:
        """Change one line of the last function."""
        self.slipway.edit(site, count)

    def command(self, site: Site, state: State) -> Command:
        """Return what builds and pushes."""
        argv = [sys.executable, str(PROBES / "imaging.py"), ENV, self.dock.host(site), BASE]
        return replace(self.slipway.command(site, state), argv=argv)

    def zips(self, site: Site) -> dict[str, Path]:
        """Return the layers on the base."""
        return self.dock.layers(site)

    def _begin(self, site: Site) -> None:
        self.dock.renew(site)
        base = self.dock.base
        note = {"manifest": base.manifest.decode(), "config": base.config.decode()}
        Store(site.folder / ".artifacts/store").remember("base", base.digest, note)


@dataclass(frozen=True, kw_only=True)  # no slots: a cached property needs room
class ImagePeer:
    """A peer that makes images, on a storage of its own that holds the base.

    Its scripts know, besides what all know: ``STATE``, ``REGISTRY`` (HOST:PORT), ``BASE`` (the base there),
    ``IMAGE`` (where to push), ``ZIP`` (what Slipway made, for whoever takes the same files), ``b``, which is buildah
    with the options that keep it here.
    """

    installed: InstalledPeer
    dock: Dock

    @property
    def key(self) -> str:
        """What it is called in options and JSON."""
        return self.installed.key

    @cached_property
    def title(self) -> str:
        """With buildah's version, and how it stores layers if not the fastest way."""
        said = answered(["buildah", "--version"], cwd=Path.cwd()).split()
        return f"{self.installed.peer.name} {said[2]}{' vfs' * (self._driver == 'vfs')}"

    def refuses(self, workload: Workload) -> str:  # noqa: ARG002
        """Take everything."""
        return ""

    def lay_out(self, site: Site) -> None:
        """Write the project, never built, into a new folder."""
        self.installed.lay_out(site)
        self._begin(site)

    def forget(self, site: Site) -> None:
        """Go back to where there is no layer but the base's."""
        self.installed.forget(site)
        self._begin(site)

    def edit(self, site: Site, count: int) -> None:
        """Change one line of the last function."""
        self.installed.edit(site, count)

    def command(self, site: Site, state: State) -> Command:
        """Return the script that a person would run."""
        command = self.installed.command(site, state)
        script = f"{_BUILDAH}\n{command.argv[-1]}"
        return replace(command, argv=["sh", "-c", script], env={**command.env, **self._environ(site), "STATE": state})

    def zips(self, site: Site) -> dict[str, Path]:
        """Return the layers on the base."""
        return self.dock.layers(site)

    def _begin(self, site: Site) -> None:
        self.dock.renew(site)
        site.caches.mkdir(parents=True, exist_ok=True)
        (site.caches / "policy.json").write_text(_POLICY, "utf-8")
        env = {**site.environ(), **self._environ(site)}
        if (site.caches / "storage").exists():
            answered(["sh", "-c", f"{_BUILDAH}\nb rm --all; b rmi --all --force"], cwd=site.caches, env=env)
            shutil.rmtree(site.caches / "storage", ignore_errors=True)
        answered(["sh", "-c", f'{_BUILDAH}\nb pull $INSECURE "$BASE"'], cwd=site.caches, env=env)

    def _environ(self, site: Site) -> dict[str, str]:
        host = self.dock.host(site)
        return {
            "CACHES": str(site.caches),
            "STORAGE_DRIVER": self._driver,
            # With mounts of its own, that nothing is left mounted when a run that takes too long is killed.
            "APART": "unshare --mount" if os.getuid() == 0 else "",
            "REGISTRY": host,
            "BASE": f"{host}/{self.dock.base_name}",
            "IMAGE": f"{host}/{REPOSITORY}:latest",
            "ZIP": str(self.dock.zips / f"{site.workload.functions[0].name}.zip"),
        }

    @cached_property
    def _driver(self) -> str:
        """How layers are stored: overlay, which is faster, where it works."""
        with tempfile.TemporaryDirectory(dir=self.installed.folders[""], ignore_cleanup_errors=True) as place:
            kept = ["--root", f"{place}/storage", "--runroot", f"{place}/run"]
            try:
                answered(["buildah", *kept, "--storage-driver", "overlay", "info"], cwd=Path(place))
            except RunFailedError:
                return "vfs"
        return "overlay"


_BUILDAH = """
b() { $APART buildah --root "$CACHES/storage" --runroot "$CACHES/run" --storage-driver "$STORAGE_DRIVER" "$@"; }
INSECURE="--quiet --tls-verify=false --signature-policy $CACHES/policy.json"
"""


def packed_of(workload: Workload, layers: Collection[Path]) -> Packed:
    """Compress what is in ``layers`` by zlib, and compare."""
    zlib_bytes = 0
    for layer in layers:
        packer = zlib.compressobj(6, wbits=_GZIP)
        with gzip.open(layer) as tar:
            while piece := tar.read(_PIECE_BYTES):
                zlib_bytes += len(packer.compress(piece))
        zlib_bytes += len(packer.flush())
    layer_bytes = sum(layer.stat().st_size for layer in layers)
    return Packed(workload=workload.name, layer_bytes=layer_bytes, zlib_bytes=zlib_bytes)

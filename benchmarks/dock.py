"""Registries on loopback, each with the base of all images in it; a new one whenever nothing else may be there."""

import json
import os
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self

from benchmarks.entrants import Site
from benchmarks.measure import RunFailedError
from benchmarks.race import Say
from benchmarks.workloads import RUNTIME
from build.errors import SlipwayError
from build.image import Image
from build.images.pushing import push_image
from build.images.registry import Registry
from build.local.stand_in import stand_in
from build.model import Runtime
from build.store.objects import Store

BASE, REPOSITORY = "lambda/python", "image"
"""Where the base is in every registry, and where entrants push."""
_PROGRAM = "docker-registry"
_CONFIG = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {data}}}}}
http: {{addr: {host}}}
"""
_STARTS_WITHIN_S = 20


class Dock:
    """A registry for each site. What it runs ends with it."""

    def __init__(self, root: Path, place: Path, kept: Path, say: Say) -> None:
        """Make the base in ``kept``, unless it is there, and a registry that has it in ``place``.

        Raises RunFailedError where there is no docker-registry, or no Python to make the base of.
        """
        if not shutil.which(_PROGRAM):
            msg = f"needs {_PROGRAM}, which is not on PATH"
            raise RunFailedError(msg)
        self._place = place
        self.zips = place
        """Where Slipway's zips are, once it made some: what others shall put into their images."""
        self._running: dict[Path, tuple[subprocess.Popen[bytes], str]] = {}
        store = Store(kept)
        try:
            self.base: Image = stand_in(root, Runtime.parse(f"python{RUNTIME}"), store, say=say)
            config = store.blob(self.base.config_blob.digest)
            config.write_bytes(self.base.config)
            registry = Registry(self._start(place), plain=True)
            with ThreadPoolExecutor(1) as pool:
                push_image(self.base, registry, BASE, content=lambda blob: store.blob(blob.digest), pool=pool)
        except SlipwayError as reason:
            msg = "has no base to stand on"
            raise RunFailedError(msg, str(reason)) from None
        finally:
            self._stop(place)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for place in [*self._running]:
            self._stop(place)

    @property
    def base_name(self) -> str:
        """The base, as registries here know it."""
        return f"{BASE}:{self.base.digest.hex}"

    def renew(self, site: Site) -> str:
        """Give ``site`` a registry in which there is nothing but the base; return its HOST:PORT."""
        place = _of(site)
        self._stop(place)
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self._place / "data", place / "data", copy_function=os.link)
        return self._start(place)

    def host(self, site: Site) -> str:
        """Return HOST:PORT of the registry that ``site`` has."""
        return self._running[_of(site)][1]

    def layers(self, site: Site) -> dict[str, Path]:
        """Return the layers that the newest image in the registry of ``site`` has on its base, by digest."""
        data = _of(site) / "data/docker/registry/v2"

        def blob(digest: str) -> Path:
            algorithm, _, value = digest.partition(":")
            return data / "blobs" / algorithm / value[:2] / value / "data"

        tags = (data / "repositories" / REPOSITORY / "_manifests/tags").glob("*/current/link")
        newest = max(tags, key=lambda link: link.stat().st_mtime_ns)
        manifest = json.loads(blob(newest.read_text()).read_bytes())
        digests = [str(row["digest"]) for row in manifest["layers"]][len(self.base.layers) :]
        return {digest: blob(digest) for digest in digests}

    def _start(self, place: Path) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        host = f"127.0.0.1:{port}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "registry.yml").write_text(_CONFIG.format(data=place / "data", host=host), "utf-8")
        with (place / "registry.log").open("ab") as log:
            process = subprocess.Popen(
                [_PROGRAM, "serve", place / "registry.yml"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._running[place] = process, host
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                return host
            time.sleep(0.05)
        msg = f"needs {_PROGRAM}, which does not start"
        raise RunFailedError(msg, (place / "registry.log").read_text("utf-8", "replace")[-2000:])

    def _stop(self, place: Path) -> None:
        process, _ = self._running.pop(place, (None, ""))
        if process:
            process.kill()
            process.wait()


def _of(site: Site) -> Path:
    return site.caches / "registry"

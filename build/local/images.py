"""Where the embedded cloud keeps images: in a real registry on loopback, or without its program in OCI layouts.

Like everything that the cloud holds, images are lost when it ends, unless that is kept (`build.local.keeping`). Their
layers stay unpacked (`build.local.roots`).
"""

import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from build import process
from build.errors import ToolError
from build.image import Blob, Image

if TYPE_CHECKING:
    from build.images.layouts import Layout
    from build.images.registry import Registry

READY_LIMIT_S = 20.0
"""For the registry to listen; it is there before moto is."""
_LOOK_S = 0.02
_TRIES = 3
"""Of ports: somebody else may take the free one first."""
_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Depot:
    """The images of one embedded cloud. Any number of threads and processes may use it."""

    folder: Path
    registry: str = ""
    """HOST:PORT; empty where OCI layouts in `folder` serve."""

    @property
    def kept_in(self) -> str:
        """Which of both it is, for people."""
        if self.registry:
            return f"a registry on {self.registry}"
        return "OCI layouts below .artifacts/local/images, for there is no `docker-registry` on PATH"

    def push(
        self,
        image: Image,
        repository: str,
        *,
        content: Callable[[Blob], Path],
        pool: Executor,
        mount: str | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> bool:
        """Make sure that ``repository`` has ``image``, as `build.images.pushing.push_image` does."""
        if self.registry:
            from build.images.pushing import push_image

            return push_image(image, self._client(), repository, content=content, pool=pool, mount=mount, say=say)
        from filelock import FileLock

        layout, tag = self._layout(repository), image.digest.hex
        layout.root.mkdir(parents=True, exist_ok=True)
        with FileLock(layout.root / "lock"):
            if layout.read(tag):
                return False
            layout.write(image, content, tag=tag)
        return True

    def read(self, repository: str, reference: str) -> Image | None:
        """Return the image that ``reference``, a tag or a digest, names; None where there is none."""
        if not self.registry:
            return self._layout(repository).read(reference)
        from build.images.pushing import pull_image

        client = self._client()
        if not client.has_manifest(repository, reference):
            return None
        with self._scratch() as scratch:
            return pull_image(client, repository, reference, scratch)

    @contextmanager
    def layer(self, repository: str, blob: Blob) -> Iterator[Path]:
        """Yield the file of a layer. Raises ToolError where it is not there, or is not what its digest says."""
        if not self.registry:
            yield self._layout(repository).blob(blob.digest)
            return
        with self._scratch() as scratch:
            self._client().pull(repository, blob.digest, scratch / "layer")
            yield scratch / "layer"

    def _client(self) -> "Registry":
        from build.images.registry import Registry

        return Registry(self.registry, plain=True)

    def _layout(self, repository: str) -> "Layout":
        from build.images.layouts import Layout

        return Layout(self.folder / "layouts" / quote(repository, safe=""))

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="pulled-", dir=self.folder) as scratch:
            yield Path(scratch)


def depot_of(root: Path, registry: str) -> Depot:
    """Return where the embedded cloud of the repository at ``root`` keeps images, given `Cloud.registry`."""
    return Depot(root / ".artifacts" / "local" / "images", registry)


@contextmanager
def opened(depot: Depot, *, kept: bool = False) -> Iterator[Callable[[], Depot]]:
    """Forget what an earlier cloud had unless it is ``kept``, and start a registry where there is a program for one.

    What is yielded waits until the registry listens, and returns the depot to use. It ends with the context.
    """
    end_left_over(depot.folder)
    if not kept:
        shutil.rmtree(depot.folder, ignore_errors=True)
    depot.folder.mkdir(parents=True, exist_ok=True)
    program = _program()
    running = _Running(program, depot.folder) if program else None
    try:
        yield lambda: Depot(depot.folder, running.address()) if running else depot
    finally:
        if running:
            running.end()


def end_left_over(folder: Path) -> None:
    """End the registry of a cloud that was killed, if it still runs."""
    try:
        pid = int((folder / "registry.pid").read_text("ascii"))
        shown = process.run(["ps", "-ww", "-o", "args=", "-p", str(pid)]).stdout
    except (OSError, ValueError, ToolError):
        return
    if str(_settings(folder)) in shown:  # else somebody else got the number
        with suppress(ProcessLookupError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    (folder / "registry.pid").unlink(missing_ok=True)


class _Running:
    """The registry's process; it ends with ours, however ours ends, where Linux's ``setpriv`` is there to see to it."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._start()

    def address(self) -> str:
        """Return HOST:PORT once it listens; empty if it does not, which the cloud's log then tells."""
        deadline = time.monotonic() + READY_LIMIT_S
        for _ in range(_TRIES):
            while self._process.poll() is None and time.monotonic() < deadline:
                with suppress(OSError), socket.create_connection((_HOST, self._port), timeout=1.0):
                    return f"{_HOST}:{self._port}"
                time.sleep(_LOOK_S)
            self.end()
            if time.monotonic() < deadline:
                self._start()
        self.end()
        sys.stderr.write(f"{self._program} does not start: see {self._folder / 'registry.log'}; OCI layouts serve\n")
        return ""

    def end(self) -> None:
        """Kill it. May be called again."""
        self._process.kill()
        self._process.wait()

    def _start(self) -> None:
        with socket.create_server((_HOST, 0)) as free:
            self._port = int(free.getsockname()[1])
        settings = _settings(self._folder)
        settings.write_text(
            "version: 0.1\n"
            "log: {level: warn, accesslog: {disabled: true}}\n"
            f"storage: {{filesystem: {{rootdirectory: '{self._folder / 'registry'}'}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{_HOST}:{self._port}'}}\n",
            "utf-8",
        )
        setpriv = shutil.which("setpriv")
        tied = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
        # Variables of its own (REGISTRY_…) would win over its settings.
        variables = {"PATH": os.environ.get("PATH", ""), "OTEL_TRACES_EXPORTER": "none"}
        argv = [*tied, self._program, "serve", str(settings)]
        self._process = process.start(argv, cwd=self._folder, env=variables, log=self._folder / "registry.log")
        (self._folder / "registry.pid").write_text(str(self._process.pid), "ascii")


def _settings(folder: Path) -> Path:
    return folder / "registry.yml"


def _program() -> str | None:
    """Return Debian's program, or the one of the project itself, whose name others have as well."""
    if found := shutil.which("docker-registry"):
        return found
    found = shutil.which("registry")
    with suppress(ToolError):
        if found and "distribution" in process.run([found, "--version"]).stdout:
            return found
    return None

"""From a save to the first answer of what was saved: ``python -m benchmarks.watch [ROUNDS]``.

`invoke watch` against `chalice local`, both over HTTP, in turns; and `sam build`, which `sam local invoke` wants first.
That needs Docker, and is not run: a container takes longer to start than all of this. The load stands beside it all.
"""

import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.entrants import Peer, Site
from benchmarks.environments import installed
from benchmarks.estate import copy_machinery
from benchmarks.machine import this_machine
from benchmarks.measure import RunFailedError
from benchmarks.peers import CHALICE, SAM
from benchmarks.results import State
from benchmarks.workloads import Function, Workload

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 15
WORKLOADS = (("", "no dependencies"), ("pure", "requests"), ("web", "FastAPI, SQLAlchemy, boto3 and others"))
IMPORTS = {"": "", "pure": "import requests\n", "web": "import boto3, fastapi, mangum, sqlalchemy\n"}
_LOOK_S = 0.002
_LIMIT_S = 60.0
_APP = '{imports}\ndef handler(event, context):\n    return {{"statusCode": 200, "body": "{{}}"}}\n'
_CHALICE = '{imports}from chalice import Chalice\n\napp = Chalice(app_name="edited")\n\n@app.route("/")\ndef index():\n'
_SETTINGS = 'description = "Edited"\nhandler = "app.handler"\nmemory_mb = 512\n\n[[triggers.http]]\nroute = "GET /"\n'


@dataclass(frozen=True, slots=True)
class Loop:
    """One that brings what is saved to where it answers."""

    name: str
    save: Callable[[int], None]
    """Write the number that is to be answered."""
    url: str

    def measured_ms(self, number: int) -> float:
        """Save, and return the ms until the first answer with ``number``."""
        where = urlsplit(self.url)
        began = time.monotonic()
        self.save(number)
        while time.monotonic() < began + _LIMIT_S:
            with suppress(OSError, http.client.HTTPException):  # it starts anew
                connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=5)
                connection.request("GET", where.path or "/")
                if connection.getresponse().read().decode() == str(number):
                    return (time.monotonic() - began) * 1000
            time.sleep(_LOOK_S)
        sys.exit(f"{self.name} did not answer {number} within {_LIMIT_S:.0f} s")


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    print(this_machine())
    with tempfile.TemporaryDirectory(prefix="slipway-watch-") as folder, ExitStack() as stack:
        slipway = Path(folder, "slipway")
        copy_machinery(slipway)
        for wants, _ in WORKLOADS:
            _lay_out(slipway / "functions" / _name(wants), wants)
        _invoke(slipway, "deploy")
        stack.callback(_invoke, slipway, "local.stop")
        for wants, title in WORKLOADS:
            with _watched(slipway, wants) as ours, _chalice(Path(folder, f"chalice-{wants}"), wants) as theirs:
                took = {loop.name: list[float]() for loop in (ours, theirs)}
                for number in range(1, rounds + 1):  # in turns, so that what else the machine does disturbs both
                    for loop in (ours, theirs):
                        took[loop.name].append(loop.measured_ms(number))
            for name, each in took.items():
                _say(title, name, each)
            ratio = statistics.median(took[theirs.name]) / statistics.median(took[ours.name])
            print(f"{title:40} {'ratio':28} {ratio:8.1f}", flush=True)
            _say(title, "sam build --cached", list(_sam(Path(folder, f"sam-{wants}"), wants, rounds // 3 or 1)))
    print("sam local invoke: not run, for it needs Docker")


def _name(wants: str) -> str:
    return wants or "plain"


def _lay_out(folder: Path, wants: str) -> None:
    (folder / "src").mkdir(parents=True)
    (folder / "function.toml").write_text(_SETTINGS.replace("GET /", f"GET /{_name(wants)}"), "utf-8")
    (folder / "src/app.py").write_text(_source(wants, 0), "utf-8")
    function = Function(name=_name(wants), wants=wants)
    if wants:
        (folder / "requirements.in").write_text(function.wanted, "utf-8")
        (folder / "requirements.txt").write_text(function.lock, "utf-8")


def _source(wants: str, number: int) -> str:
    return _APP.format(imports=IMPORTS[wants]).replace("{}", str(number))


def _invoke(root: Path, *verb: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", *verb], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"invoke {' '.join(verb)}: {done.stderr}")
    return done.stdout


@contextmanager
def _watched(root: Path, wants: str) -> Iterator[Loop]:
    import json

    entries = json.loads(_invoke(root, "local.status", "--json"))["entries"]
    url = next(each["url"] for each in entries if each["entry"] == f"GET /{_name(wants)}")
    app = root / "functions" / _name(wants) / "src/app.py"
    with _running([sys.executable, "-m", "invoke", "watch", "-f", _name(wants)], root, until="until Ctrl-C"):
        yield Loop("invoke watch", lambda number: _write(app, _source(wants, number)), url)


@contextmanager
def _chalice(folder: Path, wants: str) -> Iterator[Loop]:
    peer = replace(CHALICE, installs_workload=True)  # `chalice local` runs in the environment it is installed in
    chalice = _environment(peer, wants) / "bin/chalice"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / ".chalice").mkdir(parents=True)
    (folder / ".chalice/config.json").write_text('{"version": "2.0", "app_name": "edited", "stages": {"dev": {}}}')

    def save(number: int) -> None:
        _write(folder / "app.py", f"{_CHALICE.format(imports=IMPORTS[wants])}    return {number}\n")

    save(0)
    argv = [str(chalice), "local", "--port", str(port)]
    with _running(argv, folder, until="Serving on"):
        yield Loop("chalice local", save, f"http://127.0.0.1:{port}/")


def _sam(folder: Path, wants: str, rounds: int) -> Iterator[float]:
    """Yield the ms that `sam build` takes after one line changed; `sam local invoke` then starts a container."""
    workload = Workload(name="sam", title="", functions=(Function(name=_name(wants), wants=wants),))
    site = Site(folder=folder, caches=folder.with_name("caches"), workload=workload)
    peer = installed(SAM, {wants}, ROOT / ".artifacts/bench/peers")
    peer.lay_out(site)
    for number in range(rounds + 1):
        peer.edit(site, number)
        command = peer.command(site, State.EDITED)
        began = time.monotonic()
        subprocess.run(command.argv, cwd=command.cwd, env=dict(command.env), capture_output=True, check=True)
        if number:  # the first one has to fetch
            yield (time.monotonic() - began) * 1000


def _environment(peer: Peer, wants: str) -> Path:
    try:
        return installed(peer, {wants}, ROOT / ".artifacts/bench/peers").folders[wants]
    except RunFailedError as reason:
        sys.exit(f"{peer.name}: {reason}")


def _write(path: Path, text: str) -> None:
    """Save as editors do: beside, then in its place."""
    draft = path.with_name(f"{path.name}~")
    draft.write_text(text, "utf-8")
    draft.replace(path)


@contextmanager
def _running(argv: Sequence[str], folder: Path, *, until: str) -> Iterator[None]:
    """Run ``argv`` meanwhile; it is ready once it says ``until``."""
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(argv, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            deadline = time.monotonic() + _LIMIT_S
            while until.encode() not in os.pread(log.fileno(), 1 << 20, 0):
                if child.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"{argv[-1]} did not start: {os.pread(log.fileno(), 4096, 0).decode()}")
                time.sleep(_LOOK_S)
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            child.wait()


def _say(title: str, name: str, took_ms: Sequence[float]) -> None:
    low, high = min(took_ms), max(took_ms)
    median = statistics.median(took_ms)
    print(f"{title:40} {name:28} {median:8.0f} ms ({low:.0f} … {high:.0f})  load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()

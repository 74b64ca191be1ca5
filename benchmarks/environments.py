"""Every peer at its pinned version, in a virtual environment of its own below .artifacts/bench/peers/."""

import hashlib
import shutil
import sys
from pathlib import Path

from benchmarks.entrants import InstalledPeer, Peer
from benchmarks.measure import RunFailedError, answered
from benchmarks.workloads import LOCKS, RUNTIME


def installed(peer: Peer, sets: set[str], folder: Path) -> InstalledPeer:
    """Return ``peer`` with its environments below ``folder``, made now unless they are there from before.

    A peer that packs the environment it runs in gets one for each of ``sets`` of distributions.
    Raises RunFailedError if it cannot be installed, or a program it needs is not on PATH.
    """
    missing = [program for program in peer.programs if not shutil.which(program)]
    if missing:
        msg = f"needs {', '.join(missing)}, which is not on PATH"
        raise RunFailedError(msg)
    wanted = sorted(sets) if peer.installs_workload else [""]
    return InstalledPeer(peer=peer, folders={each: _environment(peer, each, folder) for each in wanted})


def python_of_runtime() -> Path:
    """Return the interpreter that peers run on and imports are timed with."""
    from build.model import Runtime
    from build.project.interpreters import interpreter_of

    return interpreter_of(Runtime.parse(f"python{RUNTIME}"))


def _environment(peer: Peer, wants: str, folder: Path) -> Path:
    python = python_of_runtime()
    wanted = [*peer.pins, *(["-r", str(LOCKS / f"{wants}.txt")] if wants else [])]
    # A lock of requests pins hashes, the peer's own pins have none.
    contents = (LOCKS / f"{wants}.txt").read_text("utf-8") if wants else ""
    key = hashlib.sha256(f"{python} {peer.pins} {contents}".encode()).hexdigest()
    place = folder / "-".join(filter(None, [peer.key, peer.version, wants, key[:8]]))
    done = place / "installed"
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        uv = Path(sys.executable).parent / "uv"
        answered([str(uv), "venv", "--quiet", "--python", str(python), str(place)], cwd=folder, env=_environ())
        try:
            _install(uv, place, wanted)
        except RunFailedError as reason:
            shutil.rmtree(place, ignore_errors=True)
            msg = "could not be installed from the package index"
            raise RunFailedError(msg, reason.tail) from None
        done.touch()
    return place


def _install(uv: Path, place: Path, wanted: list[str]) -> None:
    argv = [str(uv), "pip", "install", "--quiet", "--no-verify-hashes", "--python", str(place / "bin/python"), *wanted]
    answered(argv, cwd=place, env=_environ())


def _environ() -> dict[str, str]:
    import os

    return {"UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true", **os.environ}

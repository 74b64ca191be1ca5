"""What the embedded cloud holds, kept between its runs: in ``.artifacts/local/kept``, while that folder exists.

``snapshot`` is a line of JSON and a pickle, replaced in one step; ``objects/<sha256>`` is what is large in it, each
written once. It is read by the same versions of moto, Python and our mends only.
"""

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from build.digest import Digest
from build.local import pickling
from build.local.deployment import LogSink

EVERY_S = 2.0
"""How long after a change it is kept, at most, where that takes less than a twentieth of the time."""
RETRY_S = 30.0
_SHARE = 20


def is_kept(root: Path) -> bool:
    """Tell whether what the cloud of the repository at ``root`` holds is kept."""
    return _folder(root).is_dir()


def keep(root: Path) -> None:
    """Have it kept from now on; a cloud that runs begins by itself."""
    (_folder(root) / "objects").mkdir(mode=0o700, parents=True, exist_ok=True)
    _folder(root).chmod(0o700)


def discard(root: Path) -> bool:
    """Throw away what is kept, and keep nothing from now on; return whether there was anything."""
    kept = is_kept(root)
    shutil.rmtree(_folder(root), ignore_errors=True)
    return kept


def kept_at(root: Path) -> float:
    """Return when it was last written, in seconds since 1970; 0 if never."""
    try:
        return (_folder(root) / "snapshot").stat().st_mtime
    except FileNotFoundError:
        return 0.0


class Keeper:
    """Keeps what moto holds in this process. Any number of threads may tell it of changes."""

    def __init__(self, root: Path, nonce: str) -> None:
        """``nonce`` tells the cloud of this process from others, which leave alone what it keeps."""
        self._root = root
        self._nonce = nonce
        self._folder = _folder(root)
        self._changed = True
        self._known: dict[int, tuple[Any, str]] = {}
        """What is large, by its id, and the name of its file."""
        self._last: object = None
        self._ours: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {}
        self._port = 0
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    @property
    def port(self) -> int:
        """Where the cloud listened that kept what is there, so that addresses stay good; 0 if nobody knows."""
        try:
            return int(_header(self._folder / "snapshot")[0]["port"])
        except (OSError, ValueError, KeyError):
            return 0

    def include(self, name: str, tell: Callable[[], Any], take: Callable[[Any], object]) -> None:
        """Keep what ``tell`` returns, too, which can be pickled and takes no lock; `restore` gives it to ``take``."""
        self._ours[name] = (tell, take)

    def restore(self) -> str:
        """Give moto what was kept; return why not, empty if nothing was. What was refused is put aside."""
        if not is_kept(self._root):
            return ""
        (self._folder / "owner").write_text(self._nonce, "ascii")
        if not (self._folder / "snapshot").is_file():
            return ""
        try:
            self._restore()
        except Exception as why:  # a pickle may raise anything
            aside = self._folder.with_name("kept-refused")
            shutil.rmtree(aside, ignore_errors=True)
            self._folder.rename(aside)
            keep(self._root)
            text = str(why) if isinstance(why, _RefusedError) else f"it cannot be read: {type(why).__name__}: {why}"
            return f"what was kept is not restored, for {text}; it lies in {aside.relative_to(self._root)}"
        return ""

    def start(self, port: int) -> None:
        """Begin to keep; the cloud listens on ``port``."""
        self._port = port
        self._thread.start()

    def watched(self, app: Callable[..., Any]) -> Callable[..., Any]:
        """Return a WSGI application that does what ``app`` does, and tells us."""

        def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            try:
                return app(environ, start_response)
            finally:
                self._changed = True

        return answer

    def noted(self, sink: LogSink) -> LogSink:
        """Return what does as ``sink`` does, and tells us: of what functions do, we hear by their log."""

        def write(*arguments: Any) -> None:
            sink(*arguments)
            self._changed = True

        return write

    def close(self) -> None:
        """Keep the last state, if it is to be kept."""
        self._stopped.set()
        if is_kept(self._root):
            try:
                self._save()
                os.utime(self._folder / "snapshot")
            except Exception as why:
                _say(why)

    def _run(self) -> None:
        pause_s = EVERY_S
        while not self._stopped.wait(pause_s):
            if not (self._changed and is_kept(self._root)):
                continue
            self._changed = False
            began = time.monotonic()
            try:
                self._save()
                pause_s = max(EVERY_S, _SHARE * (time.monotonic() - began))
            except Exception as why:  # a full disk, or what cannot be pickled: what was kept before stays
                if pause_s != RETRY_S:
                    _say(why)
                self._changed, pause_s = True, RETRY_S

    def _save(self) -> None:
        with self._lock:
            if not self._is_ours():
                return
            taken = pickling.take({name: tell for name, (tell, _) in self._ours.items()})
            names = self._written(taken.large)
            digest = Digest.of_bytes(taken.pickled).hex
            if (digest, names) != self._last:
                header = {**_versions(), "port": self._port, "digest": digest, "objects": names}
                with _replaced(self._folder / "snapshot") as target:
                    target.write(json.dumps(header).encode() + b"\n")
                    target.write(taken.pickled)
                self._last = digest, names
                for path in (self._folder / "objects").iterdir():
                    if path.name not in names:
                        path.unlink(missing_ok=True)

    def _is_ours(self) -> bool:
        """Tell whether no other cloud took over, as happens once ours was forgotten."""
        owner = self._folder / "owner"
        if not owner.exists():
            owner.write_text(self._nonce, "ascii")
        return owner.read_text("ascii") == self._nonce

    def _written(self, large: list[Any]) -> list[str]:
        """Make sure that all of ``large`` lies in files; return their names."""
        known = {}
        for each in large:
            _, name = self._known.get(id(each), (None, ""))
            if not name:
                content = pickling.content_of(each)
                name = Digest.of_bytes(content).hex
                place = self._folder / "objects" / name
                if not place.exists():
                    with _replaced(place) as target:
                        target.write(content)
            known[id(each)] = (each, name)
        self._known = known
        return [name for _, name in known.values()]

    def _restore(self) -> None:
        file = self._folder / "snapshot"
        if hasattr(os, "getuid") and file.stat().st_uid != os.getuid():
            raise _RefusedError("it is another user's")
        try:
            header, pickled = _header(file)
        except ValueError:
            raise _RefusedError("it is damaged") from None
        for name, version in _versions().items():
            if header.get(name) != version:
                raise _RefusedError(f"it was made with {name} {header.get(name)}, and this is {version}")
        if Digest.of_bytes(pickled).hex != header["digest"]:
            raise _RefusedError("it is damaged")

        def content(place: int) -> bytes:
            name = header["objects"][place]
            found: bytes = (self._folder / "objects" / name).read_bytes()
            if Digest.of_bytes(found).hex != name:
                raise _RefusedError(f"{name[:12]} in it is damaged")
            return found

        found = pickling.put(pickled, content)
        for name, (_, take) in self._ours.items():
            take(found[name])


class _RefusedError(Exception):
    """Why a snapshot is not restored, in words that end a sentence."""


@contextmanager
def _replaced(place: Path) -> Iterator[IO[bytes]]:
    """Yield a file that replaces ``place`` in the end, for our eyes only; on failure nothing is left of it."""
    part = place.with_suffix(".part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def _header(file: Path) -> tuple[dict[str, Any], bytes]:
    line, _, pickled = file.read_bytes().partition(b"\n")
    header = json.loads(line)
    if not isinstance(header, dict):
        raise ValueError
    return header, pickled


def _versions() -> dict[str, str]:
    """Return what has to be the same for a pickle to be of use: attributes of moto's objects are also our mends'."""
    from moto import __version__ as moto

    here = Path(__file__).parent
    ours = [*sorted(here.glob("*mends.py")), here / "pickling.py"]
    mends = Digest.of_bytes(b"".join(path.read_bytes() for path in ours)).short
    return {"moto": moto, "Python": ".".join(map(str, sys.version_info[:2])), "Slipway's mends": mends}


def _say(why: Exception) -> None:
    text = f"{type(why).__name__}: {why}"
    sys.stderr.write(f"what the cloud holds could not be kept just now, and is as it was kept before: {text}\n")


def _folder(root: Path) -> Path:
    return root / ".artifacts" / "local" / "kept"

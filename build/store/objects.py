"""The store: wheels, bytecode and artifacts by digest, and what was worked out about them.

Everything is written under a temporary name and renamed, so a reader never sees half a file, two
builds may run at once, and a build that is killed loses only its own work. With a remote store what is
not here is fetched from there, and what is made here is put there.
"""

import errno
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from build.digest import Digest
from build.errors import FindingsError, ToolError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from build.store.sharing import Sharing

SHARED_NOTES = frozenset(
    "archive base built compiled findings image layer layer-survey resolved source survey wheel".split()
)
"""Subjects whose notes are true on every machine; others never leave this one."""

ABANDONED_AFTER_S = 24 * 3600
_KEPT_AT_S = 315_532_800
"""1980-01-01. A file of the store with another time was written to since it was kept."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CLOSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_REQUESTS_AT_ONCE = 16
_T = TypeVar("_T")
_Job = TypeVar("_Job")


@dataclass(frozen=True, slots=True)
class Store:
    """A content-addressed folder."""

    root: Path
    remote: "Sharing | None" = None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield an empty folder on the store's file system; it is gone afterwards.

        A full disk met inside, or a store that cannot be written to, is a ToolError.
        """
        with full_disk_told(self.root):
            folder = Path(tempfile.mkdtemp(dir=_drafts_in(self.root)))
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def wheel(self, digest: Digest, filename: str) -> Path:
        """Return where the wheel with ``digest`` is, or would be; raise ValueError for a name that leads elsewhere."""
        if "/" in filename or "\\" in filename or filename == "..":  # a note of the remote store may say anything
            msg = f"not a file name: {filename!r}"
            raise ValueError(msg)
        return self.root / "wheels" / digest.hex / filename

    def artifact(self, digest: Digest) -> Path:
        """Return where the artifact with ``digest`` is, or would be."""
        return self.root / "artifacts" / f"{digest.hex}.zip"

    def blob(self, digest: Digest) -> Path:
        """Return where the layer, config or manifest with ``digest`` is, or would be."""
        return self.root / "blobs" / digest.hex

    def bytecode(self, key: Digest) -> Path:
        """Return where the bytecode made from ``key`` is, or would be."""
        return self.root / "bytecode" / f"{key.hex}.zip"

    def note(self, subject: str, key: Digest) -> Path:
        """Return where what is remembered about ``key`` is, or would be."""
        return self.root / "notes" / subject / f"{key.hex}.json"

    def keep(self, temporary: Path, final: Path) -> Path:
        """Move a finished file from a scratch folder to its ``final`` place, dated so that `trusted` knows it.

        It goes to the remote store behind our back; notes after all that this thread kept before them.
        """
        _place(temporary, final)
        if self.remote and self._is_shared(final):
            self.remote.put(self._name(final), final)
        return final

    def bring(self, path: Path, digest: Digest | None = None) -> bool:
        """Make sure that the object at ``path`` is here, from the remote store if need be; tell whether it is.

        With ``digest`` (wheels, artifacts) wrong bytes are removed, or refused where they come from. Without
        (bytecode), a file that something wrote to does not count.
        """
        if untouched(path):
            return True
        if digest and path.is_file():
            with suppress(FindingsError):
                trusted(path, digest)
                return True
        if self.remote is None or not self._is_shared(path):
            return False
        with self.scratch() as folder:
            draft = folder / "brought"
            if not self.remote.get(self._name(path), draft, digest):
                return False
            _place(draft, path)
            return True

    def bring_each(self, objects: Mapping[Path, Digest | None]) -> bool:
        """Do what `bring` does for all ``objects``, many at once; tell whether all are here."""
        return all(self._each(lambda path: self.bring(path, objects[path]), objects))

    def recall(self, subject: str, key: Digest, read: Callable[[Any], _T]) -> _T | None:
        """Return what ``read`` makes of what was remembered about ``key``.

        None if nothing was, or if ``read`` raises LookupError, TypeError or ValueError: a torn note,
        or one that another Slipway wrote in another shape, counts as forgotten. ``read`` may `bring` what the
        note speaks of. Where that fails, what is remembered next takes the note's place in the remote store, too.
        """
        note = self.note(subject, key)
        if self.remote and subject in SHARED_NOTES and not note.is_file():
            self.bring(note)
        try:
            value = read(json.loads(note.read_bytes()))
        except (
            *(FileNotFoundError, IsADirectoryError, NotADirectoryError),
            *(AttributeError, LookupError, RecursionError, TypeError, ValueError),
        ):
            value = None
        if value is None and self.remote:
            self.remote.doubt(self._name(note))
        return value

    def recall_each(self, subject: str, keys: Iterable[Digest], read: Callable[[Any], _T | None]) -> dict[Digest, _T]:
        """Return what `recall` does for each of ``keys`` of which something is known; many at once."""
        asked = tuple(keys)
        values = self._each(lambda key: self.recall(subject, key, read), asked)
        return {key: value for key, value in zip(asked, values, strict=True) if value is not None}

    def remember(self, subject: str, key: Digest, value: object) -> None:
        """Keep ``value`` (JSON) about ``key``; it must follow from ``key`` alone."""
        with full_disk_told(self.root):
            draft = _drafts_in(self.root) / f"{subject}.{key.hex}.{os.getpid()}.{threading.get_ident()}"
            try:
                draft.write_text(json.dumps(value, sort_keys=True), encoding="utf-8")
                self.keep(draft, self.note(subject, key))
            finally:
                draft.unlink(missing_ok=True)

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Wait for no other runner once what is done inside has failed, such as by Ctrl-C: threads would hold us up."""
        try:
            yield
        except BaseException:
            if self.remote:
                self.remote.hurry()
            raise

    @contextmanager
    def claim(self, key: Digest, *, wait: bool = True) -> Iterator[bool]:
        """Keep other runners from making what ``key`` stands for meanwhile; yield whether it is ours to make.

        False: another has finished with it, so look again before you make it; without ``wait``, another may
        still be at it. A holder that dies loses its claim after a while. Without a remote store always ours.
        """
        if self.remote is None:
            yield True
        else:
            with self.remote.claim(key, wait=wait) as ours:
                yield ours

    def each_once(
        self,
        jobs: Iterable[_Job],
        pool: "Executor",
        *,
        key: Callable[[_Job], Digest],
        look: Callable[[_Job], _T | None],
        make: Callable[[_Job], _T],
    ) -> dict[_Job, _T]:
        """Return what ``look`` finds, or else ``make`` makes, for every job; of all runners one makes it.

        Each runner starts with what nobody is at: they share the jobs and do not wait for each other's first.
        Do not nest: who holds one claim and waits for another may wait for ever.
        """

        def attempt(job: _Job, wait: bool) -> _T | None:
            with self.claim(key(job), wait=wait) as ours:
                if not (ours or wait):
                    return None
                value = look(job) if self.remote else None
                return make(job) if value is None else value

        asked = tuple(jobs)
        found = dict(zip(asked, self._each(look, asked), strict=True))
        with self.impatient():
            for wait in (False, True):
                missing = [job for job in asked if found[job] is None]
                found.update(zip(missing, pool.map(attempt, missing, [wait] * len(missing)), strict=True))
        return {job: value for job, value in found.items() if value is not None}

    def _each(self, function: Callable[[_Job], _T], items: Iterable[_Job]) -> list[_T]:
        if self.remote is None:
            return [function(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
            return list(pool.map(function, items))

    def _name(self, path: Path) -> str:
        """Return what the object at ``path`` is called in the remote store."""
        return path.relative_to(self.root).as_posix()

    def _is_shared(self, path: Path) -> bool:
        kind, *rest = path.relative_to(self.root).parts
        return kind in {"wheels", "bytecode", "artifacts"} or (kind == "notes" and rest[0] in SHARED_NOTES)


def _place(temporary: Path, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary.chmod(0o644)
    trust(temporary)
    temporary.replace(final)


@contextmanager
def full_disk_told(root: Path) -> Iterator[None]:
    """Turn what a full disk, or one that cannot be written to, raises inside into ToolError."""
    try:
        yield
    except OSError as reason:
        if reason.errno in _FULL:
            raise _no_room(root, reason.strerror or str(reason)) from None
        if reason.errno in _CLOSED and str(reason.filename).startswith(str(root)):
            raise ToolError(
                f"the store cannot be written to: {reason.strerror}",
                facts=[f"folder: {root}", f"at: {reason.filename}"],
                hint=f"mend the permissions of {root}, or delete it, then run the same command again",
            ) from None
        raise
    except ToolError as reason:
        no_space = os.strerror(errno.ENOSPC)
        if any(no_space in fact for fact in reason.facts):  # pip's, or a compiler's
            raise _no_room(root, no_space, *reason.facts) from None
        raise


def _no_room(root: Path, reason: str, *facts: str) -> ToolError:
    free = shutil.disk_usage(root).free
    return ToolError(
        f"no room for the store: {reason}",
        facts=[f"folder: {root}", f"free there now: {free / 1e6:.1f} MB", "nothing in it is half written", *facts],
        hint="run `invoke store.prune`, or free some room, then the same command again",
    )


@contextmanager
def in_use(root: Path, *, alone: bool = False, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Keep the store at ``root`` from being pruned meanwhile; ``alone``, for who prunes it, waits for all others.

    ``on_wait`` is called if there is something to wait for. Ends with the process at the latest. Windows has no
    such lock, nor has a store that cannot be written to.
    """
    try:
        import fcntl

        root.mkdir(parents=True, exist_ok=True)
        lock = (root / "lock").open("ab")
    except (ImportError, OSError):
        yield
        return
    with lock:
        mode = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        try:
            fcntl.flock(lock, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(lock, mode)
        yield


def _drafts_in(root: Path) -> Path:
    """Return the folder for what is being made in the store at ``root``."""
    folder = root / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    return folder


@cache
def _sweep(folder: Path) -> None:
    """Remove what killed builds left behind; once in a process is enough."""
    oldest = time.time() - ABANDONED_AFTER_S
    for leftover in folder.iterdir():
        with suppress(OSError):  # others come and go, and what cannot be removed is in nobody's way
            if leftover.stat().st_mtime < oldest:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def untouched(path: Path, size_bytes: int | None = None) -> bool:
    """Tell whether the store has ``path``, in the right size if that is known, and nothing wrote to it since."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return status.st_mtime == _KEPT_AT_S and size_bytes in {None, status.st_size}


def trusted(path: Path, digest: Digest) -> Path:
    """Return ``path`` of the store; one that was written to since it was kept must be `verified` first."""
    if not untouched(path):
        trust(verified(path, digest))
    return path


def trust(path: Path) -> None:
    """Date ``path``, whose bytes are known to be right, as `keep` does."""
    os.utime(path, (_KEPT_AT_S, _KEPT_AT_S))


def verified(path: Path, digest: Digest) -> Path:
    """Return ``path``, a wheel or artifact, if its bytes have ``digest``; else remove it and raise FindingsError."""
    got = Digest.of_file(path)
    if got == digest:
        return path
    path.unlink(missing_ok=True)
    raise FindingsError(
        f"{path.name} in the store is not the file that was put there",
        facts=[f"expected {digest}", f"got {got}", f"removed {path}"],
        hint="run the same command again: it is fetched or made anew",
    )

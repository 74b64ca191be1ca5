"""What a store does with a bucket: fetch what is missing, share what was made, and take turns at making it.

A bucket is a convenience: whatever it refuses, and however it fails, is said once, and the build goes on alone.
"""

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from build.digest import Digest
from build.model import Workspace
from build.store.objects import Store, full_disk_told, in_use
from build.store.remote import Bucket, Found, RefusedError, S3Bucket, UnreachableError

LEASE_S = 30.0
"""A claim that was not renewed for so long is anybody's: its holder is dead, or as good as dead."""
_LOOK_S = (0.1, 2.0)
"""How long to wait before the first look at what another makes, and between later ones at most."""
_PATIENCE_S = 900.0
"""A holder that renews its claim for so long has lost its way: what it makes is made here, too."""
_UNSEEN_AT_MOST = 3
"""How often a claim may be there for a write and not for a read, as when two are written in the same moment."""
_UPLOADS_AT_ONCE = 8
_WORTH_TELLING_BYTES = 1_000_000
_HELD, _FREE, _DONE = b"held", b"free", b"done"
_T = TypeVar("_T")


@contextmanager
def opened(workspace: Workspace, *, say: Callable[[str], None], warn: Callable[[str], None]) -> Iterator[Store]:
    """Yield the workspace's store, with its remote one if slipway.toml names one; nothing is pruned meanwhile.

    What was made is shared by the end; when we are interrupted, what is not on its way yet is not.
    """
    root, place = workspace.generated / "store", workspace.remote_store
    sharing = Sharing(S3Bucket(place), str(place), say=say, warn=warn) if place else None
    with in_use(root), full_disk_told(root):
        try:
            yield Store(root, sharing)
        except Exception:
            if sharing:
                sharing.close()
            raise
        except BaseException:
            if sharing:
                sharing.close(abandon=True)
            raise
        if sharing:
            sharing.close()


@dataclass(eq=False, slots=True)
class _Claim:
    name: str
    tag: str | None
    """Of the object as we wrote it last; None when it is no longer ours."""
    guard: threading.Lock = field(default_factory=threading.Lock)


class Sharing:
    """One process's dealings with a remote store. Threads may use it at once."""

    def __init__(
        self,
        bucket: Bucket,
        name: str,
        *,
        say: Callable[[str], None],
        warn: Callable[[str], None],
        lease_s: float = LEASE_S,
    ) -> None:
        """``name`` is what people call the bucket; ``say`` tells how it goes, ``warn`` what is wrong."""
        self._bucket, self._name, self._say, self._warn = bucket, name, say, warn
        self._lease_s = lease_s
        self._alone = self._read_only = False
        self._told: set[str] = set()
        self._missing: set[str] = set()
        """Asked for in vain. What others made since shows when its claim is taken."""
        self._tags: dict[str, str] = {}
        self._wrong: dict[str, str] = {}
        """Name to tag of what is to be replaced."""
        self._sent: set[str] = set()
        self._held: set[_Claim] = set()
        self._guard = threading.Lock()
        self._uploads: ThreadPoolExecutor | None = None
        self._mine = threading.local()
        self._hurried, self._ended = threading.Event(), threading.Event()
        self.fetched: list[str] = []
        self.shared: list[str] = []

    def get(self, name: str, into: Path, digest: Digest | None) -> bool:
        """Write the object to ``into``; False if there is none, or none with ``digest``."""
        if name in self._missing:
            return False
        with into.open("wb") as stream:
            found = self._asked(lambda: self._bucket.get(name, stream))
        if found is None:
            self._missing.add(name)
            return False
        self._tags[name] = found.tag
        if digest and Digest.of_file(into) != digest:
            self._tell(f"{name} in {self._name} does not have the digest of its name; it is made anew and replaced")
            self.doubt(name)
            self._missing.add(name)
            return False
        size_bytes = into.stat().st_size
        if size_bytes >= _WORTH_TELLING_BYTES:
            self._say(f"{Path(name).name} from {self._name} ({size_bytes / 1e6:.1f} MB)")
        self.fetched.append(name)
        return True

    def doubt(self, name: str) -> None:
        """Let the next put of ``name`` replace what was fetched under it: it was of no use."""
        if name in self._tags:
            self._wrong[name] = self._tags[name]

    def put(self, name: str, path: Path) -> None:
        """Share the file at ``path`` behind the caller's back, unless the object is there.

        A note goes only after everything that this thread shared before it: that is what it speaks of.
        """
        self._missing.discard(name)
        if self._alone or self._read_only or (name in self._sent and name not in self._wrong):
            return
        self._sent.add(name)
        before = self._under_way()
        first = tuple(before) if name.startswith("notes/") else ()
        before.append(self._later(lambda: self._upload(name, path, first)))

    @contextmanager
    def claim(self, key: Digest, *, wait: bool) -> Iterator[bool]:
        """Do what `Store.claim` promises."""
        taken = self._take(f"claims/{key.hex}", wait=wait)
        if isinstance(taken, bool):
            yield taken
            return
        try:
            yield True
        except BaseException:
            self._rewrite(taken, _FREE)
            raise
        uploads = tuple(self._under_way())
        if uploads:  # until they are there, the claim stays ours
            self._later(lambda: self._release(taken, uploads))
        else:
            self._rewrite(taken, _DONE)

    def hurry(self) -> None:
        """Wait for no other runner from now on."""
        self._hurried.set()

    def close(self, *, abandon: bool = False) -> None:
        """Wait until everything is shared; or ``abandon`` what is not on its way yet."""
        if self._uploads:
            self._uploads.shutdown(wait=not abandon, cancel_futures=abandon)
        self._ended.set()
        if self.fetched or self.shared:
            self._say(f"{len(self.fetched)} objects from {self._name}, {len(self.shared)} to it")

    def _take(self, name: str, *, wait: bool) -> "_Claim | bool":
        """Return the claim if it is ours now; else whether it is ours to make all the same."""
        look_s, waited, unseen, until = _LOOK_S[0], False, 0, time.monotonic() + _PATIENCE_S
        while not (self._alone or self._read_only or self._hurried.is_set()) and time.monotonic() < until:
            if tag := self._put_state(name, _HELD, None):
                return self._hold(name, tag)
            state, found = self._state(name)
            if found is None:
                unseen += 1
                if unseen == _UNSEEN_AT_MOST:
                    return True  # nobody can tell whose it is
                continue
            self._missing.clear()  # somebody was at it: what was not there may be there now
            if waited and state == _DONE:
                return False
            is_ours_to_take = state != _HELD or found.age_s > self._lease_s
            if is_ours_to_take and (tag := self._put_state(name, _HELD, found.tag)):
                return self._hold(name, tag)
            if not wait:
                return False
            if not waited:
                self._say("waiting for what another runner is making")
            waited = True
            self._hurried.wait(look_s)
            look_s = min(1.5 * look_s, _LOOK_S[1])
        return True

    def _hold(self, name: str, tag: str) -> _Claim:
        claim = _Claim(name, tag)
        with self._guard:
            if not self._held:
                threading.Thread(target=self._renew, name="claims", daemon=True).start()
            self._held.add(claim)
        return claim

    def _renew(self) -> None:
        """Write the claims that are held again and again, until there is none."""
        while not self._ended.wait(self._lease_s / 4):
            with self._guard:
                held = tuple(self._held)
            for claim in held:
                self._rewrite(claim, _HELD)
            with self._guard:
                self._held = {claim for claim in self._held if claim.tag}
                if not self._held:
                    return

    def _rewrite(self, claim: _Claim, state: bytes) -> None:
        with claim.guard:
            if claim.tag:
                tag = self._put_state(claim.name, state, claim.tag)
                claim.tag = tag if state == _HELD else None

    def _state(self, name: str) -> tuple[bytes, Found | None]:
        body = io.BytesIO()
        found = self._asked(lambda: self._bucket.get(name, body))
        return body.getvalue().partition(b" ")[0], found

    def _put_state(self, name: str, state: bytes, replacing: str | None) -> str | None:
        body = state + b" " + os.urandom(8).hex().encode()  # equal bytes would have equal tags
        return self._asked(lambda: self._bucket.put(name, body, replacing=replacing), writing=True)

    def _release(self, claim: _Claim, uploads: tuple["Future[bool]", ...]) -> bool:
        done = all(upload.result() for upload in uploads)
        self._rewrite(claim, _DONE if done else _FREE)
        return done

    def _upload(self, name: str, path: Path, first: tuple["Future[bool]", ...]) -> bool:
        # What is waited for was queued before, so it is running or done: threads cannot wait in a circle.
        if not all(upload.result() for upload in first):
            return False
        replacing = self._wrong.pop(name, None)
        try:
            put = self._asked(lambda: self._bucket.put(name, path, replacing=replacing), writing=True)
        except FileNotFoundError:  # removed meanwhile
            return False
        if put:
            self.shared.append(name)
        return not (self._alone or self._read_only)

    def _under_way(self) -> "list[Future[bool]]":
        """Return what this thread has queued and is not done, or failed; what is put next is to be added."""
        mine: list[Future[bool]] = getattr(self._mine, "uploads", [])
        self._mine.uploads = [each for each in mine if not each.done() or not each.result()]
        uploads: list[Future[bool]] = self._mine.uploads
        return uploads

    def _later(self, job: Callable[[], bool]) -> "Future[bool]":
        with self._guard:
            if self._uploads is None:
                self._uploads = ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="share")
        return self._uploads.submit(job)

    def _asked(self, request: Callable[[], _T | None], *, writing: bool = False) -> _T | None:
        """Return the bucket's answer; None when it does not answer, which is told once."""
        if self._alone or (writing and self._read_only):
            return None
        try:
            return request()
        except RefusedError as reason:
            if writing:
                self._read_only = True
                self._tell(f"these credentials may not write to {self._name}: what is made here is not shared", reason)
            else:
                self._tell(f"these credentials may not read {self._name}, or not list it, which hides gaps", reason)
        except UnreachableError as reason:
            self._alone = True
            self._tell(f"no way to {self._name}; the build goes on without it", reason)
        return None

    def _tell(self, what: str, reason: Exception | None = None) -> None:
        with self._guard:
            is_news = what not in self._told
            self._told.add(what)
        if is_news:
            self._warn(f"warning: {what}" + (f"\n  {reason}" if reason else ""))

"""The lease on an env: one deploy at a time, from its plan to the end of its roll-out, wherever it runs.

Terraform's lock keeps two applies apart; this keeps apart what comes before and after them.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from build import process
from build.errors import AwsError, ToolError
from build.release.aws import asking

KEY = "releases/lease.json"
LEASE_S = 30.0
"""A lease that was not renewed for so long is anybody's: who held it is dead, or as good as dead."""
_LOOK_S = 2.0
_CLASHED = {404, 409, 412}


@dataclass(slots=True, kw_only=True)
class Lease:
    """An env's lease, taken."""

    s3: Any
    place: Mapping[str, str]
    """Bucket, its owner and the key, as S3 wants them."""
    body: Mapping[str, Any]
    tag: str
    _ended: threading.Event = field(default_factory=threading.Event)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    is_lost: bool = False

    def check(self) -> None:
        """Raise ToolError if somebody has taken the lease over."""
        if self.is_lost:
            raise ToolError(
                f"another run has taken over env {self.body['env']}",
                facts=["nothing more was changed by this one"],
                hint=f"see what it did with `invoke releases --env {self.body['env']}`",
            )

    def keep(self, every_s: float) -> None:
        """Renew it until it ends."""
        while not self._ended.wait(every_s):
            with suppress(AwsError):  # the next try may succeed; meanwhile nobody takes it for some time
                self._write(free=False)

    def end(self) -> None:
        """Give it back."""
        self._ended.set()
        with suppress(AwsError):  # it ends by itself
            self._write(free=True)

    def _write(self, *, free: bool) -> None:
        with self._guard:
            if self.is_lost:
                return
            tag = _put(self.s3, self.place, {**self.body, "free": free}, replacing=self.tag)
            self.tag, self.is_lost = tag or self.tag, tag is None


@contextmanager
def leased(
    s3: Any,
    place: Mapping[str, str],
    *,
    env: str,
    verb: str,
    arn: str,
    run: str = "",
    say: Callable[[str], None],
    over: bool = False,
    one_machine: bool = False,
    lease_s: float = LEASE_S,
) -> Iterator[Lease]:
    """Hold the lease on ``env`` meanwhile; ``place`` is bucket and owner. One that nobody renews is waited for.

    ``over`` takes it from whoever holds it. With ``one_machine`` nobody elsewhere can hold it, so that a dead process
    is known at once. Raises ToolError if somebody else is at work.
    """
    place = {**place, "Key": KEY}
    body = {
        "env": env,
        "verb": verb,
        "arn": arn,
        "run": run,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    is_over = (lambda holder: over or not process.is_alive(holder["pid"])) if one_machine else (lambda _: over)
    lease = Lease(s3=s3, place=place, body=body, tag=_take(s3, place, body, is_over=is_over, say=say, lease_s=lease_s))
    threading.Thread(target=lease.keep, args=(lease_s / 4,), name="lease", daemon=True).start()
    try:
        yield lease
    finally:
        lease.end()


def _take(
    s3: Any,
    place: Mapping[str, str],
    body: Mapping[str, Any],
    *,
    is_over: Callable[[Mapping[str, Any]], bool],
    say: Callable[[str], None],
    lease_s: float,
) -> str:
    """Return the tag of the lease, now ours; ``is_over`` tells which holder it is taken from at once."""
    seen, until = "", time.monotonic() + 2 * lease_s
    while True:
        if tag := _put(s3, place, {**body, "free": False}, replacing=None):
            return tag
        found = _get(s3, place)
        if found is None:
            continue
        holder, old, age_s = found
        is_free = holder["free"] or age_s > lease_s or is_over(holder)
        if is_free and (tag := _put(s3, place, {**body, "free": False}, replacing=old)):
            return tag
        if (seen and old != seen) or time.monotonic() > until:
            raise ToolError(
                f"another run is at work on env {body['env']}",
                facts=[f"expected nobody, got `{holder['verb']}` since {holder['at']}, by {holder['arn']}"]
                + ([holder["run"]] if holder["run"] else []),
                hint=f"wait until it ends, then run `invoke {body['verb']} --env {body['env']}`",
            )
        seen = old
        say(f"`{holder['verb']}` by {holder['arn']} holds the env, or died; waiting up to {lease_s - age_s:.0f} s")
        time.sleep(min(_LOOK_S, lease_s / 4))


def _put(s3: Any, place: Mapping[str, str], body: Mapping[str, Any], *, replacing: str | None) -> str | None:
    """Write ``body`` in place of the object with the tag ``replacing``, or of none; None if it is otherwise there."""
    condition = {"IfMatch": replacing} if replacing else {"IfNoneMatch": "*"}
    data = json.dumps({**body, "nonce": os.urandom(8).hex()}).encode()  # equal bytes would have equal tags
    hint = "run the same command again; it takes s3:PutObject below releases/"
    with asking(f"taking the lease on env {body['env']}", hint=hint):
        try:
            return str(s3.put_object(**place, Body=data, ContentType="application/json", **condition)["ETag"])
        except s3.exceptions.ClientError as reason:
            if reason.response["ResponseMetadata"]["HTTPStatusCode"] not in _CLASHED:
                raise
    answer = _get(s3, place)  # ours, if the request was sent twice
    return answer[1] if answer and answer[0] == json.loads(data) else None


def _get(s3: Any, place: Mapping[str, str]) -> tuple[Mapping[str, Any], str, float] | None:
    """Return what the lease says, its tag, and how many seconds ago it was renewed, by S3's own clock if it tells."""
    with asking("reading the lease", hint="run the same command again"):
        try:
            answer = s3.get_object(**place)
        except s3.exceptions.NoSuchKey:
            return None
        body = json.loads(answer["Body"].read())
    from email.utils import parsedate_to_datetime

    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    now = parsedate_to_datetime(date) if date else datetime.now(UTC)
    return body, str(answer["ETag"]), (now - answer["LastModified"]).total_seconds()

"""The ledger: immutable rows beside the artifacts they name, one for each release.

Each is written twice, and never over: what is known before anything changes, and how it ended. One that has no end was
interrupted, or is under way.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from build.release.aws import asking
from build.release.rows import Release

FOLDER = "releases/"
_KEY = re.compile(rf"{FOLDER}(?:(\d{{6,}})/(started|ended)|(\d{{8}}T\d{{6}}Z-[0-9a-f]+))\.json")
_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The rows of one env, in its artifact bucket."""

    s3: Any
    bucket: str
    owner: str
    """The account the bucket must belong to."""

    def rows(self, last: int | None = None) -> tuple[Release, ...]:
        """Return every row, or the ``last`` ones; the oldest first."""
        with self._asking("reading the releases"):
            every = sorted(self._keys().items(), key=lambda each: _order(each[0]))
            chosen = every[-last:] if last else every
            if not chosen:
                return ()
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                return tuple(pool.map(lambda each: self._read(each[1]), chosen))

    def latest(self) -> Iterator[Release]:
        """Yield the rows, the newest first, each read when it is asked for."""
        with self._asking("reading the newest release"):
            keys = self._keys()
            for name in sorted(keys, key=_order, reverse=True):
                yield self._read(keys[name])

    def newest(self) -> Release | None:
        """Return the newest row that tells what the env is like: of a release that ended well, or went back."""
        return next((row for row in self.latest() if row.is_settled), None)

    def begin(self, release: Release) -> Release:
        """Write ``release`` under the next number, and return it with that; two deploys never get the same."""
        with self._asking("recording that a release begins"):
            taken = [int(name) for name in self._keys() if name.isdigit()]
            number = max(taken, default=0) + 1
            while not self._put(f"{FOLDER}{number:06}/started.json", replace(release, id=str(number)).begun()):
                number += 1
        return replace(release, id=str(number))

    def end(self, release: Release) -> None:
        """Write how ``release`` ended, unless it was said before: the first to say it saw it."""
        with self._asking(f"recording how release {release.id} ended"):
            self._put(f"{FOLDER}{int(release.id):06}/ended.json", release.ended())

    def _put(self, key: str, row: Mapping[str, Any]) -> bool:
        """Write ``row`` unless there is one at ``key``; a request that was sent twice finds its own, and is content."""
        body = json.dumps(row, indent=2, sort_keys=True).encode()
        try:
            self.s3.put_object(**self._bucket, Key=key, Body=body, ContentType="application/json", IfNoneMatch="*")
        except self.s3.exceptions.ClientError as reason:
            status = reason.response["ResponseMetadata"]["HTTPStatusCode"]
            if status not in {409, 412}:  # 409: another one was writing the same key at this moment
                raise
            return self._get(key) == body
        return True

    def _keys(self) -> Mapping[str, list[str]]:
        """Return the keys of each row, by number or by the name it had in the first schema."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(**self._bucket, Prefix=FOLDER)
        found: dict[str, list[str]] = {}
        for key in (each["Key"] for page in pages for each in page.get("Contents", ())):
            if match := _KEY.fullmatch(key):
                found.setdefault(str(int(match[1])) if match[1] else match[3], []).append(key)
        return found

    def _read(self, keys: Iterable[str]) -> Release:
        row: dict[str, Any] = {}
        for key in sorted(keys, reverse=True):  # how it began, then how it ended
            row |= json.loads(self._get(key) or b"{}")
        return Release.from_json(row)

    def _get(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(**self._bucket, Key=key)["Body"].read()
        return body

    @property
    def _bucket(self) -> dict[str, str]:
        return {"Bucket": self.bucket, "ExpectedBucketOwner": self.owner}

    def _asking(self, doing: str) -> Any:
        return asking(doing, hint=f"run the same command again; check with `aws s3 ls s3://{self.bucket}/{FOLDER}`")


def _order(name: str) -> tuple[bool, int, str]:
    """Order by time: the first schema's rows come before all numbers."""
    return (True, int(name), "") if name.isdigit() else (False, 0, name)

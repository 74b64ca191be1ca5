"""Speaks to a container registry: the OCI distribution protocol, as ECR and the CNCF's own server have it.

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md. Everything is asked again where asking again
may help, a download goes on where it was cut, and so does an upload. What is fetched is held against its digest.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from build.digest import Digest
from build.errors import ToolError
from build.image import DOCKER, OCI
from build.images.authorization import Authorization

MANIFESTS = (OCI, DOCKER)
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_TRIES = 6
_LONGEST_PAUSE_S = 20.0
_SILENCE_S = 60.0
_PIECE_BYTES = 1 << 16
"""What is lost of a download where it is cut, at most."""
_MOST_BYTES = 4 << 20
"""Of a manifest: the specification asks registries to take so much, and no more."""
_AT_ONCE = 8

Tell = Callable[[int], object]
"""Takes the bytes that passed since it was called last."""


class Fetched(NamedTuple):
    """A manifest, as the registry has it."""

    media_type: str
    digest: Digest
    body: bytes


@dataclass(slots=True)
class Registry:
    """One registry. Threads may share it."""

    host: str
    """With its port, if it has one of its own."""
    credentials: Callable[[], tuple[str, str]] | None = None
    """As `Authorization` has them."""
    plain: bool = False
    """HTTP without TLS: for loopback."""
    sleep: Callable[[float], object] = time.sleep
    _pool: Any = field(init=False)
    _authorization: Authorization = field(init=False)

    def __post_init__(self) -> None:
        """Connect to nothing yet."""
        self._authorization = Authorization(self.credentials)
        self._pool = urllib3.PoolManager(
            maxsize=_AT_ONCE, retries=False, timeout=urllib3.Timeout(connect=10.0, read=_SILENCE_S)
        )

    # ── manifests ─────────────────────────────────────────────────────────────────────────────

    def manifest(self, repository: str, reference: str) -> Fetched:
        """Return the manifest or index that ``reference``, a tag or a digest, names; ToolError if there is none."""
        answer = self._ask("GET", repository, f"manifests/{reference}", accept=(*MANIFESTS, *INDEXES))
        if answer.status != 200:
            raise self._refused(answer, repository, f"has no manifest {reference}")
        body = answer.data
        digest = Digest.of_bytes(body)
        if ":" in reference and str(digest) != reference:
            raise self._wrong(repository, reference, digest)
        media_type = answer.headers.get("Content-Type", "").partition(";")[0]
        return Fetched(media_type, digest, body)

    def has_manifest(self, repository: str, reference: str) -> bool:
        """Tell whether a tag or a digest is there."""
        return self._is_there(repository, f"manifests/{reference}")

    def put_manifest(self, repository: str, reference: str, media_type: str, body: bytes) -> None:
        """Put a manifest under a tag or its own digest. What it speaks of has to be there."""
        answer = self._ask("PUT", repository, f"manifests/{reference}", body=body, headers={"Content-Type": media_type})
        if answer.status != 201:
            raise self._refused(answer, repository, f"did not take the manifest {reference}")

    # ── blobs ─────────────────────────────────────────────────────────────────────────────────

    def has_blob(self, repository: str, digest: Digest) -> bool:
        """Tell whether a blob is there."""
        return self._is_there(repository, f"blobs/{digest}")

    def pull(self, repository: str, digest: Digest, path: Path, *, tell: Tell = lambda _: None) -> None:
        """Fetch a blob into the file at ``path``; cut off, it goes on from there. Raises ToolError for wrong bytes."""
        hashed, done, attempt = sha256(), 0, 0
        with path.open("wb") as stream:
            while True:
                answer = self._blob(repository, digest, done)
                if done and answer.status == 200:  # it does not know ranges
                    hashed, done = sha256(), 0
                    stream.seek(0)
                    stream.truncate()
                start = done
                try:
                    for piece in answer.stream(_PIECE_BYTES):
                        stream.write(piece)
                        hashed.update(piece)
                        done += len(piece)
                        tell(len(piece))
                    break
                except (HTTPError, OSError) as reason:
                    attempt = 1 if done > start else attempt + 1
                    if attempt == _TRIES:
                        raise self._silent(f"{repository}@{digest}", str(reason)) from None
                    self.sleep(_pause_s(attempt, answer.headers))
                finally:
                    answer.release_conn()
        if hashed.hexdigest() != digest.hex:
            raise self._wrong(repository, str(digest), Digest(hashed.hexdigest()))

    def push(
        self,
        repository: str,
        digest: Digest,
        content: Callable[[], Path],
        *,
        mount: str | None = None,
        tell: Tell = lambda _: None,
    ) -> bool:
        """Make sure that a blob is there; tell whether its bytes had to be sent.

        First it is looked for, then asked to be mounted from the repository ``mount``, which may have it; only then
        is ``content`` asked for the file that holds it.
        """
        if self.has_blob(repository, digest):
            return False
        if mount and self._mounted(repository, digest, mount):
            return False
        path = content()
        size_bytes = path.stat().st_size
        for attempt in range(_TRIES):
            place = self._begun(repository)
            place, sent = self._sent(repository, place, path, size_bytes, tell)
            if sent == size_bytes:
                done = self._ask("PUT", repository, _with(place, digest=str(digest)), headers={"Content-Length": "0"})
                if done.status == 201:
                    return True
                if done.status not in {404, 416} or attempt == _TRIES - 1:
                    raise self._refused(done, repository, f"did not take the blob {digest}")
            # The registry no longer knows of the upload: it was started anew, or it forgot.
            self.sleep(_pause_s(attempt, {}))
        raise self._silent(f"{repository}@{digest}", "it forgot every upload")

    def _blob(self, repository: str, digest: Digest, start: int) -> Any:
        headers = {"Range": f"bytes={start}-"} if start else {}
        answer = self._ask("GET", repository, f"blobs/{digest}", headers=headers, stream=True)
        if answer.status in {301, 302, 303, 307, 308}:
            # The registry's own authorization is for nobody else: S3 refuses a request that carries two.
            place = urljoin(self._url(repository, f"blobs/{digest}"), answer.headers.get("Location", ""))
            answer.drain_conn()
            answer = self._patiently("GET", place, lambda: headers, stream=True)
        if answer.status not in {200, 206}:
            raise self._refused(answer, repository, f"has no blob {digest}")
        return answer

    def _mounted(self, repository: str, digest: Digest, source: str) -> bool:
        query = urlencode({"mount": str(digest), "from": source})
        answer = self._ask("POST", repository, f"blobs/uploads/?{query}", also=source, headers={"Content-Length": "0"})
        if answer.status == 202:  # it began an upload instead, of which nothing comes
            with suppress(ToolError):
                self._ask("DELETE", repository, self._place(answer, repository))
        elif answer.status not in {201, 400, 401, 403, 404, 405}:
            raise self._refused(answer, repository, f"did not take the blob {digest}")
        return bool(answer.status == 201)

    def _begun(self, repository: str) -> str:
        answer = self._ask("POST", repository, "blobs/uploads/", headers={"Content-Length": "0"})
        if answer.status != 202:
            raise self._refused(answer, repository, "takes no uploads")
        return self._place(answer, repository)

    def _sent(self, repository: str, place: str, path: Path, size_bytes: int, tell: Tell) -> tuple[str, int]:
        """Send a file to an upload; return where it goes on, and how much arrived: less where it was forgotten."""
        arrived = 0
        for attempt in range(_TRIES):
            if arrived == size_bytes:
                break
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size_bytes - arrived)}
            if arrived:
                headers["Content-Range"] = f"{arrived}-{size_bytes - 1}"
            answer = None
            with suppress(HTTPError, OSError):
                headers |= self._authorization.headers(repository)
                answer = self._pool.request("PATCH", place, headers=headers, body=_pieces(path, arrived, tell))
            if answer is not None and answer.status in {202, 204}:
                return self._place(answer, repository), size_bytes
            if answer is not None and answer.status == 401:
                self._granted(answer, repository)
            elif answer is not None and answer.status < 500 and answer.status not in {408, 416, 429}:
                if answer.status == 404:
                    return place, -1
                raise self._refused(answer, repository, "did not take the bytes")
            self.sleep(_pause_s(attempt, answer.headers if answer is not None else {}))
            asked = self._ask("GET", repository, place)
            if asked.status not in {200, 204}:
                return place, -1
            place = self._place(asked, repository)
            last = asked.headers.get("Range", "").rpartition("-")[2]
            arrived = int(last) + 1 if last.isdigit() and last != "0" else 0
        return place, arrived

    def _place(self, answer: Any, repository: str) -> str:
        return str(urljoin(self._url(repository, ""), answer.headers.get("Location", "")))

    # ── asking ────────────────────────────────────────────────────────────────────────────────

    def _is_there(self, repository: str, what: str) -> bool:
        answer = self._ask("HEAD", repository, what, accept=(*MANIFESTS, *INDEXES))
        if answer.status not in {200, 404}:
            raise self._refused(answer, repository, f"does not tell whether it has {what}")
        return bool(answer.status == 200)

    def _url(self, repository: str, what: str) -> str:
        if "://" in what:
            return what
        return f"{'http' if self.plain else 'https'}://{self.host}/v2/{repository}/{what}"

    def _ask(
        self,
        method: str,
        repository: str,
        what: str,
        *,
        accept: tuple[str, ...] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        also: str | None = None,
        stream: bool = False,
    ) -> Any:
        """Ask for ``what``, with the right to; ``also`` is another repository that the right must be for."""
        url = self._url(repository, what)
        own = {**(headers or {}), **({"Accept": ", ".join(accept)} if accept else {})}

        def once() -> Any:
            return self._patiently(
                method, url, lambda: {**own, **self._authorization.headers(repository, also)}, body=body, stream=stream
            )

        answer = once()
        if answer.status == 401 and self._granted(answer, repository, also):
            answer.drain_conn()
            answer = once()
        return answer

    def _patiently(
        self,
        method: str,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        *,
        body: bytes | None = None,
        stream: bool,
    ) -> Any:
        """Ask until there is an answer that asking again would not change."""
        why = ""
        for attempt in range(_TRIES):
            told: Mapping[str, str] = {}
            try:
                answer = self._pool.request(
                    method, url, headers=headers(), body=body, preload_content=not stream, redirect=False
                )
            except (HTTPError, OSError) as reason:
                why = str(reason)
            else:
                if answer.status != 429 and answer.status < 500:
                    return answer
                answer.drain_conn()
                why, told = f"{answer.status} {answer.reason}", answer.headers
            self.sleep(_pause_s(attempt, told))
        raise self._silent(url, why)

    def _granted(self, refusal: Any, repository: str, also: str | None = None) -> bool:
        """Get what the registry asks for; tell whether it differs from what was just refused."""
        try:
            return self._authorization.grant(
                refusal, repository, also, lambda url, own: self._patiently("GET", url, lambda: own, stream=False)
            )
        except ValueError:
            raise self._refused(refusal, repository, "asks for a token, and none is given") from None

    # ── what goes wrong ───────────────────────────────────────────────────────────────────────

    def _refused(self, answer: Any, repository: str, what: str) -> ToolError:
        said = answer.data[:_PIECE_BYTES].decode("utf-8", errors="replace") if answer.data else ""
        with suppress(ValueError, LookupError, TypeError):
            said = "; ".join(f"{each['code']}: {each.get('message', '')}" for each in json.loads(said)["errors"])
        hint = "check the name of the image, and that you may use it, then run the same command again"
        if answer.status in {401, 403}:
            hint = f"log in to {self.host} with what may use {repository}, then run the same command again"
        facts = [f"repository: {repository}", f"answered: {answer.status} {said[:500]}".rstrip()]
        return ToolError(f"the registry {self.host} {what}", facts=facts, hint=hint)

    def _silent(self, what: str, why: str) -> ToolError:
        return ToolError(
            f"the registry {self.host} does not answer",
            facts=[f"asked {_TRIES} times for {what}", f"the last time: {why}"],
            hint="check the network, then run the same command again: it goes on where it was",
        )

    def _wrong(self, repository: str, wanted: str, got: Digest) -> ToolError:
        return ToolError(
            f"the registry {self.host} gave other bytes than it was asked for",
            facts=[f"repository: {repository}", f"expected {wanted}", f"got {got}"],
            hint="run the same command again; if it stays so, something between you and the registry changes them",
        )


def _with(place: str, **query: str) -> str:
    return f"{place}{'&' if urlsplit(place).query else '?'}{urlencode(query)}"


def _pause_s(attempt: int, headers: Mapping[str, str]) -> float:
    after = headers.get("Retry-After", "")
    return min(_LONGEST_PAUSE_S, float(after) if after.isdigit() else 0.2 * 2.0**attempt)


def _pieces(path: Path, start: int, tell: Tell) -> Iterator[bytes]:
    with path.open("rb") as stream:
        stream.seek(start)
        while piece := stream.read(_PIECE_BYTES):
            yield piece
            tell(len(piece))

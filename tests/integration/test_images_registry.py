"""Our side of the distribution protocol against the CNCF's own registry server, and what goes wrong in between."""

import json
import random
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from build.digest import Digest
from build.errors import ToolError
from build.images.registry import MANIFESTS, Registry
from tests import containers
from tests.faults import Answer, Faults, Request, lost, refused, reset

pytestmark = pytest.mark.slow

BYTES = random.Random(6).randbytes(3_000_000)
DIGEST = Digest.of_bytes(BYTES)
CONFIG = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
OCI, DOCKER = MANIFESTS
CONFIG_TYPES = {
    OCI: "application/vnd.oci.image.config.v1+json",
    DOCKER: "application/vnd.docker.container.image.v1+json",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with containers.registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture
def layer(server: str) -> Iterator[Faults]:
    between = Faults(f"http://{server}")
    yield between
    between.close()


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    (tmp_path / "blob").write_bytes(BYTES)
    return tmp_path / "blob"


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A repository that no other test uses."""
    return f"tests/{Digest.of_bytes(request.node.name.encode()).hex[:20]}"


def client(host: str, **named) -> Registry:
    return Registry(host, plain=True, sleep=lambda _: None, **named)


def through(layer: Faults, **named) -> Registry:
    return client(urlsplit(layer.endpoint).netloc, **named)


def put_image(registry: Registry, repository: str, folder: Path, media_type: str = OCI, tag: str = "one") -> Digest:
    """An image of a config alone."""
    (folder / "config").write_bytes(CONFIG)
    digest = Digest.of_bytes(CONFIG)
    registry.push(repository, digest, lambda: folder / "config")
    config = {"mediaType": CONFIG_TYPES[media_type], "digest": str(digest), "size": len(CONFIG)}
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": []}
    body = json.dumps(manifest).encode()
    registry.put_manifest(repository, tag, media_type, body)
    return Digest.of_bytes(body)


# ── what goes well ────────────────────────────────────────────────────────────────────────────


def test_a_blob_comes_back_as_it_was_sent_and_is_sent_once(server, name, blob, tmp_path):
    registry = client(server)
    told: list[int] = []
    assert not registry.has_blob(name, DIGEST)
    assert registry.push(name, DIGEST, lambda: blob, tell=told.append)
    assert registry.has_blob(name, DIGEST)
    assert sum(told) == len(BYTES)
    assert not registry.push(name, DIGEST, lambda: blob, tell=told.append)
    assert sum(told) == len(BYTES)
    registry.pull(name, DIGEST, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == BYTES


def test_what_another_repository_has_is_mounted_from_there(server, name, blob, tmp_path):
    registry = client(server)
    told: list[int] = []
    registry.push(f"{name}-base", DIGEST, lambda: blob)
    assert not registry.push(name, DIGEST, lambda: blob, mount=f"{name}-base", tell=told.append)
    assert told == []
    registry.pull(name, DIGEST, tmp_path / "back")


def test_what_cannot_be_mounted_is_sent(server, name, blob):
    assert client(server).push(name, DIGEST, lambda: blob, mount=f"{name}-nowhere")


@pytest.mark.parametrize("media_type", MANIFESTS)
def test_a_manifest_comes_back_by_tag_and_by_digest(server, name, tmp_path, media_type):
    registry = client(server)
    digest = put_image(registry, f"{name}-{media_type[12:15]}", tmp_path, media_type)
    for reference in ("one", str(digest)):
        assert registry.has_manifest(f"{name}-{media_type[12:15]}", reference)
        found = registry.manifest(f"{name}-{media_type[12:15]}", reference)
        assert (found.media_type, found.digest) == (media_type, digest)
    assert not registry.has_manifest(name, "two")


def test_skopeo_reads_what_was_put(server, name, tmp_path):
    digest = put_image(client(server), name, tmp_path)
    place = f"docker://{server}/{name}:one"
    told = json.loads(containers.run("skopeo", "inspect", "--tls-verify=false", place))
    assert told["Digest"] == str(digest)


# ── what goes wrong, and passes ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "effect", [reset, lost, refused("throttled"), refused("failed")], ids=["reset", "lost", "429", "500"]
)
@pytest.mark.parametrize("at", ["HEAD .*/blobs/", "POST .*/uploads/", "PATCH ", r"PUT .*digest="])
def test_what_passes_is_asked_again(layer, name, blob, effect, at):
    rule = layer.on(at, effect)
    registry = through(layer)
    registry.push(name, DIGEST, lambda: blob)
    assert rule.struck
    assert client(urlsplit(layer.cloud).netloc).has_blob(name, DIGEST)


def cut_in_the_middle(request: Request, faults: Faults) -> Answer | None:
    """Half of the body arrives, and then the connection is gone."""
    place = urlsplit(faults.cloud)
    with socket.create_connection((place.hostname, place.port)) as connection:
        head = f"{request.method} {request.target} HTTP/1.1\r\nHost: {place.netloc}\r\n"
        head += f"Content-Type: application/octet-stream\r\nContent-Length: {len(request.body)}\r\n"
        if "content-range" in request.headers:
            head += f"Content-Range: {request.headers['content-range']}\r\n"
        connection.sendall(head.encode() + b"\r\n" + request.body[: len(request.body) // 2])
    raise ConnectionResetError


def test_an_upload_that_is_cut_and_that_the_registry_gives_up_begins_anew(layer, name, blob, tmp_path):
    """The CNCF's registry knows an upload only by how much of it had come before."""
    rule = layer.on("PATCH ", cut_in_the_middle, times=2)
    registry = through(layer)
    assert registry.push(name, DIGEST, lambda: blob)
    assert rule.struck == 2
    registry.pull(name, DIGEST, tmp_path / "back")


def test_an_upload_that_is_cut_goes_on_where_it_was(layer, name, blob, tmp_path):
    """Where the registry tells how much arrived, as the specification has it."""
    arrived: list[Answer] = []

    def half(request: Request, faults: Faults) -> Answer | None:
        body = request.body[: len(request.body) // 2]
        arrived.append(
            faults.forward(replace(request, body=body, headers={**request.headers, "content-length": str(len(body))}))
        )
        raise ConnectionResetError

    def tells(request: Request, faults: Faults) -> Answer:
        return replace(arrived[-1], status=204)

    layer.on("PATCH ", half, times=2)
    layer.on("GET .*/uploads/", tells, times=2)
    registry = through(layer)
    assert registry.push(name, DIGEST, lambda: blob)
    registry.pull(name, DIGEST, tmp_path / "back")
    ranges = [each.headers["content-range"] for each in layer.requests if "content-range" in each.headers]
    assert ranges == ["1500000-2999999", "2250000-2999999"]


def test_a_download_that_is_cut_goes_on_where_it_was(layer, name, blob, tmp_path):
    registry = through(layer)
    registry.push(name, DIGEST, lambda: blob)

    def half(request: Request, faults: Faults) -> Answer:
        answer = faults.forward(request)
        return Answer(
            status=answer.status,
            headers=answer.headers,
            body=answer.body[: len(answer.body) // 2],
            promised=len(answer.body),
        )

    layer.on("GET .*/blobs/", half, times=2)
    registry.pull(name, DIGEST, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == BYTES
    starts = [each.headers["range"] for each in layer.requests if "range" in each.headers]
    assert [int(each[6:-1]) * 10 // len(BYTES) for each in starts] == [4, 7]


def test_a_registry_that_is_started_anew_and_forgot_the_upload_gets_it_again(tmp_path, name, blob):
    with containers.registry(tmp_path / "registry") as host:
        port = int(host.rpartition(":")[2])
        between = Faults(f"http://{host}")

        def forget(request: Request, faults: Faults) -> Answer | None:
            shutil.rmtree(tmp_path / "registry/data")
            raise ConnectionResetError

        rule = between.on("PATCH ", forget)
        assert through(between).push(name, DIGEST, lambda: blob)
        assert rule.struck
        assert client(f"127.0.0.1:{port}").has_blob(name, DIGEST)
        between.close()


def test_what_is_elsewhere_is_fetched_there_without_our_authorization(tmp_path, name, blob):
    with containers.registry(tmp_path / "registry", basic=True) as host, serving(BYTES) as elsewhere:
        between = Faults(f"http://{host}")
        registry = through(between, credentials=lambda: ("AWS", "AWS"))
        registry.push(name, DIGEST, lambda: blob)
        moved = Answer(status=307, headers=(("Location", f"{elsewhere.address}/signed?key=1"),), body=b"")
        between.on("GET .*/blobs/", lambda *_: moved)
        registry.pull(name, DIGEST, tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == BYTES
        assert [("Authorization" in headers) for headers in elsewhere.seen] == [False]
        between.close()


# ── who may ───────────────────────────────────────────────────────────────────────────────────


def test_a_name_and_a_password_are_given_once_they_are_asked_for(tmp_path, name, blob):
    with containers.registry(tmp_path / "registry", basic=True) as host:
        asked = []

        def credentials() -> tuple[str, str]:
            asked.append(1)
            return "AWS", "AWS"

        registry = client(host, credentials=credentials)
        registry.push(name, DIGEST, lambda: blob)
        put_image(registry, name, tmp_path)
        registry.pull(name, DIGEST, tmp_path / "back")
        assert len(asked) == 1
        with pytest.raises(ToolError, match="has no manifest one") as raised:
            client(host).manifest(name, "one")
        assert "log in to" in raised.value.hint


def test_a_password_that_expires_is_asked_for_anew(tmp_path, name, blob):
    with containers.registry(tmp_path / "registry", basic=True) as host:
        passwords = iter(["expired", "AWS"])
        registry = client(host, credentials=lambda: ("AWS", next(passwords)))
        with pytest.raises(ToolError):
            registry.has_blob(name, DIGEST)
        assert registry.push(name, DIGEST, lambda: blob)


def test_a_password_that_expires_during_an_upload_is_asked_for_anew(tmp_path, name, blob):
    with containers.registry(tmp_path / "registry", basic=True) as host:
        between = Faults(f"http://{host}")
        expired = Answer(status=401, headers=(("WWW-Authenticate", 'Basic realm="tests"'),), body=b"")
        between.on("PATCH ", lambda *_: expired)
        assert through(between, credentials=lambda: ("AWS", "AWS")).push(name, DIGEST, lambda: blob)
        between.close()


def test_a_token_is_fetched_for_what_it_is_asked_for(layer, name, blob, tmp_path):
    """As public registries have it: nobody needs a name, everybody a token."""

    def demand(request: Request, faults: Faults) -> Answer:
        if request.headers.get("authorization") == f"Bearer {name}":
            return faults.forward(request)
        challenge = f'Bearer realm="{tokens.address}/token",service="tests",scope="repository:{name}:pull,push"'
        return Answer(status=401, headers=(("WWW-Authenticate", challenge),), body=b"{}")

    with serving(json.dumps({"token": name}).encode()) as tokens:
        layer.on(" ", demand, times=1000)
        registry = through(layer)
        registry.push(name, DIGEST, lambda: blob)
        registry.pull(name, DIGEST, tmp_path / "back")
        (asked,) = {urlsplit(target).query for target in tokens.targets}
        assert parse_qs(asked) == {"service": ["tests"], "scope": [f"repository:{name}:pull,push"]}
        assert len(tokens.targets) == 1


# ── what does not pass ────────────────────────────────────────────────────────────────────────


def test_wrong_bytes_are_refused_by_the_registry_and_nothing_is_there(server, name, blob):
    wrong = Digest.of_bytes(b"other")
    with pytest.raises(ToolError, match="did not take the blob") as raised:
        client(server).push(name, wrong, lambda: blob)
    assert "DIGEST_INVALID" in raised.value.facts[1]
    assert not client(server).has_blob(name, wrong)


def test_other_bytes_than_were_asked_for_are_refused(layer, name, blob, tmp_path):
    registry = through(layer)
    registry.push(name, DIGEST, lambda: blob)
    layer.on("GET .*/blobs/", lambda *_: Answer(status=200, headers=(), body=b"other"))
    with pytest.raises(ToolError, match="gave other bytes") as raised:
        registry.pull(name, DIGEST, tmp_path / "back")
    assert raised.value.facts[1:] == (f"expected {DIGEST}", f"got {Digest.of_bytes(b'other')}")


def test_a_manifest_of_blobs_that_are_not_there_is_refused_and_its_tag_does_not_exist(server, name):
    config = {"mediaType": CONFIG_TYPES[OCI], "digest": str(DIGEST), "size": len(BYTES)}
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI, "config": config, "layers": []}).encode()
    with pytest.raises(ToolError, match="did not take the manifest one") as raised:
        client(server).put_manifest(name, "one", OCI, body)
    assert "MANIFEST_BLOB_UNKNOWN" in raised.value.facts[1]
    assert not client(server).has_manifest(name, "one")


def test_a_registry_that_never_answers_is_told(name):
    with pytest.raises(ToolError, match="does not answer") as raised:
        client("127.0.0.1:1").has_manifest(name, "one")
    assert raised.value.facts[0].startswith("asked 6 times for http://127.0.0.1:1/v2/")


class serving:  # noqa: N801  # a context
    """A server that gives everybody the same."""

    def __init__(self, body: bytes) -> None:
        self.seen: list[dict[str, str]] = []
        self.targets: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.seen.append(dict(self.headers))
                outer.targets.append(self.path)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "serving":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

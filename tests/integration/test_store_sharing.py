"""Several machines, one bucket: real processes with stores of their own against an S3 server on loopback.

The file is also what those processes run: ``python test_store_sharing.py jobs|build ROOT LOG``.
"""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build.digest import Digest
from build.locking.locks import read_locks
from build.model import Architecture, RemoteStore, Workspace
from build.packaging.affected import matrix
from build.store.objects import Store
from build.store.remote import RefusedError, S3Bucket, UnreachableError
from build.store.sharing import Sharing
from tests.builders import function_spec, layer_spec, lock_line, make_wheel, make_workspace, write_files

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TEAM = RemoteStore(bucket="team-store", prefix="slipway", account_id=None)
OWNER = "123456789012"
LEASE_S = 2.0
JOBS = [Digest.of_bytes(bytes([number])) for number in range(16)]
JOB_S = 0.15
FUNCTIONS = ("billing", "orders", "receipts", "stock")


class Server:
    """moto's S3, whose requests are written down. Who is called ``reader`` may not write, and the bucket is OWNER's."""

    def __init__(self) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.requests: list[tuple[str, str, int]] = []
        """Method, key, status."""
        self._moto = DomainDispatcherApplication(create_backend_app)
        # moto looks whether a condition holds, and writes then. Without turns two writers could both find it does.
        self._turns = threading.Lock()
        self._server = make_server("127.0.0.1", 0, self, threaded=True)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        method, key = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix(f"/{TEAM.bucket}/{TEAM.prefix}/")

        def start(status: str, *rest: Any) -> Any:
            self.requests.append((method, key, int(status.partition(" ")[0])))
            return start_response(status, *rest)

        is_reader = "Credential=reader/" in environ.get("HTTP_AUTHORIZATION", "")
        is_mistaken = environ.get("HTTP_X_AMZ_EXPECTED_BUCKET_OWNER", OWNER) != OWNER  # moto does not look
        if is_mistaken or (method == "PUT" and is_reader):
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("403 Forbidden", [("Content-Type", "application/xml")])
            return [b"<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"]
        with self._turns if method == "PUT" else contextlib.nullcontext():
            return list(self._moto(environ, start))

    def close(self) -> None:
        self._server.shutdown()

    def wrote(self, *kinds: str, status: int = 200) -> Counter[str]:
        """Count the writes of objects of some kinds that were answered with ``status``."""
        asked = (key for method, key, got in self.requests if (method, got) == ("PUT", status))
        return Counter(key for key in asked if key.startswith(kinds))


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def server(running, monkeypatch):
    """Give an empty bucket, and credentials for it."""
    import boto3

    for name, value in environ_of(running).items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    with contextlib.suppress(client.exceptions.NoSuchBucket):
        for each in client.list_objects_v2(Bucket=TEAM.bucket).get("Contents", ()):
            client.delete_object(Bucket=TEAM.bucket, Key=each["Key"])
        client.delete_bucket(Bucket=TEAM.bucket)
    client.create_bucket(Bucket=TEAM.bucket)
    running.requests.clear()
    return running


def environ_of(server: Server, key: str = "writer") -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


# ── the programs ──────────────────────────────────────────────────────────────────────────────


def do_jobs(root: Path, log: Path) -> None:
    """Make JOBS with as many others as stdin says; each begin and end of one is a line of the log."""
    companions = int(sys.stdin.read())
    sharing = Sharing(S3Bucket(TEAM), str(TEAM), say=say, warn=say, lease_s=LEASE_S)
    store = Store(root, sharing)

    def look(job: Digest) -> Path | None:
        return store.bytecode(job) if store.bring(store.bytecode(job)) else None

    def make(job: Digest) -> Path:
        write(log, f"begin {root.name} {job.short}")
        time.sleep(JOB_S)
        with store.scratch() as folder:
            (folder / "made").write_bytes(job.hex.encode())
            made = store.keep(folder / "made", store.bytecode(job))
        write(log, f"made {root.name} {job.short}")
        return made

    assert look(Digest.of_bytes(b"none")) is None  # so that boto3 is there
    write(log, f"ready {root.name} -")
    while log.read_text().count("ready") < companions:
        time.sleep(0.01)
    with ThreadPoolExecutor(2) as pool:
        made = store.each_once(JOBS, pool, key=lambda job: job, look=look, make=make)
    sharing.close()
    assert all(path.read_bytes() == job.hex.encode() for job, path in made.items())
    assert made.keys() == set(JOBS)


def do_build(root: Path, log: Path) -> None:
    """Build the functions named on stdin (all, if none is), and print what came of it."""
    from build import making
    from build.report import Reporter
    from build.verbs.choosing import narrowed

    only = sys.stdin.read()
    workspace = narrowed(workspace_at(root), only) if only else workspace_at(root)
    built = making.build(workspace, Reporter()).build
    digests = {artifact.identity: artifact.digest.hex for artifact in built.artifacts}
    made = [artifact.identity for artifact in built.artifacts if artifact.changed]
    wheels = len(list(root.glob(".artifacts/store/wheels/*/*")))
    sys.stdout.write(json.dumps({"digests": digests, "made": made, "wheels": wheels}))


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def write(log: Path, line: str) -> None:
    with log.open("ab", buffering=0) as stream:  # one write of few bytes at the end: it is whole
        stream.write(f"{line}\n".encode())


def workspace_at(root: Path) -> Workspace:
    functions = tuple(function_spec(root / "functions" / name, layers=("shared",)) for name in FUNCTIONS)
    layers = (layer_spec(root / "layers" / "shared", architectures=(Architecture.X86_64,)),)
    return replace(make_workspace(root, functions=functions, layers=layers), remote_store=TEAM)


def make_repositories(index: Path, *roots: Path) -> None:
    """Make clones of four functions, two of them with equal dependencies, and a layer for all."""
    root, *clones = roots
    wheels = {
        name: make_wheel(index, name, files={f"{name}/m{n}.py": f"X = {n}\n" * 50 for n in range(20)})
        for name in ("one", "two", "three", "four")
    }
    wants = {"billing": ("one", "two"), "orders": ("one", "two"), "receipts": ("one", "three"), "stock": ("three",)}
    for name, wanted in wants.items():
        lines = "".join(lock_line(wheels[each]) for each in wanted)
        files = {"src/app.py": f"def handler(event, context):\n    return {name!r}\n", "requirements.txt": lines}
        write_files(root / "functions" / name, files)
    write_files(root / "layers" / "shared", {"requirements.txt": lock_line(wheels["four"])})
    for clone in clones:
        shutil.copytree(root, clone)


def start(what: str, root: Path, log: Path, environ: dict[str, str], stdin: str = "") -> "subprocess.Popen[str]":
    root.mkdir(parents=True, exist_ok=True)
    child = subprocess.Popen(
        [sys.executable, __file__, what, str(root), str(log)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdin
    child.stdin.write(stdin)
    child.stdin.close()
    child.stdin = None
    return child


def ended(child: "subprocess.Popen[str]") -> tuple[str, str]:
    out, err = child.communicate(timeout=90)
    assert child.returncode == 0, err
    return out, err


# ── the bucket ────────────────────────────────────────────────────────────────────────────────


def test_an_object_is_written_once_and_replaced_only_from_the_state_that_was_seen(server):
    bucket = S3Bucket(TEAM)
    first = bucket.put("claims/a", b"first")
    assert first
    assert bucket.put("claims/a", b"second") is None
    second = bucket.put("claims/a", b"second", replacing=first)
    assert second
    assert bucket.put("claims/a", b"third", replacing=first) is None
    assert bucket.put("claims/none", b"third", replacing=first) is None
    body = io.BytesIO()
    found = bucket.get("claims/a", body)
    assert found
    assert (body.getvalue(), found.tag) == (b"second", second)
    assert 0 <= found.age_s < 5
    assert bucket.get("claims/none", io.BytesIO()) is None


def test_of_many_writers_of_one_object_one_writes(server):
    bucket = S3Bucket(TEAM)
    with ThreadPoolExecutor(8) as pool:
        tags = list(pool.map(lambda number: bucket.put("claims/a", b"%d" % number), range(16)))
    assert sum(tag is not None for tag in tags) == 1


def test_a_file_arrives_with_the_digest_that_s3_keeps(server, tmp_path):
    import boto3

    (tmp_path / "file").write_bytes(b"x" * 3_000_000)
    bucket = S3Bucket(TEAM)
    assert bucket.put("wheels/file", tmp_path / "file")
    head = boto3.client("s3").head_object(Bucket=TEAM.bucket, Key="slipway/wheels/file", ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"] == Digest.of_file(tmp_path / "file").base64
    body = io.BytesIO()
    bucket.get("wheels/file", body)
    assert body.getvalue() == (tmp_path / "file").read_bytes()


def test_a_bucket_that_is_not_there_or_of_another_account_is_as_good_as_none(server):
    with pytest.raises(UnreachableError, match="NoSuchBucket"):
        S3Bucket(replace(TEAM, bucket="nowhere")).get("wheels/a", io.BytesIO())
    S3Bucket(replace(TEAM, account_id=OWNER)).get("wheels/a", io.BytesIO())
    with pytest.raises(RefusedError):
        S3Bucket(replace(TEAM, account_id="1" * 12)).get("wheels/a", io.BytesIO())


def test_who_may_not_write_is_refused_and_may_still_read(server, monkeypatch):
    S3Bucket(TEAM).put("wheels/a", b"a")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    reader = S3Bucket(TEAM)
    with pytest.raises(RefusedError, match="AccessDenied"):
        reader.put("wheels/b", b"b")
    assert reader.get("wheels/a", io.BytesIO())


def test_without_credentials_or_a_network_nothing_goes(server, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UnreachableError, match="Could not connect"):
        S3Bucket(TEAM).put("wheels/a", b"a")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(UnreachableError, match="credentials"):
        S3Bucket(TEAM).put("wheels/a", b"a")
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    with pytest.raises(UnreachableError, match="not-there"):
        S3Bucket(TEAM).put("wheels/a", b"a")


# ── several machines ──────────────────────────────────────────────────────────────────────────


def test_four_machines_make_every_job_once_and_share_the_work(server, tmp_path):
    log = tmp_path / "log"
    started = [start("jobs", tmp_path / f"machine-{number}", log, environ_of(server), "4") for number in range(4)]
    for child in started:
        ended(child)
    made = [line.split() for line in log.read_text().splitlines() if line.startswith("made")]
    assert sorted(job for _, _, job in made) == sorted(job.short for job in JOBS)
    assert len({machine for _, machine, _ in made}) >= 3, "they take turns"
    assert server.wrote("bytecode", status=412) == {}, "nothing was made twice and put in vain"


def test_when_a_machine_is_killed_the_others_make_what_it_had_begun(server, tmp_path):
    log = tmp_path / "log"
    victim = start("jobs", tmp_path / "victim", log, environ_of(server), "1")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and log.read_text().count("made") >= 2):
        time.sleep(0.02)
    victim.kill()
    victim.communicate()
    others = [start("jobs", tmp_path / f"machine-{number}", log, environ_of(server), "3") for number in range(2)]
    for child in others:
        ended(child)
    lines = [line.split() for line in log.read_text().splitlines()]
    made = Counter(job for what, _, job in lines if what == "made")
    begun_by_victim = {job for what, machine, job in lines if (what, machine) == ("begin", "victim")}
    assert made.keys() == {job.short for job in JOBS}
    assert len(begun_by_victim) < len(JOBS)
    # What it had made may not have been on its way yet when it died.
    assert {job for job, count in made.items() if count > 1} <= begun_by_victim


def test_runners_that_build_their_shares_leave_nothing_to_build_for_the_last(server, tmp_path, package_index):
    make_repositories(package_index, *(tmp_path / name for name in ("runner-0", "runner-1", "runner-2", "last")))
    workspace = workspace_at(tmp_path / "last")
    jobs = matrix(FUNCTIONS, workspace, read_locks(workspace), 2)["include"]
    shares = [*(job["only"] for job in jobs), "orders,receipts"]  # the last one wants what others are at
    runners = [
        start("build", tmp_path / f"runner-{number}", tmp_path / "log", environ_of(server), share)
        for number, share in enumerate(shares)
    ]
    told = [json.loads(ended(child)[0]) for child in runners]
    made = Counter(identity for each in told for identity in each["made"])
    assert made.keys() == {"layers/shared", *(f"functions/{name}" for name in FUNCTIONS)}
    assert set(made.values()) == {1}
    assert server.wrote("bytecode", "artifacts", "notes/archive", status=412) == {}
    server.requests.clear()
    last = json.loads(ended(start("build", tmp_path / "last", tmp_path / "log", environ_of(server)))[0])
    assert last["made"] == []
    assert server.wrote("") == {}
    for each in told:
        assert each["digests"].items() <= last["digests"].items()
    assert last["wheels"] == 0, "an artifact comes without the wheels it was made of"
    server.requests.clear()
    ended(start("build", tmp_path / "last", tmp_path / "log", environ_of(server)))
    assert server.requests == [], "what is here is not asked for"


def test_a_read_only_runner_collects_and_says_once_that_it_shares_nothing(server, tmp_path, package_index):
    make_repositories(package_index, *(tmp_path / name for name in ("writer", "reader")))
    ended(start("build", tmp_path / "writer", tmp_path / "log", environ_of(server), "orders"))
    out, err = ended(start("build", tmp_path / "reader", tmp_path / "log", environ_of(server, "reader")))
    assert "functions/orders" not in json.loads(out)["made"]
    assert "functions/stock" in json.loads(out)["made"]
    assert err.count("warning: ") == 1
    assert "may not write to s3://team-store/slipway" in err


def test_a_build_without_its_bucket_says_so_once_and_is_the_same(server, tmp_path, package_index):
    make_repositories(package_index, *(tmp_path / name for name in ("with", "without")))
    alone = {**environ_of(server), "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    out, err = ended(start("build", tmp_path / "without", tmp_path / "log", alone))
    with_bucket, _ = ended(start("build", tmp_path / "with", tmp_path / "log", environ_of(server)))
    assert json.loads(out)["digests"] == json.loads(with_bucket)["digests"]
    assert err.count("warning: ") == 1
    assert "no way to s3://team-store/slipway; the build goes on without it" in err


if __name__ == "__main__":
    {"jobs": do_jobs, "build": do_build}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))

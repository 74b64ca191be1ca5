import errno
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from build.digest import Digest
from build.errors import ToolError
from build.model import RemoteStore
from build.store.objects import Store, in_use, untouched
from build.store.remote import Found, RefusedError, UnreachableError
from build.store.sharing import Sharing, opened
from tests.builders import make_workspace

KEY, OTHER = Digest.of_bytes(b"key"), Digest.of_bytes(b"other")
WHEEL = b"a wheel's bytes"
WHEEL_DIGEST = Digest.of_bytes(WHEEL)


class MemoryBucket:
    """What S3 promises, in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str, float]] = {}
        self.requests: list[str] = []
        self.refuses: set[str] = set()
        self.is_gone = False
        self._guard = threading.Lock()

    def get(self, name: str, into: BinaryIO) -> Found | None:
        self._asked("get", name)
        with self._guard:
            body, tag, at = self.objects.get(name, (b"", "", 0.0))
        into.write(body)
        return Found(tag, time.monotonic() - at) if tag else None

    def put(self, name: str, body: bytes | Path, *, replacing: str | None = None) -> str | None:
        self._asked("put", name)
        content = body if isinstance(body, bytes) else body.read_bytes()
        tag = Digest.of_bytes(content).short
        with self._guard:
            there = self.objects.get(name)
            if (there[1] if there else None) != replacing:
                return None
            self.objects[name] = content, tag, time.monotonic()
        return tag

    def _asked(self, verb: str, name: str) -> None:
        self.requests.append(f"{verb} {name}")
        if self.is_gone:
            raise UnreachableError("no route to host")
        if verb in self.refuses:
            raise RefusedError("AccessDenied")

    def names(self, kind: str) -> list[str]:
        return sorted(name for name in self.objects if name.startswith(f"{kind}/"))


class Machine:
    """A store of its own that shares a bucket."""

    def __init__(self, root: Path, bucket: MemoryBucket, *, lease_s: float = 30.0) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.sharing = Sharing(bucket, "s3://team", say=self.said.append, warn=self.warned.append, lease_s=lease_s)
        self.store = Store(root, self.sharing)

    def keep(self, final: Path, content: bytes) -> Path:
        with self.store.scratch() as folder:
            (folder / "draft").write_bytes(content)
            return self.store.keep(folder / "draft", final)

    def wheel(self) -> Path:
        return self.store.wheel(WHEEL_DIGEST, "a-1-py3-none-any.whl")


@pytest.fixture
def bucket():
    return MemoryBucket()


@pytest.fixture
def machine(tmp_path, bucket):
    made: list[Machine] = []

    def make(**options: Any) -> Machine:
        made.append(Machine(tmp_path / f"machine-{len(made)}", bucket, **options))
        return made[-1]

    yield make
    for each in made:
        each.sharing.close()


def test_what_one_machine_makes_another_finds(machine):
    one, two = machine(), machine()
    one.keep(one.wheel(), WHEEL)
    one.keep(one.store.bytecode(KEY), b"bytecode")
    one.store.remember("archive", KEY, {"digest": WHEEL_DIGEST.hex})
    one.sharing.close()
    assert two.store.bring(two.wheel(), WHEEL_DIGEST)
    assert two.store.bring(two.store.bytecode(KEY))
    assert two.store.recall("archive", KEY, dict) == {"digest": WHEEL_DIGEST.hex}
    assert two.wheel().read_bytes() == WHEEL
    assert untouched(two.wheel())


def test_what_is_here_is_not_asked_for(machine, bucket):
    one = machine()
    one.keep(one.wheel(), WHEEL)
    one.store.remember("archive", KEY, 1)
    one.sharing.close()
    bucket.requests.clear()
    again = machine()
    again.store = Store(one.store.root, again.sharing)
    assert again.store.bring(again.wheel(), WHEEL_DIGEST)
    assert again.store.recall("archive", KEY, int) == 1
    assert bucket.requests == []


def test_what_nobody_has_is_asked_for_once(machine, bucket):
    one = machine()
    for _ in range(3):
        assert not one.store.bring(one.wheel(), WHEEL_DIGEST)
        assert one.store.recall("resolved", KEY, dict) is None
    assert len(bucket.requests) == 2


def test_what_is_made_twice_here_is_shared_once(machine, bucket):
    one = machine()
    for _ in range(3):
        one.store.remember("resolved", KEY, [])
    one.sharing.close()
    assert bucket.requests == [f"put notes/resolved/{KEY.hex}.json"]


def test_notes_of_this_machine_alone_stay_here(machine, bucket):
    one = machine()
    one.store.remember("paths", KEY, "/home")
    assert one.store.recall("paths", OTHER, str) is None
    one.sharing.close()
    assert bucket.requests == []


def test_a_note_arrives_after_what_it_speaks_of(machine, bucket):
    one = machine()
    slow = threading.Event()
    put = bucket.put

    def slowly(name, body, *, replacing=None):
        if name.startswith("artifacts/"):
            slow.wait(5)
        return put(name, body, replacing=replacing)

    bucket.put = slowly
    one.keep(one.store.artifact(WHEEL_DIGEST), WHEEL)
    one.store.remember("archive", KEY, 1)
    time.sleep(0.05)
    assert bucket.names("notes") == []
    slow.set()
    one.sharing.close()
    assert bucket.requests == [f"put artifacts/{WHEEL_DIGEST.hex}.zip", f"put notes/archive/{KEY.hex}.json"]


def test_a_note_whose_object_could_not_be_shared_is_not_shared(machine, bucket):
    one = machine()
    one.keep(one.store.artifact(WHEEL_DIGEST), WHEEL)
    bucket.refuses.add("put")
    one.store.remember("archive", KEY, 1)
    one.sharing.close()
    bucket.refuses.clear()
    assert bucket.names("notes") == []


def test_bytes_without_their_digest_are_refused_at_the_door_and_replaced(machine, bucket):
    name = f"wheels/{WHEEL_DIGEST.hex}/a-1-py3-none-any.whl"
    bucket.put(name, b"evil")
    one = machine()
    assert not one.store.bring(one.wheel(), WHEEL_DIGEST)
    assert not one.wheel().exists()
    assert "does not have the digest of its name" in one.warned[0]
    one.keep(one.wheel(), WHEEL)
    one.sharing.close()
    assert bucket.objects[name][0] == WHEEL


@pytest.mark.parametrize("torn", [b"{", b'{"x": 1}', b"null", b"\xff"])
def test_a_note_of_no_use_is_replaced_by_the_next(machine, bucket, torn):
    name = f"notes/archive/{KEY.hex}.json"
    bucket.put(name, torn)
    one = machine()
    assert one.store.recall("archive", KEY, lambda note: note["right"]) is None
    one.store.remember("archive", KEY, {"right": 1})
    one.sharing.close()
    assert bucket.objects[name][0] == b'{"right": 1}'


def test_a_note_cannot_lead_out_of_the_store(machine):
    one = machine()
    for filename in ("../../evil.whl", "..", "a/b.whl", "a\\b.whl"):
        with pytest.raises(ValueError, match="not a file name"):
            one.store.wheel(WHEEL_DIGEST, filename)


def test_a_damaged_file_heals_from_the_remote_store(machine):
    one = machine()
    one.keep(one.wheel(), WHEEL)
    one.sharing.close()
    one.wheel().write_bytes(b"damaged")
    two = machine()
    two.store = Store(one.store.root, two.sharing)
    assert two.store.bring(two.wheel(), WHEEL_DIGEST)
    assert two.wheel().read_bytes() == WHEEL


def test_without_a_bucket_the_build_goes_on_and_says_so_once(machine, bucket):
    bucket.is_gone = True
    one = machine()
    assert not one.store.bring(one.store.bytecode(KEY))
    one.keep(one.wheel(), WHEEL)
    one.store.remember("archive", KEY, 1)
    assert one.store.recall("archive", OTHER, int) is None
    with one.store.claim(KEY) as ours:
        assert ours
    one.sharing.close()
    assert len(one.warned) == 1
    assert one.warned[0] == "warning: no way to s3://team; the build goes on without it\n  no route to host"
    assert untouched(one.wheel())
    assert len(bucket.requests) == 1, "one attempt, which may have cost a timeout, is enough"


def test_who_may_only_read_reads_and_says_once_that_nothing_is_shared(machine, bucket):
    one, reader = machine(), machine()
    one.keep(one.wheel(), WHEEL)
    one.sharing.close()
    bucket.refuses.add("put")
    bucket.requests.clear()
    with reader.store.claim(KEY) as ours:
        assert ours
    reader.store.remember("archive", KEY, 1)
    assert reader.store.bring(reader.wheel(), WHEEL_DIGEST)
    reader.sharing.close()
    assert [text.partition("\n")[0] for text in reader.warned] == [
        "warning: these credentials may not write to s3://team: what is made here is not shared"
    ]
    assert [each for each in bucket.requests if each.startswith("put")] == [f"put claims/{KEY.hex}"]


def test_credentials_that_may_not_list_the_bucket_cost_a_warning_and_no_more(machine, bucket):
    bucket.refuses.add("get")  # S3 answers so for what is not there to who may not list
    one = machine()
    assert not one.store.bring(one.wheel(), WHEEL_DIGEST)
    assert one.store.recall("archive", KEY, int) is None
    one.keep(one.wheel(), WHEEL)
    one.sharing.close()
    assert bucket.names("wheels")
    assert len(one.warned) == 1


def test_many_notes_and_what_they_speak_of_come_at_once(machine, bucket):
    one, two = machine(), machine()
    keys = [Digest.of_bytes(bytes([number])) for number in range(32)]
    for key in keys:
        one.keep(one.store.artifact(Digest.of_bytes(key.hex.encode())), key.hex.encode())
        one.store.remember("archive", key, Digest.of_bytes(key.hex.encode()).hex)
    one.sharing.close()
    get = bucket.get

    def distant(name, into):
        time.sleep(0.02)
        return get(name, into)

    bucket.get = distant

    def read(note: Any) -> Digest | None:
        digest = Digest.parse(note)
        return digest if two.store.bring(two.store.artifact(digest), digest) else None

    started = time.monotonic()
    assert list(two.store.recall_each("archive", [*keys, OTHER], read)) == keys
    assert time.monotonic() - started < 65 * 0.02 / 2, "65 requests one after the other"


# ── claims ────────────────────────────────────────────────────────────────────────────────────


def test_who_does_not_wait_is_told_that_another_is_at_it(machine):
    one, two = machine(), machine()
    with one.store.claim(KEY), two.store.claim(KEY, wait=False) as ours:
        assert not ours


def test_a_claim_that_can_be_neither_written_nor_read_holds_nobody_up(machine, bucket):
    bucket.put(f"claims/{KEY.hex}", b"held by the dead")
    bucket.refuses.add("get")
    with machine().store.claim(KEY) as ours:
        assert ours


def test_a_write_that_met_another_in_the_same_moment_is_tried_again(machine, bucket):
    put, conflicts = bucket.put, [1]

    def conflicting(name, body, *, replacing=None):
        return None if conflicts and conflicts.pop() else put(name, body, replacing=replacing)

    bucket.put = conflicting
    with machine().store.claim(KEY), machine().store.claim(KEY, wait=False) as ours:
        assert not ours


def test_a_holder_that_fails_lets_go_at_once(machine):
    one, two = machine(), machine()
    with pytest.raises(KeyError), one.store.claim(KEY):
        raise KeyError
    with two.store.claim(KEY, wait=False) as ours:
        assert ours


def test_what_is_gone_from_the_bucket_can_be_claimed_again(machine):
    one, two = machine(), machine()
    with one.store.claim(KEY):
        pass
    one.sharing.close()
    with two.store.claim(KEY) as ours:
        assert ours


def test_jobs_without_a_remote_store_are_looked_for_and_made(tmp_path):
    made = []

    def make(job):
        made.append(job)
        return "made"

    with ThreadPoolExecutor(2) as pool:
        found = Store(tmp_path).each_once(
            [1, 2, 3],
            pool,
            key=lambda job: Digest.of_bytes(bytes(job)),
            look=lambda job: "there" if job == 2 else None,
            make=make,
        )
    assert found == {1: "made", 2: "there", 3: "made"}
    assert sorted(made) == [1, 3]


def test_a_failure_among_shared_jobs_is_the_callers(machine):
    def make(job: int) -> int:
        raise KeyError(job)

    with ThreadPoolExecutor(2) as pool, pytest.raises(KeyError):
        machine().store.each_once([1], pool, key=lambda _: KEY, look=lambda _: None, make=make)


# ── opening ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def workspace(tmp_path, bucket, monkeypatch):
    monkeypatch.setattr("build.store.sharing.S3Bucket", lambda _: bucket)
    return replace(make_workspace(tmp_path), remote_store=RemoteStore(bucket="team", prefix="", account_id=None))


def test_when_the_store_is_closed_everything_is_shared_and_told(workspace, bucket):
    said: list[str] = []
    with opened(workspace, say=said.append, warn=print) as store:
        store.remember("archive", KEY, 1)
    assert bucket.names("notes")
    assert said == ["0 objects from s3://team, 1 to it"]


def test_what_was_made_before_an_error_is_shared(workspace, bucket):
    def build():
        with opened(workspace, say=print, warn=print) as store:
            store.remember("archive", KEY, 1)
            raise KeyError

    with pytest.raises(KeyError):
        build()
    assert bucket.names("notes")


def test_an_interruption_does_not_wait_for_what_is_not_on_its_way(workspace, bucket):
    put, go = bucket.put, threading.Event()

    def hanging(name, body, *, replacing=None):
        go.wait(5)
        return put(name, body, replacing=replacing)

    bucket.put = hanging
    started = time.monotonic()

    def build():
        with opened(workspace, say=print, warn=print) as store:
            for number in range(20):
                store.remember("archive", Digest.of_bytes(bytes([number])), number)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build()
    assert time.monotonic() - started < 2
    go.set()


@pytest.mark.parametrize(
    "reason",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        ToolError("pip failed", facts=["OSError: [Errno 28] No space left on device"], hint="mend what pip says"),
    ],
    ids=["ours", "of a program"],
)
def test_a_full_disk_is_told_wherever_it_shows(workspace, reason):
    def build():
        with opened(workspace, say=print, warn=print):
            raise reason

    with pytest.raises(ToolError, match="no room for the store: No space left") as caught:
        build()
    assert "invoke store.prune" in caught.value.hint
    assert f"folder: {workspace.generated / 'store'}" in caught.value.facts


def test_other_errors_stay_what_they_are(workspace):
    with pytest.raises(IsADirectoryError), opened(workspace, say=print, warn=print) as store:
        store.root.read_bytes()


def test_a_workspace_without_a_remote_store_has_a_local_one(tmp_path):
    with opened(make_workspace(tmp_path), say=print, warn=print) as store:
        assert store == Store(tmp_path / ".artifacts" / "store")


def test_who_prunes_waits_for_who_builds(tmp_path):
    pruned = threading.Event()

    def prune() -> None:
        with in_use(tmp_path, alone=True):
            pruned.set()

    with in_use(tmp_path), in_use(tmp_path):
        threading.Thread(target=prune).start()
        assert not pruned.wait(0.1)
    assert pruned.wait(5)


def test_a_remote_store_is_called_by_its_address():
    assert str(RemoteStore(bucket="team", prefix="a/b", account_id=None)) == "s3://team/a/b"
    assert str(RemoteStore(bucket="team", prefix="", account_id=None)) == "s3://team"


def test_the_state_of_a_claim_never_has_the_same_tag_twice(machine, bucket):
    one = machine()
    tags = set()
    for _ in range(4):
        with one.store.claim(KEY):
            tags.add(bucket.objects[f"claims/{KEY.hex}"][1])
    assert len(tags) == 4, "or a claim that was let go and taken again could pass for one that is still held"

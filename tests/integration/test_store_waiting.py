"""Machines that wait for each other, and for leases to end."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from build.digest import Digest
from tests.unit.test_store_sharing import KEY, OTHER, Machine, MemoryBucket

pytestmark = pytest.mark.slow


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


def test_one_machine_waits_for_what_another_makes_and_finds_it(machine, bucket):
    one, two = machine(), machine()
    put = bucket.put

    def slowly(name, body, *, replacing=None):
        if name.startswith("bytecode/"):
            time.sleep(0.3)
        return put(name, body, replacing=replacing)

    bucket.put = slowly
    begun, made = threading.Event(), []

    def first() -> None:
        with one.store.claim(KEY) as ours:
            assert ours
            begun.set()
            time.sleep(0.2)
            one.keep(one.store.bytecode(KEY), b"bytecode")
            made.append("one")

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(first)
        begun.wait(5)
        assert not two.store.bring(two.store.bytecode(KEY))
        with two.store.claim(KEY) as ours:
            assert not ours
            assert two.store.bring(two.store.bytecode(KEY)), "when the claim ends, the object is there"
        working.result()
    assert made == ["one"]
    assert two.said[0] == "waiting for what another runner is making"


def test_a_holder_that_has_lost_its_way_is_not_waited_for_for_ever(machine, monkeypatch):
    monkeypatch.setattr("build.store.sharing._PATIENCE_S", 0.3)
    lost, waiting = machine(), machine()
    with lost.store.claim(KEY), waiting.store.claim(KEY) as ours:
        assert ours


def test_a_dead_holder_loses_its_claim_when_the_lease_is_over_and_a_living_one_does_not(machine, bucket):
    living, waiting = machine(lease_s=0.4), machine(lease_s=0.4)
    bucket.put(f"claims/{OTHER.hex}", b"held by the dead")
    started = time.monotonic()
    with living.store.claim(KEY):
        with waiting.store.claim(OTHER) as ours:
            assert ours
        assert time.monotonic() - started >= 0.35
        time.sleep(0.5)
        with waiting.store.claim(KEY, wait=False) as ours:
            assert not ours, "renewed meanwhile"


def test_of_many_that_want_an_orphaned_claim_one_gets_it(machine, bucket):
    machines = [machine(lease_s=0.1) for _ in range(8)]
    bucket.put(f"claims/{KEY.hex}", b"held by the dead")
    time.sleep(0.15)

    def take(each: Machine) -> bool:
        with each.store.claim(KEY, wait=False) as ours:
            together.wait(5)
            return ours

    together = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, machines)) == 1


def test_machines_that_share_jobs_make_each_once_and_do_not_queue_up_behind_each_other(machine):
    machines = [machine() for _ in range(3)]
    jobs = [Digest.of_bytes(bytes([number])) for number in range(24)]
    made: list[tuple[int, Digest]] = []

    def work(number):
        mine = machines[number]

        def look(job: Digest) -> bytes | None:
            path = mine.store.bytecode(job)
            return path.read_bytes() if mine.store.bring(path) else None

        def make(job):
            time.sleep(0.02)
            made.append((number, job))
            return mine.keep(mine.store.bytecode(job), job.hex.encode()).read_bytes()

        with ThreadPoolExecutor(2) as pool:
            return mine.store.each_once(jobs, pool, key=lambda job: job, look=look, make=make)

    with ThreadPoolExecutor(3) as pool:
        for result in pool.map(work, range(3)):
            assert result == {job: job.hex.encode() for job in jobs}
    assert sorted(job for _, job in made) == sorted(jobs)
    assert {number for number, _ in made} == {0, 1, 2}


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interruption_ends_the_waiting_for_other_runners(machine):
    other, mine = machine(), machine()
    this = threading.main_thread().ident or 0

    def build() -> None:
        with ThreadPoolExecutor(2) as pool:
            mine.store.each_once([1], pool, key=lambda _: KEY, look=lambda _: None, make=lambda job: job)

    with other.store.claim(KEY):
        started = time.monotonic()
        threading.Timer(0.2, signal.pthread_kill, (this, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            build()
        assert time.monotonic() - started < 5


def test_a_store_that_finds_everything_here_never_imports_boto3(tmp_path):
    program = (
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        "from build.digest import Digest; from build.model import RemoteStore\n"
        "from build.store.objects import Store; from build.store.sharing import opened\n"
        "from tests.builders import make_workspace\n"
        "root, key = Path(sys.argv[1]), Digest.of_bytes(b'key')\n"
        "Store(root / '.artifacts/store').remember('archive', key, 1)\n"
        "place = RemoteStore(bucket='team', prefix='', account_id=None)\n"
        "with opened(replace(make_workspace(root), remote_store=place), say=print, warn=print) as store:\n"
        "    assert store.remote and store.recall('archive', key, int) == 1\n"
        "print(sorted({'boto3', 'botocore'} & set(sys.modules)))\n"
    )
    argv = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stdout == "[]\n"

import os
import subprocess
import sys
from pathlib import Path

import pytest

from build.local import memory

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells")

MB = 1 << 20


@pytest.fixture
def start():
    """Give a function that starts a Python which says when it is ready, and then waits."""
    started: list[subprocess.Popen[str]] = []

    def make(code):
        program = f"{code}\nprint('ready', flush=True)\nimport sys; sys.stdin.read()"
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process.pid

    yield make
    for process in started:
        process.kill()
        process.communicate()


def test_descendants_come_after_those_who_started_them(start):
    pid = start("import subprocess; subprocess.Popen(['sleep', '0.5']); subprocess.Popen(['sleep', '0.5'])")
    found = memory.descendants(pid)
    assert found[0] == pid
    assert len(found) == 3
    assert pid in memory.descendants(os.getpid())[1:]


def test_what_is_held_is_what_a_program_took(start):
    before, after = (memory.held_bytes([start(code)], limit=1 << 40) for code in ("", f"x = b'x' * (64 * {MB})"))
    assert 60 * MB < after - before < 70 * MB


def test_the_peak_stays_when_memory_is_given_back(start):
    pid = start(f"x = b'x' * (64 * {MB}); del x")
    resident, held = memory.largest([pid])
    assert resident >= held > 64 * MB
    assert memory.held_bytes([pid], limit=1 << 40) < 32 * MB


def test_what_processes_share_counts_once_where_it_matters(start):
    pid = start(f"x = b'x' * (64 * {MB})\nimport os, time\nif not os.fork():\n    time.sleep(60)")
    family = memory.descendants(pid)
    assert memory.held_bytes(family, limit=1 << 40) > 120 * MB
    assert memory.held_bytes(family, limit=100 * MB) < 100 * MB
    os.kill(family[1], 9)


def test_of_a_process_that_is_gone_nothing_is_known():
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert memory.held_bytes([gone.pid], limit=0) == 0
    assert memory.largest([gone.pid]) == memory.largest([]) == (0, 0)

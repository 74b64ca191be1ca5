"""Programs that outlive us, or are interrupted with us."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from build import process
from tests.checkout import wait_for

pytestmark = pytest.mark.slow


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


WORKER = """
import signal, sys, time
signalled = []
signal.signal(signal.SIGINT, lambda *_: signalled.append(1))
for n in range(20):
    print("line", n, flush=True)
    time.sleep(0.03)
open(sys.argv[1], "w").write(f"done, signalled {len(signalled)}")
"""
"""Works for more than half a second, whatever it is told, and then says so in a file."""


FOLLOWER = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it would be ignored
from build import process
worker, done, log = sys.argv[1:]
say = lambda line: print(line, flush=True)
process.follow([sys.executable, "-c", worker, done], log=Path(log), on_line=say)
"""


def finished(done: Path) -> str:
    deadline = time.monotonic() + 10
    while not done.is_file() or not done.read_text():
        assert time.monotonic() < deadline, "the child never finished"
        time.sleep(0.02)
    return done.read_text()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_followed_program_outlives_us(tmp_path, how):
    done, log = tmp_path / "done", tmp_path / "log"
    parent = subprocess.Popen([*python(FOLLOWER), WORKER, str(done), str(log)], stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout
        parent.stdout.readline()
        parent.send_signal(how)
        parent.communicate()
    assert not done.exists()
    assert finished(done) == "done, signalled 0"
    assert log.read_text().splitlines() == [f"line {n}" for n in range(20)]


def test_a_followed_program_is_interrupted_once_and_waited_for(tmp_path):
    done, log = tmp_path / "done", tmp_path / "log"
    parent = subprocess.Popen(
        [*python(FOLLOWER), WORKER, str(done), str(log)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with parent:
        assert parent.stdout
        parent.stdout.readline()
        os.killpg(parent.pid, signal.SIGINT)  # what a terminal does
        said, failed = parent.communicate()
    assert done.read_text() == "done, signalled 1"
    assert said.decode().splitlines()[-1] == "line 19"
    assert b"KeyboardInterrupt" in failed


LEAVING = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
child.wait()
"""
"""Ends on an interruption, and leaves behind what it started."""


def test_what_an_interrupted_program_leaves_behind_is_ended(tmp_path):
    left = []

    def interrupted(line):
        if line.isdigit():
            left.append(int(line))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.follow(python(LEAVING), log=tmp_path / "log", on_line=interrupted)
    (pid,) = left
    wait_for(lambda: not is_running(pid))


def is_running(pid: int) -> bool:
    """Tell whether a process runs; where nobody asks for its end, as in a container, it stays as a zombie."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(shown.strip()) and not shown.startswith("Z")


def test_a_second_interruption_leaves_the_program_to_end_alone(tmp_path):
    done = tmp_path / "done"

    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.follow([*python(WORKER), str(done)], log=tmp_path / "log", on_line=interrupted)
    assert not done.exists()
    assert finished(done) == "done, signalled 1"


def test_a_listener_that_fails_ends_the_program_gently_and_is_heard(tmp_path):
    done = tmp_path / "done"

    def failing(line):
        msg = f"cannot take {line}"
        raise BrokenPipeError(msg)

    with pytest.raises(BrokenPipeError, match="cannot take line 0"):
        process.follow([*python(WORKER), str(done)], log=tmp_path / "log", on_line=failing)
    assert done.read_text() == "done, signalled 1"

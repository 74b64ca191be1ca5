import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from build import process
from build.errors import ToolError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_both_streams_and_the_exit_code_come_back():
    done = process.run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (done.stdout, done.stderr, done.code) == ("out\n", "err\n", 3)


def test_standard_input_reaches_the_program():
    assert process.run(python("print(input())"), stdin="given\n").stdout == "given\n"


def test_a_program_that_ends_without_reading_its_input_is_no_error():
    assert process.run(python(""), stdin="x" * 1_000_000).code == 0


def test_a_large_error_stream_does_not_block():
    done = process.run(python("import sys; sys.stderr.write('x' * 1_000_000); print('done')"))
    assert (done.stdout, len(done.stderr)) == ("done\n", 1_000_000)


@pytest.mark.parametrize("start", [process.run, lambda argv: process.follow(argv, log=Path(os.devnull), on_line=print)])
def test_a_missing_program_is_named(start):
    with pytest.raises(ToolError, match="cannot start `no-such-program`"):
        start(["no-such-program"])


def test_a_failure_shows_the_command_and_its_last_lines():
    done = process.run(python("import sys; [print(n, file=sys.stderr) for n in range(30)]; sys.exit(1)"))
    with pytest.raises(ToolError) as caught:
        process.checked(done, doing="counting", hint="run `invoke doctor`")
    assert caught.value.summary == "counting failed: exit code 1"
    assert caught.value.facts[0].startswith("ran: ")
    assert caught.value.facts[1:] == tuple(str(n) for n in range(20, 30))


# ── follow ────────────────────────────────────────────────────────────────────────────────────

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


def test_followed_lines_are_told_as_they_come_and_added_to_the_log(tmp_path):
    log = tmp_path / "log"
    log.write_text("earlier\n")
    lines: list[str] = []
    code = "import sys, time; print('a', end='', flush=True); time.sleep(0.3); print('b', flush=True); sys.exit('err')"
    done = process.follow(python(code), log=log, on_line=lines.append)
    assert lines == ["ab", "err"]
    assert (done.code, done.stdout, log.read_text()) == (1, "ab\nerr\n", "earlier\nab\nerr\n")


def test_a_line_is_told_while_the_program_still_runs(tmp_path):
    go = tmp_path / "go"
    code = f"import os, time; print('first', flush=True)\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)"
    process.follow(python(code), log=tmp_path / "log", on_line=lambda _: go.touch())
    assert go.exists()


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_second_interruption_leaves_the_program_to_end_alone(tmp_path):
    done = tmp_path / "done"

    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.follow([*python(WORKER), str(done)], log=tmp_path / "log", on_line=interrupted)
    assert not done.exists()
    assert finished(done) == "done, signalled 1"


@pytest.mark.slow
def test_a_listener_that_fails_ends_the_program_gently_and_is_heard(tmp_path):
    done = tmp_path / "done"

    def failing(line):
        msg = f"cannot take {line}"
        raise BrokenPipeError(msg)

    with pytest.raises(BrokenPipeError, match="cannot take line 0"):
        process.follow([*python(WORKER), str(done)], log=tmp_path / "log", on_line=failing)
    assert done.read_text() == "done, signalled 1"

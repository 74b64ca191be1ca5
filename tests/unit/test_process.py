import os
import sys
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


WITH_LOCKS = pytest.mark.skipif(os.name == "nt", reason="Windows has no such lock")


@WITH_LOCKS
def test_a_log_is_written_until_its_program_ends_whoever_started_it(tmp_path):
    log = tmp_path / "log"
    assert not process.is_written(log)
    child = process.start(python("import time; time.sleep(60)"), log=log)
    assert process.is_written(log)
    child.kill()
    child.wait()
    assert not process.is_written(log)


@WITH_LOCKS
def test_what_a_program_leaves_behind_but_prints_elsewhere_does_not_count(tmp_path):
    log = tmp_path / "log"
    leaves = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'input()'], stdout=-3, stderr=-3, stdin=-1)"
    )
    process.start(python(f"{leaves}; import os; os._exit(0)"), log=log).wait()
    assert not process.is_written(log)

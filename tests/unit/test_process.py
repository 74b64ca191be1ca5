import sys

import pytest

from build import process
from build.errors import ToolError


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_both_streams_and_the_exit_code_come_back():
    done = process.run(python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (done.stdout, done.stderr, done.code) == ("out\n", "err\n", 3)


def test_lines_are_told_as_they_come():
    lines: list[str] = []
    process.run(python("print('a'); print('b')"), on_line=lines.append)
    assert lines == ["a", "b"]


def test_standard_input_reaches_the_program():
    assert process.run(python("print(input())"), stdin="given\n").stdout == "given\n"


def test_a_large_error_stream_does_not_block():
    done = process.run(python("import sys; sys.stderr.write('x' * 1_000_000); print('done')"))
    assert (done.stdout, len(done.stderr)) == ("done\n", 1_000_000)


def test_a_missing_program_is_named():
    with pytest.raises(ToolError, match="cannot start `no-such-program`"):
        process.run(["no-such-program"])


def test_a_failure_shows_the_command_and_its_last_lines():
    done = process.run(python("import sys; [print(n, file=sys.stderr) for n in range(30)]; sys.exit(1)"))
    with pytest.raises(ToolError) as caught:
        process.checked(done, doing="counting", hint="run `invoke doctor`")
    assert caught.value.summary == "counting failed: exit code 1"
    assert caught.value.facts[0].startswith("ran: ")
    assert caught.value.facts[1:] == tuple(str(n) for n in range(20, 30))

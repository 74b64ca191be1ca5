from pathlib import Path

import pytest

from build.local import sandbox

PLACE = sandbox.Sandbox(binds=[(Path("/a root"), "/"), (Path("/b"), "/opt")], workdir="/var/task", temporary_mb=512)


@pytest.mark.parametrize(("code", "meant"), [(0, 0), (1, 1), (128, 128), (137, -9), (139, -11), (255, 255), (-9, -9)])
def test_a_signal_is_told_from_an_exit(code, meant):
    assert sandbox.exit_code(code) == meant


def test_what_speaks_to_the_loader_comes_with_the_command_line_alone():
    variables = {"PATH": "/bin", "LD_PRELOAD": "/opt/x.so", "GLIBC_TUNABLES": "y", "SECRET": "z"}
    assert sandbox.kept_out(variables) == ("LD_PRELOAD", "GLIBC_TUNABLES")
    command = PLACE.command(["/run", "--now"], variables)
    at = command.index("--setenv")
    assert command[at : at + 6] == ["--setenv", "LD_PRELOAD", "/opt/x.so", "--setenv", "GLIBC_TUNABLES", "y"]
    assert "SECRET" not in command
    assert command[-5:] == ["--chdir", "/var/task", "--", "/run", "--now"]


def test_the_root_comes_first_and_is_read_only():
    command = PLACE.command(["/run"], {})
    binds = [command[at + 1 : at + 3] for at, word in enumerate(command) if word == "--ro-bind"]
    assert binds == [["/a root", "/"], ["/b", "/opt"]]
    assert "--bind" not in command
    assert command[command.index("--size") + 1] == str(512 * 1024 * 1024)


def test_without_the_program_there_is_none_and_it_says_why(monkeypatch, tmp_path):
    sandbox.problem.cache_clear()
    try:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "bwrap" in sandbox.problem()
        program = tmp_path / "bwrap"
        program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
        program.chmod(0o755)
        sandbox.problem.cache_clear()
        assert sandbox.problem() == "bubblewrap does not work here: bwrap: No permissions to create new namespace"
    finally:
        sandbox.problem.cache_clear()

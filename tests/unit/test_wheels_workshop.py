import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from build.model import Architecture, Runtime, Target
from build.project.profiles import host_architecture
from build.wheels.workshop import can_compile_for, open_workshop, telling
from tests.builders import ARM, X86

HERE = Target(Runtime(sys.version_info.minor), host_architecture())
HERE_PYTHON = Path(sys.executable)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="stand-ins are shell scripts")


def run(workshop, *argv):
    environ = workshop.environment(os.environ)
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)


def test_a_build_finds_no_compiler_of_the_machine_and_its_call_is_noted(tmp_path):
    workshop = open_workshop(tmp_path, X86, None)
    for name in ("cc", "g++", "clang", "cargo", "gfortran"):
        assert run(workshop, name, "--version").returncode == 1
    assert workshop.called == {"cc", "g++", "clang", "cargo", "gfortran"}


def test_what_asks_only_what_there_is_does_not_count_as_compiled(tmp_path):
    workshop = open_workshop(tmp_path, X86, None)
    assert run(workshop, "pkg-config", "--libs", "zlib").returncode == 1
    assert run(workshop, "rustc", "--version").returncode == 1
    assert workshop.called == frozenset()


def test_a_build_sees_what_pip_needs_and_nothing_that_would_change_it(tmp_path):
    seen = open_workshop(tmp_path, X86, None).environment(
        {
            "PATH": "/bin",
            "HOME": "/somewhere",
            "USER": "me",
            "PIP_INDEX_URL": "u",
            "https_proxy": "p",
            "AWS_PROFILE": "x",
            "CFLAGS": "-O0",
        }
        | {"PYTHONPATH": "/x", "TZ": "Asia/Tokyo", "SSL_CERT_FILE": "c", "CC": "icc", "TMPDIR": "/elsewhere"}
    )
    assert {name: seen[name] for name in ("HOME", "PIP_INDEX_URL", "https_proxy", "SSL_CERT_FILE")} == {
        "HOME": "/somewhere",
        "PIP_INDEX_URL": "u",
        "https_proxy": "p",
        "SSL_CERT_FILE": "c",
    }
    assert not {"AWS_PROFILE", "CFLAGS", "PYTHONPATH"} & seen.keys()
    assert (seen["TZ"], seen["CC"], seen["USER"]) == ("UTC", "cc", "builder")
    assert seen["PATH"] == f"{tmp_path / 'bin'}{os.pathsep}/bin"
    assert seen["TMPDIR"].startswith(str(tmp_path))


class TestWithACompiler:
    @pytest.fixture
    def shop(self, tmp_path):
        """A compiler that says what it is told."""
        zig = tmp_path / "tools/ziglang/zig"
        zig.parent.mkdir(parents=True)
        zig.write_text('#!/bin/sh\nfor word do echo "$word"; done\n')
        zig.chmod(0o755)
        return lambda target: open_workshop(tmp_path / str(target.runtime), target, zig)

    def told(self, workshop, *argv):
        done = run(workshop, *argv)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    @pytest.mark.parametrize(("minor", "glibc"), [(10, "2.26"), (11, "2.26"), (12, "2.34"), (13, "2.34")])
    def test_it_is_given_the_runtimes_glibc(self, shop, minor, glibc, monkeypatch):
        monkeypatch.setattr("build.wheels.workshop.interpreter_of", lambda _: HERE_PYTHON)
        said = self.told(shop(Target(Runtime(minor), Architecture.X86_64)), "gcc", "-c", "a.c")
        assert said[:3] == ["cc", "-target", f"x86_64-linux-gnu.{glibc}"]
        assert said[-1] != "a.c"
        assert "a.c" in said

    def test_what_differs_by_host_is_dropped_and_what_the_source_says_stays(self, shop):
        dropped = [
            "-march=native",
            "-O3",
            "-g",
            "-flto=auto",
            "-L/usr/lib",
            "-I/usr/include",
            "-Wl,-rpath,/somewhere/lib",
        ]
        kept = [
            "-DA=b c",
            "-I/usr/include/python3.11",
            "-Iinclude",
            "-Wl,-rpath,$ORIGIN",
            "-msse4.2",
            "-lm",
            "-std=c11",
        ]
        said = self.told(shop(HERE), "c++", *dropped, *kept)
        assert said[0] == "c++"
        assert not set(dropped) & set(said)
        assert set(kept) <= set(said)

    def test_the_folder_of_the_build_does_not_enter_the_bytes(self, shop):
        workshop = shop(HERE)
        (workshop.folder / "tmp/pip-wheel-x1y2/name_z3").mkdir(parents=True)
        said = self.told(workshop, "cc", "a.c")
        mapped = [word.partition("=")[2] for word in said if word.startswith("-ffile-prefix-map=")]
        assert f"{workshop.folder}/tmp/pip-wheel-x1y2/name_z3=/build" in mapped
        # The last one that fits counts.
        assert mapped.index(f"{workshop.folder}/tmp/pip-wheel-x1y2=/build") < mapped.index(
            f"{workshop.folder}/tmp/pip-wheel-x1y2/name_z3=/build"
        )

    def test_other_languages_stay_out(self, shop):
        workshop = shop(HERE)
        assert run(workshop, "cargo", "build").returncode == 1
        assert workshop.called == {"cargo"}
        assert self.told(workshop, "ar", "rcs", "x.a") == ["ar", "rcs", "x.a"]


def test_only_linux_of_the_same_architecture_can_prove_compiled_code(monkeypatch):
    own, other = (X86, ARM) if host_architecture() == Architecture.X86_64 else (ARM, X86)
    monkeypatch.setattr("sys.platform", "linux")
    assert (can_compile_for(own), can_compile_for(other)) == (True, False)
    for platform in ("darwin", "win32"):
        monkeypatch.setattr("sys.platform", platform)
        assert not can_compile_for(own)


def test_work_that_takes_long_tells_for_how_long_and_stops_telling_when_it_is_done():
    said: list[str] = []
    with telling("compiling fast", said.append, every_s=0.01):
        while len(said) < 3:
            time.sleep(0.001)
    told = list(said)
    assert told[:3] == ["compiling fast", *["compiling fast: 0 s so far"] * 2]
    time.sleep(0.03)
    assert said == told


def test_work_that_fails_stops_telling():
    said: list[str] = []
    with pytest.raises(ZeroDivisionError), telling("compiling fast", said.append, every_s=0.01):
        raise ZeroDivisionError
    time.sleep(0.03)
    assert said == ["compiling fast"]

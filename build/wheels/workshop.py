"""Where sdists are built: an environment that is the same every day, and no compiler but ours.

A compiler of the host links against the host's glibc, so no build may find one. The first build of an sdist meets
stand-ins that only note that they were called. If they were, a second one meets Zig's C compiler, which is
given the glibc of the runtime to link against: https://andrewkelley.me/post/zig-cc-powerful-drop-in-replacement-gcc-clang.html
"""

import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from build import process
from build.errors import ToolError
from build.locking.requirements import parse_lock
from build.locking.tools import REACH
from build.model import Target
from build.project.interpreters import interpreter_of
from build.project.profiles import profile_of
from build.store.objects import Store
from build.wheels.pip import pip_for, run_pip
from build.wheels.toolchain import COMPILER

FOREIGN = {"cargo": "Rust", "gfortran": "Fortran", "f77": "Fortran", "f95": "Fortran", "go": "Go"}
"""Compilers that are never let in, and their languages: what they fetch or link is in no lock."""
_C = ("cc", "gcc", "clang", "c99", "x86_64-linux-gnu-gcc", "aarch64-linux-gnu-gcc")
_CXX = ("c++", "g++", "clang++", "x86_64-linux-gnu-g++", "aarch64-linux-gnu-g++")
_ARCHIVERS = ("ar", "ranlib")
_OF_THE_HOST = ("pkg-config", "pkgconf", "rustc")
"""They lead to libraries of the host, and are asked by those who can do without; rustc's version by pip itself."""

_PASSED_ON = re.compile(
    r"(PATH|HOME|NETRC|(XDG|DBUS|SSL|KEYRING)_\w+|\w+_PROXY"
    r"|PIP_(?!CONFIG_SETTINGS|GLOBAL_OPTION|BUILD_OPTION|PRE\b|NO_BUILD_ISOLATION|CONSTRAINT|BUILD_CONSTRAINT|TARGET|PREFIX|REQUIRE_VIRTUALENV)\w+|(REQUESTS|CURL)_CA_BUNDLE"
    r"|SYSTEMROOT|SYSTEMDRIVE|WINDIR|COMSPEC|PATHEXT|(LOCAL)?APPDATA|PROGRAMDATA|USERPROFILE)",
    re.IGNORECASE,
)
"""Of our environment: what pip needs to reach an index. CFLAGS or AWS_PROFILE have no business in a build."""
_FIXED = {
    "SOURCE_DATE_EPOCH": "315532800",  # 1980-01-01, the first day of zip
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "TZ": "UTC",
    "USER": "builder",
    "LOGNAME": "builder",
    "LC_ALL": "C.UTF-8",
    "CC": "cc",
    "CXX": "c++",
    "AR": "ar",
    "RANLIB": "ranlib",
    "LDSHARED": "cc -shared",
    "LDCXXSHARED": "c++ -shared",
}

_TOLD_EVERY_S = 10.0

_REFUSE = """\
#!/bin/sh
{note}echo "${{0##*/}}: no compiler of this machine takes part in a build" >&2
exit 1
"""
_ZIG = """\
#!/bin/sh
for word do
  shift
  case $word in
    -march=native|-mtune=native|-mcpu=native|-O*|-g|-g[0-9]|-ggdb*|-flto*|-fuse-ld=*|-fprofile*|-specs=*) ;;
    -L/lib*|-L/usr/*|-I/usr/include|-I/usr/local/*|-Wl,-rpath,/*|-Wl,-rpath=/*) ;;
    *) set -- "$@" "$word" ;;
  esac
done
for folder in "$TMPDIR"/* "$TMPDIR"/*/* {python} {tools}; do set -- "$@" "-ffile-prefix-map=$folder=/build"; done
exec {zig} {verb} -target {triple} -mcpu=baseline -O2 -g0 -fwrapv -fno-sanitize=undefined \\
  -Wno-unused-command-line-argument "$@"
"""
"""Drops what differs by host: its processor, its libraries, its Python's own flags, and where the build takes place."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """A scratch folder to build one wheel in."""

    folder: Path

    @property
    def called(self) -> frozenset[str]:
        """Compilers that the build asked for and did not get, by the name of the program."""
        notes = self.folder / "called"
        return frozenset(notes.read_text("utf-8").split()) if notes.is_file() else frozenset()

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return what of ``environ`` a build may see, and what is the same for all builds."""
        passed_on = {name: value for name, value in environ.items() if _PASSED_ON.fullmatch(name)}
        return {
            **passed_on,
            **_FIXED,
            "PATH": os.pathsep.join([str(self.folder / "bin"), passed_on.get("PATH", os.defpath)]),
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.folder / "tmp")),
            "ZIG_LOCAL_CACHE_DIR": str(self.folder / "zig"),
        }


def open_workshop(folder: Path, target: Target, zig: Path | None) -> Workshop:
    """Return a new workshop in ``folder``: its compiler is ``zig``, for ``target``, or there is none."""
    (folder / "tmp").mkdir(parents=True)
    note = f'echo "${{0##*/}}" >> {shlex.quote(str(folder / "called"))}\n'
    _write(folder, FOREIGN, _REFUSE.format(note=note))
    _write(folder, _OF_THE_HOST, _REFUSE.format(note=""))
    if zig is None:
        _write(folder, (*_C, *_CXX, *_ARCHIVERS), _REFUSE.format(note=note))
        return Workshop(folder)
    profile = profile_of(target)
    words = {
        "zig": f"ZIG_GLOBAL_CACHE_DIR={shlex.quote(str(zig.parent.parent / 'cache'))} {shlex.quote(str(zig))}",
        "triple": f"{profile.machine}-linux-gnu.{'.'.join(map(str, profile.glibc))}",
        "python": shlex.quote(str(interpreter_of(target.runtime).parent.parent)),
        "tools": shlex.quote(str(zig.parent.parent)),
    }
    words["zig"] = f"env {words['zig']}"
    _write(folder, _C, _ZIG.format(verb="cc", **words))
    _write(folder, _CXX, _ZIG.format(verb="c++", **words))
    for name in _ARCHIVERS:
        _write(folder, [name], f'#!/bin/sh\nexec {words["zig"]} {name} "$@"\n')
    return Workshop(folder)


def compiler(target: Target, store: Store, *, on_progress: Callable[[str], None]) -> Path:
    """Return Zig's program in ``store``, for hosts of ``target``'s architecture; it is installed first if need be.

    Two builds at once are safe, and one that is killed leaves nothing under the final name.
    """
    (pin,) = parse_lock(COMPILER.read_text("utf-8")).pins
    final = store.root / "tools" / f"{pin.name}-{pin.version}-{target.architecture}"
    zig = final / pin.name / "zig"
    if zig.is_file():
        return zig
    from filelock import FileLock

    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_name(f"{final.name}.lock")), store.scratch() as folder:
        if zig.is_file():
            return zig
        on_progress(f"fetching a C compiler for {target}: {pin.name} {pin.version}, some 100 MB, once")
        (folder / "pins.txt").write_text(pin.line, "utf-8")
        words = ["--no-compile", "--requirement", str(folder / "pins.txt"), "--target", str(folder / "tool")]
        process.checked(
            run_pip([*pip_for("install", target), *words]),
            doing=f"fetching {pin.name}",
            hint=REACH,
        )
        shutil.rmtree(final, ignore_errors=True)  # one that somebody removed the half of
        (folder / "tool").rename(final)
    if not zig.is_file():
        raise ToolError(f"{pin.name} has no program `zig`", facts=[f"expected {zig}"], hint=f"delete {final}")
    return zig


@contextmanager
def telling(what: str, say: Callable[[str], None], *, every_s: float = _TOLD_EVERY_S) -> Iterator[None]:
    """Say ``what`` is being done, and again every so often for how long: a compiler itself says nothing."""
    began, done = time.monotonic(), Event()

    def tell() -> None:
        while not done.wait(every_s):
            say(f"{what}: {time.monotonic() - began:.0f} s so far")

    say(what)
    teller = Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def can_compile_for(target: Target) -> bool:
    """Say whether what is compiled here can be proved to be right for ``target``."""
    import platform

    return sys.platform == "linux" and platform.machine() == profile_of(target).machine


def _write(folder: Path, names: Iterable[str], script: str) -> None:
    for name in names:
        place = folder / "bin" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(script, encoding="utf-8")
        place.chmod(0o755)

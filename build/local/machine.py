"""The root that a function of a zip sees: this machine's Python at /var/lang, and of the machine only what that needs.

Libraries, a shell with the usual small programs, certificates; no home, no checkout, no program that Lambda lacks.
They are copied once into ``.artifacts/local/roots``; the standard library stays where it is and is bound.
https://github.com/aws/aws-lambda-base-images says what is where on Lambda.
"""

import re
import shutil
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path

from build import process
from build.digest import Digest
from build.errors import ToolError
from build.local import sandbox
from build.local.unpack import once
from build.model import Runtime
from build.project.interpreters import interpreter_of

LANG, TASK, OPT, RUNTIME = "/var/lang", "/var/task", "/opt", "/var/runtime"
TOOL = "/var/tool"
"""Lambda has no such place: it is for what looks into a worker here."""
USERS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nsbx_user1051:x:993:990::/home/sbx_user1051:/bin/sh\n",
    "etc/group": "root:x:0:\nsbx_user1051:x:990:\n",
}

_FORMAT = 2
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")
_WHEELS_EXPECT = (
    "libdl.so.2 libgcc_s.so.1 libm.so.6 libpthread.so.0 librt.so.1 libstdc++.so.6 libutil.so.1 libz.so.1 "
    "libresolv.so.2 libnss_dns.so.2 libnss_files.so.2"
)
"""Libraries that manylinux wheels, and older C libraries, may take for granted, of what Amazon Linux has."""
_PROGRAMS = (
    "sh bash env awk grep sed base64 basename cat chmod cp cut date df dirname du echo expr false head id ln ls md5sum "
    "mkdir mktemp mv nproc pwd readlink realpath rm rmdir seq sha256sum sleep sort stat tail tee test touch tr true "
    "uname uniq wc xargs"
)
"""Of Amazon Linux's, those that scripts such as wrappers of the runtime call."""
_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
_ZONES = "/usr/share/zoneinfo"
_TRIAL = "import ctypes, socket, ssl, zlib"
_CA_FILE = "import ssl; print(ssl.get_default_verify_paths().openssl_cafile)"


@cache
def binds_of(root: Path, runtime: Runtime) -> tuple[tuple[Path, str], ...]:
    """Return what a sandbox binds for a Python of ``runtime``, its root first; ``root`` is the repository's.

    `TASK`, `OPT`, `RUNTIME` and `TOOL` are empty folders in it. Raises ToolError where there is no such Python, or none
    that runs when it is moved.
    """
    python = interpreter_of(runtime).resolve()
    name = f"python{runtime.version}"
    found = (python.parent.parent / lib / name for lib in ("lib", "lib64"))
    stdlib = next((folder for folder in found if (folder / "os.py").is_file()), None)
    if stdlib is None:
        raise _immovable(python, "its standard library is elsewhere")
    key = "\n".join(map(str, (_FORMAT, python, python.stat().st_mtime_ns, _PROGRAMS, _WHEELS_EXPECT)))
    folder = once(
        root / ".artifacts" / "local" / "roots" / Digest.of_bytes(key.encode()).hex,
        partial(_fill, python=python, stdlib=stdlib),
    )
    return _binds(folder, stdlib)


def _binds(folder: Path, stdlib: Path) -> tuple[tuple[Path, str], ...]:
    place = f"{LANG}/{stdlib.parent.name}/{stdlib.name}"
    binds = [(folder, "/"), (stdlib, place)]
    if (stdlib / "site-packages").is_dir():  # whatever was installed for people
        binds.append((folder / "var" / "empty", f"{place}/site-packages"))
    if Path(_ZONES).is_dir():
        binds.append((Path(_ZONES), _ZONES))
    return tuple(binds)


def _immovable(python: Path, why: str) -> ToolError:
    hint = "run `invoke doctor` to see which programs are found"
    return ToolError(f"{python} cannot be shut in: {why}", hint=hint)


def libraries(programs: Iterable[Path]) -> set[Path]:
    """Return the shared libraries of this machine that ``programs`` need, and those that wheels expect; Linux only."""
    ldd, ldconfig = shutil.which("ldd"), shutil.which("ldconfig", path="/sbin:/usr/sbin:/usr/bin")
    found: set[str] = set()
    if ldd:
        found.update(_LIBRARY.findall(process.run([ldd, *map(str, programs)]).stdout))
    if ldd and ldconfig:
        listed = process.run([ldconfig, "-p"]).stdout
        expected = {
            line.rpartition(" => ")[2]
            for line in listed.splitlines()
            if line.split(" ")[0].strip() in _WHEELS_EXPECT.split()
        }
        found.update(_LIBRARY.findall(process.run([ldd, *sorted(expected)]).stdout) if expected else ())
        found |= expected
    return {path for path in map(Path, found) if path.is_file()}


def _fill(folder: Path, *, python: Path, stdlib: Path) -> None:
    looked_for = {name: shutil.which(name, path="/usr/bin:/bin") for name in _PROGRAMS.split()}
    programs = {name: Path(found) for name, found in looked_for.items() if found}
    modules = [path for path in (stdlib / "lib-dynload").glob("*.so") if "_tkinter" not in path.name]
    _copy_libraries(folder, libraries([python, *modules, *programs.values()]))
    for name, path in programs.items():
        _copy(path, folder / "usr/bin" / name)
    (folder / "bin").symlink_to("usr/bin")
    _copy(python, folder / f"var/lang/bin/{stdlib.name}")
    for name in ("python3", "python"):
        (folder / "var/lang/bin" / name).symlink_to(stdlib.name)
    ca_file = process.run([str(python), "-I", "-c", _CA_FILE]).stdout.strip()
    certificates = next(filter(Path.is_file, map(Path, _CERTIFICATES)), None)
    for place in (*_CERTIFICATES, ca_file):
        if certificates and place.startswith("/"):
            _copy(certificates, folder / place.lstrip("/"))
    places = (
        TASK,
        OPT,
        RUNTIME,
        TOOL,
        _ZONES,
        "/usr/local/bin",
        "/var/empty",
        f"{LANG}/{stdlib.parent.name}/{stdlib.name}",
    )
    for name in (*sandbox.MOUNT_POINTS, *places):
        (folder / name.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for name, text in (*USERS.items(), ("etc/hosts", "127.0.0.1 localhost\n"), (sandbox.RESOLVER, "")):
        (folder / name).write_text(text, "ascii")
    trial = sandbox.Sandbox(binds=_binds(folder, stdlib), workdir="/", temporary_mb=1)
    tried = process.run(trial.command([f"{LANG}/bin/{stdlib.name}", "-c", _TRIAL], {}))
    if tried.code != 0:
        said = tried.stderr.strip().splitlines()
        raise _immovable(python, said[-1] if said else f"code {tried.code}")


def _copy_libraries(folder: Path, needed: set[Path]) -> None:
    """Put all libraries where the C library is, which the loader searches whatever a function sets."""
    beside = next((path.parent for path in needed if path.name.startswith("libc.")), Path("/lib"))
    for path in sorted(needed):
        place = path if path.name.startswith("ld-") else beside / path.name
        _copy(path, folder / str(place).lstrip("/"))


def _copy(source: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, place)
    place.chmod(0o755)

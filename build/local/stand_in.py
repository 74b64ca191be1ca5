"""A base image for machines that cannot reach AWS's: this machine's own Python of the version, in the same places.

What AWS's bases promise is kept: `/lambda-entrypoint.sh` with the handler as its only argument, `/var/lang`,
`/var/runtime`, `/var/task`, `/opt` and the variables of https://github.com/aws/aws-lambda-base-images. What is in it is
not Amazon Linux, so it never leaves the embedded cloud.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from build import process
from build.digest import Digest
from build.image import OCI, Image
from build.images.assembled import key_of
from build.images.layers import write_layer
from build.images.manifests import ARCHITECTURES, put_on
from build.local import runtime_bundle
from build.local.machine import USERS, libraries
from build.model import Runtime
from build.project.interpreters import interpreter_of, release_of
from build.project.profiles import host_architecture
from build.store.objects import Store, untouched
from build.zips.spill import Spill

LABEL = "slipway.stand-in"
"""In the config of such an image, and of all that are made on it: what has it is for the embedded cloud alone."""

_FORMAT = 3
_NOTE = "stand-in"
_RUNTIME = Path(__file__).parent / "runtime"
_STDLIB = "import sysconfig; print(sysconfig.get_path('stdlib'))"
_LEFT_OUT = frozenset("ensurepip idlelib lib2to3 site-packages test tests tkinter turtledemo".split())
_UNUSED = re.compile(r"config-|_test|_tkinter|_xxtestfuzz")
_FILES = ("/bin/sh", "/etc/ssl/certs/ca-certificates.crt")
_ENTRYPOINT = """\
#!/bin/sh
if [ $# -ne 1 ]; then
  echo "entrypoint requires the handler name to be the first argument" >&2
  exit 142
fi
export _HANDLER="$1" AWS_EXECUTION_ENV=AWS_Lambda_{python}
exec /var/lang/bin/{python} -S -B /var/runtime/bootstrap.py "$PPID" /opt
"""
_VARIABLES = {
    "LANG": "en_US.UTF-8",
    "TZ": ":/etc/localtime",
    "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
}


def stand_in(root: Path, runtime: Runtime, store: Store, *, say: Callable[[str], None]) -> Image:
    """Return the base image of ``runtime``, made of this machine if it was not before; its layer is in ``store``.

    Raises ToolError where there is no Python of the version.
    """
    python = interpreter_of(runtime)
    key = key_of(_NOTE, _FORMAT, python, release_of(runtime), Digest.of_file(runtime_bundle.LOCK), _own_files())
    image = store.recall(_NOTE, key, lambda note: Image.read(note["manifest"].encode(), note["config"].encode()))
    if image is None or not all(untouched(store.blob(layer.digest), layer.size_bytes) for layer in image.layers):
        say(f"making a base image of this machine's {runtime}")
        image = _made(runtime, python, runtime_bundle.ensure(root, runtime, on_progress=say), store)
        store.remember(_NOTE, key, {"manifest": image.manifest.decode(), "config": image.config.decode()})
    return image


def is_stand_in(image: Image) -> bool:
    """Tell whether an image is a stand-in, or is made on one."""
    return LABEL in (image.settings.get("Labels") or {})


def _made(runtime: Runtime, python: Path, bundle: Path, store: Store) -> Image:
    name = f"python{runtime.version}"
    stdlib = Path(process.run([str(python), "-I", "-S", "-c", _STDLIB]).stdout.strip())
    files = {f"var/lang/bin/{name}": python.resolve()}
    files |= {f"var/lang/lib/{name}/{path}": stdlib / path for path in _below(stdlib) if "__pycache__/" not in path}
    files |= {f"var/runtime/{path}": bundle / path for path in _below(bundle)}
    files |= {f"var/runtime/{each.name}": each for each in (_RUNTIME / "bootstrap.py", _RUNTIME / "runtime_client.py")}
    files |= {path.lstrip("/"): Path(path) for path in _FILES if Path(path).is_file()}
    programs = [place for path, place in files.items() if ".so" in path or path.startswith(("var/lang/bin", "bin/"))]
    own = python.resolve().parent.parent
    files |= {_place(path, own): path for path in libraries(programs)}
    texts = {
        "lambda-entrypoint.sh": _ENTRYPOINT.format(python=name),
        "etc/os-release": 'NAME="stand-in"\nPRETTY_NAME="A stand-in for AWS\'s base image, for the embedded cloud"\n',
        **USERS,
    }
    with store.scratch() as folder:
        files |= {
            f"var/lang/lib/{name}/{path}": place for path, place in _compiled(python, stdlib, folder / "bytecode")
        }
        with Spill(folder / "spill") as spill:
            entries = [
                spill.add(path, place.read_bytes(), executable=bool(place.stat().st_mode & 0o100), owner=_NOTE)
                for path, place in files.items()
            ]
            entries += [
                spill.add(path, text.encode(), executable=path.endswith(".sh"), owner=_NOTE)
                for path, text in texts.items()
            ]
        layer = write_layer(tuple(sorted(entries)), "", folder / "layer")
        store.keep(folder / "layer", store.blob(layer.digest))
    config = {
        "architecture": ARCHITECTURES[host_architecture()],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    nothing = Image(json.dumps({"mediaType": OCI, "layers": []}).encode(), json.dumps(config).encode())
    settings = {
        "Env": [f"{name}={value}" for name, value in _VARIABLES.items()],
        "Entrypoint": ["/lambda-entrypoint.sh"],
        "WorkingDir": "/var/task",
        "Labels": {LABEL: str(runtime)},
    }
    return put_on(nothing, [layer], command=[], settings=settings)


def _below(folder: Path) -> Iterator[str]:
    """Yield the files below ``folder`` that count, relative to it."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and _LEFT_OUT.isdisjoint(parts) and not any(map(_UNUSED.match, parts)):
            yield "/".join(parts)


def _compiled(python: Path, stdlib: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield where the bytecode of the standard library goes, and where it is: nothing can be written at a cold start.

    What this machine has of it asks for the sources' dates, which are others in an image.
    """
    left_out = rf"/({'|'.join(sorted(_LEFT_OUT))})/"
    how = ["-q", "-f", "--invalidation-mode", "unchecked-hash", "-x", left_out]
    where = ["-s", str(stdlib), "-p", f"/var/lang/lib/{stdlib.name}", str(stdlib)]
    process.run([str(python), "-I", "-X", f"pycache_prefix={folder}", "-m", "compileall", *how, *where])
    made = folder / stdlib.relative_to(stdlib.anchor)
    for path in _below(made):
        above, _, name = path.rpartition("/")
        yield f"{above}/__pycache__/{name}".lstrip("/"), made / path


def _place(library: Path, own: Path) -> str:
    """Return where a shared library goes: as it is here, so that the loader finds it; Python's ``own`` go with it."""
    return f"var/lang/lib/{library.name}" if library.is_relative_to(own) else str(library).lstrip("/")


def _own_files() -> str:
    """Return what of the repository enters the image."""
    return str(
        Digest.of_bytes((_ENTRYPOINT + json.dumps(_VARIABLES)).encode() + (_RUNTIME / "bootstrap.py").read_bytes())
    )

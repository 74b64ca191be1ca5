"""One fixed image, made by whichever Python runs this; pytest need not be there.

python -m tests.golden.image FOLDER     → what the image is, as JSON
"""

import base64
import hashlib
import json
import random
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from build.digest import Digest
from build.image import CONFIGS, DOCKER, LAYERS, OCI, Blob, Image
from build.images.layers import FORMAT
from build.locking.locks import read_locks
from build.model import IMAGE, Architecture, FunctionSpec, Runtime, Target
from build.packaging.assemble import build_workspace
from build.store.objects import Store
from build.zips.archives import write_archive
from build.zips.spill import Spill
from tests.builders import function_spec, layer_spec, make_workspace, write_files

KINDS = {"oci": OCI, "docker": DOCKER}
HERE = Runtime(sys.version_info.minor)
"""Of the function: its interpreter is certainly there. No module is in the image, so that it enters no bytes."""
NOISE = random.Random(6).randbytes(5_100_000)
"""Does not shrink, and is more than what a package may have without getting a layer of its own."""
PROGRAM = b"\x7fELF\2\1\1" + bytes(57) + b"".join(number.to_bytes(4, "little") for number in range(40_000))
BELOW = Blob(LAYERS[OCI], Digest.of_bytes(b"the base's layer"), 1234)
BASE = {
    "architecture": "amd64",
    "config": {"Entrypoint": ["/lambda-entrypoint.sh"], "Env": ["LANG=en_US.UTF-8"], "WorkingDir": "/var/task"},
    "container": "of whoever made the base",
    "created": "2024-02-03T04:05:06Z",
    "history": [{"created": "2024-02-03T04:05:06Z", "created_by": "COPY / /"}],
    "os": "linux",
    "rootfs": {"type": "layers", "diff_ids": [str(Digest.of_bytes(b"the base's tar"))]},
}


def made_in(folder: Path) -> dict[str, Any]:
    """Build a function in the new ``folder``, on bases of both kinds, and tell what the images are."""
    store = Store(folder / "store")
    heavy = {"heavy/core.abi3.so": PROGRAM + NOISE, "heavy/data.json": b"[]"}
    light = {"light/speed.abi3.so": PROGRAM, "light/é.txt": b"tea\n" * 500, f"light/{'long/' * 60}end": b""}
    files = {
        "functions/pot/requirements.txt": _wheel(store, "heavy", heavy) + _wheel(store, "light", light),
        "functions/pot/src/templates/tea.html": "<p>tea</p>\n" * 40,
        "functions/pot/src/empty": "",
        "functions/pot/src/run.sh": "#!/bin/sh\n",
        "layers/rack/requirements.txt": _wheel(store, "shelf", {"shelf/shelf.txt": b"empty\n"}),
        "layers/rack/src/rack.json": "{}",
    }
    write_files(folder, files)
    (folder / "functions/pot/src/run.sh").chmod(0o700)
    pot = function_spec(folder / "functions/pot", target=Target(HERE, Architecture.X86_64), layers=("rack",))
    rack = layer_spec(folder / "layers/rack", runtimes=(HERE,))
    workspace = make_workspace(folder, functions=(replace(pot, package=IMAGE),), layers=(rack,))
    make = partial(build_workspace, workspace, read_locks(workspace), store, on_progress=lambda _: None)
    images = {name: make(base_of=partial(_base, kind)).images["pot"].image for name, kind in KINDS.items()}
    return {
        "format": FORMAT,
        "layers": _layers(images["oci"]),
        "manifests": {name: str(image.digest) for name, image in images.items()},
    }


def _layers(image: Image) -> list[dict[str, str]]:
    """Tell what is on the base; a layer that differs is then named."""
    titles = [str(row["created_by"]) for row in image.whole_config["history"]]
    rows = zip(titles, image.layers, image.diff_ids, strict=True)
    return [{"title": title, "digest": str(blob.digest), "diff_id": str(diff_id)} for title, blob, diff_id in rows][1:]


def _base(kind: str, _: FunctionSpec) -> Image:
    config = json.dumps(BASE).encode()
    manifest = {
        "mediaType": kind,
        "config": Blob(CONFIGS[kind], Digest.of_bytes(config), len(config)).told,
        "layers": [replace(BELOW, media_type=LAYERS[kind]).told],
    }
    return Image.read(json.dumps(manifest).encode(), config)


def _wheel(store: Store, name: str, files: dict[str, bytes]) -> str:
    """Put a wheel into ``store`` and return its lock's line. libdeflate compresses it: each Python has its own zlib."""
    info = f"{name}-1.0.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, data in contents.items():
        sha256 = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={sha256},{len(data)}\n")
    contents[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
    with store.scratch() as folder:
        with Spill(folder / "spill") as spill:
            entries = [spill.add(path, data, executable=".so" in path, owner=name) for path, data in contents.items()]
        draft = folder / f"{name}-1.0-py3-none-any.whl"
        digest = write_archive(tuple(sorted(entries)), (), draft).digest
        store.keep(draft, store.wheel(digest, draft.name))
    return f"{name}==1.0 --hash=sha256:{digest.hex}\n"


if __name__ == "__main__":
    json.dump(made_in(Path(sys.argv[1])), sys.stdout)

"""One fixed tree, whose artifacts are the same on every machine, for ever, or the format has another number."""

import base64
import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from build.digest import Digest
from build.errors import ToolError
from build.locking.locks import read_locks
from build.model import Architecture, Runtime, Target
from build.packaging.assemble import build_workspace
from build.packaging.bytecode import FORMAT
from build.project.interpreters import interpreter_of, release_of
from build.store.objects import Store
from tests.builders import function_spec, layer_spec, make_workspace, write_files

pytestmark = pytest.mark.slow

GOLDEN = Path(__file__).parents[1] / "golden" / "artifacts.json"
MODULE = "import json\n\n\ndef pour(cups: int = 2) -> str:\n    return json.dumps({'cups': cups})\n"
EXECUTABLE = 0o755
HERE = Runtime(sys.version_info.minor)  # its interpreter is certainly there


def fixed_wheel(store, name, files):
    """Put a wheel with stored members into ``store``: no zlib has a hand in its bytes."""
    info = f"{name}-1.0.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, text in contents.items():
        sha256 = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={sha256},{len(text.encode())}\n")
    with store.scratch() as folder:
        draft = folder / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:
            for path, text in {**contents, f"{info}/RECORD": "".join([*rows, f"{info}/RECORD,,\n"])}.items():
                member = zipfile.ZipInfo(path)
                member.create_system = 3
                member.external_attr = (0o100755 if path.endswith(".sh") else 0o100644) << 16
                archive.writestr(member, text)
        digest = Digest.of_file(draft)
        store.keep(draft, store.wheel(digest, draft.name))
    return f"{name}==1.0 --hash=sha256:{digest.hex}\n"


def digests(root, runtime, *, modules):
    """Build a function and a layer, with or without modules, and return their digests."""
    store = Store(root / "store")
    glaze = {"glaze/colours.json": json.dumps({"é": list(range(300))}), "glaze/run.sh": "#!/bin/sh\n" * 9}
    shelf = {"shelf.txt": "empty\n", "shelf/ü.txt": "x"}
    if modules:
        glaze, shelf = {**glaze, "glaze/__init__.py": MODULE}, {**shelf, "shelf.py": MODULE}
    files = {
        "functions/pot/requirements.txt": fixed_wheel(store, "glaze", glaze),
        "functions/pot/src/templates/tea.html": "<p>tea</p>\n" * 40,
        "functions/pot/src/empty": "",
        "layers/rack/requirements.txt": fixed_wheel(store, "shelf", shelf),
        "layers/rack/src/rack.json": "{}",
    }
    if modules:
        files["functions/pot/src/app.py"] = f"{MODULE}\n\ndef handler(event, context):\n    return pour()\n"
    write_files(root, files)
    (root / "functions/pot/src/templates/tea.html").chmod(EXECUTABLE)
    target = Target(runtime, Architecture.X86_64)
    workspace = make_workspace(
        root,
        functions=(function_spec(root / "functions/pot", target=target),),
        layers=(layer_spec(root / "layers/rack", runtimes=(runtime,)),),
    )
    made = build_workspace(workspace, read_locks(workspace), store, on_progress=lambda _: None)
    return {artifact.identity: artifact.digest.hex for artifact in made.artifacts}


def require_golden(key, got, runtime):
    golden = json.loads(GOLDEN.read_text("utf-8"))
    if os.environ.get("SLIPWAY_WRITE_GOLDEN"):
        known = golden["digests"] if golden["format"] == FORMAT else {}
        golden = {"format": FORMAT, "digests": {key: got, **known}}  # what this format has stays
        GOLDEN.write_text(json.dumps(golden, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    assert (golden["format"], golden["digests"].get(key)) == (FORMAT, got), (
        f"The same inputs give other bytes than they used to (bytecode by Python {release_of(runtime)}). If that is "
        "meant, raise FORMAT in build/packaging/bytecode.py, so that every store makes everything anew, then write "
        "the new digests: SLIPWAY_WRITE_GOLDEN=1 invoke test --path tests/integration/test_inspection_golden.py"
    )


def test_a_fixed_tree_without_modules_has_its_golden_digest(tmp_path):
    require_golden("without modules", digests(tmp_path, HERE, modules=False), HERE)


@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_a_fixed_tree_with_bytecode_has_the_golden_digest_of_its_runtime(tmp_path, minor):
    runtime = Runtime(minor)
    try:
        interpreter_of(runtime)
    except ToolError as reason:
        pytest.skip(reason.summary)
    require_golden(f"{runtime}", digests(tmp_path, runtime, modules=True), runtime)

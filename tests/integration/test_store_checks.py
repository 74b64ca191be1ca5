"""What the checks know of an artifact that another machine made."""

import pytest

from build.checks import check
from build.locking.locks import read_locks
from build.packaging.assemble import build_workspace
from build.store.objects import Store
from build.store.sharing import Sharing
from tests.builders import function_spec, lock_line, make_wheel, make_workspace, write_files
from tests.unit.test_store_sharing import MemoryBucket

pytestmark = pytest.mark.slow

# An ELF header of a shared object for AArch64 (e_machine 183), and nothing else.
FOREIGN = (
    b"\x7fELF\x02\x01\x01"
    + bytes(9)
    + b"\x03\x00\xb7\x00\x01\x00\x00\x00"
    + bytes(24)
    + b"\x00\x00\x00\x00"
    + (b"\x40\x00\x38\x00\x00\x00\x40\x00\x00\x00\x00\x00")
)


def test_compiled_code_is_judged_where_only_the_artifact_arrived(tmp_path, package_index):
    tag = "cp313-cp313-manylinux2014_x86_64"
    wheel = make_wheel(package_index, "native", files={"native/__init__.py": "", "native/x.so": FOREIGN}, tag=tag)
    files = {"src/app.py": "def handler(event, context): ...\n", "requirements.txt": lock_line(wheel)}
    write_files(tmp_path / "functions" / "orders", files)
    bucket, found = MemoryBucket(), {}
    for env in ("dev", "prod"):  # another env is judged anew
        workspace = make_workspace(tmp_path, functions=(function_spec(tmp_path / "functions" / "orders"),), env=env)
        sharing = Sharing(bucket, "s3://team", say=print, warn=print)
        store = Store(tmp_path / env, sharing)
        built = build_workspace(workspace, read_locks(workspace), store, on_progress=print)
        found[env] = [finding.rule for finding in check(workspace, built, store)]
        sharing.close()
    assert not list((tmp_path / "prod").glob("wheels/*/*"))
    assert found == {"dev": ["compiled-code"], "prod": ["compiled-code"]}

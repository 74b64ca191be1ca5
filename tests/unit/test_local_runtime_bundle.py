import pytest

from build.local import runtime_bundle
from build.locking.locks import selected
from build.locking.requirements import parse_lock
from build.model import Architecture, Target
from build.project.profiles import BUNDLED, RUNTIMES


@pytest.mark.parametrize("runtime", RUNTIMES, ids=str)
def test_the_lock_has_what_lambda_brings(runtime):
    parsed = parse_lock(runtime_bundle.LOCK.read_text("utf-8"))
    assert parsed.problems == ()
    names = {pin.name for pin in selected(parsed.pins, Target(runtime, Architecture.ARM64))}
    assert names == BUNDLED


def test_it_is_started_by_what_the_repository_has_now(tmp_path):
    runtime_bundle._with_bootstrap.cache_clear()
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "bootstrap.py").write_text("an older one")
    folder = runtime_bundle._with_bootstrap(tmp_path / "bundle")
    for name in ("bootstrap.py", "runtime_client.py"):
        assert (folder / name).read_bytes() == (runtime_bundle.LOCK.parent / name).read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]

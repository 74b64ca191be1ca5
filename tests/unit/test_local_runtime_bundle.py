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

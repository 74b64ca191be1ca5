"""A review of real zips whose handlers are imported for real, as `plan` makes it."""

import pytest

from build.local import runtime_bundle
from build.project.profiles import host_architecture
from tests.builders import PY313
from tests.checkout import ROOT
from tests.reviewing import Shop

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path):
    runtime_bundle.ensure(ROOT, PY313)
    (tmp_path / ".artifacts/local").mkdir(parents=True)
    (tmp_path / ".artifacts/local/runtime").symlink_to(ROOT / ".artifacts/local/runtime")
    return Shop(tmp_path, host_architecture())


def test_a_dependency_that_takes_longer_is_seen_in_the_review(shop):
    handler = "import dep\n\n\ndef handler(event, context): ...\n"
    wheels = [shop.wheel("dep", files={"dep.py": "NAME = 1\n"})]
    for name in ("f", "same", "broken"):
        shop.function({"app.py": handler}, name=name, wheels=wheels)
    shop.release()
    shop.function({"app.py": handler.replace("import dep", "import nowhere")}, name="broken", wheels=wheels)
    wheels = [shop.wheel("dep", files={"dep.py": "import time\n\ntime.sleep(0.4)\n"})]
    shop.function({"app.py": handler}, name="f", wheels=wheels)
    broken, f = shop.review().functions
    assert (broken.name, f.name) == ("broken", "f")
    assert broken.import_time
    assert broken.import_time.text == "import not measured: the new code fails with ModuleNotFoundError (nowhere)"
    assert f.import_time
    assert f.import_time.after_s - f.import_time.before_s == pytest.approx(0.4, abs=0.1)
    assert f.import_time.differs

"""`invoke --profile`: real workers that are looked into, and the verb."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import ToolError
from build.local import memory
from build.local.deployment import Deployment
from build.local.execution import Pool
from build.model import Runtime
from build.profiling.frames import Ground, Origin
from build.profiling.measuring import measure
from build.project.interpreters import interpreter_of
from tests.checkout import ROOT, make_checkout

pytestmark = pytest.mark.slow

APP = """
import json, os, sys, time
import shop.prices

print("imported")

def handler(event, context):
    import argparse
    if event.get("raise"):
        raise ValueError("on purpose")
    if event.get("exit"):
        os._exit(3)
    total = sum(price(number) for number in range(50))
    time.sleep(0.05)
    return {
        "path": sys.path,
        "argv": sys.argv,
        "modules": [name for name in ("bootstrap", "profiled", "debugpy") if name in sys.modules],
        "environ": {name: os.environ[name] for name in sorted(os.environ) if name not in VARYING},
        "left_ms": context.get_remaining_time_in_millis(),
    }

def price(number):
    return len(json.dumps(number))

VARYING = {"AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "HOME", "TMPDIR", "_X_AMZN_TRACE_ID"}
"""
GROUND = Ground(
    own=frozenset({"/var/task/app.py", "/var/task/shop/prices.py"}),
    brought=frozenset({"app", "shop"}),
    runtime=frozenset({"awslambdaric", "simplejson"}),
    folders={},
)


@pytest.fixture
def deployment(tmp_path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "shop" / "prices.py").write_text("import gettext\n")
    return Deployment(
        function_name="orders",
        version="7",
        runtime=Runtime(13),
        handler="app.handler",
        task_root=tmp_path,
        timeout_s=10,
        log_group="/aws/lambda/orders",
        region="us-east-1",
        account_id="123456789012",
    )


def profile(deployment, event=b"{}", ground=GROUND):
    return measure(deployment, event, ground, root=ROOT, endpoint="http://127.0.0.1:9")


def found(frame, name):
    """Yield every frame called ``name`` in a tree."""
    if frame.name == name:
        yield frame
    for each in frame.inside:
        yield from found(each, name)


@pytest.mark.parametrize("minor", [10, 11, 12, 13])
def test_imports_and_calls_are_told_on_every_python(deployment, minor):
    try:
        interpreter_of(Runtime(minor))
    except ToolError as why:
        pytest.skip(why.summary)
    measured = profile(replace(deployment, runtime=Runtime(minor)))
    (app,) = found(measured.started, "app")
    assert app.origin is Origin.OWN
    (prices,) = found(app, "shop.prices")
    assert "gettext" in {each.name for each in prices.inside}
    cold, warm = measured.called
    (lazy,) = found(cold, f"import of python3.{minor}/argparse")
    assert lazy.origin is Origin.PYTHON
    assert not [*found(warm, lazy.name)], "it is imported once"
    for call in (cold, warm):
        assert (call.name, call.calls) == ("handler", 1)
        prices_of = [*found(call, "price")]
        assert sum(each.calls for each in prices_of) == 50
        (sleeping,) = found(call, "time.sleep")
        assert 50_000 <= sleeping.total_us < 1_000_000
        assert sleeping.total_us <= call.total_us


def test_a_function_sees_nothing_of_being_looked_at(deployment, boxed):
    pool = Pool(deployment, root=ROOT, endpoint="http://127.0.0.1:9")
    try:
        plain = json.loads(pool.invoke(b"{}").payload)
    finally:
        pool.close()
    measured = profile(deployment)
    cold, warm = (json.loads(outcome.payload) for outcome in measured.outcomes)
    for seen in (cold, warm):
        assert seen.pop("left_ms") > 10_000, "but that it may take its time"
        for each in ("path", "environ"):
            assert seen[each] == plain[each]
        first = 0 if boxed else 1  # bare, the bootstrap is the repository's own
        assert seen["argv"][first:] == plain["argv"][first:]
        assert seen["modules"] == []
    assert "imported" in measured.log
    assert not [line for line in measured.log if "import time" in line or "slipway" in line]


def test_an_error_is_told_as_ever_and_the_call_all_the_same(deployment, shut_in):
    measured = profile(deployment, b'{"raise": 1}')
    told = json.loads(measured.outcomes[0].payload)
    assert told["errorMessage"] == "on purpose"
    assert [line.split(",")[0].strip() for line in told["stackTrace"]] == ['File "/var/task/app.py"']
    assert [call.name for call in measured.called] == ["handler", "handler"]


def test_a_function_that_ends_its_process_leaves_what_was_known_till_then(deployment):
    measured = profile(deployment, b'{"exit": 1}')
    assert len(measured.outcomes) == 1
    assert measured.called == ()
    assert [*found(measured.started, "app")]


def test_nothing_runs_on(deployment, boxed):
    before = set(memory.descendants(os.getpid()))
    profile(deployment)
    assert set(memory.descendants(os.getpid())) <= before


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    checkout.run("new", "orders")
    checkout.write(
        "layers/common/layer.toml",
        'description = "Common"\nruntimes = ["python3.13"]\narchitectures = ["x86_64", "arm64"]\n',
    )
    checkout.write("layers/common/src/shared.py", "def add(a, b):\n    return a + b\n")
    checkout.write(
        "functions/orders/src/app.py",
        "import shared\n\ndef handler(event, context):\n    print('seen')\n    return shared.add(event['a'], 1)\n",
    )
    checkout.write(
        "functions/orders/function.toml", 'description = "Adds"\nlayers = ["common"]\nhandler = "app.handler"\n'
    )
    checkout.write("functions/orders/events/default.json", '{"a": 1}')
    return checkout


def test_the_verb_answers_and_writes_a_page_without_any_cloud(checkout):
    done = checkout.run("invoke", "-f", "orders", "--profile")
    assert json.loads(done.stdout) == 2
    place = checkout.root / ".artifacts/reports/profile-orders.html"
    assert f"wrote {place}" in done.stderr
    assert done.stderr.splitlines().count("seen") == 2
    assert re.search(
        r"^cold start: imports [\d.]+ m?s, cold call [\d.]+ m?s, warm call [\d.]+ m?s$", done.stderr, re.MULTILINE
    )
    page = place.read_text("utf-8")
    assert "Warm call" in page
    assert "/opt/python/shared.py:1" in page
    assert page.count("your code · /opt/python/shared.py:1") == 2, "code of a layer of one's own is one's own"
    assert str(checkout.root) not in page


def test_a_failure_ends_the_verb_with_1_and_is_on_the_page(checkout):
    done = checkout.run("invoke", "-f", "orders", "--profile", "-e", "{}", code=1)
    assert json.loads(done.stdout)["errorType"] == "KeyError"
    assert "error: functions/orders failed on given" in done.stderr
    assert "Cold call" in (checkout.root / ".artifacts/reports/profile-orders.html").read_text("utf-8")


def test_an_image_is_looked_into_by_what_is_in_it(checkout):
    settings = checkout.root / "functions/orders/function.toml"
    before = settings.read_text("utf-8")
    settings.write_text(f'{before}package = "image"\n', "utf-8")
    try:
        done = checkout.run("invoke", "-f", "orders", "--profile", "-e", '{"a": 5}')
    finally:
        settings.write_text(before, "utf-8")
    assert json.loads(done.stdout) == 6


def test_what_a_dockerfile_makes_is_refused(checkout):
    checkout.write("functions/made/Dockerfile", "FROM scratch\n")
    checkout.write("functions/made/src/app.py", "def handler(e, c): ...\n")
    checkout.write("functions/made/function.toml", 'description = "x"\npackage = "image"\nhandler = "app.handler"\n')
    done = checkout.run("invoke", "-f", "made", "--profile", code=2)
    assert "hint: run `invoke" in done.stderr
    assert not Path(checkout.root, ".artifacts/reports/profile-made.html").exists()

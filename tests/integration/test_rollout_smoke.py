"""A new version that does wrong, as its callers see it: the real Terraform, functions that run, CloudWatch's counts."""

import threading
import time
from collections import Counter
from functools import partial

import pytest

from build.local import cloud
from build.model import Env
from build.options import Shifting
from build.release.aws import Aws
from build.release.schedule import Move
from build.release.shifting import Shift
from build.release.watching import WentWrong
from build.results import DeployedFunction
from tests.aws import code_of
from tests.checkout import ROOT, make_checkout, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rollout-smoke")]

ORDERS = {"FunctionName": "slipway-local-orders", "Qualifier": "live"}
OLD, NEW = '{"status": "ok", "total": 1}', '{"status": "ok", "total": 4}'


class Caller:
    """Calls an alias again and again while it is entered; `seen` counts the answers."""

    def __init__(self, client, **whom):
        self._client = client
        self._whom = whom
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._call)
        self.seen: Counter[str] = Counter()

    def _call(self):
        while not self._over.is_set():
            answer = self._client.invoke(**self._whom, Payload=b"{}")
            payload = answer["Payload"].read().decode()
            self.seen["failed" if "FunctionError" in answer else payload] += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A function with a smoke event, deployed. The tests of it tell one story: each starts where the last ended."""
    checkout = make_checkout(tmp_path_factory.mktemp("clone"))
    answers(checkout, OLD)
    checkout.write("functions/orders/function.toml", 'description = "Answers"\n')
    checkout.write("functions/orders/requirements.txt", "")
    checkout.write("functions/orders/events/smoke.json", '{"smoke": true}')
    checkout.write("functions/orders/events/smoke.answer.json", '{"status": "ok"}')
    checkout.run("deploy")
    yield checkout
    checkout.close()


def answers(checkout, answer):
    checkout.write("functions/orders/src/app.py", f"def handler(event, context):\n    return {answer}\n")


def test_a_smoke_event_that_is_no_json_stops_a_deploy_before_it_begins(shop):
    shop.write("functions/orders/events/smoke.answer.json", "{'status': 'ok'}")
    refused = shop.run("deploy", code=2)
    assert "functions/orders/events/smoke.answer.json: expected JSON" in refused.stderr
    shop.write("functions/orders/events/smoke.answer.json", '{"status": "ok"}')


def test_nobody_meets_a_version_that_fails_its_smoke_event(shop):
    answers(shop, '{"status": "down", "total": 2}')
    with Caller(shop.client("lambda"), **ORDERS) as caller:
        refused = shop.run("deploy", code=7)
    assert 'orders, version 2, smoke.json: status: expected "ok", got "down"' in refused.stderr
    assert "orders:live stayed at version 1: nobody came to 2" in refused.stderr
    assert caller.seen.keys() == {OLD}
    assert caller.seen.total() > 10


def test_a_version_that_raises_is_told_with_its_log(shop):
    app = "def handler(event, context):\n    print('opening')\n    raise ValueError('no table')\n"
    shop.write("functions/orders/src/app.py", app)
    refused = shop.run("deploy", code=7)
    assert "orders, version 3, smoke.json: expected an answer, got Unhandled" in refused.stderr
    assert "its log: opening" in refused.stderr


def test_a_good_version_gets_everybody_without_an_error(shop):
    answers(shop, NEW)
    with Caller(shop.client("lambda"), **ORDERS) as caller:
        done = shop.run("deploy")
        wait_for(lambda: caller.seen[NEW])
    assert "orders:live: asking smoke.json" in done.stderr
    assert caller.seen.keys() == {OLD, NEW}


class Hurried:
    """A clock that goes a hundred times as fast as the real one, but for the time of day."""

    FACTOR = 100

    @classmethod
    def monotonic(cls):
        return time.monotonic() * cls.FACTOR

    @classmethod
    def sleep(cls, seconds):
        time.sleep(seconds / cls.FACTOR)

    @staticmethod
    def time():
        return time.time()


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """A cloud of its own, which shares the runtimes' distributions with this checkout."""
    root = tmp_path_factory.mktemp("cloud")
    shared = ROOT / ".artifacts" / "local" / "runtime"
    shared.mkdir(parents=True, exist_ok=True)
    (root / ".artifacts" / "local").mkdir(parents=True)
    (root / ".artifacts" / "local" / "runtime").symlink_to(shared)
    env = Env(name="local", region="us-east-1", account_id="123456789012", artifact_bucket="artifacts")
    running, _ = cloud.ensure(root)
    yield Aws(env=env, environ=cloud.environ(running, env))
    cloud.stop(root)


@pytest.mark.parametrize(
    ("name", "answer", "fails"), [("good", "2", False), ("bad", "1 / 0", True)], ids=["good", "fails for callers"]
)
def test_a_canary_without_alarms_is_judged_by_its_errors(aws, name, answer, fails):
    lambda_ = aws.client("lambda")
    move = moved(aws, f"shop-{name}", answer)
    shift = Shift(
        env="dev",
        functions=lambda_,
        invoker=aws.invoker,
        cloudwatch=partial(aws.client, "cloudwatch"),
        codedeploy=partial(aws.client, "codedeploy"),
        on_progress=print,
        clock=Hurried(),
    )
    with Caller(lambda_, FunctionName=f"shop-{name}", Qualifier="live") as caller:
        wait_for(lambda: caller.seen["1"])
        if fails:
            with pytest.raises(WentWrong, match="failed more often"):
                shift.run([move])
            caller.seen.clear()
            wait_for(lambda: caller.seen["1"] > 20)
            assert caller.seen.keys() <= {"1", "failed"}
            assert caller.seen["failed"] <= 1, "asked before everybody was back"
        else:
            shift.run([move])
            assert caller.seen.keys() == {"1", "2"}
    at = lambda_.get_alias(FunctionName=f"shop-{name}", Name="live")["FunctionVersion"]
    assert at == ("1" if fails else "2")


def moved(aws, function_name, answer):
    """Make a function whose second version gives ``answer``, and return the way to it."""
    lambda_ = aws.client("lambda")
    role = aws.client("iam").create_role(RoleName=function_name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    lambda_.create_function(
        FunctionName=function_name,
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": code_of("1")},
        Publish=True,
    )
    alias = lambda_.create_alias(FunctionName=function_name, Name="live", FunctionVersion="1")
    lambda_.update_function_code(FunctionName=function_name, ZipFile=code_of(answer), Publish=True)
    function = DeployedFunction(
        name="orders", function_name=function_name, arn="", version="2", log_group="", queue_urls={}
    )
    canary = Shifting(strategy="canary", percent=30, minutes=5, watch_minutes=1)
    return Move(function=function, before="1", after="2", revision=alias["RevisionId"], shifting=canary, alarms=())

"""Shifting callers, against moto: time passes when somebody waits, and no faster."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from moto import mock_aws

from build.errors import AwsError
from build.local import alias_mends, lambda_mends, mends
from build.options import Shifting
from build.release.shifting import EVERYBODY, Alarmed, Move, Shift, end_of, steps_of
from build.results import DeployedFunction
from tests.aws import client_of, create_alarm, create_function, set_alarm

CANARY = Shifting(strategy="canary", watch_minutes=10)


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # All of them would import half of moto.
    monkeypatch.setattr(mends, "MENDS", [lambda_mends.never_reuse_version_numbers, alias_mends.revise_aliases])
    with mock_aws(config={"lambda": {"use_docker": False}}), mends.installed():
        for name in ("orders", "stock"):
            create_function(f"shop-{name}", versions=2)
            create_alarm(f"shop-{name}-errors")
        yield


@dataclass
class Clock:
    """Does what is planned for a moment when it comes."""

    plan: dict[float, Callable[[], None]] = field(default_factory=dict)
    now: float = 1000.0
    seen: list[tuple[float, object]] = field(default_factory=list)

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds
        for at in sorted(at for at in self.plan if at <= self.now - 1000):
            self.plan.pop(at)()
        self.seen.append((self.now - 1000, share("orders")))


def alias(name):
    return client_of("lambda").get_alias(FunctionName=f"shop-{name}", Name="live")


def share(name):
    """Where callers are: a version, or a pair of versions and the share of the second."""
    found = alias(name)
    weights = found.get("RoutingConfig", {}).get("AdditionalVersionWeights")
    if not weights:
        return found["FunctionVersion"]
    ((version, weight),) = weights.items()
    return (found["FunctionVersion"], version, weight)


def move(name, shifting):
    function = DeployedFunction(
        name=name, function_name=f"shop-{name}", arn="", version="2", log_group="", queue_urls={}
    )
    return Move(
        function=function,
        before="1",
        after="2",
        revision=alias(name)["RevisionId"],
        shifting=shifting,
        alarms=(f"shop-{name}-errors",),
    )


def shift(*moves, clock=None, said=None):
    way = Shift(
        env="dev",
        functions=client_of("lambda"),
        alarms=lambda: client_of("cloudwatch"),
        on_progress=said.append if said is not None else print,
        clock=clock or Clock(),
    )
    way.run(moves)


@pytest.mark.parametrize(
    ("shifting", "steps", "end_s"),
    [
        (Shifting(), [(0, EVERYBODY)], 0),
        (Shifting(watch_minutes=3), [(0, EVERYBODY)], 180),
        (Shifting(strategy="canary"), [(0, 10), (300, EVERYBODY)], 300),
        (Shifting(strategy="canary", percent=25, minutes=1, watch_minutes=2), [(0, 25), (60, EVERYBODY)], 180),
        (Shifting(strategy="linear", percent=40), [(0, 40), (60, 80), (120, EVERYBODY)], 120),
        (Shifting(strategy="linear", percent=50, minutes=2), [(0, 50), (120, EVERYBODY)], 120),
    ],
)
def test_a_strategy_is_steps_in_time(shifting, steps, end_s):
    assert [(step.at_s, step.percent) for step in steps_of(shifting)] == steps
    assert end_of(shifting) == end_s


def test_everybody_comes_at_once_without_a_look_at_alarms(capsys):
    set_alarm("shop-orders-errors", "ALARM")
    clock = Clock()
    shift(move("orders", Shifting()), clock=clock)
    assert (share("orders"), clock.seen) == ("2", [])


def test_a_canary_gets_its_share_first_and_everybody_follows():
    clock = Clock()
    shift(move("orders", CANARY), clock=clock)
    assert share("orders") == "2"
    assert {where for at, where in clock.seen if at <= 300} == {("1", "2", 0.1)}
    assert {where for at, where in clock.seen if at > 310} == {"2"}
    assert clock.now == 1000 + 300 + 600


def test_an_alarm_gives_the_canarys_callers_the_old_version_again():
    clock = Clock({120: lambda: set_alarm("shop-orders-errors", "ALARM")})
    with pytest.raises(Alarmed) as caught:
        shift(move("orders", CANARY), clock=clock)
    assert caught.value.names == ("shop-orders-errors",)
    assert share("orders") == "1"
    assert clock.now <= 1000 + 130


def test_an_alarm_after_everybody_has_come_takes_all_back():
    clock = Clock({400: lambda: set_alarm("shop-orders-errors", "ALARM")})
    with pytest.raises(Alarmed):
        shift(move("orders", CANARY), clock=clock)
    assert ((400, "2") in clock.seen, share("orders")) == (True, "1")


def test_the_alarm_of_one_function_takes_all_of_them_back():
    clock = Clock({30: lambda: set_alarm("shop-stock-errors", "ALARM")})
    with pytest.raises(Alarmed):
        shift(move("orders", CANARY), move("stock", Shifting()), clock=clock)
    assert (share("orders"), share("stock")) == ("1", "1")


def test_an_alarm_that_was_off_before_does_not_count_and_is_told():
    set_alarm("shop-orders-errors", "ALARM")
    said: list[str] = []
    shift(move("orders", CANARY), said=said)
    assert share("orders") == "2"
    assert "shop-orders-errors was off before: it says nothing of this roll-out" in said


def test_an_interruption_takes_all_back():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shift(move("orders", CANARY), clock=Clock({100: interrupted}))
    assert share("orders") == "1"


def test_an_alias_that_somebody_else_moves_meanwhile_is_theirs_and_the_others_go_back():
    functions = client_of("lambda")

    def meddle():
        halves = {"AdditionalVersionWeights": {"1": 0.5}}
        functions.update_alias(FunctionName="shop-orders", Name="live", FunctionVersion="2", RoutingConfig=halves)

    with pytest.raises(AwsError, match="undone but for what AWS refused") as caught:
        shift(move("orders", CANARY), move("stock", CANARY), clock=Clock({100: meddle}))
    assert caught.value.facts == ("orders:live: somebody else moved it to version 2",)
    assert (share("orders"), share("stock")) == (("2", "1", 0.5), "1")


def test_a_refusal_of_the_first_step_moves_nobody():
    functions = client_of("lambda")
    moves = (move("orders", CANARY), move("stock", CANARY))
    functions.delete_alias(FunctionName="shop-stock", Name="live")
    with pytest.raises(AwsError, match="undone but for what AWS refused") as caught:
        shift(*moves)
    assert caught.value.facts[0] == "stock:live: expected version 1"
    assert share("orders") == "1"


def test_a_step_whose_answer_is_cut_off_is_undone_as_well(monkeypatch):
    functions = client_of("lambda")
    update = functions.update_alias

    def cut_off(**asked):
        monkeypatch.setattr(functions, "update_alias", update)
        update(**asked)
        raise KeyboardInterrupt

    one = move("orders", CANARY)
    monkeypatch.setattr(functions, "update_alias", cut_off)
    with pytest.raises(KeyboardInterrupt):
        shift(one)
    assert share("orders") == "1"

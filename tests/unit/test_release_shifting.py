"""Shifting callers, against moto: time passes when somebody waits, and no faster."""

import base64
import io
import json
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import pytest
from moto import mock_aws

from build.errors import AwsError
from build.local import alias_mends, lambda_mends, mends
from build.local.function_names import FunctionName
from build.local.metrics import Metrics, shown
from build.options import Shifting
from build.release.schedule import Move, Smoke
from build.release.shifting import Shift
from build.release.watching import WentWrong
from build.results import DeployedFunction
from tests.aws import client_of, create_alarm, create_function, set_alarm

CANARY = Shifting(strategy="canary", watch_minutes=10)
BRIEF = Shifting(strategy="canary", minutes=1, watch_minutes=1)
BEGAN = datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC).timestamp()
METRICS = Metrics()


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # All of them would import half of moto.
    monkeypatch.setattr(mends, "MENDS", [lambda_mends.never_reuse_version_numbers, alias_mends.revise_aliases])
    monkeypatch.setattr(METRICS, "_minutes", {})
    with mock_aws(config={"lambda": {"use_docker": False}}), mends.installed(), shown(METRICS):
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

    def time(self):
        return BEGAN + self.now - 1000

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


def move(name, shifting, *, alarms=None, smoke=None):
    function = DeployedFunction(
        name=name, function_name=f"shop-{name}", arn="", version="2", log_group="", queue_urls={}
    )
    return Move(
        function=function,
        before="1",
        after="2",
        revision=alias(name)["RevisionId"],
        shifting=shifting,
        alarms=(f"shop-{name}-errors",) if alarms is None else alarms,
        smoke=smoke,
    )


def shift(*moves, clock=None, said=None, invoker=None):
    way = Shift(
        env="dev",
        functions=client_of("lambda"),
        invoker=lambda: invoker or pytest.fail("there was nothing to ask"),
        cloudwatch=partial(client_of, "cloudwatch"),
        codedeploy=lambda: pytest.fail("nothing was handed over"),
        on_progress=said.append if said is not None else print,
        clock=clock or Clock(),
    )
    way.run(moves)


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
    with pytest.raises(WentWrong) as caught:
        shift(move("orders", CANARY), clock=clock)
    assert caught.value.facts == ("shop-orders-errors",)
    assert share("orders") == "1"
    assert clock.now <= 1000 + 130


def test_an_alarm_after_everybody_has_come_takes_all_back():
    clock = Clock({400: lambda: set_alarm("shop-orders-errors", "ALARM")})
    with pytest.raises(WentWrong):
        shift(move("orders", CANARY), clock=clock)
    assert ((400, "2") in clock.seen, share("orders")) == (True, "1")


def test_the_alarm_of_one_function_takes_all_of_them_back():
    clock = Clock({30: lambda: set_alarm("shop-stock-errors", "ALARM")})
    with pytest.raises(WentWrong):
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


class TestSmokeEvents:
    """What is asked is in `asked`, as pairs of whom and where all callers were just then."""

    SMOKE = Smoke(event=b'{"id": 1}', answer=b'{"total": 3}')
    GOOD = b'{"total": 3, "currency": "EUR"}'

    def invoker(self, answers=None, *, errors=(), meanwhile=lambda _: None, stale=0):
        """A client of Lambda whose functions answer by function and version; ``stale`` answers are those of before."""
        self.asked: list[tuple[str, object]] = []
        lock, left = threading.Lock(), [stale]

        class Invoker:
            @staticmethod
            def invoke(*, FunctionName, Qualifier, Payload, LogType):  # noqa: N803
                meanwhile(Qualifier)
                with lock:
                    version = alias(FunctionName.removeprefix("shop-"))["FunctionVersion"]
                    self.asked.append((f"{FunctionName}:{Qualifier}", share("orders")))
                    if Qualifier != "live":
                        version = Qualifier
                    elif left[0]:
                        left[0] -= 1
                        version = "1"
                assert (json.loads(Payload), LogType) == ({"id": 1}, "Tail")
                failed = (FunctionName, Qualifier) in errors
                payload = (answers or {}).get((FunctionName, Qualifier), self.GOOD)
                log = b"START RequestId: 1 Version: 2\nlooking\nboom\nEND RequestId: 1\nREPORT RequestId: 1\tDuration\n"
                return {
                    "Payload": io.BytesIO(b'{"errorMessage": "boom"}' if failed else payload),
                    "ExecutedVersion": version,
                    "ResponseMetadata": {"RequestId": "1"},
                    "LogResult": base64.b64encode(log).decode(),
                    **({"FunctionError": "Unhandled"} if failed else {}),
                }

        return Invoker()

    def test_a_new_version_is_asked_before_anybody_comes_and_the_alias_once_everybody_has(self):
        shift(move("orders", BRIEF, smoke=self.SMOKE), invoker=self.invoker())
        assert self.asked == [("shop-orders:2", "1"), ("shop-orders:live", "2")]
        assert share("orders") == "2"

    def test_a_wrong_answer_of_the_new_version_leaves_all_callers_where_they_are(self):
        invoker = self.invoker({("shop-orders", "2"): b'{"total": 4}'})
        clock, revision = Clock(), alias("orders")["RevisionId"]
        with pytest.raises(WentWrong) as caught:
            shift(move("orders", BRIEF, smoke=self.SMOKE), move("stock", BRIEF), invoker=invoker, clock=clock)
        assert caught.value.why == "smoke events got other answers than expected"
        assert caught.value.facts == (
            "orders, version 2, smoke.json: total: expected 3, got 4",
            "  its log: looking",
            "  its log: boom",
        )
        assert (caught.value.moved, caught.value.function) == ((), "orders")
        assert (alias("orders")["RevisionId"], share("stock"), clock.seen) == (revision, "1", [])

    def test_a_function_that_fails_is_told_with_what_it_said(self):
        invoker = self.invoker(errors={("shop-orders", "2")})
        with pytest.raises(WentWrong) as caught:
            shift(move("orders", BRIEF, smoke=Smoke(event=b'{"id": 1}', answer=None)), invoker=invoker)
        expected = 'orders, version 2, smoke.json: expected an answer, got Unhandled: {"errorMessage": "boom"}'
        assert caught.value.facts[0] == expected

    def test_without_an_expected_answer_any_will_do(self):
        invoker = self.invoker({("shop-orders", "2"): b"null", ("shop-orders", "live"): b"[]"})
        shift(move("orders", Shifting(), smoke=Smoke(event=b'{"id": 1}', answer=None)), invoker=invoker)
        assert share("orders") == "2"

    def test_all_new_versions_that_answer_wrongly_are_told_at_once(self):
        invoker = self.invoker({("shop-orders", "2"): b"{}", ("shop-stock", "2"): b"{}"})
        moves = [move(name, Shifting(), smoke=self.SMOKE) for name in ("orders", "stock")]
        with pytest.raises(WentWrong) as caught:
            shift(*moves, invoker=invoker)
        told = [fact for fact in caught.value.facts if not fact.startswith(" ")]
        assert told == [
            f"{name}, version 2, smoke.json: total: expected 3, got nothing" for name in ("orders", "stock")
        ]

    def test_new_versions_are_asked_side_by_side(self):
        both = threading.Barrier(2, timeout=20)
        invoker = self.invoker(meanwhile=lambda qualifier: both.wait() if qualifier == "2" else None)
        shift(*(move(name, Shifting(), smoke=self.SMOKE) for name in ("orders", "stock")), invoker=invoker)
        assert (share("orders"), share("stock")) == ("2", "2")

    def test_an_alias_that_answers_wrongly_takes_everybody_back(self):
        invoker = self.invoker({("shop-orders", "live"): b'{"total": null}'})
        one = move("orders", Shifting(), smoke=self.SMOKE)
        with pytest.raises(WentWrong) as caught:
            shift(one, invoker=invoker)
        assert caught.value.facts[0] == "orders:live, smoke.json: total: expected 3, got null"
        assert (share("orders"), caught.value.moved) == ("1", (one,))

    def test_an_alias_that_leads_to_the_old_version_for_a_while_is_asked_again(self):
        clock = Clock()
        shift(move("orders", Shifting(), smoke=self.SMOKE), invoker=self.invoker(stale=3), clock=clock)
        assert (share("orders"), clock.now) == ("2", 1003)

    def test_an_alias_that_never_leads_to_the_new_version_takes_everybody_back(self):
        with pytest.raises(WentWrong) as caught:
            shift(move("orders", Shifting(), smoke=self.SMOKE), invoker=self.invoker(stale=1000))
        assert "expected version 2 to answer, got version 1 after 30 s" in caught.value.facts[0]
        assert share("orders") == "1"

    def test_ctrl_c_while_an_alias_answers_takes_everybody_back_without_waiting_for_it(self):
        answered = threading.Event()

        def interrupt_then_wait(qualifier):
            if qualifier == "live":
                signal_main()
                answered.wait(20)

        began = time.monotonic()
        try:
            with pytest.raises(KeyboardInterrupt):
                shift(move("orders", Shifting(), smoke=self.SMOKE), invoker=self.invoker(meanwhile=interrupt_then_wait))
            assert share("orders") == "1"
            assert time.monotonic() - began < 15
        finally:
            answered.set()

    def test_what_lambda_refuses_while_asking_takes_everybody_back(self):
        def refuse(qualifier):
            if qualifier == "live":
                client_of("lambda").get_function(FunctionName="gone")

        with pytest.raises(AwsError, match="invoking shop-orders:live failed"):
            shift(move("orders", Shifting(), smoke=self.SMOKE), invoker=self.invoker(meanwhile=refuse))
        assert share("orders") == "1"

    def test_why_it_was_undone_is_told_even_if_that_did_not_succeed(self, monkeypatch):
        functions = client_of("lambda")

        def gone(qualifier):
            if qualifier == "live":
                functions.delete_alias(FunctionName="shop-stock", Name="live")

        moves = [move(name, Shifting(), smoke=self.SMOKE if name == "orders" else None) for name in ("orders", "stock")]
        invoker = self.invoker({("shop-orders", "live"): b"{}"}, meanwhile=gone)
        with pytest.raises(AwsError, match="undone but for what AWS refused") as caught:
            shift(*moves, invoker=invoker)
        assert caught.value.facts[0] == "stock:live: expected version 1"
        assert "it was undone because smoke events got other answers than expected" in caught.value.facts
        assert share("orders") == "1"


def signal_main():
    main = threading.main_thread().ident
    assert main
    signal.pthread_kill(main, signal.SIGINT)


class TestLevels:
    AFTER = Shifting(after=("orders",))

    def test_a_function_begins_once_everybody_has_come_to_the_one_before_and_its_watch_is_over(self):
        clock = Clock()
        seen = []
        for at in (50, 110, 130):
            clock.plan[at] = partial(lambda at: seen.append((at, share("orders"), share("stock"))), at)
        later = Shifting(strategy="canary", minutes=1, after=("orders",))
        shift(move("stock", later), move("orders", BRIEF), clock=clock)
        assert seen == [(50, ("1", "2", 0.1), "1"), (110, "2", "1"), (130, "2", ("1", "2", 0.1))]
        assert (share("stock"), clock.now) == ("2", 1000 + 120 + 60)

    def test_a_function_waits_for_none_that_does_not_move(self):
        clock = Clock()
        shift(move("stock", Shifting(after=("orders",))), clock=clock)
        assert (share("orders"), share("stock"), clock.now) == ("1", "2", 1000)

    def test_a_failure_of_the_later_function_takes_the_earlier_one_back_too_the_later_first(self):
        said: list[str] = []
        clock = Clock({140: lambda: set_alarm("shop-stock-errors", "ALARM")})
        moves = move("orders", BRIEF), move("stock", Shifting(after=("orders",), watch_minutes=1))
        with pytest.raises(WentWrong) as caught:
            shift(*moves, clock=clock, said=said)
        assert (share("orders"), share("stock"), caught.value.function) == ("1", "1", "stock")
        assert said[-2:] == [f"{name}:live: everybody back to version 1" for name in ("stock", "orders")]

    def test_an_alarm_of_the_earlier_function_counts_until_the_later_one_is_done(self):
        clock = Clock({140: lambda: set_alarm("shop-orders-errors", "ALARM")})
        with pytest.raises(WentWrong):
            shift(move("orders", BRIEF), move("stock", Shifting(after=("orders",), watch_minutes=1)), clock=clock)
        assert (share("orders"), share("stock")) == ("1", "1")

    def test_the_later_function_is_not_asked_before_it_begins_and_its_wrong_answer_takes_all_back(self):
        smokes = TestSmokeEvents()
        invoker = smokes.invoker({("shop-stock", "2"): b"{}"})
        moves = (
            move("orders", Shifting(), smoke=smokes.SMOKE),
            move("stock", Shifting(after=("orders",)), smoke=smokes.SMOKE),
        )
        with pytest.raises(WentWrong) as caught:
            shift(*moves, invoker=invoker)
        assert smokes.asked == [("shop-orders:2", "1"), ("shop-orders:live", "2"), ("shop-stock:2", "2")]
        assert (share("orders"), share("stock"), caught.value.moved) == ("1", "1", moves[:1])


class TestErrorsWithoutAlarms:
    """The functions of these tests have no alarms."""

    @staticmethod
    def called(clock, version, count, *, errors=0, name="orders", alias="live"):
        function = FunctionName(name=f"shop-{name}", qualifier=alias, region="us-east-1", account_id="123456789012")
        METRICS._now = clock.time
        for number in range(count):
            METRICS.invoked(function, version, failed=number < errors, duration_ms=1)

    def canary(self, *plan, shifting=BRIEF, said=None):
        """Shift with what is called when; each of ``plan`` is seconds, version, invokes and errors."""
        clock = Clock()
        for at, version, count, errors in plan:
            clock.plan[at] = partial(self.called, clock, version, count, errors=errors)
        shift(move("orders", shifting, alarms=()), clock=clock, said=said)
        return clock

    def test_a_new_version_that_fails_more_often_than_the_old_one_goes_back(self):
        with pytest.raises(WentWrong) as caught:
            self.canary((50, "1", 400, 4), (60.5, "2", 50, 1))
        assert caught.value.why == "new versions failed more often than the old ones"
        assert caught.value.facts == (
            "orders:live: version 2 failed on 1 of 50 invokes (2.0 %), version 1 failed on 4 of 400 invokes (1.0 %)",
        )
        assert share("orders") == "1"

    @pytest.mark.parametrize(
        "plan",
        [
            [],
            [(50, "1", 400, 0), (60, "2", 100, 1)],
            [(50, "1", 400, 40), (60, "2", 100, 10)],
            [(50, "1", 400, 40)],
        ],
        ids=["nobody calls", "one in a hundred", "as often as the old one", "only the old one fails"],
    )
    def test_what_fails_no_more_than_before_or_hardly_ever_stays(self, plan):
        self.canary(*plan)
        assert share("orders") == "2"

    def test_errors_before_the_roll_out_and_those_of_other_callers_do_not_count(self):
        clock = Clock()
        self.called(clock, "2", 100, errors=100, alias="2")
        self.called(clock, "2", 100, errors=100, alias="beta")
        self.called(clock, "2", 100, errors=100, name="stock")
        clock.now -= 120
        self.called(clock, "2", 100, errors=100)
        clock.now += 120
        shift(move("orders", BRIEF, alarms=()), clock=clock)
        assert share("orders") == "2"

    def test_at_once_without_a_watch_is_over_before_anybody_could_look(self):
        assert self.canary(shifting=Shifting()).now == 1000

    def test_functions_with_alarms_and_those_without_are_watched_together(self):
        said: list[str] = []
        clock = Clock()
        clock.plan[70] = partial(self.called, clock, "2", 10, errors=10)
        with pytest.raises(WentWrong):
            shift(move("orders", BRIEF, alarms=()), move("stock", BRIEF), clock=clock, said=said)
        assert "watching 1 alarms and the errors of 1 functions without alarms for 1 min more" in said
        assert (share("orders"), share("stock")) == ("1", "1")

    def test_what_cloudwatch_refuses_takes_everybody_back(self, monkeypatch):
        cloudwatch = client_of("cloudwatch")
        monkeypatch.setattr(cloudwatch, "get_paginator", lambda _: client_of("lambda").get_function(FunctionName="x"))
        with pytest.raises(AwsError, match="looking at errors failed"):
            self.canary()
        assert share("orders") == "1"

from dataclasses import replace

import pytest

from build.http import Authorizer, HttpApi, HttpTrigger, LoadBalancerTrigger
from build.options import Asynchronous, Options, Shifting
from build.project.conflicts import conflicts
from build.triggers import (
    BucketTrigger,
    EventTrigger,
    QueueTrigger,
    ScheduleTrigger,
    StreamTrigger,
    TopicTrigger,
    Triggers,
)
from tests.builders import function_spec, make_workspace

BUCKET = "arn:aws:s3:::photos"
LISTENER = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener/app/shop/1/2"


@pytest.fixture
def found(tmp_path):
    def run(functions, *, stacks=None, options=None, http_api=None):
        """Return the lines about functions that are given as a name and its triggers."""
        specs = [
            replace(
                function_spec(tmp_path / "functions" / name),
                triggers=Triggers(**triggers),
                options=(options or {}).get(name, Options(stack=(stacks or {}).get(name))),
            )
            for name, triggers in functions.items()
        ]
        workspace = make_workspace(tmp_path, functions=tuple(specs))
        return list(conflicts(replace(workspace, http_api=http_api or HttpApi())))

    return run


def routes(*keys, **settings):
    return {"http": tuple(HttpTrigger(route=key, **settings) for key in keys)}


def queues(*names):
    return {"queue": tuple(QueueTrigger(name=name) for name in names)}


@pytest.mark.parametrize(
    ("first", "second"),
    [("POST /orders", "POST /orders"), ("GET /orders/{id}", "GET /orders/{order}"), ("$default", "$default")],
)
def test_a_route_belongs_to_one_function(found, first, second):
    taken = f"functions/b/function.toml: triggers.http: `{second}` is taken by `{first}` of functions/a"
    assert found({"a": routes(first), "b": routes(second)}) == [taken]


def test_routes_that_differ_in_method_path_or_greed_are_different(found):
    keys = ["GET /a", "POST /a", "GET /b", "GET /a/{x}", "GET /a/{x+}", "$default"]
    assert found({f"f{number}": routes(key) for number, key in enumerate(keys)}) == []


def test_two_stacks_may_have_one_route_since_each_has_an_api(found):
    assert found({"a": routes("GET /"), "b": routes("GET /")}, stacks={"b": "beta"}) == []


class TestAuthorizers:
    API = HttpApi(
        authorizers={
            "staff": Authorizer(issuer="https://login.example.com/", audience=("shop",)),
            "partners": Authorizer(function="door"),
        }
    )

    def test_of_the_env_may_be_asked_by_any_route(self, found):
        functions = {"door": {}, "a": routes("GET /", authorizer="staff", scopes=("read",))}
        functions["b"] = routes("GET /b", authorizer="partners")
        functions["c"] = routes("GET /c", authorizer="iam")
        assert found(functions, http_api=self.API) == []

    def test_that_the_env_does_not_have_are_told_with_those_it_has(self, found):
        (line,) = found({"door": {}, "a": routes("GET /", authorizer="staf")}, http_api=self.API)
        assert line == (
            "functions/a/function.toml: triggers.http `GET /`: authorizer: expected one of iam, staff, partners, "
            "got staf; did you mean `staff`?"
        )

    def test_that_ask_a_function_read_no_scopes(self, found):
        (line,) = found({"door": {}, "a": routes("GET /", authorizer="partners", scopes=("x",))}, http_api=self.API)
        assert line.endswith("scopes: expected an authorizer that reads tokens, got partners, which asks a function")

    def test_that_ask_a_function_need_its_folder(self, found):
        (line,) = found({"doro": {}}, http_api=self.API)
        assert line == (
            "slipway.toml: http_api.authorizers.partners.function: expected a folder under functions/, got `door`; "
            "did you mean `doro`?"
        )

    def test_that_ask_a_function_are_of_its_stack(self, found):
        functions = {"door": {}, "a": routes("GET /", authorizer="partners"), "b": routes("GET /b")}
        (line,) = found(functions, stacks={"a": "beta", "b": "beta"}, http_api=self.API)
        assert line == (
            "functions/a/function.toml: triggers.http `GET /`: authorizer: expected one whose function is of the same "
            "stack, `beta`, got partners, whose functions/door is of the env's own"
        )

    def test_are_not_called_like_that_of_iam(self, found):
        api = HttpApi(authorizers={"iam": self.API.authorizers["staff"]})
        (line,) = found({}, http_api=api)
        assert line.startswith("slipway.toml: http_api.authorizers.iam: expected another name, got iam, which")


class TestNames:
    @pytest.mark.parametrize(
        ("functions", "place", "owner"),
        [
            (
                {"a": queues("b-q"), "a-b": queues("q")},
                "functions/a-b/function.toml: triggers.queue `q`: the AWS name of the queue",
                "queue of functions/a: triggers.queue `b-q`, got …-a-b-q",
            ),
            (
                {"a": queues("q", "q-dead-letter")},
                "functions/a/function.toml: triggers.queue `q`: the AWS name of the dead-letter queue",
                "queue of functions/a: triggers.queue `q-dead-letter`, got …-a-q-dead-letter",
            ),
            (
                {"a": queues("x") | {"event": (EventTrigger(name="x", pattern="{}"),)}},
                "functions/a/function.toml: triggers.event `x`: the AWS name of the dead-letter queue",
                "dead-letter queue of functions/a: triggers.queue `x`, got …-a-x-dead-letter",
            ),
            (
                {"a": {"topic": (TopicTrigger(name="b-t"),)}, "a-b": {"topic": (TopicTrigger(name="t"),)}},
                "functions/a-b/function.toml: triggers.topic `t`: the AWS name of the topic",
                "topic of functions/a: triggers.topic `b-t`, got …-a-b-t",
            ),
        ],
        ids=["two queues", "a queue and a dead-letter queue", "two dead-letter queues", "two topics"],
    )
    def test_are_not_given_twice(self, found, functions, place, owner):
        assert found(functions) == [f"{place}: expected another than that of the {owner}"]

    def test_of_a_queue_of_failures_are_not_given_twice_either(self, found):
        options = {"a": Options(asynchronous=Asynchronous(on_failure="queue"))}
        (line,) = found({"a": queues("failures")}, options=options)
        assert "asynchronous.on_failure: the AWS name of the queue of failures: expected another than" in line

    def test_of_different_services_may_be_the_same(self, found):
        event = EventTrigger(name="x", pattern="{}", dead_letter=False)
        schedule = ScheduleTrigger(name="x", expression="rate(1 hour)", dead_letter=False)
        stream = StreamTrigger(name="x", source="kinesis", on_failure="arn:aws:sqs:eu-central-1:123456789012:x")
        triggers = {"event": (event,), "schedule": (schedule,), "stream": (stream,), "topic": (TopicTrigger(name="x"),)}
        assert found({"a": triggers | queues("x")}) == []

    def test_of_what_exists_are_not_made(self, found):
        topic = TopicTrigger(name="t", arn="arn:aws:sns:eu-central-1:123456789012:prices")
        assert found({"a": {"topic": (TopicTrigger(name="b-t"),)}, "a-b": {"topic": (topic,)}}) == []

    def test_of_a_fifo_queue_are_its_own(self, found):
        assert found({"a": {"queue": (QueueTrigger(name="b-q", fifo=True),)}, "a-b": queues("q")}) == []


class TestBuckets:
    def bucket(self, name, **settings):
        return {"bucket": (BucketTrigger(name=name, arn=BUCKET, **settings),)}

    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"suffix": ".jpg"},
            {"prefix": "in/2020"},
            {"events": ("s3:ObjectCreated:Put",)},
        ],
    )
    def test_notify_one_function_of_one_event(self, found, settings):
        functions = {"a": self.bucket("x", prefix="in/"), "b": self.bucket("y", **settings)}
        (line,) = found(functions)
        assert line == (
            "functions/b/function.toml: triggers.bucket `y`: expected other events, prefixes or suffixes than those of "
            "`x` of functions/a, got some that both fit"
        )

    @pytest.mark.parametrize(
        "settings", [{"suffix": ".png"}, {"prefix": "b/"}, {"events": ("s3:ObjectRemoved:*",)}], ids=str
    )
    def test_may_notify_two_functions_of_different_events(self, found, settings):
        functions = {"a": self.bucket("x", prefix="in/", suffix=".jpg"), "b": self.bucket("y", **settings)}
        assert found(functions) == []

    def test_are_of_one_stack(self, found):
        functions = {"a": self.bucket("x", prefix="a/"), "b": self.bucket("y", prefix="b/")}
        (line,) = found(functions, stacks={"b": "beta"})
        assert line == (
            "functions/b/function.toml: triggers.bucket `y`: expected all functions of a bucket in one stack, which "
            "has its notifications, got `beta`, and the env's own for `x` of functions/a"
        )


def test_a_listener_has_one_rule_of_a_priority(found):
    def rule(name, priority):
        trigger = LoadBalancerTrigger(name=name, listener_arn=LISTENER, priority=priority, paths=("/a",))
        return {"load_balancer": (trigger,)}

    assert found({"a": rule("x", 1), "b": rule("y", 2)}) == []
    (line,) = found({"a": rule("x", 1), "b": rule("y", 1)})
    assert line.endswith("triggers.load_balancer `y`: priority 1 of the listener is taken by `x` of functions/a")


def handed(**hooks):
    return Options(rollout=Shifting(by="codedeploy", **hooks))


def test_a_hook_is_another_function_of_the_same_stack(found):
    options = {
        "orders": handed(before_hook="checks", after_hook="orders"),
        "stock": handed(after_hook="check"),
        "bills": handed(before_hook="far"),
        "fine": handed(before_hook="checks", after_hook="checks"),
        "far": Options(stack="shop"),
    }
    place = "functions/{}/function.toml: rollout.{}: expected"
    assert found({name: {} for name in (*options, "checks")}, options=options) == [
        f"{place.format('orders', 'after_hook')} another function than the one it decides about, got `orders`",
        f"{place.format('stock', 'after_hook')} a folder under functions/, got `check`; did you mean `checks`?",
        f"{place.format('bills', 'before_hook')} one of the same stack, the env's own, got `far` of `shop`",
    ]

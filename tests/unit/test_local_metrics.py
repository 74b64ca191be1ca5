"""What invokes leave in moto's CloudWatch."""

from datetime import UTC, datetime, timedelta

import pytest
from moto import mock_aws

from build.local.function_names import FunctionName
from build.local.metrics import KEPT_MINUTES, Metrics, shown
from tests.aws import client_of

NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class Clock:
    now = NOON

    def __call__(self):
        return self.now.timestamp()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def metrics(monkeypatch, clock):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made = Metrics(clock)
    with mock_aws(), shown(made):
        yield made


def orders(qualifier="live", region="us-east-1"):
    return FunctionName(name="orders", qualifier=qualifier, region=region, account_id="123456789012")


def told(metric, stat="Sum", **dimensions):
    """What CloudWatch has of each minute from noon on, oldest first."""
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    what = {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": named}
    query = {"Id": "a", "MetricStat": {"Metric": what, "Period": 60, "Stat": stat}}
    window = {"StartTime": NOON, "EndTime": NOON + timedelta(hours=6), "ScanBy": "TimestampAscending"}
    (result,) = client_of("cloudwatch").get_metric_data(MetricDataQueries=[query], **window)["MetricDataResults"]
    return result["Values"]


def test_an_invoke_counts_for_its_function_its_alias_and_the_version_that_answered(metrics):
    for version, failed in (("1", False), ("1", True), ("2", False)):
        metrics.invoked(orders(), version, failed=failed, duration_ms=5)
    of_alias = {"FunctionName": "orders", "Resource": "orders:live"}
    assert told("Invocations", FunctionName="orders") == [3]
    assert told("Invocations", **of_alias) == [3]
    assert told("Invocations", **of_alias, ExecutedVersion="1") == [2]
    assert told("Errors", **of_alias, ExecutedVersion="1") == [1]
    assert told("Errors", **of_alias, ExecutedVersion="2") == [0]


def test_dimensions_may_be_named_in_any_order(metrics):
    metrics.invoked(orders(), "1", failed=False, duration_ms=5)
    assert told("Invocations", ExecutedVersion="1", Resource="orders:live", FunctionName="orders") == [1]


@pytest.mark.parametrize(
    ("qualifier", "resource"), [(None, "orders"), ("7", "orders:7"), ("$LATEST", "orders:$LATEST")]
)
def test_an_invoke_without_an_alias_names_no_executed_version(metrics, qualifier, resource):
    metrics.invoked(orders(qualifier), "7", failed=False, duration_ms=5)
    assert told("Invocations", FunctionName="orders", Resource=resource) == [1]
    assert told("Invocations", FunctionName="orders", Resource=resource, ExecutedVersion="7") == []


def test_durations_keep_their_average_and_extremes(metrics):
    for duration_ms in (1, 2, 6):
        metrics.invoked(orders(), "1", failed=False, duration_ms=duration_ms)
    seen = [told("Duration", stat, FunctionName="orders") for stat in ("Minimum", "Average", "Maximum", "SampleCount")]
    assert seen == [[1], [3], [6], [3]]


def test_a_refused_invoke_is_a_throttle_and_no_invocation(metrics):
    metrics.throttled(orders(), "1")
    metrics.invoked(orders(), "1", failed=False, duration_ms=1)
    assert told("Throttles", FunctionName="orders") == [1]
    assert told("Invocations", FunctionName="orders") == [1]


def test_minutes_are_told_apart_and_the_old_ones_forgotten(metrics, clock):
    for minute in (0, 1, KEPT_MINUTES):
        clock.now = NOON + timedelta(minutes=minute, seconds=30)
        metrics.invoked(orders(), "1", failed=False, duration_ms=1)
    assert told("Invocations", FunctionName="orders") == [1, 1]
    assert len(metrics.data("123456789012", "us-east-1")) == 2 * 3 * 4


def test_other_regions_and_what_others_put_stay_apart(metrics):
    metrics.invoked(orders(region="eu-west-1"), "1", failed=False, duration_ms=1)
    own = {"MetricName": "Orders", "Value": 5, "Timestamp": NOON}
    client_of("cloudwatch").put_metric_data(Namespace="Shop", MetricData=[own])
    assert told("Invocations", FunctionName="orders") == []
    names = {each["MetricName"] for each in client_of("cloudwatch").list_metrics()["Metrics"]}
    assert names == {"Orders"}

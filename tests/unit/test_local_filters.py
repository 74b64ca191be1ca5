"""Which records filter criteria let through: the tables of AWS's documentation, and what holds for all patterns."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from build.local.sources.filters import fits, passes, patterns_of

EVENT = {
    "Metadata1": "m",
    "UserID": None,
    "LastName": "",
    "Name": "Alice",
    "Location": "New York",
    "Day": "Monday",
    "PaymentType": "Credit",
    "Weather": "Sunny",
    "Price": 15,
    "ProductName": "teapot",
    "Region": "us-east-1",
    "FileName": "image.png",
    "Address": "10.0.0.24",
    "Paid": True,
    "Tags": ["new", "blue"],
    "Items": [{"sku": "teapot", "count": 1}, {"sku": "cup", "count": 6}],
    "Order": {"id": 7, "lines": {"first": "x"}},
    "Nothing": [],
}


@pytest.mark.parametrize(
    ("pattern", "fitting"),
    [
        # https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html#filtering-syntax
        ({"UserID": [None]}, True),
        ({"Name": [None]}, False),
        ({"LastName": [""]}, True),
        ({"Name": [""]}, False),
        ({"Name": ["Alice"]}, True),
        ({"Name": ["alice"]}, False),
        ({"Name": [{"equals-ignore-case": "aLICE"}]}, True),
        ({"Name": [{"equals-ignore-case": "Bob"}]}, False),
        ({"Location": ["New York"], "Day": ["Monday"]}, True),
        ({"Location": ["New York"], "Day": ["Tuesday"]}, False),
        ({"PaymentType": ["Debit", "Credit"]}, True),
        ({"PaymentType": ["Debit", "Cash"]}, False),
        ({"$or": [{"Location": ["Boston"]}, {"Day": ["Monday"]}]}, True),
        ({"$or": [{"Location": ["Boston"]}, {"Day": ["Tuesday"]}]}, False),
        ({"Name": ["Alice"], "$or": [{"Location": ["Boston"]}, {"Price": [15]}]}, True),
        ({"Weather": [{"anything-but": ["Raining"]}]}, True),
        ({"Weather": [{"anything-but": ["Raining", "Sunny"]}]}, False),
        ({"Weather": [{"anything-but": "Sunny"}]}, False),
        ({"Weather": [{"anything-but": {"prefix": "Sun"}}]}, False),
        ({"Weather": [{"anything-but": {"suffix": ["ing", "dy"]}}]}, True),
        ({"Weather": [{"anything-but": {"equals-ignore-case": ["sunny"]}}]}, False),
        ({"Unknown": [{"anything-but": ["x"]}]}, False),
        ({"Price": [{"numeric": ["=", 15]}]}, True),
        ({"Price": [{"numeric": ["=", 15.0]}]}, True),
        ({"Price": [{"numeric": [">", 10, "<=", 20]}]}, True),
        ({"Price": [{"numeric": [">", 15, "<=", 20]}]}, False),
        ({"Name": [{"numeric": [">", 0]}]}, False),
        ({"Paid": [{"numeric": [">", 0]}]}, False),
        ({"ProductName": [{"exists": True}]}, True),
        ({"ProductName": [{"exists": False}]}, False),
        ({"Unknown": [{"exists": True}]}, False),
        ({"Unknown": [{"exists": False}]}, True),
        ({"UserID": [{"exists": True}]}, True),
        ({"Region": [{"prefix": "us-"}]}, True),
        ({"Region": [{"prefix": "eu-"}]}, False),
        ({"Region": [{"prefix": {"equals-ignore-case": "US-"}}]}, True),
        ({"FileName": [{"suffix": ".png"}]}, True),
        ({"FileName": [{"suffix": ".jpg"}]}, False),
        ({"FileName": [{"wildcard": "im*.p*g"}]}, True),
        ({"FileName": [{"wildcard": "*.jpg"}]}, False),
        ({"Address": [{"cidr": "10.0.0.0/24"}]}, True),
        ({"Address": [{"cidr": "10.0.1.0/24"}]}, False),
        ({"Name": [{"cidr": "10.0.0.0/24"}]}, False),
        # kinds of values are kept apart: "300, 300.0 and 3.0e2 are not considered equal"
        ({"Price": [15]}, True),
        ({"Price": [15.0]}, False),
        ({"Price": ["15"]}, False),
        ({"Paid": [True]}, True),
        ({"Paid": [1]}, False),
        # lists and objects
        ({"Tags": ["blue"]}, True),
        ({"Tags": ["red"]}, False),
        ({"Tags": [{"prefix": "bl"}]}, True),
        ({"Items": {"sku": ["cup"]}}, True),
        ({"Items": {"sku": ["cup"], "count": [6]}}, True),
        ({"Items": {"sku": ["cup"], "count": [1]}}, False),
        ({"Order": {"id": [7], "lines": {"first": [{"exists": True}]}}}, True),
        ({"Order": [{"exists": True}]}, False),
        ({"Order": {"lines": {"second": [{"exists": False}]}}}, True),
        ({"Unknown": {"deeper": [{"exists": False}]}}, True),
        ({"Unknown": {"deeper": ["x"]}}, False),
        ({"Nothing": [{"exists": True}]}, False),
        ({}, True),
    ],
)
def test_each_operator_does_what_aws_says(pattern, fitting):
    assert patterns_of({"Filters": [{"Pattern": json.dumps(pattern)}]}) == (pattern,)
    assert fits(pattern, EVENT) is fitting


PLAIN, AS_JSON = "a text", '{"City": "Seattle", "Temperature": 46}'
FOR_PLAIN, FOR_JSON, FOR_NEITHER = {"body": ["a text"]}, {"body": {"City": ["Seattle"]}}, {"messageId": ["m-1"]}


@pytest.mark.parametrize(
    ("body", "pattern", "passing"),
    [
        # https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html
        (PLAIN, FOR_PLAIN, True),
        (PLAIN, {"body": ["another"]}, False),
        (PLAIN, FOR_NEITHER, True),
        (PLAIN, FOR_JSON, False),
        (PLAIN, {"body": {"City": [{"exists": False}]}}, False),
        (AS_JSON, FOR_PLAIN, False),
        (AS_JSON, {"body": [{"exists": False}]}, False),
        (AS_JSON, FOR_NEITHER, True),
        (AS_JSON, FOR_JSON, True),
        (AS_JSON, {"body": {"City": ["Boston"]}}, False),
        (AS_JSON, {"messageId": ["m-2"], **FOR_JSON}, False),
        ("42", {"body": ["42"]}, True),
        ("{oops", {"body": [{"prefix": "{"}]}, True),
        ('[{"City": "Seattle"}]', FOR_JSON, True),
    ],
)
def test_a_body_is_json_or_text_as_the_pattern_expects_or_the_message_is_dropped(body, pattern, passing):
    assert passes([pattern], {"messageId": "m-1", "body": body}, "body") is passing


def test_one_of_several_patterns_is_enough_and_none_at_all_lets_everything_through():
    record = {"messageId": "m-1", "body": AS_JSON}
    assert passes([FOR_PLAIN, FOR_JSON], record, "body")
    assert not passes([FOR_PLAIN, {"messageId": ["m-2"]}], record, "body")
    nothing: tuple[dict[str, Any] | None, ...] = (None, {}, {"Filters": []})
    assert all(passes(patterns_of(criteria), record, "body") for criteria in nothing)


NO_RULE = "a has a rule that is none"


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{oops", "Expecting property name"),
        ("[]", "a pattern must be an object"),
        ('"text"', "a pattern must be an object"),
        ('{"a": "text"}', "a must be an object or a list"),
        ('{"a": []}', "a must be an object or a list that is not empty"),
        ('{"a": {"b": 5}}', "b must be an object or a list"),
        ('{"$or": [{"a": 5}, {"b": [1]}]}', "a must be an object or a list"),
        ('{"a": [["nested"]]}', NO_RULE),
        ('{"a": [{}]}', NO_RULE),
        ('{"a": [{"begins-with": "x"}]}', NO_RULE),
        ('{"a": [{"prefix": "x", "suffix": "y"}]}', NO_RULE),
        ('{"a": [{"prefix": 1}]}', NO_RULE),
        ('{"a": [{"exists": "yes"}]}', NO_RULE),
        ('{"a": [{"numeric": [">"]}]}', NO_RULE),
        ('{"a": [{"numeric": ["about", 3]}]}', NO_RULE),
        ('{"a": [{"numeric": [">", true]}]}', NO_RULE),
        ('{"a": [{"anything-but": []}]}', NO_RULE),
        ('{"a": [{"anything-but": {"numeric": ["=", 1]}}]}', NO_RULE),
        ('{"a": [{"cidr": "here"}]}', NO_RULE),
    ],
)
def test_a_pattern_that_aws_refuses_is_refused(pattern, why):
    with pytest.raises(ValueError, match=why):
        patterns_of({"Filters": [{"Pattern": pattern}]})


names = some.text(some.characters(exclude_characters="$"), max_size=3)
leaves = some.none() | some.booleans() | some.integers() | some.text(max_size=4)
values = some.recursive(
    leaves,
    lambda inner: some.lists(inner, min_size=1, max_size=3) | some.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=8,
)
events = some.dictionaries(names, values, max_size=4)


def pattern_of(value):
    """Return a pattern of everything that is in an object: of a list, of its first item."""
    if isinstance(value, list):
        return pattern_of(value[0])
    return {name: pattern_of(each) for name, each in value.items()} if isinstance(value, dict) else [value]


@given(events)
def test_an_event_fits_the_pattern_that_is_made_of_it(event):
    pattern = pattern_of(event)
    assert patterns_of({"Filters": [{"Pattern": json.dumps(pattern)}]}) == (pattern,)
    assert fits(pattern, event)


@given(events, events, events)
def test_a_record_passes_if_one_pattern_lets_it_through(event, one, other):
    patterns = [pattern_of(one), pattern_of(other)]
    assert passes(patterns, event, "body") == any(passes([each], event, "body") for each in patterns)


@given(leaves, leaves)
def test_a_value_equals_another_or_is_anything_but_that(value, other):
    assert fits({"a": [other]}, {"a": value}) != fits({"a": [{"anything-but": [other]}]}, {"a": value})


@given(some.text(max_size=5), some.text(max_size=2))
def test_edges_are_those_of_the_text(text, edge):
    assert fits({"a": [{"prefix": edge}]}, {"a": text}) is text.startswith(edge)
    assert fits({"a": [{"suffix": edge}]}, {"a": text}) is text.endswith(edge)
    assert fits({"a": [{"wildcard": f"*{edge.replace('*', '')}*"}]}, {"a": text}) is (edge.replace("*", "") in text)


@given(some.integers() | some.floats(allow_nan=False), some.integers(-5, 5))
def test_a_number_is_below_equal_or_above(number, bound):
    held = [fits({"a": [{"numeric": [sign, bound]}]}, {"a": number}) for sign in ("<", "=", ">")]
    assert held == [number < bound, number == bound, number > bound]


@given(events, names)
def test_a_field_exists_or_does_not(event, name):
    there, away = (fits({name: [{"exists": answer}]}, event) for answer in (True, False))
    assert there != away

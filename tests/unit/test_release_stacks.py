"""Stacks: which part of the repository each holds, and what is remembered of an apply."""

from dataclasses import replace

import pytest
from moto import mock_aws

from build.errors import AwsError, InputError
from build.options import Options
from build.release.stacks import Applied, Stacks, refuse_moves, split
from tests.aws import client_of
from tests.builders import function_spec, layer_spec, make_workspace

APPLIED = Applied(stack="shop", inputs="sha256:1", functions=("orders",), outputs={"layers": {}}, state='"etag"')


def workspace(root, stacks, **layers):
    functions = tuple(
        replace(
            function_spec(root / "functions" / name, layers=tuple(layers.get(name, ()))), options=Options(stack=stack)
        )
        for name, stack in stacks.items()
    )
    names = sorted({layer for used in layers.values() for layer in used} | {"unused"})
    return make_workspace(root, functions=functions, layers=tuple(layer_spec(root / "layers" / n) for n in names))


def held(parts):
    return {
        name: ([spec.name for spec in part.functions], [layer.name for layer in part.layers])
        for name, part in parts.items()
    }


def test_functions_without_a_stack_are_in_the_envs_own(tmp_path):
    parts = split(workspace(tmp_path, {"orders": None, "prices": "shop"}))
    assert held(parts) == {"": (["orders"], ["unused"]), "shop": (["prices"], [])}


def test_a_layer_goes_with_every_stack_that_uses_it_and_one_that_nobody_uses_with_the_envs_own(tmp_path):
    stacks = {"orders": None, "prices": "shop", "stock": "store"}
    parts = split(workspace(tmp_path, stacks, orders=["both"], prices=["both", "mine"], stock=["mine"]))
    assert held(parts) == {
        "": (["orders"], ["both", "unused"]),
        "shop": (["prices"], ["both", "mine"]),
        "store": (["stock"], ["mine"]),
    }


def test_the_envs_own_is_there_also_when_every_function_has_a_stack(tmp_path):
    assert set(split(workspace(tmp_path, {"orders": "shop"}))) == {"", "shop"}


def test_a_function_that_another_state_still_holds_is_refused_by_name():
    with pytest.raises(InputError, match="changed their stack") as caught:
        refuse_moves({"": ["prices"], "store": ["orders"]}, {"shop": APPLIED})
    assert caught.value.facts == ("functions/orders: expected stack shop, which has it, got store",)
    refuse_moves({"": ["prices"], "shop": ["orders"]}, {"shop": APPLIED})


@pytest.fixture
def stacks(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        s3 = client_of("s3")
        for bucket in ("artifacts", "states"):
            s3.create_bucket(Bucket=bucket)
        yield Stacks(s3=s3, bucket="artifacts", state_bucket="states", owner="123456789012")


def test_what_was_applied_is_read_back_as_it_was_written(stacks):
    own = replace(APPLIED, stack="", functions=())
    assert stacks.applied() == {}
    stacks.record(APPLIED)
    stacks.record(own)
    stacks.record(replace(own, state='"newer"'))
    assert stacks.applied() == {"shop": APPLIED, "": replace(own, state='"newer"')}
    stacks.forget("")
    assert set(stacks.applied()) == {"shop"}


def test_a_state_is_known_by_its_etag_and_one_that_is_not_there_by_none(stacks):
    assert stacks.state_of("shop/prod.tfstate") == ""
    client_of("s3").put_object(Bucket="states", Key="shop/prod.tfstate", Body=b"{}")
    first = stacks.state_of("shop/prod.tfstate")
    client_of("s3").put_object(Bucket="states", Key="shop/prod.tfstate", Body=b"{ }")
    assert first
    assert stacks.state_of("shop/prod.tfstate") not in ("", first)


def test_a_bucket_that_is_not_there_is_an_error(stacks):
    with pytest.raises(AwsError, match="reading what was applied"):
        replace(stacks, bucket="nowhere").applied()

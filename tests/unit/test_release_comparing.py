"""What differs between two releases, by their rows alone."""

import json
from dataclasses import replace

import pytest

from build.http import HttpTrigger, UrlTrigger
from build.model import IMAGE
from build.options import Options, Permission, Provisioned, Secret
from build.release.comparing import HTTP_API, Step, compare
from build.release.handoff import handoff_of
from build.release.rows import Recorded, Release
from build.triggers import QueueTrigger, Triggers
from tests.builders import function_spec, layer_spec, make_workspace
from tests.releases import old_row, published, recorded, release

HIDDEN_VALUE = "hunter" + "2"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/orders"


def step(name, before, after):
    return Step(name=name, before=before, after=after)


@pytest.fixture
def of(tmp_path):
    """Make a release of one function, as a deploy would hand it off."""

    def make(number, *, layers=(), row=None, http_api=None, **given):
        orders = replace(function_spec(tmp_path / "functions/orders", layers=layers), **given)
        data = layer_spec(tmp_path / "layers/data")
        workspace = make_workspace(tmp_path, functions=(orders,), layers=(data,))
        made = [published("layers/data", "data", *data.architectures), published("functions/orders", "orders")]
        handoff = dict(handoff_of(workspace, made))
        if http_api is not None:
            handoff["http_api"] = http_api
        artifacts = {"functions/orders": recorded("a"), "layers/data": recorded("c")}
        return release(number, handoff=handoff, **{"artifacts": artifacts, **(row or {})})

    return make


def test_a_release_differs_in_nothing_from_itself(of):
    first = of(1)
    found = compare(first, first)
    assert found.is_empty
    assert (found.old, found.new) == ("1", "1")


def test_dependencies_and_code_differ_by_artifact(of):
    old = {"functions/orders": recorded("a", six="1.16.0", boto3="1.0"), "layers/data": recorded("c", numpy="2.0")}
    new = {"functions/orders": recorded("b", six="1.17.0", httpx="0.28"), "layers/data": recorded("c", numpy="2.0")}
    found = compare(of(1, row={"artifacts": old}), of(2, row={"artifacts": new}))
    (orders,) = found.parts.values()
    assert orders.has_other_code
    assert orders.distributions == (
        step("boto3", "1.0", None),
        step("httpx", None, "0.28"),
        step("six", "1.16.0", "1.17.0"),
    )


def test_another_image_is_other_code_and_no_setting(of):
    old, new = (
        of(number, package=IMAGE, row={"artifacts": {"functions/orders": recorded(digit)}})
        for number, digit in ((1, "a"), (2, "b"))
    )
    for row, digit in ((old, "a"), (new, "b")):
        row.handoff["functions"]["orders"]["image_uri"] = f"example.invalid/orders@sha256:{digit * 64}"
    (orders,) = compare(old, new).parts.values()
    assert orders.has_other_code
    assert orders.settings == ()


def test_settings_differ_by_name_also_deep_inside(of):
    found = compare(
        of(1, memory_mb=512, options=Options(tags={"team": "a"})),
        of(2, memory_mb=1024, options=Options(tags={"team": "b"}, provisioned=Provisioned(concurrency=2))),
    )
    (orders,) = found.parts.values()
    assert not orders.has_other_code
    assert {each.name: (each.before, each.after) for each in orders.settings} == {
        "memory_mb": ("512", "1024"),
        "tags.team": ("a", "b"),
        "provisioned.concurrency": (None, "2"),
        "provisioned.schedules": (None, "[]"),
        "provisioned.target_percent": (None, "70"),
    }


def test_environment_differs_by_name_and_no_value_is_told(of):
    secret = {"DB": Secret(arn=f"arn:aws:ssm:us-east-1:123456789012:parameter/{HIDDEN_VALUE}")}
    found = compare(
        of(1, environment={"GONE": HIDDEN_VALUE, "SAME": HIDDEN_VALUE, "OTHER": HIDDEN_VALUE}),
        of(2, environment={"SAME": HIDDEN_VALUE, "OTHER": f"{HIDDEN_VALUE}!"}, options=Options(secrets=secret)),
    )
    assert found.parts["functions/orders"].environment == {"DB": "added", "GONE": "removed", "OTHER": "changed"}
    assert HIDDEN_VALUE not in json.dumps(found.to_json())


def test_triggers_differ_by_kind_and_name_and_those_that_stay_by_their_settings(of):
    found = compare(
        of(1, triggers=Triggers(queue=(QueueTrigger(name="new"),), http=(HttpTrigger(route="GET /a"),))),
        of(2, triggers=Triggers(queue=(QueueTrigger(name="new", batch_size=5),), url=UrlTrigger(auth="iam"))),
    )
    orders = found.parts["functions/orders"]
    assert orders.triggers == {"http GET /a": "removed", "url": "added"}
    assert orders.settings == (step("queue new batch_size", "10", "5"),)


def test_permissions_differ_action_by_action(of):
    found = compare(
        of(1, options=Options(permissions=(Permission(actions=("dynamodb:GetItem",), resources=(TABLE,)),))),
        of(
            2,
            options=Options(
                permissions=(Permission(actions=("dynamodb:GetItem", "dynamodb:PutItem"), resources=(TABLE,)),),
                managed_policies=("AWSXRayDaemonWriteAccess",),
            ),
        ),
    )
    policy = "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"
    rights = found.parts["functions/orders"].permissions
    assert rights == {policy: "added", f"dynamodb:PutItem on {TABLE}": "added"}


def test_layers_of_a_function_differ_by_key_and_a_layer_of_its_own_by_its_code(of):
    new = {"functions/orders": recorded("a"), "layers/data": recorded("d")}
    found = compare(of(1), of(2, layers=("data",), row={"artifacts": new}))
    assert found.parts["functions/orders"].layers == {"data": "added"}
    assert found.parts["layers/data"].has_other_code


def test_what_came_and_went_is_told_once(of):
    new = {"layers/data": recorded("c"), "functions/prices": recorded("f", six="1.17.0")}
    other = replace(of(2, row={"artifacts": new}), handoff={"functions": {"prices": {}}, "layers": {"data": {}}})
    found = compare(replace(of(1), handoff={"functions": {"orders": {}}, "layers": {"data": {}}}), other)
    changes = {place: (part.change, part.before is None, part.after is None) for place, part in found.parts.items()}
    assert changes == {"functions/orders": ("removed", False, True), "functions/prices": ("added", True, False)}
    assert found.parts["functions/prices"].distributions == (step("six", None, "1.17.0"),)


def test_versions_stacks_locks_and_tools_differ_by_name(of):
    old = {"live": {"orders": "1"}, "locks": {"functions/orders": "sha256:1"}, "tools": {"terraform": "1.11.4"}}
    new = {"live": {"orders": "2"}, "locks": {"functions/orders": "sha256:2"}, "tools": {"terraform": "1.12.0"}}
    found = compare(of(1, row=old), of(2, row={**new, "stacks": {"orders": "shop"}}))
    assert found.parts == {}
    assert found.live == (step("orders", "1", "2"),)
    assert found.stacks == (step("orders", None, "shop"),)
    assert found.locks == (step("functions/orders", "sha256:1", "sha256:2"),)
    assert found.tools == (step("terraform", "1.11.4", "1.12.0"),)


def test_what_all_routes_share_has_a_place_of_its_own(of):
    throttle = {"cors": None, "throttle": {"rate": 10}}
    found = compare(of(1, http_api={"cors": None, "throttle": None}), of(2, http_api=throttle))
    assert found.parts[HTTP_API].settings == (step("throttle.rate", None, "10"),)


def test_a_row_of_the_first_schema_is_compared_as_far_as_it_tells(of):
    old = Release.from_json(old_row("20260131T120000Z-1a2b3c4d", orders="a"))
    row = {"locks": {"functions/orders": "sha256:1"}, "tools": {"python": "3.13.1"}, "live": {"orders": "4"}}
    now = of(1, row={**row, "artifacts": {"functions/orders": recorded("b", six="1.17.0")}})
    found = compare(old, now)
    assert found.parts["functions/orders"].has_other_code
    assert found.parts["functions/orders"].distributions == ()
    assert (found.locks, found.tools) == ((), ())
    assert found.live == (step("orders", "1", "4"),)


def test_it_is_turned_around_with_the_releases(of):
    artifacts = {"functions/orders": Recorded(digest="sha256:b", key="k", size_bytes=1, distributions={"six": "2"})}
    one, other = of(1, memory_mb=512), of(2, memory_mb=256, layers=("data",), row={"artifacts": artifacts})
    there, back = compare(one, other), compare(other, one)
    flipped = {"added": "removed", "removed": "added", "changed": "changed"}
    assert {place: flipped[part.change] for place, part in there.parts.items()} == {
        place: part.change for place, part in back.parts.items()
    }
    steps, turned = (each.parts["functions/orders"].settings for each in (there, back))
    assert [(each.name, each.after, each.before) for each in steps] == [
        (each.name, each.before, each.after) for each in turned
    ]

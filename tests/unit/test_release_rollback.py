"""Going back to what a release recorded, against moto: the real boto3, no server."""

import pytest
from moto import mock_aws

from build.errors import InputError
from build.release.rollback import Return, chosen, go_back, target_of
from build.release.rows import FAILED, FINISHED, UNFINISHED
from tests.aws import client_of
from tests.builders import make_workspace
from tests.releases import release

ZIP = {"ZipFile": b"PK\x05\x06" + bytes(18)}


def row(number, outcome=FINISHED, **live):
    return release(number, live=live, outcome=outcome)


ROWS = (row("20300101T000000Z-abcd0001", orders="1"), row(1, orders="2"), row(12, orders="2"))


def test_without_an_id_it_is_the_newest_release_that_ran_other_versions():
    assert target_of(ROWS, None, "prod", now=ROWS[-1].live) is ROWS[0]


@pytest.mark.parametrize(("wanted", "at"), [("1", 1), ("#1", 1), ("000012", 2), ("20300101", 0)])
def test_a_release_is_named_by_its_number_and_an_old_one_by_how_it_begins(wanted, at):
    assert target_of(ROWS, wanted, "prod", now={}) is ROWS[at]


@pytest.mark.parametrize(("rows", "wanted"), [((), None), (ROWS[:1], None), (ROWS, "3"), (ROWS, "2031")])
def test_no_such_release_is_refused_with_how_to_find_one(rows, wanted):
    with pytest.raises(InputError, match="nothing to go back to") as caught:
        target_of(rows, wanted, "prod", now=ROWS[0].live)
    assert "invoke releases --env prod" in caught.value.hint


def test_a_release_that_failed_is_nothing_to_go_back_to():
    failed = release(13, outcome=FAILED, error="apply failed", live={"orders": "1"})
    with pytest.raises(InputError) as caught:
        target_of((*ROWS, failed), "13", "prod", now={})
    assert "release 13 is failed: apply failed" in caught.value.facts
    assert target_of((*ROWS, failed), None, "prod", now=ROWS[-1].live) is ROWS[0]


def test_after_a_deploy_that_was_cut_off_it_is_the_newest_release_itself():
    cut_off = release(13, outcome=UNFINISHED)
    half_way = {"orders": "3", "prices": "3"}
    assert target_of((*ROWS, cut_off), None, "prod", now=half_way) is ROWS[-1]


def test_a_function_that_came_since_is_no_difference():
    assert target_of(ROWS, None, "prod", now={"orders": "2", "new": "1"}) is ROWS[0]


def test_only_some_functions_may_go_back():
    both = row(1, orders="1", prices="2")
    assert chosen(both, (), "prod") == {"orders": "1", "prices": "2"}
    assert chosen(both, ("prices",), "prod") == {"prices": "2"}
    with pytest.raises(InputError, match="does not have these functions") as caught:
        chosen(both, ("prices", "carts", "users"), "prod")
    assert caught.value.facts == ("got carts, users; expected some of: orders, prices",)


@pytest.fixture
def deployed(monkeypatch, tmp_path):
    """Two functions with two versions each, the second one live."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    workspace = make_workspace(tmp_path)
    with mock_aws(config={"lambda": {"use_docker": False}}):
        lambda_ = client_of("lambda")
        trust = '{"Version":"2012-10-17","Statement":[]}'
        role = client_of("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        for name in ("orders", "prices"):
            function = workspace.function_name(name)
            given = {"Runtime": "python3.13", "Handler": "app.handler", "Role": role, "Code": ZIP}
            lambda_.create_function(FunctionName=function, Publish=True, **given)
            lambda_.update_function_configuration(FunctionName=function, Description="second")
            lambda_.publish_version(FunctionName=function)
            lambda_.create_alias(FunctionName=function, Name="live", FunctionVersion="2")
        yield workspace


def back(target, *given, **more):
    return go_back(target, target.live, *given, **more)


def live(workspace, name):
    return client_of("lambda").get_alias(FunctionName=workspace.function_name(name), Name="live")["FunctionVersion"]


def test_every_alias_names_the_version_it_named_then(deployed):
    done = back(row(1, orders="1", prices="2"), deployed, client_of("lambda"))
    assert done == (Return(name="orders", before="2", after="1"), Return(name="prices", before="2", after="2"))
    assert (live(deployed, "orders"), live(deployed, "prices")) == ("1", "2")


def test_going_back_twice_changes_nothing_the_second_time(deployed):
    said: list[str] = []
    for _ in range(2):
        back(row(1, orders="1"), deployed, client_of("lambda"), on_progress=said.append)
    assert said == ["orders: from version 2 to 1"]


def test_nothing_moves_when_one_version_is_gone(deployed):
    with pytest.raises(InputError, match="nothing was changed") as caught:
        back(row(1, orders="1", prices="9", removed="1"), deployed, client_of("lambda"))
    assert [fact.partition(":")[0] for fact in caught.value.facts] == [
        deployed.function_name("prices"),
        deployed.function_name("removed"),
    ]
    assert live(deployed, "orders") == "2"
    assert "--full" in caught.value.hint

"""Going back to what a release recorded, against moto: the real boto3, no server."""

import pytest
from moto import mock_aws

from build.errors import InputError
from build.release.rollback import Return, go_back, target_of
from tests.aws import client_of
from tests.builders import make_workspace

ZIP = {"ZipFile": b"PK\x05\x06" + bytes(18)}


def row(number, **live):
    return {"id": f"2030010{number}T000000Z-abcd000{number}", "live": live, "commit": "a" * 40}


ROWS = (row(1, orders="1"), row(2, orders="2"), row(3, orders="2"))


def test_without_an_id_it_is_the_newest_release_that_ran_other_versions():
    assert target_of(ROWS, None, "prod") is ROWS[0]


def test_an_id_may_be_given_by_its_beginning():
    assert target_of(ROWS, "20300102", "prod") is ROWS[1]


@pytest.mark.parametrize(("rows", "wanted"), [((), None), (ROWS[:1], None), (ROWS, "2031"), (ROWS, "203001")])
def test_no_such_release_or_more_than_one_is_refused_with_how_to_find_one(rows, wanted):
    with pytest.raises(InputError, match="nothing to go back to") as caught:
        target_of(rows, wanted, "prod")
    assert "invoke releases --env prod" in caught.value.hint


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


def live(workspace, name):
    return client_of("lambda").get_alias(FunctionName=workspace.function_name(name), Name="live")["FunctionVersion"]


def test_every_alias_names_the_version_it_named_then(deployed):
    done = go_back(row(1, orders="1", prices="2"), deployed, client_of("lambda"))
    assert done == (Return(name="orders", before="2", after="1"), Return(name="prices", before="2", after="2"))
    assert (live(deployed, "orders"), live(deployed, "prices")) == ("1", "2")


def test_going_back_twice_changes_nothing_the_second_time(deployed):
    said: list[str] = []
    for _ in range(2):
        go_back(row(1, orders="1"), deployed, client_of("lambda"), on_progress=said.append)
    assert said == ["orders: from version 2 to 1"]


def test_nothing_moves_when_one_version_is_gone(deployed):
    with pytest.raises(InputError, match="nothing was changed") as caught:
        go_back(row(1, orders="1", prices="9", removed="1"), deployed, client_of("lambda"))
    assert [fact.partition(":")[0] for fact in caught.value.facts] == [
        deployed.function_name("prices"),
        deployed.function_name("removed"),
    ]
    assert live(deployed, "orders") == "2"
    assert "git" not in caught.value.hint
    assert "invoke deploy" in caught.value.hint

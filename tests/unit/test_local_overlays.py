"""Code in place of what is deployed, against moto in this process."""

import pytest
from moto import mock_aws

from build.digest import Digest
from build.local import mends
from build.local.overlays import LATEST, Code, Overlays, versions_of
from tests.aws import client_of, code_of, create_function

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
CODE = Code(handler="app.handler", runtime="python3.13", digest="ab" * 32)


@pytest.fixture
def backend(monkeypatch):
    """Give moto's backend, with the function orders whose version 1 is live."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws(), mends.installed():
        create_function("orders")
        from moto.awslambda.models import lambda_backends

        yield lambda_backends["123456789012"]["us-east-1"]


@pytest.fixture
def overlays(backend):
    """Give overlays with `CODE` in place of orders."""
    made = Overlays()
    made.put("orders", backend, CODE)
    return made


def runs(overlays, backend, version):
    return overlays.of(backend.get_function("orders", version), backend)


def test_it_runs_for_callers_of_live_and_of_nothing_in_particular(overlays, backend):
    assert [runs(overlays, backend, version) for version in ("1", LATEST)] == [CODE, CODE]
    assert overlays.told().keys() == {ARN}


def test_versions_that_nobody_asks_for_by_name_stay_what_they_are(backend):
    client_of("lambda").update_function_code(FunctionName="orders", ZipFile=code_of("2"), Publish=True)
    client_of("lambda").update_alias(FunctionName="orders", Name="live", FunctionVersion="2")
    overlays = Overlays()
    overlays.put("orders", backend, CODE)
    assert [runs(overlays, backend, version) for version in ("1", "2", LATEST)] == [None, CODE, CODE]


def test_it_ends_when_other_code_is_deployed(overlays, backend):
    client_of("lambda").update_function_code(FunctionName="orders", ZipFile=code_of("2"), Publish=True)
    assert [runs(overlays, backend, version) for version in ("1", "2", LATEST)] == [None, None, None]
    assert overlays.told() == {}


def test_it_ends_when_callers_go_elsewhere_and_does_not_come_back(overlays, backend):
    client = client_of("lambda")
    client.update_function_code(FunctionName="orders", ZipFile=code_of("2"), Publish=True)
    client.update_alias(FunctionName="orders", Name="live", FunctionVersion="2")
    assert runs(overlays, backend, "2") is None
    client.update_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    assert runs(overlays, backend, "1") is None


def test_it_ends_with_the_function(overlays, backend):
    client_of("lambda").delete_function(FunctionName="orders")
    assert overlays.told() == {}
    assert versions_of("orders", backend) == {}


def test_it_ends_when_it_is_cleared(overlays, backend):
    overlays.clear()
    assert runs(overlays, backend, "1") is None


def test_settings_that_change_do_not_end_it(overlays, backend):
    client_of("lambda").update_function_configuration(FunctionName="orders", Timeout=5)
    assert runs(overlays, backend, "1") == CODE


@pytest.mark.parametrize(
    ("other", "fits"),
    [
        ({}, True),
        ({"handler": "main.handler"}, False),
        ({"runtime": "python3.12"}, False),
        ({"layers": (None,)}, False),
        ({"image": "repository@sha256:1"}, False),
    ],
)
def test_code_fits_where_nothing_but_bytes_differs(backend, other, fits):
    code = Code(**{"handler": "app.handler", "runtime": "python3.13", "digest": "ab" * 32, **other})
    assert code.fits(backend.get_function("orders", "1")) is fits


def test_code_is_deployed_when_its_bytes_are(backend):
    deployed = Digest.of_bytes(code_of("1")).hex
    function = backend.get_function("orders", "1")
    assert not CODE.runs(function)
    assert Code(handler="app.handler", runtime="python3.13", digest=deployed).runs(function)

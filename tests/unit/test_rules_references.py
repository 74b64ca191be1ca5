"""Names of images."""

import pytest

from build.rules.references import Reference


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.0.1", True),
        ("127.example.invalid", False),
        ("localhost.example.invalid:5000", False),
        ("192.0.2.1:5000", False),
        ("public.ecr.aws", False),
    ],
)
def test_a_registry_of_this_machine_is_known_by_its_host_alone(host, expected):
    assert Reference.parse(f"{host}/lambda/python:3.13").is_on_loopback is expected

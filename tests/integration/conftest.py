"""With a sandbox and without: fixtures of all tests that run functions."""

import os

import pytest

from build.local import sandbox
from tests import containers


@pytest.fixture
def shut_in(monkeypatch):
    """Run functions in a sandbox."""
    monkeypatch.setenv("PATH", f"{containers.tool('bwrap').parent}:{os.environ['PATH']}")
    sandbox.problem.cache_clear()
    yield
    sandbox.problem.cache_clear()


@pytest.fixture(params=[True, False], ids=["boxed", "bare"])
def boxed(request, monkeypatch):
    """Tell whether functions run in a sandbox; both are tried."""
    if request.param:
        request.getfixturevalue("shut_in")
    else:
        monkeypatch.setattr(sandbox, "problem", lambda: "no sandbox")
    return request.param

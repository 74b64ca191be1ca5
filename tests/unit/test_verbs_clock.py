"""`local.clock` before it reaches a cloud; with one it is run in tests/integration/test_main_road.py."""

import socket
from datetime import timedelta

import pytest

from build.errors import InputError, ToolError
from build.local.sources.clock import read
from build.rules.words import duration
from build.verbs import clock


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("90s", timedelta(seconds=90)),
        ("90m", timedelta(minutes=90)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text, wanted):
    assert duration(text) == wanted


@pytest.mark.parametrize("text", ["90", "1h30m", "-5m", "5 m", "1.5h", "m", "5w", "999999999d", "0m"])
def test_anything_else_is_refused_with_what_is_expected(tmp_path, text):
    with pytest.raises(InputError, match=r"90s, 90m, 2h or 3d[\s\S]*hint: run `invoke local.clock --advance 90m`"):
        clock.show(tmp_path, by=text, as_json=False)


def test_without_a_cloud_there_is_no_clock(tmp_path):
    with pytest.raises(InputError, match="no embedded cloud runs"):
        clock.show(tmp_path, by="", as_json=True)


def test_a_cloud_that_takes_long_is_not_taken_for_one_that_is_gone(monkeypatch):
    monkeypatch.setattr("build.local.sources.clock._LIMIT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ToolError, match="takes long"):
        read(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_a_cloud_that_does_not_answer_is_told():
    with pytest.raises(ToolError, match="does not tell its time"):
        read("http://127.0.0.1:9")

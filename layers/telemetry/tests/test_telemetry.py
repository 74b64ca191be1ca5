import json
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src"


@pytest.fixture
def telemetry(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # src/ is what ships
    monkeypatch.syspath_prepend(str(SRC))
    monkeypatch.delitem(sys.modules, "telemetry", raising=False)
    import telemetry

    yield telemetry
    sys.modules.pop("telemetry")


def test_a_cold_start_is_one_line_of_json(telemetry, capsys, monkeypatch):
    monkeypatch.setenv("SLIPWAY_ARTIFACT_DIGEST", "9f2c")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "shop-prod-orders")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "42")
    telemetry.cold_start("pytest")

    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "event": "cold start",
        "function": "shop-prod-orders",
        "version": "42",
        "artifact_digest": "9f2c",
        "runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "distributions": {"pytest": pytest.__version__},
    }


def test_what_is_unknown_is_null_and_stops_nothing(telemetry, capsys, monkeypatch):
    for name in ("SLIPWAY_ARTIFACT_DIGEST", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"):
        monkeypatch.delenv(name, raising=False)
    telemetry.cold_start("no-such-distribution")

    line = json.loads(capsys.readouterr().out)
    assert (line["function"], line["version"], line["artifact_digest"]) == (None, None, None)
    assert line["distributions"] == {"no-such-distribution": None}

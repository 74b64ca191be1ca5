import json
from pathlib import Path

from build.local.deployment import Deployment, LogFormat
from build.local.function_logs import PlatformLog, Report, Splitter, tail_of
from build.model import Runtime


def frame(message: str) -> bytes:
    data = message.encode()
    return b"\xa5\x5a\x00\x1b" + len(data).to_bytes(4, "big") + (0).to_bytes(8, "big") + data


def deployment(log_format: LogFormat, system_log_level: str | None = None) -> Deployment:
    return Deployment(
        system_log_level=system_log_level,
        function_name="orders",
        version="7",
        runtime=Runtime(13),
        handler="app.handler",
        task_root=Path("/task"),
        memory_mb=256,
        log_group="/aws/lambda/orders",
        log_format=log_format,
        region="us-east-1",
        account_id="123456789012",
    )


def report(**changed):
    values = {
        "request_id": "r-1",
        "duration_ms": 12.345,
        "init_ms": None,
        "max_memory_mb": 31,
        "status": "success",
        "error_type": None,
    }
    return Report(**{**values, **changed})


def test_a_line_arrives_when_its_end_does():
    splitter = Splitter()
    assert splitter.feed(b"hello, ") == []
    assert splitter.feed(b"world\nnext") == ["hello, world"]
    assert splitter.flush() == ["next"]
    assert splitter.flush() == []


def test_a_log_record_of_several_lines_stays_one_message():
    assert Splitter().feed(frame("first\nsecond\n") + b"a line\n") == ["first\nsecond", "a line"]


def test_a_log_record_is_found_behind_a_line_without_end():
    assert Splitter().feed(b"no end" + frame("record\n")) == ["no end", "record"]


def test_output_may_be_cut_anywhere():
    data = b"one\n" + frame("two\nlines\n") + b"three\n" + frame("four\n")
    for cut in range(len(data)):
        splitter = Splitter()
        lines = [*splitter.feed(data[:cut]), *splitter.feed(data[cut:]), *splitter.flush()]
        assert lines == ["one", "two\nlines", "three", "four"], f"cut at {cut}"


def test_text_that_is_no_utf8_is_shown_all_the_same():
    assert Splitter().feed(b"caf\xe9\n") == ["caf\ufffd"]


def test_text_report_has_the_fields_of_lambda():
    end, line = PlatformLog(deployment(LogFormat.TEXT)).end(report(init_ms=100.0))
    assert end == "END RequestId: r-1"
    assert line.split("\t") == [
        "REPORT RequestId: r-1",
        "Duration: 12.35 ms",
        "Billed Duration: 113 ms",
        "Memory Size: 256 MB",
        "Max Memory Used: 31 MB",
        "Init Duration: 100.00 ms",
    ]


def test_text_report_says_how_it_failed():
    line = PlatformLog(deployment(LogFormat.TEXT)).end(report(status="error", error_type="Runtime.ExitError"))[1]
    assert line.endswith("Status: error\tError Type: Runtime.ExitError")


def test_json_report_has_the_numbers_that_are_known():
    [line] = PlatformLog(deployment(LogFormat.JSON)).end(report(max_memory_mb=None, status="timeout"))
    event = json.loads(line)
    assert event["type"] == "platform.report"
    assert event["record"] == {
        "requestId": "r-1",
        "metrics": {"durationMs": 12.345, "billedDurationMs": 13, "memorySizeMB": 256},
        "status": "timeout",
    }


def test_start_names_the_version_in_both_formats():
    assert PlatformLog(deployment(LogFormat.TEXT)).start("r-1") == ["START RequestId: r-1 Version: 7"]
    [line] = PlatformLog(deployment(LogFormat.JSON)).start("r-1")
    assert json.loads(line)["record"] == {"requestId": "r-1", "version": "7"}


def test_at_level_warn_the_platform_tells_of_failures_only():
    log = PlatformLog(deployment(LogFormat.JSON, "WARN"))
    assert [log.init(), log.start("r-1"), log.end(report())] == [[], [], []]
    assert len(log.end(report(status="timeout"))) == 1


def test_the_tail_is_the_last_4_kib():
    tail = tail_of(["x" * 100] * 100)
    assert len(tail) == 4096
    assert tail.endswith("x\n")

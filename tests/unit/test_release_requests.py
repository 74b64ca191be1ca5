"""Lines of logs, put together by request: the text and the JSON of Lambda, as its documentation shows them."""

import json

import pytest

from build.release.platform_lines import Report, is_failure, last_report, platform_line, readable
from build.release.requests import Grouping, Line, Status, Tail

FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def start(request_id=FIRST):
    return f"START RequestId: {request_id} Version: 7"


def end(request_id=FIRST):
    return f"END RequestId: {request_id}"


def report(request_id=FIRST, *, more=""):
    numbers = "Duration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 45 MB\t"
    return f"REPORT RequestId: {request_id}\t{numbers}{more}"


def told(kind, **record):
    return json.dumps({"time": "2025-01-01T00:00:00.000Z", "type": f"platform.{kind}", "record": record})


def json_report(request_id=FIRST, *, status="success", **metrics):
    numbers = {"durationMs": 12.34, "billedDurationMs": 13, "memorySizeMB": 128, "maxMemoryUsedMB": 45, **metrics}
    return told("report", requestId=request_id, metrics=numbers, status=status)


def lines(*messages, stream="a", function="orders"):
    return [Line(function, stream, number, message) for number, message in enumerate(messages)]


def grouped(*lists):
    grouping = Grouping()
    found = [request for each in lists for request in grouping.feed(each)]
    return [*found, *grouping.rest()]


def messages_of(request):
    return [line.message for line in request.lines]


def test_a_request_has_its_own_lines_and_what_lambda_says_of_it():
    (found,) = grouped(lines(start(), "one", "two", end(), report()))
    assert (found.function, found.request_id, found.status) == ("orders", FIRST, Status.OK)
    assert messages_of(found) == ["one", "two"]
    assert found.report == Report(duration_ms=12.34, billed_ms=13, memory_mb=128, max_memory_mb=45)
    assert found.report.words == "warm: 12.3 ms, billed 13 ms, 45 of 128 MB"


def test_what_initialisation_wrote_belongs_to_the_first_request():
    begun = ["INIT_START Runtime Version: python:3.13.v1\tRuntime Version ARN: arn:x", "importing"]
    (found,) = grouped(lines(*begun, start(), "got", end(), report(more="Init Duration: 310.20 ms\t\n")))
    assert messages_of(found) == ["importing", "got"]
    assert found.report
    assert found.report.init_ms == 310.2
    assert found.report.words.startswith("cold: init 310 ms, 12.3 ms")


def test_requests_at_the_same_time_are_told_apart_by_their_streams():
    a = lines(start(FIRST), "a1", "a2", end(FIRST), report(FIRST), stream="a")
    b = lines(start(SECOND), "b1", "b2", end(SECOND), report(SECOND), stream="b")
    found = grouped([line for pair in zip(a, b, strict=True) for line in pair])
    assert {request.request_id: messages_of(request) for request in found} == {
        FIRST: ["a1", "a2"],
        SECOND: ["b1", "b2"],
    }


def test_requests_after_one_another_in_one_stream_are_told_apart_in_any_batches():
    every = lines(start(), "one", end(), report(), "between", start(SECOND), "two", end(SECOND), report(SECOND))
    expected = [(FIRST, ["one"]), (SECOND, ["between", "two"])]
    for cut in range(len(every) + 1):
        found = grouped(every[:cut], every[cut:])
        assert [(request.request_id, messages_of(request)) for request in found] == expected


def test_json_is_understood_like_text():
    begun = told("initStart", initializationType="on-demand", runtimeVersion="python:3.13")
    own = json.dumps({"timestamp": "t", "level": "INFO", "message": "hi", "requestId": FIRST})
    (found,) = grouped(lines(begun, told("start", requestId=FIRST), own, json_report(initDurationMs=310.2)))
    assert (found.status, messages_of(found)) == (Status.OK, [own])
    assert found.report == Report(duration_ms=12.34, billed_ms=13, init_ms=310.2, memory_mb=128, max_memory_mb=45)


def test_without_lambdas_lines_those_of_the_runtime_tell_requests_apart():
    """As with ``system_log_level = "WARN"``."""
    own = [json.dumps({"timestamp": "t", "message": str(n), "requestId": n}) for n in (FIRST, FIRST, SECOND)]
    found = grouped(lines(*own))
    assert [(request.request_id, len(request.lines), request.status) for request in found] == [
        (FIRST, 2, Status.OPEN),
        (SECOND, 1, Status.OPEN),
    ]


def test_a_request_id_of_somebody_else_in_a_line_divides_nothing():
    foreign = json.dumps({"timestamp": "t", "message": "of the API", "requestId": "another"})
    (found,) = grouped(lines(start(), foreign, "two", end(), report()))
    assert len(found.lines) == 2


@pytest.mark.parametrize(
    ("message", "last", "status"),
    [
        ("[ERROR] ValueError: no\nTraceback (most recent call last):\n  File …", report(), Status.ERROR),
        ("x", report(more="Status: error\tError Type: Runtime.ExitError"), Status.ERROR),
        (f"2025-01-01T00:00:03.003Z {FIRST} Task timed out after 3.00 seconds", report(), Status.ERROR),
        ("x", report(more="Status: timeout"), Status.TIMEOUT),
        (f"RequestId: {FIRST} Error: Runtime exited with error: exit status 1", report(), Status.ERROR),
        (json.dumps({"errorType": "ValueError", "stackTrace": []}), json_report(), Status.ERROR),
        ("x", json_report(status="failure"), Status.ERROR),
        ("x", json_report(status="timeout"), Status.TIMEOUT),
        ("[ERROR]\t2025-01-01T00:00:00Z\tid\tlogged only", report(), Status.OK),
        (json.dumps({"level": "ERROR", "message": "logged only"}), json_report(), Status.OK),
    ],
)
def test_what_failed_is_told_by_what_lambda_and_its_runtime_write(message, last, status):
    (found,) = grouped(lines(start(), message, end(), last))
    assert found.status is status
    assert found.failed is (status in {Status.ERROR, Status.TIMEOUT})


def test_a_request_that_never_reports_ends_where_the_next_begins():
    found = grouped(lines(start(), "one", start(SECOND), "two", end(SECOND), report(SECOND)))
    assert [(request.request_id, request.status) for request in found] == [(FIRST, Status.OPEN), (SECOND, Status.OK)]


def test_the_end_of_a_request_that_began_before_is_one_too():
    (found,) = grouped(lines("late", end(), report()))
    assert (found.request_id, messages_of(found), found.status) == (FIRST, ["late"], Status.OK)


def test_an_end_alone_is_nothing_to_show():
    assert grouped(lines(end())) == []


def test_a_request_that_says_nothing_for_a_while_is_given_in_parts():
    grouping = Grouping()
    assert list(grouping.feed(lines(start(), "one"), now=10.0)) == []
    assert list(grouping.quiet(since=9.0)) == []
    (part,) = grouping.quiet(since=10.0)
    assert (messages_of(part), part.status, part.continued) == (["one"], Status.OPEN, False)
    assert list(grouping.quiet(since=99.0)) == [], "it said nothing new"
    (rest,) = grouping.feed(lines("two", end(), report()), now=20.0)
    assert (messages_of(rest), rest.status, rest.continued) == (["two"], Status.OK, True)


def test_a_restored_snapshot_counts_as_a_cold_start():
    found = platform_line(report(more="Restore Duration: 210.00 ms\tBilled Restore Duration: 4 ms"))
    assert found
    assert found.report
    assert found.report.init_ms == 210


def test_a_report_with_a_trace_is_read_like_any():
    more = "Init Duration: 1.00 ms\t\nXRAY TraceId: 1-5-a\tSegmentId: b\tSampled: true\t"
    found = platform_line(report(more=more))
    assert found
    assert found.report
    assert (found.request_id, found.report.init_ms, found.report.status) == (FIRST, 1.0, "success")


@pytest.mark.parametrize("message", ["START", "REPORT of today", "ENDING", '{"type": "platform.x"}', "{", "[1]"])
def test_a_line_of_the_functions_own_that_looks_alike_stays_one(message):
    assert platform_line(message) is None
    assert not is_failure(message)


def test_a_failed_initialisation_stays_to_be_read():
    assert platform_line("INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout") is None
    assert platform_line(told("initReport", status="timeout", metrics={})) is None
    assert platform_line(told("initReport", status="success", metrics={})) is not None


def test_what_lambda_says_of_extensions_is_its_own_affair():
    assert platform_line("EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE]") is not None
    assert platform_line("EXTENSION of the deadline") is None


def test_the_last_report_of_a_tail_is_found():
    log = "\n".join(["…cut", start(), "x", end(), report(more="Init Duration: 5.00 ms")])
    found = last_report(log)
    assert found
    assert found.init_ms == 5
    assert last_report("nothing") is None


def test_a_tail_gives_the_lines_of_one_request_as_they_come():
    tail = Tail(SECOND)
    before = lines("INIT_START Runtime Version: x", "importing", stream="b")
    assert list(tail.feed([*lines(start(), "of another", stream="a"), *before])) == []
    begun = list(tail.feed(lines(start(SECOND), "mine", stream="b")))
    assert [line.message for line in begun] == ["INIT_START Runtime Version: x", "importing", start(SECOND), "mine"]
    rest = [*lines(end(), report(), stream="a"), *lines("more", end(SECOND), report(SECOND), "later", stream="b")]
    assert [line.message for line in tail.feed(rest)] == ["more", end(SECOND), report(SECOND)]
    assert tail.ended
    assert tail.report


def test_a_tail_ends_where_the_next_request_begins_though_nothing_was_reported():
    tail = Tail(FIRST)
    given = list(tail.feed(lines("before", start(), "mine", start(SECOND), "not mine")))
    assert [line.message for line in given] == ["before", start(), "mine"]
    assert (tail.ended, tail.report) == (True, None)


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            {"timestamp": "t", "level": "INFO", "message": "taken", "logger": "root", "requestId": FIRST, "order": 7},
            "INFO taken  order=7",
        ),
        ({"level": "DEBUG", "message": "looking", "logger": "botocore.hooks"}, "DEBUG botocore.hooks: looking"),
        (
            {"level": "INFO", "message": {"a": 1}, "service": "orders", "cold_start": True, "tags": ["ä"]},
            'INFO {"a": 1}  tags=["ä"]',
        ),
        (
            {"level": "ERROR", "message": "no", "exception": "Traceback:\n  line", "exception_name": "E"},
            "ERROR no  exception_name=E\nTraceback:\n  line",
        ),
        (
            {"level": "ERROR", "errorType": "E", "errorMessage": "no", "stackTrace": ["  File x\n", "  File y\n"]},
            "ERROR E: no\n  File x\n  File y",
        ),
        ({"level": "ERROR", "message": "no", "stackTrace": "Traceback:\n  line"}, "ERROR no\nTraceback:\n  line"),
        ({"level": "INFO", "message": "in", "stackTrace": None, "service": {"name": "a"}}, "INFO in"),
        ({"level": "INFO", "message": "in", "logger": ["a"]}, 'INFO ["a"]: in'),
    ],
)
def test_records_of_loggers_are_shown_as_people_read_them(record, line):
    assert readable(json.dumps(record)) == line


@pytest.mark.parametrize(
    "message", ["text", '{"event": "x"}', '{"message": "no level"}', '{"level": "INFO"}', "{", "[1]"]
)
def test_anything_else_is_shown_as_it_is(message):
    assert readable(message) == message

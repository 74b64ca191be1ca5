import json

import pytest

from build import report
from build.errors import SlipwayError
from build.model import Finding, Severity
from build.results import Answer, ResourceChange


@pytest.fixture
def show(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    return report.Reporter()


def test_a_pipe_gets_plain_lines_on_stderr_and_nothing_on_stdout(show, capsys):
    with show.stage("build"):
        show.say("assembling [functions/orders]")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "  build: assembling [functions/orders]"
    assert "\x1b" not in err


def test_a_stage_that_fails_is_not_reported_as_done(show, capsys):
    with pytest.raises(SlipwayError), show.stage("build"):
        raise SlipwayError("no", hint="none")
    assert "build" not in capsys.readouterr().err


def test_a_plan_is_shown_by_what_it_does_to_each_resource(show, capsys):
    changes = (
        ResourceChange(address="a.new", actions=("create",)),
        ResourceChange(address="a.changed", actions=("update",), changed=("memory_size",)),
        ResourceChange(address="a.gone", actions=("delete",)),
        ResourceChange(address="a.replaced", actions=("delete", "create"), changed=("name",)),
    )
    show.plan(changes)
    assert [line.strip() for line in capsys.readouterr().err.splitlines()] == [
        "- a.gone",
        "± a.replaced  (name)",
        "+ a.new",
        "~ a.changed  (memory_size)",
    ]


def test_a_long_plan_is_cut_but_never_its_deletes(show, capsys):
    created = [ResourceChange(address=f"a.new{n}", actions=("create",)) for n in range(100)]
    gone = [ResourceChange(address=f"a.gone{n}", actions=("delete",)) for n in range(100)]
    show.plan((*created, *gone))
    lines = capsys.readouterr().err.splitlines()
    assert sum(line.startswith("  - ") for line in lines) == 100
    assert lines[-1] == "  … and 60 more"


@pytest.mark.parametrize(
    ("address", "actions", "loses"),
    [
        ('module.queue_trigger["orders/orders"].aws_sqs_queue.this', ("delete",), True),
        ('module.lambda_function["a"].aws_cloudwatch_log_group.this', ("delete", "create"), True),
        ('module.lambda_function["a"].aws_lambda_function.this', ("update",), False),
        ('module.execution_role["a"].aws_iam_role.this', ("delete",), False),
    ],
)
def test_a_change_knows_whether_anything_brings_back_what_it_deletes(address, actions, loses):
    assert ResourceChange(address=address, actions=actions).loses_data is loses


def test_an_empty_plan_says_so(show, capsys):
    show.plan(())
    assert "nothing to change" in capsys.readouterr().err


def test_warnings_are_shown_with_their_hint(show, capsys):
    show.findings([Finding(rule="r", severity=Severity.WARNING, subject="functions/x", message="odd", hint="run `x`")])
    assert capsys.readouterr().err == "warning: functions/x: odd (r)\nhint: run `x`\n"


def test_tables_go_to_stdout_and_markup_in_them_is_text(capsys):
    report.print_table(("a", "b"), [("[red]x", "1")], right=("b",))
    out, err = capsys.readouterr()
    assert "[red]x" in out
    assert err == ""


def test_answers_are_shown_with_the_event_they_answer_and_cut_to_a_length_people_read(capsys):
    answer = Answer(name="f", event="e.json", payload="x" * 1000, error=None, log_tail="", seconds=0.1)
    report.print_answers([answer])
    out = capsys.readouterr().out
    assert out.startswith("f ← e.json\n")
    assert len(out) < 500


def test_json_is_one_document_on_stdout(capsys):
    report.print_json({"ä": [1]})
    assert json.loads(capsys.readouterr().out) == {"ä": [1]}

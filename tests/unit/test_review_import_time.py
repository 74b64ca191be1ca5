"""Import times: what is a step, what is noise, and that every shape says which of both it was."""

from dataclasses import replace

import pytest

from build.review.changes import ImportTime
from build.review.markdown import markdown
from build.review.page import page
from build.review.shapes import to_json
from build.review.terminal import lines
from tests.review_samples import sample

SLOWER = ImportTime.of((310.0, 300.0, 420.0), (520.0, 600.0, 510.0))
SAME = ImportTime.of((300.0, 310.0), (330.0, 320.0))
UNKNOWN = ImportTime(not_measured="arm64 on x86_64")


def with_time(time, count=1):
    review = sample(count)
    return replace(review, functions=tuple(replace(each, import_time=time) for each in review.functions))


def test_the_fastest_runs_are_compared():
    assert (SLOWER.before_s, SLOWER.after_s, SLOWER.differs) == (0.3, 0.51, True)
    assert SLOWER.text == "import 0.30 s → 0.51 s (+0.21 s)"
    assert ImportTime.of((510.0, 520.0), (300.0, 310.0)).text == "import 0.51 s → 0.30 s (−0.21 s)"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((300.0, 305.0), (330.0, 331.0)),  # a tenth
        ((300.0, 420.0), (430.0, 440.0)),  # the runs of one side differ as much
        ((4.0, 4.0), (9.0, 9.0)),  # some milliseconds are none, however many times as long
    ],
)
def test_a_step_within_what_runs_differ_anyway_is_none(before, after):
    for one, other in ((before, after), (after, before)):
        time = ImportTime.of(one, other)
        assert not time.differs
        assert time.text == f"import about the same, {min(other) / 1000:.2f} s"


@pytest.mark.parametrize(("time", "said"), [(SLOWER, SLOWER.text), (SAME, SAME.text), (UNKNOWN, UNKNOWN.text)])
def test_terminal_and_markdown_say_the_step_or_why_there_is_none(time, said):
    review = with_time(time)
    assert f"    {said}" in [line.rstrip() for line in lines(review)]
    assert f"- {said}" in markdown(review).replace("\\_", "_")


def test_of_many_functions_a_step_is_among_what_changes_and_the_rest_is_a_detail():
    for time, count in ((SLOWER, 1), (SAME, 0), (UNKNOWN, 0)):
        text = markdown(with_time(time, 12))
        assert text.index("What changes in functions") < text.index("Functions, one by one")
        assert text[: text.index("Functions, one by one")].count("- import ") == count


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (SLOWER, "0.30 s"),
        (SAME, "About the same, 0.32 s"),
        (UNKNOWN, "Not measured: arm64 on x86_64"),
    ],
)
def test_the_page_says_it_behind_the_row(time, said):
    html = page(with_time(time))
    assert "<h3>Import time</h3>" in html
    assert said in html
    assert "<h3>Import time</h3>" not in page(with_time(None))


def test_programs_get_numbers():
    (function,) = to_json(with_time(SLOWER))["functions"]
    assert function["import_time"] == {"before_s": 0.3, "after_s": 0.51, "noise_s": 0.065, "not_measured": ""}

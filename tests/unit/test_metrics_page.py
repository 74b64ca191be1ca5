"""The words and the page of metrics: what they say of many releases, of few and of none."""

import re
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from build.metrics.page import page
from build.metrics.plots import dots, spark, strip, weekly
from build.metrics.words import headlines
from build.release.figures import DEFINITIONS, Share, figures_of
from build.release.rows import FAILED
from tests.releases import BEGIN, history, live, timed

VOID = {"meta", "link"}


class Reader(HTMLParser):
    """Takes note of every element, and that each is closed as it was opened."""

    def __init__(self, html):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))

    def of(self, name):
        return [attrs for tag, attrs in self.elements if tag == name]


def figures(rows, since=None):
    return figures_of(rows, (), now=BEGIN + timedelta(days=80), since=since)


def read(rows, since=None):
    return Reader(page(figures(rows, since), "shop", "prod"))


@pytest.mark.parametrize("count", [0, 1, 2, 40, 500])
def test_every_figure_stands_with_what_it_was_made_from_and_what_it_means(count):
    rows = history(count)
    text = read(rows).text
    for each in headlines(figures(rows)):
        assert f"{each.title}{each.value}" in text
        assert each.meaning.replace("`", "") in text
    assert {each.key for each in headlines(figures(rows))} == DEFINITIONS.keys()


def test_an_empty_ledger_says_what_writes_its_first_row_and_draws_nothing():
    found = read(())
    assert "invoke deploy --env prod writes its first row" in found.text
    assert [each for each in found.of("svg") if each.get("class") != "unseen"] == []
    assert "incidents" not in {each.get("id") for each in found.of("section")}


def test_what_happened_once_is_no_median():
    said = {each.key: each.value for each in headlines(figures([timed(1, day=0, took_s=48)]))}
    assert said == {
        "restore": "no incident yet",
        "failures": "0 of 1",
        "deploys": "1 since 2026-01-05",
        "rollbacks": "0 of 1",
        "pins": "none yet",
        "stages": "48 s, once",
        "verified": "none yet",
        "rebuilt": "none yet",
    }


def test_an_incident_that_is_not_over_is_told_beside_the_median():
    rows = [*history(12), timed(13, day=79, outcome=FAILED, error="apply failed", **live("1", "1"))]
    (restore, *_) = headlines(figures(rows))
    assert re.fullmatch(r".+, (median of \d+|once); 1 of \d+ not restored yet", restore.value)
    assert "not restored" in read(rows).text


def test_durations_are_compared_before_and_since_a_release():
    rows = history(40)
    found = read(rows, since=rows[20])
    assert "The dashed line is where release 21 begins." in found.text
    assert "Before 21" in found.text
    assert "Before" not in read(rows).text


def test_many_incidents_are_folded():
    rows = [timed(n, day=n / 2, outcome=FAILED, **live("1", "1")) for n in range(1, 31)]
    assert "10 older" in read(rows).text
    assert "older" not in read(rows[:20]).text


def test_nothing_in_a_row_breaks_out_of_the_page():
    evil = "\"'><img src=x onerror=alert(1)></script></table>"
    rows = [timed(1, day=1, outcome=FAILED, error=evil), timed(2, day=2, durations={evil: 3.0})]
    found = read(rows)
    assert "img" not in {tag for tag, _ in found.elements}
    assert evil in found.text


def test_the_page_loads_nothing_and_its_style_is_the_one_that_is_allowed():
    html = page(figures(history(40)), "shop", "prod")
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in html
    assert "<script" not in html
    assert re.findall(r"(?:src|href)=\"(?!data:|#)", html) == []
    assert re.findall(r" style=", html) == []
    assert html == page(figures(history(40)), "shop", "prod")


def test_every_plot_says_in_words_what_it_shows():
    for each in read(history(40)).of("svg"):
        assert each.get("aria-hidden") == "true" or each["aria-label"]


class TestPlots:
    def test_dots_have_a_median_on_each_side_of_a_split(self):
        found = Reader(str(dots([10, 20, 30, 1], 2, "deploys")))
        assert found.of("svg")[0]["aria-label"] == "4 deploys, median 15 s, then 16 s"
        assert len(found.of("circle")) == 4
        assert [each["class"] for each in found.of("line")].count("split") == 1

    @pytest.mark.parametrize("split", [0, 1])
    def test_one_dot_is_on_one_side(self, split):
        found = Reader(str(dots([3_000_000.0], split, "deploys")))
        assert [each["class"] for each in found.of("line")].count("median") == 1
        assert "split" not in {each["class"] for each in found.of("line")}

    def test_dots_lie_inside_the_plot(self):
        circles = Reader(str(dots([0.0, 1.0, 604_801.0], 3, "deploys"))).of("circle")
        assert all(0 <= float(each["cx"]) <= 340 and 0 <= float(each["cy"]) <= 150 for each in circles)

    @pytest.mark.parametrize("values", [[0.0], [5.0], [0.0, 0.0], [float(n) for n in range(500)]])
    def test_a_line_of_any_length_fits(self, values):
        (line,) = Reader(str(spark(values))).of("polyline")
        points = [tuple(map(float, point.split(","))) for point in line["points"].split()]
        assert 2 <= len(points) <= 42
        assert all(0 <= x <= 100 and 0 <= y <= 22 for x, y in points)

    def test_a_week_without_a_deploy_has_no_bar(self):
        weeks = figures(()).weeks
        assert Reader(str(weekly(weeks, [(0, 0)] * 12, ("finished", "failed")))).of("rect") == []
        bars = Reader(str(weekly(weeks, [(0, 0)] * 11 + [(3, 1)], ("finished", "failed")))).of("rect")
        assert [each["class"] for each in bars] == ["good", "bad"]
        assert float(bars[0]["height"]) == pytest.approx(3 * float(bars[1]["height"]), abs=0.2)

    def test_a_strip_is_as_long_as_the_share(self):
        assert strip(Share(count=0, of=0)) == ""
        assert [each["width"] for each in Reader(str(strip(Share(count=1, of=4)))).of("rect")] == ["100", "25.0"]

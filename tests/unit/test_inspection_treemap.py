"""The page of sizes: what it shows, and that it needs nothing but itself."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build.inspection.contents import read_contents
from build.inspection.sizes import sizes_of
from build.inspection.treemap import page, squarified
from tests.artifacts import make_artifact
from tests.builders import make_wheel


@settings(max_examples=40)  # lists of up to 60 sizes, each checked
@given(
    st.lists(st.integers(1, 10**8), min_size=1, max_size=60),
    st.floats(20, 2000),
    st.floats(20, 2000),
)
def test_rectangles_have_the_areas_of_their_sizes_and_stay_in_their_place(sizes, width, height):
    sizes = sorted(sizes, reverse=True)
    places = squarified(sizes, (5.0, 7.0, width, height))
    assert len(places) == len(sizes)
    for size, (left, top, w, h) in zip(sizes, places, strict=True):
        assert w * h == pytest.approx(size * width * height / sum(sizes), rel=1e-3, abs=1e-3)
        assert left >= 5 - 1e-6
        assert top >= 7 - 1e-6
        assert left + w <= 5 + width + 1e-3
        assert top + h <= 7 + height + 1e-3


def test_rectangles_do_not_overlap_and_are_nearly_square():
    places = squarified([60, 60, 40, 30, 20, 20, 10], (0.0, 0.0, 600.0, 400.0))
    corners = [(left, top, left + w, top + h) for left, top, w, h in places]
    for number, one in enumerate(corners):
        for other in corners[number + 1 :]:
            assert min(one[2], other[2]) - max(one[0], other[0]) < 1e-6 or (
                min(one[3], other[3]) - max(one[1], other[1]) < 1e-6
            )
    assert max(max(w / h, h / w) for _, _, w, h in places) < 3


def test_nothing_needs_no_room():
    assert squarified([], (0.0, 0.0, 10.0, 10.0)) == []


class Reader(HTMLParser):
    """Takes note of every element, and that they are closed as they were opened."""

    def __init__(self):
        super().__init__()
        self.elements = []
        self.open = []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "td", "th", "tr", "thead", "tbody"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in {"thead", "tbody"}:
            assert self.open.pop() == tag


@pytest.fixture
def shown(tmp_path):
    wheel = make_wheel(tmp_path, "teapot", "1.5", files={"teapot/<b>.so": "x" * 5000, "teapot/pot.py": "y" * 4000})
    orders = make_artifact(tmp_path / "a.zip", wheels=[wheel], src={"app.py": "z" * 3000}, saved={"tests": 2_000_000})
    empty = make_artifact(tmp_path / "b.zip", "functions/idle")
    return page("shop & co", [sizes_of(artifact, [], read_contents) for artifact in (orders, empty)])


def read(text):
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader.elements


def test_the_page_is_whole_and_says_what_takes_the_room(shown):
    elements = read(shown)
    titles = [attrs["title"] for _, attrs in elements if "title" in attrs]
    assert any(title.startswith("teapot 1.5\n") and "of functions/orders" in title for title in titles)
    assert any(title.startswith("<b>.so\n5 kB") for title in titles)
    assert "shop &amp; co" in shown
    assert "left out: tests 2.0 MB" in shown
    assert "functions/idle" in shown


def test_the_page_loads_nothing_and_runs_nothing(shown):
    elements = read(shown)
    assert {tag for tag, _ in elements} & {"script", "img", "link", "iframe", "object", "video"} == set()
    assert all(attrs.get("href", "#").startswith("#") for _, attrs in elements)
    assert not re.search(r"https?:|url\(|@import|\bon[a-z]+=", shown)


def test_every_header_leads_to_a_box_that_is_there_and_back(shown):
    elements = read(shown)
    ids = [attrs["id"] for _, attrs in elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for _, attrs in elements if "href" in attrs} <= set(ids)


def test_colours_are_told_in_a_legend_and_follow_the_kind(shown):
    leaves = {
        attrs["title"].partition("\n")[0]: attrs["class"].split()[1]
        for _, attrs in read(shown)
        if (attrs.get("class") or "").startswith("leaf ")
    }
    assert (leaves["<b>.so"], leaves["pot.py"], leaves["app.py"]) == ("so", "py", "py")
    assert all(f'<i class="{css}"></i>' in shown for css in ("so", "py", "pyc", "data"))


def test_a_function_with_thousands_of_files_stays_a_page_one_can_open(tmp_path):
    files = {f"big/m{number % 50}/f{number}.py": "x" * (50 + number % 700) for number in range(4000)}
    artifact = make_artifact(tmp_path / "a.zip", src=files)
    text = page("big", [sizes_of(artifact, [], read_contents)])
    assert len(text) < 400_000
    assert re.search(r"<b>\d+ \.py</b>|<b>\d+ small, mostly \.py</b>", text)


def test_more_than_the_quota_is_told_in_words_and_in_colour(tmp_path, monkeypatch):
    monkeypatch.setattr("build.inspection.sizes.UNZIPPED_BYTES", 1000)
    artifact = make_artifact(tmp_path / "a.zip", src={"app.py": "x" * 1500})
    text = page("big", [sizes_of(artifact, [], read_contents)])
    assert "150% of the quota" in text
    assert 'class="bar over"' in text

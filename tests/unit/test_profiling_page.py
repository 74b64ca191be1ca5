"""The page of a profile: what stands in it. How it looks is tested in a browser."""

import re
from html.parser import HTMLParser

from build.profiling.frames import Frame, Origin
from build.profiling.page import Graph, page, spoken

LEAF = Frame(name="leaf", place="/var/task/app.py:9", origin=Origin.OWN, own_us=2_500, calls=3)
CALL = Frame(name="handler", place="/var/task/app.py:3", origin=Origin.OWN, own_us=7_500, inside=(LEAF,))
GRAPHS = [
    Graph(
        title="Cold start: imports",
        about="soon",
        frame=Frame(name="cold start", inside=(Frame(name="json", own_us=9),)),
    ),
    Graph(title="Cold call", about="10.0 ms", frame=CALL),
]


class Nesting(HTMLParser):
    """Notes how deep elements are nested."""

    def __init__(self):
        super().__init__()
        self.open, self.deepest = 0, 0

    def handle_starttag(self, tag, attrs):
        if tag == "div":
            self.open += 1
            self.deepest = max(self.deepest, self.open)

    def handle_endtag(self, tag):
        self.open -= tag == "div"


def test_every_frame_is_placed_in_shares_of_the_one_around_it():
    html = page("Profile", "about", GRAPHS)
    assert re.findall(r"left:([\d.]+%);width:([\d.]+%)", html)[-2:] == [
        ("0.0000%", "100.0000%"),
        ("0.0000%", "25.0000%"),
    ]
    assert "leaf · 2.5 ms (25.0%) · 3 calls · your code · /var/task/app.py:9" in html
    assert "handler · 10.0 ms (100.0%), by itself 7.5 ms · 1 call · your code" in html


def test_each_graph_is_one_choice_of_which_its_whole_is_made_at_first():
    html = page("Profile", "about", GRAPHS)
    assert html.count("<input") == 4
    assert html.count(" checked") == 2
    assert {*re.findall(r' name="(\w+)"', html)} >= {"g0", "g1"}


def test_names_are_only_text():
    nasty = Frame(name="<script>alert(1)</script>", place='"><b>', own_us=1)
    html = page("<b>", "<i>", [Graph(title="<u>", about="</p>", frame=nasty)])
    assert not re.search(r"<(script|b>|i>|u>)", html.replace("<b>&lt;", ""))


def test_the_same_graphs_give_the_same_page_that_asks_for_nothing():
    html = page("Profile", "about", GRAPHS)
    assert html == page("Profile", "about", GRAPHS)
    assert "default-src 'none'" in html
    assert not re.search(r"https?://|<script|src=", html)


def test_the_deepest_graph_that_a_worker_tells_of_is_within_what_browsers_nest():
    frame = Frame(name="deep", own_us=1)
    for _ in range(150):
        frame = Frame(name="deep", own_us=1, inside=(frame,))
    nesting = Nesting()
    nesting.feed(page("Profile", "about", [Graph(title="Call", about="", frame=frame)]))
    assert 150 < nesting.deepest < 500


def test_a_call_that_took_no_time_is_drawn_too():
    assert "none" in page("Profile", "", [Graph(title="Call", about="", frame=Frame(name="none"))])


def test_times_are_spoken_as_people_read_them():
    assert [spoken(us) for us in (0.5, 78, 45_600, 1_234_000)] == ["0.001 ms", "0.078 ms", "45.6 ms", "1.23 s"]

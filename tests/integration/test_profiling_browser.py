"""The page of a profile in a real Chromium: that it stays by itself, fits, widens what is chosen, and can be read."""

import pytest

from build.profiling.frames import Frame, Origin
from build.profiling.page import Graph, page
from tests.browser import A_MOMENT, CHROMIUM, CONTRASTS, OPEN_ALL, SAID, Browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine")]

WIDTHS = """Object.fromEntries(
  [...document.querySelectorAll("#g1 label")]
    .map((label) => [label.querySelector("b").textContent, Math.round(label.getBoundingClientRect().width)])
    .filter(([, width]) => width))"""
CHOOSE = "[...document.querySelectorAll('#g1 label')].find((each) => each.querySelector('b').textContent === '{}')"
CENTRE = "(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({}.getBoundingClientRect())"
SETTLED = "new Promise((done) => setTimeout(done, 300))"


def large():
    """A tree of many frames: deep, wide, with names that nobody would choose."""
    frame = Frame(name="x" * 3000, place="/var/task/" + "y" * 500, origin=Origin.DEPENDENCY, own_us=100)
    for depth in range(149):
        frame = Frame(name=f"deep {depth}", origin=list(Origin)[depth % 4], own_us=10, inside=(frame,))
    wide = tuple(Frame(name=f"<wide> {number}", own_us=number) for number in range(1500))
    return Frame(name="handler", origin=Origin.OWN, own_us=100, inside=(frame, *wide))


def small():
    inside = (
        Frame(name="left", own_us=1000, inside=(Frame(name="inner", place="/var/task/app.py:9", own_us=500),)),
        Frame(name="right", own_us=4500, origin=Origin.DEPENDENCY),
    )
    return Frame(name="handler", place="/var/task/app.py:3", origin=Origin.OWN, own_us=4000, calls=1, inside=inside)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("home"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    graphs = [
        Graph(title="Cold call", about="10.0 ms", frame=large()),
        Graph(title="Warm call", about="10.0 ms", frame=small()),
    ]
    place = tmp_path_factory.mktemp("page") / "profile.html"
    place.write_text(page("Profile of functions/orders", "order.json", graphs), encoding="utf-8")
    return place


def test_a_page_asks_for_nothing_complains_about_nothing_and_fits_any_screen(browser, place):
    for width in (320, 400, 800, 1400, 2000):
        browser.look(width, scripts=False)
        browser.open(place)
        browser.look(width)
        browser.run(OPEN_ALL)
        browser.run(A_MOMENT)
        asked = [each["params"] for each in browser.events if each["method"] == "Network.requestWillBeSent"]
        assert {each["request"]["url"].partition(":")[0] for each in asked} <= {"file", "data"}
        assert [each for each in browser.events if each["method"] in SAID] == []
        assert browser.run("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_what_is_behind_it(browser, place, scheme):
    browser.look(scheme=scheme)
    browser.open(place)
    browser.run(OPEN_ALL)
    found = browser.run(CONTRASTS)
    assert len(found) > 5
    assert {colours: ratio for colours, ratio in found.items() if ratio < 4.5} == {}


def test_frames_are_as_wide_as_they_took_long(browser, place):
    browser.look()
    browser.open(place)
    widths = browser.run(WIDTHS)
    whole = widths["handler"]
    assert widths["left"] == pytest.approx(whole * 0.15, abs=3)
    assert widths["inner"] == pytest.approx(whole * 0.05, abs=3)
    assert widths["right"] == pytest.approx(whole * 0.45, abs=3)


def test_a_click_widens_a_frame_with_all_around_it_and_another_takes_that_back(browser, place):
    browser.look()
    browser.open(place)
    browser.run("document.querySelector('#g1').scrollIntoView()")
    before = browser.run(WIDTHS)
    top = browser.run("scrollY")
    browser.run(f"{CHOOSE.format('left')}.click()")
    browser.run(SETTLED)
    chosen = browser.run(WIDTHS)
    assert chosen["left"] == chosen["handler"] == before["handler"]
    assert chosen["inner"] == pytest.approx(before["handler"] / 3, abs=3)
    assert "right" not in chosen
    assert browser.run("scrollY") == top, "the page stays where it is"
    browser.run(f"{CHOOSE.format('handler')}.click()")
    browser.run(SETTLED)
    assert browser.run(WIDTHS) == before


def test_pointing_at_a_frame_tells_all_of_it(browser, place):
    browser.look()
    browser.open(place)
    browser.run("document.querySelector('#g1').scrollIntoView()")
    x, y = browser.run(CENTRE.format(CHOOSE.format("inner")))
    browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    told = browser.run(f"getComputedStyle({CHOOSE.format('inner')}.parentElement, '::after').content")
    assert told == '"inner · 0.500 ms (5.0%) · 1 call · Python · /var/task/app.py:9"'


def test_the_keyboard_goes_through_a_graph_as_through_one_choice(browser, place):
    browser.look()
    browser.open(place)
    browser.run(f"{CHOOSE.format('handler')}.querySelector('input').focus()")
    for key in ("ArrowDown", "ArrowDown"):
        browser.ask("Input.dispatchKeyEvent", type="rawKeyDown", key=key, code=key, windowsVirtualKeyCode=40)
        browser.ask("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=40)
    browser.run(SETTLED)
    assert browser.run("document.querySelector('#g1 :checked').parentElement.querySelector('b').textContent") == "inner"
    tree = [each for each in browser.ask("Accessibility.getFullAXTree")["nodes"] if not each["ignored"]]
    names = [(each["role"]["value"], each.get("name", {}).get("value", "")) for each in tree]
    assert ("radiogroup", "Warm call: choose a frame to widen it") in names
    assert ("radio", "inner 0.500 ms") in names
